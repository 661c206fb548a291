//! Sets of times, as spans.

use serde::{Deserialize, Serialize};
use walkforward_core::{Timestamp, Window};

/// Every time that can be written.
pub(crate) fn all_time() -> Window {
    let (start, end) = (Timestamp::EPOCH.plus_millis(i64::MIN), Timestamp::EPOCH.plus_millis(i64::MAX));
    Window::new(start, end).unwrap_or_else(|_| unreachable!("the year 0 lies before the year 9999"))
}

/// Spans, ascending, apart from each other: neighbours that touch are one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Window>", into = "Vec<Window>")]
pub(crate) struct Spans(Vec<Window>);

impl Spans {
    pub(crate) fn as_slice(&self) -> &[Window] {
        &self.0
    }

    /// Adds a span.
    pub(crate) fn add(&mut self, span: Window) {
        let from = self.0.partition_point(|known| known.end() < span.start());
        let to = self.0.partition_point(|known| known.start() <= span.end());
        let touched = &self.0[from..to.max(from)];
        let start = touched.first().map_or(span.start(), |first| first.start().min(span.start()));
        let end = touched.last().map_or(span.end(), |last| last.end().max(span.end()));
        let hull = Window::new(start, end).unwrap_or(span);
        self.0.splice(from..to.max(from), [hull]);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|&span| self.add(span));
    }

    /// The parts of `span` that are not in the set.
    pub(crate) fn missing_from(&self, span: Window) -> Vec<Window> {
        let mut missing = Vec::new();
        let mut from = span.start();
        for known in self.0.iter().filter(|known| known.end() > span.start() && known.start() < span.end()) {
            missing.extend(Window::new(from, known.start()).ok());
            from = from.max(known.end());
        }
        missing.extend(Window::new(from, span.end()).ok());
        missing
    }
}

impl From<Vec<Window>> for Spans {
    fn from(spans: Vec<Window>) -> Self {
        let mut set = Self::default();
        spans.into_iter().for_each(|span| set.add(span));
        set
    }
}

impl From<Spans> for Vec<Window> {
    fn from(spans: Spans) -> Self {
        spans.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start: i64, end: i64) -> Window {
        let at = |ms| Timestamp::from_millis(ms).unwrap();
        Window::new(at(start), at(end)).unwrap()
    }

    proptest! {
        #[test]
        fn spans_hold_what_was_added_and_miss_the_rest(
            added in prop::collection::vec((0_i64..100, 1_i64..30), 0..10),
            (start, length) in (0_i64..120, 1_i64..40),
        ) {
            let spans: Vec<Window> = added.iter().map(|&(start, length)| span(start, start + length)).collect();
            let set = Spans::from(spans.clone());
            prop_assert!(set.as_slice().windows(2).all(|pair| pair[0].end() < pair[1].start()));
            let missing = set.missing_from(span(start, start + length));
            for ms in 0..160 {
                let time = Timestamp::from_millis(ms).unwrap();
                let known = spans.iter().any(|span| span.contains(time));
                prop_assert_eq!(set.as_slice().iter().any(|span| span.contains(time)), known);
                let asked = (start..start + length).contains(&ms);
                prop_assert_eq!(missing.iter().any(|span| span.contains(time)), asked && !known);
            }
        }
    }
}
