//! What can be asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A command to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlCommand {
    /// Tell how it is.
    Status {},
    /// Send no order until [`Resume`](Self::Resume): bars are decided and journalled, the position stays.
    Pause {
        /// Why.
        reason: Reason,
    },
    /// End a pause, or a restriction that was asked for. What a limit or a kill brought ends with an acknowledgement
    /// alone.
    Resume {
        /// What was found out about it, and why it is safe to go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acknowledge: Option<Reason>,
    },
    /// End the session behind the bar that it is at. The position stays.
    Stop {},
    /// Halt at once: open orders are cancelled, nothing is sent any more, over restarts too.
    Kill {
        /// Why.
        reason: Reason,
        /// Whether the position is closed first.
        flatten: bool,
    },
    /// Let positions shrink and not grow.
    ReduceOnly {
        /// Why.
        reason: Reason,
    },
    /// Look for a new model now. The answer says which one trades then; a model that was refused is an event.
    Reload {},
    /// Tell what happens from now on.
    Subscribe {
        /// The number of the last event that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
}

/// Why somebody did something, in their words: 1 to 500 characters in one line.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

/// A text that says nothing, or too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reason has {characters} characters{problem}: expected a line of 1 to {max}", max = Reason::MAX_CHARS)]
pub struct ReasonError {
    characters: usize,
    problem: &'static str,
}

impl Reason {
    /// Most characters.
    pub const MAX_CHARS: usize = 500;

    /// `text` as a reason, whatever it is: control characters become spaces, what is too long is cut.
    pub fn cut(text: &str) -> Self {
        let one_line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        let kept: String = one_line.trim().chars().take(Self::MAX_CHARS).collect();
        if kept.is_empty() { Self("no reason given".to_owned()) } else { Self(kept) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let characters = text.chars().count();
        let problem = match characters {
            0 => "",
            _ if text.trim().is_empty() => ", all of them blank",
            _ if text.chars().any(char::is_control) => ", some of which can't be printed",
            1..=Self::MAX_CHARS => return Ok(Self(text.to_owned())),
            _ => "",
        };
        Err(ReasonError { characters, problem })
    }
}

impl TryFrom<String> for Reason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<Self, ReasonError> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reason_says_something_in_one_line() {
        let refused = |text: &str| text.parse::<Reason>().unwrap_err().to_string();
        assert_eq!(refused(""), "the reason has 0 characters: expected a line of 1 to 500");
        assert_eq!(
            refused("  "),
            "the reason has 2 characters, all of them blank: expected a line of 1 to 500"
        );
        assert!(refused("a\nb").contains("some of which can't be printed"));
        assert!(refused(&"ä".repeat(501)).contains("501 characters"));
        assert_eq!("ä".repeat(500).parse::<Reason>().unwrap().as_str().chars().count(), 500);
        assert!(serde_json::from_str::<Reason>("\"\"").is_err());
        assert_eq!(Reason::cut("\n\t").as_str(), "no reason given");
    }

    proptest! {
        #[test]
        fn any_text_can_be_cut_to_a_reason(text in "\\PC{0,20}|[\\x00-\\x20]{0,5}|\\PC{480,520}") {
            let reason = Reason::cut(&text);
            prop_assert_eq!(reason.as_str().parse::<Reason>().unwrap(), reason);
        }
    }
}
