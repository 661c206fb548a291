//! What commands ask of a running `orchestrate serve`: JSON lines over a socket in the data folder.
//!
//! A request is one line, `{"command": "pause", "schedule": "btc"}`, and so is its answer: `{"ok": true, ..}`, or
//! `{"ok": false, "error": "..", "code": 2}` with the exit code of whoever asked.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use walkforward::failure::{BAD_INPUT, Failure};
use walkforward_store::{ExperimentId, NewExperiment, ScheduleId};

mod listen;
mod places;

pub(crate) use listen::{Desk, Listener};

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = "orchestrate.sock";
/// Longest line of a request, bytes: the longest record of an experiment fits.
pub(crate) const MAX_REQUEST_BYTES: usize = 64 << 10;
/// Longest line of an answer, bytes.
const MAX_ANSWER_BYTES: u64 = 16 << 20;
/// How long a command waits for its answer: longer than a server tries to record what it was asked.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Who answers, and how busy it is.
    Status,
    /// A schedule as it is now.
    Show {
        /// Which.
        schedule: ScheduleId,
    },
    /// Begin with a schedule's due times. One that the server does not know yet is taken in first.
    Start {
        /// Which.
        schedule: ScheduleId,
    },
    /// Take a schedule in without starting it.
    Add {
        /// Which.
        schedule: ScheduleId,
    },
    /// Start nothing for a while.
    Pause {
        /// Which.
        schedule: ScheduleId,
    },
    /// End the pause.
    Resume {
        /// Which.
        schedule: ScheduleId,
    },
    /// Leave the due times and cancel what runs.
    Stop {
        /// Which.
        schedule: ScheduleId,
    },
    /// Run a cycle now.
    Trigger {
        /// Which.
        schedule: ScheduleId,
    },
    /// Take a schedule away.
    Remove {
        /// Which.
        schedule: ScheduleId,
    },
    /// Run a training that belongs to no schedule.
    RunExperiment {
        /// Its record.
        experiment: Box<NewExperiment>,
    },
    /// Cancel a training that belongs to no schedule.
    CancelExperiment {
        /// Which.
        experiment: ExperimentId,
    },
}

impl Request {
    /// The schedule that it is about.
    pub(crate) fn schedule(&self) -> Option<&ScheduleId> {
        match self {
            Self::Status | Self::RunExperiment { .. } | Self::CancelExperiment { .. } => None,
            Self::Show { schedule }
            | Self::Start { schedule }
            | Self::Add { schedule }
            | Self::Pause { schedule }
            | Self::Resume { schedule }
            | Self::Stop { schedule }
            | Self::Trigger { schedule }
            | Self::Remove { schedule } => Some(schedule),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl Answer {
    /// It was done; `details` is an object.
    pub(crate) fn done(details: Value) -> Self {
        let details = match details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        Self { ok: true, error: None, code: None, details }
    }

    /// It was not done.
    pub(crate) fn refused(failure: Failure) -> Self {
        Self { ok: false, error: Some(failure.message), code: Some(failure.code), details: Map::new() }
    }

    fn into_result(self) -> Result<Map<String, Value>, Failure> {
        match self.ok {
            true => Ok(self.details),
            false => Err(Failure {
                code: self.code.unwrap_or(BAD_INPUT),
                message: self.error.unwrap_or_else(|| "the server did not say why".to_owned()),
            }),
        }
    }
}

/// A connection to a running server.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects to the socket at `path`; none where nobody listens.
    pub(crate) fn connect(path: &Path) -> Result<Option<Self>, Failure> {
        let fail = |error: std::io::Error| {
            Failure::input(format!("the server's socket '{}' can't be used: {error}", path.display()))
        };
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            // Nothing can listen on a path that is too long for a socket.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(fail(error)),
        };
        stream.set_read_timeout(Some(ANSWER_WAIT)).map_err(fail)?;
        stream.set_write_timeout(Some(ANSWER_WAIT)).map_err(fail)?;
        Ok(Some(Self { stream: BufReader::new(stream), path: path.to_owned() }))
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Map<String, Value>, Failure> {
        let mut line = serde_json::to_string(request).map_err(|error| Failure::stage(error.to_string()))?;
        line.push('\n');
        if line.len() > MAX_REQUEST_BYTES {
            let (size, most) = (line.len(), MAX_REQUEST_BYTES);
            return Err(Failure::input(format!("the request has {size} bytes, a server takes {most}")));
        }
        let mut answer = String::new();
        let exchanged = self.stream.get_mut().write_all(line.as_bytes()).and_then(|()| {
            let mut bounded = Read::by_ref(&mut self.stream).take(MAX_ANSWER_BYTES);
            bounded.read_line(&mut answer)
        });
        let fail = |problem: &dyn std::fmt::Display| {
            let path = self.path.display();
            Failure::stage(format!(
                "the server at '{path}' did not answer: {problem}; look at its output, and at `orchestrate schedules \
                 list` for what it did"
            ))
        };
        match exchanged {
            Ok(0) => Err(fail(&"it went away")),
            Err(error) => Err(fail(&error)),
            Ok(_) => {
                let answer: Answer = serde_json::from_str(&answer).map_err(|error| fail(&error))?;
                answer.into_result()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_what_the_documentation_says() {
        let request = Request::Pause { schedule: "btc".parse().unwrap() };
        let written = serde_json::to_value(&request).unwrap();
        assert_eq!(written, json!({ "command": "pause", "schedule": "btc" }));
        assert_eq!(serde_json::from_value::<Request>(written).unwrap(), request);
        for bad in
            [json!({ "command": "dance" }), json!({ "command": "pause" }), json!({ "schedule": "btc" })]
        {
            serde_json::from_value::<Request>(bad).unwrap_err();
        }
    }

    #[test]
    fn a_refusal_keeps_its_exit_code() {
        let line = serde_json::to_string(&Answer::refused(Failure::input("no"))).unwrap();
        let failure = serde_json::from_str::<Answer>(&line).unwrap().into_result().unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (BAD_INPUT, "no"));
        let done = Answer::done(json!({ "pid": 5 })).into_result().unwrap();
        assert_eq!(done["pid"], 5);
    }
}
