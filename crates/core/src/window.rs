//! A span of time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A half-open span: `start` belongs to it, `end` does not; `start < end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawWindow", into = "RawWindow")]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

/// A span that holds nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the window from {start} to {end} is empty: its start has to lie before its end")]
pub struct WindowError {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    /// The span from `start` to `end`, refused when it is empty.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, WindowError> {
        if start < end { Ok(Self { start, end }) } else { Err(WindowError { start, end }) }
    }

    /// First instant of the span.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// First instant after the span.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether `time` lies in the span.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Serialize, Deserialize)]
struct RawWindow {
    start: Timestamp,
    end: Timestamp,
}

impl TryFrom<RawWindow> for Window {
    type Error = WindowError;

    fn try_from(raw: RawWindow) -> Result<Self, WindowError> {
        Self::new(raw.start, raw.end)
    }
}

impl From<Window> for RawWindow {
    fn from(window: Window) -> Self {
        Self { start: window.start, end: window.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let at = |ms| Timestamp::from_millis(ms).unwrap();
        let window = Window::new(at(0), at(10)).unwrap();
        assert!(window.contains(at(0)) && window.contains(at(9)) && !window.contains(at(10)));
        assert!(Window::new(at(10), at(10)).is_err());
    }
}
