//! From what a session recorded to figures.

use walkforward_core::{Fill, Metrics, Side, Timeframe, Timestamp, TradeRecord};
use walkforward_engine::SessionRecord;
use walkforward_stats::{ReturnSeries, ReturnSummary, StatFill, Trade, TradeSummary, round_trips};

use crate::Error;

/// The figures of `record`, annualised with the bars per year of `timeframe`, and its closed trades.
pub(crate) fn measure(
    record: &SessionRecord,
    timeframe: Timeframe,
) -> Result<(Metrics, Vec<TradeRecord>), Error> {
    let fills = record.fills.iter().map(stat_fill).collect::<Result<Vec<_>, _>>()?;
    let trips = round_trips(&fills)?;
    let trades = TradeSummary::of(&trips);
    let series = ReturnSeries::new(&record.net_return, timeframe.bars_per_year())?;
    let returns = ReturnSummary::of(&series);
    let metrics = Metrics {
        win_rate: trades.win_rate,
        max_drawdown: returns.max_drawdown,
        pnl_per_trade: trades.return_per_trade,
        pnl_per_trade_quote: trades.pnl_per_trade,
        trades: Some(trades.n_trades as u64),
        open_trades: Some(trades.n_open as u64),
        total_return: returns.total_return,
        sharpe: returns.sharpe,
        sortino: returns.sortino,
        calmar: returns.calmar,
        volatility: returns.volatility,
        profit_factor: trades.profit_factor,
        exposure: exposure(&record.position),
        turnover: turnover(&record.position),
        // Summed from +0: the sum of no fees would be -0.
        fees_quote: Some(fills.iter().map(StatFill::fee).fold(0.0, |sum, fee| sum + fee)),
        bars: Some(record.net_return.len() as u64),
    };
    Ok((metrics, trips.closed.iter().map(trade_record).collect()))
}

fn stat_fill(fill: &Fill) -> Result<StatFill, walkforward_stats::Error> {
    let traded = match fill.side {
        Side::Buy => fill.quantity,
        Side::Sell => -fill.quantity,
    };
    StatFill::with_fees(
        fill.time.as_millis(),
        traded.nanos(),
        fill.price.get(),
        fill.fee_cash.get(),
        fill.fee_quantity.nanos(),
    )
}

fn trade_record(trade: &Trade) -> TradeRecord {
    TradeRecord {
        opened_at: time(trade.open_ms),
        closed_at: time(trade.close_ms),
        entry_notional: trade.entry_notional,
        pnl: trade.pnl,
        return_on_entry: trade.return_on_entry,
    }
}

/// The time of a fill again: it was a [`Timestamp`] before the statistics took its milliseconds.
fn time(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms).unwrap_or_else(|| unreachable!("{ms} ms came from a time"))
}

/// Bars that end with a position / bars.
fn exposure(position: &[f64]) -> Option<f64> {
    let held = position.iter().filter(|fraction| **fraction != 0.0).count();
    (!position.is_empty()).then(|| held as f64 / position.len() as f64)
}

/// Mean over bars of the absolute change of the position fraction, starting flat.
fn turnover(position: &[f64]) -> Option<f64> {
    let before = std::iter::once(&0.0).chain(position);
    let moved: f64 = position.iter().zip(before).map(|(now, before)| (now - before).abs()).sum();
    (!position.is_empty()).then(|| moved / position.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure_and_turnover_count_bars() {
        let position = [0.0, 1.0, 1.0, 0.0];
        assert_eq!((exposure(&position), turnover(&position)), (Some(0.5), Some(0.5)));
        assert_eq!((exposure(&[]), turnover(&[])), (None, None));
    }

    #[test]
    fn a_session_without_a_fill_has_no_trade_figures() {
        let record = SessionRecord { net_return: vec![0.0; 5], position: vec![0.0; 5], ..Default::default() };
        let (metrics, trades) = measure(&record, Timeframe::MINUTE).unwrap();
        assert!(trades.is_empty());
        assert_eq!((metrics.win_rate, metrics.pnl_per_trade, metrics.profit_factor), (None, None, None));
        assert_eq!((metrics.max_drawdown, metrics.sharpe), (Some(0.0), None));
        assert_eq!((metrics.trades, metrics.bars, metrics.fees_quote), (Some(0), Some(5), Some(0.0)));
    }

    #[test]
    fn a_total_loss_is_a_drawdown_of_one() {
        let record =
            SessionRecord { net_return: vec![0.0, -1.0, 0.0], position: vec![1.0; 3], ..Default::default() };
        let (metrics, _) = measure(&record, Timeframe::MINUTE).unwrap();
        assert_eq!(
            (metrics.max_drawdown, metrics.total_return, metrics.calmar),
            (Some(1.0), Some(-1.0), Some(-1.0))
        );
    }
}
