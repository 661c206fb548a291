//! How likely each grade is within so many days.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};
use walkforward_core::Grade;
use walkforward_stats::{EProcessSettings, exceeded_with};

use super::next::days_until_enough_decisions;
use super::{Decider, EvidenceRules, MarketPace, Standing};

/// Simulated futures: the error of a chance is below 0.016.
const PATHS: usize = 1_000;
/// Days of the market that chances are told for.
const WITHIN_DAYS: [usize; 3] = [30, 90, 365];
/// Gaps that chances are told for beside the observed one, as annual Sharpe ratios.
const SHARPE_GAPS: [f64; 3] = [0.0, 1.0, 2.0];
/// No bet of the e-process risks more of its wealth on a bar at the bound.
const MOST_AT_RISK: f64 = 0.95;

/// The true lead that a chance assumes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The one on the evidence window.
    Observed,
    /// So many annual standard deviations of the arm's own returns a year.
    Sharpe(f64),
}

/// The chance of each grade if the lead is what is assumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// The assumption.
    pub gap: Gap,
    /// The chances, for the shortest time first.
    pub chances: Vec<Chance>,
}

/// How likely each grade is reached at one look at least.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chance {
    /// Within so many days of the market.
    pub within_days: usize,
    /// Chance of provisional or more.
    pub provisional: f64,
    /// Chance of screened or more.
    pub screened: f64,
    /// Chance of qualified; none of a pair that has replayed bars alone, which never qualify.
    pub qualified: Option<f64>,
}

/// Where the simulated futures begin, day by day: sums of a day are taken for normal and independent, and all bars to
/// come for live ones.
#[derive(Debug)]
pub(super) struct Start {
    /// Sums of the last days, the oldest first.
    window: Vec<f64>,
    /// Most days of the evidence window.
    window_days: usize,
    /// Days that have gone by without a look: they are drawn too.
    unread_days: usize,
    /// Deviation of a day's sum.
    day_error: f64,
    /// Sum of the live bars.
    live_sum: f64,
    /// What the sums have to reach on each day to come.
    limits: Vec<Limits>,
    grade: Option<Grade>,
    /// Whether the sequential test is crossed already.
    is_crossed: bool,
    /// Days to come before the arm has decided often enough for any grade.
    undecided_days: f64,
    /// The gaps to simulate, per day.
    gaps: Vec<(Gap, f64)>,
}

/// What the sums have to reach on a day; infinite where there is no look.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The window's sum, for provisional and for screened.
    window: [f64; 2],
    /// The live bars' sum, for qualified.
    live: f64,
}

impl Start {
    /// The beginning of the futures of `standing`; none when the two never differ, or the arm decides so rarely that it
    /// never comes to a grade at this rate. `differences` are the ledger's, `arm_deviation` is the deviation of the arm's
    /// return over a bar.
    pub(super) fn of(
        standing: &Standing,
        differences: &[f64],
        arm_deviation: Option<f64>,
        pace: MarketPace,
        rules: &EvidenceRules,
    ) -> Option<Self> {
        let read = &differences[..standing.look_bars.unwrap_or(0)];
        let day = pace.bars_in(1.0);
        let recent = standing.recent.as_ref();
        let window = &read[read.len() - recent.map_or(0, |recent| recent.bars)..];
        // Before the first look nobody knows how often it decides.
        let undecided_days = match recent {
            None => 0.0,
            Some(_) => days_until_enough_decisions(standing, pace, rules)?,
        };
        // Before the first look the unit is a day's deviation.
        let day_error = recent.map_or(1.0, |it| it.standard_error * (it.bars as f64 * day as f64).sqrt());
        if standing.same_decisions || day_error <= 0.0 {
            return None;
        }
        let deviation = arm_deviation.unwrap_or(day_error / (day as f64).sqrt());
        let per_day = |sharpe: f64| sharpe * deviation * day as f64 / pace.bars_per_year().sqrt();
        let observed = recent.map(|recent| (Gap::Observed, recent.mean * day as f64));
        let assumed = SHARPE_GAPS.map(|sharpe| (Gap::Sharpe(sharpe), per_day(sharpe)));
        let live = &read[read.len() - standing.sequential.bars..];
        let mut start = Self {
            window: window.rchunks(day).rev().map(|day| day.iter().sum()).collect(),
            window_days: rules.window_days.round() as usize,
            unread_days: if recent.is_some() { 0 } else { standing.counted_bars / day },
            day_error,
            live_sum: live.iter().sum(),
            limits: Vec::new(),
            grade: standing.grade,
            is_crossed: standing.without_rails == Some(Grade::Qualified),
            undecided_days,
            gaps: observed.into_iter().chain(assumed).collect(),
        };
        start.limits = start.limits_of(standing, live, window, pace, rules);
        Some(start)
    }

