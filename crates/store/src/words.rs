//! Enums whose variants are words: in the database, in JSON, in messages.

/// A text that is none of the words that it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {what}: expected one of {expected}")]
pub struct WordError {
    what: &'static str,
    text: String,
    expected: String,
}

impl WordError {
    pub(crate) fn new(what: &'static str, text: &str, words: &[&str]) -> Self {
        Self { what, text: text.to_owned(), expected: words.join(", ") }
    }
}

/// Gives an enum of plain variants its words.
macro_rules! words {
    ($name:ident, $what:literal, { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the database and in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::WordError;

            fn from_str(text: &str) -> Result<Self, $crate::WordError> {
                let found = Self::ALL.iter().copied().find(|word| word.as_str() == text);
                found.ok_or_else(|| $crate::WordError::new($what, text, &[$($word),+]))
            }
        }
    };
}
pub(crate) use words;
