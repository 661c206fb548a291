//! What goes long after the weights: bar-by-bar evaluations and records of ETL.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use walkforward_core::{
    EvaluationReport, LineName, MechanicalCheck, Metrics, ModelId, RunId, SuppliedBy, Timestamp, TradeRecord,
};
use walkforward_store::{
    EvaluationRecord, ModelRecord, PurgedEvidence, RetentionPolicy, Store, StoreError, read_evaluation,
    read_trades,
};

use crate::fixture::{Fixture, Switch, make_model, promote, time};

/// Lets the weights of everything go that nothing else keeps.
const ALL: RetentionPolicy = RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };
/// Bars of an evaluation: two weeks of hours.
const BARS: usize = 336;
const DAYS: u32 = 180;

fn report(bars: usize) -> EvaluationReport {
    let close = |bar: usize| Timestamp::EPOCH.plus_millis(bar as i64 * 3_600_000);
    EvaluationReport {
        subject: "a model".to_owned(),
        judged_span: None,
        bar_close: (0..bars).map(close).collect(),
        net_return: vec![0.001; bars],
        position: vec![0.5; bars],
        fills: Vec::new(),
        trades: Vec::new(),
        metrics: Metrics { win_rate: Some(0.6), ..Metrics::default() },
        mechanical: MechanicalCheck { loads: true, varies: true, problems: Vec::new() },
        supplied_by: SuppliedBy::Backtest,
        execution: None,
        action_share: vec![0.5, 0.5],
        action_map: None,
        in_sample: None,
        out_of_sample: None,
        warnings: Vec::new(),
    }
}

fn etl(fixture: &Fixture, run: &RunId) -> PathBuf {
    fixture.data_dir().join(format!("etl/etl-{run}.json"))
}

/// A model that was measured over `bars` bars, with its run's record of ETL.
fn measured(fixture: &Fixture, store: &Store, bars: usize) -> ModelRecord {
    let model = make_model(store, &LineName::default());
    let record = EvaluationRecord {
        model_id: model.model_id.clone(),
        evaluated_at: model.created_at,
        candidate: report(bars),
        champion: Some(report(bars)),
        baselines: vec![report(bars)],
        close: vec![1.0; bars],
        series_left_out: false,
    };
    store.write_evaluation(&record).unwrap();
    fs::write(etl(fixture, &model.run_id), "{}").unwrap();
    model
}

fn evaluation(fixture: &Fixture, id: &ModelId) -> EvaluationRecord {
    read_evaluation(&fixture.models_dir(), id).unwrap().unwrap()
}

#[test]
fn trades_are_read_without_the_rest_of_an_evaluation() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = measured(&fixture, &store, BARS);
    let trade = |number: i64| TradeRecord {
        opened_at: Timestamp::EPOCH.plus_millis(number),
        closed_at: Timestamp::EPOCH.plus_millis(number + 1),
        entry_notional: 100.0,
        pnl: 0.5,
        return_on_entry: 0.005,
    };
    let mut record = evaluation(&fixture, &model.model_id);
    record.candidate.trades = (0..3).map(trade).collect();
    store.write_evaluation(&record).unwrap();
    let read = |id: &ModelId| read_trades(&fixture.models_dir(), id);
    assert_eq!(read(&model.model_id).unwrap(), Some((record.candidate.trades, false)));
    let without = make_model(&store, &LineName::default());
    assert_eq!(read(&without.model_id).unwrap(), None);
    fs::write(store.model_dir(&model.model_id).join("evaluation.json"), "{\"candidate\":").unwrap();
    assert!(matches!(read(&model.model_id), Err(StoreError::BadModel { .. })));
}

