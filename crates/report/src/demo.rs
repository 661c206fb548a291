//! A page about a demonstration: what the rules made of two markets, and what was shown to hold.

use serde::{Deserialize, Serialize};
use walkforward_core::{Symbol, Timeframe, Window};

use crate::annualised::annualised;
use crate::bounds::{MAX_ROWS, bounded};
use crate::chart::TimeAxis;
use crate::equities::{axis, curves};
use crate::markup::{Element, el, figure, header, known, left_out, row_header, table};
use crate::numbers;
use crate::page::{Section, page};
use crate::replay::{ReplayChange, ReplayEquity, changes_table, refusals_table};
use crate::sections::{Curve, counted, equity_chart, facts, growth_scale, marked, note, result};

/// What a demonstration came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoReport {
    /// Days that were replayed on each market.
    pub days: u64,
    /// Time from one cycle to the next (`24h`).
    pub every: String,
    /// Iterations of each training.
    pub iterations: u64,
    /// Where all randomness came from.
    pub seed: u64,
    /// The command that makes the same page.
    pub command: String,
    /// The markets, the one that an edge is looked for in first; two stand side by side.
    pub markets: Vec<DemoMarket>,
    /// What was shown to hold, in reading order.
    pub proofs: Vec<DemoProof>,
    /// Further settings: name and value.
    pub settings: Vec<(String, String)>,
    /// What a reader has to know before believing the figures, a sentence each.
    pub notes: Vec<String>,
}

/// A market and what each rule would have made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoMarket {
    /// Its name for people (`With an edge`).
    pub name: String,
    /// What it is made of, in a sentence.
    pub explanation: String,
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// From the first due time to the last bar.
    pub span: Window,
    /// Cycles that were made.
    pub cycles: u64,
    /// Rules over the same bars, walkforward's first; at most five.
    pub equities: Vec<DemoEquity>,
    /// How walkforward's champion changed, the oldest first.
    pub changes: Vec<ReplayChange>,
    /// Changes that are not listed.
    pub changes_left_out: usize,
    /// Why cycles changed nothing, in a word, and how many did not for it.
    pub refusals: Vec<(String, u64)>,
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoEquity {
    /// What it earned.
    pub equity: ReplayEquity,
    /// Models that it let trade; none for a rule without models.
    pub promotions: Option<u64>,
}

/// Something that was shown to hold, or not to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoProof {
    /// What, for people (`A leak is caught`).
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// What happened, in a sentence.
    pub sentence: String,
    /// What it came to: name and value.
    pub facts: Vec<(String, String)>,
    /// More of it, row by row.
    pub rows: Option<DemoRows>,
}

/// A small table of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoRows {
    /// Names of the columns, `[n_columns]`.
    pub header: Vec<String>,
    /// Rows of `[n_columns]` texts.
    pub rows: Vec<Vec<String>>,
}

/// The page about `report`, complete in itself: a UTF-8 text to be written to one file. The same report gives the same
/// bytes.
pub fn demo_html(report: &DemoReport) -> String {
    let sections = vec![markets(report), proofs(report), settings(report)];
    page("walkforward: a demonstration", top(report), sections)
}

fn top(report: &DemoReport) -> Element {
    let line = format!(
        "{} · a cycle every {} · {} a training · seed {}",
        counted(report.days, "day", "days"),
        report.every,
        counted(report.iterations, "iteration", "iterations"),
        report.seed
    );
    let answers = report.markets.iter().flat_map(answer);
    let failed = report.proofs.iter().filter(|proof| !proof.held).count() as u64;
    let word = match failed {
        0 => format!("All of {} held", counted(report.proofs.len() as u64, "proof", "proofs")),
        _ => format!("{failed} of {} failed", counted(report.proofs.len() as u64, "proof", "proofs")),
    };
    let held = (!report.proofs.is_empty()).then(|| {
        let class = if failed == 0 { "pass" } else { "fail" };
        el("p").add(result(class, &word))
    });
    el("header")
        .add(el("p").class("eyebrow").text(line))
        .add(el("h1").text("What a loop that retrains by itself lets trade"))
        .all(answers)
        .all(held)
        .all(marked(&report.notes, "Notes"))
}

/// What walkforward made of `market`, and what the other rules did.
fn answer(market: &DemoMarket) -> Vec<Element> {
    let of = |it: &DemoEquity| {
        let total = it.equity.total_return.filter(|total| total.is_finite());
        let total = total.map_or("nothing".to_owned(), numbers::signed_percent);
        let promotions = it.promotions.map(|count| counted(count, "promotion", "promotions"));
        let promotions = promotions.map(|count| format!(" ({count})")).unwrap_or_default();
        format!("{} {total}{promotions}", it.equity.name)
    };
    let Some((first, others)) = market.equities.split_first() else {
        return vec![el("p").class("sentence").text(format!("{}: no bar was scored.", market.name))];
    };
    let headline = el("p").class("sentence").text(format!("{}: {}", market.name, of(first)));
    let others: Vec<String> = others.iter().map(of).collect();
    let beside = (!others.is_empty()).then(|| el("p").text(format!("Beside it: {}.", others.join(", "))));
    std::iter::once(headline).chain(beside).collect()
}

