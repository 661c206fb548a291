//! Random walks: are arms without an edge graded no more often than stated?

use serde::Serialize;
use walkforward::failure::Failure;
use walkforward_core::Grade;
use walkforward_etl::SyntheticSource;

use super::edge::best_grade;
use super::{Bench, MAX_WALKS, shared, with_seed};
use crate::rehearsal::side_by_side::side_by_side;
use crate::rehearsal::{self, Rehearsal, Span};
use crate::replay::figures::{Counts, EquityFigures};
use crate::replay::request::recurrence;

/// Trainings of a walk.
pub(super) const TRAININGS_PER_WALK: u64 = DAYS;
/// A day more than the rates are about: the first model decides after the first cycle.
const DAYS: u64 = 31;
const EVERY: &str = "24h";
/// Without costs, as the rates were measured: an arm that pays for its orders falls behind cash, and is promoted less.
const FLAGS: [&str; 10] = [
    "--window-bars",
    "1500",
    "--holdout-bars",
    "300",
    "--iterations",
    "10",
    "--fee-bps",
    "0",
    "--slippage-bps",
    "0",
];
/// A count fails when the stated rate gives so many or more in fewer worlds than this share.
const LEAST_TAIL: f64 = 1e-3;
/// Standard errors that a stated rate is given.
const STANDARD_ERRORS: f64 = 3.0;

/// How often an arm without skill reaches a grade against cash within 30 days, as `docs/evidence.md` says under "The grades
/// of one arm": the rate and its standard error.
const STATED: [(Grade, f64, f64); 3] =
    [(Grade::Provisional, 0.392, 0.015), (Grade::Screened, 0.040, 0.006), (Grade::Qualified, 0.0, 0.0)];

/// What the walks came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Luck {
    pub(super) settings: String,
    pub(super) days: u64,
    pub(super) walks: Vec<Walk>,
    pub(super) grades: Vec<GradeCount>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Walk {
    pub(super) seed: u64,
    pub(super) grade: Option<Grade>,
    pub(super) takeovers: usize,
    /// What every snapshot at once came to, without costs.
    pub(super) arm_return: Option<f64>,
}

/// How often a grade was reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GradeCount {
    pub(super) grade: Grade,
    pub(super) reached: u64,
    pub(super) of: u64,
    /// Share of arms without skill that reach it, as stated.
    pub(super) stated_rate: f64,
    /// What the count is held against: the stated rate and three of its standard errors.
    pub(super) limit_rate: f64,
    /// Chance of so many or more at that rate.
    pub(super) tail: f64,
}

/// Replays `walks` random walks.
pub(super) async fn try_out(bench: &Bench, seed: u64, walks: u64) -> Result<Luck, Failure> {
    let count = usize::try_from(walks).unwrap_or(usize::MAX);
    let first = seed.wrapping_mul(MAX_WALKS);
    let walk = |index: usize| walk(bench.clone(), first.wrapping_add(index as u64));
    let walks = side_by_side(count, bench.width, walk).await?;
    let grades = STATED.iter().map(|stated| GradeCount::of(&walks, *stated)).collect();
    Ok(Luck { settings: FLAGS.join(" "), days: DAYS, walks, grades })
}

async fn walk(bench: Bench, seed: u64) -> Result<Walk, Failure> {
    let config = rehearsal::config(&with_seed(&FLAGS, seed)?)?;
    let span = Span { days: DAYS, every: recurrence(EVERY)?, until: SyntheticSource::default_as_of() };
    let folder = bench.folder.join(format!("walk-{seed}"));
    let source = shared(SyntheticSource::without_edge(seed));
    let rehearsal = Rehearsal::open(config, source, &folder, span.until, bench.cancel)?;
    let summary = rehearsal.replay(&span, &bench.trainings).await?;
    drop(rehearsal);
    if !bench.is_kept {
        // Ten megabytes each; what stays behind goes with the work folder.
        let _ = std::fs::remove_dir_all(&folder);
    }
    let arm = summary.curves.iter().find(|curve| curve.name == "auto_deploy");
    let arm = arm.map(|curve| EquityFigures::of(curve, summary.bars_per_year));
    Ok(Walk {
        seed,
        grade: best_grade(&summary),
        takeovers: Counts::of(&summary).takeovers,
        arm_return: arm.and_then(|figures| figures.total_return),
    })
}

impl GradeCount {
    fn of(walks: &[Walk], (grade, stated_rate, standard_error): (Grade, f64, f64)) -> Self {
        let reached = walks.iter().filter(|walk| walk.grade >= Some(grade)).count() as u64;
        let (of, limit_rate) = (walks.len() as u64, stated_rate + STANDARD_ERRORS * standard_error);
        let tail = binomial_tail(of, reached, limit_rate);
        Self { grade, reached, of, stated_rate, limit_rate, tail }
    }

