//! The pointer on disk, as the store writes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use walkforward_core::{LineName, ManualClock, Metrics, ModelId, Outcome, RunId, TrainingOutcome, Verdict};
use walkforward_store::{
    ModelRecord, ModelStatus, PointerReader, PromotionKind, PromotionRequest, Store, pointer_path,
};

use crate::common::{Counted, EventfulFeed, Walk, Workplace, at, features, hour, spec, write_weights};

fn record(number: usize) -> ModelRecord {
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
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: hour(),
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

fn adopt(store: &Store, number: usize) -> ModelId {
    let attempt = format!("attempt-{number}");
    let dir = store.staging_dir(&attempt).unwrap();
    write_weights(&dir, number, &spec(features()), 0.0);
    store.adopt(&attempt, record(number)).unwrap().model_id
}

fn promote(store: &Store, from: Option<&ModelId>, to: &ModelId) {
    let verdict = Verdict {
        preset: "thresholds".to_owned(),
        outcome: Outcome::Promote,
        reason: None,
        sentence: "all thresholds hold".to_owned(),
        checks: Vec::new(),
        warnings: Vec::new(),
        grading: None,
    };
    let request = PromotionRequest {
        line: &LineName::default(),
        expected_current: from,
        to,
        kind: PromotionKind::Promote,
        reason: "a test",
        verdict: &verdict,
        metrics: &Metrics::default(),
    };
    store.promote(&request).unwrap();
}

#[tokio::test]
async fn a_promotion_reaches_the_running_session_and_a_torn_pointer_does_not() {
    let place = Workplace::new();
    let data_dir = place.folder.path().join("data");
    let clock = Arc::new(ManualClock::at(at(0)));
    let store = Store::open(&data_dir, &place.models_dir(), clock).unwrap();
    let (first, second) = (adopt(&store, 1), adopt(&store, 2));
    promote(&store, None, &first);

    let (from, to) = (first.clone(), second.clone());
    let pointer = pointer_path(&place.models_dir(), &LineName::default());
    let torn = pointer.clone();
    let looks = Arc::new(AtomicU64::new(0));
    let feed = EventfulFeed {
        walk: Walk::new(4),
        bars: 80,
        events: vec![
            (30, Box::new(move || promote(&store, Some(&from), &to))),
            (
                50,
                Box::new(move || {
                    walkforward_durable::write_atomic(&torn, b"{\"modelId\":").unwrap();
                }),
            ),
        ],
        looks: Arc::clone(&looks),
    };
    let reader = PointerReader::new(place.models_dir(), LineName::default());
    let summary = place.trade(Box::new(feed), Counted(reader, looks)).await.unwrap();

    assert_eq!((summary.swaps, summary.refused_models, summary.no_model_bars), (1, 1, 0));
    for (index, bar) in place.bars().iter().enumerate() {
        let expected = if index < 30 { &first } else { &second };
        assert_eq!(&bar.model.as_ref().unwrap().model_id, expected, "{index}");
    }
    let refusals = place.refusals();
    assert!(refusals[0].contains("latest.json"), "{refusals:?}");
}
