//! What is refused before anything is written.

use super::{
    JournalPosition, LiveEvent, LiveFill, LiveRecord, LiveRow, LiveSwap, MAX_LIVE_BATCH, MAX_RECORD_FILLS,
    SESSIONS,
};
use crate::StoreError;

/// Longest name of an order, bytes.
const MAX_ORDER_ID_BYTES: usize = 128;
/// Longest word for an event, bytes.
const MAX_KIND_BYTES: usize = 64;
/// Length of a SHA-256 in hex.
const SHA256_CHARS: usize = 64;

/// Refuses a batch that is too long, has a hole or is out of order, or whose rows can't be kept.
pub(super) fn batch(id: &str, records: &[LiveRecord]) -> Result<(), StoreError> {
    if records.len() > MAX_LIVE_BATCH {
        let reason = format!("{} records at once: carry over at most {MAX_LIVE_BATCH}", records.len());
        return Err(SESSIONS.refuse(id, reason));
    }
    for pair in records.windows(2) {
        follows(id, pair[0].at, pair[1].at)?;
    }
    records.iter().try_for_each(|record| row(id, &record.row))
}

/// Refuses a record at `next` behind one at `before`, unless nothing lies between them.
pub(super) fn follows(id: &str, before: JournalPosition, next: JournalPosition) -> Result<(), StoreError> {
    if before.leads_to(next) {
        return Ok(());
    }
    let name = |at: JournalPosition| format!("record {} of segment {}", at.record, at.segment);
    let reason = format!(
        "{} comes after {}: carry each record over in order, from where the last batch ended",
        name(next),
        name(before)
    );
    Err(SESSIONS.refuse(id, reason))
}

fn row(id: &str, row: &LiveRow) -> Result<(), StoreError> {
    match row {
        LiveRow::Bar { fills, .. } => {
            if fills.len() > MAX_RECORD_FILLS {
                let reason = format!("a bar has {} fills: at most {MAX_RECORD_FILLS}", fills.len());
                return Err(SESSIONS.refuse(id, reason));
            }
            fills.iter().try_for_each(|one| fill(id, one))
        }
        LiveRow::Fill(one) => fill(id, one),
        LiveRow::Swap(one) => swap(id, one),
        LiveRow::Event(one) => event(id, one),
        LiveRow::Act { event: one, act } => event(id, one).and_then(|()| act.check()),
        LiveRow::Resumed | LiveRow::Ended { .. } | LiveRow::Nothing => Ok(()),
    }
}

fn fill(id: &str, fill: &LiveFill) -> Result<(), StoreError> {
    match &fill.order_id {
        Some(order) if !(1..=MAX_ORDER_ID_BYTES).contains(&order.len()) => {
            let reason =
                format!("an order's name has {} bytes: expected 1 to {MAX_ORDER_ID_BYTES}", order.len());
            Err(SESSIONS.refuse(id, reason))
        }
        _ => Ok(()),
    }
}

fn swap(id: &str, swap: &LiveSwap) -> Result<(), StoreError> {
    let sha256 = &swap.model.sha256;
    let is_hash = sha256.len() == SHA256_CHARS
        && sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_hash {
        return Ok(());
    }
    Err(SESSIONS.refuse(id, format!("a model's hash is '{sha256:.64}': expected 64 lower-case hex digits")))
}

fn event(id: &str, event: &LiveEvent) -> Result<(), StoreError> {
    let is_word = (1..=MAX_KIND_BYTES).contains(&event.kind.len())
        && event.kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_word {
        let kind = &event.kind;
        let reason = format!("an event is a '{kind:.64}': expected 1 to 64 lower-case letters, digits, '_'");
        return Err(SESSIONS.refuse(id, reason));
    }
    SESSIONS.object(id, "details of an event", &event.details).map(drop)
}
