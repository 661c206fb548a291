//! What an event of the store tells people.

use serde_json::Value;
use walkforward::notify::NotifyConfig;
use walkforward_notify::{Notice, NoticeKind, Severity};
use walkforward_store::Event;

/// Whether an event of this kind is the end of a cycle, whatever became of it.
pub(super) fn ends_a_cycle(kind: &str) -> bool {
    matches!(kind, "continuous_cycle_complete" | "continuous_cycle_failed" | "continuous_cycle_skipped")
}

/// What `event` tells; nothing for most.
pub(super) fn notice_of(event: &Event, config: &NotifyConfig) -> Option<Notice> {
    let data = &event.payload;
    let notice = match event.kind.as_str() {
        "model_promoted" => promoted(event),
        // The guard of a trader took it back, and the trader tells so.
        "model_rolled_back" if data.get("guard").is_some() => return None,
        "model_rolled_back" => rolled_back(event),
        "continuous_cycle_failed" => failed(event)?,
        "continuous_cycle_complete" => held(event)?,
        "continuous_cycle_missed" => missed(event),
        _ => return None,
    };
    let page = match notice.kind {
        NoticeKind::Promoted | NoticeKind::RolledBack | NoticeKind::Held => "/models",
        _ => "/continuous",
    };
    Some(notice.with_link(config.link(page)))
}

fn text<'a>(data: &'a Value, key: &str) -> &'a str {
    data[key].as_str().unwrap_or_default()
}

/// `: ` and the reason, where there is one.
fn because(data: &Value, key: &str) -> String {
    match text(data, key) {
        "" => String::new(),
        reason => format!(": {reason}"),
    }
}

fn promoted(event: &Event) -> Notice {
    let data = &event.payload;
    let words = format!("{} is champion{}", text(data, "to"), because(data, "reason"));
    Notice::new(NoticeKind::Promoted, &line(data), &words, event.time).caused_by(&sequence(data))
}

fn rolled_back(event: &Event) -> Notice {
    let data = &event.payload;
    let words = match text(data, "to") {
        "" => {
            format!("{} was taken back and nobody is champion{}", text(data, "from"), because(data, "reason"))
        }
        to => format!(
            "{} was taken back, {to} is champion again{}",
            text(data, "from"),
            because(data, "reason")
        ),
    };
    Notice::new(NoticeKind::RolledBack, &line(data), &words, event.time).caused_by(&sequence(data))
}

fn line(data: &Value) -> String {
    format!("line {}", text(data, "line"))
}

fn schedule(data: &Value) -> String {
    format!("schedule {}", text(data, "schedule_id"))
}

fn sequence(data: &Value) -> String {
    data["sequence"].to_string()
}

fn number(data: &Value) -> u64 {
    data["cycle_number"].as_u64().unwrap_or(0)
}

/// A cycle that somebody stopped is no failure.
fn failed(event: &Event) -> Option<Notice> {
    let data = &event.payload;
    if text(data, "status") == "cancelled" {
        return None;
    }
    let status = match text(data, "status") {
        "interrupted" => "was interrupted",
        _ => "failed",
    };
    let words = format!("cycle {} {status}{}", number(data), because(data, "reason"));
    let notice = Notice::new(NoticeKind::CycleFailed, &schedule(data), &words, event.time);
    Some(notice.caused_by(text(data, "reason")))
}

fn held(event: &Event) -> Option<Notice> {
    let data = &event.payload;
    if text(data, "status") != "held" {
        return None;
    }
    let words = format!("the model of cycle {} waits for approval{}", number(data), because(data, "reason"));
    let notice = Notice::new(NoticeKind::Held, &schedule(data), &words, event.time);
    Some(notice.caused_by(&number(data).to_string()))
}

fn missed(event: &Event) -> Notice {
    let data = &event.payload;
    let words = match data["first_cycle_number"].as_u64() {
        Some(first) if first < number(data) => {
            format!("cycles {first} to {} were missed: no server ran when they were due", number(data))
        }
        _ => format!("cycle {} was missed: no server ran when it was due", number(data)),
    };
    let notice = Notice::new(NoticeKind::CycleOverdue, &schedule(data), &words, event.time);
    notice.with_severity(Severity::Warning).caused_by("missed")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use walkforward::settings::{Binary, Settings, arguments};

    use super::*;

    fn told(kind: &str, payload: Value) -> Option<(NoticeKind, String, String)> {
        let command = arguments(clap::Command::new("test"), Binary::Orchestrate);
        let environment =
            |name: &str| (name == "WALKFORWARD_NOTIFY_PAGE_URL").then(|| "https://box.example.org/".into());
        let none: [&str; 1] = ["test"];
        let settings =
            Settings::collect(Binary::Orchestrate, &command.get_matches_from(none), &environment).unwrap();
        let teller = walkforward::notify::Teller::Server;
        let config = NotifyConfig::from_settings(&settings, teller).unwrap();
        let time = "2024-01-01T00:00:00Z".parse().unwrap();
        let notice = notice_of(&Event { seq: 1, time, kind: kind.to_owned(), payload }, &config)?;
        assert!(notice.link.as_ref().unwrap().starts_with("https://box.example.org/"));
        assert_eq!(notice.at, time);
        Some((notice.kind, notice.subject, notice.text))
    }

    #[track_caller]
    fn check(kind: &str, payload: Value, expected: NoticeKind, subject: &str, text: &str) {
        assert_eq!(told(kind, payload), Some((expected, subject.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_becomes_of_champions_is_told() {
        let promoted =
            json!({ "line": "default", "sequence": 3, "to": "model-b", "reason": "all gates passed" });
        let text = "model-b is champion: all gates passed";
        check("model_promoted", promoted, NoticeKind::Promoted, "line default", text);
        let mut back =
            json!({ "line": "default", "sequence": 4, "from": "model-b", "to": "model-a", "reason": "odd" });
        let text = "model-b was taken back, model-a is champion again: odd";
        check("model_rolled_back", back.clone(), NoticeKind::RolledBack, "line default", text);
        back["guard"] = json!({ "rule": "drawdown" });
        assert_eq!(told("model_rolled_back", back), None);
    }

    #[test]
    fn cycles_that_need_somebody_are_told_and_others_are_not() {
        let cycle = |status: &str, reason: Value| json!({ "schedule_id": "btc", "cycle_number": 7, "status": status, "reason": reason });
        let (failed, complete) = ("continuous_cycle_failed", "continuous_cycle_complete");
        let kind = NoticeKind::CycleFailed;
        check(failed, cycle("failed", json!("no bars")), kind, "schedule btc", "cycle 7 failed: no bars");
        check(failed, cycle("interrupted", json!(null)), kind, "schedule btc", "cycle 7 was interrupted");
        assert_eq!(told(failed, cycle("cancelled", json!(null))), None);
        let held = "the model of cycle 7 waits for approval: auto_deploy is off";
        check(complete, cycle("held", json!("auto_deploy is off")), NoticeKind::Held, "schedule btc", held);
        assert_eq!(told(complete, cycle("rejected", json!("worse"))), None);
        assert_eq!(told("continuous_cycle_start", cycle("running", json!(null))), None);
        let missed = json!({ "schedule_id": "btc", "cycle_number": 9, "first_cycle_number": 4, "count": 6 });
        let text = "cycles 4 to 9 were missed: no server ran when they were due";
        check("continuous_cycle_missed", missed, NoticeKind::CycleOverdue, "schedule btc", text);
    }
}
