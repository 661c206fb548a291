//! The events of the store as lines on standard output, in order, each once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::Timestamp;
use walkforward_server::Hub;
use walkforward_store::{Event, Store};

use crate::text::{bytes, minute};

/// How long the last events may take to be printed.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Events of other processes (a trader's, a command's) are seen after this.
const LOOK: Duration = Duration::from_secs(1);
/// Events that are read at once.
const BATCH: u32 = 200;
/// Width of the column of schedules.
const NAME: usize = 14;

/// Tells the follower and the hub that there is something new.
#[derive(Clone, Default)]
pub(super) struct Wake {
    follower: Arc<Notify>,
    hub: Hub,
}

impl Wake {
    pub(super) fn wake(&self) {
        self.follower.notify_one();
        self.hub.wake();
    }

    /// Where those who listen are told.
    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }
}

/// Prints events as they come.
pub(super) struct Follower {
    task: JoinHandle<Result<(), Failure>>,
    stop: Arc<Notify>,
    wake: Wake,
}

impl Follower {
    /// Begins with event number `first`.
    pub(super) fn start(store: Arc<Store>, first: i64, output: Output, wake: Wake) -> Self {
        let stop = Arc::new(Notify::new());
        let (asked, woken) = (Arc::clone(&stop), wake.clone());
        let task = tokio::spawn(async move {
            let mut lines = Lines { store, seen: first - 1, output };
            loop {
                lines = lines.print_new().await?;
                tokio::select! {
                    () = woken.follower.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = asked.notified() => return lines.print_new().await.map(drop),
                }
            }
        });
        Self { task, stop, wake }
    }

    /// Prints what is left, if anybody reads it.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        self.stop.notify_one();
        self.wake.wake();
        match tokio::time::timeout(LAST_WORDS, self.task).await {
            Ok(ended) => ended.unwrap_or_else(|error| Err(Failure::stage(error.to_string()))),
            Err(_) => {
                tracing::warn!("nobody reads standard output: the last events are in the database alone");
                Ok(())
            }
        }
    }
}

struct Lines {
    store: Arc<Store>,
    seen: i64,
    output: Output,
}

impl Lines {
    /// Prints the events that came since. A database that can't be read is looked at again later.
    async fn print_new(self) -> Result<Self, Failure> {
        let printing = tokio::task::spawn_blocking(move || self.print_all());
        printing.await.unwrap_or_else(|error| Err(Failure::stage(error.to_string())))
    }

    fn print_all(mut self) -> Result<Self, Failure> {
        loop {
            let events = match self.store.events_after(self.seen, BATCH) {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%error, "the events can't be read");
                    return Ok(self);
                }
            };
            let text: String = events.iter().filter_map(|event| line(event, self.output)).collect();
            say(&text)?;
            match events.last() {
                Some(last) => self.seen = last.seq,
                None => return Ok(self),
            }
        }
    }
}

/// An event as a line; none when it is not for this output.
fn line(event: &Event, output: Output) -> Option<String> {
    match output {
        Output::Quiet => None,
        Output::Json => {
            let Event { seq, time, kind, payload } = event;
            Some(format!("{}\n", json!({ "seq": seq, "time": time, "event": kind, "data": payload })))
        }
        Output::Human => {
            let said = sentence(&event.kind, &event.payload)?;
            let who = event.payload["schedule_id"].as_str().or(event.payload["line"].as_str()).unwrap_or("-");
            Some(format!("{}  {who:<NAME$}  {said}\n", second(event.time)))
        }
    }
}

/// A time to the second, in UTC.
fn second(time: Timestamp) -> String {
    const CHARS: usize = "2024-01-01T00:00:00".len();
    time.to_string().chars().take(CHARS).collect::<String>().replace('T', " ")
}

