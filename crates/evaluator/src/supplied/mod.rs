//! Metrics that somebody else measured.

mod evaluator;
mod parse;

use walkforward_core::{ModelId, SuppliedBy};

pub use parse::{MAX_SUPPLIED_BYTES, SuppliedError};

/// Win rate, drawdown and profit per trade from a file or from settings, in place of a backtest.
///
/// As an [`Evaluator`](walkforward_core::Evaluator) it gives every model these metrics, without a judged span or
/// series; whether the model's bundle loads is checked all the same.
#[derive(Debug, Clone, PartialEq)]
pub struct SuppliedMetrics {
    win_rate: f64,
    max_drawdown: f64,
    pnl_per_trade: f64,
    model_id: Option<ModelId>,
    origin: SuppliedBy,
}

impl SuppliedMetrics {
    /// The metrics in the JSON object `bytes`: `winRate` and `maxDrawdown` as fractions from 0 to 1, `pnlPerTrade` as
    /// a fraction of the entry, optionally `modelId`. Other keys are left alone. `path_label` names the file in errors
    /// and in the report.
    ///
    /// # Errors
    /// When the file is empty, larger than [`MAX_SUPPLIED_BYTES`] or no JSON object, or a key is missing, twice there,
    /// no number, or out of range.
    pub fn from_json(path_label: &str, bytes: &[u8]) -> Result<Self, SuppliedError> {
        let found = parse::parse(path_label, bytes)?;
        let sha256 = walkforward_policy::sha256_hex(bytes);
        Ok(Self {
            win_rate: found.win_rate,
            max_drawdown: found.max_drawdown,
            pnl_per_trade: found.pnl_per_trade,
            model_id: found.model_id,
            origin: SuppliedBy::File { path: path_label.to_owned(), sha256 },
        })
    }

    /// The metrics given by `EVAL_WIN_RATE`, `EVAL_MAX_DRAWDOWN` and `EVAL_PNL_PER_TRADE`. With any of them given, an
    /// absent one takes the value that promises nothing (0, 1 and 0); with none, there are no metrics.
    ///
    /// # Errors
    /// When a value is not finite, or win rate or drawdown is outside 0 to 1.
    pub fn from_values(
        win_rate: Option<f64>,
        max_drawdown: Option<f64>,
        pnl_per_trade: Option<f64>,
    ) -> Result<Option<Self>, SuppliedError> {
        if win_rate.is_none() && max_drawdown.is_none() && pnl_per_trade.is_none() {
            return Ok(None);
        }
        let origin = "the environment";
        Ok(Some(Self {
            win_rate: parse::share(origin, "EVAL_WIN_RATE", win_rate.unwrap_or(0.0))?,
            max_drawdown: parse::share(origin, "EVAL_MAX_DRAWDOWN", max_drawdown.unwrap_or(1.0))?,
            pnl_per_trade: parse::finite(origin, "EVAL_PNL_PER_TRADE", pnl_per_trade.unwrap_or(0.0))?,
            model_id: None,
            origin: SuppliedBy::Environment,
        }))
    }

    /// Share of winning trades, 0 to 1.
    pub fn win_rate(&self) -> f64 {
        self.win_rate
    }

    /// Largest drawdown, a positive fraction, 0 to 1.
    pub fn max_drawdown(&self) -> f64 {
        self.max_drawdown
    }

    /// Mean profit of a trade as a fraction of its entry.
    pub fn pnl_per_trade(&self) -> f64 {
        self.pnl_per_trade
    }

    /// The model that the file says it measured.
    pub fn model_id(&self) -> Option<&ModelId> {
        self.model_id.as_ref()
    }

    /// Where the metrics come from.
    pub fn supplied_by(&self) -> &SuppliedBy {
        &self.origin
    }

    /// SHA-256 of the file's bytes, lower-case hex; none for settings.
    pub fn sha256(&self) -> Option<&str> {
        match &self.origin {
            SuppliedBy::File { sha256, .. } => Some(sha256),
            SuppliedBy::Environment | SuppliedBy::Backtest => None,
        }
    }
}
