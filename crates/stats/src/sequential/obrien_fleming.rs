//! A test over a fixed number of bars that may end early: curtailed O'Brien and Fleming.

use crate::Error;
use crate::error::{in_range, usable};
use crate::normal;
use crate::numeric::{CompensatedSum, finite};

/// Where the test stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualification {
    /// Bars are still coming in.
    Open,
    /// The boundary was crossed at the look after `bars` bars.
    Qualified {
        /// Number of bars.
        bars: usize,
    },
    /// The horizon was reached without crossing.
    NotQualified,
}

/// Curtailed O'Brien-Fleming test of `H0: the mean difference is at most 0`, one-sided at level `alpha`.
///
/// The horizon of N bars is fixed before the first bar. `Z_t = sum_{s<=t} d_s / sqrt(N mean_{s<=t} d_s^2)`; at each
/// look (every `bars_per_look` bars from `first_look` on) the test qualifies when
/// `Z_t >= Phi^-1(1 - alpha/2)`: by reflection a random walk reaches that within the horizon with probability alpha.
/// What comes after the decision is ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct CurtailedObrienFleming {
    horizon: usize,
    bars_per_look: usize,
    first_look: usize,
    boundary: f64,
    sum: CompensatedSum,
    squares: CompensatedSum,
    n: usize,
    standing: Qualification,
}

impl CurtailedObrienFleming {
    /// Hourly bars in a day.
    const DAILY: usize = 24;
    /// Hourly bars before the first look: 14 days.
    const FIRST_LOOK: usize = 336;

    /// The test with daily looks at hourly bars from bar 336 on.
    ///
    /// # Errors
    /// When `horizon` is below the first look or `alpha` is not in (0, 1).
    pub fn hourly(horizon: usize, alpha: f64) -> Result<Self, Error> {
        Self::new(horizon, alpha, Self::DAILY, Self::FIRST_LOOK)
    }

    /// A test over `horizon` bars with a look at each multiple of `bars_per_look` that is at least `first_look`.
    ///
    /// # Errors
    /// When `horizon` is below the first look, a look is every 0 bars, or `alpha` is not in (0, 1).
    pub fn new(horizon: usize, alpha: f64, bars_per_look: usize, first_look: usize) -> Result<Self, Error> {
        in_range("alpha", alpha, alpha > 0.0 && alpha < 1.0, "a number in (0, 1)")?;
        in_range("the bars per look", bars_per_look as f64, bars_per_look > 0, "at least 1")?;
        let allowed = horizon > 0 && horizon >= first_look;
        in_range("the horizon", horizon as f64, allowed, "at least the bars before the first look")?;
        let out_of_digits = Error::Setting { name: "alpha", value: alpha, expected: "a number above 1e-300" };
        Ok(Self {
            horizon,
            bars_per_look,
            first_look,
            boundary: normal::exceeded_with(alpha / 2.0).ok_or(out_of_digits)?,
            sum: CompensatedSum::default(),
            squares: CompensatedSum::default(),
            n: 0,
            standing: Qualification::Open,
        })
    }

    /// Takes the difference of the next bar.
    ///
    /// # Errors
    /// When the difference is NaN, infinite or beyond 1e100; the test is then unchanged.
    pub fn push(&mut self, difference: f64) -> Result<Qualification, Error> {
        usable("difference", self.n, difference)?;
        if self.standing == Qualification::Open {
            self.n += 1;
            self.sum.add(difference);
            self.squares.add(difference * difference);
            self.standing = self.look();
        }
        Ok(self.standing)
    }

    fn look(&self) -> Qualification {
        let is_look = self.n >= self.first_look && self.n.is_multiple_of(self.bars_per_look);
        if is_look && self.statistic().is_some_and(|z| z >= self.boundary) {
            Qualification::Qualified { bars: self.n }
        } else if self.n >= self.horizon {
            Qualification::NotQualified
        } else {
            Qualification::Open
        }
    }

    /// `Z_t` after the last bar; `None` as long as every difference is 0.
    pub fn statistic(&self) -> Option<f64> {
        let mean_square = self.squares.value() / self.n as f64;
        finite(self.sum.value() / (self.horizon as f64 * mean_square).sqrt())
    }

