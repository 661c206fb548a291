//! What a record of the journal tells people.

use walkforward_core::{OrderStatus, Timestamp, TradingMode};
use walkforward_live::{
    BarRecord, Booking, BookingKind, Command, ConditionSource, EventRecord, JournalRecord, OrderOutcome,
    OrderRecord, Restriction, StopReason,
};
use walkforward_notify::{Notice, NoticeKind, Severity};

/// The session that is told of.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// Its line and symbol.
    pub(super) subject: String,
    /// Its part of the page.
    pub(super) link: Option<String>,
}

impl About {
    pub(super) fn notice(&self, kind: NoticeKind, text: &str, at: Timestamp) -> Notice {
        Notice::new(kind, &self.subject, text, at).with_link(self.link.clone())
    }
}

/// When a record was written, where it says so.
pub(super) fn time_of(record: &JournalRecord) -> Option<Timestamp> {
    match record {
        JournalRecord::Bar(bar) | JournalRecord::Again(bar) => Some(bar.decided_at),
        JournalRecord::Event(event) => Some(event.at),
        JournalRecord::Order(order) => match order.as_ref() {
            OrderRecord::Closed { at, .. } | OrderRecord::Blocked { at, .. } => Some(*at),
            _ => None,
        },
        _ => None,
    }
}

/// What `record`, written at `at`, tells; nothing for most.
pub(super) fn notice_of(record: &JournalRecord, about: &About, at: Timestamp) -> Option<Notice> {
    match record {
        JournalRecord::Bar(bar) => of_bar(bar, about, at),
        JournalRecord::Order(order) => of_order(order, about, at),
        JournalRecord::Event(event) => of_event(&event.event, about, at),
        JournalRecord::End(summary) if summary.stop == StopReason::Failed => {
            let text = "the session has failed and trades no more: its log says why";
            Some(about.notice(NoticeKind::Halted, text, at).caused_by("failed"))
        }
        _ => None,
    }
}

fn of_bar(bar: &BarRecord, about: &About, at: Timestamp) -> Option<Notice> {
    let open = bar.open_time;
    if bar.missed {
        let text = format!("the bar of {open} came too late to be decided");
        return Some(about.notice(NoticeKind::DataGap, &text, at).caused_by("late"));
    }
    let problem = bar.problem.as_ref()?;
    // Features that are not complete yet are no problem: a session tells them apart, a reader can't.
    let text = match bar.action {
        Some(_) => format!("the decision on the bar of {open} brought no order: {problem}"),
        None if bar.model.is_some() && bar.observation.is_some() => {
            format!("there is no decision on the bar of {open}: {problem}")
        }
        None => return None,
    };
    Some(about.notice(NoticeKind::OrderRejected, &text, at).caused_by("decision"))
}

fn of_order(order: &OrderRecord, about: &About, at: Timestamp) -> Option<Notice> {
    let rejected =
        |text: String, cause: &str| Some(about.notice(NoticeKind::OrderRejected, &text, at).caused_by(cause));
    match order {
        OrderRecord::Closed { id, outcome, .. } => match outcome {
            OrderOutcome::Refused(rejection) => {
                rejected(format!("order {id} was refused: {rejection}"), &format!("{:?}", rejection.reason))
            }
            OrderOutcome::NotPlaced { reason } => {
                rejected(format!("order {id} never reached the venue: {reason}"), "not placed")
            }
            OrderOutcome::GivenUp => rejected(
                format!("order {id} was looked for in vain: look whether the venue has it"),
                "given up",
            ),
            OrderOutcome::Ended { status: OrderStatus::Rejected | OrderStatus::Expired, reason } => {
                let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                rejected(format!("the venue ended order {id} before it was filled{why}"), "ended")
            }
            _ => None,
        },
        OrderRecord::Blocked { reason, .. } => {
            let text = format!("no order leaves any more: {reason}");
            Some(about.notice(NoticeKind::VenueMismatch, &text, at).caused_by("blocked"))
        }
        OrderRecord::Booked(booking) => of_booking(booking, about, at),
        _ => None,
    }
}

fn of_booking(booking: &Booking, about: &About, at: Timestamp) -> Option<Notice> {
    if booking.kind != BookingKind::External {
        return None;
    }
    let quantity = booking.fill.quantity;
    let text =
        format!("the account holds {quantity} that no order explains, and the session has taken it over");
    let notice = about.notice(NoticeKind::VenueMismatch, &text, at);
    Some(notice.with_severity(Severity::Warning).caused_by("taken over"))
}

fn of_event(event: &EventRecord, about: &About, at: Timestamp) -> Option<Notice> {
    let told = |kind, text: &str, cause: &str| Some(about.notice(kind, text, at).caused_by(cause));
    match event {
        EventRecord::Command { command: Command::Halt { reason, .. }, .. } => {
            told(NoticeKind::Halted, &format!("somebody has halted the session: {reason}"), "asked for")
        }
        EventRecord::Limit { restriction, .. } | EventRecord::Restricted { restriction, .. } => {
            Some(of_restriction(restriction, about, at))
        }
        EventRecord::Guard { model_id, reason, .. } => {
            told(NoticeKind::RolledBack, &format!("model {model_id}: {reason}"), model_id.as_str())
        }
        EventRecord::Condition { source, behaviour: Some(_), reason, .. } => match source {
            ConditionSource::Data => told(NoticeKind::DataGap, reason, "stale"),
            ConditionSource::Model => told(NoticeKind::ExpiryNear, reason, "model"),
            ConditionSource::Watch => told(NoticeKind::RolledBack, reason, "held back"),
            ConditionSource::Operator | ConditionSource::Swap => None,
        },
        EventRecord::NotFetched { span, reason, .. } => {
            told(NoticeKind::DataGap, &format!("the bars of {span} are missing: {reason}"), "hole")
        }
        _ => None,
    }
}

