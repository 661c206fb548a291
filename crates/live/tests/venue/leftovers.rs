//! A purchase that was decided and had not left when the process died, and a session that may not buy any more.

use std::path::Path;

use walkforward_core::Timestamp;
use walkforward_durable::{AppendLog, LogLimits};
use walkforward_live::{
    Command, EventRecord, JournalRecord, OrderIntent, OrderOutcome, OrderRecord, StampedEvent, Trader,
    VoidReason, halt_session, read_journal,
};
use walkforward_testing::{RestFault, Route};

use crate::audit::audit;
use crate::world::{FastClock, Place, Service, quarter, quarters_before};
use crate::{Running, events, start_trader};

/// What lets the session buy no more.
#[derive(Debug, Clone, Copy)]
enum Stop {
    HaltFile,
    FlattenFile,
    /// A command that the process took and could not follow any more.
    Taken(fn() -> Command),
}

fn start(place: &Place, clock: FastClock) -> Running {
    start_trader(trader(place, clock))
}

fn trader(place: &Place, clock: FastClock) -> Trader {
    place.trader_with(clock, &place.buyer(), None, |options| {
        (options.timeframe, options.warm_up) = (quarter(), quarters_before());
    })
}

/// The journal as a process leaves it that dies when its purchase is written down and has not left.
fn die_before_the_purchase_leaves(place: &Place, service: &mut Service) -> OrderIntent {
    service.fake.fail(Route::Submit, RestFault::LoseRequest, 10_000);
    let running = start(place, service.clock);
    service.pass(0, false, |fake| fake.count(Route::Submit) > 0);
    running.stop().unwrap();
    service.fake.heal();
    let mut kept = Vec::new();
    for record in read_journal(&place.journal()).unwrap().map(Result::unwrap) {
        kept.push(record);
        if let Some(JournalRecord::Order(order)) = kept.last()
            && let OrderRecord::Intent(intent) = order.as_ref()
        {
            let intent = (**intent).clone();
            let segment = segment(place);
            std::fs::remove_file(&segment).unwrap();
            append(&segment, &kept);
            return intent;
        }
    }
    panic!("nothing was decided");
}

fn segment(place: &Place) -> std::path::PathBuf {
    let paths = std::fs::read_dir(place.journal()).unwrap().map(|entry| entry.unwrap().path());
    let mut segments = paths.filter(|path| path.extension().is_some_and(|it| it == "journal"));
    let (only, none) = (segments.next(), segments.next());
    assert_eq!(none, None, "one segment");
    only.unwrap()
}

fn append(path: &Path, records: &[JournalRecord]) {
    let limits = LogLimits { max_record_bytes: 1 << 24, max_file_bytes: 1 << 30 };
    let mut log = AppendLog::open(path, limits).unwrap().0;
    records.iter().for_each(|record| log.append(record).map(drop).unwrap());
    log.sync().unwrap();
}

fn stop_it(place: &Place, stop: Stop, at: Timestamp) {
    let reason = "a test";
    match stop {
        Stop::HaltFile => halt_session(&place.journal(), reason, false).unwrap(),
        Stop::FlattenFile => halt_session(&place.journal(), reason, true).unwrap(),
        Stop::Taken(command) => {
            let event = EventRecord::Command { command: command(), by: Default::default() };
            append(&segment(place), &[JournalRecord::Event(StampedEvent { at, event })]);
        }
    }
}

/// How the order of this name ended; none where it has not.
fn outcome(place: &Place, intent: &OrderIntent) -> Option<OrderOutcome> {
    let closed = |record| match record {
        Ok(JournalRecord::Order(order)) => match *order {
            OrderRecord::Closed { id, outcome, .. } if id == intent.id => Some(outcome),
            _ => None,
        },
        _ => None,
    };
    read_journal(&place.journal()).unwrap().find_map(closed)
}

