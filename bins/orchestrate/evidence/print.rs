//! What `orchestrate evidence` prints.

use std::path::Path;

use serde_json::{Value, json};
use walkforward_core::Grade;
use walkforward_report::{
    ArmReport, EvidenceReport, Gauge, LIVE_BARS_ONLY, MeterReport, MeterTrackRecord, gauges, worth, worths,
    wrap,
};

use crate::table::{Align, Table};
use crate::text::{cut, labelled, minute};

/// Columns of a line's name.
const LINE_COLUMNS: usize = 12;
/// Characters of a gauge.
const RAIL_COLUMNS: usize = 20;
/// Columns of what belongs to a gauge.
const NOTE_COLUMNS: usize = 46;

/// For a program.
pub(super) fn json(arm: &ArmReport) -> Value {
    let mut json = json!(arm);
    json["grade"] = json!(arm.grade());
    json["reachedByLuck"] = json!(arm.grade().map(worth));
    json["sentence"] = json!(sentence(arm));
    json["tests"] = json!(arm.tests_in_words());
    json
}

/// For a person: all arms, or one with its meter.
pub(super) fn text(report: &EvidenceReport, is_one: bool, page: Option<&Path>) -> String {
    let page = page.map(|page| labelled("page", &page.display().to_string())).unwrap_or_default();
    let text = match report.arms.as_slice() {
        [] => "no arm is known; cycles of a schedule and `orchestrate replay` make them\n".to_owned(),
        [arm] if is_one => one(arm),
        arms => all(arms),
    };
    text + &page
}

fn all(arms: &[ArmReport]) -> String {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("arm", left),
        ("line", left),
        ("grade", left),
        ("against", left),
        ("bars", right),
        ("next look", left),
        ("", left),
    ]);
    for arm in arms {
        let standing = arm.meter().map(|meter| meter.standing).unwrap_or_default();
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        table.row(vec![
            arm.arm.to_string(),
            cut(arm.line.as_str(), LINE_COLUMNS),
            arm.grade().map_or("none yet", Grade::as_str).to_owned(),
            or_dash(arm.judged.as_ref().map(|judged| judged.grading.reference.clone())),
            or_dash(standing.counted_bars.map(|bars| bars.to_string())),
            or_dash(standing.next_look_in_bars.map(|bars| format!("in {bars} bars"))),
            match (&arm.quarantine, arm.trades) {
                (Some(_), _) => "in quarantine".to_owned(),
                (None, trades) => if trades { "trades" } else { "" }.to_owned(),
            },
        ]);
    }
    let sentences: String =
        arms.iter().map(|arm| labelled(&format!("{}: ", arm.arm), &sentence(arm))).collect();
    let stopped = arms.iter().filter_map(|arm| arm.quarantine.as_ref().map(|it| (&arm.arm, it.in_words())));
    let stopped: String = stopped.map(|(arm, words)| labelled(&format!("{arm}: "), &words)).collect();
    let worths = worths(|grade| arms.iter().any(|arm| arm.grade() == Some(grade)));
    let worths: String = worths.iter().map(|worth| labelled("worth", worth)).collect();
    format!("{table}\n{sentences}{stopped}{worths}")
}

fn one(arm: &ArmReport) -> String {
    let mut lines = vec![("line", arm.line.to_string()), ("grade", grade(arm))];
    lines.extend(arm.grade().map(|grade| ("worth", worth(grade))));
    lines.extend(
        arm.trades.then(|| ("trades", "its newest accepted snapshot is the line's champion".to_owned())),
    );
    if let Some(judged) = &arm.judged {
        lines.push(("against", judged.grading.reference.clone()));
        lines.push(("newest", format!("{}, from {} UTC on", judged.model, minute(judged.published_at))));
        lines.push(("verdict", judged.sentence.clone()));
    }
    lines.extend(arm.quarantine.iter().map(|quarantine| ("stopped", quarantine.in_words())));
    lines.push(("snapshots", arm.snapshots.to_string()));
    lines.push(("evidence", sentence(arm)));
    let lines: String = lines.into_iter().map(|(label, text)| labelled(label, &text)).collect();
    let meter = arm.meter();
    let own = meter.as_ref().and_then(|meter| meter.own_anchor.as_ref());
    let own = own.map(|own| labelled("own", &own.in_words())).unwrap_or_default();
    let holding = meter.as_ref().and_then(|meter| meter.holding.as_ref());
    let holding = holding.map(|holding| labelled("holding", &holding.sentence)).unwrap_or_default();
    let tests = arm.tests_in_words().map(|words| labelled("tests", &words)).unwrap_or_default();
    let meter = holding + &own + &tests + &meter.map(|meter| whole(&meter)).unwrap_or_default();
    format!("{}\n{lines}{meter}", arm.arm)
}

