//! When a market is open, and so which bars it should have.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Timeframe, Timestamp, Window};

const MS_PER_YEAR: f64 = 365.25 * MS_PER_DAY as f64;
const MS_PER_DAY: i64 = 86_400_000;
const WEEKS_PER_YEAR: f64 = 365.25 / 7.0;
/// Shortest span between first and last session that tells how many sessions a year has: half a year.
const MIN_COUNTED_SPAN_MS: i64 = 182 * MS_PER_DAY;
/// Sessions in a year of the usual exchange, where a calendar of one session tells no other number.
const USUAL_SESSIONS_PER_YEAR: f64 = 252.0;

/// The bars that a market should have. A bar that lies outside is not missing: the market is closed.
///
/// ```
/// use walkforward_core::{MarketCalendar, Timeframe, Window};
///
/// let window = Window::new("2024-01-01T00:00:00Z".parse()?, "2024-01-02T00:00:00Z".parse()?)?;
/// assert_eq!(MarketCalendar::Continuous.expected(window, "1h".parse()?).count(), 24);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketCalendar {
    /// Open at all times, as crypto is.
    #[default]
    Continuous,
    /// Open in these sessions.
    Sessions(SessionCalendar),
}

/// The sessions of a market, ascending and apart from each other, `[open, close)` each.
///
/// A session of minutes has every minute from its open to its close. Longer bars stand on the same clock as those of
/// a market that never closes (hours on full hours, days at midnight UTC) and hold what of their interval lies in
/// sessions: the first hour of a session that opens at half past begins half an hour before it and has 30 minutes.
/// A bar of less than a day so never reaches from one day's session into the next; a bar holds parts of two sessions
/// only when both lie in one interval of the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Window>", into = "Vec<Window>")]
pub struct SessionCalendar(Arc<[Window]>);

/// Why a list of sessions is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// None, or more than are kept.
    #[error("a calendar of {count} sessions: expected 1 to {max}", max = SessionCalendar::MAX_SESSIONS)]
    Count {
        /// How many.
        count: usize,
    },
    /// A session does not begin or end on a whole minute.
    #[error("the session {session} does not begin and end on whole minutes")]
    NotOnMinutes {
        /// Which.
        session: Window,
    },
    /// A session begins before the one before it has ended.
    #[error(
        "the session {session} begins before the session {before} has ended: sort them and drop duplicates"
    )]
    Overlap {
        /// The later one in the list.
        session: Window,
        /// The one before it.
        before: Window,
    },
}

impl SessionCalendar {
    /// Most sessions of a calendar: four hundred years of days.
    pub const MAX_SESSIONS: usize = 100_000;

    /// A calendar of `sessions`, oldest first.
    ///
    /// # Errors
    /// When there are none or too many, or one begins off the minute or before the one before it has ended.
    pub fn new(sessions: Vec<Window>) -> Result<Self, CalendarError> {
        if sessions.is_empty() || sessions.len() > Self::MAX_SESSIONS {
            return Err(CalendarError::Count { count: sessions.len() });
        }
        let is_minute = |time: Timestamp| time.as_millis() % Timeframe::MINUTE.millis() == 0;
        for &session in &sessions {
            if !is_minute(session.start()) || !is_minute(session.end()) {
                return Err(CalendarError::NotOnMinutes { session });
            }
        }
        for pair in sessions.windows(2) {
            if pair[1].start() < pair[0].end() {
                return Err(CalendarError::Overlap { session: pair[1], before: pair[0] });
            }
        }
        Ok(Self(sessions.into()))
    }

    /// The sessions, oldest first; at least one.
    pub fn sessions(&self) -> &[Window] {
        &self.0
    }

    /// The bars that the session at `index` adds: start of the first and number. A bar that the session before it
    /// has begun is that one's.
    fn bars_of(&self, index: usize, timeframe: Timeframe) -> (Timestamp, i64) {
        let last = |session: &Window| timeframe.floor(session.end().plus_millis(-1));
        let session = &self.0[index];
        let mut first = timeframe.floor(session.start());
        if let Some(before) = index.checked_sub(1).map(|before| last(&self.0[before]))
            && first <= before
        {
            first = before.plus_millis(timeframe.millis());
        }
        (first, (last(session).millis_since(first) / timeframe.millis() + 1).max(0))
    }

