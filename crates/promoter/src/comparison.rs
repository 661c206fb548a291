//! Candidate, champion and baselines side by side.

use serde::Serialize;
use walkforward_core::{Evidence, Metrics};

/// One metric of everything that was measured on the same bars. `None` is undefined, or that there is no such subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// The metric, as in the report (`winRate`).
    pub metric: &'static str,
    /// The model that wants to trade.
    pub candidate: Option<f64>,
    /// The model that trades.
    pub champion: Option<f64>,
    /// No position.
    pub flat: Option<f64>,
    /// All equity in the asset from the first bar.
    pub buy_and_hold: Option<f64>,
}

type Read = fn(&Metrics) -> Option<f64>;

/// The metrics shown, what gates first.
const SHOWN: [(&str, Read); 16] = [
    ("winRate", |m| m.win_rate),
    ("maxDrawdown", |m| m.max_drawdown),
    ("pnlPerTrade", |m| m.pnl_per_trade),
    ("pnlPerTradeQuote", |m| m.pnl_per_trade_quote),
    ("trades", |m| m.trades.map(|count| count as f64)),
    ("openTrades", |m| m.open_trades.map(|count| count as f64)),
    ("totalReturn", |m| m.total_return),
    ("sharpe", |m| m.sharpe),
    ("sortino", |m| m.sortino),
    ("calmar", |m| m.calmar),
    ("volatility", |m| m.volatility),
    ("profitFactor", |m| m.profit_factor),
    ("exposure", |m| m.exposure),
    ("turnover", |m| m.turnover),
    ("feesQuote", |m| m.fees_quote),
    ("bars", |m| m.bars.map(|count| count as f64)),
];

/// Every metric of the candidate, the champion and the baselines `flat` and `buy_and_hold`, one row a metric, in a
/// fixed order.
pub fn comparison(evidence: &Evidence) -> Vec<ComparisonRow> {
    let champion = evidence.champion.as_ref().map(|report| &report.metrics);
    let baseline = |name: &str| {
        let found = evidence.baselines.iter().find(|report| report.subject == name);
        found.map(|report| &report.metrics)
    };
    let (flat, hold) = (baseline("flat"), baseline("buy_and_hold"));
    let row = |(metric, read): (&'static str, Read)| ComparisonRow {
        metric,
        candidate: read(&evidence.candidate.metrics),
        champion: champion.and_then(read),
        flat: flat.and_then(read),
        buy_and_hold: hold.and_then(read),
    };
    SHOWN.into_iter().map(row).collect()
}
