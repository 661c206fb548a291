//! What `orchestrate selftest` prints.

use walkforward_core::Grade;

use super::Report;
use super::edge::{Edge, graded};
use super::leak::{Leak, Trained};
use super::luck::Luck;
use crate::table::{Align, Table};
use crate::text::{labelled, minute};

/// For a person.
pub(super) fn text(report: &Report) -> String {
    let verdict = match report.holds {
        true => "all of it holds".to_owned(),
        false => format!("FAILED: {}", report.failures.join("; ")),
    };
    let seed = labelled("seed", &report.seed.to_string());
    let parts = [edge(&report.edge), leak(&report.leak), luck(&report.luck), labelled("selftest", &verdict)];
    format!("{seed}\n{}", parts.join("\n"))
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:+.2} %", 100.0 * value))
}

fn edge(edge: &Edge) -> String {
    let found = match (edge.promoted_at, edge.promoted_on_day) {
        (Some(at), Some(day)) => format!(
            "a model took the line over on day {day} ({}); the arm came to {}, {} newer ones followed",
            minute(at),
            graded(edge.grade),
            edge.refreshes
        ),
        _ => format!("no model was promoted; the arm came to {}", graded(edge.grade)),
    };
    let earned = format!(
        "{} after costs; every snapshot at once {}, holding the asset {}",
        percent(edge.total_return("line")),
        percent(edge.total_return("auto_deploy")),
        percent(edge.total_return("buy_and_hold"))
    );
    let heading =
        format!("A market with an edge: {} days, {} trainings, {}\n", edge.days, edge.cycles, edge.settings);
    [heading, labelled("found", &found), labelled("earned", &earned)].concat()
}

fn leak(leak: &Leak) -> String {
    let sharpe =
        |trained: &Trained| trained.sharpe.map_or("none".to_owned(), |sharpe| format!("{sharpe:.1}"));
    let exploited = format!(
        "on {} bars that nobody trained on a Sharpe ratio of {} with the leak and {} without; luck exceeds {:.1} (five \
         standard errors) 3 times in 10 million",
        leak.holdout_bars,
        sharpe(&leak.leaking),
        sharpe(&leak.honest),
        leak.bound
    );
    let checked = |trained: &Trained| {
        let check = &trained.look_ahead;
        format!("{} of {} bars", check.rewritten_bars, check.bars)
    };
    let first = leak.leaking.look_ahead.first.as_ref().map(|first| {
        format!(
            ": the {} of the bar of {} was {:.2} at its close and {:.2} later, and with it {}",
            first.value,
            minute(first.bar),
            first.was,
            first.became,
            first.features.join(", ")
        )
    });
    let caught = format!(
        "{} were others afterwards{}; without the leak {}",
        checked(&leak.leaking),
        first.unwrap_or_default(),
        checked(&leak.honest)
    );
    let heading = format!("A leak: a random walk whose volumes come from the next bar, {}\n", leak.settings);
    [heading, labelled("exploited", &exploited), labelled("caught", &caught)].concat()
}

fn luck(luck: &Luck) -> String {
    let walks = luck.walks.len();
    let seeds = match (luck.walks.first(), luck.walks.last()) {
        (Some(first), Some(last)) => format!("seeds {} to {}", first.seed, last.seed),
        _ => String::new(),
    };
    let heading = format!("Random walks: {walks} of {} days, {seeds}, {}\n", luck.days, luck.settings);
    let columns = [
        ("grade", Align::Left),
        ("reached by", Align::Right),
        ("stated", Align::Right),
        ("held against", Align::Right),
        ("so many or more", Align::Right),
        ("fails from", Align::Right),
        ("caught 80 in 100", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for count in &luck.grades {
        table.row(vec![
            count.grade.to_string(),
            format!("{} of {}", count.reached, count.of),
            format!("{:.1} %", 100.0 * count.stated_rate),
            format!("{:.1} %", 100.0 * count.limit_rate),
            tail(count.tail),
            count.fails_from.map_or("-".to_owned(), |from| from.to_string()),
            count.caught_rate.map_or("-".to_owned(), |rate| format!("a rate of {:.0} %", 100.0 * rate)),
        ]);
    }
    let graded: Vec<String> =
        luck.walks.iter().filter_map(|walk| Some(named(walk.seed, walk.grade?))).collect();
    let graded = if graded.is_empty() { "none".to_owned() } else { graded.join(", ") };
    let takeovers: usize = luck.walks.iter().map(|walk| walk.takeovers).sum();
    let promoted = format!("{takeovers} of {walks} lines got a champion");
    let power = "a count fails whose chance is below 1 in 100 at what it is held against; a true rate as in the last column \
                 fails in 80 of 100 runs with so many walks, a lower one is often missed: more --walks catch lower ones";
    let told = [("graded", graded.as_str()), ("promoted", &promoted), ("power", power)];
    let told: String = told.into_iter().map(|(label, text)| labelled(label, text)).collect();
    [heading, table.to_string(), told].concat()
}

fn named(seed: u64, grade: Grade) -> String {
    format!("{seed} {grade}")
}

/// A chance: `0.38`, `2.1e-5`.
fn tail(tail: f64) -> String {
    if tail >= 0.001 { format!("{tail:.3}") } else { format!("{tail:.1e}") }
}

#[cfg(test)]
mod tests {
    use super::super::luck::{GradeCount, Luck};
    use super::*;

    #[test]
    fn the_rate_that_would_be_caught_stands_beside_each_count() {
        let count = |fails_from, caught_rate| GradeCount {
            grade: Grade::Screened,
            reached: 1,
            of: 24,
            stated_rate: 0.04,
            limit_rate: 0.058,
            tail: 0.762,
            fails_from,
            caught_rate,
        };
        let told = |count| {
            let grades = vec![count];
            luck(&Luck { settings: String::new(), days: 31, walks: Vec::new(), grades })
        };
        let caught = told(count(Some(6), Some(0.309)));
        let row = caught.lines().find(|line| line.starts_with("screened")).unwrap();
        assert!(row.ends_with("a rate of 31 %") && row.contains(" 6 "), "{row}");
        assert!(caught.contains("fails in 80 of 100 runs with so many walks"), "{caught}");
        let row =
            told(count(None, None)).lines().find(|line| line.starts_with("screened")).unwrap().to_owned();
        assert_eq!(row.split_whitespace().filter(|cell| *cell == "-").count(), 2, "{row}");
    }
}
