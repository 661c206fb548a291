//! What people, and the watch, did to a session, for the record of all acts.

use serde_json::json;
use walkforward_core::{Asker, Timestamp};
use walkforward_store::NewAct;

use crate::Command;
use crate::journal::{Asked, EventRecord, SegmentHeader};

/// The act that `event` tells of; none where it is none. What came over the interface, the server has written down before
/// the session heard of it.
pub(super) fn act_of(header: &SegmentHeader, event: &EventRecord, at: Timestamp) -> Option<NewAct> {
    let mut details = json!({ "at": at, "line": header.line });
    let (by, act, reason) = match event {
        EventRecord::Command { command, by } => {
            if let Command::Halt { flatten, .. } = command {
                details["flatten"] = json!(flatten);
            }
            (*by, verb(command), command.reason())
        }
        EventRecord::Asked { what: Asked::Stop, by } => (*by, "session.stop", ""),
        EventRecord::Asked { what: Asked::Reload, by } => (*by, "session.reload", ""),
        EventRecord::Guard { model_id, reason } => {
            details["model_id"] = json!(model_id);
            (Asker::Watch, "session.verdict", reason.as_str())
        }
        _ => return None,
    };
    if by == Asker::Interface {
        return None;
    }
    let subject = header.session_id().map(|id| id.to_string()).unwrap_or_default();
    Some(NewAct {
        actor: format!("trader:{by}"),
        act: act.to_owned(),
        subject,
        reason: reason.to_owned(),
        details,
    })
}

fn verb(command: &Command) -> &'static str {
    match command {
        Command::Pause { .. } => "session.pause",
        Command::ReduceOnly { .. } => "session.reduce_only",
        Command::Flatten { .. } => "session.flatten",
        Command::Resume { .. } => "session.resume",
        Command::Halt { .. } => "session.halt",
        Command::Acknowledge { .. } => "session.acknowledge",
    }
}
