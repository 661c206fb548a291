//! One run: ETL, train, evaluate, judge, promote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkforward_core::{
    Dataset, DatasetBuilder, DatasetRequest, ErrorKind, Evaluator, Evidence, Gate, Launcher, LineName,
    ModelId, ModelRef, Outcome, RunId, Stage, StageContext, StageError, SuppliedBy, TrainingJob,
    TrainingOutcome, Verdict,
};
use walkforward_store::{
    Champion, MadeFor, ModelRecord, PromotionKind, PromotionRequest, RunLock, Store, StoreError, pointer_path,
};

use crate::evidence::{ArmRequest, CaughtUp, Evidence as ArmEvidence};
use crate::launcher::on_blocking_thread;
use crate::lineage::{JudgedSpan, after_training};
use crate::market::LineMarkets;
use crate::observer::{NoObserver, RunObserver, RunStep};
use crate::records;
use crate::report::{RunReport, SubjectMetrics};
use crate::run_error::RunError;

mod parents;
mod streams;

/// Newest models that are looked through for one whose run came to its end.
const MAX_UNSETTLED: usize = 100;

/// The preset whose champions stand on evidence.
const EVIDENCE: &str = "evidence";

/// The implementations that a pipeline runs.
#[derive(Clone)]
pub struct Stages {
    /// ETL.
    pub datasets: Arc<dyn DatasetBuilder>,
    /// Training.
    pub launcher: Arc<dyn Launcher>,
    /// Evaluation.
    pub evaluator: Arc<dyn Evaluator>,
    /// Judgement.
    pub gate: Arc<dyn Gate>,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// The line that gets the model.
    pub line: LineName,
    /// The bars.
    pub dataset: DatasetRequest,
    /// Hyperparameters, as the trainer reads them.
    pub pack: serde_json::Value,
    /// Which model the training continues from.
    pub parent: Parent,
    /// The model that takes the champion's place as a parent while the line has none.
    pub base: Option<ModelId>,
    /// What to do when the dataset is that of the line's newest model.
    pub on_no_new_bars: OnNoNewBars,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Threads that the training may use.
    pub threads: usize,
    /// Fewest unseen bars under a verdict.
    pub min_judged_bars: usize,
    /// Promote a model that may trade; else it is held until somebody approves.
    pub auto_deploy: bool,
    /// Promote by other rules over a champion that its arm's evidence made one; else such a model is held.
    pub overrules_evidence: bool,
    /// The version of the program, for the record.
    pub code_version: String,
    /// Settings by key that somebody needs who makes the model again, for the record.
    pub settings: BTreeMap<String, String>,
    /// Who asks for the model, for the record.
    pub made_for: Option<MadeFor>,
    /// SHA-256 of the metrics file that replaces the backtest, if one does.
    pub supplied_sha256: Option<String>,
    /// Accept a metrics file that already promoted a model.
    pub allow_reused_metrics: bool,
    /// The arm whose stream is kept; none keeps no stream.
    pub arm: Option<ArmRequest>,
}

/// Which model a training continues from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parent {
    /// None: it starts from fresh weights.
    #[default]
    None,
    /// The line's champion; when it has seen the hold-out, its nearest ancestor that has not, else none.
    Champion,
    /// The line's newest model whose weights are there and that has not seen the hold-out, whatever the verdict on it;
    /// that of the run's own arm where arms are judged.
    Latest,
}

impl Parent {
    /// The word in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Champion => "champion",
            Self::Latest => "latest",
        }
    }
}

/// What to do when there is nothing to learn that the line's newest model has not learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnNoNewBars {
    /// Train, judge and promote all the same.
    #[default]
    Run,
    /// Leave it: [`RunError::NoNewBars`].
    Skip,
}

/// Runs cycles over `Stages`, and keeps every step in a [`Store`] before it acts on it.
#[derive(Clone)]
pub struct Pipeline {
    stages: Stages,
    store: Arc<Store>,
}

