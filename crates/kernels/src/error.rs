//! How a call of a kernel can be wrong.

use std::fmt;

/// A slice of the wrong length, or a network without layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A slice does not have the length that the shapes ask for.
    Length {
        /// Which slice.
        what: &'static str,
        /// Length that the shapes ask for.
        expected: usize,
        /// Length that it has.
        actual: usize,
    },
    /// The network has no layer, or one of width 0.
    Empty {
        /// What is missing.
        what: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { what, expected, actual } => {
                write!(f, "{what} has {actual} numbers: expected {expected}")
            }
            Self::Empty { what } => write!(f, "the network has no {what}: expected at least one"),
        }
    }
}

impl std::error::Error for Error {}

/// Refuses a slice whose length is not `expected`.
pub(crate) fn check_len(what: &'static str, actual: usize, expected: usize) -> Result<(), Error> {
    if actual == expected { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
}
