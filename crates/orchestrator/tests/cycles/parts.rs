//! Stages that do as they are told, over a real store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use serde_json::json;
use tempfile::TempDir;
use walkforward_core::{
    AbsentMeans, Bar, BarSeries, CancelToken, Dataset, DatasetBuilder, DatasetRequest, ErrorKind,
    EvaluationReport, Evaluator, Evidence, FeatureSpec, GapKind, Gate, Launcher, LineName, ManualClock,
    MarketCalendar, ModelRef, NoProgress, Outcome, QualityFigures, QualityReport, Stage, StageContext,
    StageError, SuppliedBy, Timeframe, Timestamp, TrainingJob, TrainingOutcome, Verdict, Window,
};
use walkforward_orchestrator::{
    ContinuousParts, ContinuousTrainer, CycleEnd, CyclePlan, CyclePlanner, CycleRunner, CycleStart,
    NoCycleProgress, OnNoNewBars, Parent, Pipeline, RunError, RunObserver, RunReport, RunRequest, Stages,
};
use walkforward_store::{
    CycleStatus, CycleTrigger, NewCycle, NewSchedule, RunLock, ScheduleChange, ScheduleId, ScheduleRecord,
    Store,
};

const HOUR_MS: i64 = 3_600_000;
pub(crate) const BARS: i64 = 40;

/// What the stages do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Promotes,
    PromotesOnEvidence,
    Rejects,
    Fails,
    HasNoPlan,
}

/// A schedule with its runner.
pub(crate) struct World {
    dir: Arc<TempDir>,
    clock: Arc<ManualClock>,
    lock: Arc<RunLock>,
    planner: Planner,
    pub(crate) store: Arc<Store>,
    pub(crate) schedule: ScheduleId,
    pub(crate) runner: Arc<dyn CycleRunner>,
}

#[derive(Clone)]
struct Planner {
    behaviour: Behaviour,
    auto_deploy: bool,
    /// Hours that the newest bar moves ahead with each plan.
    step: i64,
    hour: Arc<AtomicI64>,
}

pub(crate) fn at(hour: i64) -> Timestamp {
    Timestamp::EPOCH.plus_millis(hour * HOUR_MS)
}

