//! Names of schedules, experiments, packs and dataset configurations. People choose them, or they are derived from
//! names and times; each may become part of a file name or an address, so each is checked for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, bytes.
const MAX_ID_BYTES: usize = 64;

/// A text that can't be the name of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a {what}: expected 1 to 64 lower-case letters, digits, '.', '_' or '-', starting with a letter or a digit"
)]
pub struct RowIdError {
    what: &'static str,
    text: String,
}

fn is_row_id(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| is_word(byte) || b"._-".contains(&byte))
        && text.bytes().next().is_some_and(is_word)
}

macro_rules! row_id {
    ($(#[$docs:meta])* $name:ident, $what:literal) => {
        $(#[$docs])*
        ///
        /// 1 to 64 bytes of `a-z`, `0-9`, `.`, `_` and `-`, the first of them a letter or a digit.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = RowIdError;

            fn from_str(text: &str) -> Result<Self, RowIdError> {
                let what = concat!($what, " id");
                is_row_id(text)
                    .then(|| Self(text.to_owned()))
                    .ok_or_else(|| RowIdError { what, text: text.to_owned() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = RowIdError;

            fn try_from(text: String) -> Result<Self, RowIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

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
    };
}

row_id!(
    /// One schedule.
    ScheduleId,
    "schedule"
);
row_id!(
    /// One experiment: the stored record of one training.
    ExperimentId,
    "experiment"
);
row_id!(
    /// One hyperparameter pack.
    PackId,
    "pack"
);
row_id!(
    /// One dataset configuration.
    DatasetConfigId,
    "dataset configuration"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_word_and_its_error_says_what_it_should_have_been() {
        for text in ["default", "btc-1h", "7", "a.b_c-d", &"x".repeat(64)] {
            assert_eq!(text.parse::<ScheduleId>().unwrap().as_str(), text);
        }
        for text in ["", "-x", ".x", "_x", "A", "a/b", "a b", "ä", "..", &"x".repeat(65)] {
            let error = text.parse::<PackId>().unwrap_err().to_string();
            assert!(error.contains(&format!("'{text}' is not a pack id")), "{error}");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_read_from_json() {
        let id: ExperimentId = serde_json::from_str("\"exp-1\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"exp-1\"");
        serde_json::from_str::<DatasetConfigId>("\"../x\"").unwrap_err();
    }
}
