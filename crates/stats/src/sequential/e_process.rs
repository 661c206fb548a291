//! Evidence that may be read at any time: a mixture of bets.

use crate::Error;
use crate::error::{all_usable, in_range, usable};

/// Most bets side by side.
pub const MAX_TARGET_SHARPES: usize = 16;
/// No bet risks more of its wealth on a difference at the bound.
const MOST_AT_RISK: f64 = 0.95;

/// Least bound of a difference: a smaller one is no return.
const LEAST_BOUND: f64 = 1e-9;

/// How the bets are sized.
#[derive(Debug, Clone, PartialEq)]
pub struct EProcessSettings {
    /// Annual Sharpe ratios of the difference that the bets are made for, 1 to [`MAX_TARGET_SHARPES`] of them.
    pub target_sharpes: Vec<f64>,
    /// Bars in a year, 8760 for hourly bars of a market that never closes.
    pub periods_per_year: f64,
    /// Deviation of the difference per bar before the first bar.
    pub initial_deviation: f64,
    /// No difference is below `-bound`: the account can't lose more against the other in a bar.
    pub bound: f64,
    /// Share of the variance estimate that a bar keeps, such as 0.995.
    pub variance_decay: f64,
}

impl EProcessSettings {
    /// Targets 1, 2, 4 and 8, a bound of 0.2 and a decay of 0.995.
    pub fn standard(periods_per_year: f64, initial_deviation: f64) -> Self {
        Self {
            target_sharpes: vec![1.0, 2.0, 4.0, 8.0],
            periods_per_year,
            initial_deviation,
            bound: 0.2,
            variance_decay: 0.995,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let targets = self.target_sharpes.len();
        if !(1..=MAX_TARGET_SHARPES).contains(&targets) {
            let expected = format!("1 to {MAX_TARGET_SHARPES}");
            return Err(Error::Length { name: "the target Sharpe ratios", found: targets, expected });
        }
        for target in all_usable("target Sharpe ratio", &self.target_sharpes)? {
            in_range("a target Sharpe ratio", *target, *target > 0.0, "a number above 0")?;
        }
        let positive = |name, value: f64| {
            in_range(name, value, value.is_finite() && value > 0.0, "a finite number above 0")
        };
        positive("periods per year", self.periods_per_year)?;
        positive("the initial deviation", self.initial_deviation)?;
        let allowed = self.bound.is_finite() && self.bound >= LEAST_BOUND;
        in_range("the bound", self.bound, allowed, "a finite number of at least 1e-9")?;
        let decay = self.variance_decay;
        in_range("the variance decay", decay, (0.0..1.0).contains(&decay), "a number in [0, 1)")?;
        Ok(())
    }
}

/// Mixture betting e-process of `H0: E[d_t | past] <= 0` for differences `d_t` per bar.
///
/// `log E_t = log (1/K) sum_k prod_{s<=t} (1 + lam_{k,s} d_s)` with
/// `lam_{k,s} = min((S_k / sqrt(ppy)) / sigma_{s-1}, 0.95 / bound)` and
/// `sigma^2_s = decay sigma^2_{s-1} + (1 - decay) d_s^2`: a bet on bar s uses the bars before it. Under H0
/// `P(sup E_t >= 1/alpha) <= alpha` (Ville), whenever and however often one looks, as long as `d_t >= -bound`.
/// E-values of tests on the same bars may be averaged, never multiplied.
#[derive(Debug, Clone, PartialEq)]
pub struct EProcess {
    settings: EProcessSettings,
    log_wealth: Vec<f64>,
    variance: f64,
    log_e: f64,
    max_log_e: f64,
    n: usize,
}

/// All that an e-process has come to: with its settings, [`EProcess::resume`] goes on to the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct EProcessState {
    /// Natural logarithm of each bet's wealth, one for each target.
    pub log_wealth: Vec<f64>,
    /// Estimate of the difference's variance per bar, at least 0.
    pub variance: f64,
    /// Largest `log E` so far, at least 0.
    pub max_log_e: f64,
    /// Number of bars.
    pub n: usize,
}

