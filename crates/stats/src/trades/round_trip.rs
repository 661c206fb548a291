//! Cuts a list of fills into trades: a trade is flat to flat.

use super::StatFill;
use crate::Error;
use crate::numeric::sum;

/// Profit is rounded to this many quote units before it counts as a win or a loss: less is rounding of prices.
const PNL_STEP: f64 = 1e-9;

/// Direction of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TradeSide {
    /// The position was above 0.
    Long,
    /// The position was below 0.
    Short,
}

/// What a trade came to after all fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TradeResult {
    /// Profit above 0.
    Win,
    /// Profit below 0.
    Loss,
    /// Profit of 0 once rounded to 1e-9.
    Breakeven,
}

/// A closed round trip: from the fill on which the position left 0 to the one on which it came back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade {
    /// Direction.
    pub side: TradeSide,
    /// Time of the first fill.
    pub open_ms: i64,
    /// Time of the last fill.
    pub close_ms: i64,
    /// Position built up by all entries, in billionths of the asset.
    pub quantity_nanos: i64,
    /// Quantity times price over the entries.
    pub entry_notional: f64,
    /// Quantity times price over the exits.
    pub exit_notional: f64,
    /// Profit before fees, quote currency.
    pub gross: f64,
    /// All fees, quote currency.
    pub fees: f64,
    /// Cash that came out minus cash that went in, quote currency.
    pub pnl: f64,
    /// `pnl / entry_notional`.
    pub return_on_entry: f64,
    /// Fills that took part. A fill that crosses 0 takes part in two trades.
    pub n_fills: usize,
}

impl Trade {
    /// Win, loss or breakeven, by the profit rounded to 1e-9.
    pub fn result(&self) -> TradeResult {
        let steps = (self.pnl / PNL_STEP).round();
        if steps > 0.0 {
            TradeResult::Win
        } else if steps < 0.0 {
            TradeResult::Loss
        } else {
            TradeResult::Breakeven
        }
    }
}

/// A position that was not closed; it is in no statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenPosition {
    /// Direction.
    pub side: TradeSide,
    /// Time of the fill that opened it.
    pub open_ms: i64,
    /// Billionths of the asset still held, above 0 also when short.
    pub quantity_nanos: i64,
    /// Fees so far, quote currency.
    pub fees: f64,
}

/// What a list of fills came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoundTrips {
    /// Closed trades, in order.
    pub closed: Vec<Trade>,
    /// What is left open.
    pub open: Option<OpenPosition>,
}

/// Cuts `fills`, in order of time and starting without a position, into trades.
///
/// Adds and partial exits belong to the trade that is open. A fill that crosses 0 closes one trade and opens the
/// next; its money and its fee are split by quantity. A fill that moves no position (a fee that took the whole
/// purchase) is a cost of the open trade, and of none when there is none.
///
/// # Errors
/// When a fill lies before its predecessor, or the position overflows.
pub fn round_trips(fills: &[StatFill]) -> Result<RoundTrips, Error> {
    let mut trips = RoundTrips::default();
    let mut building = Building::default();
    for (index, fill) in fills.iter().enumerate() {
        if let Some(previous) = index.checked_sub(1).map(|before| fills[before].time_ms())
            && fill.time_ms() < previous
        {
            let time_ms = fill.time_ms();
            return Err(Error::FillOrder { index, time_ms, previous_ms: previous });
        }
        let held = building.position_nanos;
        let after = held
            .checked_add(fill.quantity_nanos())
            .filter(|after| *after != i64::MIN)
            .ok_or(Error::PositionOverflow { index })?;
        let crosses = held != 0 && after != 0 && (held > 0) != (after > 0);
        if crosses {
            building.add(fill.part(-held));
            trips.closed.extend(building.close());
            building.add(fill.part(after));
        } else {
            building.add(*fill);
            if after == 0 {
                trips.closed.extend(building.close());
            }
        }
    }
    trips.open = building.open_position();
    Ok(trips)
}

/// The trade that is open while fills are read.
#[derive(Debug, Default)]
struct Building {
    position_nanos: i64,
    fills: Vec<StatFill>,
}

impl Building {
    fn add(&mut self, fill: StatFill) {
        self.position_nanos += fill.quantity_nanos();
        self.fills.push(fill);
    }

    /// Ends the trade; nothing when the fills never moved the position.
    fn close(&mut self) -> Option<Trade> {
        let fills = std::mem::take(&mut self.fills);
        let first = fills.first().filter(|first| first.quantity_nanos() != 0)?;
        let direction = first.quantity_nanos().signum();
        let opens = |fill: &&StatFill| fill.quantity_nanos().signum() == direction;
        let exits = |fill: &&StatFill| fill.quantity_nanos().signum() == -direction;
        let quantities = fills.iter().filter(opens).map(|fill| fill.quantity_nanos().saturating_abs());
        let entry_notional = sum(fills.iter().filter(opens).map(StatFill::notional));
        let pnl = sum(fills.iter().map(StatFill::cash_flow));
        let fees = sum(fills.iter().map(StatFill::fee));
        Some(Trade {
            side: side_of(direction),
            open_ms: first.time_ms(),
            close_ms: fills.last()?.time_ms(),
            quantity_nanos: quantities.fold(0, i64::saturating_add),
            entry_notional,
            exit_notional: sum(fills.iter().filter(exits).map(StatFill::notional)),
            gross: pnl + fees,
            fees,
            pnl,
            return_on_entry: pnl / entry_notional,
            n_fills: fills.len(),
        })
    }

