//! What is known about the bars.

use walkforward_core::{QualityFigures, QualityReport, Timestamp};

use crate::bounds::{MAX_ROWS, bounded};
use crate::dates;
use crate::markup::{Element, dash, el, header, left_out, row_header, table};
use crate::model::{GapCounts, GapStretch};
use crate::numbers;
use crate::page::{Section, View, in_words};
use crate::sections::{counted, note};

/// Rejected rows that are shown with their reason.
const MAX_REJECTED: usize = 10;

type Kind = (&'static str, &'static str, fn(&GapCounts) -> u64);

/// Kinds of bars: class, words, count.
const KINDS: [Kind; 4] = [
    ("present", "present", |counts| counts.present),
    ("revised", "revised by the source", |counts| counts.revised),
    ("no-trade", "without a trade", |counts| counts.no_trade),
    ("missing", "missing", |counts| counts.missing),
];

type Row = (&'static str, fn(&QualityFigures) -> String);

/// Figures about a stretch of bars.
const ROWS: [Row; 13] = [
    ("Rows", |it| count(it.rows)),
    ("First bar", |it| time(it.first_open_time)),
    ("Last bar", |it| time(it.last_open_time)),
    ("Missing share", |it| numbers::percent(it.missing_share())),
    ("Missing bars", |it| count(it.missing_bars)),
    ("Longest hole, bars", |it| count(it.longest_hole_bars)),
    ("Missing shorter bars", |it| count(it.missing_base_bars)),
    ("Bars without volume", |it| count(it.zero_volume_bars)),
    ("Flat bars", |it| count(it.flat_bars)),
    ("Duplicates", |it| count(it.duplicates)),
    ("Out of order", |it| count(it.out_of_order_rows)),
    ("Outside of sessions", |it| count(it.outside_session_bars)),
    ("Unfinished, left out", |it| count(it.unfinished_dropped)),
];

/// Coverage, figures and rejected rows.
pub(crate) fn data(view: &View<'_>) -> Section {
    let report = view.report;
    let mut content: Vec<Element> =
        report.gaps.iter().filter(|gap| gap.counts.total() > 0).take(MAX_ROWS).map(coverage).collect();
    if let Some(quality) = &report.quality {
        content.push(figures(quality));
        content.extend(quality.file.as_ref().map(rejected).unwrap_or_default());
    }
    if content.is_empty() {
        content.push(note("Nothing was recorded about the bars."));
    }
    Section { id: "data", title: "Data quality", content }
}

/// A bar that is as long as the stretch, cut by kind, with the same in words.
fn coverage(stretch: &GapStretch) -> Element {
    let counts = &stretch.counts;
    let total = counts.total();
    let share = |count: u64| count as f64 / total as f64;
    let present: Vec<&Kind> = KINDS.iter().filter(|(_, _, count)| count(counts) > 0).collect();
    let part = |(class, _, count): &&Kind| {
        let width = format!("width:{}%", (share(count(counts)) * 10_000.0).round() / 100.0);
        el("span").class(format!("part {class}")).attr("style", width)
    };
    let item = |(class, words, count): &&Kind| {
        let swatch = el("span").class(format!("swatch {class}")).attr("aria-hidden", "true");
        let text =
            format!("{} {words} ({})", numbers::whole(count(counts)), numbers::percent(share(count(counts))));
        el("li").add(swatch).add(el("span").text(text))
    };
    let known = share(total - counts.missing);
    let title = format!(
        "{}: {}, {} known",
        in_words(&stretch.name),
        counted(total, "bar", "bars"),
        numbers::percent(known)
    );
    let bar = el("div").class("coverage").attr("aria-hidden", "true").all(present.iter().map(part));
    let legend = el("ul").class("legend").all(present.iter().map(item));
    el("div").class("stretch").add(el("h3").text(title)).add(bar).add(legend)
}

fn figures(quality: &QualityReport) -> Element {
    let mut columns = vec![("Figure", false), ("Window", true)];
    columns.extend(quality.file.is_some().then_some(("Whole file", true)));
    let row = |(name, value): &Row| {
        let cells = std::iter::once(&quality.window).chain(&quality.file).map(|it| cell(&value(it)));
        el("tr").add(row_header(name)).all(cells)
    };
    let label = "Figures about the bars";
    table(label, header(&columns), ROWS.iter().map(row)).attr("data-narrow", "")
}

fn cell(text: &str) -> Element {
    let cell = el("td").class("n");
    if text.is_empty() { cell.add(dash()) } else { cell.text(text) }
}

fn count(count: usize) -> String {
    numbers::whole(count as u64)
}

fn time(time: Option<Timestamp>) -> String {
    time.map(dates::minute).unwrap_or_default()
}

/// Rows of the file that are no bar.
fn rejected(file: &QualityFigures) -> Vec<Element> {
    if file.rejected_count == 0 {
        return Vec::new();
    }
    let (shown, _) = bounded(&file.rejected_rows, MAX_REJECTED);
    let rows =
        counted(file.rejected_count as u64, "row of the file is no bar", "rows of the file are no bars");
    let item = |row: &walkforward_core::RejectedRow| {
        el("li").text(format!("Line {}: {}", numbers::whole(row.line), row.reason))
    };
    let list = el("ul").class("plain").all(shown.iter().map(item));
    let rest = file.rejected_count.saturating_sub(shown.len());
    [note(format!("{rows} and left out:")), list]
        .into_iter()
        .chain(left_out(rest, "rejected rows are"))
        .collect()
}
