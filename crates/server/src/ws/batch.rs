//! What has come since the last batch, as one frame that is built once for all clients.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::time::{Instant, sleep_until};
use walkforward_core::{Clock, Timestamp};

use super::Hub;
use super::hub::{Change, Tick};
use super::message::Told;

/// Time from one batch to the next: no eye sees it, and a frame each message would cost every client a system call each.
const BATCH_EVERY: Duration = Duration::from_millis(20);
/// A batch that has so many bytes is followed by another one; so a kept batch has a bound.
const FULL_BYTES: usize = 64 << 10;
/// Longest message without a number of its own, bytes; a longer one is left out. The longest that there is has 2 KiB.
const MAX_TICK_BYTES: usize = 16 << 10;

/// Messages that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// All messages, a JSON array.
    pub(super) full: Utf8Bytes,
    /// The state changes among them, a JSON array; none where there are none.
    pub(super) changes: Option<Utf8Bytes>,
    /// Number of the last state change before it.
    pub(super) after: i64,
    /// Number of its last state change; `after` where it has none.
    pub(super) seq: i64,
}

/// Makes batches for ever.
pub(super) async fn beat(hub: Hub, clock: Arc<dyn Clock>) {
    let mut next = Instant::now();
    loop {
        hub.arrived().await;
        // The first message after a pause goes out at once.
        sleep_until(next).await;
        next = Instant::now() + BATCH_EVERY;
        let (changes, ticks) = hub.take();
        for batch in batches(changes, ticks, hub.seq(), clock.now()) {
            hub.send(batch);
        }
    }
}

/// State changes go first, so that a tick carries the number of the last one that is known with it.
fn batches(changes: Vec<Change>, ticks: VecDeque<Tick>, seq: i64, now: Timestamp) -> Vec<Batch> {
    let mut open = Open { seq, after: seq, ..Open::default() };
    let mut done = Vec::new();
    for Change { seq, messages } in changes {
        if seq != open.seq + 1 {
            // Numbers are missing: the clients see it in `after`, and start over.
            done.extend(open.close());
            open.after = seq - 1;
        }
        messages.iter().for_each(|message| push(&mut open.changes, message));
        open.seq = seq;
        if open.changes.len() >= FULL_BYTES {
            done.extend(open.close());
        }
    }
    for Tick { kind, fields } in ticks {
        match (Told { kind, seq: open.seq, time: now, is_volatile: true, fields }).text() {
            Ok(text) if text.len() <= MAX_TICK_BYTES => push(&mut open.ticks, &text),
            Ok(text) => tracing::warn!(kind, bytes = text.len(), "a message is too long and is left out"),
            Err(error) => tracing::warn!(kind, %error, "a message can't be written and is left out"),
        }
        if open.changes.len() + open.ticks.len() >= FULL_BYTES {
            done.extend(open.close());
        }
    }
    done.extend(open.close());
    done
}

/// A batch that is being filled: JSON objects with commas between them.
#[derive(Default)]
struct Open {
    changes: String,
    ticks: String,
    after: i64,
    seq: i64,
}

impl Open {
    fn close(&mut self) -> Option<Batch> {
        let (changes, ticks) = (std::mem::take(&mut self.changes), std::mem::take(&mut self.ticks));
        let (after, seq) = (self.after, self.seq);
        self.after = seq;
        let own = (!changes.is_empty()).then(|| Utf8Bytes::from(format!("[{changes}]")));
        let full = match (&own, ticks.is_empty()) {
            (None, true) => return None,
            (Some(changes), true) => changes.clone(),
            (None, false) => Utf8Bytes::from(format!("[{ticks}]")),
            (Some(_), false) => Utf8Bytes::from(format!("[{changes},{ticks}]")),
        };
        Some(Batch { full, changes: own, after, seq })
    }
}

/// Adds an object to a list of them.
pub(super) fn push(list: &mut String, message: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(message);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(seq: i64, bytes: usize) -> Change {
        let message = json!({ "seq": seq, "padding": "x".repeat(bytes) }).to_string();
        Change { seq, messages: vec![message] }
    }

    fn tick(fields: Value) -> Tick {
        Tick { kind: "live_bar", fields }
    }

    fn made(changes: Vec<Change>, ticks: Vec<Tick>, seq: i64) -> Vec<Batch> {
        batches(changes, ticks.into(), seq, Timestamp::EPOCH)
    }

    fn read(text: &Utf8Bytes) -> Vec<Value> {
        serde_json::from_str(text.as_str()).unwrap()
    }

    #[test]
    fn a_batch_has_a_second_form_with_state_changes_alone() {
        let made = made(vec![change(5, 1), change(6, 1)], vec![tick(json!({ "n": 1 }))], 4);
        let [batch] = made.as_slice() else { panic!("{made:?}") };
        assert_eq!((batch.after, batch.seq), (4, 6));
        let (full, changes) = (read(&batch.full), read(batch.changes.as_ref().unwrap()));
        assert_eq!((full.len(), changes.len()), (3, 2));
        assert_eq!(full[..2], changes[..]);
        let tick = json!({ "type": "live_bar", "seq": 6, "time": "1970-01-01T00:00:00.000Z", "volatile": true, "n": 1 });
        assert_eq!(full[2], tick);
    }

    #[test]
    fn ticks_alone_have_no_second_form_and_nothing_makes_no_batch() {
        let ticks = made(vec![], vec![tick(json!({}))], 9);
        assert!(ticks[0].changes.is_none());
        assert_eq!((ticks[0].after, ticks[0].seq), (9, 9));
        assert!(made(vec![], vec![], 9).is_empty());
    }

    #[test]
    fn much_is_split_without_a_gap_and_missing_numbers_show() {
        let changes = (1..=10).map(|seq| change(seq, FULL_BYTES / 3)).collect();
        let made_of_many = made(changes, vec![tick(json!({}))], 0);
        assert!(made_of_many.len() > 2, "{}", made_of_many.len());
        let mut seq = 0;
        for batch in &made_of_many {
            assert_eq!(batch.after, seq);
            assert!(batch.full.len() < 2 * FULL_BYTES);
            seq = batch.seq;
        }
        assert_eq!(seq, 10);
        let gap = made(vec![change(11, 1), change(30, 1)], vec![], 10);
        let spans: Vec<_> = gap.iter().map(|batch| (batch.after, batch.seq)).collect();
        assert_eq!(spans, [(10, 11), (29, 30)]);
    }

    #[test]
    fn a_tick_that_is_too_long_is_left_out() {
        let long = tick(json!({ "text": "x".repeat(MAX_TICK_BYTES) }));
        let made = made(vec![], vec![tick(json!({ "n": 1 })), long, tick(json!({ "n": 2 }))], 0);
        let numbers: Vec<_> = read(&made[0].full).iter().map(|it| it["n"].clone()).collect();
        assert_eq!(numbers, [json!(1), json!(2)]);
    }
}
