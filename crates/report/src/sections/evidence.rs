//! Where the evidence for the model's arm stands.

use walkforward_core::{Grade, Grading};

use crate::bounds::{MAX_ROWS, bounded};
use crate::gauges::{Gauge, gauges};
use crate::markup::{Element, el, figure, header, known, left_out, row_header, table};
use crate::meter::{LIVE_BARS_ONLY, MeterChance, MeterReport, MeterTrackRecord, worth, worths};
use crate::numbers;
use crate::page::{Section, View, in_words};
use crate::sections::{counted, note, result};

/// The evidence for the arm of the page's model; none when its verdict has no grading.
pub(crate) fn evidence(view: &View<'_>) -> Option<Section> {
    let grading = view.report.verdict.as_ref()?.grading.as_ref()?;
    Some(section(grading))
}

/// The evidence that `grading` carries.
pub(crate) fn section(grading: &Grading) -> Section {
    Section { id: "evidence", title: "Evidence", content: meter(grading) }
}

/// The grade, the gauges, the chances, and what else is known.
pub(crate) fn meter(grading: &Grading) -> Vec<Element> {
    let mut content = grade(grading);
    let Some(meter) = MeterReport::of(grading) else {
        content.push(note("The verdict recorded no figures about the arm."));
        return content;
    };
    if !meter.sentence.is_empty() {
        content.push(el("p").class("lead").text(in_words(&meter.sentence)));
    }
    content.extend(meter.holding.as_ref().map(|holding| note(in_words(&holding.sentence) + ".")));
    content.push(el("dl").class("gauges").all(gauges(&meter).iter().map(gauge)));
    content.extend(meter.own_anchor.as_ref().map(|own| el("p").text(in_words(&own.in_words()))));
    content.extend(chances(&meter));
    content.extend(track_record(&meter.track_record));
    content
}

/// The grade and what it is worth.
fn grade(grading: &Grading) -> Vec<Element> {
    let mark = match grading.grade {
        Some(Grade::Qualified) => result("pass", "Qualified"),
        Some(grade) => el("span").class("pill own").text(in_words(grade.as_str())),
        None => el("span").class("pill").text("No grade yet"),
    };
    let arm = el("span").class("note").text("arm ").add(el("code").text(grading.arm.as_str()));
    let against = el("span").class("note").text("against ").add(el("code").text(&grading.reference));
    let line = el("p").class("id").add(mark).add(arm).add(against);
    let worth = grading.grade.map(|grade| note(in_words(&worth(grade)) + "."));
    let kept = grading.grade.filter(|_| grading.earned != grading.grade).map(|_| {
        let earned = grading.earned.map_or("no grade", Grade::as_str);
        note(format!("A refresh keeps the grade; the ledger alone says {earned} now."))
    });
    std::iter::once(line).chain(worth).chain(kept).collect()
}

fn gauge(gauge: &Gauge) -> Element {
    let place = |share: f64| format!("{}%", (share * 1_000.0).round() / 10.0);
    let bar = gauge
        .fill
        .map(|fill| el("span").class("bar candidate").attr("style", format!("width:{}", place(fill))));
    let limit = |share: &f64| el("span").class("limit").attr("style", format!("left:{}", place(*share)));
    let rail = el("span").class("rail").all(bar).all(gauge.limits.iter().map(limit));
    el("div")
        .add(el("dt").text(gauge.name))
        .add(el("dd").class("value").text(&gauge.value))
        .add(el("dd").attr("aria-hidden", "true").add(rail))
        .add(el("dd").class("note").text(&gauge.note))
}

/// What each grade that `is_shown` is worth, a note each.
pub(crate) fn worth_notes(is_shown: impl Fn(Grade) -> bool) -> impl Iterator<Item = Element> {
    worths(is_shown).into_iter().map(|worth| note(in_words(&worth) + "."))
}

/// The chance of each grade, for each assumed lead.
fn chances(meter: &MeterReport) -> Vec<Element> {
    let (shown, rest) = bounded(&meter.outlooks, MAX_ROWS);
    if shown.is_empty() {
        return Vec::new();
    }
    let columns = [("Within", false), ("Provisional", true), ("Screened", true), ("Qualified", true)];
    let row = |chance: &MeterChance| {
        let within = counted(chance.within_days, "day", "days");
        let qualified = match meter.is_replay_alone() {
            true => figure(Some(LIVE_BARS_ONLY.to_owned())),
            false => known(chance.qualified, whole_percent),
        };
        el("tr")
            .add(row_header(&within))
            .all([chance.provisional, chance.screened].map(|it| known(it, whole_percent)))
            .add(qualified)
    };
    let rows = shown.iter().flat_map(|outlook| {
        let title = el("th")
            .attr("scope", "rowgroup")
            .attr("colspan", 4)
            .text(format!("If {}", outlook.gap.in_words()));
        let (chances, _) = bounded(&outlook.chances, MAX_ROWS);
        std::iter::once(el("tr").class("group").add(title)).chain(chances.iter().map(row)).collect::<Vec<_>>()
    });
    let list = table("Chance of each grade", header(&columns), rows).attr("data-narrow", "chances");
    let worths = worths(|_| true).into_iter().rev().map(|worth| el("li").text(in_words(&worth) + "."));
    let simulated = note(
        "Simulated from where the ledger stands, with normal days that do not depend on each other; a grade counts \
         from the first look at which it is reached, and the arm goes on deciding as often as so far. Leads are annual Sharpe ratios of the arm’s own returns. What a \
         grade is worth, measured on simulated markets:",
    );
    [el("h3").text("What may still come"), list]
        .into_iter()
        .chain(left_out(rest, "assumptions are"))
        .chain([simulated, el("ul").class("plain note").all(worths)])
        .collect()
}

/// Whole per cent, and a decimal near 0 and 1: hardly ever is not never.
fn whole_percent(share: f64) -> String {
    let is_near_an_end = (share > 0.0 && share < 0.1) || (share > 0.95 && share < 1.0);
    format!("{}\u{202f}%", numbers::decimals(100.0 * share, usize::from(is_near_an_end)))
}

/// What the Sharpe ratio of the difference is worth.
fn track_record(record: &MeterTrackRecord) -> Option<Element> {
    record.sharpe?;
    let trials = record.trials_in_words();
    let facts = [
        ("Sharpe ratio of the difference, annual".to_owned(), record.sharpe.map(numbers::plain)),
        ("Chance that the true one is above 0".to_owned(), record.probabilistic_sharpe.map(numbers::percent)),
        (format!("Above the best of {trials} without skill"), record.deflated_sharpe.map(numbers::percent)),
        (
            "Bars until it is above 0 with 95 % confidence".to_owned(),
            record.min_track_record_bars.map(|bars| numbers::decimals(bars.ceil(), 0)),
        ),
    ];
    let fact = |(name, value): (String, Option<String>)| {
        Some(el("div").add(el("dt").text(name)).add(el("dd").text(value?)))
    };
    let list = el("dl").class("facts").all(facts.into_iter().filter_map(fact));
    let variance = record.variance_in_words().map(|words| note(format!("Of the {trials}: {words}.")));
    Some(el("div").add(el("h3").text("Reported, decides nothing")).add(list).all(variance))
}
