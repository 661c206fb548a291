//! A store in a folder of its own, with models of made-up weights.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use walkforward_core::{
    Clock, LineName, ManualClock, Metrics, ModelId, Outcome, RunId, Timestamp, TrainingOutcome, Verdict,
};
use walkforward_durable::{FaultPlan, Files, Step};
use walkforward_store::{
    ModelRecord, ModelStatus, POLICY_FILE, Promotion, PromotionKind, PromotionRequest, Store, StoreError,
};

/// The schema version that this program makes.
pub(crate) const SCHEMA_VERSION: i64 = 13;

pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(time("2024-01-01T00:00:00Z")));
        Self { dir: tempfile::tempdir().unwrap(), clock }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.dir.path().join("models")
    }

    pub(crate) fn wait(&self, time: Duration) {
        self.clock.set(self.clock_now().plus_millis(time.as_millis() as i64));
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open(Files::default()).unwrap()
    }

    pub(crate) fn try_open(&self, files: Files) -> Result<Store, StoreError> {
        Store::open_with(files, &self.data_dir(), &self.models_dir(), self.clock.clone())
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn line(name: &str) -> LineName {
    name.parse().unwrap()
}

pub(crate) fn record(run: &RunId, line: &LineName) -> ModelRecord {
    let used_until = time("2023-12-01T00:00:00Z");
    ModelRecord {
        model_id: ModelId::of_run(run),
        run_id: run.clone(),
        status: ModelStatus::Trained,
        created_at: run.started_at().unwrap(),
        etl_path: format!("data/etl/etl-{run}.json"),
        metrics: None,
        evaluated_at: None,
        promoted: false,
        promoted_at: None,
        promotion_gate: None,
        line: line.clone(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        sha256: String::new(),
        optimizer_sha256: None,
        used_until,
        lineage_until: used_until,
        trained_until: used_until,
        trained_at: run.started_at().unwrap(),
        parent_id: None,
        parent_choice: None,
        made_for: None,
        recipe: None,
        seed: 7,
        pack: json!({ "clip_coef": 0.2 }),
        dataset_hash: "d".repeat(64),
        training: TrainingOutcome {
            trainer: "test".to_owned(),
            used_until,
            iterations: 1,
            environment_steps: 2,
            metrics: [("approx_kl".to_owned(), 0.01)].into(),
            instruction_set: None,
            cold_start: None,
        },
        verdict: None,
        supplied_by: None,
        champion_id: None,
        champion_metrics: None,
        code_version: "0.1.0".to_owned(),
        weights_removed: None,
        declined: None,
    }
}

/// Trains a model of `line`: a staging folder with weights that no other model has, adopted.
pub(crate) fn try_make_model(
    store: &Store,
    line: &LineName,
    edit: impl FnOnce(&mut ModelRecord),
) -> Result<ModelRecord, StoreError> {
    let run = store.allocate_run_id()?;
    let attempt = format!("{run}-1");
    let dir = store.staging_dir(&attempt)?;
    walkforward_durable::write_atomic(&dir.join(POLICY_FILE), format!("weights of {run}").as_bytes())?;
    let mut record = record(&run, line);
    edit(&mut record);
    store.adopt(&attempt, record)
}

pub(crate) fn make_model(store: &Store, line: &LineName) -> ModelRecord {
    try_make_model(store, line, |_| {}).unwrap()
}

pub(crate) fn verdict(outcome: Outcome) -> Verdict {
    Verdict {
        preset: "thresholds".to_owned(),
        outcome,
        reason: None,
        sentence: "all thresholds hold".to_owned(),
        checks: Vec::new(),
        warnings: Vec::new(),
        grading: None,
    }
}

pub(crate) fn move_pointer(
    store: &Store,
    line: &LineName,
    from: Option<&ModelId>,
    to: &ModelId,
    kind: PromotionKind,
) -> Result<Promotion, StoreError> {
    let metrics = Metrics { win_rate: Some(0.6), ..Metrics::default() };
    store.promote(&PromotionRequest {
        line,
        expected_current: from,
        to,
        kind,
        reason: "all thresholds hold",
        verdict: &verdict(Outcome::Promote),
        metrics: &metrics,
    })
}

pub(crate) fn promote(
    store: &Store,
    line: &LineName,
    from: Option<&ModelId>,
    to: &ModelId,
) -> Result<Promotion, StoreError> {
    move_pointer(store, line, from, to, PromotionKind::Promote)
}

/// All files below `dir`, relative, sorted.
pub(crate) fn tree(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                names.push(path.strip_prefix(dir).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    names
}

/// Passes every step until it is armed, then lets so many pass, then fails one or all.
#[derive(Default)]
pub(crate) struct Switch {
    left: AtomicI64,
    is_armed: std::sync::atomic::AtomicBool,
    is_lasting: std::sync::atomic::AtomicBool,
}

impl Switch {
    pub(crate) fn arm(&self, steps: i64, is_lasting: bool) {
        self.left.store(steps, Ordering::SeqCst);
        self.is_lasting.store(is_lasting, Ordering::SeqCst);
        self.is_armed.store(true, Ordering::SeqCst);
    }

    /// Whether the planned failure has come.
    pub(crate) fn has_failed(&self) -> bool {
        self.is_armed.load(Ordering::SeqCst) && self.left.load(Ordering::SeqCst) < 0
    }

    pub(crate) fn files(self: &Arc<Self>) -> Files {
        Files::with_faults(self.clone())
    }
}

impl FaultPlan for Switch {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        if !self.is_armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        let fails = left == 0 || (left < 0 && self.is_lasting.load(Ordering::SeqCst));
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}
