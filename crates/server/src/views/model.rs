//! Models, and who was champion when.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use walkforward_core::{ModelId, Timestamp};
use walkforward_store::{CycleRecord, Declined, ModelPin, ModelRecord, ModelSummary, PromotionRow};

use super::VerdictView;

/// A model at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelView {
    /// Its name.
    model_id: String,
    /// Its line.
    line: String,
    /// How far it has come: `trained`, `evaluated`, `promoted`, `rejected` or `inconclusive`.
    status: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last became champion.
    #[schema(value_type = Option<String>, format = DateTime)]
    promoted_at: Option<Timestamp>,
    /// The model that its training continued from.
    parent_model_id: Option<String>,
    /// When its weights were taken away; none while they are kept.
    #[schema(value_type = Option<String>, format = DateTime)]
    weights_removed_at: Option<Timestamp>,
    /// Why it is pinned; none when it is not.
    pinned: Option<String>,
    /// Whether it waits for approval.
    held: bool,
    /// Whether it is its line's champion.
    champion: bool,
}

impl ModelView {
    /// The model, with whether it is champion.
    pub(crate) fn new(summary: ModelSummary, champion: bool) -> Self {
        Self {
            model_id: summary.model.to_string(),
            line: summary.line.to_string(),
            status: summary.status,
            created_at: summary.created_at,
            promoted_at: summary.promoted_at,
            parent_model_id: summary.parent.map(|id| id.to_string()),
            weights_removed_at: summary.weights_removed.map(|removed| removed.at),
            pinned: summary.pinned,
            held: summary.held,
            champion,
        }
    }
}

/// All that is known of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelDetailView {
    /// The model at a glance.
    model: ModelView,
    /// What it trades.
    symbol: String,
    /// Length of the bars that it decides on.
    timeframe: String,
    /// SHA-256 of its weights, lower-case hex.
    sha256: String,
    /// Size of its weights, bytes; 0 when they are gone.
    weights_bytes: u64,
    /// Whether its weights are there and are those of its record.
    weights_sound: bool,
    /// The run that made it.
    run_id: String,
    /// Version of the program that made it.
    code_version: String,
    /// Where all its randomness came from.
    seed: u64,
    /// What trained it.
    trainer: String,
    /// Iterations of its training.
    iterations: u64,
    /// Close of the last bar that it was trained on.
    #[schema(value_type = String, format = DateTime)]
    trained_until: Timestamp,
    /// Close of the last bar that it or any ancestor has seen.
    #[schema(value_type = String, format = DateTime)]
    lineage_until: Timestamp,
    /// Fingerprint of its dataset.
    dataset_hash: String,
    /// Its hyperparameters.
    #[schema(value_type = Object)]
    hyperparameters: Value,
    /// What was measured of it, by name; none before.
    #[schema(value_type = Option<Object>)]
    metrics: Option<Value>,
    /// The champion that it was compared with.
    compared_with: Option<String>,
    /// What that champion measured on the same bars.
    #[schema(value_type = Option<Object>)]
    compared_metrics: Option<Value>,
    /// What the gate said: its ledger, condition by condition.
    verdict: Option<VerdictView>,
    /// That somebody said no to it.
    declined: Option<DeclinedView>,
    /// That it is kept, whatever its age.
    pin: Option<PinView>,
    /// The cycle that made it.
    cycle: Option<CycleNameView>,
    /// When it became champion or ceased to be, oldest first; the newest 1000 changes.
    promotions: Vec<PromotionView>,
    /// Its parent, that one's parent and so on, at most 1000.
    ancestors: Vec<String>,
}

/// What a model's record does not say itself.
pub(crate) struct ModelContext {
    pub(crate) summary: ModelSummary,
    pub(crate) is_champion: bool,
    pub(crate) weights_bytes: u64,
    pub(crate) weights_sound: bool,
    pub(crate) pin: Option<ModelPin>,
    pub(crate) cycle: Option<CycleRecord>,
    pub(crate) promotions: Vec<PromotionRow>,
    pub(crate) ancestors: Vec<ModelId>,
}

impl ModelDetailView {
    /// The model as its record and its rows say.
    pub(crate) fn new(record: ModelRecord, context: ModelContext) -> Self {
        Self {
            model: ModelView::new(context.summary, context.is_champion),
            symbol: record.symbol.to_string(),
            timeframe: record.timeframe.to_string(),
            sha256: record.sha256,
            weights_bytes: context.weights_bytes,
            weights_sound: context.weights_sound,
            run_id: record.run_id.to_string(),
            code_version: record.code_version,
            seed: record.seed,
            trainer: record.training.trainer,
            iterations: record.training.iterations,
            trained_until: record.trained_until,
            lineage_until: record.lineage_until,
            dataset_hash: record.dataset_hash,
            hyperparameters: record.pack,
            metrics: record.metrics.map(|metrics| json!(metrics)),
            compared_with: record.champion_id.map(|id| id.to_string()),
            compared_metrics: record.champion_metrics.map(|metrics| json!(metrics)),
            verdict: record.verdict.map(VerdictView::from),
            declined: record.declined.map(DeclinedView::from),
            pin: context.pin.map(PinView::from),
            cycle: context.cycle.map(CycleNameView::from),
            promotions: context.promotions.into_iter().map(PromotionView::from).collect(),
            ancestors: context.ancestors.iter().map(ToString::to_string).collect(),
        }
    }
}

/// That somebody said no to a model which a gate had let through.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeclinedView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why.
    reason: String,
}

impl From<Declined> for DeclinedView {
    fn from(declined: Declined) -> Self {
        Self { at: declined.at, reason: declined.reason }
    }
}

/// That a model is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PinView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why.
    reason: String,
}

impl From<ModelPin> for PinView {
    fn from(pin: ModelPin) -> Self {
        Self { at: pin.at, reason: pin.reason }
    }
}

/// Which cycle.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CycleNameView {
    /// Its schedule.
    schedule_id: String,
    /// Its number.
    cycle_number: u64,
}

impl From<CycleRecord> for CycleNameView {
    fn from(cycle: CycleRecord) -> Self {
        Self { schedule_id: cycle.schedule_id.to_string(), cycle_number: cycle.number }
    }
}

/// A change of champion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromotionView {
    /// Its number in its line, from 1.
    sequence: u64,
    /// The champion before.
    from_model_id: Option<String>,
    /// The champion after; none when somebody took the pointer away.
    to_model_id: Option<String>,
    /// Why it changed: `promote`, `rollback` or `adopted`.
    kind: String,
    /// Why, in words.
    reason: String,
    /// How far it has come: `pending`, `committed` or `aborted`.
    state: String,
    /// When it was announced.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    committed_at: Option<Timestamp>,
}

impl From<PromotionRow> for PromotionView {
    fn from(row: PromotionRow) -> Self {
        Self {
            sequence: row.sequence,
            from_model_id: row.from.map(|id| id.to_string()),
            to_model_id: row.to.map(|id| id.to_string()),
            kind: row.kind.as_str().to_owned(),
            reason: row.reason,
            state: row.state.as_str().to_owned(),
            created_at: row.created_at,
            committed_at: row.committed_at,
        }
    }
}
