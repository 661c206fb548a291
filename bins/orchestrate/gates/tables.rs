//! What the worlds came to, as a person reads it.

use walkforward_simulation::{Against, ArmOutcome, EARLY_DAYS, Mean, Reached, Share, Snapshots};

use super::request::Request;
use super::simulate::{LineRow, Report};
use crate::table::{Align, Table};

/// Characters of a bar that stands for every world.
const BAR_COLUMNS: usize = 24;
const HOURS_PER_DAY: usize = 24;
const BASIS_POINTS: f64 = 1e4;

type Row = (String, fn(&ArmOutcome) -> Reached);

/// The whole report.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!("{}\n{}", heading(&report.asked), arms(&report.asked, &report.arms));
    if !report.lines.is_empty() {
        text.push_str(&format!("\n{}\n{}", line_heading(&report.asked), lines(&report.lines)));
    }
    text
}

fn heading(asked: &Request) -> String {
    format!(
        "{}.\n\
         One arm against {}. A gap is an annual Sharpe ratio net\n\
         of costs: what is promoted at a gap of 0 or less, luck promoted.\n",
        worlds(asked),
        against(asked),
    )
}

/// Which worlds were made.
pub(super) fn worlds(asked: &Request) -> String {
    format!(
        "{} worlds of {} days for each gap (market {}, {:.0} bps a fill, a snapshot every {}, seed {})",
        asked.worlds,
        asked.days,
        asked.market,
        asked.cost * BASIS_POINTS,
        every(asked.cadence_bars),
        asked.seed,
    )
}

/// What one arm was measured against.
pub(super) fn against(asked: &Request) -> String {
    match asked.against {
        Against::Flat => "cash".to_owned(),
        Against::Anchor { agreement } => {
            format!("an anchor that decides alike in {:.0} % of the blocks", 100.0 * agreement)
        }
    }
}

fn arms(asked: &Request, outcomes: &[ArmOutcome]) -> Table {
    let ever = format!("in {} days", asked.days);
    let early = format!("in {EARLY_DAYS} days");
    let header = [
        ("gap", Align::Right),
        ("grade", Align::Left),
        (early.as_str(), Align::Right),
        (ever.as_str(), Align::Right),
        ("", Align::Left),
        ("median days", Align::Right),
    ];
    let mut table = Table::new(&header);
    for outcome in outcomes {
        for (name, reached) in grades(asked) {
            let reached = reached(outcome);
            table.row(vec![
                outcome.gap.to_string(),
                name,
                percent(&reached.early),
                percent(&reached.ever),
                bar(reached.ever.rate()),
                reached.median_days.map_or_else(|| "-".to_owned(), |days| format!("{days:.0}")),
            ]);
        }
    }
    table
}

/// The grades, and what qualifies under which level.
fn grades(asked: &Request) -> Vec<Row> {
    let (whole, share) = (asked.rules.qualified_alpha, asked.rules.alpha_share());
    let mut rows: Vec<Row> = vec![
        (format!("provisional (p <= {})", asked.rules.provisional_p), |it| it.provisional),
        (format!("screened (p <= {})", asked.rules.screened_p), |it| it.screened),
        (format!("qualified (registered test, {share})"), |it| it.qualified),
        (format!("qualified (e-process, {share})"), |it| it.betting),
    ];
    if asked.rules.max_arms > 1 {
        rows.push((format!("as the only arm (registered test, {whole})"), |it| it.qualified_alone));
        rows.push((format!("as the only arm (e-process, {whole})"), |it| it.betting_alone));
    }
    rows
}

fn line_heading(asked: &Request) -> String {
    format!(
        "{} lines of {} arms for each gap: one has the gap, the others nothing; the line begins with cash.\n\
         Wrong: the new champion is worth no more than what it displaced.\n",
        asked.line_worlds, asked.rules.max_arms,
    )
}

fn lines(rows: &[LineRow]) -> Table {
    let columns = ["gap", "takeovers/year", "wrong/year", "true Sharpe", "best at the end"];
    let more = ["screened", "qualified", "newer let through"];
    let mut header = vec![("snapshots", Align::Left)];
    header.extend(columns.into_iter().chain(more).map(|name| (name, Align::Right)));
    let mut table = Table::new(&header);
    for LineRow { gap, snapshots, outcome } in rows {
        table.row(vec![
            kind(*snapshots).to_owned(),
            gap.to_string(),
            mean(&outcome.takeovers),
            mean(&outcome.wrong_takeovers),
            mean(&outcome.served_sharpe),
            // Where all are alike, none is the best.
            if *gap == 0.0 { "-".to_owned() } else { percent(&outcome.best_in_the_end) },
            percent(&outcome.screened),
            percent(&outcome.qualified),
            format!("{:.1} %", 100.0 * outcome.refreshed.value),
        ]);
    }
    table
}

/// How the snapshots of an arm hang together, in a word.
pub(super) fn kind(snapshots: Snapshots) -> &'static str {
    match snapshots {
        Snapshots::Consistent => "consistent",
        Snapshots::Independent { .. } => "independent",
    }
}

fn percent(share: &Share) -> String {
    format!("{:.1} ± {:.1} %", 100.0 * share.rate(), 100.0 * share.standard_error())
}

fn mean(mean: &Mean) -> String {
    format!("{:.2} ± {:.2}", mean.value, mean.standard_error)
}

/// A share as so many marks.
fn bar(share: f64) -> String {
    let marks = (share * BAR_COLUMNS as f64).round() as usize;
    format!("|{}{}|", "#".repeat(marks), " ".repeat(BAR_COLUMNS.saturating_sub(marks)))
}

fn every(bars: usize) -> String {
    match bars {
        bars if bars % HOURS_PER_DAY == 0 => format!("{} d", bars / HOURS_PER_DAY),
        bars => format!("{bars} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(0.0), format!("|{}|", " ".repeat(24)));
        assert_eq!(bar(0.5), format!("|{}{}|", "#".repeat(12), " ".repeat(12)));
        assert_eq!(bar(1.0), format!("|{}|", "#".repeat(24)));
    }

    #[test]
    fn a_share_is_told_with_its_error() {
        assert_eq!(percent(&Share { count: 1, worlds: 4 }), "25.0 ± 21.7 %");
        assert_eq!(mean(&Mean { value: 1.234, standard_error: 0.05 }), "1.23 ± 0.05");
        assert_eq!([every(6), every(48)], ["6 h", "2 d"]);
    }
}
