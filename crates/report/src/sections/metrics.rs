//! Every figure of everybody on the same bars.

use walkforward_core::Metrics;

use crate::annualised::annualised;
use crate::markup::{Element, el, figure, left_out, row_header, table};
use crate::numbers;
use crate::page::{Named, Section, View, in_words};
use crate::sections::note;

/// Which way a figure is good.
#[derive(Clone, Copy, PartialEq)]
enum Better {
    Higher,
    Lower,
    Neither,
}

/// How a figure is written.
#[derive(Clone, Copy)]
enum Unit {
    /// A fraction that is a change.
    Change,
    /// A fraction that is a share.
    Share,
    /// A ratio or an amount.
    Plain,
    Count,
}

type Row = (&'static str, &'static str, fn(&Metrics) -> Option<f64>, Unit, Better);

/// Name, explanation, figure.
const ROWS: [Row; 12] = [
    ("Total return", "net of fees and slippage", |m| m.total_return, Unit::Change, Better::Higher),
    ("Largest drawdown", "from the running peak", |m| m.max_drawdown, Unit::Share, Better::Lower),
    ("Closed trades", "flat to flat", |m| m.trades.map(|n| n as f64), Unit::Count, Better::Neither),
    (
        "Open at the end",
        "in no trade figure",
        |m| m.open_trades.map(|n| n as f64),
        Unit::Count,
        Better::Neither,
    ),
    ("Win rate", "of closed trades", |m| m.win_rate, Unit::Share, Better::Higher),
    ("Return per trade", "mean, on entry value", |m| m.pnl_per_trade, Unit::Change, Better::Higher),
    ("Profit per trade", "mean, quote currency", |m| m.pnl_per_trade_quote, Unit::Plain, Better::Higher),
    ("Profit factor", "gains / losses", |m| m.profit_factor, Unit::Plain, Better::Higher),
    ("Time in the market", "share of bars", |m| m.exposure, Unit::Share, Better::Neither),
    ("Turnover", "of equity, per bar", |m| m.turnover, Unit::Share, Better::Neither),
    ("Fees", "quote currency", |m| m.fees_quote, Unit::Plain, Better::Neither),
    ("Bars judged", "", |m| m.bars.map(|n| n as f64), Unit::Count, Better::Neither),
];

/// Figures of a year, as if it went on like the judged bars.
const YEARLY: [Row; 4] = [
    ("Sharpe ratio", "mean / deviation of returns", |m| m.sharpe, Unit::Plain, Better::Higher),
    ("Sortino ratio", "mean / downside deviation", |m| m.sortino, Unit::Plain, Better::Higher),
    ("Calmar ratio", "growth / largest drawdown", |m| m.calmar, Unit::Plain, Better::Higher),
    ("Volatility", "deviation of returns", |m| m.volatility, Unit::Share, Better::Neither),
];

/// Figures that a verdict rests on: they are there even when nobody has them.
const KEPT: [&str; 5] = ["Total return", "Largest drawdown", "Sharpe ratio", "Win rate", "Return per trade"];

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Change => numbers::signed_percent(value),
            Self::Share => numbers::percent(value),
            Self::Plain => numbers::plain(value),
            Self::Count => numbers::decimals(value, 0),
        }
    }

    fn write_difference(self, value: f64) -> String {
        match self {
            Self::Change | Self::Share => numbers::points(value),
            Self::Plain => numbers::signed_plain(value),
            Self::Count => numbers::signed(value, 0),
        }
    }
}

/// The table of figures.
pub(crate) fn metrics(view: &View<'_>) -> Section {
    let content = if view.subjects.is_empty() {
        vec![note("Nobody was measured.")]
    } else {
        let of = |rows: &[Row]| rows.iter().filter_map(|row| metric_row(view, row)).collect::<Vec<_>>();
        let yearly = of(&YEARLY);
        let group = (!yearly.is_empty()).then(|| yearly_group(view));
        let rows = of(&ROWS).into_iter().chain(group).chain(yearly);
        let scroll = table("Figures on the judged bars", head(view), rows);
        std::iter::once(scroll).chain(left_out(view.subjects_left_out, "models are")).collect()
    };
    Section { id: "metrics", title: "Figures", content }
}

/// The row above the yearly figures: what the year was made of.
fn yearly_group(view: &View<'_>) -> Element {
    let made_of = annualised(view.report.judged_span);
    let is_short = made_of != annualised(None);
    let title = el("th").attr("scope", "rowgroup").attr("colspan", 2).text(in_words(&made_of));
    let warning = "what a year would come to that went on like this: hardly any does";
    let title = title.all(is_short.then(|| el("span").class("sub").text(warning)));
    let compared = view.subjects.iter().filter(|named| is_compared(view, named)).count();
    let rest = (view.subjects.len() + compared).saturating_sub(1);
    el("tr").class("group").add(title).all((rest > 0).then(|| el("td").attr("colspan", rest)))
}

fn head(view: &View<'_>) -> Element {
    let mut cells = vec![el("th").attr("scope", "col").text("On the same bars")];
    for named in &view.subjects {
        let cell = el("th").attr("scope", "col").class("n").text(&named.label);
        cells.push(cell.all(short_name(named).map(|name| el("span").class("sub").text(name))));
        if is_compared(view, named) {
            let cell = el("th").attr("scope", "col").class("n").text("Difference");
            cells.push(cell.add(el("span").class("sub").text("to the champion")));
        }
    }
    el("tr").all(cells)
}

/// A model's date is what tells it from others; `model-` and the clock's milliseconds only take room.
fn short_name(named: &Named<'_>) -> Option<String> {
    let name = &named.subject.name;
    let date = name.strip_prefix("model-")?;
    Some(date.chars().take("2024-01-01T00-00".len()).collect::<String>().replace('T', " "))
}

/// The candidate's difference to the champion stands beside it.
fn is_compared(view: &View<'_>, named: &Named<'_>) -> bool {
    let is_candidate = view.candidate().is_some_and(|candidate| std::ptr::eq(candidate, named));
    is_candidate && view.champion().is_some()
}

/// A row; none when nobody has the figure.
fn metric_row(view: &View<'_>, (name, explanation, value, unit, better): &Row) -> Option<Element> {
    let value = |named: &Named<'_>| value(&named.subject.metrics).filter(|value| value.is_finite());
    let is_known = view.subjects.iter().any(|named| value(named).is_some());
    if !is_known && !KEPT.contains(name) {
        return None;
    }
    let mut cells = Vec::new();
    for named in &view.subjects {
        let cell = figure(value(named).map(|value| unit.write(value)));
        cells.push(if named.class == "candidate" { cell.attr("data-own", "") } else { cell });
        if is_compared(view, named) {
            let champion = view.champion().and_then(value);
            cells.push(difference(value(named).zip(champion), *unit, *better));
        }
    }
    let explanation = (!explanation.is_empty()).then(|| el("span").class("sub").text(*explanation));
    Some(el("tr").add(row_header(name).all(explanation)).all(cells))
}

fn difference(pair: Option<(f64, f64)>, unit: Unit, better: Better) -> Element {
    let Some((own, champion)) = pair else { return figure(None) };
    let text = unit.write_difference(own - champion);
    let is_zero = !text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let (class, word) = match better {
        Better::Neither => return el("td").class("n").text(text),
        _ if is_zero => ("same", "same"),
        Better::Higher if own > champion => ("better", "better"),
        Better::Lower if own < champion => ("better", "better"),
        Better::Higher | Better::Lower => ("worse", "worse"),
    };
    el("td").class("n").text(text).add(el("span").class(format!("sub {class}")).text(word))
}