impl World {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::at(at(1_000)));
        let store = Store::open(
            &dir.path().join("data"),
            &dir.path().join("models"),
            Arc::<ManualClock>::clone(&clock),
        );
        let store = Arc::new(store.unwrap());
        let lock = Arc::new(store.run_lock().unwrap());
        let planner =
            Planner { behaviour, auto_deploy: true, step: 20, hour: Arc::new(AtomicI64::new(1_000)) };
        Self::with(dir, clock, store, lock, planner, "btc")
    }

    fn with(
        dir: Arc<TempDir>,
        clock: Arc<ManualClock>,
        store: Arc<Store>,
        lock: Arc<RunLock>,
        planner: Planner,
        name: &str,
    ) -> Self {
        let schedule: ScheduleId = name.parse().unwrap();
        if store.schedule(&schedule).is_err() {
            let new = NewSchedule {
                id: schedule.clone(),
                name: name.to_owned(),
                line: name.parse().unwrap(),
                base_experiment_id: None,
                dataset_id: None,
                hp_pack_id: None,
                config: json!({ "interval_hours": 6 }),
            };
            store.create_schedule(&new).unwrap();
        }
        let runner = Arc::new(ContinuousTrainer::new(ContinuousParts {
            store: Arc::clone(&store),
            lock: Arc::clone(&lock),
            planner: Arc::new(planner.clone()),
            clock: Arc::<ManualClock>::clone(&clock),
            progress: Arc::new(NoCycleProgress),
            work_dir: dir.path().to_owned(),
        }));
        Self { dir, clock, lock, planner, store, schedule, runner }
    }

    fn again(&self, planner: Planner, name: &str) -> Self {
        let (store, lock) = (Arc::clone(&self.store), Arc::clone(&self.lock));
        Self::with(Arc::clone(&self.dir), Arc::clone(&self.clock), store, lock, planner, name)
    }

    pub(crate) fn held(self) -> Self {
        let planner = Planner { auto_deploy: false, ..self.planner.clone() };
        self.again(planner, "btc")
    }

    /// From now on judged by rules that know no evidence.
    pub(crate) fn by_other_rules(self) -> Self {
        let planner = Planner { behaviour: Behaviour::Promotes, ..self.planner.clone() };
        self.again(planner, "btc")
    }

    pub(crate) fn without_new_bars(self) -> Self {
        let planner = Planner { step: 0, ..self.planner.clone() };
        self.again(planner, "btc")
    }

    /// Another schedule of the same store.
    pub(crate) fn another(&self, name: &str) -> Self {
        self.again(self.planner.clone(), name)
    }

    /// End of the newest window.
    pub(crate) fn now(&self) -> Timestamp {
        at(self.planner.hour.load(Ordering::SeqCst))
    }

    pub(crate) fn line(&self) -> LineName {
        self.schedule.as_str().parse().unwrap()
    }

    pub(crate) fn models(&self) -> usize {
        self.store.models(&self.line()).unwrap().len()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.store.events_after(0, 100).unwrap().into_iter().map(|event| event.kind).collect()
    }

    /// Runs the schedule's plan without a cycle.
    pub(crate) async fn run_observed(&self, observer: &dyn RunObserver) -> Result<RunReport, RunError> {
        let plan = self.planner.plan(&self.store.schedule(&self.schedule).unwrap()).unwrap();
        let ctx = StageContext {
            clock: Arc::<ManualClock>::clone(&self.clock),
            progress: Arc::new(NoProgress),
            cancel: CancelToken::default(),
            work_dir: self.dir.path().to_owned(),
        };
        let pipeline = Pipeline::new(plan.stages, Arc::clone(&self.store));
        pipeline.run_under(&self.lock, &plan.request, &ctx, observer).await
    }

    pub(crate) async fn run_cycle(&self, number: u64) -> CycleEnd {
        self.run_with(number, CancelToken::default()).await
    }

    /// Runs a cycle as the scheduler does: its row first, its end last.
    pub(crate) async fn run_with(&self, number: u64, cancel: CancelToken) -> CycleEnd {
        let end = self.run_and_die_with(number, cancel).await;
        self.record_end(number, &end);
        end
    }

    /// Records the end of a cycle as the scheduler does.
    pub(crate) fn record_end(&self, number: u64, end: &CycleEnd) {
        let change = ScheduleChange::CycleStatus {
            schedule_id: self.schedule.clone(),
            number,
            status: end.status,
            reason: end.reason.clone(),
        };
        self.store.commit_schedule_changes(&[change]).unwrap();
    }

    /// Runs a cycle of a scheduler that dies before it records the end.
    pub(crate) async fn run_and_die(&self, number: u64) {
        self.run_and_die_with(number, CancelToken::default()).await;
    }

    async fn run_and_die_with(&self, number: u64, cancel: CancelToken) -> CycleEnd {
        let (schedule_id, due_at) = (self.schedule.clone(), at(2_000 + number as i64));
        let row = NewCycle {
            schedule_id: schedule_id.clone(),
            number,
            due_at,
            trigger: CycleTrigger::Due,
            status: CycleStatus::Running,
            reason: None,
        };
        self.store.commit_schedule_changes(&[ScheduleChange::Cycle(row)]).unwrap();
        let schedule = self.store.schedule(&schedule_id).unwrap();
        let start = CycleStart { schedule, number, due_at, trigger: CycleTrigger::Due };
        self.runner.run(start, cancel).await
    }
}

