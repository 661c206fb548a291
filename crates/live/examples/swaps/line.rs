//! A line with models in a store, whose champion changes through the store or through the pointer's file alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkforward_core::{
    LineName, ManualClock, Metrics, ModelId, Outcome, PolicySpec, RunId, TrainingOutcome, Verdict,
};
use walkforward_live::LineChampion;
use walkforward_store::{ModelRecord, ModelStatus, PromotionKind, PromotionRequest, Store, pointer_path};

use crate::common::{at, write_weights};

/// The models of a line, and what its pointer says of each.
pub(crate) struct Line {
    store: Store,
    models_dir: PathBuf,
    models: Vec<Adopted>,
    /// The champion as the store knows it.
    champion: Option<usize>,
}

/// A model in the store.
pub(crate) struct Adopted {
    pub(crate) id: ModelId,
    pub(crate) sha256: String,
    /// The pointer's file while this is champion.
    pub(crate) pointer: Vec<u8>,
}

impl Line {
    /// A line with `count` models of `spec` in `folder`, the first of them champion.
    pub(crate) fn new(folder: &Path, count: usize, spec: &PolicySpec) -> Self {
        let models_dir = folder.join("models");
        let clock = Arc::new(ManualClock::at(at(0)));
        let store = Store::open(&folder.join("data"), &models_dir, clock).unwrap();
        let mut line = Self { store, models_dir, models: Vec::new(), champion: None };
        for number in 0..count {
            let adopted = line.adopt(number, spec);
            line.models.push(adopted);
            line.promote(number);
            line.models[number].pointer = std::fs::read(line.pointer_file()).unwrap();
        }
        if count > 1 {
            line.promote(0);
        }
        line
    }

    fn adopt(&self, number: usize, spec: &PolicySpec) -> Adopted {
        let attempt = format!("attempt-{number}");
        let dir = self.store.staging_dir(&attempt).unwrap();
        let sha256 = write_weights(&dir, number, spec, 0.0);
        let id = self.store.adopt(&attempt, record(number, spec)).unwrap().model_id;
        Adopted { id, sha256, pointer: Vec::new() }
    }

    pub(crate) fn models(&self) -> &[Adopted] {
        &self.models
    }

    /// Makes model `to` champion through the store.
    pub(crate) fn promote(&mut self, to: usize) {
        let verdict = promoted();
        let request = PromotionRequest {
            line: &LineName::default(),
            expected_current: self.champion.map(|champion| &self.models[champion].id),
            to: &self.models[to].id,
            kind: PromotionKind::Promote,
            reason: "a test",
            verdict: &verdict,
            metrics: &Metrics::default(),
        };
        self.store.promote(&request).unwrap();
        self.champion = Some(to);
    }

    /// Puts the pointer to model `to` into place as the store does: a temporary file, synced, renamed.
    pub(crate) fn point_to(&self, to: usize) {
        self.write_pointer(&self.models[to].pointer);
    }

    /// Replaces the pointer's file.
    pub(crate) fn write_pointer(&self, bytes: &[u8]) {
        walkforward_durable::write_atomic(&self.pointer_file(), bytes).unwrap();
    }

    fn pointer_file(&self) -> PathBuf {
        pointer_path(&self.models_dir, &LineName::default())
    }

    /// What a trader of the line watches.
    pub(crate) fn source(&self) -> LineChampion {
        LineChampion::new(&self.models_dir, LineName::default())
    }

    /// The file by which the bundle of a model is locked.
    pub(crate) fn lock_file(&self, model: usize) -> PathBuf {
        self.models_dir.join(format!(".locks/{}.lock", self.models[model].id))
    }
}

/// The verdict of a gate that lets a model trade.
pub(crate) fn promoted() -> Verdict {
    Verdict {
        preset: "thresholds".to_owned(),
        outcome: Outcome::Promote,
        reason: None,
        sentence: "all thresholds hold".to_owned(),
        checks: Vec::new(),
        warnings: Vec::new(),
        grading: None,
    }
}

pub(crate) fn record(number: usize, spec: &PolicySpec) -> ModelRecord {
    let run_id = RunId::at(at(number));
    ModelRecord {
        model_id: ModelId::of_run(&run_id),
        run_id,
        status: ModelStatus::Trained,
        created_at: at(number),
        etl_path: "etl.json".to_owned(),
        metrics: None,
        evaluated_at: None,
        promoted: false,
        promoted_at: None,
        promotion_gate: None,
        line: LineName::default(),
        symbol: spec.symbol.clone(),
        timeframe: spec.timeframe,
        sha256: String::new(),
        optimizer_sha256: None,
        used_until: at(0),
        lineage_until: at(0),
        trained_until: at(0),
        trained_at: at(number),
        parent_id: None,
        parent_choice: None,
        made_for: None,
        recipe: None,
        seed: 0,
        pack: serde_json::Value::Null,
        dataset_hash: String::new(),
        training: TrainingOutcome {
            trainer: "test".to_owned(),
            used_until: at(0),
            iterations: 0,
            environment_steps: 0,
            metrics: BTreeMap::new(),
            instruction_set: None,
            cold_start: None,
        },
        verdict: None,
        supplied_by: None,
        champion_id: None,
        champion_metrics: None,
        code_version: "test".to_owned(),
        weights_removed: None,
        declined: None,
    }
}
