//! What a run writes down about itself.

use walkforward_core::{
    Coverage, Dataset, DatasetRequest, Evidence, ModelId, Outcome, RunId, Timestamp, TrainingOutcome, Verdict,
};
use walkforward_store::{
    Champion, EtlRecord, EvaluationRecord, ModelRecord, ModelStatus, PromotionGate, Recipe, RunOutcome,
};

use crate::RunRequest;

/// The record of ETL.
pub(crate) fn etl(run: &RunId, dataset: &Dataset, now: Timestamp) -> EtlRecord {
    EtlRecord {
        run_id: run.clone(),
        collected_at: now,
        source: dataset.origin.clone(),
        symbol: dataset.symbol.clone(),
        timeframe: dataset.timeframe(),
        window: dataset.window,
        rows: dataset.bars.len() - dataset.history_bars,
        history_rows: dataset.history_bars,
        quality: dataset.quality.clone(),
        hash: dataset.hash.clone(),
        as_of: dataset.as_of,
        split: dataset.split,
        coverage: Some(Coverage::of(dataset)),
    }
}

/// The record of a model that has just been trained; its hashes and the path of its ETL record are still empty.
pub(crate) fn trained(
    request: &RunRequest,
    run: &RunId,
    dataset: &Dataset,
    training: &TrainingOutcome,
    now: Timestamp,
) -> ModelRecord {
    ModelRecord {
        model_id: ModelId::of_run(run),
        run_id: run.clone(),
        status: ModelStatus::Trained,
        created_at: now,
        etl_path: String::new(),
        metrics: None,
        evaluated_at: None,
        promoted: false,
        promoted_at: None,
        promotion_gate: None,
        line: request.line.clone(),
        symbol: dataset.symbol.clone(),
        timeframe: dataset.timeframe(),
        sha256: String::new(),
        optimizer_sha256: None,
        used_until: training.used_until,
        lineage_until: training.used_until,
        trained_until: training.used_until,
        trained_at: now,
        parent_id: None,
        parent_choice: None,
        made_for: request.made_for.clone(),
        recipe: Some(recipe(request, dataset)),
        seed: request.seed,
        pack: request.pack.clone(),
        dataset_hash: dataset.hash.clone(),
        training: training.clone(),
        verdict: None,
        supplied_by: None,
        champion_id: None,
        champion_metrics: None,
        code_version: request.code_version.clone(),
        weights_removed: None,
        declined: None,
    }
}

/// From what the model can be made again: the bars by the time and timeframe that the source came to.
fn recipe(request: &RunRequest, dataset: &Dataset) -> Recipe {
    let asked = DatasetRequest {
        timeframe: Some(dataset.timeframe()),
        as_of: Some(dataset.as_of),
        ..request.dataset.clone()
    };
    Recipe {
        settings: request.settings.clone(),
        dataset: asked,
        source: dataset.origin.clone(),
        window: dataset.window,
        split: dataset.split,
        history_bars: dataset.history_bars,
        threads: request.threads,
    }
}

/// What was measured, bar by bar.
pub(crate) fn evaluation(
    model: &ModelId,
    evidence: &Evidence,
    dataset: &Dataset,
    now: Timestamp,
) -> EvaluationRecord {
    let judged = evidence.candidate.judged_span;
    let close = judged.map(|judged| dataset.bars.within(judged).closes().to_vec()).unwrap_or_default();
    EvaluationRecord {
        model_id: model.clone(),
        evaluated_at: now,
        candidate: evidence.candidate.clone(),
        champion: evidence.champion.clone(),
        baselines: evidence.baselines.clone(),
        close,
        series_left_out: false,
    }
}

/// Adds what was measured.
pub(crate) fn evaluated(
    record: &mut ModelRecord,
    evidence: &Evidence,
    champion: Option<&Champion>,
    now: Timestamp,
) {
    record.status = ModelStatus::Evaluated;
    record.evaluated_at = Some(now);
    record.metrics = Some(evidence.candidate.metrics.clone());
    record.supplied_by = Some(evidence.candidate.supplied_by.clone());
    record.champion_id = champion.map(|champion| champion.record.model_id.clone());
    record.champion_metrics = evidence.champion.as_ref().map(|report| report.metrics.clone());
}

/// Whether the run of a model came to its end: it has a verdict, and one to promote was followed or waits for approval.
pub(crate) fn is_settled(record: &ModelRecord) -> bool {
    let Some(verdict) = &record.verdict else { return false };
    let is_held = record.promotion_gate.as_ref().is_some_and(|gate| gate.held);
    verdict.outcome != Outcome::Promote || record.status != ModelStatus::Evaluated || is_held
}

/// Adds the verdict. A model that may be promoted stays `evaluated` until the pointer names it.
pub(crate) fn judged(record: &mut ModelRecord, verdict: &Verdict, auto_deploy: bool) {
    let threshold =
        |name: &str| verdict.checks.iter().find(|check| check.name == name).map(|check| check.threshold);
    record.promotion_gate = Some(PromotionGate {
        min_win_rate: threshold("winRate"),
        max_drawdown: threshold("maxDrawdown"),
        min_pnl_per_trade: threshold("pnlPerTrade"),
        preset: verdict.preset.clone(),
        outcome: verdict.outcome,
        held: run_outcome(verdict.outcome, auto_deploy) == RunOutcome::Held,
    });
    record.verdict = Some(verdict.clone());
    match verdict.outcome {
        Outcome::Promote => {}
        Outcome::Reject => record.status = ModelStatus::Rejected,
        Outcome::Inconclusive => record.status = ModelStatus::Inconclusive,
    }
}

/// How a run with this verdict ends.
pub(crate) fn run_outcome(outcome: Outcome, auto_deploy: bool) -> RunOutcome {
    match outcome {
        Outcome::Promote if !auto_deploy => RunOutcome::Held,
        Outcome::Promote => RunOutcome::Promoted,
        Outcome::Reject => RunOutcome::Rejected,
        Outcome::Inconclusive => RunOutcome::Inconclusive,
    }
}