    /// Index of the first session whose last bar begins at or after `time`.
    fn at_or_after(&self, time: Timestamp, timeframe: Timeframe) -> usize {
        self.0.partition_point(|session| timeframe.floor(session.end().plus_millis(-1)) < time)
    }

    fn is_expected(&self, start: Timestamp, timeframe: Timeframe) -> bool {
        if timeframe.floor(start) != start {
            return false;
        }
        let at = self.0.partition_point(|session| session.end() <= start);
        self.0.get(at).is_some_and(|session| session.start() < start.plus_millis(timeframe.millis()))
    }

    /// Start of the `bars`-th last bar that has closed by `end`.
    fn bars_before(&self, end: Timestamp, bars: usize, timeframe: Timeframe) -> Option<Timestamp> {
        let mut left = i64::try_from(bars).ok()?;
        let after = end.plus_millis(1 - timeframe.millis());
        let sessions = self.0.partition_point(|session| timeframe.floor(session.start()) < after);
        for index in (0..sessions).rev() {
            let (first, count) = self.bars_of(index, timeframe);
            let closed = (after.millis_since(first) + timeframe.millis() - 1) / timeframe.millis();
            let count = count.min(closed.max(0));
            if left <= count {
                return Some(first.plus_millis((count - left) * timeframe.millis()));
            }
            left -= count;
        }
        None
    }

    fn expected(&self, window: Window, timeframe: Timeframe) -> impl Iterator<Item = Timestamp> + '_ {
        let sessions = self.at_or_after(window.start(), timeframe)..self.0.len();
        let begun = move |index: &usize| timeframe.floor(self.0[*index].start()) < window.end();
        let bars = move |index| {
            let (first, count) = self.bars_of(index, timeframe);
            (0..count).map(move |bar| first.plus_millis(bar * timeframe.millis()))
        };
        sessions.take_while(begun).flat_map(bars).filter(move |&start| window.contains(start))
    }

    fn bars_per_year(&self, timeframe: Timeframe) -> f64 {
        let sessions = self.0.len();
        let bars: i64 = (0..sessions).map(|index| self.bars_of(index, timeframe).1).sum();
        let span_ms = self.0[sessions - 1].start().millis_since(self.0[0].start());
        let is_daily = self.0[0].end().millis_since(self.0[0].start()) <= MS_PER_DAY;
        let sessions_per_year = match span_ms {
            span_ms if span_ms >= MIN_COUNTED_SPAN_MS => (sessions - 1) as f64 * MS_PER_YEAR / span_ms as f64,
            _ if is_daily => USUAL_SESSIONS_PER_YEAR,
            _ => WEEKS_PER_YEAR,
        };
        bars as f64 / sessions as f64 * sessions_per_year
    }
}

