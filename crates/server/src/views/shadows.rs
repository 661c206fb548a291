//! The models that decide beside a session's, as its watch last told.

use serde::Serialize;
use utoipa::ToSchema;
use walkforward_core::Timestamp;
use walkforward_store::{LiveChallenger, LiveRule, LiveWatch};

/// The models that decide beside a session's on the same bars, with paper ledgers of their own, and the rules that take its
/// champion back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WatchView {
    /// Close of the last bar that they have taken.
    #[schema(value_type = Option<String>, format = DateTime)]
    close: Option<Timestamp>,
    /// The champion that is watched; none where there is none, or it can't be run in the shadow.
    champion_model_id: Option<String>,
    /// What the champion displaced, and is measured against; none is holding no position.
    anchor_model_id: Option<String>,
    /// Bars since the watch over this champion and the models of its arm before it began.
    bars: u64,
    /// Return of the champion's paper ledger over them, as a fraction: without the session's limits.
    champion_return: f64,
    /// That of the anchor.
    anchor_return: f64,
    /// Where the rules stand that take the champion back.
    rules: Vec<RuleView>,
    /// The newest models of the line's other arms, at most 8.
    challengers: Vec<ChallengerView>,
}

impl From<LiveWatch> for WatchView {
    fn from(watch: LiveWatch) -> Self {
        Self {
            close: watch.close,
            champion_model_id: watch.champion.map(|id| id.to_string()),
            anchor_model_id: watch.anchor.map(|id| id.to_string()),
            bars: watch.bars,
            champion_return: watch.champion_return,
            anchor_return: watch.anchor_return,
            rules: watch.rules.into_iter().map(RuleView::from).collect(),
            challengers: watch.challengers.into_iter().map(ChallengerView::from).collect(),
        }
    }
}

/// Where a rule stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// Which: `evidence` (the e-value against the champion, from bets on each bar's difference to the anchor), `drawdown` (the
    /// fall from the peak since the watch began, a fraction), `turnover` (of a day, as a multiple of equity) or `errors`
    /// (decisions in a row without an answer).
    #[schema(example = "evidence")]
    rule: String,
    /// What is measured now.
    value: f64,
    /// What takes the champion back; none where the rule is off, because nothing is known from before.
    limit: Option<f64>,
}

impl From<LiveRule> for RuleView {
    fn from(rule: LiveRule) -> Self {
        let LiveRule { rule, value, limit } = rule;
        Self { rule, value, limit }
    }
}

/// A model of another arm, beside the one that trades.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChallengerView {
    /// Its arm: how far the evidence for it has come is under this id in `/api/lines/{line}/evidence`.
    arm: String,
    /// The arm's newest model, which decides now.
    model_id: String,
    /// Start of the first bar that counts; none before one does.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Bars that count: those on which the champion could be run too.
    bars: u64,
    /// Return of its paper ledger over them, as a fraction. Newer models of its arm go on with it.
    total_return: f64,
    /// Return over the same bars of whoever was champion, in such a ledger.
    champion_return: f64,
    /// Its position at the last close as a fraction of equity; below zero when short.
    position: Option<f64>,
    /// Why it gave no answer at the last close; none where it did, or was not asked.
    problem: Option<String>,
}

impl From<LiveChallenger> for ChallengerView {
    fn from(challenger: LiveChallenger) -> Self {
        let LiveChallenger { arm, model, since, bars, total_return, champion_return, position, problem } =
            challenger;
        let (arm, model_id) = (arm.to_string(), model.to_string());
        Self { arm, model_id, since, bars, total_return, champion_return, position, problem }
    }
}
