//! A store with trainings, models and champions, and a mirror of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;
use walkforward_core::{
    Clock, LineName, Metrics, ModelId, Outcome, RunId, Timestamp, TrainingOutcome, Verdict,
};
use walkforward_mlflow::{Credentials, Mirror, MirrorOptions, TrackingServer};
use walkforward_store::{
    ExperimentEnd, ExperimentId, ExperimentStatus, IterationRecord, MadeFor, ModelRecord, ModelStatus,
    NewExperiment, POLICY_FILE, PromotionKind, PromotionRequest, RunOutcome, Store,
};
use walkforward_testing::FakeMlflow;

/// Each look at it is a second later.
struct Ticking(std::sync::atomic::AtomicI64);

#[async_trait]
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let seconds = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        time("2024-01-01T00:00:00Z").plus_millis(seconds * 1_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep_until(&self, _deadline: Timestamp) {}
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn btc() -> LineName {
    "btc".parse().unwrap()
}

pub(crate) struct World {
    dir: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) server: FakeMlflow,
}

/// A mirror that works until it is dropped.
pub(crate) struct Mirroring(Option<oneshot::Sender<()>>, Receiver<()>);

impl Drop for Mirroring {
    fn drop(&mut self) {
        drop(self.0.take());
        let _ = self.1.recv();
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Ticking(0.into()));
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock).unwrap();
        Self { dir, store: Arc::new(store), server: FakeMlflow::new() }
    }

    pub(crate) fn mirror(&self) -> Mirroring {
        self.mirror_with(Credentials::None)
    }

    pub(crate) fn mirror_with(&self, credentials: Credentials) -> Mirroring {
        let server = TrackingServer::new(&self.server.uri(), "wf", credentials).unwrap();
        let mut options = MirrorOptions::new(self.dir.path().join("data"));
        (options.look, options.first_retry) = (Duration::from_millis(2), Duration::from_millis(2));
        options.longest_retry = Duration::from_millis(10);
        let mirror = Mirror::new(Arc::clone(&self.store), &server, options).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ending, ended) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! { _ = stopped => {} _ = mirror.run() => {} }
            });
            drop((runtime, ending));
        });
        Mirroring(Some(stop), ended)
    }

    /// What a mirror knows is gone.
    pub(crate) fn forget(&self) {
        std::fs::remove_file(self.dir.path().join("data/mlflow.json")).unwrap();
    }

    /// A training that goes on.
    pub(crate) fn training(&self, id: &str) -> ExperimentId {
        self.training_with(id, json!({ "training": { "iterations": 4 }, "seed": 7 }))
    }

    pub(crate) fn training_with(&self, id: &str, config: serde_json::Value) -> ExperimentId {
        let id: ExperimentId = id.parse().unwrap();
        let new = NewExperiment {
            id: id.clone(),
            name: format!("training {id}"),
            script: "schedule".to_owned(),
            line: btc(),
            config,
            tags: vec!["continuous".to_owned(), "cycle:3".to_owned()],
        };
        self.store.create_experiment(&new).unwrap();
        self.store.begin_experiment(&id, None).unwrap();
        id
    }

    /// Iterations of it.
    pub(crate) fn learn(&self, id: &ExperimentId, iterations: std::ops::Range<u64>) {
        let one = |iteration: u64| IterationRecord {
            iteration,
            metrics: json!({ "loss": 1.0 / (iteration + 1) as f64, "steps": 64, "note": "x", "none": null }),
            timestamp: time("2024-01-02T00:00:00Z").plus_millis(iteration as i64),
        };
        let all: Vec<IterationRecord> = iterations.map(one).collect();
        all.chunks(1_000).for_each(|some| self.store.append_iterations(id, some).unwrap());
    }

    /// Its end with a model that was judged so.
    pub(crate) fn finish(&self, id: &ExperimentId, outcome: Outcome) -> ModelId {
        let model = self.model(Some(id), outcome);
        let run_outcome =
            if outcome == Outcome::Promote { RunOutcome::Promoted } else { RunOutcome::Rejected };
        let end =
            ExperimentEnd::judged(&model.model_id, &model.training, model.metrics.as_ref(), run_outcome);
        self.store.finish_experiment(id, &end).unwrap();
        model.model_id
    }

    pub(crate) fn break_off(&self, id: &ExperimentId, status: ExperimentStatus) {
        let error = Some("it was too much".to_owned());
        let end = ExperimentEnd { status, final_metrics: json!({}), model_id: None, error };
        self.store.finish_experiment(id, &end).unwrap();
    }

    /// A judged model of an experiment, or of a run that nobody planned.
    pub(crate) fn model(&self, of: Option<&ExperimentId>, outcome: Outcome) -> ModelRecord {
        let run = self.store.allocate_run_id().unwrap();
        self.store.begin_run(&run, &btc()).unwrap();
        let attempt = format!("{run}-1");
        let folder = self.store.staging_dir(&attempt).unwrap();
        std::fs::write(folder.join(POLICY_FILE), format!("weights of {run}")).unwrap();
        let mut record = record(&run, outcome);
        record.made_for = of.map(|id| MadeFor {
            experiment_id: Some(id.clone()),
            schedule_id: Some("sch".parse().unwrap()),
            cycle: Some(3),
        });
        let record = self.store.adopt(&attempt, record).unwrap();
        self.store.finish_run(&run, RunOutcome::Rejected, None).unwrap();
        record
    }

    pub(crate) fn promote(&self, to: &ModelId) {
        let line = btc();
        let before = self.store.pointer(&line).unwrap().map(|pointer| pointer.model_id);
        let request = PromotionRequest {
            line: &line,
            expected_current: before.as_ref(),
            to,
            kind: PromotionKind::Promote,
            reason: "all thresholds hold",
            verdict: &verdict(Outcome::Promote),
            metrics: &Metrics { win_rate: Some(0.6), ..Metrics::default() },
        };
        self.store.promote(&request).unwrap();
    }
}

