//! What happens is told once to everybody, in order; who is too slow is told that.

use walkforward_core::{
    ControlError, NumberedEvent, Reason, SessionControl, SessionEvent, SessionEvents, Timestamp, TradingMode,
};
use walkforward_live::{
    EventRecord, JournalRecord, MAX_KEPT_EVENTS, ModelStamp, StampedEvent, TraderHandle, events_of,
};

use super::{Session, eager, reason};
use crate::common::Workplace;

/// All events from the first on that are told until the session ends.
async fn rest(mut events: Box<dyn SessionEvents>) -> Vec<NumberedEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        all.push(event);
    }
    all
}

async fn subscribe(handle: &TraderHandle, after: Option<u64>) -> Box<dyn SessionEvents> {
    handle.subscribe(after).await.unwrap().1
}

fn seqs(events: &[NumberedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn everybody_hears_what_the_journal_says_in_its_order_and_without_holes() {
    let place = Workplace::new();
    let mut session = Session::start(&place).await;
    let readers = [Some(0), Some(0), None].map(|after| {
        let handle = session.handle.clone();
        tokio::spawn(async move { rest(subscribe(&handle, after).await).await })
    });
    session.bars(30).await;
    session.pause().await;
    session.bars(2).await;
    let after = session.status().await.last_event;
    let late = subscribe(&session.handle, Some(after)).await;
    session.resume(None).await;
    session.bars(3).await;
    session.end().await;

    let [first, second, _] = {
        let mut told = Vec::new();
        for reader in readers {
            told.push(reader.await.unwrap());
        }
        <[Vec<NumberedEvent>; 3]>::try_from(told).unwrap()
    };
    assert_eq!(first, second);
    assert_eq!(seqs(&first), (1..=first.len() as u64).collect::<Vec<_>>());
    let late = rest(late).await;
    assert_eq!(late, first[usize::try_from(after).unwrap()..]);

    let modes: Vec<_> = first.iter().filter_map(|it| mode_of(&it.event)).collect();
    assert_eq!(modes, [(TradingMode::Halted, "a test".to_owned()), modes[1].clone()]);
    assert_eq!(modes[1].0, TradingMode::Active);
    let others: Vec<_> =
        first.into_iter().map(|it| it.event).filter(|event| mode_of(event).is_none()).collect();
    let journal: Vec<_> =
        place.records().iter().flat_map(|record| events_of(record).collect::<Vec<_>>()).collect();
    assert_eq!(others, journal);
    assert!(matches!(others.last(), Some(SessionEvent::Ended { .. })));
}

fn mode_of(event: &SessionEvent) -> Option<(TradingMode, String)> {
    match event {
        SessionEvent::Mode { mode, reason } => Some((*mode, reason.to_string())),
        _ => None,
    }
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_what_is_gone() {
    let place = Workplace::new();
    let mut session = Session::start(&place).await;
    let mut slow = subscribe(&session.handle, None).await;
    session.bars(MAX_KEPT_EVENTS + 100).await;
    let Err(ControlError::Refused { reason, .. }) = slow.next().await else { panic!("nothing was lost") };
    assert!(reason.contains("events 1 to ") && reason.contains("are gone"), "{reason}");

    // What is kept is given, what is not is not: from then on only what is new.
    let last = session.status().await.last_event;
    let mut kept = subscribe(&session.handle, Some(last - 10)).await;
    assert_eq!(kept.next().await.unwrap().unwrap().seq, last - 9);
    let mut gone = subscribe(&session.handle, Some(3)).await;
    let mut unknown = subscribe(&session.handle, Some(last + 1_000)).await;
    session.bars(1).await;
    for reader in [&mut gone, &mut unknown] {
        assert_eq!(reader.next().await.unwrap().unwrap().seq, last + 1);
    }
    session.end().await;
}

#[test]
fn each_record_tells_what_it_says() {
    let of = |event| {
        let record = JournalRecord::Event(StampedEvent { at: Timestamp::EPOCH, event });
        events_of(&record).collect::<Vec<_>>()
    };
    let text = || "why".to_owned();
    let why = Reason::cut("why");
    let to = ModelStamp {
        model_id: eager(&Workplace::new(), 1).id,
        sha256: "ab".repeat(32),
        model_version: 2,
        grade: None,
    };
    let swapped =
        of(EventRecord::Swapped { from: None, to: to.clone(), position: Default::default(), flatten: false });
    assert!(matches!(&swapped[..], [SessionEvent::ModelLoaded { from: None, to: loaded }]
        if loaded.model_id == to.model_id && loaded.model_version == 2));
    assert_eq!(
        of(EventRecord::Refused { model_id: None, reason: text() }),
        [SessionEvent::ModelRefused { model_id: None, reason: why.clone() }]
    );
    assert_eq!(of(EventRecord::FeedUp), [SessionEvent::Feed { is_up: true, reason: None }]);
    assert_eq!(
        of(EventRecord::FeedDown { reason: text() }),
        [SessionEvent::Feed { is_up: false, reason: Some(why.clone()) }]
    );
    assert_eq!(of(EventRecord::Warning { reason: text() }), [SessionEvent::Warning { reason: why }]);
    assert!(matches!(&of(EventRecord::NoModel)[..], [SessionEvent::Warning { .. }]));
    let command = walkforward_live::Command::Pause { reason: reason().into() };
    assert!(of(EventRecord::Command { command, by: Default::default() }).is_empty());
}
