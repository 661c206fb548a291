//! How fast bars come, and at which counts of them a ledger is looked at.

use super::rules::{EvidenceRules, RulesError, in_range};

/// Days in a year of the calendar, for a span of bars in time.
const CALENDAR_DAYS: f64 = 365.0;
/// Days of the market between two looks.
pub(super) const LOOK_EVERY_DAYS: f64 = 1.0;
/// Most bars in a day: one a second.
const MAX_BARS_PER_DAY: f64 = 86_400.0;

/// How many bars a market closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarketPace {
    bars_per_day: f64,
    bars_per_year: f64,
}

impl MarketPace {
    /// A market with so many bars in a day of its own and in a year.
    ///
    /// # Errors
    /// When a number is not above 0, a day has more than 86,400 bars, or a year fewer than a day or more than 366 days.
    pub fn new(bars_per_day: f64, bars_per_year: f64) -> Result<Self, RulesError> {
        let allowed = bars_per_day > 0.0 && bars_per_day <= MAX_BARS_PER_DAY;
        in_range("bars_per_day", bars_per_day, allowed, "above 0 and at most 86400")?;
        let days = bars_per_year / bars_per_day;
        let allowed = bars_per_year >= 1.0 && (1.0..=366.0).contains(&days);
        in_range("bars_per_year", bars_per_year, allowed, "1 to 366 times bars_per_day")?;
        Ok(Self { bars_per_day, bars_per_year })
    }

    /// Bars in a day of the market.
    pub fn bars_per_day(self) -> f64 {
        self.bars_per_day
    }

    /// Bars in a year.
    pub fn bars_per_year(self) -> f64 {
        self.bars_per_year
    }

    /// Days of the market in a year.
    pub fn days_per_year(self) -> f64 {
        self.bars_per_year / self.bars_per_day
    }

    /// Days of the market that `bars` take.
    pub fn days(self, bars: usize) -> f64 {
        bars as f64 / self.bars_per_day
    }

    /// Bars in `days` of the market, at least one.
    pub fn bars_in(self, days: f64) -> usize {
        ((days * self.bars_per_day).round() as usize).max(1)
    }

    /// Hours of the calendar in which `bars` close, in the mean.
    pub fn hours(self, bars: usize) -> f64 {
        bars as f64 / self.bars_per_year * CALENDAR_DAYS * 24.0
    }
}

/// The counts of bars at which a ledger is looked at: every day, after enough days and bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    every: usize,
    earliest: usize,
}

impl Looks {
    /// The looks that `rules` allow in a market of this pace.
    pub fn new(pace: MarketPace, rules: &EvidenceRules) -> Self {
        let earliest = pace.bars_in(rules.first_look_days).max(rules.min_counted_bars);
        Self { every: pace.bars_in(LOOK_EVERY_DAYS), earliest }
    }

    /// Bars between two looks.
    pub fn every(self) -> usize {
        self.every
    }

    /// Fewest bars of a look; the first is at the next multiple of [`Looks::every`].
    pub fn earliest(self) -> usize {
        self.earliest
    }

    /// Bars of the first look.
    pub fn first(self) -> usize {
        self.earliest.next_multiple_of(self.every)
    }

    /// Bars of the last look at a ledger of `bars`; none as long as it is too short.
    pub fn last(self, bars: usize) -> Option<usize> {
        let look = bars - bars % self.every;
        (look >= self.first()).then_some(look)
    }

    /// Number of looks that a ledger of `bars` has had.
    pub fn made(self, bars: usize) -> usize {
        self.last(bars).map_or(0, |look| (look - self.first()) / self.every + 1)
    }

    /// Bars that are still missing to the next look, at least one.
    pub fn missing(self, bars: usize) -> usize {
        let next = self.last(bars).map_or(self.first(), |look| look + self.every);
        next - bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(bars_per_day: f64, bars_per_year: f64) -> Looks {
        let pace = MarketPace::new(bars_per_day, bars_per_year).unwrap();
        Looks::new(pace, &EvidenceRules::default())
    }

    #[test]
    fn hourly_bars_are_looked_at_from_bar_336_on_and_every_24() {
        let hourly = looks(24.0, 8_760.0);
        assert_eq!(
            [335, 336, 359, 360].map(|bars| hourly.last(bars)),
            [None, Some(336), Some(336), Some(360)]
        );
        assert_eq!([0, 335, 336, 359, 360].map(|bars| hourly.missing(bars)), [336, 1, 24, 1, 24]);
        assert_eq!([335, 336, 359, 8_760].map(|bars| hourly.made(bars)), [0, 1, 1, 352]);
    }

    #[test]
    fn daily_bars_wait_for_250_of_them() {
        let daily = looks(1.0, 365.0);
        assert_eq!((daily.last(249), daily.last(250), daily.missing(250)), (None, Some(250), 1));
    }

    #[test]
    fn a_first_look_lies_on_a_whole_day() {
        // 250 bars are 35.7 days of 7 bars.
        let stocks = looks(7.0, 1_764.0);
        assert_eq!((stocks.first(), stocks.last(251), stocks.last(252)), (252, None, Some(252)));
    }

    #[test]
    fn bars_longer_than_a_day_are_looked_at_one_by_one() {
        assert_eq!(looks(1.0 / 7.0, 365.0 / 7.0).every(), 1);
    }

    #[test]
    fn a_pace_that_no_market_has_is_refused() {
        for (day, year, key) in [
            (0.0, 1.0, "bars_per_day"),
            (f64::NAN, 1.0, "bars_per_day"),
            (24.0, 8.0, "bars_per_year"),
            (24.0, 10_000.0, "bars_per_year"),
            (24.0, f64::NAN, "bars_per_year"),
        ] {
            let error = MarketPace::new(day, year).unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }

    #[test]
    fn spans_of_bars_have_a_length() {
        let stocks = MarketPace::new(7.0, 1_764.0).unwrap();
        assert_eq!((stocks.days(14), stocks.bars_in(2.0), stocks.days_per_year()), (2.0, 14, 252.0));
        assert!((stocks.hours(7) - 365.0 / 252.0 * 24.0).abs() < 1e-9);
    }
}
