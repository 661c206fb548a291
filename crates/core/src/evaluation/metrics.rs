//! The figures of an evaluation.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Figures of a backtest. Undefined is null, and null passes no gate.
///
/// Ratios are fractions (0.2 is 20 %), returns are per bar, net of fees and slippage, annualised with the bars per year
/// of the market's calendar. Trades are closed round trips, flat to flat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metrics {
    /// Winning trades / trades, fees included.
    pub win_rate: Option<f64>,
    /// Largest fall of equity from its peak, a positive fraction.
    pub max_drawdown: Option<f64>,
    /// Longest run of bars below a peak of equity.
    pub max_drawdown_bars: Option<u64>,
    /// Mean of (profit / entry value) over trades.
    pub pnl_per_trade: Option<f64>,
    /// Mean profit of a trade in quote currency.
    pub pnl_per_trade_quote: Option<f64>,
    /// Profit of all trades in quote currency.
    pub net_pnl_quote: Option<f64>,
    /// Closed trades.
    pub trades: Option<u64>,
    /// Whether a position was open at the end; it is in no trade statistic.
    pub open_trades: Option<u64>,
    /// Mean profit of a winning trade in quote currency.
    pub avg_win_quote: Option<f64>,
    /// Mean loss of a losing trade in quote currency, above 0.
    pub avg_loss_quote: Option<f64>,
    /// Mean win / mean loss.
    pub payoff_ratio: Option<f64>,
    /// Win rate x mean win - loss rate x mean loss, in quote currency.
    pub expectancy_quote: Option<f64>,
    /// Gains / losses over trades.
    pub profit_factor: Option<f64>,
    /// Largest profit of a trade in quote currency.
    pub largest_win_quote: Option<f64>,
    /// Largest loss of a trade in quote currency, above 0.
    pub largest_loss_quote: Option<f64>,
    /// Longest run of winning trades.
    pub max_consecutive_wins: Option<u64>,
    /// Longest run of losing trades.
    pub max_consecutive_losses: Option<u64>,
    /// Last equity / first equity - 1.
    pub total_return: Option<f64>,
    /// Compound annual growth.
    pub cagr: Option<f64>,
    /// Mean / standard deviation of the bars' net returns, annualised.
    pub sharpe: Option<f64>,
    /// Probability that the true Sharpe ratio is above 0 (Bailey and Lopez de Prado 2012).
    pub probabilistic_sharpe: Option<f64>,
    /// Bars after which the Sharpe ratio would be above 0 with 95 % confidence; none when it is not above 0.
    pub min_track_record_bars: Option<f64>,
    /// Mean / downside deviation, annualised.
    pub sortino: Option<f64>,
    /// Compound annual growth / largest drawdown.
    pub calmar: Option<f64>,
    /// Standard deviation of the bars' net returns, annualised.
    pub volatility: Option<f64>,
    /// Root mean square of the bars' losses over all bars, annualised.
    pub downside_deviation: Option<f64>,
    /// Loss of a bar that 5 % of the bars exceed; above 0 is a loss.
    pub var_95: Option<f64>,
    /// Mean loss of the worst 5 % of the bars; above 0 is a loss.
    pub cvar_95: Option<f64>,
    /// 95 % quantile / 5 % quantile of the bars' returns, absolute.
    pub tail_ratio: Option<f64>,
    /// Skew of the bars' returns.
    pub skew: Option<f64>,
    /// Raw kurtosis of the bars' returns, 3 for a normal distribution.
    pub kurtosis: Option<f64>,
    /// Bars that gained / bars that moved.
    pub bar_win_rate: Option<f64>,
    /// Gains / losses over bars.
    pub bar_profit_factor: Option<f64>,
    /// Share of bars with a position.
    pub exposure: Option<f64>,
    /// Sum of |change of position fraction| per bar.
    pub turnover: Option<f64>,
    /// Fees in quote currency.
    pub fees_quote: Option<f64>,
    /// Bars judged.
    pub bars: Option<u64>,
}

/// A closed round trip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradeRecord {
    /// When the position left zero.
    pub opened_at: Timestamp,
    /// When it came back to zero.
    pub closed_at: Timestamp,
    /// Quote currency that went in.
    pub entry_notional: f64,
    /// Profit net of all fees, quote currency.
    pub pnl: f64,
    /// `pnl / entry_notional`.
    pub return_on_entry: f64,
}