#[test]
fn evidence_goes_with_age_once_the_weights_are_gone_and_metrics_stay() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [old, small, champion] = [BARS, 2, BARS].map(|bars| measured(&fixture, &store, bars));
    promote(&store, &LineName::default(), None, &champion.model_id).unwrap();
    let [failed, running] = ["2024-01-01T00:00:10Z", "2024-01-01T00:00:20Z"].map(|at| RunId::at(time(at)));
    for run in [&failed, &running] {
        fs::write(etl(&fixture, run), "{}").unwrap();
    }
    store.begin_run(&running, &LineName::default()).unwrap();
    fs::write(fixture.data_dir().join("etl/notes.txt"), "mine").unwrap();
    fixture.clock.set(time("2024-06-29T00:00:00Z"));
    assert_eq!(store.old_evidence(DAYS).unwrap(), PurgedEvidence::default(), "not quite 180 days");
    fixture.clock.set(time("2024-06-29T01:00:00Z"));
    let without_model = store.old_evidence(DAYS).unwrap();
    assert_eq!((without_model.evaluations.len(), without_model.etl_records), (0, vec![failed.clone()]));
    store.prune(None, &ALL).unwrap();
    let planned = store.old_evidence(DAYS).unwrap();
    assert_eq!(planned.evaluations, std::slice::from_ref(&old.model_id));
    assert_eq!(planned.etl_records, [old.run_id.clone(), small.run_id.clone(), failed.clone()]);
    assert!(evaluation(&fixture, &old.model_id).close.len() == BARS, "a look changes nothing");

    let before = evaluation(&fixture, &old.model_id);
    let purged = store.purge_evidence(DAYS).unwrap();
    assert_eq!((&purged.evaluations, &purged.etl_records), (&planned.evaluations, &planned.etl_records));
    assert!((10_000..planned.bytes).contains(&purged.bytes), "{purged:?}");
    let after = evaluation(&fixture, &old.model_id);
    assert!(after.series_left_out && after.close.is_empty() && after.candidate.net_return.is_empty());
    assert_eq!(
        (&after.candidate.metrics, after.evaluated_at),
        (&before.candidate.metrics, before.evaluated_at)
    );
    assert_eq!(after.champion.unwrap().action_share, before.champion.unwrap().action_share);
    assert_eq!(evaluation(&fixture, &champion.model_id).close.len(), BARS);
    assert_eq!(evaluation(&fixture, &small.model_id).close.len(), 2, "there is little to take");
    let left = |run: &RunId| etl(&fixture, run).exists();
    assert_eq!([&old.run_id, &small.run_id, &failed].map(left), [false; 3]);
    assert_eq!([&champion.run_id, &running].map(left), [true; 2]);
    assert!(fixture.data_dir().join("etl/notes.txt").exists());
    assert_eq!(store.purge_evidence(DAYS).unwrap(), PurgedEvidence::default());
    assert_eq!(store.model(&old.model_id).unwrap().dataset_hash, old.dataset_hash);
    assert!(fixture.open().recovery().problems.is_empty());
}

#[test]
fn a_damaged_evaluation_is_left_alone() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [old, champion] = [BARS, BARS].map(|bars| measured(&fixture, &store, bars));
    promote(&store, &LineName::default(), None, &champion.model_id).unwrap();
    let path = store.model_dir(&old.model_id).join("evaluation.json");
    let spoilt = vec![b'{'; 20_000];
    fs::write(&path, &spoilt).unwrap();
    fixture.clock.set(time("2025-01-01T00:00:00Z"));
    store.prune(None, &ALL).unwrap();
    let purged = store.purge_evidence(DAYS).unwrap();
    assert_eq!((purged.evaluations.len(), purged.etl_records.len()), (0, 1));
    assert_eq!(fs::read(path).unwrap(), spoilt);
}

/// Fails a purge at its `step`th step; whether there is such a step.
fn purge_fails_at(step: i64, is_crash: bool) -> bool {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let models = [BARS, BARS].map(|bars| measured(&fixture, &store, bars));
    promote(&store, &LineName::default(), None, &models[1].model_id).unwrap();
    fixture.clock.set(time("2025-01-01T00:00:00Z"));
    store.prune(None, &ALL).unwrap();
    switch.arm(step, is_crash);
    let purged = store.purge_evidence(DAYS);
    let has_failed = switch.has_failed();
    assert_eq!(purged.is_err(), has_failed, "step {step}");
    drop(store);
    let store = fixture.open();
    assert!(store.recovery().problems.is_empty(), "{:?}", store.recovery());
    for model in &models {
        let record = evaluation(&fixture, &model.model_id);
        assert_eq!(record.candidate.metrics.win_rate, Some(0.6));
        assert_eq!(record.series_left_out, record.close.is_empty());
    }
    store.purge_evidence(DAYS).unwrap();
    let left_out = models.each_ref().map(|model| evaluation(&fixture, &model.model_id).series_left_out);
    assert_eq!(left_out, [true, false]);
    has_failed
}

#[test]
fn a_purge_that_fails_or_dies_at_any_step_leaves_whole_files_and_is_finished_by_the_next() {
    for is_crash in [false, true] {
        let steps = (0..100).take_while(|&step| purge_fails_at(step, is_crash)).count();
        assert!((5..60).contains(&steps), "{steps} steps");
    }
}
