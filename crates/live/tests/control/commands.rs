//! What somebody tells a session holds when it is answered, and is in the journal then.

use std::time::Duration;

use proptest::prelude::*;
use walkforward_core::{ControlCommand, ControlError, ErrorKind, SessionControl, TradingMode};
use walkforward_live::{
    Command, EventRecord, FLATTEN_FILE, HALT_FILE, StopReason, TraderOptions, halt_session, recover,
    verify_journal,
};

use super::{Session, eager, reason};
use crate::common::Workplace;

fn told(place: &Workplace) -> Vec<Command> {
    let command = |event| if let EventRecord::Command { command, .. } = event { Some(command) } else { None };
    place.events().into_iter().filter_map(command).collect()
}

fn resumed(place: &Workplace) -> TraderOptions {
    TraderOptions { resume: true, ..place.options() }
}

#[tokio::test]
async fn what_is_answered_is_journalled_and_holds() {
    let place = Workplace::new();
    let mut session = Session::start(&place).await;
    session.bars(20).await;
    let status = session.status().await;
    assert_eq!((status.bars, status.mode, status.restriction), (20, TradingMode::Active, None));
    assert!(status.position.units() > 0.0 && status.is_feed_up && status.last_data_at.is_some());
    assert_eq!(status.venue, "paper");
    assert_eq!(status.equity.get(), status.cash.get() + status.position_value.get());
    let model = status.model.unwrap();
    assert_eq!((&model.model_id, model.model_version), (&eager(&place, 1).id, 1));
    assert!(model.trained_until.is_some());

    let paused = session.pause().await;
    assert!(matches!(told(&place).last(), Some(Command::Pause { .. })));
    let restriction = paused.restriction.unwrap();
    assert_eq!((paused.mode, restriction.reason.as_str()), (TradingMode::Halted, "a test"));
    assert!(!restriction.needs_acknowledgement && restriction.until.is_none());

    let reduced = session.ask(ControlCommand::ReduceOnly { reason: reason() }).await;
    assert_eq!(reduced.mode, TradingMode::ReduceOnly);
    assert_eq!(session.resume(None).await.mode, TradingMode::Active);
    // There is nothing to end any more.
    assert_eq!(session.resume(None).await.mode, TradingMode::Active);
    assert_eq!(told(&place).len(), 3);

    let stopped = session.ask(ControlCommand::Stop {}).await;
    assert_eq!(stopped.bars, 20);
    let handle = session.handle.clone();
    assert_eq!(session.running.await.unwrap().unwrap().stop, StopReason::Stopped);
    let gone = handle.ask(ControlCommand::Status {}).await.unwrap_err();
    assert!(!gone.to_string().is_empty());
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
}

#[tokio::test]
async fn a_kill_holds_over_restarts_until_it_is_acknowledged() {
    let place = Workplace::new();
    let mut session = Session::start(&place).await;
    session.bars(10).await;
    let killed = session.kill(false).await;
    assert_eq!(killed.mode, TradingMode::Halted);
    assert!(killed.restriction.unwrap().needs_acknowledgement);
    session.pause().await;
    // A pause ends, the kill does not.
    assert_eq!(session.resume(None).await.mode, TradingMode::Halted);
    let ControlError::Refused { kind, reason: why } =
        session.refused(ControlCommand::Resume { acknowledge: None }).await
    else {
        panic!("a kill was ended by a resume")
    };
    assert!(kind == ErrorKind::BadInput && why.contains("acknowledgement: a test"), "{why}");
    let before = session.status().await;
    session.running.abort();
    let _ = session.running.await;

    let mut session = Session::start_with(&place, resumed(&place), 10).await;
    let after = session.status().await;
    assert_eq!((&after.session, after.started_at), (&before.session, before.started_at));
    assert_eq!((after.mode, &after.restriction), (before.mode, &before.restriction));
    assert_eq!((after.bars, after.position, after.cash), (before.bars, before.position, before.cash));
    // Numbers of events go on: the new process loads the model again, and that is none.
    assert_eq!(after.last_event, before.last_event);
    session.bars(5).await;
    assert!(place.bars().iter().skip(10).all(|bar| bar.order.is_none()));
    session.pause().await;
    assert_eq!(session.resume(Some(reason())).await.mode, TradingMode::Active);
    session.bars(5).await;
    session.end().await;
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
    assert_eq!(place.headers().len(), 2);
    // Not resumed, the folder begins another session.
    let other = Session::start(&place).await;
    assert_ne!(other.status().await.session, before.session);
    other.end().await;
}