    fn limits_of(
        &self,
        standing: &Standing,
        live: &[f64],
        window: &[f64],
        pace: MarketPace,
        rules: &EvidenceRules,
    ) -> Vec<Limits> {
        let day_square = match window.len() {
            0 => self.day_error * self.day_error,
            bars => squares(window) / bars as f64 * pace.bars_in(1.0) as f64,
        };
        let first_look = standing.first_look_bars.div_ceil(pace.bars_in(1.0));
        let needed_z =
            [rules.provisional_p, rules.screened_p].map(|p| exceeded_with(p).unwrap_or(f64::INFINITY));
        let test = Test::of(standing, day_square, pace, rules);
        let (live_days, live_squares) = (live.len() / pace.bars_in(1.0), squares(live));
        let limits = |day: usize| {
            let days = self.window.len() + day;
            let error = self.day_error * (days.min(self.window_days) as f64).sqrt();
            let squares = live_squares + day as f64 * day_square;
            let is_look = days >= first_look;
            Limits {
                window: needed_z.map(|z| if is_look { z * error } else { f64::INFINITY }),
                live: test.needed_sum((live_days + day) as f64, squares, first_look as f64),
            }
        };
        (1..=WITHIN_DAYS[WITHIN_DAYS.len() - 1] + self.unread_days).map(limits).collect()
    }

    /// The chances at each gap, from the same draws.
    pub(super) fn outlooks(&self, seed: u64) -> Vec<Outlook> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut counts = vec![[[0_u32; 3]; WITHIN_DAYS.len()]; self.gaps.len()];
        let mut sums = self.window.clone();
        sums.resize(self.window.len() + self.limits.len(), 0.0);
        let mut noise = vec![0.0; self.limits.len()];
        for _ in 0..PATHS {
            noise.iter_mut().for_each(|draw| *draw = self.day_error * rng.sample::<f64, _>(StandardNormal));
            for ((_, gap), counts) in self.gaps.iter().zip(&mut counts) {
                let future = &mut sums[self.window.len()..];
                future.iter_mut().zip(&noise).for_each(|(sum, noise)| *sum = gap + noise);
                self.count(self.first_days(&sums), counts);
            }
        }
        let outlook = |((gap, _), counts): (&(Gap, f64), &[[u32; 3]; 3])| Outlook {
            gap: *gap,
            chances: WITHIN_DAYS.iter().zip(counts).map(|(days, counts)| Chance::of(*days, counts)).collect(),
        };
        self.gaps.iter().zip(&counts).map(outlook).collect()
    }

    fn count(&self, first_days: [usize; 3], counts: &mut [[u32; 3]; 3]) {
        for (within, counts) in WITHIN_DAYS.iter().zip(counts) {
            for (first, count) in first_days.iter().zip(counts) {
                *count += u32::from(*first <= within + self.unread_days);
            }
        }
    }

    /// The day of a future on which each grade is first reached, or `usize::MAX`; `sums` are those of the days of the
    /// window, then of the days to come.
    fn first_days(&self, sums: &[f64]) -> [usize; 3] {
        let mut first = [usize::MAX; 3];
        let mut reached = self.grade.map_or(0, |grade| grade as usize + 1);
        first[..reached].fill(0);
        let (mut window, mut live) = (self.window.iter().sum::<f64>(), self.live_sum);
        let mut is_crossed = self.is_crossed;
        for (day, limits) in self.limits.iter().enumerate() {
            let newest = self.window.len() + day;
            window += sums[newest];
            live += sums[newest];
            if newest >= self.window_days {
                window -= sums[newest - self.window_days];
            }
            is_crossed |= live >= limits.live;
            if ((day + 1) as f64) < self.undecided_days {
                continue;
            }
            let now = match is_crossed {
                true => 3,
                false => limits.window.iter().filter(|needed| window >= **needed).count(),
            };
            if now > reached {
                first[reached..now].fill(day + 1);
                reached = now;
            }
            if reached == 3 {
                break;
            }
        }
        first
    }
}

