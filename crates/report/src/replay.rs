//! A page about a replay: who would have traded, and what that would have earned.

use serde::{Deserialize, Serialize};
use walkforward_core::{Grade, Grading, LineName, Symbol, Timeframe, Timestamp, Window};

use crate::annualised::annualised;
use crate::bounds::{MAX_ROWS, bounded};
use crate::chart::TimeAxis;
use crate::dates;
use crate::equities::{axis, curves};
use crate::markup::{Element, el, figure, header, known, left_out, row_header, table};
use crate::numbers;
use crate::page::{Section, page};
use crate::sections::{charts, counted, evidence_section, facts, marked, note, worth_notes};

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
    /// What the last judged cycle said about the arm; none before the first.
    pub grading: Option<Grading>,
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
    let axis = axis(&report.equities, report.timeframe);
    let ticks = axis.as_ref().map(TimeAxis::ticks).unwrap_or_default();
    let before = [
        charts(axis.as_ref(), &ticks, &curves(&report.equities, report.timeframe), None),
        figures(report),
        champions(report),
        refusals(report),
    ];
    let evidence = report.grading.as_ref().map(evidence_section);
    let sections = before.into_iter().chain(evidence).chain([settings(report)]).collect();
    page(&title, top(report), sections)
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
    el("header")
        .add(el("p").class("eyebrow").text(line))
        .add(el("h1").text(format!("Replay of line {}", report.line)))
        .add(el("p").class("sentence").text(answer(report)))
        .all(marked(&report.notes, "Notes"))
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
    let content = changes_table(&report.changes, report.changes_left_out);
    Section { id: "champions", title: "Who traded", content }
}

/// A table of `changes`; `left_out` more are not among them.
pub(crate) fn changes_table(changes: &[ReplayChange], left_out_before: usize) -> Vec<Element> {
    let (shown, rest) = bounded(changes, MAX_ROWS);
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
    if shown.is_empty() {
        return vec![note("No model ever traded.")];
    }
    let rows = table("Changes of the champion", header(&columns), shown.iter().map(row));
    let is_shown = |grade: Grade| shown.iter().any(|change| change.grade.as_deref() == Some(grade.as_str()));
    std::iter::once(rows)
        .chain(left_out(rest.saturating_add(left_out_before), "changes are"))
        .chain(worth_notes(is_shown))
        .collect()
}

fn refusals(report: &ReplayReport) -> Section {
    Section { id: "refusals", title: "What was refused", content: refusals_table(&report.refusals) }
}

/// A table of reasons with the number of cycles that changed nothing for each.
pub(crate) fn refusals_table(refusals: &[(String, u64)]) -> Vec<Element> {
    let (shown, rest) = bounded(refusals, MAX_ROWS);
    let row = |(reason, count): &(String, u64)| {
        let name = el("th").attr("scope", "row").add(el("code").text(reason));
        el("tr").add(name).add(figure(Some(numbers::whole(*count))))
    };
    let columns = [("Reason", false), ("Cycles", true)];
    if shown.is_empty() {
        return vec![note("Every cycle's model was let through.")];
    }
    let rows = table("Cycles that changed nothing", header(&columns), shown.iter().map(row));
    std::iter::once(rows.attr("data-narrow", "")).chain(left_out(rest, "reasons are")).collect()
}

fn settings(report: &ReplayReport) -> Section {
    Section { id: "settings", title: "How it was made", content: facts(&report.settings, "settings are") }
}
