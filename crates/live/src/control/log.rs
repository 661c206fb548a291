//! The events of a session: written by the bar loop, read by whoever watches it, kept as far as there is room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use walkforward_core::{
    ControlError, ErrorKind, NumberedEvent, SessionEvent, SessionEvents, Timestamp, TradingMode,
};

use super::events::{Teller, events_of};
use crate::JournalRecord;

/// Events that a session keeps for those who read them: as many as two weeks of hourly bars, each with a fill, give.
pub const MAX_KEPT_EVENTS: usize = 1_024;
/// Events that a reader takes at once, so that it holds the writer up for as long as copying them takes.
const MAX_TAKEN: usize = 64;

/// The events, for one writer and any number of readers.
#[derive(Debug)]
pub(crate) struct Events {
    kept: Mutex<Kept>,
    /// Number of the newest one; it also changes when there will be no more.
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<NumberedEvent>,
    last: u64,
    has_ended: bool,
}

impl Default for Events {
    fn default() -> Self {
        let events = VecDeque::with_capacity(MAX_KEPT_EVENTS);
        Self { kept: Mutex::new(Kept { events, last: 0, has_ended: false }), newest: watch::channel(0).0 }
    }
}

/// What a reader finds.
enum Found {
    Some(VecDeque<NumberedEvent>),
    Nothing,
    /// Those from the one it wants to the one before this are gone.
    GoneBefore(u64),
    End,
}

impl Kept {
    /// Number of the first one that is kept, or that will be.
    fn first(&self) -> u64 {
        self.events.front().map_or(self.last + 1, |event| event.seq)
    }

    fn from(&self, next: u64) -> Found {
        let first = self.first();
        match next {
            _ if next < first => Found::GoneBefore(first),
            _ if next <= self.last => {
                let skipped = usize::try_from(next - first).unwrap_or(usize::MAX);
                Found::Some(self.events.iter().skip(skipped).take(MAX_TAKEN).cloned().collect())
            }
            _ if self.has_ended => Found::End,
            _ => Found::Nothing,
        }
    }
}

impl Events {
    /// Nobody panics while holding it; what a lock would say is not worth a session.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, at: Timestamp, event: SessionEvent) {
        let mut kept = self.lock();
        if kept.events.len() == MAX_KEPT_EVENTS {
            kept.events.pop_front();
        }
        kept.last += 1;
        let seq = kept.last;
        kept.events.push_back(NumberedEvent { seq, at, event });
        drop(kept);
        self.newest.send_replace(seq);
    }

    /// Number of the newest one; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.lock().last
    }

    /// Reads those above `after` where all of them are kept, else those above `otherwise`.
    pub(crate) fn read(self: &Arc<Self>, after: Option<u64>, otherwise: u64) -> EventReader {
        let newest = self.newest.subscribe();
        let kept = self.lock();
        let is_kept = |after: &u64| *after <= kept.last && after + 1 >= kept.first();
        let next = after.filter(is_kept).unwrap_or(otherwise) + 1;
        drop(kept);
        EventReader { events: Arc::clone(self), newest, next, taken: VecDeque::new() }
    }

    fn end(&self) {
        self.lock().has_ended = true;
        // Wakes those who wait: a new version of the same number.
        self.newest.send_modify(|_| {});
    }
}

/// The writer's end. Readers see the end when it is dropped.
#[derive(Debug)]
pub(crate) struct EventLog {
    events: Arc<Events>,
    teller: Teller,
}

impl EventLog {
    /// Goes on behind event number `last` of a session that may do what `mode` says.
    pub(crate) fn new(events: Arc<Events>, last: u64, mode: TradingMode) -> Self {
        events.lock().last = last;
        events.newest.send_replace(last);
        Self { events, teller: Teller::new(mode) }
    }

    /// Tells what `record` says, written at `at`.
    pub(crate) fn tell(&mut self, record: &JournalRecord, at: Timestamp) {
        self.teller.note(record);
        events_of(record).for_each(|event| self.events.push(at, event));
    }

    /// Tells what the session may do now, where that is something else than before.
    pub(crate) fn settled(&mut self, mode: TradingMode, at: Timestamp) {
        if let Some(event) = self.teller.settled(mode) {
            self.events.push(at, event);
        }
    }

    /// Number of the last event; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.events.last()
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.events.end();
    }
}

