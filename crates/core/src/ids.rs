//! Names of runs, models and lines. Each becomes a file name, so each is checked for it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A text that can't be the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {what}: expected {expected}")]
pub struct IdError {
    what: &'static str,
    text: String,
    expected: &'static str,
}

impl IdError {
    pub(crate) fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        Self { what, text: text.to_owned(), expected }
    }
}

macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// One run: its start in UTC with `:` and `.` written as `-` (`2024-01-01T00-00-00-000Z`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

text_id!(RunId);

impl RunId {
    /// The id of a run that starts at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(start.to_string().replace([':', '.'], "-"))
    }

    /// The instant in the id.
    pub fn started_at(&self) -> Option<Timestamp> {
        let (date, time) = self.0.split_once('T')?;
        let mut parts = time.strip_suffix('Z')?.split('-');
        let (h, m, s, ms) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        format!("{date}T{h}:{m}:{s}.{ms}Z").parse().ok()
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = Self(text.to_owned());
        let reads_back = id.started_at().is_some_and(|start| Self::at(start) == id);
        let expected = "a UTC time such as 2024-01-01T00-00-00-000Z";
        reads_back.then_some(id).ok_or_else(|| IdError { what: "run id", text: text.to_owned(), expected })
    }
}

/// One model: `model-<runId>`, the name of its directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelId(String);

text_id!(ModelId);

impl ModelId {
    /// The model that `run` makes.
    pub fn of_run(run: &RunId) -> Self {
        Self(format!("model-{run}"))
    }
}

impl FromStr for ModelId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_model = text.strip_prefix("model-").is_some_and(|run| run.parse::<RunId>().is_ok());
        let expected = "model- and a run id, such as model-2024-01-01T00-00-00-000Z";
        is_model.then(|| Self(text.to_owned())).ok_or_else(|| IdError {
            what: "model id",
            text: text.to_owned(),
            expected,
        })
    }
}

/// The name of a line: a sequence of models with one champion. Lower-case letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LineName(String);

text_id!(LineName);

const MAX_LINE_NAME: usize = 64;

impl LineName {
    /// Whether this is the line `default`, whose pointer is `latest.json` itself.
    pub fn is_default(&self) -> bool {
        self.0 == "default"
    }
}

impl Default for LineName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for LineName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_name = (1..=MAX_LINE_NAME).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
            && !text.starts_with('-');
        let expected = "1 to 64 lower-case letters, digits, '-' or '_', not starting with '-'";
        is_name.then(|| Self(text.to_owned())).ok_or_else(|| IdError {
            what: "line name",
            text: text.to_owned(),
            expected,
        })
    }
}

/// One trader from its start to its stop, over crashes: the name of its socket and of its rows. Letters, digits, `-`, `_`
/// and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

text_id!(SessionId);

/// Short enough for a socket's path, which may have about a hundred bytes.
const MAX_SESSION_ID: usize = 64;

impl FromStr for SessionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let is_id = (1..=MAX_SESSION_ID).contains(&text.len())
            && text.bytes().all(is_part)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let expected = "1 to 64 letters, digits, '-', '_' or '.', a letter or digit first";
        is_id.then(|| Self(text.to_owned())).ok_or_else(|| IdError {
            what: "session id",
            text: text.to_owned(),
            expected,
        })
    }
}

/// A model on disk: which one, where, and the hash that its weights must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    /// Its name.
    pub id: ModelId,
    /// Its directory.
    pub dir: PathBuf,
    /// SHA-256 of `policy.safetensors`, lower-case hex.
    pub sha256: String,
    /// Close of the last bar that the model or any ancestor has seen in training.
    pub lineage_until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_its_start_and_reads_back() {
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        let run = RunId::at(start);
        assert_eq!(run.as_str(), "2024-01-01T00-00-00-000Z");
        assert_eq!(run.started_at(), Some(start));
        assert_eq!(run.as_str().parse::<RunId>().unwrap(), run);
        assert_eq!(ModelId::of_run(&run).as_str(), "model-2024-01-01T00-00-00-000Z");
    }

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for text in ["", "..", "../x", "model-../..", "a/b", "A", "-x", "2024-01-01T00-00-00Z"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
            assert!(text.parse::<ModelId>().is_err(), "{text}");
        }
        for text in ["", "..", "../x", "a/b", "A", "-x", "a.b", "ä"] {
            assert!(text.parse::<LineName>().is_err(), "{text}");
        }
        for text in ["", ".", "..", "../x", "a/b", ".a", "-x", "a b", "ä", &"a".repeat(65)] {
            assert!(text.parse::<SessionId>().is_err(), "{text}");
        }
        assert!("btc-2024-01-01T00-00-00-000Z".parse::<SessionId>().is_ok());
    }
}
