//! Random walks: are arms without an edge graded no more often than stated?

use serde::Serialize;
use walkforward::failure::Failure;
use walkforward_core::Grade;
use walkforward_etl::SyntheticSource;

use super::edge::best_grade;
use super::{Bench, MAX_WALKS, binomial, shared, with_seed};
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
const LEAST_TAIL: f64 = 0.01;
/// A true rate is told that fails in this share of runs.
const CAUGHT: f64 = 0.8;
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
    /// So many or more fail; none where the walks are too few for any count to.
    pub(super) fails_from: Option<u64>,
    /// The true rate that fails in 80 of 100 runs with so many walks; none where no count does.
    pub(super) caught_rate: Option<f64>,
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
        let tail = binomial::tail(of, reached, limit_rate);
        let fails_from = binomial::least_unlikely(of, limit_rate, LEAST_TAIL);
        let caught_rate = fails_from.map(|least| binomial::rate_of(of, least, CAUGHT));
        Self { grade, reached, of, stated_rate, limit_rate, tail, fails_from, caught_rate }
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
                "{} of {} random walks reached {}: {:.1} in 100 were stated, and at {:.1} in 100 so many come in {:.1e} of \
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_count_fails_from_where_it_says_and_says_which_rate_it_catches() {
        let counts = |count: usize| {
            let walks = walks(&[(count, None)]);
            STATED.map(|stated| GradeCount::of(&walks, stated))
        };
        let [provisional, screened, qualified] = counts(24);
        let from = [&provisional, &screened, &qualified].map(|count| count.fails_from);
        assert_eq!(from, [Some(17), Some(6), Some(1)]);
        let caught =
            [provisional, screened, qualified].map(|count| (1e3 * count.caught_rate.unwrap()).round());
        assert_eq!(caught, [760.0, 309.0, 65.0]);
        assert!(failures(&[(19, None), (5, Some(Grade::Screened))]).is_empty());
        assert_eq!(failures(&[(18, None), (6, Some(Grade::Screened))]).len(), 1);
        let [one, ..] = counts(1);
        assert_eq!((one.fails_from, one.caught_rate), (None, None), "one walk catches nothing");
    }

    #[test]
    fn what_more_walks_buy_is_what_the_help_says() {
        let caught = |count: usize| {
            let walks = walks(&[(count, None)]);
            let [_, screened, _] = STATED.map(|stated| GradeCount::of(&walks, stated));
            (100.0 * screened.caught_rate.unwrap()).round()
        };
        let [few, more, most] = [24, 200, 1_000].map(caught);
        let words = format!(
            "24 catch a true rate of screened of {few} in 100 in 80 of 100 runs, 200 one of {more}, 1000 one of {most}"
        );
        assert!(super::super::WALKS_HELP.contains(&words), "{words}");
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