/// The markets beside each other, on one scale.
fn markets(report: &DemoReport) -> Section {
    let drawn: Vec<Drawn<'_>> = report.markets.iter().map(Drawn::of).collect();
    let scale = growth_scale(drawn.iter().flat_map(|drawn| &drawn.curves));
    let columns = drawn.iter().map(|drawn| {
        let chart = drawn.axis.as_ref().filter(|_| !drawn.curves.is_empty());
        let chart = chart.map(|axis| equity_chart(axis, &axis.ticks(), &drawn.curves, &scale));
        el("div")
            .add(el("h3").text(&drawn.market.name))
            .add(note(&drawn.market.explanation))
            .all(chart.into_iter().chain(figures(drawn.market)).chain(details(drawn.market)))
    });
    let content = match report.markets.is_empty() {
        true => vec![note("No market was replayed.")],
        false => vec![el("div").class("pair markets").all(columns)],
    };
    Section { id: "markets", title: "The same loop on two markets", content }
}

/// A market with its curves.
struct Drawn<'a> {
    market: &'a DemoMarket,
    axis: Option<TimeAxis>,
    curves: Vec<Curve>,
}

impl<'a> Drawn<'a> {
    fn of(market: &'a DemoMarket) -> Self {
        let equities: Vec<ReplayEquity> = market.equities.iter().map(|it| it.equity.clone()).collect();
        let (axis, curves) = (axis(&equities, market.timeframe), curves(&equities, market.timeframe));
        Self { market, axis, curves }
    }
}

fn figures(market: &DemoMarket) -> Vec<Element> {
    let columns = [
        ("After costs", false),
        ("Promoted", true),
        ("Net result", true),
        ("Sharpe", true),
        ("Drawdown", true),
    ];
    let row = |it: &DemoEquity| {
        let name =
            row_header(&it.equity.name).add(el("span").class("sub wrapped").text(&it.equity.explanation));
        el("tr")
            .add(name)
            .add(figure(it.promotions.map(numbers::whole)))
            .add(known(it.equity.total_return, numbers::signed_percent))
            .add(known(it.equity.sharpe, numbers::plain))
            .add(known(it.equity.max_drawdown, numbers::percent))
    };
    let label = format!("Figures: {}", market.name);
    let made_of = format!(
        "{} of {}, {}, {} UTC. Sharpe ratio {}; largest drawdown.",
        counted(market.cycles, "cycle", "cycles"),
        market.symbol,
        market.timeframe,
        crate::dates::span(market.span),
        annualised(Some(market.span))
    );
    vec![table(&label, header(&columns), market.equities.iter().map(row)), note(made_of)]
}

/// Who traded and what was refused, behind a click.
fn details(market: &DemoMarket) -> Vec<Element> {
    let fold = |title: &str, content: Vec<Element>| el("details").add(el("summary").text(title)).all(content);
    vec![
        fold("Who traded", changes_table(&market.changes, market.changes_left_out)),
        fold("What was refused", refusals_table(&market.refusals)),
    ]
}

fn proofs(report: &DemoReport) -> Section {
    let (shown, rest) = bounded(&report.proofs, MAX_ROWS);
    let content = match shown.is_empty() {
        true => vec![note("Nothing was put to the proof.")],
        false => shown.iter().map(proof).chain(left_out(rest, "proofs are")).collect(),
    };
    Section { id: "proofs", title: "What was put to the proof", content }
}

fn proof(proof: &DemoProof) -> Element {
    let (class, word) = if proof.held { ("pass", "Held") } else { ("fail", "Failed") };
    let heading = el("h3").class("id").add(el("span").text(&proof.name)).add(result(class, word));
    let rows = proof.rows.as_ref().map(|rows| text_table(&proof.name, rows));
    el("div")
        .class("stretch")
        .add(heading)
        .add(el("p").text(&proof.sentence))
        .all(facts(&proof.facts, "facts are"))
        .all(rows.into_iter().flatten())
}

fn text_table(name: &str, rows: &DemoRows) -> Vec<Element> {
    let (shown, rest) = bounded(&rows.rows, MAX_ROWS);
    let columns: Vec<(&str, bool)> = rows.header.iter().map(|name| (name.as_str(), false)).collect();
    let row = |cells: &Vec<String>| {
        let mut cells = cells.iter().take(columns.len().max(1));
        let first = cells.next().map(|text| row_header(text));
        el("tr").all(first).all(cells.map(|text| el("td").text(text)))
    };
    let rows = table(name, header(&columns), shown.iter().map(row)).attr("data-narrow", "");
    std::iter::once(rows).chain(left_out(rest, "rows are")).collect()
}

fn settings(report: &DemoReport) -> Section {
    let own = [
        ("Command", report.command.clone()),
        ("Days", report.days.to_string()),
        ("Every", report.every.clone()),
        ("Iterations", report.iterations.to_string()),
        ("Seed", report.seed.to_string()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    let all: Vec<(String, String)> = own.chain(report.settings.iter().cloned()).collect();
    Section { id: "settings", title: "How it was made", content: facts(&all, "settings are") }
}
