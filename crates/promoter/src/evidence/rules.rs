//! Every number of the preset.

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use walkforward_core::Grade;

use super::MarketPace;
use super::pace::LOOK_EVERY_DAYS;

/// The bootstrap draws at least so many resamples for each candidate, divided by the level it is read at.
const RESAMPLES_PER_LEVEL: f64 = 20.0;
/// Most resamples that a rule may ask for: more change no decision and take seconds.
const MAX_RESAMPLES: usize = 100_000;
/// Most arms that a line-year's error is shared among.
const MAX_ARMS: u32 = 1_000;
/// Longest span of days that a rule may name: ten years.
const MAX_DAYS: f64 = 3_650.0;

/// What somebody typed. [`EvidenceRules::new`] says what it means. Spans are in days of the market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceSettings {
    /// Provisional at a bootstrap p of at most this.
    pub provisional_p: f64,
    /// Screened at a bootstrap p of at most this.
    pub screened_p: f64,
    /// Chance of a false qualification in a line-year, shared among the arms.
    pub qualified_alpha: f64,
    /// Arms that share it.
    pub max_arms: u32,
    /// Years that a registered test runs.
    pub horizon_years: f64,
    /// Days of bars that the bootstrap looks back.
    pub window_days: f64,
    /// Days of bars before the first look.
    pub first_look_days: f64,
    /// Bars before the first look, if that is later.
    pub min_counted_bars: usize,
    /// Least number of resamples.
    pub min_resamples: usize,
    /// The arm can't fall behind its reference by more in one bar: the market's declared bound of the e-process.
    pub loss_bound: f64,
    /// Annual deviation of the difference that the e-process assumes before its first bar.
    pub initial_annual_deviation: f64,
    /// Positions that differ by no more, as a fraction of equity, are the same decision.
    pub position_tolerance: f64,
    /// Days between two takeovers.
    pub cool_down_days: f64,
    /// Fewer closed trades decide nothing.
    pub min_trades: usize,
    /// Fewer separate stretches on which arm and reference differ decide nothing.
    pub min_stretches: usize,
    /// Largest drawdown on the hold-out, a positive fraction.
    pub max_drawdown: f64,
    /// Or this share of what holding the asset fell by on the same bars.
    pub max_drawdown_of_holding: f64,
    /// Largest turnover, in units of equity a day (a position opened and closed again is 2).
    pub max_turnover_per_day: f64,
    /// A refresh takes the serving snapshot's position on at least this share of the hold-out's bars, unless its arm leads its
    /// own anchor.
    pub min_agreement: f64,
    /// A refresh is worse than the serving snapshot at a bootstrap p of at most this.
    pub worse_p: f64,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            provisional_p: 0.20,
            screened_p: 0.01,
            qualified_alpha: 0.05,
            max_arms: 4,
            horizon_years: 1.0,
            window_days: 84.0,
            first_look_days: 14.0,
            min_counted_bars: 250,
            min_resamples: 1_999,
            loss_bound: 0.2,
            initial_annual_deviation: 0.6,
            position_tolerance: 0.05,
            cool_down_days: 1.0,
            min_trades: 10,
            min_stretches: 20,
            max_drawdown: 0.20,
            max_drawdown_of_holding: 0.75,
            max_turnover_per_day: 6.0,
            min_agreement: 0.6,
            worse_p: 0.05,
        }
    }
}

/// A setting that no rule can be made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{key} is {value}: expected {expected}")]
pub struct RulesError {
    pub(super) key: &'static str,
    pub(super) value: f64,
    pub(super) expected: &'static str,
}

/// [`EvidenceSettings`] that make sense together; they are read through `Deref`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EvidenceSettings", into = "EvidenceSettings")]
pub struct EvidenceRules(EvidenceSettings);

impl EvidenceRules {
    /// The rules that `settings` describe.
    ///
    /// # Errors
    /// When a setting is out of range, by its key.
    pub fn new(settings: EvidenceSettings) -> Result<Self, RulesError> {
        check_levels(&settings)?;
        check_spans(&settings)?;
        check_rails(&settings)?;
        Ok(Self(settings))
    }

    /// One-sided level of an arm's registered test and of its e-process: its share of the line-year.
    pub fn alpha_share(&self) -> f64 {
        self.qualified_alpha / f64::from(self.max_arms)
    }

    /// Resamples of every bootstrap: enough to read a p at the screened level.
    pub fn resamples(&self) -> usize {
        self.min_resamples.max((RESAMPLES_PER_LEVEL / self.screened_p).ceil() as usize)
    }

    /// The bootstrap p that gives a grade; none of the one that a sequential test gives.
    pub fn needed_p(&self, grade: Grade) -> Option<f64> {
        match grade {
            Grade::Provisional => Some(self.provisional_p),
            Grade::Screened => Some(self.screened_p),
            Grade::Qualified => None,
        }
    }

