//! The names and keys that other programs rely on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Fixture, line, make_model, promote, record, time, tree, try_make_model, verdict};
use serde_json::Value;
use walkforward_core::{Coverage, Metrics, ModelId, Outcome, QualityFigures, QualityReport, Window};
use walkforward_store::{
    EtlRecord, ModelRecord, ModelStatus, OPTIMIZER_FILE, POLICY_FILE, PointerReader, PromotionGate,
};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
}

fn read(path: &std::path::Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with("{\n  \"") && text.ends_with("}\n"), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_etl_record_lies_where_it_is_looked_for_and_has_its_keys() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    let as_of = time("2024-01-01");
    let etl = EtlRecord {
        run_id: run,
        collected_at: as_of,
        source: "synthetic".to_owned(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        window: Window::new(time("2023-01-01"), as_of).unwrap(),
        rows: 8760,
        history_rows: 336,
        quality: QualityReport { file: None, window: QualityFigures::default() },
        hash: "h".to_owned(),
        as_of,
        split: time("2023-12-18"),
        coverage: Some(Coverage::default()),
    };
    let path = store.write_etl(&etl).unwrap();
    assert_eq!(path, fixture.data_dir().join("etl/etl-2024-01-01T00-00-00-000Z.json"));
    let value = read(&path);
    let expected = [
        "asOf",
        "collectedAt",
        "coverage",
        "hash",
        "historyRows",
        "quality",
        "rows",
        "runId",
        "source",
        "split",
        "symbol",
        "timeframe",
        "window",
    ];
    assert_eq!(keys(&value), expected);
    assert_eq!(keys(&value["quality"]), ["file", "window"]);
    assert!(keys(&value["quality"]["window"]).contains(&"longest_hole_bars"));
    assert_eq!(serde_json::from_value::<EtlRecord>(value).unwrap(), etl);
}

#[test]
fn a_model_record_lies_where_it_is_looked_for_and_has_its_keys() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut model = make_model(&store, &line("default"));
    model.promotion_gate = Some(PromotionGate {
        min_win_rate: Some(0.55),
        max_drawdown: Some(0.2),
        min_pnl_per_trade: Some(0.0),
        preset: "thresholds".to_owned(),
        outcome: Outcome::Promote,
        held: false,
    });
    model.metrics = Some(Metrics::default());
    model.verdict = Some(verdict(Outcome::Promote));
    model.status = ModelStatus::Evaluated;
    store.update_model(&model).unwrap();
    assert_eq!(store.model(&model.model_id).unwrap(), model);
    let value = read(&fixture.models_dir().join("model-2024-01-01T00-00-00-000Z/metadata.json"));
    let expected = [
        "championId",
        "championMetrics",
        "codeVersion",
        "createdAt",
        "datasetHash",
        "etlPath",
        "evaluatedAt",
        "line",
        "lineageUntil",
        "madeFor",
        "metrics",
        "modelId",
        "optimizerSha256",
        "pack",
        "parentChoice",
        "parentId",
        "promoted",
        "promotedAt",
        "promotionGate",
        "recipe",
        "runId",
        "seed",
        "sha256",
        "status",
        "suppliedBy",
        "symbol",
        "timeframe",
        "trainedAt",
        "trainedUntil",
        "training",
        "usedUntil",
        "verdict",
    ];
    assert_eq!(keys(&value), expected);
    let gate = ["maxDrawdown", "minPnlPerTrade", "minWinRate", "outcome", "preset"];
    assert_eq!(keys(&value["promotionGate"]), gate);
    assert_eq!(
        (&value["status"], &value["promoted"], &value["promotedAt"]),
        (&"evaluated".into(), &false.into(), &Value::Null)
    );
    for key in ["winRate", "maxDrawdown", "pnlPerTrade", "pnlPerTradeQuote"] {
        assert_eq!(value["metrics"].get(key), Some(&Value::Null), "{key}");
    }
}

#[test]
fn a_pointer_lies_where_it_is_looked_for_and_has_its_keys() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for (name, path) in [("default", "latest.json"), ("eth", "lines/eth/latest.json")] {
        let model = make_model(&store, &line(name));
        promote(&store, &line(name), None, &model.model_id).unwrap();
        let value = read(&fixture.models_dir().join(path));
        let expected = [
            "grade",
            "line",
            "metadataPath",
            "metrics",
            "modelId",
            "modelPath",
            "preset",
            "promotedAt",
            "sequence",
            "sha256",
            "symbol",
            "timeframe",
        ];
        assert_eq!(keys(&value), expected);
        assert_eq!(value["modelPath"], format!("{}/policy.safetensors", model.model_id));
        assert_eq!(value["metadataPath"], format!("{}/metadata.json", model.model_id));
        assert_eq!((&value["grade"], &value["sequence"]), (&Value::Null, &1.into()));
        assert_eq!((&value["symbol"], &value["timeframe"]), (&"BTC/USD".into(), &"1h".into()));
        let metadata = read(&fixture.models_dir().join(format!("{}/metadata.json", model.model_id)));
        assert_eq!((&metadata["status"], &metadata["promoted"]), (&"promoted".into(), &true.into()));
        assert_eq!(metadata["promotedAt"], value["promotedAt"]);
    }
}

