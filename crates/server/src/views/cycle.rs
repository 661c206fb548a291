//! A cycle as it came out.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use walkforward_core::{Comparison, GateCheck, Judgement, Outcome, Timestamp, Verdict};
use walkforward_store::{CycleRecord, CycleStatus, CycleTrigger};

/// A cycle of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CycleView {
    /// Its schedule.
    schedule_id: String,
    /// Its number in its schedule, from 1 without gaps.
    cycle_number: u64,
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// Why it exists: `due`, `manual` or `catch_up`.
    #[schema(value_type = String)]
    trigger: CycleTrigger,
    /// How far it has come: `queued`, `running`, `promoted`, `rejected`, `inconclusive`, `held`, `skipped`, `missed`,
    /// `failed`, `cancelled` or `interrupted`.
    #[schema(value_type = String)]
    status: CycleStatus,
    /// Why it has this status, in words.
    reason: Option<String>,
    /// Open of the first bar that it trains on.
    #[schema(value_type = Option<String>, format = DateTime)]
    window_start: Option<Timestamp>,
    /// End of the last one, hold-out included.
    #[schema(value_type = Option<String>, format = DateTime)]
    window_end: Option<Timestamp>,
    /// The record of its training.
    experiment_id: Option<String>,
    /// Its run.
    run_id: Option<String>,
    /// The model that its training continued from.
    parent_model_id: Option<String>,
    /// The model that it made.
    model_id: Option<String>,
    /// Whether its model became the champion, at once or by a later approval.
    deployed: bool,
    /// What was measured of its model, by name; none where nothing was.
    #[schema(value_type = Option<Object>)]
    metrics: Option<Value>,
    /// What the gate said.
    verdict: Option<VerdictView>,
    /// When it began to run.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it got its final status.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// What a gate said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerdictView {
    /// Name of the rules.
    #[schema(example = "evidence")]
    preset: String,
    /// What it comes to: `promote`, `reject` or `inconclusive`.
    #[schema(value_type = String)]
    outcome: Outcome,
    /// Short cause of anything but a promotion.
    reason: Option<String>,
    /// The answer in a sentence.
    sentence: String,
    /// Every condition.
    checks: Vec<CheckView>,
    /// What a person has to know who relies on the answer.
    warnings: Vec<String>,
    /// The grade of its arm: `provisional`, `screened` or `qualified`.
    grade: Option<String>,
    /// Its arm; none of rules that know no arms.
    arm: Option<String>,
    /// Where the evidence stands, figure by figure.
    #[schema(value_type = Option<Object>)]
    meter: Option<Value>,
}

/// A condition of a gate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckView {
    /// Its name, as in the metrics.
    #[schema(example = "winRate")]
    name: String,
    /// What was measured; none when undefined.
    measured: Option<f64>,
    /// How it is compared.
    #[schema(value_type = String)]
    comparison: Comparison,
    /// With what.
    threshold: f64,
    /// What it came to.
    #[schema(value_type = String)]
    judgement: Judgement,
    /// The same in words.
    sentence: String,
}

impl CycleView {
    /// The cycle, with what its experiment measured.
    pub(crate) fn new(cycle: CycleRecord, metrics: Option<Value>) -> Self {
        let text = |id: &dyn std::fmt::Display| id.to_string();
        Self {
            schedule_id: cycle.schedule_id.to_string(),
            cycle_number: cycle.number,
            due_at: cycle.due_at,
            trigger: cycle.trigger,
            status: cycle.status,
            reason: cycle.reason,
            window_start: cycle.window.map(|window| window.start()),
            window_end: cycle.window.map(|window| window.end()),
            experiment_id: cycle.experiment_id.as_ref().map(|id| text(id)),
            run_id: cycle.run_id.as_ref().map(|id| text(id)),
            parent_model_id: cycle.parent_id.as_ref().map(|id| text(id)),
            model_id: cycle.model_id.as_ref().map(|id| text(id)),
            deployed: cycle.deployed_model_id.is_some(),
            metrics,
            verdict: cycle.verdict.map(VerdictView::from),
            started_at: cycle.started_at,
            finished_at: cycle.finished_at,
        }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        let Verdict { preset, outcome, reason, sentence, checks, warnings, grading } = verdict;
        let (arm, grade, meter) = match grading {
            Some(grading) => (
                Some(grading.arm.to_string()),
                grading.grade.map(|grade| grade.to_string()),
                Some(grading.meter),
            ),
            None => (None, None, None),
        };
        let checks = checks.into_iter().map(CheckView::from).collect();
        Self { preset, outcome, reason, sentence, checks, warnings, grade, arm, meter }
    }
}

impl From<GateCheck> for CheckView {
    fn from(check: GateCheck) -> Self {
        let GateCheck { name, measured, comparison, threshold, judgement, sentence } = check;
        Self { name, measured, comparison, threshold, judgement, sentence }
    }
}
