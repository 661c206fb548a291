//! What a replay came to: its cycles, who traded, and what that earned beside the simplest ways to do it.

use std::sync::Arc;

use walkforward_core::{
    ErrorKind, EvaluationReport, Evidence, Gate, ModelId, Outcome, RunId, Stage, StageError, Timestamp,
    Verdict, Window,
};
use walkforward_store::{
    EvaluationRecord, ModelRecord, PromotionRow, PromotionState, Replay, ReplayCycle, RunOutcome, ScoredBar,
    Snapshot, StoreError, StreamKey, read_evaluation,
};

use super::{ReplayError, Replayer, StreamAudit, audit_stream};
use crate::RunError;
use crate::evidence::keeper::{Keeper, Role, Scored};

const DAY_MS: i64 = 86_400_000;
/// The check of a verdict that counts the bars it was given on.
const UNSEEN_BARS: &str = "unseenBars";

/// A cycle of a replay with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayedCycle {
    /// When it was due.
    pub due_at: Timestamp,
    /// Its run.
    pub run: RunId,
    /// How it ended; none before it has.
    pub outcome: Option<RunOutcome>,
    /// Why, in a word or a sentence.
    pub reason: Option<String>,
    /// Its model; none where it made none.
    pub model: Option<ModelId>,
    /// SHA-256 of the model's weights.
    pub sha256: Option<String>,
    /// What the gate said.
    pub verdict: Option<Verdict>,
    /// What the gate beside it says of the same measurements.
    pub beside: Option<Outcome>,
}

/// What somebody's equity did, bar by bar. Series are `[n_bars]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayCurve {
    /// Whose: `line` (what traded), `auto_deploy` (every snapshot at once), `thresholds` (what the gate beside would have
    /// let through), `buy_and_hold`, `flat`.
    pub name: String,
    /// Close of each bar.
    pub bar_close: Vec<Timestamp>,
    /// Return over each bar, after costs.
    pub net_return: Vec<f64>,
    /// Position at the end of each bar as a fraction of equity.
    pub position: Vec<f64>,
}

/// What a replay came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySummary {
    /// The replay.
    pub replay: Replay,
    /// Bars in a year of this market.
    pub bars_per_year: f64,
    /// Its cycles, the oldest first.
    pub cycles: Vec<ReplayedCycle>,
    /// How the champion changed within its span, the oldest first.
    pub promotions: Vec<PromotionRow>,
    /// Equities over the bars of the arm's stream; none without a scored bar.
    pub curves: Vec<ReplayCurve>,
    /// What the stream's rows say about how they were made.
    pub audit: StreamAudit,
}

impl Replayer {
    /// What the replay came to, as far as it has come; `beside` judges the same measurements.
    ///
    /// # Errors
    /// There is no replay, or its rows, its models or its bars can't be read.
    pub async fn summary(self: &Arc<Self>, beside: Arc<dyn Gate>) -> Result<ReplaySummary, ReplayError> {
        let replay = self.parts.store.replay(&self.asked.line)?;
        let replay = replay.ok_or_else(|| self.refused("it has no replay"))?;
        self.parts.clock.set(self.asked.until);
        let request = self.request_of_span()?;
        let dataset = self.parts.stages.datasets.build(&request, &self.context()).await;
        let dataset = dataset.map_err(RunError::from)?;
        let replayer = Arc::clone(self);
        let told =
            tokio::task::spawn_blocking(move || replayer.told(replay, &dataset, beside.as_ref())).await;
        told.map_err(|panic| RunError::from(StageError::new(Stage::Evaluate, ErrorKind::Bug, panic)))?
    }

    /// The scored bars of the replay; live ones may have come after them.
    fn bars(&self) -> Result<Vec<ScoredBar>, ReplayError> {
        let key = StreamKey::Arm(self.asked.arm.clone());
        let mut bars = self.parts.store.stream_bars(&key, None)?;
        bars.retain(|bar| bar.close <= self.asked.until);
        Ok(bars)
    }

    /// Bars of the whole span, with what policies need before them.
    fn request_of_span(&self) -> Result<walkforward_core::DatasetRequest, ReplayError> {
        let mut request = self.run_request(self.asked.until).dataset;
        let bars = self.bars()?;
        let shortest_ms = bars.windows(2).map(|pair| pair[1].close.millis_since(pair[0].close)).min();
        // Features of a bar begin with its day, and before that with their history.
        let day = usize::try_from(DAY_MS / shortest_ms.unwrap_or(DAY_MS).max(1)).unwrap_or(1);
        request.window_bars = request.window_bars.max(bars.len() + 2 * day + request.holdout_bars);
        Ok(request)
    }

    fn told(
        &self,
        replay: Replay,
        dataset: &walkforward_core::Dataset,
        beside: &dyn Gate,
    ) -> Result<ReplaySummary, ReplayError> {
        let store = &self.parts.store;
        let cycles = store.replay_cycles(replay.id)?;
        let cycles =
            cycles.into_iter().map(|cycle| self.replayed(cycle, beside)).collect::<Result<Vec<_>, _>>()?;
        let mut promotions = store.promotions(&self.asked.line)?;
        promotions.retain(|row| row.state == PromotionState::Committed && row.created_at < self.asked.until);
        let bars_per_year = dataset.calendar.bars_per_year(dataset.timeframe());
        let curves = self.curves(dataset, &cycles, &promotions)?;
        let audit = audit_stream(store, &self.asked.arm)?;
        Ok(ReplaySummary { replay, bars_per_year, cycles, promotions, curves, audit })
    }

