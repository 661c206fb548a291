//! One line as it goes on.

use super::refresh::{Refresh, refresh};
use super::trader::Trader;
use super::{LineStudy, Lived, Restart};
use crate::SimulationError;
use crate::family::Chain;
use crate::ledger::{Judge, Ledger};
use crate::market::{BARS_PER_DAY, Bars};
use crate::random::{self, WorldRng};

/// What an arm is measured against: cash, or an anchor by its place in the list.
type Reference = Option<usize>;

pub(super) struct LineWorld<'a> {
    study: &'a LineStudy,
    judge: &'a Judge,
    seed: u64,
    number: u64,
    rng: WorldRng,
    refreshes: WorldRng,
    bars: Bars,
    common: Chain,
    arms: Vec<Arm<'a>>,
    /// Every champion by takeover, as it was then; each is scored for as long as somebody is measured against it.
    anchors: Vec<Trader>,
    champion: Option<Champion>,
    lived: Lived,
}

struct Arm<'a> {
    stream: Trader,
    /// Net returns so far; kept only where old bars may judge.
    past: Vec<f64>,
    reference: Reference,
    ledger: Ledger<'a>,
}

struct Champion {
    arm: usize,
    /// True ratio of the snapshot that serves.
    serving: f64,
    since: usize,
}

impl<'a> LineWorld<'a> {
    pub(super) fn new(
        study: &'a LineStudy,
        judge: &'a Judge,
        seed: u64,
        number: u64,
    ) -> Result<Self, SimulationError> {
        let mut rng = random::world(seed, number);
        let common = Chain::anywhere(&mut rng);
        let arm = |(index, sharpe): (usize, &f64)| {
            let stream = Trader::arm(study, *sharpe, random::arm(seed, number, index as u64));
            let ledger = Ledger::new(judge, ledger_seed(number, index, 0))?;
            Ok(Arm { stream, past: Vec::new(), reference: None, ledger })
        };
        let arms = study.arms.iter().enumerate().map(arm).collect::<Result<_, SimulationError>>()?;
        let bars = Bars::of(study.market);
        let refreshes = random::refreshes(seed, number);
        let (anchors, champion, lived) = (Vec::new(), None, Lived::default());
        Ok(Self { study, judge, seed, number, rng, refreshes, bars, common, arms, anchors, champion, lived })
    }

    pub(super) fn run(mut self) -> Result<Lived, SimulationError> {
        let bars = self.study.days * BARS_PER_DAY;
        for bar in 0..bars {
            let is_new = bar.is_multiple_of(self.study.cadence_bars);
            if is_new {
                self.offer_refresh()?;
            }
            self.score(is_new)?;
            if (bar + 1).is_multiple_of(self.judge.looks.every()) {
                self.look(bar + 1)?;
            }
            self.lived.served_sharpe += self.champion.as_ref().map_or(0.0, |it| it.serving) / bars as f64;
        }
        let best = self.best_sharpe();
        let champion = self.champion.as_ref().map(|champion| self.study.arms[champion.arm]);
        self.lived.is_best_in_the_end = champion == Some(best);
        Ok(self.lived)
    }