impl MarketCalendar {
    /// Starts of the bars that should begin in `window`, ascending. In a market that never closes they count from the
    /// window's start, which so defines their grid.
    pub fn expected(&self, window: Window, timeframe: Timeframe) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match self {
            Self::Continuous => {
                let count = steps_in(window, timeframe);
                Box::new((0..count).map(move |bar| window.start().plus_millis(bar * timeframe.millis())))
            }
            Self::Sessions(calendar) => Box::new(calendar.expected(window, timeframe)),
        }
    }

    /// Number of bars that should begin in `window`.
    pub fn expected_count(&self, window: Window, timeframe: Timeframe) -> usize {
        match self {
            Self::Continuous => usize::try_from(steps_in(window, timeframe)).unwrap_or(0),
            Self::Sessions(calendar) => calendar.expected(window, timeframe).count(),
        }
    }

    /// Whether a bar should begin at `start`. Where the market never closes, every start is as good as another: its
    /// bars need not be aligned to the epoch.
    pub fn is_expected(&self, start: Timestamp, timeframe: Timeframe) -> bool {
        match self {
            Self::Continuous => true,
            Self::Sessions(calendar) => calendar.is_expected(start, timeframe),
        }
    }

    /// Start of the `bars`-th last bar that should have closed by `end`; `end` itself lies on the grid where the
    /// market never closes. `None` when the calendar begins later.
    pub fn bars_before(&self, end: Timestamp, bars: usize, timeframe: Timeframe) -> Option<Timestamp> {
        match self {
            Self::Continuous => {
                let span_ms = timeframe.millis().checked_mul(i64::try_from(bars).ok()?)?;
                Timestamp::from_millis(end.as_millis().checked_sub(span_ms)?)
            }
            Self::Sessions(calendar) => calendar.bars_before(end, bars, timeframe),
        }
    }

    /// Bars in a year, by which returns are annualised: with sessions, the bars of an average session times the
    /// sessions of an average year of the calendar. A calendar of less than half a year can't tell how many these are:
    /// 252 are taken, and as many as there are weeks where sessions are longer than a day.
    pub fn bars_per_year(&self, timeframe: Timeframe) -> f64 {
        match self {
            Self::Continuous => timeframe.bars_per_year(),
            Self::Sessions(calendar) => calendar.bars_per_year(timeframe),
        }
    }

    /// The sessions that overlap `window`; none where the market never closes.
    pub fn sessions_in(&self, window: Window) -> &[Window] {
        let Self::Sessions(calendar) = self else { return &[] };
        let sessions = calendar.sessions();
        let from = sessions.partition_point(|session| session.end() <= window.start());
        let to = sessions.partition_point(|session| session.start() < window.end());
        &sessions[from..to.max(from)]
    }
}

/// Steps of `timeframe` that begin in `window`, the first at its start.
fn steps_in(window: Window, timeframe: Timeframe) -> i64 {
    (window.end().millis_since(window.start()) + timeframe.millis() - 1) / timeframe.millis()
}

impl TryFrom<Vec<Window>> for SessionCalendar {
    type Error = CalendarError;

    fn try_from(sessions: Vec<Window>) -> Result<Self, CalendarError> {
        Self::new(sessions)
    }
}