fn of_restriction(restriction: &Restriction, about: &About, at: Timestamp) -> Notice {
    let Restriction { mode, reason, flatten, .. } = restriction;
    let (severity, what) = match mode {
        TradingMode::Halted if *flatten => {
            (Severity::Critical, "closes its position and then trades no more")
        }
        TradingMode::Halted => (Severity::Critical, "trades no more"),
        TradingMode::ReduceOnly => (Severity::Warning, "lets positions shrink only"),
        TradingMode::Active => (Severity::Info, "trades"),
    };
    let text = format!("the session {what}: {reason}");
    about.notice(NoticeKind::Halted, &text, at).with_severity(severity).caused_by(mode.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: &str = "2024-01-01T00:00:00.000Z";

    fn told(record: &str, mut fields: Value) -> Option<(NoticeKind, Severity, String)> {
        (fields["record"], fields["at"]) = (json!(record), json!(AT));
        let record: JournalRecord = serde_json::from_value(fields).unwrap();
        let about = About { subject: "default BTC/USD".to_owned(), link: None };
        assert_eq!(time_of(&record), Some(AT.parse().unwrap()));
        let notice = notice_of(&record, &about, Timestamp::EPOCH);
        notice.map(|notice| (notice.kind, notice.severity, notice.text))
    }

    fn check(record: &str, fields: Value, kind: NoticeKind, severity: Severity, text: &str) {
        assert_eq!(told(record, fields), Some((kind, severity, text.to_owned())));
    }

    fn restriction(mode: &str, flatten: bool) -> Value {
        json!({ "mode": mode, "reason": "drawdown", "since": AT, "flatten": flatten, "until": null })
    }

    #[test]
    fn halts_are_critical_and_lesser_restrictions_are_not() {
        let (halted, critical) = (NoticeKind::Halted, Severity::Critical);
        let limit = json!({ "event": "limit", "restriction": restriction("halted", true) });
        check(
            "event",
            limit,
            halted,
            critical,
            "the session closes its position and then trades no more: drawdown",
        );
        let venue = json!({ "event": "restricted", "restriction": restriction("halted", false) });
        check("event", venue, halted, critical, "the session trades no more: drawdown");
        let less = json!({ "event": "limit", "restriction": restriction("reduce_only", false) });
        check("event", less, halted, Severity::Warning, "the session lets positions shrink only: drawdown");
        let command = json!({ "event": "command", "command": { "command": "halt", "reason": "wrong" } });
        check("event", command, halted, critical, "somebody has halted the session: wrong");
    }

    #[test]
    fn what_the_watch_and_the_data_bring_is_told() {
        let warning = Severity::Warning;
        let model = "model-2024-01-01T00-00-00-000Z";
        let guard = json!({ "event": "guard", "model_id": model, "reason": "taken back" });
        check("event", guard, NoticeKind::RolledBack, warning, &format!("model {model}: taken back"));
        let condition = |source: &str, behaviour: Value| json!({ "event": "condition", "source": source, "behaviour": behaviour, "reason": "why" });
        check("event", condition("data", json!("hold")), NoticeKind::DataGap, warning, "why");
        check("event", condition("model", json!("hold")), NoticeKind::ExpiryNear, warning, "why");
        check("event", condition("watch", json!("hold")), NoticeKind::RolledBack, warning, "why");
        for nothing in [condition("data", Value::Null), condition("operator", json!("hold"))] {
            assert_eq!(told("event", nothing), None);
        }
        for nothing in ["feed_up", "no_model"] {
            assert_eq!(told("event", json!({ "event": nothing })), None);
        }
        assert_eq!(told("event", json!({ "event": "feed_down", "reason": "a reconnect" })), None);
    }

    #[test]
    fn orders_that_come_to_nothing_are_told_and_others_are_not() {
        let closed = |outcome: Value| json!({ "what": "closed", "id": "wf-0123456789abcdef0123", "outcome": outcome, "cost": null });
        let not_placed = closed(json!({ "not_placed": { "reason": "no connection" } }));
        let text = "order wf-0123456789abcdef0123 never reached the venue: no connection";
        check("order", not_placed, NoticeKind::OrderRejected, Severity::Warning, text);
        let given_up = told("order", closed(json!("given_up"))).unwrap();
        assert_eq!(given_up.0, NoticeKind::OrderRejected);
        for usual in [json!("filled"), json!("observed"), json!({ "void": "withdrawn" })] {
            assert_eq!(told("order", closed(usual)), None);
        }
        let blocked = json!({ "what": "blocked", "reason": "the account holds 2" });
        let text = "no order leaves any more: the account holds 2";
        check("order", blocked, NoticeKind::VenueMismatch, Severity::Critical, text);
    }
}
