//! The ledger of an arm against its reference under the product's rules, and when it first came to each grade.

use walkforward_core::Grade;
use walkforward_promoter::{Decider, EvidenceRules, Looks, MarketPace, Recent, Sequential, SequentialTest};
use walkforward_stats::{exceeded_with, paired_p_value_is_at_most};

use crate::SimulationError;
use crate::market::{BARS_PER_DAY, BARS_PER_YEAR};

/// A bootstrap whose blocks say that the mean varies by less than half of what independent bars would is not expected:
/// below this share of the level's quantile a lead is not put to it.
const HOPELESS: f64 = 0.5;

/// Live bars of the ledger at which something was first so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Milestones {
    /// Luck alone does as well rarely enough for a provisional grade.
    pub(crate) provisional: Option<usize>,
    /// Rarely enough for a screened one.
    pub(crate) screened: Option<usize>,
    /// The registered test was crossed at the arm's share of the line-year.
    pub(crate) qualified: Option<usize>,
    /// It was crossed at the level of the whole line-year, as of a line's only arm.
    pub(crate) qualified_alone: Option<usize>,
    /// The e-process was crossed at the arm's share.
    pub(crate) betting: Option<usize>,
    /// It was crossed at the level of the whole line-year.
    pub(crate) betting_alone: Option<usize>,
}

/// The rules as a simulation asks for them.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    rules: EvidenceRules,
    pace: MarketPace,
    pub(crate) looks: Looks,
    horizon: usize,
}

impl Judge {
    pub(crate) fn new(rules: &EvidenceRules) -> Result<Self, SimulationError> {
        let pace = MarketPace::new(BARS_PER_DAY as f64, BARS_PER_YEAR as f64)?;
        Ok(Self {
            looks: Looks::new(pace, rules),
            horizon: rules.horizon_bars(pace),
            pace,
            rules: rules.clone(),
        })
    }

    pub(crate) fn rules(&self) -> &EvidenceRules {
        &self.rules
    }

    fn registered(&self, alpha: f64) -> Result<SequentialTest, SimulationError> {
        Ok(SequentialTest::registered(self.pace, self.horizon, alpha, &self.rules)?)
    }

    /// Whether the bootstrap's p of the differences that end at a look is at most `level`.
    pub(crate) fn p_is_at_most(
        &self,
        differences: &[f64],
        level: f64,
        seed: u64,
    ) -> Result<bool, SimulationError> {
        let window = Recent::window(differences, self.pace, &self.rules);
        let quantile = exceeded_with(level).unwrap_or(0.0).max(0.0);
        if independent_z(window) < HOPELESS * quantile {
            return Ok(false);
        }
        let bootstrap = Recent::bootstrap(window, self.pace, &self.rules, seed);
        Ok(paired_p_value_is_at_most(window, level, &bootstrap)?)
    }
}

/// Mean over its standard error, as of independent bars; 0 of bars that do not vary.
fn independent_z(differences: &[f64]) -> f64 {
    let n = differences.len() as f64;
    let sum: f64 = differences.iter().sum();
    let squares: f64 = differences.iter().map(|value| value * value).sum();
    let z = sum / (squares - sum * sum / n).sqrt();
    if z.is_finite() { z } else { 0.0 }
}

/// A ledger from its first bar on.
pub(crate) struct Ledger<'a> {
    judge: &'a Judge,
    seed: u64,
    differences: Vec<f64>,
    replayed: usize,
    shared: SequentialTest,
    /// The same at the level of the whole line-year, where somebody asks for it.
    alone: Option<SequentialTest>,
    milestones: Milestones,
}

impl<'a> Ledger<'a> {
    /// A ledger before its first bar, with a test registered over the horizon.
    pub(crate) fn new(judge: &'a Judge, seed: u64) -> Result<Self, SimulationError> {
        Ok(Self {
            judge,
            seed,
            differences: Vec::new(),
            replayed: 0,
            shared: judge.registered(judge.rules.alpha_share())?,
            alone: None,
            milestones: Milestones::default(),
        })
    }