impl EProcess {
    /// What it has come to.
    pub fn state(&self) -> EProcessState {
        let Self { log_wealth, variance, max_log_e, n, .. } = self;
        EProcessState { log_wealth: log_wealth.clone(), variance: *variance, max_log_e: *max_log_e, n: *n }
    }

    /// The e-process of `settings` that had come to `state`.
    ///
    /// # Errors
    /// A setting out of range, or a state that no e-process of these settings comes to.
    pub fn resume(settings: EProcessSettings, state: EProcessState) -> Result<Self, Error> {
        let fresh = Self::new(settings)?;
        let EProcessState { log_wealth, variance, max_log_e, n } = state;
        let (found, targets) = (log_wealth.len(), fresh.log_wealth.len());
        if found != targets {
            return Err(Error::Length { name: "the bets of a state", found, expected: targets.to_string() });
        }
        all_usable("log wealth", &log_wealth)?;
        let is_variance = variance.is_finite() && variance >= 0.0;
        in_range("the variance of a state", variance, is_variance, "a finite number of at least 0")?;
        let log_e = if n == 0 { 0.0 } else { log_mean_exp(&log_wealth) };
        let is_largest = max_log_e.is_finite() && max_log_e >= log_e.max(0.0);
        in_range("the largest log E of a state", max_log_e, is_largest, "at least 0 and the present one")?;
        Ok(Self { log_wealth, variance, log_e, max_log_e, n, ..fresh })
    }

    /// An e-process before its first bar, with `E = 1`.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn new(settings: EProcessSettings) -> Result<Self, Error> {
        settings.check()?;
        let log_wealth = vec![0.0; settings.target_sharpes.len()];
        let variance = settings.initial_deviation.powi(2);
        Ok(Self { settings, log_wealth, variance, log_e: 0.0, max_log_e: 0.0, n: 0 })
    }

    /// Takes the difference of the next bar and returns `log E`.
    ///
    /// # Errors
    /// When the difference is NaN, infinite, beyond 1e100 or below `-bound`; the e-process is then unchanged.
    pub fn push(&mut self, difference: f64) -> Result<f64, Error> {
        usable("difference", self.n, difference)?;
        if difference < -self.settings.bound {
            return Err(Error::BelowBound { value: difference, bound: self.settings.bound });
        }
        let deviation_per_year = self.variance.sqrt() * self.settings.periods_per_year.sqrt();
        let largest_bet = MOST_AT_RISK / self.settings.bound;
        for (wealth, target) in self.log_wealth.iter_mut().zip(&self.settings.target_sharpes) {
            let bet = (target / deviation_per_year).min(largest_bet);
            *wealth += (bet * difference).ln_1p();
        }
        let decay = self.settings.variance_decay;
        self.variance = decay * self.variance + (1.0 - decay) * difference * difference;
        self.log_e = log_mean_exp(&self.log_wealth);
        self.max_log_e = self.max_log_e.max(self.log_e);
        self.n += 1;
        Ok(self.log_e)
    }

    /// `log E` after the last bar; 0 before the first.
    pub fn log_e(&self) -> f64 {
        self.log_e
    }

    /// Largest `log E` so far, at least 0.
    pub fn max_log_e(&self) -> f64 {
        self.max_log_e
    }

    /// Number of bars.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Whether E ever reached `1 / alpha`; never for an `alpha` that is not above 0.
    pub fn rejects_at(&self, alpha: f64) -> bool {
        alpha > 0.0 && self.max_log_e >= -alpha.ln()
    }
}