    fn best_sharpe(&self) -> f64 {
        self.study.arms.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Scores the next bar for everybody.
    fn score(&mut self, is_new: bool) -> Result<(), SimulationError> {
        let market = self.bars.next(&mut self.rng);
        let common = self.common.next(&mut self.rng);
        let study = self.study;
        let of_anchors: Vec<f64> =
            self.anchors.iter_mut().map(|anchor| anchor.next(study, market, common, is_new)).collect();
        for arm in &mut self.arms {
            let earned = arm.stream.next(study, market, common, is_new);
            let reference = arm.reference.map_or(0.0, |anchor| of_anchors[anchor]);
            arm.ledger.push(earned - reference)?;
            if study.restart == Restart::Never {
                arm.past.push(earned);
            }
        }
        Ok(())
    }

    /// The daily look at every arm after `bar` bars.
    fn look(&mut self, bar: usize) -> Result<(), SimulationError> {
        let count = self.arms.len();
        // Whoever is first where several could take over: another one in each world.
        for turn in 0..count {
            let index = (turn + self.number as usize) % count;
            if !self.arms[index].ledger.is_look() {
                continue;
            }
            if self.champion.as_ref().is_some_and(|champion| champion.arm == index) {
                self.arms[index].ledger.look()?;
                self.note_grade(index);
            } else if self.may_take_over(index, bar)? {
                self.take_over(index, bar)?;
            }
        }
        Ok(())
    }

    fn may_take_over(&self, index: usize, bar: usize) -> Result<bool, SimulationError> {
        let rules = self.judge.rules();
        let cool_down = rules.cool_down_days * BARS_PER_DAY as f64;
        let is_cool = self.champion.as_ref().is_none_or(|it| (bar - it.since) as f64 >= cool_down);
        Ok(is_cool && self.arms[index].ledger.reaches(rules.provisional_p)?)
    }

    fn take_over(&mut self, index: usize, bar: usize) -> Result<(), SimulationError> {
        self.arms[index].ledger.look()?;
        let before = self.champion.as_ref().map_or(0.0, |champion| champion.serving);
        let serving = self.arms[index].stream.sharpe;
        self.note_takeover(index, bar, serving <= before);
        let number = (self.study.arms.len() + self.anchors.len()) as u64;
        let anchor = self.arms[index].stream.frozen(random::arm(self.seed, self.number, number));
        self.anchors.push(anchor);
        self.champion = Some(Champion { arm: index, serving, since: bar });
        for other in (0..self.arms.len()).filter(|other| *other != index) {
            self.begin_anew(other, index)?;
        }
        self.note_grade(index);
        Ok(())
    }

    /// The ledger of arm `index` begins anew, against the anchor that was just taken from arm `promoted`.
    fn begin_anew(&mut self, index: usize, promoted: usize) -> Result<(), SimulationError> {
        let mut ledger = Ledger::new(self.judge, ledger_seed(self.number, index, self.anchors.len()))?;
        let (own, its) = (&self.arms[index].past, &self.arms[promoted].past);
        for (own, its) in own.iter().zip(its) {
            ledger.push(own - its)?;
        }
        self.arms[index].ledger = ledger;
        self.arms[index].reference = Some(self.anchors.len() - 1);
        Ok(())
    }

    fn note_takeover(&mut self, index: usize, bar: usize, is_wrong: bool) {
        self.lived.wrong_takeovers += usize::from(is_wrong);
        let is_best = self.study.arms[index] == self.best_sharpe();
        if self.lived.takeovers_at.is_empty() {
            self.lived.astray_at = (!is_best).then_some(bar);
        } else if is_best && self.lived.recovered_at.is_none() {
            self.lived.recovered_at = Some(bar);
        }
        self.lived.takeovers_at.push(bar);
    }

    fn note_grade(&mut self, index: usize) {
        let milestones = self.arms[index].ledger.milestones();
        let is_qualified = milestones.qualified.is_some();
        self.lived.is_screened |= milestones.screened.is_some() || is_qualified;
        self.lived.is_qualified |= is_qualified;
        self.lived.is_qualified_wrong |= is_qualified && self.study.arms[index] <= 0.0;
    }

    /// A newer snapshot of the champion's arm is offered.
    fn offer_refresh(&mut self) -> Result<(), SimulationError> {
        let Some(champion) = &mut self.champion else { return Ok(()) };
        self.lived.cycles += 1;
        let newer = self.arms[champion.arm].stream.sharpe;
        match refresh(self.study, self.judge, newer, champion.serving, &mut self.refreshes)? {
            Refresh::Passed => {
                self.lived.refreshed += 1;
                champion.serving = newer;
            }
            Refresh::Disagrees => self.lived.disagreed += 1,
            Refresh::Worse => self.lived.worse += 1,
        }
        Ok(())
    }
}

/// The seed of an arm's ledger after so many takeovers.
fn ledger_seed(number: u64, arm: usize, takeovers: usize) -> u64 {
    (number << 32) ^ ((arm as u64) << 16) ^ takeovers as u64
}