#[test]
fn the_models_folder_can_be_moved() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    let elsewhere = fixture.dir.path().join("elsewhere");
    fs::rename(fixture.models_dir(), &elsewhere).unwrap();
    let (pointer, model_ref) = PointerReader::new(&elsewhere, line("default")).read().unwrap().unwrap();
    assert_eq!((&pointer.model_id, &model_ref.id), (&model.model_id, &model.model_id));
    assert_eq!(model_ref.dir, elsewhere.join(model.model_id.as_str()));
    assert_eq!(model_ref.lineage_until, model.lineage_until);
}

#[test]
fn an_adopted_model_is_complete_hashed_and_read_only() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    let dir = store.staging_dir("a-1").unwrap();
    fs::write(dir.join(POLICY_FILE), "abc").unwrap();
    fs::write(dir.join(OPTIMIZER_FILE), "").unwrap();
    let model = store.adopt("a-1", record(&run, &line("default"))).unwrap();
    assert_eq!(model.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(
        model.optimizer_sha256.as_deref(),
        Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
    let dir = store.model_dir(&model.model_id);
    assert_eq!(tree(&dir), ["metadata.json", "optimizer.safetensors", "policy.safetensors"]);
    let mode = fs::metadata(dir.join(POLICY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    assert!(!fixture.models_dir().join(".staging/a-1").exists());
    assert_eq!(store.models(&line("default")).unwrap(), [model.model_id]);
}

#[test]
fn what_is_no_model_is_not_adopted() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    let adopt = |attempt: &str| store.adopt(attempt, record(&run, &line("default"))).unwrap_err().to_string();
    assert!(adopt("never-staged").contains("never-staged"));
    store.staging_dir("empty").unwrap();
    assert!(adopt("empty").contains("wrote no policy.safetensors"));
    let dir = store.staging_dir("link").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.join(POLICY_FILE)).unwrap();
    assert!(adopt("link").contains("plain files"));
    let dir = store.staging_dir("twice").unwrap();
    let elsewhere = fixture.dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join(POLICY_FILE), "weights").unwrap();
    std::fs::hard_link(elsewhere.join(POLICY_FILE), dir.join(POLICY_FILE)).unwrap();
    assert!(adopt("twice").contains("no other name"));
    let dir = store.staging_dir("moved").unwrap();
    std::fs::remove_dir(&dir).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &dir).unwrap();
    assert!(adopt("moved").contains("no folder any more"));
    for attempt in ["", "..", "a/b", ".x"] {
        assert!(store.staging_dir(attempt).is_err() && adopt(attempt).contains("attempt"), "{attempt}");
    }
    let model = make_model(&store, &line("default"));
    let dir = store.staging_dir("again").unwrap();
    fs::write(dir.join(POLICY_FILE), "other").unwrap();
    assert!(adopt("again").contains("exists already"));
    assert_eq!(store.model(&model.model_id).unwrap(), model);
}

#[test]
fn a_records_identity_hash_and_promotion_are_not_anybodys_to_change() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    let edits = [
        ("hash", ModelRecord { sha256: "0".repeat(64), ..model.clone() }),
        ("promotion", ModelRecord { promoted: true, ..model.clone() }),
        ("promotion", ModelRecord { status: ModelStatus::Promoted, ..model.clone() }),
        ("line", ModelRecord { line: line("other"), ..model.clone() }),
    ];
    for (key, changed) in edits {
        let error = store.update_model(&changed).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
        assert_eq!(store.model(&model.model_id).unwrap(), model);
    }
}

#[test]
fn an_unknown_model_is_named_in_the_error() {
    let fixture = Fixture::new();
    let id: ModelId = "model-2020-01-01T00-00-00-000Z".parse().unwrap();
    let error = fixture.open().model(&id).unwrap_err().to_string();
    assert!(error.contains(id.as_str()), "{error}");
}

#[test]
fn a_run_id_that_exists_is_advanced_by_a_millisecond() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let ids: Vec<String> = (0..4)
        .map(|step| {
            let run = store.allocate_run_id().unwrap();
            match step {
                0 => store.begin_run(&run, &line("default")).unwrap(),
                1 => fs::create_dir(fixture.models_dir().join(format!("model-{run}"))).unwrap(),
                _ => fs::write(fixture.data_dir().join(format!("etl/etl-{run}.json")), "{}").unwrap(),
            }
            run.to_string()
        })
        .collect();
    let expected = ["000", "001", "002", "003"].map(|ms| format!("2024-01-01T00-00-00-{ms}Z"));
    assert_eq!(ids, expected);
}

#[test]
fn the_name_of_a_model_that_was_removed_is_not_given_again() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    fs::remove_dir_all(store.model_dir(&model.model_id)).unwrap();
    assert_ne!(store.allocate_run_id().unwrap(), model.run_id);
}

#[test]
fn a_supplied_file_that_promoted_a_model_is_known_by_its_hash() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let supplied = walkforward_core::SuppliedBy::File { path: "m.json".to_owned(), sha256: "f".repeat(64) };
    let model =
        try_make_model(&store, &line("default"), |record| record.supplied_by = Some(supplied)).unwrap();
    assert!(!store.file_hash_promoted(&"f".repeat(64)).unwrap());
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    assert!(store.file_hash_promoted(&"f".repeat(64)).unwrap());
    assert!(!store.file_hash_promoted(&"e".repeat(64)).unwrap());
}