/// An event in words; none for one that another says already.
fn sentence(kind: &str, data: &Value) -> Option<String> {
    let text = |key: &str| data[key].as_str().unwrap_or("").to_owned();
    let cycle = format!("cycle {}", data["cycle_number"].as_u64().unwrap_or(0));
    let because = |reason: String| if reason.is_empty() { reason } else { format!(": {reason}") };
    Some(match kind {
        "serve_started" => format!("serving: process {}, stop it with Ctrl-C or SIGTERM", data["pid"]),
        "serve_stopped" => "stopped".to_owned(),
        "continuous_cycle_start" => format!("{cycle} starts ({}, {})", text("trigger"), time(data, "due_at")),
        "continuous_cycle_complete" => format!("{cycle} {}{}", text("status"), because(text("verdict"))),
        "continuous_cycle_rejected" => return None,
        "continuous_cycle_skipped" => format!("{cycle} skipped{}", because(text("reason"))),
        "continuous_cycle_missed" => match (data["first_cycle_number"].as_u64(), data["count"].as_u64()) {
            (Some(first), Some(count)) if count > 1 => {
                format!("cycles {first} to {} missed", data["cycle_number"])
            }
            _ => format!("{cycle} missed"),
        },
        "continuous_cycle_failed" => format!("{cycle} {}{}", text("status"), because(text("reason"))),
        "continuous_status_change" => match data["next_cycle_at"].is_null() {
            true => text("status"),
            false => format!("{}, next due {}", text("status"), time(data, "next_cycle_at")),
        },
        "live_model_updated" => format!("session {} trades {}", text("session_id"), text("model_id")),
        "model_promoted" => format!("champion is {}", text("to")),
        "model_rolled_back" => format!("champion is {} again{}", text("to"), because(text("reason"))),
        "model_declined" => format!("{} is declined{}", text("model"), because(text("reason"))),
        "models_taken_over" => format!("the models folder was taken over{}", because(text("reason"))),
        "retention_pruned" => {
            let count = |key: &str| data[key].as_u64().unwrap_or(0);
            let freed = ["weights_bytes", "work_bytes", "evidence_bytes"].map(count).iter().sum();
            format!("pruned: the weights of {} models, {} in all", count("models"), bytes(freed))
        }
        "experiment_started" => format!("experiment {} starts", text("experiment_id")),
        "experiment_finished" => {
            format!("experiment {} {}{}", text("experiment_id"), text("outcome"), because(text("reason")))
        }
        other => format!("{other} {data}"),
    })
}

fn time(data: &Value, key: &str) -> String {
    let time = data[key].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    time.map_or_else(|| "-".to_owned(), minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_a_schedule_reads_as_a_sentence() {
        for (kind, data, expected) in [
            (
                "continuous_cycle_start",
                json!({ "cycle_number": 3, "trigger": "due", "due_at": "2024-01-01T06:00:00.000Z" }),
                "cycle 3 starts (due, 2024-01-01 06:00)",
            ),
            (
                "live_model_updated",
                json!({ "session_id": "s-1", "model_id": "m-2", "model_version": 2 }),
                "session s-1 trades m-2",
            ),
            (
                "continuous_cycle_complete",
                json!({ "cycle_number": 3, "status": "promoted", "verdict": "all gates passed" }),
                "cycle 3 promoted: all gates passed",
            ),
            (
                "continuous_cycle_missed",
                json!({ "cycle_number": 9, "first_cycle_number": 4, "count": 6 }),
                "cycles 4 to 9 missed",
            ),
            (
                "continuous_cycle_missed",
                json!({ "cycle_number": 9, "first_cycle_number": 9, "count": 1 }),
                "cycle 9 missed",
            ),
            (
                "continuous_cycle_failed",
                json!({ "cycle_number": 2, "status": "cancelled", "reason": null }),
                "cycle 2 cancelled",
            ),
            ("continuous_status_change", json!({ "status": "stopped", "next_cycle_at": null }), "stopped"),
            (
                "retention_pruned",
                json!({ "models": 3, "weights_bytes": 90_000, "work_bytes": 1_000, "evidence_bytes": 0 }),
                "pruned: the weights of 3 models, 91 kB in all",
            ),
        ] {
            assert_eq!(sentence(kind, &data).as_deref(), Some(expected), "{kind}");
        }
        assert_eq!(sentence("continuous_cycle_rejected", &json!({})), None);
    }

    #[test]
    fn a_line_names_its_schedule_and_its_time() {
        let event = Event {
            seq: 7,
            time: "2024-01-01T06:00:01.500Z".parse().unwrap(),
            kind: "continuous_status_change".to_owned(),
            payload: json!({ "schedule_id": "btc", "status": "paused", "next_cycle_at": null }),
        };
        assert_eq!(line(&event, Output::Human).unwrap(), "2024-01-01 06:00:01  btc             paused\n");
        let read: Value = serde_json::from_str(&line(&event, Output::Json).unwrap()).unwrap();
        assert_eq!((&read["seq"], &read["event"]), (&json!(7), &json!("continuous_status_change")));
        assert_eq!(line(&event, Output::Quiet), None);
    }
}