    /// A ledger before its first bar without a registered test: the e-process may qualify it, at `level`.
    pub(crate) fn anytime(judge: &'a Judge, seed: u64, level: f64) -> Result<Self, SimulationError> {
        let shared = SequentialTest::e_process(judge.pace, level, &judge.rules)?;
        Ok(Self { shared, ..Self::new(judge, seed)? })
    }

    /// The same with the tests of a line's only arm.
    pub(crate) fn with_both_levels(self) -> Result<Self, SimulationError> {
        Ok(Self { alone: Some(self.judge.registered(self.judge.rules.qualified_alpha)?), ..self })
    }

    /// Takes a bar that was replayed before the first live one: it counts for the bootstrap alone.
    pub(crate) fn replay(&mut self, difference: f64) {
        self.differences.push(difference);
        self.replayed = self.differences.len();
    }

    /// Takes the next live bar.
    pub(crate) fn push(&mut self, difference: f64) -> Result<(), SimulationError> {
        self.differences.push(difference);
        self.shared.push(difference)?;
        match &mut self.alone {
            Some(alone) => Ok(alone.push(difference)?),
            None => Ok(()),
        }
    }

    /// Whether it has no registered test, and its e-process has crossed its level.
    pub(crate) fn is_crossed_anytime(&self) -> bool {
        let Sequential { decider, qualified_at, .. } = self.shared.standing();
        decider == Decider::EProcess && qualified_at.is_some()
    }

    /// Bars so far, the replayed ones included.
    pub(crate) fn bars(&self) -> usize {
        self.differences.len()
    }

    /// Whether the rules look at the ledger after this bar.
    pub(crate) fn is_look(&self) -> bool {
        self.judge.looks.last(self.bars()) == Some(self.bars())
    }

    /// Whether luck alone does as well with a probability of at most `level`, at the last look; not before the first.
    pub(crate) fn reaches(&self, level: f64) -> Result<bool, SimulationError> {
        let Some(look) = self.judge.looks.last(self.bars()) else { return Ok(false) };
        self.judge.p_is_at_most(&self.differences[..look], level, self.seed ^ look as u64)
    }

    /// The grade at the last look, if it is `least` or a higher one.
    pub(crate) fn grade_from(&self, least: Grade) -> Result<Option<Grade>, SimulationError> {
        let live = self.judge.looks.last(self.bars()).map(|look| look - self.replayed);
        if self.shared.qualified_at().is_some_and(|bars| live.is_some_and(|live| bars <= live)) {
            return Ok(Some(Grade::Qualified));
        }
        let mut reached = None;
        // The lower levels first: most ledgers reach none.
        for grade in Grade::ALL.into_iter().filter(|grade| *grade >= least) {
            match self.judge.rules.needed_p(grade) {
                Some(p) if self.reaches(p)? => reached = Some(grade),
                _ => break,
            }
        }
        Ok(reached)
    }

    /// Takes the next bar, and at a look notes what it first came to.
    pub(crate) fn follow(&mut self, difference: f64) -> Result<(), SimulationError> {
        self.push(difference)?;
        if self.is_look() { self.look() } else { Ok(()) }
    }

    /// Notes, at a look, which grades by the bootstrap it first came to; those that it has had are not looked for again.
    pub(crate) fn look(&mut self) -> Result<(), SimulationError> {
        let bars = self.bars() - self.replayed;
        let levels = (self.judge.rules.provisional_p, self.judge.rules.screened_p);
        if self.milestones.provisional.is_none() && self.reaches(levels.0)? {
            self.milestones.provisional = Some(bars);
        }
        let may_be_screened = self.milestones.provisional.is_some() && self.milestones.screened.is_none();
        if may_be_screened && self.reaches(levels.1)? {
            self.milestones.screened = Some(bars);
        }
        Ok(())
    }

    /// What it came to, with the tests that need no look.
    pub(crate) fn milestones(&self) -> Milestones {
        Milestones {
            qualified: self.shared.qualified_at(),
            qualified_alone: self.alone.as_ref().and_then(SequentialTest::qualified_at),
            betting: self.shared.e_process_crossed_at(),
            betting_alone: self.alone.as_ref().and_then(SequentialTest::e_process_crossed_at),
            ..self.milestones
        }
    }
}