/// The meter: gauges, chances, and what the difference's Sharpe ratio is worth.
fn whole(meter: &MeterReport) -> String {
    let chances = if meter.outlooks.is_empty() { String::new() } else { format!("\n{}", chances(meter)) };
    format!("\n{}{chances}{}", meter_table(&gauges(meter)), track_record(&meter.track_record))
}

fn meter_table(gauges: &[Gauge]) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[("meter", left), ("", left), ("now", right), ("held against", left)]);
    for gauge in gauges {
        let mut notes = wrap(&ascii(&gauge.note), NOTE_COLUMNS).into_iter();
        let first = notes.next().unwrap_or_default();
        table.row(vec![gauge.name.to_owned(), rail(gauge), ascii(&gauge.value), first]);
        notes.for_each(|note| table.row(vec![String::new(), String::new(), String::new(), note]));
    }
    table
}

/// A gauge as so many marks, with its limits.
fn rail(gauge: &Gauge) -> String {
    let column = |share: f64| (share * RAIL_COLUMNS as f64).round() as usize;
    let filled = gauge.fill.map_or(0, column);
    let limits: Vec<usize> = gauge.limits.iter().map(|limit| column(*limit).min(RAIL_COLUMNS - 1)).collect();
    let mark = |at: usize| match (limits.contains(&at), at < filled) {
        (true, _) => '|',
        (false, true) => '#',
        (false, false) => '.',
    };
    let marks: String = (0..RAIL_COLUMNS).map(mark).collect();
    format!("[{marks}]")
}

fn chances(meter: &MeterReport) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("chance of each grade, if", left),
        ("within", right),
        ("provisional", right),
        ("screened", right),
        ("qualified", right),
    ]);
    let share =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |it| format!("{:.1} %", 100.0 * it));
    let qualified = |value: Option<f64>| match meter.is_replay_alone() {
        true => LIVE_BARS_ONLY.to_owned(),
        false => share(value),
    };
    for outlook in &meter.outlooks {
        for (index, chance) in outlook.chances.iter().enumerate() {
            let assumed = if index == 0 { outlook.gap.in_words() } else { String::new() };
            table.row(vec![
                assumed,
                format!("{} days", chance.within_days),
                share(chance.provisional),
                share(chance.screened),
                qualified(chance.qualified),
            ]);
        }
    }
    table
}

/// Reported, never a condition.
fn track_record(record: &MeterTrackRecord) -> String {
    let Some(sharpe) = record.sharpe else { return String::new() };
    let percent = |name: &str, value: Option<f64>| value.map(|it| format!("{name} {:.1} %", 100.0 * it));
    let best = format!("above the best of {} without skill", record.trials_in_words());
    let parts = [
        Some(format!("Sharpe ratio of the difference {sharpe:.2}")),
        percent("truly above 0 with", record.probabilistic_sharpe),
        percent(&best, record.deflated_sharpe),
        record.min_track_record_bars.map(|bars| format!("95 % after {:.0} bars", bars.ceil())),
    ];
    let told: Vec<String> = parts.into_iter().flatten().collect();
    let variance = record.variance_in_words().map(|words| format!("; {}", ascii(words))).unwrap_or_default();
    format!("\n{}", labelled("reported", &format!("{}{variance} (decides nothing)", told.join(", "))))
}

/// The grade, and what the ledger says where that is another.
fn grade(arm: &ArmReport) -> String {
    let earned = arm.judged.as_ref().and_then(|judged| judged.grading.earned);
    match arm.grade() {
        Some(grade) if earned != Some(grade) => {
            format!(
                "{grade}, kept by refreshes; the ledger alone says {} now",
                earned.map_or("none", Grade::as_str)
            )
        }
        grade => grade.map_or("none yet", Grade::as_str).to_owned(),
    }
}

fn sentence(arm: &ArmReport) -> String {
    let of_meter = arm.meter().map(|meter| meter.sentence).filter(|words| !words.is_empty());
    let of_verdict = arm.judged.as_ref().map(|judged| judged.sentence.clone());
    of_meter.or(of_verdict).unwrap_or_else(|| "no snapshot of it was judged yet".to_owned())
}

/// A text of the page as a terminal has it.
fn ascii(text: &str) -> String {
    text.replace('\u{202f}', " ").replace(['−', '–'], "-").replace('’', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rail_shows_how_far_it_is_and_its_limits() {
        let gauge = |fill, limits: &[f64]| Gauge {
            name: "",
            value: String::new(),
            note: String::new(),
            fill,
            limits: limits.to_vec(),
        };
        assert_eq!(rail(&gauge(Some(0.5), &[])), "[##########..........]");
        assert_eq!(rail(&gauge(None, &[0.8, 1.0])), "[................|..|]");
        assert_eq!(rail(&gauge(Some(1.0), &[0.0])), "[|###################]");
    }
}