impl CyclePlanner for Planner {
    fn plan(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, StageError> {
        if self.behaviour == Behaviour::HasNoPlan {
            return Err(StageError::new(Stage::Etl, ErrorKind::BadInput, "the file of bars is gone"));
        }
        let end = self.hour.fetch_add(self.step, Ordering::SeqCst) + self.step;
        let stages = Stages {
            datasets: Arc::new(Bars),
            launcher: Arc::new(Told(self.behaviour)),
            evaluator: Arc::new(Unmeasured),
            gate: Arc::new(Told(self.behaviour)),
        };
        let dataset = DatasetRequest {
            symbol: format!("{}/USD", schedule.line.as_str().to_uppercase()).parse().unwrap(),
            timeframe: Some(Timeframe::HOUR),
            as_of: Some(at(end)),
            window_bars: BARS as usize,
            holdout_bars: 10,
            embargo_bars: 0,
            features: FeatureSpec::default(),
        };
        let request = RunRequest {
            line: schedule.line.clone(),
            dataset,
            pack: json!({}),
            parent: Parent::Champion,
            base: None,
            on_no_new_bars: OnNoNewBars::Skip,
            seed: 1,
            threads: 1,
            min_judged_bars: 5,
            auto_deploy: self.auto_deploy,
            overrules_evidence: false,
            code_version: "test".to_owned(),
            settings: std::collections::BTreeMap::new(),
            made_for: None,
            supplied_sha256: None,
            allow_reused_metrics: false,
            arm: None,
        };
        Ok(CyclePlan { stages, request })
    }
}

/// Forty hours up to the time that is asked for.
pub(crate) struct Bars;

#[async_trait]
impl DatasetBuilder for Bars {
    async fn build(&self, request: &DatasetRequest, _ctx: &StageContext) -> Result<Dataset, StageError> {
        let as_of = request.as_of.unwrap();
        let start = as_of.plus_millis(-BARS * HOUR_MS);
        let mut bars = BarSeries::new(Timeframe::HOUR);
        for hour in 0..BARS {
            let time = start.plus_millis(hour * HOUR_MS);
            bars.push(Bar::new(time, 100.0, 100.0, 100.0, 100.0, 1.0).unwrap()).unwrap();
        }
        Ok(Dataset {
            symbol: request.symbol.clone(),
            gap_kinds: vec![GapKind::Present; bars.len()],
            embargo_bars: 0,
            history_bars: 0,
            window: Window::new(start, as_of).unwrap(),
            split: as_of.plus_millis(-10 * HOUR_MS),
            as_of,
            feature_spec: request.features.clone(),
            calendar: MarketCalendar::Continuous,
            absent: AbsentMeans::Missing,
            hash: format!("bars until {as_of}"),
            quality: QualityReport { file: None, window: QualityFigures::default() },
            origin: "test".to_owned(),
            bars,
        })
    }
}

struct Told(Behaviour);

#[async_trait]
impl Launcher for Told {
    async fn launch(&self, job: TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        ctx.cancel.check(Stage::Train)?;
        if self.0 == Behaviour::Fails {
            return Err(StageError::new(Stage::Train, ErrorKind::Retry, "the disk is full"));
        }
        let metrics = [("approx_kl".to_owned(), 0.01)].into();
        for iteration in 1..=3 {
            ctx.progress.metrics(iteration, &metrics);
        }
        write(&job.out_dir, &job.attempt);
        Ok(TrainingOutcome {
            trainer: "test".to_owned(),
            used_until: job.dataset.training_end(),
            iterations: 3,
            environment_steps: 30,
            metrics,
            instruction_set: None,
            cold_start: None,
        })
    }
}

fn write(dir: &Path, attempt: &str) {
    std::fs::write(dir.join("policy.safetensors"), format!("weights of {attempt}")).unwrap();
}

impl Gate for Told {
    fn assess(&self, _evidence: &Evidence) -> Verdict {
        let (outcome, reason) = match self.0 {
            Behaviour::Rejects => (Outcome::Reject, Some("told_so".to_owned())),
            _ => (Outcome::Promote, None),
        };
        Verdict {
            preset: if matches!(self.0, Behaviour::PromotesOnEvidence) { "evidence" } else { "test" }
                .to_owned(),
            outcome,
            reason,
            sentence: "as it was told".to_owned(),
            checks: Vec::new(),
            warnings: Vec::new(),
            grading: None,
        }
    }
}

struct Unmeasured;

impl Evaluator for Unmeasured {
    fn evaluate(
        &self,
        model: &ModelRef,
        _dataset: &Dataset,
        judged: Window,
        _ctx: &StageContext,
    ) -> Result<EvaluationReport, StageError> {
        let report = EvaluationReport::without_figures(model.id.to_string(), SuppliedBy::Backtest);
        Ok(EvaluationReport { judged_span: Some(judged), ..report })
    }
}