    fn holds(&self) -> bool {
        self.tail >= LEAST_TAIL
    }
}

impl Luck {
    /// What does not hold.
    pub(super) fn failures(&self) -> Vec<String> {
        let told = |count: &GradeCount| {
            format!(
                "{} of {} random walks reached {}: {} in 100 were stated, and at {:.1} in 100 so many come in {:.1e} of \
                 cases",
                count.reached,
                count.of,
                count.grade,
                100.0 * count.stated_rate,
                100.0 * count.limit_rate,
                count.tail
            )
        };
        self.grades.iter().filter(|count| !count.holds()).map(told).collect()
    }
}

/// Chance of `least` or more successes in `trials` at `rate`, exactly: the sum of the binomial's terms, each from the one
/// before it.
fn binomial_tail(trials: u64, least: u64, rate: f64) -> f64 {
    if least == 0 || rate >= 1.0 {
        return 1.0;
    }
    if rate <= 0.0 || least > trials {
        return 0.0;
    }
    let ln_choose: f64 = (1..=least).map(|k| (((trials - least + k) as f64) / k as f64).ln()).sum();
    let ln_first = ln_choose + least as f64 * rate.ln() + (trials - least) as f64 * (-rate).ln_1p();
    let odds = rate / (1.0 - rate);
    let next = |(term, k): (f64, u64)| (term * odds * (trials - k) as f64 / (k + 1) as f64, k + 1);
    let terms = std::iter::successors(Some((ln_first.exp(), least)), |it| (it.1 < trials).then(|| next(*it)));
    terms.map(|(term, _)| term).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_binomial() {
        let close = |(trials, least, rate): (u64, u64, f64), expected: f64| {
            let tail = binomial_tail(trials, least, rate);
            assert!((tail - expected).abs() < 1e-12 * expected.max(1e-3), "{trials} {least} {rate}: {tail}");
        };
        close((10, 0, 0.5), 1.0);
        close((10, 10, 0.5), 1.0 / 1_024.0);
        close((10, 9, 0.5), 11.0 / 1_024.0);
        close((10, 1, 0.5), 1_023.0 / 1_024.0);
        close((3, 2, 0.1), 0.028);
        close((4, 5, 0.9), 0.0);
        close((4, 1, 0.0), 0.0);
        close((4, 4, 1.0), 1.0);
        assert!(binomial_tail(1_000, 990, 0.01) >= 0.0);
        assert!((binomial_tail(1_000, 1, 1e-6) - 9.995_006_663e-4).abs() < 1e-9);
    }

    fn walks(grades: &[(usize, Option<Grade>)]) -> Vec<Walk> {
        let walk = |grade: Option<Grade>| Walk { seed: 1, grade, takeovers: 0, arm_return: None };
        grades.iter().flat_map(|(count, grade)| std::iter::repeat_n(walk(*grade), *count)).collect()
    }

    fn failures(grades: &[(usize, Option<Grade>)]) -> Vec<String> {
        let walks = walks(grades);
        let grades = STATED.iter().map(|stated| GradeCount::of(&walks, *stated)).collect();
        Luck { settings: String::new(), days: DAYS, walks, grades }.failures()
    }

    #[test]
    fn counts_beyond_the_stated_rates_fail_and_those_below_do_not() {
        assert!(failures(&[(24, None)]).is_empty());
        assert!(
            failures(&[(14, None), (8, Some(Grade::Provisional)), (2, Some(Grade::Screened))]).is_empty()
        );
        assert_eq!(failures(&[(2, None), (22, Some(Grade::Provisional))]).len(), 1);
        assert_eq!(failures(&[(14, None), (10, Some(Grade::Screened))]).len(), 1);
        let qualified = failures(&[(23, None), (1, Some(Grade::Qualified))]);
        assert_eq!(qualified.len(), 1, "a replay never qualifies: {qualified:?}");
    }

    /// The page has the rates in per cent, with their errors.
    #[test]
    fn the_rates_are_those_of_the_page() {
        let page = include_str!("../../../docs/evidence.md");
        let row = page.lines().find(|line| line.starts_with("| cash | **0** |")).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for ((_, rate, error), cell) in STATED.iter().zip([cells[4], cells[6]]) {
            assert_eq!(format!("{:.1} ± {:.1}", 100.0 * rate, 100.0 * error), cell.replace("**", ""));
        }
    }
}
