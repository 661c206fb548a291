//! Where the candidate went in and out.

use std::collections::BTreeMap;

use walkforward_core::{Fill, Side, Timestamp};

use crate::bounds::MAX_MARKS;
use crate::chart::{TimeAxis, is_drawn};
use crate::model::Subject;

/// What a fill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Opened a long position.
    EntryLong,
    /// Opened a short one.
    EntryShort,
    /// Closed the position.
    Exit,
    /// Made it larger or smaller.
    Change,
}

/// A fill on the chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mark {
    pub(super) kind: Kind,
    pub(super) time: Timestamp,
    pub(super) price: f64,
}

/// A closed trade from entry to exit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub(super) entry: Mark,
    pub(super) exit: Mark,
    pub(super) is_won: bool,
}

/// The fills of `subject` with what each did, and its closed trades. A closing fill that opens the opposite position
/// is both an exit and an entry.
pub(super) fn marks(subject: &Subject) -> (Vec<Mark>, Vec<Stretch>) {
    let fills: BTreeMap<Timestamp, &Fill> =
        subject.fills.iter().rev().map(|fill| (fill.time, fill)).collect();
    let mut marks = Vec::new();
    let mut stretches = Vec::new();
    let mark = |kind, fill: &Fill| Mark { kind, time: fill.time, price: fill.price.get() };
    for trade in &subject.trades {
        let (entry, exit) = (fills.get(&trade.opened_at), fills.get(&trade.closed_at));
        let entry = entry.map(|fill| mark(entry_kind(fill), fill));
        let exit = exit.map(|fill| mark(Kind::Exit, fill));
        marks.extend(entry.into_iter().chain(exit));
        let pair = entry.zip(exit);
        stretches.extend(pair.map(|(entry, exit)| Stretch { entry, exit, is_won: trade.pnl > 0.0 }));
    }
    marks.extend(others(subject, &marks));
    marks.retain(|mark| is_drawn(mark.price));
    stretches.retain(|stretch| is_drawn(stretch.entry.price) && is_drawn(stretch.exit.price));
    (marks, stretches)
}

/// Fills that neither open nor close a trade; the first after the last closed trade opened the one that is still open.
fn others(subject: &Subject, known: &[Mark]) -> Vec<Mark> {
    let times: std::collections::BTreeSet<Timestamp> = known.iter().map(|mark| mark.time).collect();
    let last_close = subject.trades.iter().map(|trade| trade.closed_at).max();
    let mut is_open = false;
    let mut others = Vec::new();
    for fill in subject.fills.iter().filter(|fill| !times.contains(&fill.time)) {
        let opens = !is_open && last_close.is_none_or(|close| fill.time > close);
        is_open |= opens;
        let kind = if opens { entry_kind(fill) } else { Kind::Change };
        others.push(Mark { kind, time: fill.time, price: fill.price.get() });
    }
    others
}

fn entry_kind(fill: &Fill) -> Kind {
    match fill.side {
        Side::Buy => Kind::EntryLong,
        Side::Sell => Kind::EntryShort,
    }
}

/// At most [`MAX_MARKS`] of each kind, the first of each stretch of the chart.
pub(super) fn thinned(marks: &[Mark], axis: &TimeAxis) -> Vec<Mark> {
    let mut kept: BTreeMap<(Kind, usize), Mark> = BTreeMap::new();
    for mark in marks {
        let column = ((axis.place(mark.time) * MAX_MARKS as f64) as usize).min(MAX_MARKS - 1);
        kept.entry((mark.kind, column)).or_insert(*mark);
    }
    kept.into_values().collect()
}

#[cfg(test)]
mod tests {
    use walkforward_core::{Cash, Metrics, Price, Quantity, SuppliedBy, TradeRecord};

