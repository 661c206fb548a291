//! Metrics side by side.

use walkforward_core::Metrics;

use crate::table::{Align, Table};

type Figure = (&'static str, fn(&Metrics) -> Option<f64>, fn(f64) -> String);

/// The figures that a person compares, in reading order.
const FIGURES: &[Figure] = &[
    ("total return", |m| m.total_return, percent),
    ("Sharpe, annualised", |m| m.sharpe, plain),
    ("max drawdown", |m| m.max_drawdown, percent),
    ("closed trades", |m| m.trades.map(|trades| trades as f64), whole),
    ("win rate", |m| m.win_rate, percent),
    ("return per trade", |m| m.pnl_per_trade, percent),
    ("time in the market", |m| m.exposure, percent),
    ("fees, quote currency", |m| m.fees_quote, plain),
];

/// A column for each of `subjects`, name and figures; a figure that none has is left out.
pub(crate) fn table(heading: &str, subjects: &[(&str, &Metrics)]) -> Table {
    let mut header = vec![(heading, Align::Left)];
    header.extend(subjects.iter().map(|(name, _)| (*name, Align::Right)));
    let mut table = Table::new(&header);
    for (name, figure, format) in FIGURES {
        let cells: Vec<Option<f64>> = subjects.iter().map(|(_, metrics)| figure(metrics)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let cells = cells.into_iter().map(|value| value.map_or_else(|| "-".to_owned(), format));
        table.row(std::iter::once((*name).to_owned()).chain(cells).collect());
    }
    table
}

fn percent(value: f64) -> String {
    format!("{:.2} %", 100.0 * value)
}

fn plain(value: f64) -> String {
    format!("{value:.2}")
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}