    /// What `Z_t` has to reach.
    pub fn boundary(&self) -> f64 {
        self.boundary
    }

    /// Where the test stands.
    pub fn standing(&self) -> Qualification {
        self.standing
    }

    /// Number of bars up to the decision.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The part of alpha that is spent by now: `2 (1 - Phi(boundary / sqrt(t / N)))` (Lan and DeMets 1983), from 0 to
    /// alpha.
    pub fn alpha_spent(&self) -> f64 {
        let progress = self.n as f64 / self.horizon as f64;
        if self.n == 0 { 0.0 } else { 2.0 * normal::exceeding(self.boundary / progress.sqrt()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn run(test: &mut CurtailedObrienFleming, bars: usize, mean: f64, seed: u64) -> Qualification {
        let mut random = SplitMix64::stream(seed, 0);
        for _ in 0..bars {
            test.push(mean + 0.01 * (random.above_zero() - 0.5)).unwrap();
        }
        test.standing()
    }

    #[test]
    fn the_boundary_is_the_two_sided_quantile() {
        let test = CurtailedObrienFleming::hourly(8_760, 0.05).unwrap();
        assert!((test.boundary() - 1.959_963_984_540_054).abs() < 1e-12);
        assert_eq!((test.statistic(), test.standing()), (None, Qualification::Open));
    }

    #[test]
    fn no_lead_qualifies_before_the_first_look_or_between_looks() {
        let mut test = CurtailedObrienFleming::new(100, 0.05, 24, 30).unwrap();
        for bar in 1..48 {
            assert_eq!(test.push(0.01).unwrap(), Qualification::Open, "bar {bar}");
        }
        assert_eq!(test.push(0.01).unwrap(), Qualification::Qualified { bars: 48 });
        assert_eq!(test.push(-1.0).unwrap(), Qualification::Qualified { bars: 48 });
        assert_eq!(test.n(), 48);
    }

    #[test]
    fn the_horizon_ends_the_test() {
        let mut test = CurtailedObrienFleming::hourly(400, 0.05).unwrap();
        assert_eq!(run(&mut test, 399, -0.001, 1), Qualification::Open);
        assert_eq!(run(&mut test, 1, -0.001, 1), Qualification::NotQualified);
        assert_eq!(run(&mut test, 500, 1.0, 1), Qualification::NotQualified);
    }

    #[test]
    fn models_that_decide_alike_have_no_statistic_and_do_not_qualify() {
        let mut test = CurtailedObrienFleming::hourly(400, 0.05).unwrap();
        (0..400).for_each(|_| drop(test.push(0.0)));
        assert_eq!((test.statistic(), test.standing()), (None, Qualification::NotQualified));
    }

    #[test]
    fn without_a_lead_about_alpha_qualify_within_the_horizon() {
        let qualified = (0..1_000)
            .filter(|seed| {
                let mut test = CurtailedObrienFleming::hourly(2_000, 0.05).unwrap();
                matches!(run(&mut test, 2_000, 0.0, 77 + seed), Qualification::Qualified { .. })
            })
            .count();
        assert!((25..=65).contains(&qualified), "{qualified}");
    }

    #[test]
    fn alpha_is_spent_late_and_in_full_at_the_horizon() {
        let mut test = CurtailedObrienFleming::hourly(1_000, 0.05).unwrap();
        assert_eq!(test.alpha_spent(), 0.0);
        run(&mut test, 500, -0.001, 3);
        // Lan and DeMets' spending of 0.05 at half the information.
        assert!((test.alpha_spent() - 0.005_574_6).abs() < 1e-6, "{}", test.alpha_spent());
        run(&mut test, 500, -0.001, 4);
        assert!((test.alpha_spent() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        assert!(CurtailedObrienFleming::hourly(335, 0.05).is_err());
        assert!(CurtailedObrienFleming::hourly(1_000, 0.0).is_err());
        assert!(CurtailedObrienFleming::hourly(1_000, f64::NAN).is_err());
        assert!(CurtailedObrienFleming::new(1_000, 0.05, 0, 1).is_err());
        let mut test = CurtailedObrienFleming::hourly(400, 0.05).unwrap();
        assert!(test.push(f64::INFINITY).is_err());
        assert_eq!(test.n(), 0);
    }
}