    /// Everything here that a sequential test depends on, as one line of text with numbers to the last bit. A test whose
    /// text has changed since it was registered is another one; level and horizon are registered beside it.
    pub fn test_text(&self) -> String {
        let Self(EvidenceSettings { first_look_days, min_counted_bars, loss_bound, .. }) = self;
        let deviation = self.initial_annual_deviation;
        format!(
            "first_look_days={first_look_days};min_counted_bars={min_counted_bars};look_every_days={LOOK_EVERY_DAYS};\
             loss_bound={loss_bound};initial_annual_deviation={deviation}"
        )
    }

    /// Bars over which a test has to be registered before its first bar.
    pub fn horizon_bars(&self, pace: MarketPace) -> usize {
        (self.horizon_years * pace.bars_per_year()).round() as usize
    }
}

impl Deref for EvidenceRules {
    type Target = EvidenceSettings;

    fn deref(&self) -> &EvidenceSettings {
        &self.0
    }
}

impl TryFrom<EvidenceSettings> for EvidenceRules {
    type Error = RulesError;

    fn try_from(settings: EvidenceSettings) -> Result<Self, RulesError> {
        Self::new(settings)
    }
}

impl From<EvidenceRules> for EvidenceSettings {
    fn from(rules: EvidenceRules) -> Self {
        rules.0
    }
}

pub(super) fn in_range(
    key: &'static str,
    value: f64,
    allowed: bool,
    expected: &'static str,
) -> Result<(), RulesError> {
    if allowed { Ok(()) } else { Err(RulesError { key, value, expected }) }
}

pub(super) fn probability(key: &'static str, value: f64) -> Result<(), RulesError> {
    in_range(key, value, value > 0.0 && value < 1.0, "a probability above 0 and below 1")
}

pub(super) fn fraction(key: &'static str, value: f64) -> Result<(), RulesError> {
    in_range(key, value, (0.0..=1.0).contains(&value), "a fraction between 0 and 1")
}

fn check_levels(settings: &EvidenceSettings) -> Result<(), RulesError> {
    probability("provisional_p", settings.provisional_p)?;
    probability("screened_p", settings.screened_p)?;
    probability("qualified_alpha", settings.qualified_alpha)?;
    probability("worse_p", settings.worse_p)?;
    let (screened, provisional) = (settings.screened_p, settings.provisional_p);
    in_range("screened_p", screened, screened <= provisional, "at most provisional_p")?;
    // A bootstrap says nothing below 1 / (resamples + 1), and has to stay affordable.
    let least = RESAMPLES_PER_LEVEL / MAX_RESAMPLES as f64;
    in_range("screened_p", screened, screened >= least, "at least 0.0002")?;
    let arms = settings.max_arms;
    in_range("max_arms", f64::from(arms), (1..=MAX_ARMS).contains(&arms), "1 to 1000")?;
    let resamples = settings.min_resamples;
    let allowed = (walkforward_stats::MIN_RESAMPLES..=MAX_RESAMPLES).contains(&resamples);
    in_range("min_resamples", resamples as f64, allowed, "999 to 100000")
}

fn check_spans(settings: &EvidenceSettings) -> Result<(), RulesError> {
    let days = |key, value: f64| {
        in_range(key, value, (1.0..=MAX_DAYS).contains(&value), "1 to 3650 days of the market")
    };
    days("window_days", settings.window_days)?;
    days("first_look_days", settings.first_look_days)?;
    let (first, window) = (settings.first_look_days, settings.window_days);
    in_range("first_look_days", first, first <= window, "at most window_days")?;
    let cool_down = settings.cool_down_days;
    in_range("cool_down_days", cool_down, (0.0..=MAX_DAYS).contains(&cool_down), "0 to 3650 days")?;
    let years = settings.horizon_years;
    in_range("horizon_years", years, (0.1..=10.0).contains(&years), "0.1 to 10 years")?;
    let bars = settings.min_counted_bars;
    in_range("min_counted_bars", bars as f64, (2..=1_000_000).contains(&bars), "2 to 1000000 bars")
}

