//! Sequential tests on the stream of an arm beside a frozen champion, as they were published.

use serde::Serialize;
use walkforward_stats::{
    CurtailedObrienFleming, EProcess, EProcessSettings, Error as StatsError, Qualification,
};

use crate::error::{SimulationError, in_range};
use crate::market::{BARS_PER_DAY, BARS_PER_YEAR, Market};
use crate::pair::{PairStream, PairWorld};
use crate::parallel::Worlds;
use crate::random;
use crate::tally::{Share, median};

/// Level of each test.
const ALPHA: f64 = 0.05;
/// Bars before the first that give the e-process the deviation of a difference.
const WARM_UP_BARS: usize = 500;
/// Longest test: ten years of bars.
const MOST_BARS: f64 = 10.0 * BARS_PER_YEAR as f64;

/// The tests over a number of bars that was fixed before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialStudy {
    /// The arm and its reference.
    pub world: PairWorld,
    /// True annual Sharpe ratio of the arm less the reference's.
    pub gap: f64,
    /// Bars, at least 336.
    pub bars: usize,
}

/// What became of one test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TestOutcome {
    /// Worlds in which it rejected "no gap".
    pub rejected: Share,
    /// Days that it took in the middle of those; none without one.
    pub median_days: Option<f64>,
}

/// What became of all of them, each at level 0.05.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SequentialOutcome {
    /// Curtailed O'Brien-Fleming test, daily looks.
    pub obrien_fleming: TestOutcome,
    /// The same at a quarter of the level.
    pub obrien_fleming_quarter: TestOutcome,
    /// e-process with bets on annual Sharpe ratios of 1, 2, 4 and 8 and a bound of 0.2.
    pub e_process: TestOutcome,
    /// The same at a quarter of the level.
    pub e_process_quarter: TestOutcome,
}

/// Bars at which each test rejected, in the order of [`SequentialOutcome`].
type World = [Option<usize>; 4];

impl SequentialStudy {
    /// The study of the published figures: a year at this agreement and gap.
    pub fn reference(market: Market, agreement: f64, gap: f64) -> Self {
        Self { world: PairWorld::reference(market, agreement), gap, bars: BARS_PER_YEAR }
    }

    /// Runs the study.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn run(&self, worlds: &Worlds<'_>) -> Result<SequentialOutcome, SimulationError> {
        self.world.check()?;
        in_range("the bars", self.bars as f64, 336.0..=MOST_BARS, "336 to ten years of bars")?;
        in_range("the gap", self.gap, -100.0..=100.0, "an annual Sharpe ratio from -100 to 100")?;
        let done = worlds.each(|number| self.follow(worlds.seed, number))?;
        let outcome = |test: usize| TestOutcome {
            rejected: Share::of(&done, |world: &World| world[test].is_some()),
            median_days: median(
                done.iter()
                    .filter_map(|world| world[test])
                    .map(|bars| bars as f64 / BARS_PER_DAY as f64)
                    .collect(),
            ),
        };
        Ok(SequentialOutcome {
            obrien_fleming: outcome(0),
            obrien_fleming_quarter: outcome(1),
            e_process: outcome(2),
            e_process_quarter: outcome(3),
        })
    }

    fn follow(&self, seed: u64, number: u64) -> Result<World, SimulationError> {
        let rng = &mut random::world(seed, number);
        let mut stream = PairStream::new(self.world, self.gap, rng);
        let squares: f64 = (0..WARM_UP_BARS).map(|_| stream.next(rng).difference().powi(2)).sum();
        let deviation = (squares / WARM_UP_BARS as f64).sqrt();
        let levels = [ALPHA, ALPHA / 4.0];
        let mut registered = [
            CurtailedObrienFleming::hourly(self.bars, levels[0])?,
            CurtailedObrienFleming::hourly(self.bars, levels[1])?,
        ];
        let mut betting = Betting {
            process: Some(EProcess::new(EProcessSettings::standard(BARS_PER_YEAR as f64, deviation))?),
            crossed: [None; 2],
        };
        for _ in 0..self.bars {
            let difference = stream.next(rng).difference();
            for test in &mut registered {
                test.push(difference)?;
            }
            betting.push(difference, levels)?;
        }
        let [whole, quarter] = registered.map(|test| match test.standing() {
            Qualification::Qualified { bars } => Some(bars),
            _ => None,
        });
        Ok([whole, quarter, betting.crossed[0], betting.crossed[1]])
    }
}

/// An e-process until its bound is broken, and the bars at which it crossed each level.
struct Betting {
    process: Option<EProcess>,
    crossed: [Option<usize>; 2],
}

impl Betting {
    fn push(&mut self, difference: f64, levels: [f64; 2]) -> Result<(), SimulationError> {
        let Some(process) = &mut self.process else { return Ok(()) };
        match process.push(difference) {
            Ok(_) => {}
            Err(StatsError::BelowBound { .. }) => {
                self.process = None;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        for (crossed, level) in self.crossed.iter_mut().zip(levels) {
            if crossed.is_none() && process.rejects_at(level) {
                *crossed = Some(process.n());
            }
        }
        Ok(())
    }
}
