//! What somebody does to a session is in the store's record of acts, with who it was.

use std::sync::Arc;

use walkforward_core::{Asker, ControlCommand, ManualClock, SessionControl};
use walkforward_live::{
    Advance, Command, EventRecord, Follower, JournalTail, Projector, StampedEvent, StoreAccess, Tailed,
    halt_session,
};
use walkforward_store::{JournalPosition, Store};

use super::{Session, reason};
use crate::common::{Workplace, at};

fn access(place: &Workplace) -> StoreAccess {
    StoreAccess::new(place.journal().join("../data"), place.models_dir(), Arc::new(ManualClock::at(at(0))))
}

fn last_record(place: &Workplace) -> JournalPosition {
    let mut tail = JournalTail::new(&place.journal());
    let mut last = JournalPosition::before(1);
    while let Some(Tailed::Record(at, _)) = tail.next(None).unwrap() {
        last = at;
    }
    last
}

/// Carries the journal over and gives actor, act and reason of what was done.
fn acts(place: &Workplace) -> Vec<[String; 3]> {
    let data = place.journal().join("../data");
    let store = Store::open(&data, &place.models_dir(), Arc::new(ManualClock::at(at(0)))).unwrap();
    let mut projector = Projector::new(&place.journal(), access(place));
    while projector.advance(last_record(place)).unwrap() == Advance::More {}
    assert_eq!(store.check_acts().unwrap().broken, None);
    let acts = store.acts_after(0, 100).unwrap();
    assert!(acts.iter().all(|act| store.live_session(&act.subject.parse().unwrap()).is_ok()));
    acts.into_iter().map(|act| [act.actor, act.act, act.reason]).collect()
}

async fn ask(session: &Session, by: Asker, command: ControlCommand) {
    session.handle.ask_as(by, command).await.unwrap();
}

#[tokio::test]
async fn each_act_has_its_actor_and_what_the_interface_has_written_down_comes_from_nowhere_else() {
    let place = Workplace::new();
    let mut session = Session::start(&place).await;
    session.bars(3).await;
    let kill = || ControlCommand::Kill { reason: reason(), flatten: true };
    ask(&session, Asker::Command, ControlCommand::Pause { reason: reason() }).await;
    ask(&session, Asker::Command, ControlCommand::Resume { acknowledge: None }).await;
    ask(&session, Asker::Program, ControlCommand::ReduceOnly { reason: reason() }).await;
    ask(&session, Asker::Signal, kill()).await;
    ask(&session, Asker::Interface, ControlCommand::Resume { acknowledge: Some(reason()) }).await;
    ask(&session, Asker::Interface, kill()).await;
    halt_session(&place.journal(), "by hand", false).unwrap();
    ask(&session, Asker::Command, ControlCommand::Resume { acknowledge: Some(reason()) }).await;
    ask(&session, Asker::Interface, ControlCommand::Reload {}).await;
    ask(&session, Asker::Command, ControlCommand::Reload {}).await;
    ask(&session, Asker::Command, ControlCommand::Stop {}).await;
    session.running.await.unwrap().unwrap();

    let expected = [
        ["trader:command", "session.pause", "a test"],
        ["trader:command", "session.resume", "somebody let the session go on"],
        ["trader:program", "session.reduce_only", "a test"],
        ["trader:signal", "session.halt", "a test"],
        ["trader:command", "session.acknowledge", "a test"],
        ["trader:command", "session.reload", ""],
        ["trader:command", "session.stop", ""],
    ];
    assert_eq!(acts(&place), expected);
    // Another process reads the journal again.
    assert_eq!(acts(&place), expected);
}

#[tokio::test]
async fn a_file_that_halts_a_session_is_an_act() {
    let place = Workplace::new();
    std::fs::create_dir_all(place.journal()).unwrap();
    halt_session(&place.journal(), "by hand", false).unwrap();
    let mut session = Session::start(&place).await;
    session.bars(3).await;
    assert!(session.status().await.restriction.is_some());
    session.end().await;
    assert_eq!(acts(&place), [["trader:file", "session.halt", "by hand"]]);
}

#[test]
fn what_an_older_journal_says_of_a_command_is_read_and_nobody_is_named() {
    let line =
        r#"{"at":"2024-01-01T00:00:00.000Z","event":"command","command":{"command":"pause","reason":"x"}}"#;
    let read: StampedEvent = serde_json::from_str(line).unwrap();
    let command = Command::Pause { reason: "x".to_owned() };
    assert_eq!(read.event, EventRecord::Command { command, by: Asker::Program });
    assert_eq!(serde_json::to_string(&read).unwrap(), line);
}
