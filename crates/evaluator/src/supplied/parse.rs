//! The strict reading of a metrics file: a file that is not exactly what it should be must not promote a model.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use walkforward_core::{IdError, ModelId};

/// Largest metrics file that is read: it holds a few numbers.
pub const MAX_SUPPLIED_BYTES: usize = 1 << 20;

const EXAMPLE: &str = r#"{"winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#;

/// Why supplied metrics can't be used; the text names the file or setting, the key, and what was expected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SuppliedError {
    /// The file has no bytes.
    #[error("{origin} is empty: expected a JSON object such as {EXAMPLE}")]
    Empty {
        /// The file.
        origin: String,
    },
    /// The file is larger than any metrics file.
    #[error("{origin} has {bytes} bytes: a metrics file has at most {MAX_SUPPLIED_BYTES}")]
    TooLarge {
        /// The file.
        origin: String,
        /// Its size.
        bytes: usize,
    },
    /// The file is no JSON object: cut off, with NaN or infinity, or something else.
    #[error(
        "{origin} is no JSON object: {reason}; expected one such as {EXAMPLE} (NaN and Infinity are no JSON)"
    )]
    Json {
        /// The file.
        origin: String,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// A key is not there.
    #[error("{origin} has no {key}: expected {expected}")]
    Missing {
        /// The file.
        origin: String,
        /// The key.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A key is there twice.
    #[error("{origin} has {key} twice: expected it once")]
    Duplicate {
        /// The file.
        origin: String,
        /// The key.
        key: &'static str,
    },
    /// A value is of another type or out of range.
    #[error("{key} in {origin} is {found}: expected {expected}")]
    Value {
        /// The file, or the environment.
        origin: String,
        /// The key or variable.
        key: &'static str,
        /// What it is.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The model id is none.
    #[error("modelId in {origin}: {source}")]
    ModelId {
        /// The file.
        origin: String,
        /// What is wrong.
        source: IdError,
    },
}

/// What a metrics file holds.
pub(super) struct Parsed {
    pub(super) win_rate: f64,
    pub(super) max_drawdown: f64,
    pub(super) pnl_per_trade: f64,
    pub(super) model_id: Option<ModelId>,
}

const SHARE: &str = "a number from 0 to 1";
const NUMBER: &str = "a finite number";
/// Longest excerpt of a wrong value in an error.
const MAX_SHOWN_CHARS: usize = 40;

pub(super) fn parse(origin: &str, bytes: &[u8]) -> Result<Parsed, SuppliedError> {
    if bytes.len() > MAX_SUPPLIED_BYTES {
        return Err(SuppliedError::TooLarge { origin: origin.to_owned(), bytes: bytes.len() });
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(SuppliedError::Empty { origin: origin.to_owned() });
    }
    let entries: Entries = serde_json::from_slice(bytes)
        .map_err(|error| SuppliedError::Json { origin: origin.to_owned(), reason: error.to_string() })?;
    let number = |key, expected| entries.number(origin, key, expected);
    Ok(Parsed {
        win_rate: share(origin, "winRate", number("winRate", SHARE)?)?,
        max_drawdown: share(origin, "maxDrawdown", number("maxDrawdown", SHARE)?)?,
        pnl_per_trade: finite(origin, "pnlPerTrade", number("pnlPerTrade", NUMBER)?)?,
        model_id: entries.model_id(origin)?,
    })
}

/// `value`, refused outside 0 to 1.
pub(super) fn share(origin: &str, key: &'static str, value: f64) -> Result<f64, SuppliedError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(wrong(origin, key, value.to_string(), SHARE))
}

/// `value`, refused when it is NaN or infinite.
pub(super) fn finite(origin: &str, key: &'static str, value: f64) -> Result<f64, SuppliedError> {
    if value.is_finite() { Ok(value) } else { Err(wrong(origin, key, value.to_string(), NUMBER)) }
}

fn wrong(origin: &str, key: &'static str, found: String, expected: &'static str) -> SuppliedError {
    SuppliedError::Value { origin: origin.to_owned(), key, found, expected }
}

/// A JSON object with its keys as they stand, so that a key that is there twice is seen.
struct Entries(Vec<(String, Value)>);

impl Entries {
    fn get(&self, origin: &str, key: &'static str) -> Result<Option<&Value>, SuppliedError> {
        let mut values = self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        let first = values.next();
        match values.next() {
            Some(_) => Err(SuppliedError::Duplicate { origin: origin.to_owned(), key }),
            None => Ok(first),
        }
    }

    fn number(&self, origin: &str, key: &'static str, expected: &'static str) -> Result<f64, SuppliedError> {
        let value = self.get(origin, key)?;
        let value =
            value.ok_or_else(|| SuppliedError::Missing { origin: origin.to_owned(), key, expected })?;
        value.as_f64().ok_or_else(|| wrong(origin, key, shown(value), expected))
    }

    fn model_id(&self, origin: &str) -> Result<Option<ModelId>, SuppliedError> {
        match self.get(origin, "modelId")? {
            None => Ok(None),
            Some(Value::String(text)) => match text.parse() {
                Ok(id) => Ok(Some(id)),
                Err(source) => Err(SuppliedError::ModelId { origin: origin.to_owned(), source }),
            },
            Some(other) => Err(wrong(origin, "modelId", shown(other), "a text such as model-<runId>")),
        }
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN_CHARS {
        return text;
    }
    text.chars().take(MAX_SHOWN_CHARS).chain("...".chars()).collect()
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
