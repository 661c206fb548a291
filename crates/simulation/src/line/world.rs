//! One line as it goes on.

use walkforward_core::Grade;
use walkforward_promoter::grade_for_takeover;

use super::refresh::{Refresh, refresh};
use super::spending::Spending;
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
    champion: Option<Champion<'a>>,
    spending: Spending,
    lived: Lived,
}

struct Arm<'a> {
    stream: Trader,
    /// Net returns so far; kept only where old bars may judge.
    past: Vec<f64>,
    reference: Reference,
    ledger: Ledger<'a>,
}

struct Champion<'a> {
    arm: usize,
    /// True ratio of the snapshot that serves.
    serving: f64,
    since: usize,
    /// The grade that it serves with: a refresh takes over what the arm's ledger came to.
    grade: Grade,
    /// What the arm's ledger came to at its last look, if that is more.
    earned: Grade,
    /// Its arm against the anchor that it set.
    own: Ledger<'a>,
    /// Whether the arm led that anchor at the last look, as far as somebody has asked since.
    leads: Option<bool>,
}

impl Champion<'_> {
    fn leads(&mut self) -> Result<bool, SimulationError> {
        let leads = match self.leads {
            Some(leads) => leads,
            None => self.own.grade_from(Grade::Provisional)?.is_some(),
        };
        self.leads = Some(leads);
        Ok(leads)
    }
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
        let mut spending = Spending::default();
        let arm = |(index, sharpe): (usize, &f64)| {
            let stream = Trader::arm(study, *sharpe, random::arm(seed, number, index as u64));
            let ledger = spending.begin(judge, ledger_seed(number, index, 0), 0, 0)?;
            Ok(Arm { stream, past: Vec::new(), reference: None, ledger })
        };
        let arms = study.arms.iter().enumerate().map(arm).collect::<Result<_, SimulationError>>()?;
        Ok(Self {
            study,
            judge,
            seed,
            number,
            rng,
            refreshes: random::refreshes(seed, number),
            bars: Bars::of(study.market),
            common,
            arms,
            anchors: Vec::new(),
            champion: None,
            spending,
            lived: Lived::default(),
        })
    }

    pub(super) fn run(mut self) -> Result<Lived, SimulationError> {
        let bars = self.study.days * BARS_PER_DAY;
        for bar in 0..bars {
            self.step(bar)?;
            self.lived.served_sharpe += self.champion.as_ref().map_or(0.0, |it| it.serving) / bars as f64;
        }
        let best = self.best_sharpe();
        let champion = self.champion.as_ref().map(|champion| self.study.arms[champion.arm]);
        self.lived.is_best_in_the_end = champion == Some(best);
        Ok(self.lived)
    }

    /// Bar number `bar`, from 0: what is due before it, the bar, and what is due after it.
    fn step(&mut self, bar: usize) -> Result<(), SimulationError> {
        let is_new = bar.is_multiple_of(self.study.cadence_bars);
        if is_new {
            self.offer_refresh()?;
        }
        self.score(is_new)?;
        match (bar + 1).is_multiple_of(self.judge.looks.every()) {
            true => self.look(bar + 1),
            false => Ok(()),
        }
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
        for (index, arm) in self.arms.iter_mut().enumerate() {
            let earned = arm.stream.next(study, market, common, is_new);
            let reference = arm.reference.map_or(0.0, |anchor| of_anchors[anchor]);
            arm.ledger.push(earned - reference)?;
            if let (Some(champion), Some(anchor)) = (&mut self.champion, of_anchors.last())
                && champion.arm == index
            {
                champion.own.push(earned - anchor)?;
            }
            if study.restart == Restart::Never {
                arm.past.push(earned);
            }
        }
        Ok(())
    }

    /// The daily look at every arm after `bar` bars.
    fn look(&mut self, bar: usize) -> Result<(), SimulationError> {
        let count = self.arms.len();
        self.look_at_the_champion()?;
        // Whoever is first where several could take over: another one in each world.
        for turn in 0..count {
            let index = (turn + self.number as usize) % count;
            if !self.arms[index].ledger.is_look() {
                continue;
            }
            if self.champion.as_ref().is_some_and(|champion| champion.arm == index) {
                self.arms[index].ledger.look()?;
                self.note_grade(index);
            } else if let Some(grade) = self.takeover_grade(index, bar)? {
                self.take_over(index, bar, grade)?;
            }
        }
        Ok(())
    }

    /// What the champion's arm has come to.
    fn look_at_the_champion(&mut self) -> Result<(), SimulationError> {
        let Some(champion) = &mut self.champion else { return Ok(()) };
        let above = Grade::ALL.into_iter().find(|grade| *grade > champion.grade);
        let earned = above.map(|above| self.arms[champion.arm].ledger.grade_from(above)).transpose()?;
        champion.earned = earned.flatten().unwrap_or(champion.grade);
        champion.leads = None;
        Ok(())
    }

    /// The grade with which arm `index` may take the line over after `bar` bars, if it may.
    fn takeover_grade(&self, index: usize, bar: usize) -> Result<Option<Grade>, SimulationError> {
        let cool_down = self.judge.rules().cool_down_days * BARS_PER_DAY as f64;
        let champion = self.champion.as_ref();
        if champion.is_some_and(|it| ((bar - it.since) as f64) < cool_down) {
            return Ok(None);
        }
        self.arms[index].ledger.grade_from(grade_for_takeover(champion.map(|it| it.grade)))
    }

    fn take_over(&mut self, index: usize, bar: usize, grade: Grade) -> Result<(), SimulationError> {
        self.arms[index].ledger.look()?;
        let before = self.champion.as_ref().map_or(0.0, |champion| champion.serving);
        let serving = self.arms[index].stream.sharpe;
        self.note_takeover(index, bar, serving <= before);
        let number = (self.study.arms.len() + self.anchors.len()) as u64;
        let anchor = self.arms[index].stream.frozen(random::arm(self.seed, self.number, number));
        self.anchors.push(anchor);
        let seed = ledger_seed(self.number, index, self.anchors.len());
        let own = Ledger::anytime(self.judge, seed, self.judge.rules().alpha_share())?;
        let (since, earned, leads) = (bar, grade, None);
        self.champion = Some(Champion { arm: index, serving, since, grade, earned, own, leads });
        for (_, other) in self.arms.iter().enumerate().filter(|(other, _)| *other != index) {
            self.spending.end(&other.ledger);
        }
        for other in (0..self.arms.len()).filter(|other| *other != index) {
            self.begin_anew(other, index, bar)?;
        }
        self.note_grade(index);
        Ok(())
    }

    /// The ledger of arm `index` begins anew after `bar` bars, against the anchor that was just taken from arm `promoted`.
    fn begin_anew(&mut self, index: usize, promoted: usize, bar: usize) -> Result<(), SimulationError> {
        let crossed = u32::from(self.arms[promoted].ledger.is_crossed_anytime());
        let seed = ledger_seed(self.number, index, self.anchors.len());
        let mut ledger = self.spending.begin(self.judge, seed, bar, crossed)?;
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
        let serving = champion.serving;
        let leads = || champion.leads();
        let found = refresh(self.study, self.judge, newer, serving, leads, &mut self.refreshes)?;
        match found {
            Refresh::Disagrees => self.lived.disagreed += 1,
            Refresh::Worse => self.lived.worse += 1,
            Refresh::Passed | Refresh::Ahead => {
                self.lived.refreshed += 1;
                self.lived.ahead += usize::from(found == Refresh::Ahead);
                (champion.serving, champion.grade) = (newer, champion.earned);
            }
        }
        Ok(())
    }
}

