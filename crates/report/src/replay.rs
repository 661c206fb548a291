//! A page about a replay: who would have traded, and what that would have earned.

use serde::{Deserialize, Serialize};
use walkforward_core::{LineName, Symbol, Timeframe, Timestamp, Window};

use crate::annualised::annualised;
use crate::bounds::{MAX_ROWS, bounded};
use crate::chart::TimeAxis;
use crate::dates;
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::numbers;
use crate::page::{Section, page};
use crate::sections::{Curve, charts, counted, note};

/// Line styles of the equities, in order.
const STYLES: [&str; 5] = ["candidate", "champion", "baseline-2", "baseline-1", "baseline-0"];

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayReport {
    /// The line.
    pub line: LineName,
    /// What it trades.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// From the first due time to the last bar.
    pub span: Window,
    /// Cycles that were made.
    pub cycles: u64,
    /// Equities over the same bars, that of the line first; at most five.
    pub equities: Vec<ReplayEquity>,
    /// How the champion changed, the oldest first.
    pub changes: Vec<ReplayChange>,
    /// Changes that are not listed.
    pub changes_left_out: usize,
    /// Why cycles changed nothing, in a word, and how many did not for it.
    pub refusals: Vec<(String, u64)>,
    /// What was replayed, and how: name and value.
    pub settings: Vec<(String, String)>,
    /// What a reader has to know before believing the figures, a sentence each.
    pub notes: Vec<String>,
}

/// Somebody's equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayEquity {
    /// Whose, for people.
    pub name: String,
    /// What that means, for people.
    pub explanation: String,
    /// Close of each bar, `[n_bars]`.
    pub bar_close: Vec<Timestamp>,
    /// Return over each bar after costs, `[n_bars]`.
    pub net_return: Vec<f64>,
    /// Return over all of them.
    pub total_return: Option<f64>,
    /// Annualised Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Largest fall from a running peak, a positive fraction.
    pub max_drawdown: Option<f64>,
    /// Share of the bars at whose ends it held a position.
    pub exposure: Option<f64>,
}

/// A change of champion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayChange {
    /// When.
    pub at: Timestamp,
    /// What it was: `takeover`, `refresh`, `rollback`.
    pub kind: String,
    /// The new champion, if there is one.
    pub model: Option<String>,
    /// Its arm's grade, if it has one.
    pub grade: Option<String>,
    /// Why, in words.
    pub sentence: String,
}

/// The page about `report`, complete in itself: a UTF-8 text to be written to one file. The same report gives the same
/// bytes.
pub fn replay_html(report: &ReplayReport) -> String {
    let title = format!("Replay of line {} · {} {}", report.line, report.symbol, report.timeframe);
    let axis = axis(report);
    let ticks = axis.as_ref().map(TimeAxis::ticks).unwrap_or_default();
    let sections = vec![
        charts(axis.as_ref(), &ticks, &curves(report), None),
        figures(report),
        champions(report),
        refusals(report),
        settings(report),
    ];
    page(&title, top(report), sections)
}

fn axis(report: &ReplayReport) -> Option<TimeAxis> {
    let closes = report.equities.iter().map(|it| &it.bar_close).find(|closes| !closes.is_empty())?;
    let start = closes.first()?.plus_millis(-report.timeframe.millis());
    TimeAxis::over(std::iter::once(start).chain(closes.iter().copied()))
}

/// Equities, 1 before the first bar.
fn curves(report: &ReplayReport) -> Vec<Curve> {
    let curve = |(equity, class): (&ReplayEquity, &&str)| {
        let start = equity.bar_close.first()?.plus_millis(-report.timeframe.millis());
        let times: Vec<Timestamp> = std::iter::once(start).chain(equity.bar_close.iter().copied()).collect();
        let mut level = 1.0;
        let grown = equity.net_return.iter().map(|change| {
            level *= 1.0 + change;
            level
        });
        let grown: Vec<f64> = std::iter::once(1.0).chain(grown).collect();
        Curve::new(&equity.name, class, &times, &grown)
    };
    report.equities.iter().zip(&STYLES).filter_map(curve).collect()
}