/// A run on its way through the stages.
struct Run<'a> {
    pipeline: &'a Pipeline,
    request: &'a RunRequest,
    ctx: &'a StageContext,
    observer: &'a dyn RunObserver,
    id: RunId,
    champion: Option<Champion>,
    evidence: Option<Arc<ArmEvidence>>,
    markets: LineMarkets,
}

/// What evaluation came to: everything that the gate and the report need.
struct Judged {
    evidence: Evidence,
    verdict: Verdict,
}

impl Pipeline {
    /// A pipeline of `stages` over `store`.
    pub fn new(stages: Stages, store: Arc<Store>) -> Self {
        Self { stages, store }
    }

    /// Runs once, with the run lock of the data folder. A refused model is no error: the verdict says why.
    ///
    /// # Errors
    /// Another run goes on, there is nothing to train on or to judge with, a stage failed, or the records can't be
    /// read or written.
    pub async fn run(&self, request: &RunRequest, ctx: &StageContext) -> Result<RunReport, RunError> {
        let lock = self.store.run_lock()?;
        self.run_under(&lock, request, ctx, &NoObserver).await
    }

    /// The same for who holds the run lock already. `observer` is told of each step once it is on disk and before the
    /// next begins; what it fails with ends the run. Runs of different lines may go on at once.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_under(
        &self,
        _lock: &RunLock,
        request: &RunRequest,
        ctx: &StageContext,
        observer: &dyn RunObserver,
    ) -> Result<RunReport, RunError> {
        self.run_begun(request, ctx, observer, || self.begin(request)).await
    }

    /// The same for a run that was given its id. One that was killed goes on under it: what is on disk already is not
    /// made again, and it comes to what it would have come to.
    ///
    /// # Errors
    /// As [`run`](Self::run), or the run is another line's, or its model was judged and the verdict is in effect.
    pub async fn run_again(
        &self,
        _lock: &RunLock,
        id: &RunId,
        request: &RunRequest,
        ctx: &StageContext,
    ) -> Result<RunReport, RunError> {
        let begin = || {
            self.stages.evaluator.admit(&ModelId::of_run(id))?;
            self.store.begin_run_again(id, &request.line)?;
            Ok(id.clone())
        };
        self.run_begun(request, ctx, &NoObserver, begin).await
    }

    /// What has not been made for the arm of `request`: the bars of the dataset that have no score get one.
    ///
    /// # Errors
    /// There are no bars, a stage failed, or the records can't be read or written.
    pub(crate) async fn catch_up(&self, request: &RunRequest, ctx: &StageContext) -> Result<(), RunError> {
        let Some(arm) = &request.arm else { return Ok(()) };
        let dataset = Arc::new(self.stages.datasets.build(&request.dataset, ctx).await?);
        let champion = self.store.champion(&request.line)?;
        let evidence = ArmEvidence::of(&self.store, &request.line, arm, champion.as_ref())?;
        streams::catch_up(Arc::new(evidence), &self.stages.evaluator, &dataset, ctx).await.map(drop)
    }

    /// Runs under the id that `begin` gives.
    async fn run_begun(
        &self,
        request: &RunRequest,
        ctx: &StageContext,
        observer: &dyn RunObserver,
        begin: impl FnOnce() -> Result<RunId, RunError> + Send,
    ) -> Result<RunReport, RunError> {
        let started = ctx.clock.monotonic();
        let champion = self.store.champion(&request.line)?;
        let markets = LineMarkets::of(&self.store, &request.line, champion.as_ref())?;
        markets.admit(&request.dataset.symbol, request.dataset.timeframe)?;
        self.refuse_reused_metrics(request)?;
        let id = begin()?;
        let evidence = request.arm.as_ref();
        let evidence =
            evidence.map(|arm| ArmEvidence::of(&self.store, &request.line, arm, champion.as_ref()));
        let result = match evidence.transpose() {
            Ok(evidence) => {
                let (id, evidence) = (id.clone(), evidence.map(Arc::new));
                Run { pipeline: self, request, ctx, observer, id, champion, evidence, markets }
                    .all_stages()
                    .await
            }
            Err(error) => Err(error),
        };
        let (outcome, reason) = match &result {
            Ok(report) => (report.outcome, report.verdict.reason.clone()),
            Err(error) => error.outcome(),
        };
        let closed = self.store.finish_run(&id, outcome, reason.as_deref());
        let mut report = result?;
        if let Err(error) = closed {
            tracing::error!(run = %id, %error, "the run has ended, and its row could not be closed");
        }
        report.elapsed_s = ctx.clock.monotonic().saturating_sub(started).as_secs_f64();
        Ok(report)
    }

    /// The id of a run that has begun. Where several runs go on at once, another may take an id between the two steps.
    fn begin(&self, request: &RunRequest) -> Result<RunId, RunError> {
        const MAX_TRIES: usize = 100;
        for _ in 0..MAX_TRIES {
            let id = self.store.allocate_run_id()?;
            self.stages.evaluator.admit(&ModelId::of_run(&id))?;
            match self.store.begin_run(&id, &request.line) {
                Err(StoreError::RunExists(_)) => {}
                begun => return begun.map(|()| id).map_err(RunError::from),
            }
        }
        let problem = format!("{MAX_TRIES} ids of runs were taken one after the other");
        Err(StageError::new(Stage::Etl, ErrorKind::Retry, problem).into())
    }

    fn refuse_reused_metrics(&self, request: &RunRequest) -> Result<(), RunError> {
        let Some(sha256) = &request.supplied_sha256 else { return Ok(()) };
        if request.allow_reused_metrics || !self.store.file_hash_promoted(sha256)? {
            return Ok(());
        }
        let problem = format!(
            "the metrics file with SHA-256 {sha256} already promoted a model: evaluate the new one, or pass \
             --allow-reused-metrics"
        );
        Err(StageError::new(Stage::Evaluate, ErrorKind::BadInput, problem).into())
    }
}