fn check_rails(settings: &EvidenceSettings) -> Result<(), RulesError> {
    let bound = settings.loss_bound;
    in_range("loss_bound", bound, (1e-4..=2.0).contains(&bound), "0.0001 to 2, as a fraction of equity")?;
    let deviation = settings.initial_annual_deviation;
    let allowed = (1e-3..=10.0).contains(&deviation);
    in_range("initial_annual_deviation", deviation, allowed, "0.001 to 10 a year")?;
    fraction("position_tolerance", settings.position_tolerance)?;
    fraction("max_drawdown", settings.max_drawdown)?;
    fraction("max_drawdown_of_holding", settings.max_drawdown_of_holding)?;
    fraction("min_agreement", settings.min_agreement)?;
    let turnover = settings.max_turnover_per_day;
    let allowed = turnover > 0.0 && turnover <= 1e6;
    in_range("max_turnover_per_day", turnover, allowed, "above 0 and at most 1000000 times the equity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut EvidenceSettings), expected: &str) {
        let mut settings = EvidenceSettings::default();
        change(&mut settings);
        let error = EvidenceRules::new(settings).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn the_defaults_are_rules() {
        let rules = EvidenceRules::new(EvidenceSettings::default()).unwrap();
        assert_eq!(rules, EvidenceRules::default());
        assert_eq!((rules.alpha_share(), rules.resamples()), (0.0125, 2_000));
        assert_eq!(rules.horizon_bars(MarketPace::new(24.0, 8_760.0).unwrap()), 8_760);
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_its_key() {
        refused(|s| s.provisional_p = 0.0, "provisional_p is 0: expected a probability");
        refused(|s| s.screened_p = 1.0, "screened_p is 1");
        refused(|s| s.screened_p = 0.3, "screened_p is 0.3: expected at most provisional_p");
        refused(|s| s.screened_p = 0.000_1, "screened_p is 0.0001: expected at least");
        refused(|s| s.qualified_alpha = f64::NAN, "qualified_alpha is NaN");
        refused(|s| s.max_arms = 0, "max_arms is 0");
        refused(|s| s.min_resamples = 998, "min_resamples is 998");
        refused(|s| s.window_days = f64::INFINITY, "window_days is inf");
        refused(|s| s.first_look_days = 85.0, "first_look_days is 85: expected at most window_days");
        refused(|s| s.cool_down_days = -1.0, "cool_down_days is -1");
        refused(|s| s.horizon_years = 0.0, "horizon_years is 0");
        refused(|s| s.min_counted_bars = 1, "min_counted_bars is 1");
        refused(|s| s.loss_bound = 0.0, "loss_bound is 0");
        refused(|s| s.initial_annual_deviation = 0.0, "initial_annual_deviation is 0");
        refused(|s| s.position_tolerance = -0.1, "position_tolerance is -0.1");
        refused(|s| s.max_drawdown = 1.1, "max_drawdown is 1.1");
        refused(|s| s.max_drawdown_of_holding = f64::NAN, "max_drawdown_of_holding is NaN");
        refused(|s| s.max_turnover_per_day = 0.0, "max_turnover_per_day is 0");
        refused(|s| s.min_agreement = 2.0, "min_agreement is 2");
        refused(|s| s.worse_p = 0.0, "worse_p is 0");
    }

    #[test]
    fn the_bounds_of_a_setting_are_allowed() {
        let edge = EvidenceSettings {
            screened_p: 0.20,
            cool_down_days: 0.0,
            first_look_days: 84.0,
            max_drawdown: 1.0,
            min_agreement: 0.0,
            ..EvidenceSettings::default()
        };
        assert!(EvidenceRules::new(edge).is_ok());
    }

    #[test]
    fn settings_are_read_by_key_and_checked() {
        let read =
            |json: &str| serde_json::from_str::<EvidenceRules>(json).map_err(|error| error.to_string());
        assert_eq!(read("{}"), Ok(EvidenceRules::default()));
        assert_eq!(read(r#"{"max_arms": 2}"#).unwrap().alpha_share(), 0.025);
        assert!(read(r#"{"max_arms": 0}"#).unwrap_err().starts_with("max_arms is 0: expected 1 to 1000"));
        assert!(read(r#"{"max_arm": 2}"#).unwrap_err().starts_with("unknown field `max_arm`"));
        let json = serde_json::to_string(&EvidenceRules::default()).unwrap();
        assert_eq!(read(&json), Ok(EvidenceRules::default()));
    }

    #[test]
    fn the_text_of_the_test_changes_with_what_the_test_depends_on_and_with_nothing_else() {
        let text = |by: fn(&mut EvidenceSettings)| {
            let mut settings = EvidenceSettings::default();
            by(&mut settings);
            EvidenceRules::new(settings).unwrap().test_text()
        };
        let registered = text(|_| {});
        assert_eq!(
            registered,
            "first_look_days=14;min_counted_bars=250;look_every_days=1;loss_bound=0.2;initial_annual_deviation=0.6"
        );
        assert_ne!(text(|it| it.first_look_days = 7.0), registered);
        assert_ne!(text(|it| it.min_counted_bars = 251), registered);
        assert_ne!(text(|it| it.loss_bound = 0.2_f64.next_up()), registered);
        assert_ne!(text(|it| it.initial_annual_deviation = 0.61), registered);
        assert_eq!(text(|it| (it.provisional_p, it.screened_p) = (0.1, 0.02)), registered);
        assert_eq!(text(|it| (it.max_arms, it.min_agreement) = (2, 0.5)), registered);
    }

    #[test]
    fn a_smaller_screened_level_draws_more() {
        let settings = EvidenceSettings { screened_p: 0.001, ..EvidenceSettings::default() };
        assert_eq!(EvidenceRules::new(settings).unwrap().resamples(), 20_000);
    }
}