    use super::*;
    use crate::model::Role;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(hour * 3_600_000)
    }

    /// Fills of one unit at a price of 100 and a cent for each hour, and closed trades with their profit.
    fn subject(fills: &[(i64, Side)], trades: &[(i64, i64, f64)]) -> Subject {
        let fill = |(hour, side): &(i64, Side)| Fill {
            time: at(*hour),
            side: *side,
            quantity: Quantity::from_nanos(1_000_000_000),
            price: Price::new(100.0 + *hour as f64 / 100.0).unwrap(),
            fee_quantity: Quantity::ZERO,
            fee_cash: Cash::default(),
        };
        let trade = |(opened, closed, pnl): &(i64, i64, f64)| TradeRecord {
            opened_at: at(*opened),
            closed_at: at(*closed),
            entry_notional: 100.0,
            pnl: *pnl,
            return_on_entry: pnl / 100.0,
        };
        Subject {
            role: Role::Candidate,
            name: String::new(),
            metrics: Metrics::default(),
            supplied_by: SuppliedBy::Backtest,
            problems: Vec::new(),
            equity_times: Vec::new(),
            equity: Vec::new(),
            position_times: Vec::new(),
            position: Vec::new(),
            trades: trades.iter().map(trade).collect(),
            fills: fills.iter().map(fill).collect(),
            actions: Vec::new(),
            in_sample: None,
            out_of_sample: None,
            warnings: Vec::new(),
        }
    }

    fn kinds(fills: &[(i64, Side)], trades: &[(i64, i64, f64)]) -> Vec<(i64, Kind)> {
        let (marks, _) = marks(&subject(fills, trades));
        marks.iter().map(|mark| (mark.time.as_millis() / 3_600_000, mark.kind)).collect()
    }

    #[test]
    fn a_trade_with_an_addition_and_one_that_is_still_open() {
        let fills = [(1, Side::Buy), (2, Side::Buy), (3, Side::Sell), (5, Side::Buy), (6, Side::Buy)];
        let expected = [
            (1, Kind::EntryLong),
            (3, Kind::Exit),
            (2, Kind::Change),
            (5, Kind::EntryLong),
            (6, Kind::Change),
        ];
        assert_eq!(kinds(&fills, &[(1, 3, 5.0)]), expected);
    }

    #[test]
    fn a_reversal_is_an_exit_and_an_entry() {
        let fills = [(1, Side::Buy), (2, Side::Sell), (4, Side::Buy)];
        let expected = [(1, Kind::EntryLong), (2, Kind::Exit), (2, Kind::EntryShort), (4, Kind::Exit)];
        assert_eq!(kinds(&fills, &[(1, 2, 5.0), (2, 4, -1.0)]), expected);
    }

    #[test]
    fn a_closed_trade_is_won_after_fees_or_not() {
        let fills = [(1, Side::Buy), (2, Side::Sell), (3, Side::Buy), (4, Side::Sell)];
        let (_, stretches) = marks(&subject(&fills, &[(1, 2, 0.5), (3, 4, 0.0)]));
        assert_eq!(stretches.iter().map(|stretch| stretch.is_won).collect::<Vec<_>>(), [true, false]);
        assert_eq!((stretches[0].entry.price, stretches[0].exit.price), (100.01, 100.02));
    }

    #[test]
    fn crowded_marks_are_thinned_to_one_of_a_kind_in_each_column() {
        let fills: Vec<(i64, Side)> =
            (0..2_000).map(|hour| (hour, if hour % 2 == 0 { Side::Buy } else { Side::Sell })).collect();
        let trades: Vec<(i64, i64, f64)> = (0..1_000).map(|trade| (2 * trade, 2 * trade + 1, 1.0)).collect();
        let (marks, _) = marks(&subject(&fills, &trades));
        let axis = TimeAxis::over((0..2_000).map(at)).unwrap();
        let shown = thinned(&marks, &axis);
        assert_eq!((marks.len(), shown.len()), (2_000, 2 * MAX_MARKS));
    }
}
