//! Statistics of closed trades.

use super::{RoundTrips, Trade, TradeResult};
use crate::numeric::{finite, mean, sum};

/// Statistics of closed round trips, net of fees, in quote currency. `None` is undefined; nothing is NaN or infinite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TradeSummary {
    /// Closed trades, breakevens included.
    pub n_trades: usize,
    /// Positions left open (0 or 1); they are in no other figure.
    pub n_open: usize,
    /// Trades with a profit above 0.
    pub wins: usize,
    /// Trades with a profit below 0.
    pub losses: usize,
    /// Trades with neither.
    pub breakeven: usize,
    /// `wins / n_trades`; `None` without trades, as are all means below.
    pub win_rate: Option<f64>,
    /// Profit before fees, in all.
    pub gross_pnl: f64,
    /// Fees of the closed trades.
    pub total_fees_closed: f64,
    /// Profit after fees, in all.
    pub net_pnl: f64,
    /// Mean profit of a trade.
    pub pnl_per_trade: Option<f64>,
    /// Mean of profit / entry notional.
    pub return_per_trade: Option<f64>,
    /// Mean profit of a winning trade; `None` without one.
    pub avg_win: Option<f64>,
    /// Mean loss of a losing trade, above 0; `None` without one.
    pub avg_loss: Option<f64>,
    /// `avg_win / avg_loss`.
    pub payoff_ratio: Option<f64>,
    /// Sum of wins / sum of losses; `None` without a loss.
    pub profit_factor: Option<f64>,
    /// `win_rate * avg_win - loss_rate * avg_loss`.
    pub expectancy: Option<f64>,
    /// Longest run of losing trades; a breakeven ends it.
    pub max_consecutive_losses: usize,
    /// Longest run of winning trades; a breakeven ends it.
    pub max_consecutive_wins: usize,
    /// Largest profit of a trade; `None` without a win.
    pub largest_win: Option<f64>,
    /// Largest loss of a trade, above 0; `None` without a loss.
    pub largest_loss: Option<f64>,
}

impl TradeSummary {
    /// The statistics of the closed trades in `trips`.
    pub fn of(trips: &RoundTrips) -> Self {
        let trades = &trips.closed;
        let all = |value: fn(&Trade) -> f64| trades.iter().map(value).collect::<Vec<f64>>();
        let profits = all(|trade| trade.pnl);
        let wins = of_result(trades, TradeResult::Win);
        let losses: Vec<f64> = of_result(trades, TradeResult::Loss).iter().map(|pnl| -pnl).collect();
        let rate = |count: usize| finite(count as f64 / trades.len() as f64);
        let (avg_win, avg_loss) = (mean(&wins), mean(&losses));
        let expected = |rate: f64, mean: Option<f64>| rate * mean.unwrap_or(0.0);
        Self {
            n_trades: trades.len(),
            n_open: usize::from(trips.open.is_some()),
            wins: wins.len(),
            losses: losses.len(),
            breakeven: trades.len() - wins.len() - losses.len(),
            win_rate: rate(wins.len()),
            gross_pnl: sum(all(|trade| trade.gross)),
            total_fees_closed: sum(all(|trade| trade.fees)),
            net_pnl: sum(profits.iter().copied()),
            pnl_per_trade: mean(&profits),
            return_per_trade: mean(&all(|trade| trade.return_on_entry)),
            avg_win,
            avg_loss,
            payoff_ratio: avg_win.zip(avg_loss).and_then(|(win, loss)| finite(win / loss)),
            profit_factor: finite(sum(wins.iter().copied()) / sum(losses.iter().copied())),
            expectancy: rate(wins.len())
                .zip(rate(losses.len()))
                .map(|(won, lost)| expected(won, avg_win) - expected(lost, avg_loss)),
            max_consecutive_losses: longest_run(trades, TradeResult::Loss),
            max_consecutive_wins: longest_run(trades, TradeResult::Win),
            largest_win: wins.into_iter().reduce(f64::max),
            largest_loss: losses.into_iter().reduce(f64::max),
        }
    }
}

fn of_result(trades: &[Trade], result: TradeResult) -> Vec<f64> {
    trades.iter().filter(|trade| trade.result() == result).map(|trade| trade.pnl).collect()
}

fn longest_run(trades: &[Trade], result: TradeResult) -> usize {
    trades.split(|trade| trade.result() != result).map(<[Trade]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StatFill, round_trips};

    /// Statistics of one round trip for each profit.
    fn summary(profits: &[f64]) -> TradeSummary {
        let fills: Vec<StatFill> = profits
            .iter()
            .flat_map(|profit| {
                let fill = |quantity, price| StatFill::with_quote_fee(0, quantity, price, 0.0).unwrap();
                [fill(1_000_000_000, 100.0), fill(-1_000_000_000, 100.0 + profit)]
            })
            .collect();
        TradeSummary::of(&round_trips(&fills).unwrap())
    }

    #[test]
    fn without_trades_every_ratio_is_undefined() {
        assert_eq!(summary(&[]), TradeSummary::default());
    }

    #[test]
    fn one_winning_trade_has_no_loss_figures() {
        let one = summary(&[5.0]);
        assert_eq!(
            (one.win_rate, one.pnl_per_trade, one.return_per_trade),
            (Some(1.0), Some(5.0), Some(0.05))
        );
        assert_eq!(
            (one.avg_loss, one.payoff_ratio, one.profit_factor, one.largest_loss),
            (None, None, None, None)
        );
        assert_eq!(one.expectancy, Some(5.0));
    }

    #[test]
    fn losing_trades_have_a_factor_of_nothing() {
        let losing = summary(&[-1.0, -3.0]);
        assert_eq!(
            (losing.win_rate, losing.profit_factor, losing.expectancy),
            (Some(0.0), Some(0.0), Some(-2.0))
        );
        assert_eq!((losing.avg_loss, losing.largest_loss, losing.avg_win), (Some(2.0), Some(3.0), None));
    }

    #[test]
    fn a_breakeven_ends_a_streak_and_counts_as_a_trade_only() {
        let mixed = summary(&[-1.0, -1.0, 0.0, -1.0, 2.0, 0.0, 2.0]);
        assert_eq!((mixed.wins, mixed.losses, mixed.breakeven), (2, 3, 2));
        assert_eq!((mixed.max_consecutive_losses, mixed.max_consecutive_wins), (2, 1));
        assert_eq!(mixed.win_rate, Some(2.0 / 7.0));
    }
}
