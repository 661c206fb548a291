//! From a time to a place, and where the dates go.

use chrono::{Datelike, NaiveDate, Timelike};
use walkforward_core::Timestamp;

use crate::dates::utc;

/// Dates under a chart, at most.
const MAX_TICKS: i64 = 8;
/// Smallest distance of two dates, share of the width.
const MIN_DISTANCE: f64 = 0.07;
/// Places at which the script asks for the time.
const SAMPLES: usize = 200;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 1970-01-05 was the first Monday of the epoch.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;

/// Distances of dates that people count in, ascending.
const STEPS: [Step; 22] = [
    Step::Millis(MINUTE_MS),
    Step::Millis(5 * MINUTE_MS),
    Step::Millis(15 * MINUTE_MS),
    Step::Millis(30 * MINUTE_MS),
    Step::Millis(HOUR_MS),
    Step::Millis(3 * HOUR_MS),
    Step::Millis(6 * HOUR_MS),
    Step::Millis(12 * HOUR_MS),
    Step::Millis(DAY_MS),
    Step::Millis(2 * DAY_MS),
    Step::Millis(7 * DAY_MS),
    Step::Millis(14 * DAY_MS),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(600),
    Step::Months(12_000),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Millis(i64),
    Months(i64),
}

/// A label under a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Share of the width from the left.
    pub(crate) place: f64,
    /// What stands there.
    pub(crate) label: String,
}

/// Times at equal distances, whatever lies between them: a closed market takes no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeAxis {
    times: Vec<i64>,
}

impl TimeAxis {
    /// An axis over `times` in any order; none when there are none.
    pub(crate) fn over(times: impl IntoIterator<Item = Timestamp>) -> Option<Self> {
        let mut times: Vec<i64> = times.into_iter().map(Timestamp::as_millis).collect();
        times.sort_unstable();
        times.dedup();
        (!times.is_empty()).then_some(Self { times })
    }

    /// Where `time` lies: 0 at the left, 1 at the right, never outside. The only time of an axis lies in its middle.
    pub(crate) fn place(&self, time: Timestamp) -> f64 {
        let (time, last) = (time.as_millis(), self.times.len() - 1);
        if last == 0 {
            return 0.5;
        }
        match self.times.partition_point(|other| *other <= time) {
            0 => 0.0,
            after if after > last => 1.0,
            after => {
                let (left, right) = (self.times[after - 1], self.times[after]);
                let between = (time - left) as f64 / (right - left) as f64;
                ((after - 1) as f64 + between) / last as f64
            }
        }
    }

    /// The times at equal distances across the chart, in minutes since the epoch, for the script.
    pub(crate) fn samples(&self) -> Vec<i64> {
        let last = self.times.len() - 1;
        let count = last.clamp(1, SAMPLES);
        (0..=count).map(|index| self.times[index * last / count] / MINUTE_MS).collect()
    }

    /// Round dates, as many as there is room for.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let (first, last) = (self.times[0], self.times[self.times.len() - 1]);
        let fits = |step: &&Step| (last - first) / step.least_ms() < MAX_TICKS;
        let step = *STEPS.iter().find(fits).unwrap_or(&STEPS[STEPS.len() - 1]);
        let mut ticks: Vec<Tick> = Vec::new();
        for time in step.times(first, last) {
            let place = self.place(time);
            if ticks.last().is_none_or(|before| place - before.place >= MIN_DISTANCE) {
                ticks.push(Tick { place, label: step.label(time) });
            }
        }
        // A lone time of day would not say which day.
        if ticks.len() < 2 {
            ticks.clear();
            let first = Timestamp::from_millis(first).unwrap_or(Timestamp::EPOCH);
            ticks.push(Tick { place: self.place(first), label: crate::dates::minute(first) });
        }
        ticks
    }
}

impl Step {
    fn least_ms(self) -> i64 {
        match self {
            Self::Millis(ms) => ms,
            Self::Months(months) => months * 30 * DAY_MS,
        }
    }