/// `ln(mean(exp(values)))` without overflow.
fn log_mean_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = values.iter().map(|value| (value - largest).exp()).sum();
    largest + (total / values.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn process() -> EProcess {
        EProcess::new(EProcessSettings::standard(8_760.0, 0.005)).unwrap()
    }

    /// `log E` after uniform differences of deviation 0.005 around `mean`.
    fn run(bars: usize, mean: f64, seed: u64) -> EProcess {
        let mut random = SplitMix64::stream(seed, 0);
        let mut process = process();
        for _ in 0..bars {
            process.push(mean + 0.005 * 12.0_f64.sqrt() * (random.above_zero() - 0.5)).unwrap();
        }
        process
    }

    #[test]
    fn the_first_bet_is_made_with_the_initial_deviation() {
        let settings = EProcessSettings { target_sharpes: vec![2.0], ..EProcessSettings::standard(4.0, 0.5) };
        let mut process = EProcess::new(settings).unwrap();
        // lam = (2 / sqrt 4) / 0.5 = 2
        assert!((process.push(0.25).unwrap() - 1.5_f64.ln()).abs() < 1e-15);
        assert_eq!(process.n(), 1);
    }

    #[test]
    fn bars_without_a_difference_are_no_evidence() {
        let mut process = process();
        for _ in 0..100_000 {
            assert_eq!(process.push(0.0).unwrap(), 0.0);
        }
        assert!(process.push(0.01).unwrap().is_finite());
    }

    #[test]
    fn a_bet_survives_the_worst_difference() {
        let mut process = process();
        for _ in 0..50 {
            process.push(0.0).unwrap();
        }
        assert!(process.push(-0.2).unwrap().is_finite());
    }

    #[test]
    fn an_edge_is_found_and_without_one_at_most_alpha_are() {
        assert!((0..20).all(|seed| run(6_000, 0.000_5, seed).rejects_at(0.05)));
        let false_alarms = (0..300).filter(|seed| run(2_000, 0.0, 100 + seed).rejects_at(0.05)).count();
        assert!(false_alarms <= 24, "{false_alarms}");
    }

    #[test]
    fn the_largest_value_is_kept_when_the_evidence_fades() {
        let mut process = run(6_000, 0.000_5, 1);
        let reached = process.max_log_e();
        (0..500).for_each(|_| drop(process.push(-0.01)));
        assert!(process.log_e() < reached && process.max_log_e() == reached);
        assert!(process.rejects_at(0.05) && !process.rejects_at(0.0) && !process.rejects_at(f64::NAN));
    }

    #[test]
    fn a_difference_below_the_bound_is_refused_and_changes_nothing() {
        let mut process = run(10, 0.0, 2);
        let before = process.clone();
        assert_eq!(process.push(-0.21), Err(Error::BelowBound { value: -0.21, bound: 0.2 }));
        assert!(process.push(f64::NAN).is_err());
        assert_eq!(process, before);
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let good = EProcessSettings::standard(8_760.0, 0.005);
        let bad = [
            EProcessSettings { target_sharpes: vec![], ..good.clone() },
            EProcessSettings { target_sharpes: vec![-1.0], ..good.clone() },
            EProcessSettings { periods_per_year: 0.0, ..good.clone() },
            EProcessSettings { initial_deviation: 0.0, ..good.clone() },
            EProcessSettings { bound: f64::NAN, ..good.clone() },
            EProcessSettings { variance_decay: 1.0, ..good },
        ];
        assert!(bad.into_iter().all(|settings| EProcess::new(settings).is_err()));
    }

    #[test]
    fn a_state_goes_on_to_the_same_bits_and_one_that_can_not_be_is_refused() {
        let mut random = SplitMix64::stream(3, 0);
        let mut next = || 0.01 * (random.above_zero() - 0.48);
        let (mut whole, mut cut) = (process(), process());
        for bar in 0..300 {
            if bar % 37 == 0 {
                cut = EProcess::resume(EProcessSettings::standard(8_760.0, 0.005), cut.state()).unwrap();
            }
            let difference = next();
            whole.push(difference).unwrap();
            cut.push(difference).unwrap();
            assert_eq!(cut, whole);
        }
        let refused = |change: fn(&mut EProcessState)| {
            let mut state = whole.state();
            change(&mut state);
            EProcess::resume(EProcessSettings::standard(8_760.0, 0.005), state).unwrap_err()
        };
        refused(|state| state.log_wealth.truncate(3));
        refused(|state| state.log_wealth[0] = f64::NAN);
        refused(|state| state.variance = -1.0);
        refused(|state| state.max_log_e = -0.5);
        refused(|state| (state.max_log_e, state.log_wealth) = (0.0, vec![1.0; 4]));
    }
}
