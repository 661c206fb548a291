//! The candidate's closed trades.

use walkforward_core::TradeRecord;

use crate::bounds::MAX_TRADES;
use crate::dates;
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::numbers;
use crate::page::{Section, View};
use crate::sections::histogram::histogram;
use crate::sections::{counted, note};

/// Rows of the best and of the worst.
const EXTREMES: usize = 5;

/// How the returns are spread, the best, the worst, and all of them.
pub(crate) fn trades(view: &View<'_>) -> Section {
    let trades = view.candidate().map(|candidate| candidate.subject.trades.as_slice()).unwrap_or_default();
    let mut content = Vec::new();
    if trades.is_empty() {
        content.push(note("The candidate closed no trade."));
    } else {
        let returns: Vec<f64> = trades.iter().map(|trade| trade.return_on_entry).collect();
        content.push(note(summary(trades)));
        content.extend(histogram(&returns));
        content.push(extremes(trades));
        content.push(all(trades));
    }
    Section { id: "trades", title: "Closed trades", content }
}

fn summary(trades: &[TradeRecord]) -> String {
    let count =
        |is: fn(f64) -> bool| numbers::whole(trades.iter().filter(|trade| is(trade.pnl)).count() as u64);
    let mut returns: Vec<f64> =
        trades.iter().map(|trade| trade.return_on_entry).filter(|it| it.is_finite()).collect();
    returns.sort_by(f64::total_cmp);
    let upper = returns.get(returns.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = returns.get(returns.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
    format!(
        "{}: {} won, {} lost, {} broke even, fees included. The median return is {}.",
        counted(trades.len() as u64, "closed trade", "closed trades"),
        count(|pnl| pnl > 0.0),
        count(|pnl| pnl < 0.0),
        count(|pnl| pnl == 0.0),
        numbers::signed_percent(lower / 2.0 + upper / 2.0),
    )
}

/// The best and the worst beside each other.
fn extremes(trades: &[TradeRecord]) -> Element {
    let mut by_return: Vec<&TradeRecord> = trades.iter().collect();
    by_return.sort_by(|a, b| b.return_on_entry.total_cmp(&a.return_on_entry));
    // With few trades no row stands on both sides.
    let each = EXTREMES.min(trades.len().div_ceil(2));
    let best = by_return.iter().take(each).copied();
    let worst = by_return.iter().rev().take(each.min(trades.len() - each)).copied();
    let side = |title: &str, rows: Vec<&TradeRecord>| {
        (!rows.is_empty()).then(|| el("div").add(el("h3").text(title)).add(list(title, rows, false)))
    };
    el("div").class("pair").all(side("Best", best.collect())).all(side("Worst", worst.collect()))
}

fn all(trades: &[TradeRecord]) -> Element {
    let shown = trades.iter().rev().take(MAX_TRADES).collect();
    let rest = trades.len().saturating_sub(MAX_TRADES);
    let title = match rest {
        0 => format!("All {}, latest first", counted(trades.len() as u64, "trade", "trades")),
        _ => format!("The latest {} trades", numbers::whole(MAX_TRADES as u64)),
    };
    let details = el("details").add(el("summary").text(&title)).add(list(&title, shown, true));
    details.all(left_out(rest, "earlier trades are"))
}

/// A table of `trades`; those that stand beside another table do without the entry value.
fn list(label: &str, trades: Vec<&TradeRecord>, has_value: bool) -> Element {
    let mut columns = vec![("Opened", false), ("Held", true)];
    columns.extend(has_value.then_some(("Entry value", true)));
    columns.extend([("Profit", true), ("Return", true)]);
    let row = |trade: &TradeRecord| {
        let class = if trade.pnl < 0.0 { "n worse" } else { "n" };
        el("tr")
            .add(row_header(&dates::minute(trade.opened_at)))
            .add(figure(Some(held(trade))))
            .all(has_value.then(|| figure(Some(numbers::plain(trade.entry_notional)))))
            .add(figure(Some(numbers::signed_plain(trade.pnl))))
            .add(el("td").class(class).text(numbers::signed_percent(trade.return_on_entry)))
    };
    table(label, header(&columns), trades.into_iter().map(row))
}

/// How long a trade lasted, in its two largest units.
fn held(trade: &TradeRecord) -> String {
    let minutes = trade.closed_at.millis_since(trade.opened_at).max(0) / 60_000;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{} d", numbers::whole(days.unsigned_abs())),
        (days, hours, _) => format!("{} d {hours} h", numbers::whole(days.unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        let opened_at: walkforward_core::Timestamp = "2024-03-01".parse().unwrap();
        let trade = |minutes: i64| TradeRecord {
            opened_at,
            closed_at: opened_at.plus_millis(minutes * 60_000),
            entry_notional: 1.0,
            pnl: 0.0,
            return_on_entry: 0.0,
        };
        let written = [0, 59, 60, 61, 1_440, 1_500, 1_441].map(|minutes| held(&trade(minutes)));
        assert_eq!(written, ["0 min", "59 min", "1 h", "1 h 1 min", "1 d", "1 d 1 h", "1 d"]);
    }
}