    /// The round times from `first` to `last`, in milliseconds.
    fn times(self, first: i64, last: i64) -> Vec<Timestamp> {
        let most = 2 * MAX_TICKS;
        match self {
            Self::Millis(step) => {
                let origin = if step % (7 * DAY_MS) == 0 { FIRST_MONDAY_MS } else { 0 };
                let start = first + (origin - first).rem_euclid(step);
                (0..most)
                    .map(|index| start + index * step)
                    .take_while(|time| *time <= last)
                    .collect::<Vec<_>>()
            }
            Self::Months(step) => {
                let start = utc(Timestamp::from_millis(first).unwrap_or(Timestamp::EPOCH));
                let month = i64::from(start.year()) * 12 + i64::from(start.month0());
                let start = month.div_euclid(step) * step;
                let months = (0..most).map(|index| month_start(start + index * step));
                months.flatten().skip_while(|time| *time < first).take_while(|time| *time <= last).collect()
            }
        }
        .into_iter()
        .filter_map(Timestamp::from_millis)
        .collect()
    }

    fn label(self, time: Timestamp) -> String {
        let date = utc(time);
        let is_midnight = date.num_seconds_from_midnight() == 0;
        let format = match self {
            Self::Millis(step) if step < DAY_MS && !is_midnight => "%H:%M",
            Self::Millis(_) => "%-d %b",
            Self::Months(months) if months < 12 => "%b %Y",
            Self::Months(_) => "%Y",
        };
        date.format(format).to_string()
    }
}

/// Midnight of the first day of `month`, counted from January of the year 0.
fn month_start(month: i64) -> Option<i64> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let month = u32::try_from(month.rem_euclid(12)).ok()? + 1;
    Some(NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn axis(start: &str, step_ms: i64, count: i64) -> TimeAxis {
        TimeAxis::over((0..count).map(|index| at(start).plus_millis(index * step_ms))).unwrap()
    }

    fn labels(axis: &TimeAxis) -> Vec<String> {
        axis.ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn two_weeks_of_hours_have_a_date_every_other_day() {
        let axis = axis("2024-03-01", HOUR_MS, 337);
        assert_eq!(labels(&axis), ["2 Mar", "4 Mar", "6 Mar", "8 Mar", "10 Mar", "12 Mar", "14 Mar"]);
        assert!((axis.ticks()[0].place - 1.0 / 14.0).abs() < 1e-12);
    }

    #[test]
    fn a_year_has_months_and_decades_have_years() {
        assert_eq!(labels(&axis("2024-01-15", DAY_MS, 366))[..2], ["Mar 2024", "May 2024"]);
        assert_eq!(labels(&axis("1999-06-01", 30 * DAY_MS, 300))[..2], ["2000", "2005"]);
    }

    #[test]
    fn an_afternoon_has_hours() {
        assert_eq!(
            labels(&axis("2024-03-01T20:30:00Z", MINUTE_MS, 300)),
            ["21:00", "22:00", "23:00", "2 Mar", "01:00"]
        );
    }

    #[test]
    fn a_closed_market_takes_no_room() {
        let friday = (0..5).map(|hour| at("2024-03-01T15:00:00Z").plus_millis(hour * HOUR_MS));
        let monday = (0..6).map(|hour| at("2024-03-04T15:00:00Z").plus_millis(hour * HOUR_MS));
        let axis = TimeAxis::over(friday.chain(monday)).unwrap();
        assert_eq!(axis.place(at("2024-03-04T15:00:00Z")), 0.5);
    }

    #[test]
    fn one_time_lies_in_the_middle_and_is_named() {
        let axis = axis("2024-03-01T13:30:00Z", 1, 1);
        assert_eq!(axis.ticks(), [Tick { place: 0.5, label: "1 Mar 2024, 13:30".to_owned() }]);
        assert!(TimeAxis::over([]).is_none());
    }

    #[test]
    fn all_of_time_fits() {
        let ends = ["0000-01-01", "9999-12-31"].map(at);
        let axis = TimeAxis::over(ends).unwrap();
        assert!((2..=12).contains(&axis.ticks().len()), "{:?}", axis.ticks());
        assert_eq!((axis.place(ends[0]), axis.place(ends[1])), (0.0, 1.0));
    }
}