/// Reads a session's events in its own process.
#[derive(Debug)]
pub struct EventReader {
    events: Arc<Events>,
    newest: watch::Receiver<u64>,
    next: u64,
    taken: VecDeque<NumberedEvent>,
}

#[async_trait]
impl SessionEvents for EventReader {
    async fn next(&mut self) -> Result<Option<NumberedEvent>, ControlError> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                self.next = event.seq + 1;
                return Ok(Some(event));
            }
            // What is written behind this look is a change that the wait below sees.
            self.newest.mark_unchanged();
            let found = self.events.lock().from(self.next);
            match found {
                Found::Some(taken) => self.taken = taken,
                Found::End => return Ok(None),
                Found::GoneBefore(first) => return Err(gone(self.next, first)),
                Found::Nothing if self.newest.changed().await.is_err() => return Ok(None),
                Found::Nothing => {}
            }
        }
    }
}

fn gone(wanted: u64, first: u64) -> ControlError {
    let reason = format!(
        "events {wanted} to {} were not read in time and are gone: subscribe again, the status says where the session is",
        first - 1
    );
    ControlError::Refused { kind: ErrorKind::Retry, reason }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;
    use walkforward_core::Reason;

    use super::*;

    fn push(events: &Events) {
        events.push(Timestamp::EPOCH, SessionEvent::Warning { reason: Reason::cut("a test") });
    }

    /// What the reader has without waiting.
    fn now(reader: &mut EventReader) -> Poll<Result<Option<NumberedEvent>, ControlError>> {
        let next = std::pin::pin!(reader.next());
        next.poll(&mut Context::from_waker(Waker::noop()))
    }

    proptest! {
        #[test]
        fn a_reader_gets_each_event_once_in_order_or_is_told_which_are_gone(
            begun_at in 0_u64..5,
            steps in prop::collection::vec((0_usize..1_500, 0_usize..400), 1..12),
        ) {
            let events = Arc::new(Events::default());
            let _log = EventLog::new(Arc::clone(&events), begun_at, TradingMode::Active);
            let mut reader = events.read(None, begun_at);
            let (mut written, mut read) = (begun_at, begun_at);
            for (pushes, reads) in steps {
                (0..pushes).for_each(|_| push(&events));
                written += pushes as u64;
                for _ in 0..reads {
                    match now(&mut reader) {
                        Poll::Ready(Ok(Some(event))) => {
                            read += 1;
                            prop_assert_eq!(event.seq, read);
                        }
                        Poll::Ready(Err(error)) => {
                            let kept_from = written - MAX_KEPT_EVENTS as u64 + 1;
                            prop_assert!(read + 1 < kept_from);
                            let told = format!("events {} to {} were", read + 1, kept_from - 1);
                            prop_assert!(error.to_string().contains(&told), "{} {}", error, told);
                            reader = events.read(None, written);
                            read = written;
                        }
                        Poll::Pending => {
                            prop_assert_eq!(read, written);
                            break;
                        }
                        Poll::Ready(Ok(None)) => prop_assert!(false, "it has not ended"),
                    }
                }
            }
        }

        #[test]
        fn events_are_given_from_where_all_are_kept_and_else_from_now_on(pushes in 0_usize..2_500, after in 0_u64..3_000) {
            let events = Arc::new(Events::default());
            (0..pushes).for_each(|_| push(&events));
            let last = pushes as u64;
            let is_kept = after <= last && last - after < MAX_KEPT_EVENTS as u64;
            prop_assume!(after + MAX_KEPT_EVENTS as u64 != last);
            let mut reader = events.read(Some(after), last);
            push(&events);
            let Poll::Ready(Ok(Some(event))) = now(&mut reader) else { panic!("nothing came") };
            let first = if is_kept { after + 1 } else { last + 1 };
            prop_assert_eq!(event.seq, first);
        }
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_by_an_event_and_by_the_end() {
        let events = Arc::new(Events::default());
        let log = EventLog::new(Arc::clone(&events), 0, TradingMode::Active);
        let mut reader = events.read(None, 0);
        let waiting = tokio::spawn(async move { (reader.next().await, reader.next().await) });
        tokio::task::yield_now().await;
        push(&events);
        tokio::task::yield_now().await;
        drop(log);
        let (first, last) = waiting.await.unwrap();
        assert_eq!((first.unwrap().unwrap().seq, last), (1, Ok(None)));
    }
}