fn top(report: &ReplayReport) -> Element {
    let line = format!(
        "{} {} · line {} · {} · {} UTC",
        report.symbol,
        report.timeframe,
        report.line,
        counted(report.cycles, "cycle", "cycles"),
        dates::span(report.span)
    );
    let item = |text: &String| {
        let mark = el("span").class("icon").attr("aria-hidden", "true").text("!");
        el("li").add(mark).add(el("span").text(text))
    };
    let (shown, rest) = bounded(&report.notes, MAX_ROWS);
    let notes = el("ul").class("warnings").attr("aria-label", "Notes").all(shown.iter().map(item));
    let notes = (!shown.is_empty()).then_some(notes);
    el("header")
        .add(el("p").class("eyebrow").text(line))
        .add(el("h1").text(format!("Replay of line {}", report.line)))
        .add(el("p").class("sentence").text(answer(report)))
        .all(notes)
        .all(left_out(rest, "notes are"))
}

/// What it came to, in a sentence.
fn answer(report: &ReplayReport) -> String {
    let of = |equity: &ReplayEquity| {
        let total = equity.total_return.map_or("nothing".to_owned(), numbers::signed_percent);
        format!("{} {total}", equity.name)
    };
    match report.equities.split_first() {
        None => "No bar was scored.".to_owned(),
        Some((line, others)) => {
            let others: Vec<String> = others.iter().map(of).collect();
            format!("{} after costs; beside it: {}.", of(line), others.join(", "))
        }
    }
}

fn figures(report: &ReplayReport) -> Section {
    let columns = [
        ("After costs", false),
        ("Return", true),
        ("Sharpe", true),
        ("Drawdown", true),
        ("In the market", true),
    ];
    let row = |equity: &ReplayEquity| {
        let name = row_header(&equity.name).add(el("span").class("sub").text(&equity.explanation));
        let known = |value: Option<f64>, write: fn(f64) -> String| {
            figure(value.filter(|value| value.is_finite()).map(write))
        };
        el("tr")
            .add(name)
            .add(known(equity.total_return, numbers::signed_percent))
            .add(known(equity.sharpe, numbers::plain))
            .add(known(equity.max_drawdown, numbers::percent))
            .add(known(equity.exposure, numbers::percent))
    };
    let content = match report.equities.is_empty() {
        true => vec![note("No bar was scored.")],
        false => {
            let rows = report.equities.iter().map(row);
            let made_of =
                format!("Sharpe ratio, {}; largest drawdown; share of bars.", annualised(Some(report.span)));
            vec![table("Figures on the replayed bars", header(&columns), rows), note(made_of)]
        }
    };
    Section { id: "figures", title: "Figures", content }
}

fn champions(report: &ReplayReport) -> Section {
    let (shown, rest) = bounded(&report.changes, MAX_ROWS);
    let columns =
        [("At, UTC", false), ("What", false), ("Grade", false), ("Champion", false), ("Why", false)];
    let row = |change: &ReplayChange| {
        let text = |text: &str| el("td").text(text);
        el("tr")
            .add(row_header(&dates::minute(change.at)))
            .add(text(&crate::page::in_words(&change.kind)))
            .add(text(change.grade.as_deref().unwrap_or("–")))
            .add(el("td").add(el("code").text(change.model.as_deref().unwrap_or("none"))))
            .add(text(&change.sentence))
    };
    let content = match shown.is_empty() {
        true => vec![note("No model ever traded.")],
        false => {
            let rows = table("Changes of the champion", header(&columns), shown.iter().map(row));
            std::iter::once(rows).chain(left_out(rest + report.changes_left_out, "changes are")).collect()
        }
    };
    Section { id: "champions", title: "Who traded", content }
}

fn refusals(report: &ReplayReport) -> Section {
    let (shown, rest) = bounded(&report.refusals, MAX_ROWS);
    let row = |(reason, count): &(String, u64)| {
        let name = el("th").attr("scope", "row").add(el("code").text(reason));
        el("tr").add(name).add(figure(Some(numbers::whole(*count))))
    };
    let columns = [("Reason", false), ("Cycles", true)];
    let content = match shown.is_empty() {
        true => vec![note("Every cycle's model was let through.")],
        false => {
            let rows = table("Cycles that changed nothing", header(&columns), shown.iter().map(row));
            std::iter::once(rows.attr("data-narrow", "")).chain(left_out(rest, "reasons are")).collect()
        }
    };
    Section { id: "refusals", title: "What was refused", content }
}

fn settings(report: &ReplayReport) -> Section {
    let (shown, rest) = bounded(&report.settings, MAX_ROWS);
    let fact = |(name, value): &(String, String)| {
        el("div").add(el("dt").text(name)).add(el("dd").add(el("code").text(value)))
    };
    let facts = el("dl").class("facts").all(shown.iter().map(fact));
    let content = std::iter::once(facts).chain(left_out(rest, "settings are")).collect();
    Section { id: "settings", title: "How it was made", content }
}