impl Run<'_> {
    async fn all_stages(&self) -> Result<RunReport, RunError> {
        self.observer.on(RunStep::Began(&self.id))?;
        let (dataset, etl_path) = self.etl().await?;
        self.observer.on(RunStep::Collected { run: &self.id, dataset: &dataset })?;
        let caught_up = self.catch_up(&dataset).await?;
        let (record, training) = match self.left_behind()? {
            Some(record) => (record.clone(), record.training),
            None => self.train(&dataset, &etl_path).await?,
        };
        self.observer.on(RunStep::Trained(&record))?;
        let judged = self.evaluate(&dataset, record.clone(), &caught_up).await?;
        let pointer = self.conclude(&record.model_id, &judged)?;
        Ok(self.report(&dataset, &record, training, judged, pointer))
    }

    /// Bars in, dataset out; its record is on disk before anything uses it.
    async fn etl(&self) -> Result<(Arc<Dataset>, PathBuf), RunError> {
        self.ctx.cancel.check(Stage::Etl)?;
        let dataset = self.pipeline.stages.datasets.build(&self.request.dataset, self.ctx).await?;
        self.markets.admit(&dataset.symbol, Some(dataset.timeframe()))?;
        self.refuse_old_bars(&dataset)?;
        self.refuse_contaminated(&dataset)?;
        let record = records::etl(&self.id, &dataset, self.ctx.clock.now());
        let path = self.pipeline.store.write_etl(&record)?;
        Ok((Arc::new(dataset), path))
    }

    /// The model that this run had made before it was killed.
    fn left_behind(&self) -> Result<Option<ModelRecord>, RunError> {
        match self.pipeline.store.model(&ModelId::of_run(&self.id)) {
            Err(StoreError::UnknownModel { .. }) => Ok(None),
            Ok(record) if records::is_settled(&record) => Err(StoreError::RunExists(self.id.clone()).into()),
            record => Ok(record.map(Some)?),
        }
    }

    /// Dataset in, model out: trained in a staging folder, then adopted by rename.
    async fn train(
        &self,
        dataset: &Arc<Dataset>,
        etl_path: &Path,
    ) -> Result<(ModelRecord, TrainingOutcome), RunError> {
        self.ctx.cancel.check(Stage::Train)?;
        let store = &self.pipeline.store;
        let chosen = self.parent(dataset)?;
        // Retention leaves alone what a training has loaded.
        let parent = chosen.as_ref().and_then(|(_, parent)| parent.clone());
        let _loaded = parent.as_ref().map(|parent| store.lock_bundle(&parent.id)).transpose()?;
        let attempt = format!("{}-1", self.id);
        let job = TrainingJob {
            run_id: self.id.clone(),
            attempt: attempt.clone(),
            dataset: Arc::clone(dataset),
            parent,
            pack: self.request.pack.clone(),
            seed: self.request.seed,
            threads: self.request.threads,
            out_dir: store.staging_dir(&attempt)?,
        };
        let launched = self.pipeline.stages.launcher.launch(job, self.ctx).await;
        let training = match launched.and_then(|training| self.refuse_look_ahead(dataset, training)) {
            Ok(training) => training,
            Err(error) => {
                store.discard_staging(&attempt)?;
                return Err(error.into());
            }
        };
        if let Some(reason) = &training.cold_start {
            tracing::warn!(reason, "the parent was not continued");
        }
        let (parent_choice, parent) = after_training(chosen, training.cold_start.as_deref());
        let record = records::trained(self.request, &self.id, dataset, &training, self.ctx.clock.now());
        // The trainer was handed the bars until the end of training: what it says that it used can only be less.
        let handed = record.lineage_until.max(dataset.training_end());
        let record = ModelRecord {
            etl_path: etl_path.display().to_string(),
            lineage_until: parent.as_ref().map_or(handed, |parent| parent.lineage_until.max(handed)),
            parent_id: parent.map(|parent| parent.id),
            parent_choice,
            ..record
        };
        Ok((store.adopt(&attempt, record)?, training))
    }

    /// Nothing to do when the line's newest model was made from the same dataset. One whose run was killed or cancelled
    /// before its verdict was in effect does not count: it is made up for.
    fn refuse_old_bars(&self, dataset: &Dataset) -> Result<(), RunError> {
        if self.request.on_no_new_bars == OnNoNewBars::Run {
            return Ok(());
        }
        let store = &self.pipeline.store;
        for id in store.models(&self.request.line)?.into_iter().rev().take(MAX_UNSETTLED) {
            let model = store.model(&id)?;
            match (records::is_settled(&model), model.dataset_hash == dataset.hash) {
                (true, true) => return Err(RunError::NoNewBars(id)),
                (true, false) => return Ok(()),
                (false, _) => {}
            }
        }
        Ok(())
    }

    /// Nothing is trained that could not be judged: beside a champion that has seen the hold-out, say because it was
    /// trained up to now or the hold-out was made longer.
    fn refuse_contaminated(&self, dataset: &Dataset) -> Result<(), RunError> {
        let Some(champion) = &self.champion else { return Ok(()) };
        let seen_until = champion.record.lineage_until;
        let span = JudgedSpan::of(dataset, dataset.training_end(), Some(seen_until));
        let needed = self.request.min_judged_bars;
        // A hold-out that is too short for a verdict stays so: the gate says that.
        let is_cut = span.unseen_bars < needed && span.holdout_bars >= needed;
        if !is_cut || !self.pipeline.stages.evaluator.needs_unseen_bars() {
            return Ok(());
        }
        Err(RunError::Contaminated {
            champion: champion.record.model_id.clone(),
            seen_until,
            window_end: dataset.window.end(),
            timeframe: dataset.timeframe(),
            unseen_bars: span.unseen_bars,
            needed,
        })
    }

    /// A trainer that says that it saw the hold-out is refused: its model could not be judged.
    fn refuse_look_ahead(
        &self,
        dataset: &Dataset,
        training: TrainingOutcome,
    ) -> Result<TrainingOutcome, StageError> {
        if training.used_until <= dataset.training_end() {
            return Ok(training);
        }
        let problem = format!(
            "the trainer {} used bars until {}, but training ends at {}: it may use bars that close at or before \
             that only",
            training.trainer,
            training.used_until,
            dataset.training_end()
        );
        Err(StageError::new(Stage::Train, ErrorKind::Bug, problem))
    }

    /// Candidate, champion and baselines on the same bars, then the gate.
    async fn evaluate(
        &self,
        dataset: &Arc<Dataset>,
        mut record: ModelRecord,
        caught_up: &CaughtUp,
    ) -> Result<Judged, RunError> {
        self.ctx.cancel.check(Stage::Evaluate)?;
        let store = &self.pipeline.store;
        let mut evidence = self.measure(dataset, self.reference(&record)).await?;
        evidence.stream = self.stream(dataset, &record, &evidence, caught_up)?;
        let verdict = self.pipeline.stages.gate.assess(&evidence);
        let judged = Judged { evidence, verdict };
        self.settle_test(dataset, &judged, caught_up)?;
        let (evidence, now) = (&judged.evidence, self.ctx.clock.now());
        store.write_evaluation(&records::evaluation(&record.model_id, evidence, dataset, now))?;
        records::evaluated(&mut record, evidence, self.champion.as_ref(), now);
        store.update_model(&record)?;
        Ok(judged)
    }

    fn reference(&self, record: &ModelRecord) -> ModelRef {
        ModelRef {
            id: record.model_id.clone(),
            dir: self.pipeline.store.model_dir(&record.model_id),
            sha256: record.sha256.clone(),
            lineage_until: record.lineage_until,
        }
    }

    async fn measure(&self, dataset: &Arc<Dataset>, candidate: ModelRef) -> Result<Evidence, RunError> {
        let champion = self.champion.as_ref().map(|champion| champion.model_ref.clone());
        let champion_until = champion.as_ref().map(|champion| champion.lineage_until);
        let span = JudgedSpan::of(dataset, candidate.lineage_until, champion_until);
        let (evaluator, data, ctx) =
            (Arc::clone(&self.pipeline.stages.evaluator), Arc::clone(dataset), self.ctx.clone());
        let judged = span.judged;
        let measured = on_blocking_thread(Stage::Evaluate, move || {
            let candidate = evaluator.evaluate(&candidate, &data, judged, &ctx)?;
            if candidate.supplied_by != SuppliedBy::Backtest {
                return Ok((candidate, None, Vec::new()));
            }
            ctx.report(Stage::Evaluate, 1, 3, "champion");
            let champion =
                champion.map(|champion| evaluator.evaluate(&champion, &data, judged, &ctx)).transpose()?;
            ctx.report(Stage::Evaluate, 2, 3, "baselines");
            let baselines = evaluator.baselines(&data, judged, &ctx)?;
            ctx.report(Stage::Evaluate, 3, 3, "");
            Ok((candidate, champion, baselines))
        });
        let (candidate, champion, baselines) = measured.await?;
        Ok(Evidence {
            candidate,
            champion,
            baselines,
            unseen_bars: span.unseen_bars,
            holdout_bars: span.holdout_bars,
            min_judged_bars: self.request.min_judged_bars,
            stream: None,
        })
    }

    /// Whether a model that may trade by `verdict` is promoted at once. A champion that stands on its arm's evidence is not
    /// displaced by weaker rules unless somebody wants that.
    fn deploys(&self, verdict: &Verdict) -> bool {
        let by = self.champion.as_ref().map(|champion| champion.pointer.preset.as_str());
        let is_weaker = by == Some(EVIDENCE) && verdict.preset != EVIDENCE;
        if is_weaker && !self.request.overrules_evidence && verdict.outcome == Outcome::Promote {
            tracing::warn!(
                "the champion stands on its arm's evidence, and the preset {} judged this model: it is held; approve it, or \
                 choose the preset in so many words",
                verdict.preset
            );
        }
        self.request.auto_deploy && (self.request.overrules_evidence || !is_weaker)
    }

    /// The verdict on the record, then the pointer.
    fn conclude(&self, model: &ModelId, judged: &Judged) -> Result<Option<String>, RunError> {
        self.ctx.cancel.check(Stage::Promote)?;
        self.ctx.report(Stage::Promote, 0, 1, "");
        let store = &self.pipeline.store;
        let mut record = store.model(model)?;
        let deploys = self.deploys(&judged.verdict);
        records::judged(&mut record, &judged.verdict, deploys);
        store.update_model(&record)?;
        self.observer.on(RunStep::Judged(&judged.verdict))?;
        if judged.verdict.outcome != Outcome::Promote || !deploys {
            self.confirm_kept(judged);
            return Ok(None);
        }
        store.promote(&PromotionRequest {
            line: &self.request.line,
            expected_current: self.champion.as_ref().map(|champion| &champion.record.model_id),
            to: model,
            kind: PromotionKind::Promote,
            reason: &judged.verdict.sentence,
            verdict: &judged.verdict,
            metrics: &judged.evidence.candidate.metrics,
        })?;
        // The pointer has moved: what can't be kept about that any more does not undo it.
        if let Err(error) = self.observer.on(RunStep::Promoted(model)) {
            tracing::error!(%model, %error, "the model is promoted, and not all of its rows could be written");
        }
        self.confirm(model);
        self.ctx.report(Stage::Promote, 1, 1, "");
        Ok(Some(pointer_path(store.models_dir(), &self.request.line).display().to_string()))
    }

    /// Confirms the champion where it was run on the judged bars and stays because of the verdict.
    fn confirm_kept(&self, judged: &Judged) {
        let was_run = judged.evidence.champion.as_ref().is_some_and(|report| report.mechanical.loads);
        let stays = judged.verdict.outcome != Outcome::Promote;
        if let Some(champion) = self.champion.as_ref().filter(|_| was_run && stays) {
            self.confirm(&champion.record.model_id);
        }
    }

    /// Tells traders that this run found `champion` to be the one that should trade. Without it they take the champion for
    /// older than it is, which errs on the safe side: the verdict stands.
    fn confirm(&self, champion: &ModelId) {
        if let Err(error) = self.pipeline.store.confirm_champion(&self.request.line, champion, &self.id) {
            tracing::error!(%champion, %error, "the verdict is in effect, and traders could not be told that it confirms");
        }
    }

    fn report(
        &self,
        dataset: &Dataset,
        record: &ModelRecord,
        training: TrainingOutcome,
        judged: Judged,
        pointer: Option<String>,
    ) -> RunReport {
        let Judged { evidence, verdict } = judged;
        RunReport {
            run_id: self.id.clone(),
            model_id: record.model_id.clone(),
            outcome: records::run_outcome(verdict.outcome, self.deploys(&verdict)),
            line: self.request.line.clone(),
            symbol: dataset.symbol.clone(),
            timeframe: dataset.timeframe(),
            origin: dataset.origin.clone(),
            as_of: dataset.as_of,
            window: dataset.window,
            split: dataset.split,
            window_bars: dataset.bars.len() - dataset.history_bars,
            holdout_bars: dataset.bars.len() - dataset.split_index(),
            judged_span: evidence.candidate.judged_span,
            dataset_hash: dataset.hash.clone(),
            quality: dataset.quality.clone(),
            training,
            sha256: record.sha256.clone(),
            candidate: SubjectMetrics::from(&evidence.candidate),
            champion: evidence.champion.as_ref().map(SubjectMetrics::from),
            baselines: evidence.baselines.iter().map(SubjectMetrics::from).collect(),
            verdict,
            pointer,
            elapsed_s: 0.0,
        }
    }
}