    fn open_position(&self) -> Option<OpenPosition> {
        if self.position_nanos == 0 {
            return None;
        }
        Some(OpenPosition {
            side: side_of(self.position_nanos),
            open_ms: self.fills.first()?.time_ms(),
            quantity_nanos: self.position_nanos.saturating_abs(),
            fees: sum(self.fills.iter().map(StatFill::fee)),
        })
    }
}

fn side_of(position_nanos: i64) -> TradeSide {
    if position_nanos > 0 { TradeSide::Long } else { TradeSide::Short }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: i64 = 1_000_000_000;

    fn fill(time_ms: i64, units: i64, price: f64, fee: f64) -> StatFill {
        StatFill::with_quote_fee(time_ms, units * UNIT, price, fee).unwrap()
    }

    #[test]
    fn adds_and_partial_exits_belong_to_one_trade() {
        let fills = [fill(0, 1, 100.0, 1.0), fill(1, 1, 110.0, 1.0), fill(2, -1, 120.0, 1.0)];
        let mut fills = fills.to_vec();
        assert_eq!(
            round_trips(&fills).unwrap().open.map(|open| (open.quantity_nanos, open.fees)),
            Some((UNIT, 3.0))
        );
        fills.push(fill(3, -1, 130.0, 1.0));
        let trips = round_trips(&fills).unwrap();
        let trade = trips.closed[0];
        assert_eq!((trips.closed.len(), trips.open), (1, None));
        assert_eq!((trade.entry_notional, trade.exit_notional), (210.0, 250.0));
        assert_eq!((trade.gross, trade.fees, trade.pnl, trade.n_fills), (40.0, 4.0, 36.0, 4));
        assert_eq!((trade.open_ms, trade.close_ms, trade.quantity_nanos), (0, 3, 2 * UNIT));
    }

    #[test]
    fn a_fill_that_crosses_zero_closes_one_trade_and_opens_the_next() {
        let fills = [fill(0, 1, 100.0, 0.1), fill(1, -3, 101.0, 0.3), fill(2, 2, 100.0, 0.2)];
        let trips = round_trips(&fills).unwrap();
        let sides: Vec<_> = trips.closed.iter().map(|trade| (trade.side, trade.quantity_nanos)).collect();
        assert_eq!(sides, [(TradeSide::Long, UNIT), (TradeSide::Short, 2 * UNIT)]);
        assert!((trips.closed[0].pnl - 0.8).abs() < 1e-12);
        assert!((trips.closed[1].pnl - 1.6).abs() < 1e-12);
    }

    #[test]
    fn a_fee_in_the_asset_is_paid_once() {
        let buy = StatFill::with_fees(0, UNIT, 100.0, 0.0, UNIT / 400).unwrap();
        let sell = StatFill::with_quote_fee(1, -buy.quantity_nanos(), 110.0, 0.25).unwrap();
        let trade = round_trips(&[buy, sell]).unwrap().closed[0];
        assert!((trade.pnl - (0.9975 * 110.0 - 0.25 - 100.0)).abs() < 1e-12);
        assert!((trade.fees - 0.5).abs() < 1e-12);
        assert_eq!(trade.entry_notional, 100.0);
    }

    #[test]
    fn a_profit_below_the_rounding_of_prices_is_neither_win_nor_loss() {
        let check = |fee: f64, expected| {
            let trips = round_trips(&[fill(0, 1, 100.0, fee), fill(1, -1, 100.0, 0.0)]).unwrap();
            assert_eq!(trips.closed[0].result(), expected, "{fee}");
        };
        check(4e-10, TradeResult::Breakeven);
        check(-4e-10, TradeResult::Breakeven);
        check(1e-6, TradeResult::Loss);
        check(-1e-6, TradeResult::Win);
    }

    #[test]
    fn a_purchase_that_its_fee_ate_opens_no_trade() {
        let nothing = StatFill::with_fees(0, 1, 100.0, 0.0, 1).unwrap();
        assert_eq!(round_trips(&[nothing]), Ok(RoundTrips::default()));
        let fills = [fill(0, 1, 100.0, 0.0), nothing, fill(1, -1, 100.0, 0.0)];
        assert!((round_trips(&fills).unwrap().closed[0].pnl + 1e-7).abs() < 1e-12);
    }

    #[test]
    fn fills_that_can_not_be_are_refused_by_index() {
        let backwards = [fill(5, 1, 1.0, 0.0), fill(4, -1, 1.0, 0.0)];
        assert!(matches!(round_trips(&backwards), Err(Error::FillOrder { index: 1, .. })));
        let huge = StatFill::with_quote_fee(0, i64::MAX, 1.0, 0.0).unwrap();
        assert_eq!(round_trips(&[huge, huge]), Err(Error::PositionOverflow { index: 1 }));
        let lowest = StatFill::with_quote_fee(0, i64::MIN, 1.0, 0.0).unwrap();
        assert_eq!(round_trips(&[lowest]), Err(Error::PositionOverflow { index: 0 }));
    }
}
