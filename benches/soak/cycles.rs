//! A schedule of the smallest cycles that do everything.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tempfile::TempDir;
use walkforward::clock::SystemClock;
use walkforward_core::{
    BarRequest, BarSeries, CancelToken, Clock, DatasetRequest, FeatureSpec, MarketCalendar, StageError,
    Timeframe, Timestamp,
};
use walkforward_engine::SessionConfig;
use walkforward_etl::{
    CsvOptions, CsvSource, DataSource, EtlConfig, EtlPipeline, SyntheticSource, write_csv,
};
use walkforward_evaluator::BacktestEvaluator;
use walkforward_orchestrator::{
    ContinuousParts, ContinuousTrainer, CyclePlan, CyclePlanner, CycleRunner, CycleStart, InProcessLauncher,
    NoCycleProgress, OnNoNewBars, Parent, RunRequest, Stages,
};
use walkforward_promoter::ThresholdsGate;
use walkforward_store::{
    CycleStatus, CycleTrigger, NewCycle, NewSchedule, ScheduleChange, ScheduleId, ScheduleRecord, Store,
};
use walkforward_trainer::PpoTrainer;

/// Hours between two cycles.
const INTERVAL_HOURS: i64 = 6;
const WINDOW_BARS: usize = 600;
/// More than the features need before the window.
const HISTORY_BARS: usize = 400;

/// A store with a schedule and its runner.
pub(crate) struct World {
    folder: TempDir,
    store: Arc<Store>,
    runner: ContinuousTrainer,
    schedule: ScheduleId,
}

impl World {
    /// A file of bars for `cycles` cycles, and a schedule over it.
    pub(crate) async fn new(cycles: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (data, models) = (folder.path().join("data"), folder.path().join("models"));
        let store = Arc::new(Store::open(&data, &models, Arc::clone(&clock)).expect("a store"));
        let schedule: ScheduleId = "soak".parse().expect("an id");
        let new = NewSchedule {
            id: schedule.clone(),
            name: "soak".to_owned(),
            line: "soak".parse().expect("a line"),
            base_experiment_id: None,
            dataset_id: None,
            hp_pack_id: None,
            config: json!({ "interval_hours": INTERVAL_HOURS }),
        };
        store.create_schedule(&new).expect("a schedule");
        let bars = folder.path().join("bars.csv");
        write_csv(&walk(cycles as u64).await, &bars).expect("a file of bars");
        let runner = ContinuousTrainer::new(ContinuousParts {
            store: Arc::clone(&store),
            lock: Arc::new(store.run_lock().expect("nobody else runs")),
            planner: Arc::new(Planner { bars, cycles: AtomicU64::new(1) }),
            clock,
            progress: Arc::new(NoCycleProgress),
            work_dir: folder.path().to_owned(),
        });
        Self { folder, store, runner, schedule }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the cycles with these numbers; how many were promoted.
    pub(crate) async fn run(&self, numbers: RangeInclusive<usize>) -> usize {
        let mut promoted = 0;
        for number in numbers {
            promoted += usize::from(self.cycle(number as u64).await == CycleStatus::Promoted);
        }
        promoted
    }

    /// One cycle as the scheduler runs it: its row first, its end last.
    async fn cycle(&self, number: u64) -> CycleStatus {
        let due_at = now_of(number);
        let row = NewCycle {
            schedule_id: self.schedule.clone(),
            number,
            due_at,
            trigger: CycleTrigger::Due,
            status: CycleStatus::Running,
            reason: None,
        };
        self.commit(ScheduleChange::Cycle(row));
        let schedule = self.store.schedule(&self.schedule).expect("the schedule");
        let start = CycleStart { schedule, number, due_at, trigger: CycleTrigger::Due };
        let end = self.runner.run(start, CancelToken::default()).await;
        assert_ne!(end.status, CycleStatus::Failed, "{:?}", end.reason);
        let (schedule_id, status) = (self.schedule.clone(), end.status);
        self.commit(ScheduleChange::CycleStatus { schedule_id, number, status, reason: end.reason });
        status
    }

    fn commit(&self, change: ScheduleChange) {
        self.store.commit_schedule_changes(&[change]).expect("a row");
    }
}

/// The newest bar of cycle `number`.
fn now_of(number: u64) -> Timestamp {
    let first: Timestamp = "2024-01-01T00:00:00Z".parse().expect("a time");
    first.plus_millis(number as i64 * INTERVAL_HOURS * Timeframe::HOUR.millis())
}

/// The bars of all cycles, made once: to get to its next bar, the built-in market goes through all before.
async fn walk(cycles: u64) -> BarSeries {
    let request = BarRequest {
        symbol: "BTC/USD".parse().expect("a symbol"),
        timeframe: Some(Timeframe::HOUR),
        as_of: Some(now_of(cycles)),
        bars: WINDOW_BARS + HISTORY_BARS + cycles as usize * INTERVAL_HOURS as usize,
        calendar: MarketCalendar::Continuous,
    };
    SyntheticSource::new(1).bars(&request).await.expect("bars").bars
}

struct Planner {
    bars: PathBuf,
    cycles: AtomicU64,
}

impl CyclePlanner for Planner {
    fn plan(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, StageError> {
        let session = SessionConfig::default();
        let source = CsvSource::new(&self.bars, CsvOptions::default());
        let stages = Stages {
            datasets: Arc::new(EtlPipeline::new(Arc::new(source), EtlConfig::default())),
            launcher: Arc::new(InProcessLauncher::new(Arc::new(PpoTrainer::new(session)))),
            evaluator: Arc::new(BacktestEvaluator::new(session)),
            gate: Arc::new(ThresholdsGate::new(0.0, 1.0, -1.0).expect("a gate")),
        };
        let dataset = DatasetRequest {
            symbol: "BTC/USD".parse().expect("a symbol"),
            timeframe: Some(Timeframe::HOUR),
            as_of: Some(now_of(self.cycles.fetch_add(1, Ordering::Relaxed))),
            window_bars: WINDOW_BARS,
            holdout_bars: 200,
            embargo_bars: 0,
            features: FeatureSpec::default(),
        };
        let request = RunRequest {
            line: schedule.line.clone(),
            dataset,
            pack: json!({ "iterations": 2, "num_steps": 64 }),
            parent: Parent::Champion,
            base: None,
            on_no_new_bars: OnNoNewBars::Skip,
            seed: 1,
            threads: 1,
            min_judged_bars: 100,
            auto_deploy: true,
            overrules_evidence: false,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: std::collections::BTreeMap::new(),
            made_for: None,
            supplied_sha256: None,
            allow_reused_metrics: false,
            arm: None,
        };
        Ok(CyclePlan { stages, request })
    }
}
