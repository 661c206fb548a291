//! What a worker says on its standard output: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use walkforward_core::{ErrorKind, ProgressUpdate, Stage, Timestamp, TrainingOutcome};

/// Version of the job folder and of the lines.
pub const PROTOCOL: u32 = 1;
/// Longest line that is understood, bytes without the line end; a longer one is kept, cut, as log.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// A line that a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// How far it is.
    Progress(ProgressMessage),
    /// What an iteration measured.
    Metrics(MetricsMessage),
    /// It is done; the bundle lies in `out_dir`.
    Outcome(OutcomeMessage),
    /// It failed.
    Error(FailureMessage),
}

/// How far a training is. A line of this kind or a [`MetricsMessage`] is the sign of life that `stall_timeout` waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressMessage {
    /// Units of work done.
    pub done: u64,
    /// Units of work in all; 0 while unknown.
    #[serde(default)]
    pub total: u64,
    /// A few words for a person.
    #[serde(default)]
    pub message: String,
    /// How long the rest should take, in seconds; none while unknown.
    #[serde(default)]
    pub eta_seconds: Option<f64>,
}

impl From<ProgressUpdate> for ProgressMessage {
    fn from(update: ProgressUpdate) -> Self {
        let ProgressUpdate { stage: _, done, total, message, eta_seconds } = update;
        Self { done, total, message, eta_seconds }
    }
}

impl From<ProgressMessage> for ProgressUpdate {
    fn from(said: ProgressMessage) -> Self {
        let ProgressMessage { done, total, message, eta_seconds } = said;
        Self { stage: Stage::Train, done, total, message, eta_seconds }
    }
}

/// Metrics by name; an undefined one is null and is left out.
type Measured = BTreeMap<String, Option<f64>>;

/// What an iteration measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsMessage {
    /// Which iteration, from 1.
    pub iteration: u64,
    /// Its metrics.
    pub metrics: Measured,
}

/// What a training came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutcomeMessage {
    /// The attempt that the job names. An outcome of another attempt counts for nothing.
    pub attempt: String,
    /// Which trainer; by default `command`.
    #[serde(default)]
    pub trainer: Option<String>,
    /// Close of the last bar that entered any observation, reward, label, choice or statistic; by default the job's
    /// `training_end`.
    #[serde(default)]
    pub used_until: Option<Timestamp>,
    /// Rollout and update rounds, epochs, trees: whatever the trainer counts.
    #[serde(default)]
    pub iterations: u64,
    /// Steps of the environment, or samples that were seen.
    #[serde(default)]
    pub environment_steps: u64,
    /// Last value of each metric.
    #[serde(default)]
    pub metrics: Measured,
    /// The instruction set that trained, where the bits depend on it.
    #[serde(default)]
    pub instruction_set: Option<String>,
    /// Why it did not continue from the job's parent; none when it did, or when the job has none.
    #[serde(default)]
    pub cold_start: Option<String>,
}

/// Name of a trainer that does not give its own.
const UNNAMED_TRAINER: &str = "command";

impl OutcomeMessage {
    /// What `attempt` says about `outcome`. A metric that is no finite number is undefined.
    pub fn of(attempt: &str, outcome: TrainingOutcome) -> Self {
        Self {
            attempt: attempt.to_owned(),
            trainer: Some(outcome.trainer),
            used_until: Some(outcome.used_until),
            iterations: outcome.iterations,
            environment_steps: outcome.environment_steps,
            metrics: measured(&outcome.metrics),
            instruction_set: outcome.instruction_set,
            cold_start: outcome.cold_start,
        }
    }

    /// The outcome of a training whose bars end at `training_end`.
    pub fn into_outcome(self, training_end: Timestamp) -> TrainingOutcome {
        TrainingOutcome {
            trainer: self.trainer.unwrap_or_else(|| UNNAMED_TRAINER.to_owned()),
            used_until: self.used_until.unwrap_or(training_end),
            iterations: self.iterations,
            environment_steps: self.environment_steps,
            metrics: defined(self.metrics),
            instruction_set: self.instruction_set,
            cold_start: self.cold_start,
        }
    }
}

/// Metrics as a line carries them: JSON has no NaN and no infinity.
pub(crate) fn measured(metrics: &BTreeMap<String, f64>) -> Measured {
    metrics.iter().map(|(name, value)| (name.clone(), value.is_finite().then_some(*value))).collect()
}

