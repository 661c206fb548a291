//! What a session's records tell whoever watches it.

use walkforward_core::{Cash, Fill, Reason, SessionEvent, TradingMode};

use super::status::loaded_stamp;
use crate::{BarRecord, EventRecord, JournalRecord, OrderRecord, StopReason};

/// What `record` tells, in order. What the session may do is not among it: that is what records have led to, and no
/// record alone says it. A decision that was made again tells nothing but its fills.
pub fn events_of(record: &JournalRecord) -> impl Iterator<Item = SessionEvent> {
    let none: &[Fill] = &[];
    let (fills, liquidation, last) = match record {
        JournalRecord::Bar(bar) => (bar.fills.as_slice(), bar.liquidation.as_ref(), bar_event(bar)),
        JournalRecord::Order(order) => match order.as_ref() {
            OrderRecord::Booked(booking) => (none, Some(&booking.fill), None),
            _ => (none, None, None),
        },
        JournalRecord::Event(event) => (none, None, event_of(&event.event)),
        JournalRecord::End(summary) => (none, None, Some(ended(summary.stop))),
        JournalRecord::Header(_)
        | JournalRecord::Checkpoint(_)
        | JournalRecord::History { .. }
        | JournalRecord::Again(_) => (none, None, None),
    };
    fills.iter().chain(liquidation).map(|fill| SessionEvent::Fill { fill: *fill }).chain(last)
}

fn bar_event(record: &BarRecord) -> Option<SessionEvent> {
    Some(SessionEvent::Bar {
        bar: record.bar().ok()?,
        missed: record.missed,
        action: record.action,
        order: record.order,
        equity: Cash::new(record.equity).ok()?,
        position: record.position,
    })
}

fn ended(stop: StopReason) -> SessionEvent {
    let reason = match stop {
        StopReason::FeedEnded => "there are no more bars",
        StopReason::Stopped => "somebody stopped it",
        StopReason::Failed => "it failed: its log says why",
    };
    SessionEvent::Ended { reason: Reason::cut(reason) }
}

fn event_of(event: &EventRecord) -> Option<SessionEvent> {
    let warning = |text: &str| Some(SessionEvent::Warning { reason: Reason::cut(text) });
    match event {
        EventRecord::NoModel => warning("there is no model: the session stays flat until one comes"),
        EventRecord::Swapped { from, to, .. } => Some(SessionEvent::ModelLoaded {
            from: from.as_ref().map(|from| from.model_id.clone()),
            to: loaded_stamp(to),
        }),
        EventRecord::Refused { model_id, reason } => {
            Some(SessionEvent::ModelRefused { model_id: model_id.clone(), reason: Reason::cut(reason) })
        }
        EventRecord::Guard { model_id, reason } => warning(&format!("{model_id}: {reason}")),
        EventRecord::Warning { reason } => warning(reason),
        EventRecord::FeedUp => Some(SessionEvent::Feed { is_up: true, reason: None }),
        EventRecord::FeedDown { reason } => {
            Some(SessionEvent::Feed { is_up: false, reason: Some(Reason::cut(reason)) })
        }
        EventRecord::Revised { bar } => {
            warning(&format!("the bar of {} has other numbers now; it is not decided again", bar.open_time()))
        }
        EventRecord::NotFetched { span, reason } => warning(&format!("no bars of {span}: {reason}")),
        EventRecord::Command { .. }
        | EventRecord::Asked { .. }
        | EventRecord::Condition { .. }
        | EventRecord::Limit { .. }
        | EventRecord::Restricted { .. } => None,
    }
}

/// Notices when a session may do more or less than before, and why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Teller {
    mode: TradingMode,
    why: Option<Reason>,
}

impl Teller {
    /// A teller of a session that may do what `mode` says.
    pub(crate) fn new(mode: TradingMode) -> Self {
        Self { mode, why: None }
    }

    /// Remembers what `record` gives as a reason.
    pub(crate) fn note(&mut self, record: &JournalRecord) {
        let JournalRecord::Event(event) = record else { return };
        let reason = match &event.event {
            EventRecord::Command { command, .. } => command.reason(),
            EventRecord::Condition { reason, .. } => reason,
            EventRecord::Limit { restriction } | EventRecord::Restricted { restriction } => {
                &restriction.reason
            }
            EventRecord::Swapped { flatten: true, .. } => "the position of the model before is closed",
            _ => return,
        };
        self.why = Some(Reason::cut(reason));
    }

    /// What is told now that the session may do what `mode` says; nothing where it might before.
    pub(crate) fn settled(&mut self, mode: TradingMode) -> Option<SessionEvent> {
        let why = self.why.take();
        if mode == self.mode {
            return None;
        }
        self.mode = mode;
        let reason = why.unwrap_or_else(|| Reason::cut("what restricted it has passed"));
        Some(SessionEvent::Mode { mode, reason })
    }
}