#[test]
fn a_purchase_that_waited_leaves_with_the_next_start_while_there_is_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(33);
    let place = Place::new(folder.path(), &service.fake);
    let intent = die_before_the_purchase_leaves(&place, &mut service);
    let running = start(&place, FastClock::standing_at(intent.at.plus_millis(1_000)));
    service.fake.block_until("the purchase leaves", |fake| !fake.orders().is_empty());
    running.stop().unwrap();
    assert_eq!(service.fake.placed(intent.id.as_str()).1, 1);
    audit(&place, &service.fake);
}

#[test]
fn of_all_that_is_told_before_a_start_what_ends_most_holds_for_a_purchase_that_waited() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(37);
    let place = Place::new(folder.path(), &service.fake);
    let intent = die_before_the_purchase_leaves(&place, &mut service);
    let handed_in = service.fake.count(Route::Submit);
    let trader = trader(&place, FastClock::standing_at(intent.at.plus_millis(1_000)));
    let handle = trader.handle();
    for command in [
        Command::Resume { reason: "somebody else".to_owned() },
        Command::Pause { reason: "a test".to_owned() },
        Command::ReduceOnly { reason: "somebody else".to_owned() },
    ] {
        handle.command(command).unwrap();
    }
    let running = start_trader(trader);
    service.fake.block_until("the session has started", |_| handle.status().equity > 0.0);
    running.stop().unwrap();
    assert_eq!(service.fake.count(Route::Submit), handed_in, "nothing is handed in");
    assert_eq!(outcome(&place, &intent), Some(OrderOutcome::Void(VoidReason::Withdrawn)));
    let is_it = |event| {
        matches!(event, EventRecord::Warning { reason }
            if reason.contains("does not leave") && reason.contains("a test"))
    };
    assert!(events(&place).into_iter().any(is_it), "the reason is told");
    audit(&place, &service.fake);
}

/// The session of `place` once more, in another folder.
fn copied(place: &Place, folder: &Path) -> Place {
    let copy = Place { folder: folder.to_owned(), ..place.clone() };
    let (from, name) = (segment(place), "journal");
    std::fs::create_dir(folder.join(name)).unwrap();
    std::fs::copy(&from, folder.join(name).join(from.file_name().unwrap())).unwrap();
    copy
}

#[test]
fn a_purchase_that_waited_does_not_leave_when_the_session_may_not_buy_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(33);
    let left = Place::new(folder.path(), &service.fake);
    let intent = die_before_the_purchase_leaves(&left, &mut service);
    let handed_in = service.fake.count(Route::Submit);
    for stop in [
        Stop::HaltFile,
        Stop::FlattenFile,
        Stop::Taken(|| Command::Halt { reason: "a test".to_owned(), flatten: false }),
        Stop::Taken(|| Command::ReduceOnly { reason: "a test".to_owned() }),
        Stop::Taken(|| Command::Pause { reason: "a test".to_owned() }),
        Stop::Taken(|| Command::Flatten { reason: "a test".to_owned() }),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = copied(&left, folder.path());
        stop_it(&place, stop, intent.at);
        let running = start(&place, FastClock::standing_at(intent.at.plus_millis(1_000)));
        let handle = running.handle.clone();
        service.fake.block_until("the session has started", |_| handle.status().equity > 0.0);
        running.stop().unwrap();
        assert_eq!(service.fake.count(Route::Submit), handed_in, "{stop:?}: nothing is handed in");
        assert!(service.fake.orders().is_empty());
        assert_eq!(outcome(&place, &intent), Some(OrderOutcome::Void(VoidReason::Withdrawn)), "{stop:?}");
        let is_it = |event| {
            matches!(event, EventRecord::Warning { reason }
            if reason.contains(intent.id.as_str()) && reason.contains("does not leave") && reason.contains("a test"))
        };
        assert!(events(&place).into_iter().any(is_it), "{stop:?}: the reason is told");
        audit(&place, &service.fake);
    }
}