/// The seed of an arm's ledger after so many takeovers.
fn ledger_seed(number: u64, arm: usize, takeovers: usize) -> u64 {
    (number << 32) ^ ((arm as u64) << 16) ^ takeovers as u64
}

#[cfg(test)]
mod tests {
    use super::super::tests::line;
    use super::*;

    #[test]
    fn a_takeover_never_lowers_the_lines_grade() {
        let study = LineStudy { agreement: 0.5, ..line(&[3.0, 9.0, 12.0], 120) };
        let judge = study.check().unwrap();
        let mut from_screened = 0;
        for number in 0..12 {
            let mut world = LineWorld::new(&study, &judge, 4, number).unwrap();
            let mut before = None;
            for bar in 0..study.days * BARS_PER_DAY {
                world.step(bar).unwrap();
                let now = world.champion.as_ref().map(|it| (it.grade, it.arm));
                if let (Some((was, arm)), Some((is, other))) = (before, now) {
                    assert!(is >= was, "world {number}, bar {bar}: {was} fell to {is}");
                    from_screened += usize::from(was >= Grade::Screened && arm != other);
                }
                before = now;
            }
        }
        assert!(from_screened > 0, "no champion that was screened was displaced");
    }

    #[test]
    fn the_own_anchor_counts_bars_since_the_takeover() {
        let study = line(&[30.0], 40);
        let judge = study.check().unwrap();
        let mut world = LineWorld::new(&study, &judge, 4, 0).unwrap();
        for bar in 0..study.days * BARS_PER_DAY {
            world.step(bar).unwrap();
            if let Some(champion) = &world.champion {
                assert_eq!(champion.own.bars(), bar + 1 - champion.since);
            }
        }
        assert!(world.champion.is_some_and(|champion| champion.own.bars() > 336));
    }
}
