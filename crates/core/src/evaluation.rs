//! Measuring models.

use serde::{Deserialize, Serialize};

use crate::{Dataset, Fill, ModelId, ModelRef, StageContext, StageError, Timestamp, Window};

/// Figures of a backtest. Undefined is null, and null passes no gate.
///
/// Ratios are fractions (0.2 is 20 %), returns are net of fees and slippage, annualised with the bars per year of a
/// market that never closes. Trades are closed round trips, flat to flat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Winning trades / trades, fees included.
    pub win_rate: Option<f64>,
    /// Largest fall of equity from its peak, a positive fraction.
    pub max_drawdown: Option<f64>,
    /// Mean of (profit / entry value) over trades.
    pub pnl_per_trade: Option<f64>,
    /// Mean profit of a trade in quote currency.
    pub pnl_per_trade_quote: Option<f64>,
    /// Closed trades.
    pub trades: Option<u64>,
    /// Whether a position was open at the end; it is in no trade statistic.
    pub open_trades: Option<u64>,
    /// Last equity / first equity - 1.
    pub total_return: Option<f64>,
    /// Mean / standard deviation of the bars' net returns, annualised.
    pub sharpe: Option<f64>,
    /// Mean / downside deviation, annualised.
    pub sortino: Option<f64>,
    /// Compound annual growth / largest drawdown.
    pub calmar: Option<f64>,
    /// Standard deviation of the bars' net returns, annualised.
    pub volatility: Option<f64>,
    /// Gains / losses over trades.
    pub profit_factor: Option<f64>,
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

/// Where the metrics come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SuppliedBy {
    /// The built-in backtest.
    Backtest,
    /// A file that the user supplied.
    File {
        /// Its path.
        path: String,
        /// SHA-256 of its bytes, lower-case hex.
        sha256: String,
    },
    /// The variables `EVAL_WIN_RATE`, `EVAL_MAX_DRAWDOWN`, `EVAL_PNL_PER_TRADE`.
    Environment,
}

/// Whether a model works at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MechanicalCheck {
    /// It loads, answers its probe, and its weights are finite.
    pub loads: bool,
    /// It took more than one action on the judged bars.
    pub varies: bool,
    /// What is wrong, for a person; empty when nothing is.
    pub problems: Vec<String>,
}

impl MechanicalCheck {
    /// A model with nothing wrong.
    pub fn passed() -> Self {
        Self { loads: true, varies: true, problems: Vec::new() }
    }
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationReport {
    /// What was judged: a model's id, or the name of a baseline (`flat`, `buy_and_hold`).
    pub subject: String,
    /// The bars that it was judged on; none when the metrics were supplied.
    pub judged_span: Option<Window>,
    /// Close of each judged bar, `[n_bars]`.
    pub bar_close: Vec<Timestamp>,
    /// Net return of equity over each judged bar, `[n_bars]`.
    pub net_return: Vec<f64>,
    /// Position at the end of each judged bar as a fraction of equity, `[n_bars]`.
    pub position: Vec<f64>,
    /// Fills in order.
    pub fills: Vec<Fill>,
    /// Closed trades in order.
    pub trades: Vec<TradeRecord>,
    /// The figures.
    pub metrics: Metrics,
    /// Whether the model works at all.
    pub mechanical: MechanicalCheck,
    /// Where the figures come from.
    pub supplied_by: SuppliedBy,
}

/// Measures models.
pub trait Evaluator: Send + Sync {
    /// Says before any work is done that it could not judge `candidate`: metrics supplied for another model, say.
    /// Admits every model by default.
    fn admit(&self, _candidate: &ModelId) -> Result<(), StageError> {
        Ok(())
    }

    /// Runs `model` over the bars of `dataset` that lie in `judged`, starting flat. The caller chooses the span,
    /// because models that are compared need the same one.
    fn evaluate(
        &self,
        model: &ModelRef,
        dataset: &Dataset,
        judged: Window,
        ctx: &StageContext,
    ) -> Result<EvaluationReport, StageError>;

    /// What doing nothing and holding the asset came to on the same bars. None by default.
    fn baselines(
        &self,
        _dataset: &Dataset,
        _judged: Window,
        _ctx: &StageContext,
    ) -> Result<Vec<EvaluationReport>, StageError> {
        Ok(Vec::new())
    }
}