/// The metrics of a line that have a value.
pub(crate) fn defined(metrics: Measured) -> BTreeMap<String, f64> {
    metrics.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Why a training failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureMessage {
    /// What to do about it; by default `bug`.
    #[serde(default = "unexplained")]
    pub kind: ErrorKind,
    /// What went wrong, what was expected.
    pub message: String,
}

fn unexplained() -> ErrorKind {
    ErrorKind::Bug
}

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A message of the protocol.
    Message(Message),
    /// A message of a kind that this version doesn't know.
    Unknown {
        /// Its kind.
        kind: String,
    },
    /// A message of a known kind that lacks something.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// No message: log.
    Garbage,
}

/// Kinds of lines that this version knows.
const KINDS: [&str; 4] = ["progress", "metrics", "outcome", "error"];

/// Reads a line without its end.
pub fn parse_line(line: &[u8]) -> Line {
    if line.len() > MAX_LINE_BYTES || line.trim_ascii_start().first() != Some(&b'{') {
        return Line::Garbage;
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else { return Line::Garbage };
    let Some(kind) = value.get("type").and_then(serde_json::Value::as_str).map(str::to_owned) else {
        return Line::Garbage;
    };
    if !KINDS.contains(&kind.as_str()) {
        return Line::Unknown { kind };
    }
    match serde_json::from_value(value) {
        Ok(message) => Line::Message(message),
        Err(error) => Line::Malformed { reason: format!("the line of type {kind}: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_outcome_needs_nothing_but_its_attempt() {
        let Line::Message(Message::Outcome(outcome)) = parse_line(br#"{"type":"outcome","attempt":"a-1"}"#)
        else {
            panic!("not understood");
        };
        let end = Timestamp::EPOCH.plus_millis(5);
        let outcome = outcome.into_outcome(end);
        assert_eq!((outcome.trainer.as_str(), outcome.used_until), ("command", end));
    }

    #[test]
    fn undefined_metrics_are_null_on_the_line_and_absent_after_it() {
        let metrics = BTreeMap::from([("loss".to_owned(), f64::NAN), ("kl".to_owned(), 0.5)]);
        let message = Message::Metrics(MetricsMessage { iteration: 1, metrics: measured(&metrics) });
        let line = serde_json::to_vec(&message).unwrap();
        assert!(String::from_utf8_lossy(&line).contains("\"loss\":null"));
        assert_eq!(parse_line(&line), Line::Message(message.clone()));
        let Message::Metrics(said) = message else { unreachable!() };
        assert_eq!(defined(said.metrics), BTreeMap::from([("kl".to_owned(), 0.5)]));
    }

    #[test]
    fn lines_are_told_apart() {
        assert!(matches!(parse_line(br#"{"type":"weather"}"#), Line::Unknown { kind } if kind == "weather"));
        assert!(
            matches!(parse_line(br#"{"type":"outcome"}"#), Line::Malformed { reason } if reason.contains("attempt"))
        );
        for line in ["", "Epoch 1", "{", "{}", "[1]", r#"{"type":3}"#, "\u{0}", r#"{"loss":NaN}"#] {
            assert_eq!(parse_line(line.as_bytes()), Line::Garbage, "{line}");
        }
        let long = format!(r#"{{"type":"progress","done":1,"message":"{}"}}"#, "x".repeat(MAX_LINE_BYTES));
        assert_eq!(parse_line(long.as_bytes()), Line::Garbage);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse_line(&bytes);
        }

        #[test]
        fn an_outcome_reads_back(
            iterations in any::<u64>(),
            loss in prop::num::f64::NORMAL,
            trainer in ".{0,20}",
        ) {
            let outcome = TrainingOutcome {
                trainer,
                used_until: Timestamp::EPOCH,
                iterations,
                environment_steps: 3,
                metrics: BTreeMap::from([("loss".to_owned(), loss)]),
                instruction_set: Some("avx2".to_owned()),
                cold_start: (iterations % 2 == 0).then(|| "another network".to_owned()),
            };
            let message = Message::Outcome(OutcomeMessage::of("a-1", outcome.clone()));
            let line = serde_json::to_vec(&message).unwrap();
            let Line::Message(Message::Outcome(read)) = parse_line(&line) else { panic!("not understood") };
            prop_assert_eq!(read.into_outcome(Timestamp::EPOCH), outcome);
        }
    }
}
