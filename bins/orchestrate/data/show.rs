//! `orchestrate data show`.

use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::{Dataset, QualityFigures};

use super::{Desk, chart};
use crate::table::{Align, Table};
use crate::text::{self, minute};

/// Columns of a chart: beside its name it fits a terminal of 80.
const WIDTH: usize = 68;
/// Holes that are listed.
const LISTED_HOLES: usize = 10;

/// Prints coverage, holes and prices of the window.
pub(super) async fn run(desk: &Desk) -> Result<(), Failure> {
    let dataset = desk.dataset().await?;
    match desk.output {
        Output::Human => say(&human(desk, &dataset)),
        Output::Json => say(&format!("{}\n", json(desk, &dataset))),
        Output::Quiet => Ok(()),
    }
}

/// A hole: start of its first bar, number of bars.
fn holes(dataset: &Dataset, most: usize) -> Vec<(String, usize)> {
    let window = dataset.history_bars..;
    let (kinds, times) = (&dataset.gap_kinds[window.clone()], &dataset.bars.open_times()[window]);
    let listed = chart::holes(kinds, most).into_iter();
    listed.map(|(first, bars)| (times[first].to_string(), bars)).collect()
}

fn json(desk: &Desk, dataset: &Dataset) -> serde_json::Value {
    let holes = holes(dataset, LISTED_HOLES).into_iter();
    let holes: Vec<_> = holes.map(|(from, bars)| serde_json::json!({ "from": from, "bars": bars })).collect();
    serde_json::json!({
        "symbol": dataset.symbol,
        "timeframe": dataset.timeframe(),
        "origin": dataset.origin,
        "window": dataset.window,
        "asOf": dataset.as_of,
        "historyBars": dataset.history_bars,
        "quality": dataset.quality,
        "holes": holes,
        "withinBudget": desk.config.etl.admit(dataset).is_ok(),
        "sha256": dataset.hash,
    })
}

fn human(desk: &Desk, dataset: &Dataset) -> String {
    let mut parts = vec![heading(dataset), picture(dataset), kinds(dataset).to_string()];
    let holes = holes(dataset, LISTED_HOLES);
    if !holes.is_empty() {
        let mut table = Table::new(&[("longest holes from", Align::Left), ("bars", Align::Right)]);
        holes.into_iter().for_each(|(from, bars)| table.row(vec![from, grouped(bars)]));
        parts.push(table.to_string());
    }
    parts.push(match desk.config.etl.admit(dataset) {
        Ok(()) => format!("A run would take this window.\nsha256    {}\n", dataset.hash),
        Err(reason) => format!("A run would refuse this window: {reason}\n"),
    });
    parts.join("\n")
}

fn heading(dataset: &Dataset) -> String {
    let file = dataset.quality.file.as_ref().map_or_else(String::new, |file| {
        let rows = grouped(file.rows);
        let read = format!(
            "{rows} rows, {} twice, {} out of order, {} refused, {} unfinished left out",
            grouped(file.duplicates),
            grouped(file.out_of_order_rows),
            grouped(file.rejected_count),
            grouped(file.unfinished_dropped),
        );
        text::labelled("read", &read)
    });
    let (from, to) = (minute(dataset.window.start()), minute(dataset.window.end()));
    let bars = grouped(dataset.bars.len() - dataset.history_bars);
    let history = grouped(dataset.history_bars);
    let window = format!("{from} to {to}, {bars} bars, {history} before it for the features");
    let (symbol, timeframe, origin) = (&dataset.symbol, dataset.timeframe(), &dataset.origin);
    format!("{symbol} {timeframe} from {origin}\n{}{file}", text::labelled("window", &window))
}

fn picture(dataset: &Dataset) -> String {
    let first = dataset.history_bars;
    let closes = &dataset.bars.closes()[first..];
    let (low, high) =
        closes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    format!(
        "price     {}\ncoverage  {}\n          {}\n          closes from {low} to {high}; a full block of coverage \
         lacks no bar, a dot has none\n",
        chart::prices(closes, WIDTH),
        chart::coverage(&dataset.gap_kinds[first..], WIDTH),
        chart::dates(&dataset.bars.open_times()[first..], WIDTH),
    )
}

fn kinds(dataset: &Dataset) -> Table {
    let QualityFigures { present_bars, no_trade_bars, missing_bars, revised_bars, .. } =
        dataset.quality.window;
    let all = (dataset.bars.len() - dataset.history_bars).max(1);
    let mut table = Table::new(&[
        ("expected bars", Align::Left),
        ("number", Align::Right),
        ("share", Align::Right),
        ("used as", Align::Left),
    ]);
    for (kind, bars, used) in [
        ("present", present_bars, "given"),
        ("revised", revised_bars, "given, with its newest values"),
        ("no trade", no_trade_bars, "flat at the close before, no order fills"),
        ("missing", missing_bars, "flat at the close before, no order fills, no evidence"),
    ] {
        let share = format!("{:.2} %", 100.0 * bars as f64 / all as f64);
        table.row(vec![kind.to_owned(), grouped(bars), share, used.to_owned()]);
    }
    let zero = dataset.quality.window.zero_volume_bars;
    table.row(vec!["  of them without volume".to_owned(), grouped(zero)]);
    table
}

/// A number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1_000, 2_628_000].map(grouped), ["0", "999", "1,000", "2,628,000"]);
    }
}
