//! One arm against its reference: how often, and how soon, it comes to each grade.

use serde::Serialize;
use walkforward_promoter::EvidenceRules;

use crate::error::{SimulationError, in_range};
use crate::ledger::{Judge, Ledger, Milestones};
use crate::market::BARS_PER_DAY;
use crate::pair::{PairStream, PairWorld};
use crate::parallel::Worlds;
use crate::random;
use crate::tally::{Share, median};

/// The span of a study's early column.
pub const EARLY_DAYS: usize = 30;
/// Longest study: ten years.
const MOST_DAYS: usize = 3_650;
/// Larger annual Sharpe gaps are no edges of a trader.
const LARGEST_GAP: f64 = 100.0;

/// An arm with a known gap to its reference, under the rules of promotion, one look a day.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmStudy {
    /// The arm and its reference.
    pub world: PairWorld,
    /// The arm's true annual Sharpe ratio less the reference's, net of costs.
    pub gap: f64,
    /// Days of live bars.
    pub days: usize,
    /// Days of bars that were replayed before; they count for provisional and screened, and are looked at on day 0.
    pub replayed_days: usize,
    /// The rules.
    pub rules: EvidenceRules,
}

/// How often a milestone was reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reached {
    /// Within [`EARLY_DAYS`].
    pub early: Share,
    /// Within the study's days.
    pub ever: Share,
    /// Days that it took in the middle of the worlds in which it was reached; none when it never was.
    pub median_days: Option<f64>,
}

impl Reached {
    fn of(worlds: &[Milestones], when: impl Fn(&Milestones) -> Option<usize>) -> Self {
        let days = worlds.iter().filter_map(&when).map(|bars| bars as f64 / BARS_PER_DAY as f64);
        Self {
            early: Share::of(worlds, |world| {
                when(world).is_some_and(|bars| bars <= EARLY_DAYS * BARS_PER_DAY)
            }),
            ever: Share::of(worlds, |world| when(world).is_some()),
            median_days: median(days.collect()),
        }
    }
}

/// What became of an arm in all worlds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmOutcome {
    /// The arm's gap.
    pub gap: f64,
    /// Provisional at the very first look.
    pub at_first_look: Share,
    /// Provisional.
    pub provisional: Reached,
    /// Screened.
    pub screened: Reached,
    /// Qualified by the registered test at the arm's share of the line-year.
    pub qualified: Reached,
    /// The same at the level of the whole line-year.
    pub qualified_alone: Reached,
    /// Qualified by the e-process at the arm's share.
    pub betting: Reached,
    /// The same at the level of the whole line-year.
    pub betting_alone: Reached,
}

impl ArmStudy {
    /// Runs the study. Studies under one seed share their markets and positions: a gap changes neither.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn run(&self, worlds: &Worlds<'_>) -> Result<ArmOutcome, SimulationError> {
        let judge = self.check()?;
        let milestones = worlds.each(|number| self.follow(&judge, worlds.seed, number))?;
        let first = judge.looks.first().saturating_sub(self.replayed_days * BARS_PER_DAY);
        let reached = |when: fn(&Milestones) -> Option<usize>| Reached::of(&milestones, when);
        Ok(ArmOutcome {
            gap: self.gap,
            at_first_look: Share::of(&milestones, |it| it.provisional.is_some_and(|bars| bars <= first)),
            provisional: reached(|it| it.provisional),
            screened: reached(|it| it.screened),
            qualified: reached(|it| it.qualified),
            qualified_alone: reached(|it| it.qualified_alone),
            betting: reached(|it| it.betting),
            betting_alone: reached(|it| it.betting_alone),
        })
    }

    fn check(&self) -> Result<Judge, SimulationError> {
        self.world.check()?;
        in_range("the gap", self.gap, -LARGEST_GAP..=LARGEST_GAP, "an annual Sharpe ratio from -100 to 100")?;
        in_range("the number of days", self.days as f64, 1.0..=MOST_DAYS as f64, "1 to 3650")?;
        in_range(
            "the number of replayed days",
            self.replayed_days as f64,
            0.0..=MOST_DAYS as f64,
            "0 to 3650",
        )?;
        Judge::new(&self.rules)
    }

    fn follow(&self, judge: &Judge, seed: u64, number: u64) -> Result<Milestones, SimulationError> {
        let mut rng = random::world(seed, number);
        let mut stream = PairStream::new(self.world, self.gap, &mut rng);
        let mut ledger = Ledger::new(judge, number)?.with_both_levels()?;
        for _ in 0..self.replayed_days * BARS_PER_DAY {
            ledger.replay(stream.next(&mut rng).difference());
        }
        if ledger.is_look() {
            ledger.look()?;
        }
        for _ in 0..self.days * BARS_PER_DAY {
            ledger.follow(stream.next(&mut rng).difference())?;
        }
        Ok(ledger.milestones())
    }
}
