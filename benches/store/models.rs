//! Opening a store of many models.

use std::fs;

use serde_json::{Value, json};
use walkforward_core::{ModelId, RunId, Timestamp, TrainingOutcome};
use walkforward_store::{METADATA_FILE, POLICY_FILE, sha256_file};

use crate::{open, timed};

const MODELS: i64 = 10_000;
const HOUR_MS: i64 = 3_600_000;
/// Characters of hyperparameters beside each model.
const FILLER: usize = 2_000;

/// A JSON line: the first opening reads every record, the later ones those that have changed.
pub(crate) fn run() -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(&folder));
    let start: Timestamp = "2020-01-01".parse().expect("a time");
    for number in 0..MODELS {
        let run = RunId::at(start.plus_millis(number * HOUR_MS));
        let dir = folder.path().join("models").join(ModelId::of_run(&run).as_str());
        fs::create_dir(&dir).expect("a folder");
        fs::write(dir.join(POLICY_FILE), format!("weights of {run}")).expect("weights");
        let sha256 = sha256_file(&dir.join(POLICY_FILE)).expect("a hash");
        let record = record(&run, start, &sha256).to_string();
        fs::write(dir.join(METADATA_FILE), record).expect("a record");
    }
    let (store, first_ms) = timed(|| open(&folder));
    assert_eq!(store.recovery().registered as i64, MODELS);
    drop(store);
    let again = || timed(|| open(&folder)).1;
    json!({
        "name": "open", "models": MODELS, "unknown_ms": first_ms, "known_ms": again(), "known_again_ms": again(),
    })
}

/// `metadata.json` of the model of a run.
fn record(run: &RunId, used_until: Timestamp, sha256: &str) -> Value {
    let training = TrainingOutcome {
        trainer: "bench".to_owned(),
        used_until,
        iterations: 1,
        environment_steps: 2,
        metrics: [("approx_kl".to_owned(), 0.01)].into(),
        instruction_set: None,
        cold_start: None,
    };
    json!({
        "modelId": ModelId::of_run(run), "runId": run, "status": "trained", "createdAt": run.started_at(),
        "etlPath": "", "promoted": false, "line": "default", "symbol": "BTC/USD", "timeframe": "1h",
        "sha256": sha256, "usedUntil": used_until, "lineageUntil": used_until, "trainedUntil": used_until,
        "trainedAt": run.started_at(), "seed": 7, "pack": { "filler": "x".repeat(FILLER) },
        "datasetHash": "d".repeat(64), "training": training, "codeVersion": "bench",
    })
}