fn squares(bars: &[f64]) -> f64 {
    bars.iter().map(|difference| difference * difference).sum()
}

/// The deciding sequential test, as a limit on the sum of the live bars.
#[derive(Debug)]
enum Test {
    Registered { horizon_days: f64, boundary: f64 },
    Bets { sizes: Vec<f64>, needed_log_e: f64 },
    Never,
}

impl Test {
    fn of(standing: &Standing, day_square: f64, pace: MarketPace, rules: &EvidenceRules) -> Self {
        let sequential = &standing.sequential;
        let bars_per_day = pace.bars_in(1.0) as f64;
        match sequential.decider {
            Decider::RegisteredTest if sequential.is_over => Self::Never,
            Decider::RegisteredTest => Self::Registered {
                horizon_days: sequential.horizon_bars.unwrap_or_default() as f64 / bars_per_day,
                boundary: sequential.boundary.unwrap_or(f64::INFINITY),
            },
            Decider::EProcess if sequential.bound_broken_at.is_some() => Self::Never,
            Decider::EProcess => {
                let deviation = (day_square / bars_per_day).sqrt();
                let targets = EProcessSettings::standard(pace.bars_per_year(), deviation).target_sharpes;
                // The unit before the first look is none that a bound applies to.
                let most =
                    if standing.recent.is_some() { MOST_AT_RISK / rules.loss_bound } else { f64::INFINITY };
                let size = |target: f64| (target / (deviation * pace.bars_per_year().sqrt())).min(most);
                let sizes: Vec<f64> = targets.into_iter().map(size).collect();
                // The mean of the wealths is at least the largest divided by their number.
                let needed_log_e = sequential.log_e_needed + (sizes.len() as f64).ln();
                Self::Bets { sizes, needed_log_e }
            }
        }
    }

    /// What the sum of so many live days has to reach, whose squares add up to `squares`.
    fn needed_sum(&self, days: f64, squares: f64, first_look_days: f64) -> f64 {
        match self {
            Self::Registered { horizon_days, boundary } => {
                let is_look = days >= first_look_days && days <= *horizon_days;
                if is_look { boundary * (horizon_days * squares / days).sqrt() } else { f64::INFINITY }
            }
            // `log(1 + bet d)` summed over the bars, to second order.
            Self::Bets { sizes, needed_log_e } => {
                let needed = sizes.iter().map(|size| (needed_log_e + 0.5 * size * size * squares) / size);
                needed.fold(f64::INFINITY, f64::min)
            }
            Self::Never => f64::INFINITY,
        }
    }
}

impl Outlook {
    /// The same of a pair that nothing can qualify.
    pub(super) fn without_qualified(self) -> Self {
        let chances = self.chances.into_iter().map(|chance| Chance { qualified: None, ..chance }).collect();
        Self { chances, ..self }
    }
}

impl Chance {
    fn of(within_days: usize, counts: &[u32; 3]) -> Self {
        let [provisional, screened, qualified] = counts.map(|count| f64::from(count) / PATHS as f64);
        Self { within_days, provisional, screened, qualified: Some(qualified) }
    }
}