#[cfg(test)]
impl Ledger<'_> {
    /// Level of the test that qualifies, and whether that is a registered one.
    pub(crate) fn deciding_level(&self) -> (f64, bool) {
        let Sequential { decider, alpha, .. } = self.shared.standing();
        (alpha, decider == Decider::RegisteredTest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{PairStream, PairWorld};
    use crate::random::world;
    use crate::{Against, Market};
    use walkforward_promoter::{LedgerSeries, Standing};

    fn judge() -> Judge {
        Judge::new(&EvidenceRules::default()).unwrap()
    }

    fn differences(gap: f64, bars: usize, number: u64) -> Vec<f64> {
        let mut rng = world(11, number);
        let world_of = PairWorld { against: Against::Flat, ..PairWorld::reference(Market::GarchT, 0.0) };
        let mut stream = PairStream::new(world_of, gap, &mut rng);
        (0..bars).map(|_| stream.next(&mut rng).difference()).collect()
    }

    #[test]
    fn a_short_cut_decides_as_the_rules_do() {
        let judge = judge();
        let mut decided = [0, 0];
        for number in 0..40 {
            let bars = [336, 480, 2_400][number as usize % 3];
            let differences = differences([0.0, 2.0, 4.0][number as usize / 3 % 3], bars, number);
            let p = Recent::of(&differences, judge.pace, &judge.rules, number).unwrap().p;
            for level in [0.2, 0.01] {
                let found = judge.p_is_at_most(&differences, level, number).unwrap();
                assert_eq!(found, p <= level, "world {number}: p = {p}, level {level}");
                decided[usize::from(found)] += 1;
            }
        }
        assert!(decided.iter().all(|count| *count >= 10), "{decided:?}");
    }

    #[test]
    fn hopeless_leads_are_as_hopeless_as_they_look() {
        let judge = judge();
        for number in 0..30 {
            let differences = differences(0.0, 336, 1_000 + number);
            for level in [0.2, 0.01] {
                if !judge.p_is_at_most(&differences, level, 1).unwrap() {
                    let in_full = Recent::bootstrap(&differences, judge.pace, &judge.rules, 1);
                    assert!(!paired_p_value_is_at_most(&differences, level, &in_full).unwrap());
                }
            }
        }
    }

    #[test]
    fn milestones_are_those_of_the_standing() {
        let judge = judge();
        for number in 0..6 {
            let differences = differences(6.0, 2_400, 50 + number);
            let mut ledger = Ledger::new(&judge, 0).unwrap();
            differences.iter().for_each(|value| ledger.follow(*value).unwrap());
            let found = ledger.milestones();
            let horizon = walkforward_core::Horizon {
                after: walkforward_core::Timestamp::EPOCH,
                bars: judge.horizon,
                alpha: judge.rules.alpha_share(),
                broken: None,
                crossed_at: None,
            };
            let series =
                LedgerSeries { horizon: Some(&horizon), ..LedgerSeries::of(&differences, judge.pace) };
            let standing = Standing::of_series(&series, &judge.rules).unwrap();
            assert_eq!(found.qualified, standing.sequential.qualified_at, "world {number}");
        }
    }

    #[test]
    fn replayed_bars_count_for_the_bootstrap_alone() {
        let judge = judge();
        let mut ledger = Ledger::new(&judge, 1).unwrap();
        differences(60.0, 480, 3).iter().for_each(|value| ledger.replay(*value));
        assert!(ledger.is_look());
        ledger.look().unwrap();
        let expected = Milestones { provisional: Some(0), screened: Some(0), ..Milestones::default() };
        assert_eq!(ledger.milestones(), expected);
    }

    #[test]
    fn a_ledger_is_looked_at_once_a_day_after_two_weeks() {
        let judge = judge();
        let mut ledger = Ledger::new(&judge, 1).unwrap();
        let mut looks = Vec::new();
        for _ in 0..400 {
            ledger.push(0.0).unwrap();
            looks.extend(ledger.is_look().then_some(ledger.bars()));
        }
        assert_eq!(looks, [336, 360, 384]);
        assert!(!ledger.reaches(0.2).unwrap());
        assert_eq!(ledger.milestones(), Milestones::default());
    }
}