fn verdict(outcome: Outcome) -> Verdict {
    Verdict {
        preset: "thresholds".to_owned(),
        outcome,
        reason: (outcome != Outcome::Promote).then(|| "thresholds_failed".to_owned()),
        sentence: "what the thresholds say".to_owned(),
        checks: Vec::new(),
        warnings: vec!["a short hold-out".to_owned()],
        grading: None,
    }
}

fn record(run: &RunId, outcome: Outcome) -> ModelRecord {
    let used_until = time("2023-12-01T00:00:00Z");
    let status = if outcome == Outcome::Promote { ModelStatus::Inconclusive } else { ModelStatus::Rejected };
    ModelRecord {
        model_id: ModelId::of_run(run),
        run_id: run.clone(),
        status,
        created_at: run.started_at().unwrap(),
        etl_path: format!("data/etl/etl-{run}.json"),
        metrics: Some(Metrics { win_rate: Some(0.6), ..Metrics::default() }),
        evaluated_at: Some(run.started_at().unwrap()),
        promoted: false,
        promoted_at: None,
        promotion_gate: None,
        line: btc(),
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
        pack: json!({ "clip_coef": 0.2, "network": { "hidden": [64, 64] } }),
        dataset_hash: "d".repeat(64),
        training: TrainingOutcome {
            trainer: "test".to_owned(),
            used_until,
            iterations: 4,
            environment_steps: 256,
            metrics: [("approx_kl".to_owned(), 0.01)].into(),
            instruction_set: None,
            cold_start: None,
        },
        verdict: Some(verdict(outcome)),
        supplied_by: None,
        champion_id: None,
        champion_metrics: Some(Metrics { win_rate: Some(0.5), ..Metrics::default() }),
        code_version: "0.1.0".to_owned(),
        weights_removed: None,
        declined: None,
    }
}
