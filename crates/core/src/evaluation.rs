//! Measuring models.

mod metrics;

use serde::{Deserialize, Serialize};

pub use metrics::{Metrics, TradeRecord};

use crate::{
    Action, ActionMap, Continued, Dataset, ErrorKind, Fill, ModelId, ModelRef, Stage, StageContext,
    StageError, StreamRequest, Timestamp, Window,
};

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
    /// How orders became fills, and at what cost; none when nothing was traded here.
    #[serde(default)]
    pub execution: Option<Execution>,
    /// Share of each action among the decisions on the judged bars, `[n_actions]`; empty without a policy.
    #[serde(default)]
    pub action_share: Vec<f64>,
    /// What the actions mean; none without a policy that ran.
    #[serde(default)]
    pub action_map: Option<ActionMap>,
    /// The bars of the window before the hold-out, which the model may have learned from; none when they are judged
    /// themselves, and of a baseline.
    #[serde(default)]
    pub in_sample: Option<SampleFigures>,
    /// The judged bars; none of a baseline, or without a backtest.
    #[serde(default)]
    pub out_of_sample: Option<SampleFigures>,
    /// What a reader of the figures has to know.
    #[serde(default)]
    pub warnings: Vec<EvaluationWarning>,
}

impl EvaluationReport {
    /// A report of `subject` without any figure, of a model with nothing wrong.
    pub fn without_figures(subject: impl Into<String>, supplied_by: SuppliedBy) -> Self {
        Self {
            subject: subject.into(),
            judged_span: None,
            bar_close: Vec::new(),
            net_return: Vec::new(),
            position: Vec::new(),
            fills: Vec::new(),
            trades: Vec::new(),
            metrics: Metrics::default(),
            mechanical: MechanicalCheck::passed(),
            supplied_by,
            execution: None,
            action_share: Vec::new(),
            action_map: None,
            in_sample: None,
            out_of_sample: None,
            warnings: Vec::new(),
        }
    }
}

/// The shares of [`EvaluationReport::action_share`] with their actions in words, in the order of the actions.
pub fn named_shares(map: Option<ActionMap>, shares: &[f64]) -> Vec<(String, f64)> {
    let word = |index: usize| map?.word(Action(u8::try_from(index).ok()?));
    let name = |index: usize| word(index).unwrap_or_else(|| format!("action {index}"));
    shares.iter().enumerate().map(|(index, share)| (name(index), *share)).collect()
}

/// How a decision becomes a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillRule {
    /// At the open of the bar after the decision.
    NextOpen,
}

/// How orders became fills, and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// At which price.
    pub fill: FillRule,
    /// Bars from the decision, at a close, to the bar that fills it.
    pub latency_bars: u32,
    /// Fee in basis points of what is received.
    pub fee_bps: f64,
    /// How much worse than the fill rule's price an order fills, in basis points.
    pub slippage_bps: f64,
    /// Quote currency at the start.
    pub initial_cash: f64,
}

/// What a model came to on some bars: what it is rewarded for beside what it earns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleFigures {
    /// The bars.
    pub span: Window,
    /// Their number.
    pub bars: u64,
    /// Sum over bars of position x price change from close to close, before any cost: what a learner is rewarded for in
    /// its plainest form, in units of a return.
    pub reward: f64,
    /// Equity at the end less cash at the start, net of fees and slippage, in quote currency.
    pub net_pnl_quote: f64,
    /// The same as a fraction of the cash at the start.
    pub total_return: Option<f64>,
    /// Annualised Sharpe ratio of the net returns.
    pub sharpe: Option<f64>,
    /// Closed trades.
    pub trades: u64,
}

/// Something that a reader of the figures has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationWarning {
    /// Short, for a program (`reward_up_pnl_down`).
    pub name: String,
    /// For a person.
    pub sentence: String,
}

/// Measures models.
pub trait Evaluator: Send + Sync {
    /// Says before any work is done that it could not judge `candidate`: metrics supplied for another model, say.
    /// Admits every model by default.
    fn admit(&self, _candidate: &ModelId) -> Result<(), StageError> {
        Ok(())
    }

    /// Whether its figures are worth something only on bars that no lineage has seen: not so of supplied ones.
    fn needs_unseen_bars(&self) -> bool {
        true
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

    /// Scores the bars of `request` one after another, going on where the stretch before it ended. A stream is the same,
    /// bit for bit, however it is cut into stretches. Evaluators that can't are refused by rules that need streams.
    fn continue_stream(
        &self,
        _request: &StreamRequest<'_>,
        _ctx: &StageContext,
    ) -> Result<Continued, StageError> {
        let problem =
            "this evaluator keeps no streams: choose the preset thresholds, or an evaluator that does";
        Err(StageError::new(Stage::Evaluate, ErrorKind::BadInput, problem))
    }
}
