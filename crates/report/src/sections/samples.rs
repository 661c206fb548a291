//! What was learned from beside what was not: the reward and the profit on both.

use walkforward_core::SampleFigures;

use crate::annualised::{annualised, growth_bps};
use crate::dates;
use crate::markup::{Element, el, figure, row_header, table};
use crate::numbers;
use crate::page::{Named, Section, View};
use crate::sections::note;

/// What the section is for.
const MEANING: &str = "A model may have learned the bars before the hold-out by heart; on the judged ones it has to do \
    without. The reward counts what its decisions earn from close to close before any cost, the net profit what the \
    account earned.";
/// Decimals of a sum of returns.
const REWARD_DECIMALS: usize = 4;
const BASIS_POINTS: f64 = 10_000.0;

type Row = (&'static str, &'static str, fn(&SampleFigures) -> Option<String>);

/// Name, explanation, figure.
const ROWS: [Row; 8] = [
    ("Bars", "", |it| Some(numbers::whole(it.bars))),
    ("Reward", "position × price change, before costs", |it| signed(it.reward, REWARD_DECIMALS)),
    ("Reward a bar", "basis points", |it| signed(BASIS_POINTS * it.reward / bars(it), 2)),
    ("Net profit", "quote currency, after all costs", |it| signed(it.net_pnl_quote, 2)),
    ("Total return", "net of fees and slippage", |it| it.total_return.and_then(percent)),
    ("Growth a bar", "basis points, compounding", |it| signed(growth_bps(it.total_return?, bars(it))?, 2)),
    ("Closed trades", "flat to flat", |it| Some(numbers::whole(it.trades))),
    ("Sharpe ratio", "", |it| it.sharpe.and_then(|value| signed(value, 2))),
];

/// Both samples of each model that has any, side by side.
pub(crate) fn samples(view: &View<'_>) -> Section {
    let has_any =
        |named: &&Named<'_>| named.subject.in_sample.is_some() || named.subject.out_of_sample.is_some();
    let measured: Vec<&Named<'_>> = view.subjects.iter().filter(has_any).collect();
    let content = match measured.is_empty() {
        true => vec![note("The bars that the model learned from were not measured.")],
        false => vec![note(MEANING), comparison(&measured)],
    };
    Section { id: "samples", title: "In and out of sample", content }
}

fn comparison(measured: &[&Named<'_>]) -> Element {
    let column = |label: &str, sample: &str| {
        let cell = el("th").attr("scope", "col").class("n").text(label);
        cell.add(el("span").class("sub").text(sample))
    };
    let columns = measured
        .iter()
        .flat_map(|named| ["in sample", "out of sample"].map(|sample| column(&named.label, sample)));
    let head = el("tr").add(el("th").attr("scope", "col").text("On the bars of")).all(columns);
    let rows = std::iter::once(spans(measured)).chain(ROWS.iter().map(|row| figures(row, measured)));
    table("Figures in and out of sample", head, rows)
}

/// The model's two samples.
fn both<'a>(named: &Named<'a>) -> [Option<&'a SampleFigures>; 2] {
    [named.subject.in_sample.as_ref(), named.subject.out_of_sample.as_ref()]
}

fn spans(measured: &[&Named<'_>]) -> Element {
    let cells = measured.iter().flat_map(|named| both(named)).map(|sample| {
        let Some(sample) = sample else { return figure(None) };
        let from = format!("{} to", dates::day(sample.span.start()));
        let until = el("span").class("sub").text(dates::day(sample.span.end()));
        el("td").class("n").text(from).add(until)
    });
    el("tr").add(row_header("Span")).all(cells)
}

fn figures((name, explanation, value): &Row, measured: &[&Named<'_>]) -> Element {
    let explanation = (!explanation.is_empty()).then(|| el("span").class("sub").text(*explanation));
    let cells = measured.iter().flat_map(|named| both(named)).map(|sample| {
        let cell = figure(sample.and_then(value));
        let made_of = sample.filter(|_| *name == "Sharpe ratio").map(|it| annualised(Some(it.span)));
        cell.all(made_of.map(|text| el("span").class("sub wrapped").text(text)))
    });
    el("tr").add(row_header(name).all(explanation)).all(cells)
}

fn bars(sample: &SampleFigures) -> f64 {
    sample.bars.max(1) as f64
}

fn signed(value: f64, places: usize) -> Option<String> {
    value.is_finite().then(|| numbers::signed(value, places))
}

fn percent(value: f64) -> Option<String> {
    value.is_finite().then(|| numbers::signed_percent(value))
}
