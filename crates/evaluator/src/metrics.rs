//! From what a session recorded to figures.

use walkforward_core::{Fill, Metrics, Side, Timestamp, TradeRecord};
use walkforward_engine::SessionRecord;
use walkforward_stats::{
    ReturnSeries, ReturnSummary, SharpeMoments, StatFill, Trade, TradeSummary, min_track_record_length,
    probabilistic_sharpe, round_trips,
};

use crate::Error;

/// The figures of `record`, annualised with `bars_per_year`, and its closed trades.
///
/// # Errors
/// [`Error::Stats`] when a figure of the record is no number that a session can have.
pub fn measure(record: &SessionRecord, bars_per_year: f64) -> Result<(Metrics, Vec<TradeRecord>), Error> {
    let fills = record.fills.iter().map(stat_fill).collect::<Result<Vec<_>, _>>()?;
    let trips = round_trips(&fills)?;
    let series = ReturnSeries::new(&record.net_return, bars_per_year)?;
    let metrics = Metrics {
        exposure: exposure(&record.position),
        turnover: turnover(&record.position),
        // Summed from +0: the sum of no fees would be -0.
        fees_quote: Some(fills.iter().map(StatFill::fee).fold(0.0, |sum, fee| sum + fee)),
        bars: Some(count(record.net_return.len())),
        ..of_returns(&ReturnSummary::of(&series), of_trades(&TradeSummary::of(&trips)))
    };
    Ok((metrics, trips.closed.iter().map(trade_record).collect()))
}

fn of_trades(trades: &TradeSummary) -> Metrics {
    Metrics {
        win_rate: trades.win_rate,
        pnl_per_trade: trades.return_per_trade,
        pnl_per_trade_quote: trades.pnl_per_trade,
        net_pnl_quote: Some(trades.net_pnl),
        trades: Some(count(trades.n_trades)),
        open_trades: Some(count(trades.n_open)),
        avg_win_quote: trades.avg_win,
        avg_loss_quote: trades.avg_loss,
        payoff_ratio: trades.payoff_ratio,
        expectancy_quote: trades.expectancy,
        profit_factor: trades.profit_factor,
        largest_win_quote: trades.largest_win,
        largest_loss_quote: trades.largest_loss,
        max_consecutive_wins: Some(count(trades.max_consecutive_wins)),
        max_consecutive_losses: Some(count(trades.max_consecutive_losses)),
        ..Metrics::default()
    }
}

/// `metrics` with what the returns say.
fn of_returns(returns: &ReturnSummary, metrics: Metrics) -> Metrics {
    let moments = SharpeMoments::of(returns);
    Metrics {
        max_drawdown: returns.max_drawdown,
        max_drawdown_bars: Some(count(returns.max_drawdown_duration)),
        total_return: returns.total_return,
        cagr: returns.cagr,
        sharpe: returns.sharpe,
        probabilistic_sharpe: moments.and_then(|moments| probabilistic_sharpe(&moments, 0.0)),
        min_track_record_bars: moments.and_then(|moments| min_track_record_length(&moments, 0.0)),
        sortino: returns.sortino,
        calmar: returns.calmar,
        volatility: returns.volatility,
        downside_deviation: returns.downside_deviation,
        var_95: returns.var_95,
        cvar_95: returns.cvar_95,
        tail_ratio: returns.tail_ratio,
        skew: returns.skew,
        kurtosis: returns.kurtosis,
        bar_win_rate: returns.win_rate,
        bar_profit_factor: returns.profit_factor,
        ..metrics
    }
}

fn count(number: usize) -> u64 {
    number as u64
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
    let first = position.first()?.abs();
    let moved = position.windows(2).fold(first, |moved, pair| moved + (pair[1] - pair[0]).abs());
    Some(moved / position.len() as f64)
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
        let (metrics, trades) = measure(&record, 525_600.0).unwrap();
        assert!(trades.is_empty());
        assert_eq!((metrics.win_rate, metrics.pnl_per_trade, metrics.profit_factor), (None, None, None));
        assert_eq!((metrics.max_drawdown, metrics.sharpe), (Some(0.0), None));
        assert_eq!((metrics.trades, metrics.bars, metrics.fees_quote), (Some(0), Some(5), Some(0.0)));
    }

    #[test]
    fn a_total_loss_is_a_drawdown_of_one() {
        let record =
            SessionRecord { net_return: vec![0.0, -1.0, 0.0], position: vec![1.0; 3], ..Default::default() };
        let (metrics, _) = measure(&record, 525_600.0).unwrap();
        assert_eq!(
            (metrics.max_drawdown, metrics.total_return, metrics.calmar),
            (Some(1.0), Some(-1.0), Some(-1.0))
        );
    }
}