impl From<SessionCalendar> for Vec<Window> {
    fn from(calendar: SessionCalendar) -> Self {
        calendar.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    fn window(start: i64, end: i64) -> Window {
        Window::new(at(start), at(end)).unwrap()
    }

    /// Two days with sessions from 14:30 to 21:00, the second one to 18:00.
    fn two_days() -> MarketCalendar {
        let day = |day: i64, close: i64| window(day * 1_440 + 870, day * 1_440 + close);
        MarketCalendar::Sessions(SessionCalendar::new(vec![day(0, 1_260), day(1, 1_080)]).unwrap())
    }

    fn starts(calendar: &MarketCalendar, span: Window, timeframe: &str) -> Vec<i64> {
        let starts = calendar.expected(span, timeframe.parse().unwrap());
        starts.map(|start| start.as_millis() / 60_000).collect()
    }

    #[test]
    fn hours_of_a_session_stand_on_the_clock_and_end_with_it() {
        let hours = starts(&two_days(), window(0, 2_880), "1h");
        let second = [14, 15, 16, 17].map(|hour| (24 + hour) * 60);
        assert_eq!(hours[..7], [14, 15, 16, 17, 18, 19, 20].map(|hour| hour * 60));
        assert_eq!(hours[7..], second);
        assert_eq!(starts(&two_days(), window(0, 2_880), "1d"), [0, 1_440]);
        assert_eq!(starts(&two_days(), window(900, 905), "1m"), [900, 901, 902, 903, 904]);
        assert!(starts(&two_days(), window(1_260, 2_310), "1m").is_empty(), "the market is closed");
    }

    #[test]
    fn bars_before_steps_over_closed_hours_and_counts_closed_bars_only() {
        let (calendar, hour) = (two_days(), "1h".parse().unwrap());
        let before =
            |end, bars| calendar.bars_before(at(end), bars, hour).map(|time| time.as_millis() / 3_600_000);
        assert_eq!(before(2_880, 1), Some(24 + 17));
        assert_eq!(before(2_880, 5), Some(20));
        assert_eq!(before((24 + 16) * 60 - 1, 1), Some(24 + 14));
        assert_eq!((before(2_880, 11), before(2_880, 12)), (Some(14), None));
    }

    #[test]
    fn a_year_has_the_bars_of_its_sessions() {
        let sessions =
            (0..1_000).filter(|day| day % 7 < 5).map(|day| window(day * 1_440 + 870, day * 1_440 + 1_260));
        let calendar = MarketCalendar::Sessions(SessionCalendar::new(sessions.collect()).unwrap());
        let per_year = calendar.bars_per_year("1d".parse().unwrap());
        assert!((per_year - 261.0).abs() < 1.0, "{per_year}");
        assert!((calendar.bars_per_year("1h".parse().unwrap()) / per_year - 7.0).abs() < 1e-9);
        assert_eq!(MarketCalendar::Continuous.bars_per_year("1h".parse().unwrap()), 8_760.0);
    }

    #[test]
    fn a_short_calendar_does_not_say_how_many_sessions_a_year_has() {
        let per_year = |sessions: Vec<Window>| {
            let calendar = MarketCalendar::Sessions(SessionCalendar::new(sessions).unwrap());
            calendar.bars_per_year("1d".parse().unwrap())
        };
        let day = |day: i64| window(day * 1_440 + 870, day * 1_440 + 1_260);
        for days in [&[0][..], &[0, 3], &[0, 1, 2, 3, 4]] {
            assert_eq!(per_year(days.iter().copied().map(day).collect()), 252.0);
        }
        let week = window(0, 5 * 1_440);
        assert!((per_year(vec![week]) - 5.0 * 365.0 / 7.0).abs() < 1.0);
    }

    #[test]
    fn sessions_out_of_order_or_off_the_minute_are_refused() {
        let refuse = |sessions: Vec<Window>, expected: &str| {
            let error = SessionCalendar::new(sessions).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refuse(vec![], "expected 1 to 100000");
        refuse(vec![window(10, 20), window(19, 30)], "begins before the session");
        refuse(vec![Window::new(at(1).plus_millis(1), at(2)).unwrap()], "whole minutes");
    }

    proptest! {
        #[test]
        fn every_definition_of_an_expected_bar_agrees(
            lengths in prop::collection::vec((0_i64..200, 1_i64..300), 1..12),
            minutes in prop::sample::select(vec![1_u32, 5, 7, 60, 240, 1_440]),
            (from, length) in (0_i64..3_000, 1_i64..3_000),
        ) {
            let mut time = 0;
            let sessions = lengths.iter().map(|&(gap, length)| {
                time += gap + length;
                window(time - length, time)
            });
            let sessions: Vec<Window> = sessions.collect();
            let timeframe = Timeframe::from_minutes(minutes).unwrap();
            let step = i64::from(minutes);
            let span = window(from, from + length);
            let overlaps = |start: i64| {
                sessions.iter().any(|session| session.start() < at(start + step) && at(start) < session.end())
            };
            let expected: Vec<i64> =
                (0..8_000).filter(|start| start % step == 0 && overlaps(*start)).collect();
            let calendar = MarketCalendar::Sessions(SessionCalendar::new(sessions.clone()).unwrap());
            let inside: Vec<i64> = expected.iter().copied().filter(|start| span.contains(at(*start))).collect();
            let got: Vec<i64> =
                calendar.expected(span, timeframe).map(|start| start.as_millis() / 60_000).collect();
            prop_assert_eq!(&got, &inside);
            prop_assert_eq!(calendar.expected_count(span, timeframe), inside.len());
            for start in (from..from + 50).filter(|start| start % step == 0) {
                prop_assert_eq!(calendar.is_expected(at(start), timeframe), overlaps(start));
            }
            let closed: Vec<i64> = expected.iter().copied().filter(|start| start + step <= from).collect();
            for bars in 1..closed.len() + 2 {
                let before = calendar.bars_before(at(from), bars, timeframe);
                let wanted = closed.len().checked_sub(bars).map(|index| at(closed[index]));
                prop_assert_eq!(before, wanted);
            }
        }
    }
}
