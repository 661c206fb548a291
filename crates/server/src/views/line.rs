//! Lines: who trades, and who waits for a decision.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use walkforward_core::Timestamp;
use walkforward_store::{Champion, HeldModel, Pointer, Promotion};

/// Who is champion now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromotedView {
    /// The line.
    line: String,
    /// The champion before.
    from_model_id: Option<String>,
    /// The champion now.
    to_model_id: String,
    /// The number of the change in its line.
    sequence: u64,
    /// How far the evidence for its arm carries: `provisional`, `screened` or `qualified`; none under rules that know no
    /// arms.
    grade: Option<String>,
}

impl From<Promotion> for PromotedView {
    fn from(promotion: Promotion) -> Self {
        let Pointer { line, grade, .. } = promotion.pointer();
        Self {
            line: line.to_string(),
            from_model_id: promotion.from().map(ToString::to_string),
            to_model_id: promotion.to().to_string(),
            sequence: promotion.sequence(),
            grade: grade.map(|grade| grade.to_string()),
        }
    }
}

/// A line's champion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChampionView {
    /// The model.
    model_id: String,
    /// What it trades.
    symbol: String,
    /// Length of the bars that it decides on.
    timeframe: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    promoted_at: Timestamp,
    /// The rules that promoted it.
    preset: String,
    /// How far the evidence for its arm carries: `provisional`, `screened` or `qualified`; none under rules that know no
    /// arms.
    grade: Option<String>,
    /// The number of the line's last change.
    sequence: u64,
    /// What it measured, by name.
    #[schema(value_type = Object)]
    metrics: Value,
    /// Whether its weights are there and are those that were promoted.
    weights_sound: bool,
}

impl From<Champion> for ChampionView {
    fn from(champion: Champion) -> Self {
        let Champion { damage, pointer, .. } = champion;
        Self {
            model_id: pointer.model_id.to_string(),
            symbol: pointer.symbol.to_string(),
            timeframe: pointer.timeframe.to_string(),
            promoted_at: pointer.promoted_at,
            preset: pointer.preset,
            grade: pointer.grade.map(|grade| grade.to_string()),
            sequence: pointer.sequence,
            metrics: json!(pointer.metrics),
            weights_sound: damage.is_none(),
        }
    }
}

/// A model that waits for approval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeldView {
    /// The model.
    model_id: String,
    /// The champion that it was compared with; none when its line had none.
    compared_with: Option<String>,
    /// Whether that one is still champion, so that the verdict holds and it can be approved.
    approvable: bool,
}

impl From<HeldModel> for HeldView {
    fn from(held: HeldModel) -> Self {
        Self {
            approvable: held.is_current(),
            model_id: held.model.to_string(),
            compared_with: held.judged_against.map(|id| id.to_string()),
        }
    }
}

/// A line: who trades, who waits, what trains it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Its name.
    pub(crate) line: String,
    /// Its champion; none before the first, and where the pointer can't be trusted.
    pub(crate) champion: Option<ChampionView>,
    /// Whether a pointer is there that can't be trusted: the server's log says why.
    pub(crate) pointer_damaged: bool,
    /// Models that wait for approval, newest first, at most 1000.
    pub(crate) held: Vec<HeldView>,
    /// Ids of the schedules that train it.
    pub(crate) schedules: Vec<String>,
}