#[tokio::test]
async fn a_kill_that_flattens_closes_the_position_and_then_nothing_more() {
    let place = Workplace::new();
    let mut session = Session::start(&place).await;
    session.bars(10).await;
    session.kill(false).await;
    session.bars(3).await;
    assert!(!session.status().await.position.is_zero());
    session.kill(true).await;
    session.bars(3).await;
    let status = session.status().await;
    assert!(status.position.is_zero() && status.mode == TradingMode::Halted);
    session.bars(5).await;
    session.end().await;
    assert!(place.bars().iter().skip(15).all(|bar| bar.order.is_none() && bar.fills.is_empty()));
}

#[tokio::test]
async fn the_files_that_halt_go_with_an_acknowledgement() {
    let place = Workplace::new();
    for (name, flatten) in [(HALT_FILE, false), (FLATTEN_FILE, true)] {
        let mut session = Session::start_with(&place, place.options(), 0).await;
        session.bars(10).await;
        halt_session(&place.journal(), "a file", flatten).unwrap();
        // The file is seen before it ends, however soon that is.
        assert_eq!(session.resume(Some(reason())).await.mode, TradingMode::Active);
        assert!(!place.journal().join(name).exists());
        session.bars(3).await;
        assert_eq!(session.end().await.bars, 13);
        let last: Vec<Command> = told(&place).into_iter().rev().take(2).collect();
        assert!(matches!(&last[0], Command::Acknowledge { .. }));
        assert_eq!(last[1], Command::Halt { reason: "a file".to_owned(), flatten });
    }
}

#[tokio::test]
async fn a_reload_answers_with_the_model_that_has_just_come() {
    let place = Workplace::new();
    let options = TraderOptions { poll_interval: Duration::from_secs(3_600), ..place.options() };
    let mut session = Session::start_with(&place, options, 0).await;
    session.bars(5).await;
    let next = eager(&place, 2);
    *session.champion.0.lock().unwrap() = Some(next.clone());
    assert_ne!(session.status().await.model.unwrap().model_id, next.id);
    let model = session.ask(ControlCommand::Reload {}).await.model.unwrap();
    assert_eq!((&model.model_id, &model.sha256, model.model_version), (&next.id, &next.sha256, 2));
    session.bars(1).await;
    session.end().await;
    assert_eq!(place.bars()[5].model.as_ref().unwrap().model_id, next.id);
}

/// What somebody may tell.
#[derive(Debug, Clone, Copy)]
enum Say {
    Pause,
    Reduce,
    Resume,
    Acknowledge,
    Kill,
    Bar,
}

/// What the session may do behind each word, in one line of logic.
#[derive(Default)]
struct Expected {
    asked: TradingMode,
    is_killed: bool,
}

impl Expected {
    fn hear(&mut self, say: Say) -> TradingMode {
        match say {
            Say::Pause => self.asked = TradingMode::Halted,
            Say::Reduce => self.asked = TradingMode::ReduceOnly,
            Say::Resume => self.asked = TradingMode::Active,
            Say::Kill => self.is_killed = true,
            Say::Acknowledge => *self = Self::default(),
            Say::Bar => {}
        }
        if self.is_killed { TradingMode::Halted } else { self.asked }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_told_holds_and_the_journal_comes_to_the_same(
        words in prop::collection::vec(
            prop::sample::select(vec![Say::Pause, Say::Reduce, Say::Resume, Say::Acknowledge, Say::Kill, Say::Bar]),
            1..25,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Workplace::new();
            let mut session = Session::start(&place).await;
            let mut expected = Expected::default();
            for say in words {
                let mode = expected.hear(say);
                match say {
                    Say::Pause => drop(session.pause().await),
                    Say::Reduce => drop(session.ask(ControlCommand::ReduceOnly { reason: reason() }).await),
                    // Refused where it ends nothing.
                    Say::Resume => drop(session.handle.ask(ControlCommand::Resume { acknowledge: None }).await),
                    Say::Acknowledge => drop(session.resume(Some(reason())).await),
                    Say::Kill => drop(session.kill(false).await),
                    Say::Bar => session.bars(1).await,
                }
                prop_assert_eq!(session.status().await.mode, mode);
            }
            session.bars(1).await;
            let live = session.status().await;
            session.running.abort();
            let _ = session.running.await;
            let left = recover(&place.journal()).unwrap().unwrap().status().unwrap();
            prop_assert_eq!((left.mode, &left.restriction), (live.mode, &live.restriction));
            prop_assert_eq!((left.bars, left.missed, left.last_event), (live.bars, live.missed, live.last_event));
            prop_assert_eq!((left.equity, left.position), (live.equity, live.position));
            Ok(())
        })?;
    }
}
