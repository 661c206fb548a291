//! A line under the rules of promotion: arms that take over, snapshots that refresh, ledgers that begin anew.

mod refresh;
mod spending;
mod trader;
mod world;

use serde::Serialize;
use walkforward_promoter::EvidenceRules;

use crate::error::{SimulationError, in_range};
use crate::ledger::Judge;
use crate::market::{BARS_PER_DAY, Market};
use crate::pair::{Against, PairWorld, Snapshots};
use crate::parallel::Worlds;
use crate::tally::{Mean, Share, median};

use world::LineWorld;

/// Most arms of a line.
const MOST_ARMS: usize = 32;
/// Longest study: ten years.
const MOST_DAYS: usize = 3_650;
/// A champion that got in by luck should be gone after so many days.
const RECOVERY_DAYS: usize = 30;

/// Which bars judge the challengers of a new champion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Those after the evidence that promoted it: the rule.
    AtTakeover,
    /// Those that promoted it too: what the rule is there to prevent.
    Never,
}

/// A line that begins without a champion. Rails are left out: they only refuse.
#[derive(Debug, Clone, PartialEq)]
pub struct LineStudy {
    /// The market of all arms.
    pub market: Market,
    /// True annual Sharpe ratio of each arm, net of costs, 1 to 32 of them.
    pub arms: Vec<f64>,
    /// Share of the blocks in which two arms, or two snapshots of a consistent arm, hold the same position by design.
    pub agreement: f64,
    /// What the snapshots of an arm have in common.
    pub snapshots: Snapshots,
    /// Bars between two snapshots.
    pub cadence_bars: usize,
    /// Fee of a fill as a fraction of its value.
    pub fee: f64,
    /// Days of bars.
    pub days: usize,
    /// Which bars judge challengers.
    pub restart: Restart,
    /// The rules.
    pub rules: EvidenceRules,
}

/// What became of the lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineOutcome {
    /// Takeovers a year.
    pub takeovers: Mean,
    /// Those after which the champion's true Sharpe ratio was no higher than before.
    pub wrong_takeovers: Mean,
    /// Lines with at least one wrong takeover.
    pub any_wrong: Share,
    /// Days to the first takeover in the middle of those that had one.
    pub first_takeover_days: Option<f64>,
    /// Lines whose champion is of the best arm in the end.
    pub best_in_the_end: Share,
    /// Among those whose first champion was not of the best arm: the best took over within 30 days.
    pub recovered_early: Share,
    /// Lines on which a champion's arm was screened.
    pub screened: Share,
    /// Lines on which a champion's arm was qualified.
    pub qualified: Share,
    /// The same with an arm that is worth no more than nothing.
    pub qualified_wrong: Share,
    /// Mean true Sharpe ratio of what trades over the days; cash has 0.
    pub served_sharpe: Mean,
    /// Share of the champion's newer snapshots that were let through.
    pub refreshed: Mean,
    /// Share that decided otherwise than the serving snapshot too often and were let through all the same, because their
    /// arm led its own anchor; among those let through.
    pub ahead: Mean,
    /// Share that decided otherwise too often and were refused.
    pub disagreed: Mean,
    /// Share that were worse than the serving snapshot.
    pub worse: Mean,
}

impl LineStudy {
    /// Runs the study.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn run(&self, worlds: &Worlds<'_>) -> Result<LineOutcome, SimulationError> {
        let judge = self.check()?;
        let done = worlds.each(|number| LineWorld::new(self, &judge, worlds.seed, number)?.run())?;
        let a_year = 365.0 / self.days as f64;
        let share = |happened: fn(&Lived) -> bool| Share::of(&done, happened);
        let served: Vec<&Lived> = done.iter().filter(|lived| lived.cycles > 0).collect();
        let of_cycles =
            |count: fn(&Lived) -> usize| Mean::of(&served, |lived| count(lived) as f64 / lived.cycles as f64);
        let astray: Vec<&Lived> = done.iter().filter(|lived| lived.astray_at.is_some()).collect();
        let first = done.iter().filter_map(|lived| lived.takeovers_at.first());
        Ok(LineOutcome {
            takeovers: Mean::of(&done, |lived| a_year * lived.takeovers_at.len() as f64),
            wrong_takeovers: Mean::of(&done, |lived| a_year * lived.wrong_takeovers as f64),
            any_wrong: share(|lived| lived.wrong_takeovers > 0),
            first_takeover_days: median(first.map(|bar| *bar as f64 / BARS_PER_DAY as f64).collect()),
            best_in_the_end: share(|lived| lived.is_best_in_the_end),
            recovered_early: Share::of(&astray, |lived| {
                lived.recovery_bars().is_some_and(|bars| bars <= RECOVERY_DAYS * BARS_PER_DAY)
            }),
            screened: share(|lived| lived.is_screened),
            qualified: share(|lived| lived.is_qualified),
            qualified_wrong: share(|lived| lived.is_qualified_wrong),
            served_sharpe: Mean::of(&done, |lived| lived.served_sharpe),
            refreshed: of_cycles(|lived| lived.refreshed),
            ahead: of_cycles(|lived| lived.ahead),
            disagreed: of_cycles(|lived| lived.disagreed),
            worse: of_cycles(|lived| lived.worse),
        })
    }

    fn check(&self) -> Result<Judge, SimulationError> {
        self.pair(Against::Anchor { agreement: self.agreement }).check()?;
        in_range("the number of arms", self.arms.len() as f64, 1.0..=MOST_ARMS as f64, "1 to 32")?;
        for sharpe in &self.arms {
            in_range("an arm's Sharpe ratio", *sharpe, -100.0..=100.0, "-100 to 100")?;
        }
        in_range("the number of days", self.days as f64, 1.0..=MOST_DAYS as f64, "1 to 3650")?;
        Judge::new(&self.rules)
    }

    fn pair(&self, against: Against) -> PairWorld {
        let (market, snapshots) = (self.market, self.snapshots);
        PairWorld { market, against, snapshots, cadence_bars: self.cadence_bars, fee: self.fee }
    }

    /// Share of the blocks in which each arm takes the position that all know: two of them then agree as they should.
    fn common_share(&self) -> f64 {
        self.agreement.sqrt()
    }
}

/// What became of one line. Times are in bars.
#[derive(Debug, Clone, Default, PartialEq)]
struct Lived {
    takeovers_at: Vec<usize>,
    wrong_takeovers: usize,
    /// When the first champion came that was not of the best arm, if the first one was not.
    astray_at: Option<usize>,
    recovered_at: Option<usize>,
    is_best_in_the_end: bool,
    is_screened: bool,
    is_qualified: bool,
    is_qualified_wrong: bool,
    served_sharpe: f64,
    cycles: usize,
    refreshed: usize,
    ahead: usize,
    disagreed: usize,
    worse: usize,
}

impl Lived {
    fn recovery_bars(&self) -> Option<usize> {
        Some(self.recovered_at? - self.astray_at?)
    }
}

#[cfg(test)]
mod tests;