    fn replayed(&self, cycle: ReplayCycle, beside: &dyn Gate) -> Result<ReplayedCycle, ReplayError> {
        let ReplayCycle { due_at, run, outcome, reason, .. } = cycle;
        let record = match self.parts.store.model(&ModelId::of_run(&run)) {
            Err(StoreError::UnknownModel { .. }) => None,
            record => Some(record?),
        };
        let beside = match &record {
            Some(record) => self.judged_beside(record, beside)?,
            None => None,
        };
        let (model, sha256, verdict) = match record {
            Some(record) => (Some(record.model_id), Some(record.sha256), record.verdict),
            None => (None, None, None),
        };
        Ok(ReplayedCycle { due_at, run, outcome, reason, model, sha256, verdict, beside })
    }

    /// What `gate` says of what the model measured.
    fn judged_beside(&self, record: &ModelRecord, gate: &dyn Gate) -> Result<Option<Outcome>, ReplayError> {
        let evaluation = read_evaluation(self.parts.store.models_dir(), &record.model_id)?;
        let (Some(evaluation), Some(verdict)) = (evaluation, &record.verdict) else { return Ok(None) };
        let EvaluationRecord { candidate, champion, baselines, .. } = evaluation;
        let unseen = verdict.checks.iter().find(|check| check.name == UNSEEN_BARS);
        let unseen_bars = unseen.and_then(|check| check.measured).unwrap_or_default() as usize;
        let evidence = Evidence {
            candidate,
            champion,
            baselines,
            unseen_bars,
            holdout_bars: unseen_bars,
            min_judged_bars: self.request.run.min_judged_bars,
            stream: None,
        };
        Ok(Some(gate.assess(&evidence).outcome))
    }

    fn curves(
        &self,
        dataset: &walkforward_core::Dataset,
        cycles: &[ReplayedCycle],
        promotions: &[PromotionRow],
    ) -> Result<Vec<ReplayCurve>, ReplayError> {
        let bars = self.bars()?;
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(Vec::new()) };
        let open = first.close.plus_millis(-dataset.timeframe().millis());
        let bug = |problem: &dyn std::fmt::Display| {
            ReplayError::from(RunError::from(StageError::new(
                Stage::Evaluate,
                ErrorKind::Bug,
                problem.to_string(),
            )))
        };
        let span = Window::new(open, last.close).map_err(|error| bug(&error))?;
        let passed = cycles.iter().filter(|cycle| cycle.beside == Some(Outcome::Promote));
        let passed = passed.filter_map(|cycle| Some((cycle.model.clone()?, cycle.due_at))).collect();
        let promoted =
            promotions.iter().filter_map(|row| Some((row.to.clone()?, row.committed_at?))).collect();
        let line = self.traded(dataset, span, promoted)?;
        let thresholds = self.traded(dataset, span, passed)?;
        let mut curves =
            vec![curve("line", line), curve("auto_deploy", bars), curve("thresholds", thresholds)];
        let evaluator = &self.parts.stages.evaluator;
        let baselines = evaluator.baselines(dataset, span, &self.context()).map_err(RunError::from)?;
        curves.extend(baselines.into_iter().rev().map(measured));
        Ok(curves)
    }

    /// The bars of `span` as they come out when each of `models` decides from its time on.
    fn traded(
        &self,
        dataset: &walkforward_core::Dataset,
        span: Window,
        models: Vec<(ModelId, Timestamp)>,
    ) -> Result<Vec<ScoredBar>, ReplayError> {
        let store = &self.parts.store;
        let snapshot = |(model, at): (ModelId, Timestamp)| {
            let lineage_until = store.model(&model)?.lineage_until;
            let published_at = at.plus_millis(self.asked.publish_delay_ms);
            Ok(Snapshot { model, published_at, lineage_until })
        };
        let snapshots = models.into_iter().map(snapshot).collect::<Result<Vec<_>, StoreError>>()?;
        let ctx = self.context();
        let evaluator = self.parts.stages.evaluator.as_ref();
        let (ctx, role, replayed_until) = (&ctx, Role::Arm, Some(span.end()));
        let keeper = Keeper { store, evaluator, dataset, ctx, role, replayed_until };
        let range = dataset.bars.index_at_or_after(span.start())..dataset.bars.index_at_or_after(span.end());
        let scored = keeper.follow(Scored::after(None), range, snapshots)?;
        match scored.stopped {
            Some(problem) => Err(problem.into()),
            None => Ok(scored.bars),
        }
    }
}

fn curve(name: &str, bars: Vec<ScoredBar>) -> ReplayCurve {
    ReplayCurve {
        name: name.to_owned(),
        bar_close: bars.iter().map(|bar| bar.close).collect(),
        net_return: bars.iter().map(|bar| bar.net_return).collect(),
        position: bars.iter().map(|bar| bar.position).collect(),
    }
}

fn measured(report: EvaluationReport) -> ReplayCurve {
    let EvaluationReport { subject: name, bar_close, net_return, position, .. } = report;
    ReplayCurve { name, bar_close, net_return, position }
}
