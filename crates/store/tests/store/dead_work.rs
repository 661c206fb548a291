//! Runs and experiments whose process died, and what the next start makes of them.

use std::sync::Arc;

use crate::experiments::new_experiment;
use crate::fixture::{Fixture, Switch, line, promote, try_make_model, verdict};
use serde_json::json;
use walkforward_core::{Metrics, ModelId, Outcome, RunId};
use walkforward_store::{
    ExperimentEnd, ExperimentId, ExperimentRecord, ExperimentStatus, ModelRecord, ModelStatus, PromotionGate,
    RecoveryReport, RunOutcome, Store,
};

/// How far a run came before its process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Training,
    Model,
    Verdict(Outcome),
    Held,
    /// Held, and approved while its run's row could not be closed.
    Approved,
    Pointer,
}

fn judged(record: &mut ModelRecord, outcome: Outcome, held: bool) {
    record.metrics = Some(Metrics { win_rate: Some(0.6), ..Metrics::default() });
    record.verdict = Some(walkforward_core::Verdict { reason: Some("why".to_owned()), ..verdict(outcome) });
    record.promotion_gate = Some(PromotionGate {
        min_win_rate: None,
        max_drawdown: None,
        min_pnl_per_trade: None,
        preset: "thresholds".to_owned(),
        outcome,
        held,
    });
    record.status = match outcome {
        Outcome::Promote => ModelStatus::Evaluated,
        Outcome::Reject => ModelStatus::Rejected,
        Outcome::Inconclusive => ModelStatus::Inconclusive,
    };
}

/// A run with its experiment up to some step. Nobody has the run lock afterwards.
fn run_until(store: &Store, reached: Reached) -> (RunId, ExperimentId) {
    let _lock = store.run_lock().unwrap();
    let edit = |record: &mut ModelRecord| match reached {
        Reached::Training | Reached::Model => {}
        Reached::Verdict(outcome) => judged(record, outcome, false),
        Reached::Held | Reached::Approved => judged(record, Outcome::Promote, true),
        Reached::Pointer => judged(record, Outcome::Promote, false),
    };
    let run = match reached {
        Reached::Training => store.allocate_run_id().unwrap(),
        _ => try_make_model(store, &line("default"), edit).unwrap().run_id,
    };
    store.begin_run(&run, &line("default")).unwrap();
    let experiment = store.create_experiment(&new_experiment("e")).unwrap().id;
    store.begin_experiment(&experiment, Some(&run)).unwrap();
    if [Reached::Approved, Reached::Pointer].contains(&reached) {
        promote(store, &line("default"), None, &ModelId::of_run(&run)).unwrap();
    }
    (run, experiment)
}

fn ends(store: &Store, run: &RunId, experiment: &ExperimentId) -> (RunOutcome, ExperimentRecord) {
    let row = store.run(run).unwrap().unwrap();
    assert!(row.finished_at.is_some());
    (row.outcome.unwrap(), store.experiment(experiment).unwrap())
}

#[test]
fn a_run_whose_process_died_has_the_end_that_its_models_record_tells() {
    let cases = [
        (Reached::Training, RunOutcome::Interrupted),
        (Reached::Model, RunOutcome::Interrupted),
        (Reached::Verdict(Outcome::Reject), RunOutcome::Rejected),
        (Reached::Verdict(Outcome::Inconclusive), RunOutcome::Inconclusive),
        // The pointer should have moved, and did not.
        (Reached::Verdict(Outcome::Promote), RunOutcome::Interrupted),
        (Reached::Held, RunOutcome::Held),
        (Reached::Approved, RunOutcome::Held),
        (Reached::Pointer, RunOutcome::Promoted),
    ];
    for (reached, expected) in cases {
        let fixture = Fixture::new();
        let (run, experiment) = run_until(&fixture.open(), reached);
        let store = fixture.open();
        let closed = store.recovery();
        let is_verdict = usize::from(expected.is_verdict());
        assert_eq!(
            (closed.closed_runs, closed.interrupted_runs),
            (is_verdict, 1 - is_verdict),
            "{reached:?}"
        );
        assert_eq!((closed.closed_experiments, closed.interrupted_experiments), (is_verdict, 1 - is_verdict));
        let (outcome, record) = ends(&store, &run, &experiment);
        assert_eq!(outcome, expected, "{reached:?}");
        if expected.is_verdict() {
            assert_eq!((record.status, record.error), (ExperimentStatus::Completed, None));
            assert_eq!(record.model_id, Some(ModelId::of_run(&run)));
            assert_eq!(record.final_metrics["outcome"], json!(expected));
            assert_eq!(record.final_metrics["candidate"]["winRate"], 0.6);
            assert_eq!(record.final_metrics["approx_kl"], 0.01);
            assert_eq!(store.run(&run).unwrap().unwrap().reason.as_deref(), Some("why"));
        } else {
            assert_eq!((record.status, record.model_id), (ExperimentStatus::Interrupted, None));
        }
        assert_eq!(fixture.open().recovery(), &RecoveryReport::default());
    }
}

#[test]
fn an_experiment_has_the_end_that_its_run_had() {
    let ways = [
        (RunOutcome::Failed, ExperimentStatus::Failed, Some("the disk is full")),
        (RunOutcome::Cancelled, ExperimentStatus::Cancelled, None),
        (RunOutcome::Skipped, ExperimentStatus::Cancelled, Some("no new bar")),
        (RunOutcome::Rejected, ExperimentStatus::Completed, None),
    ];
    for (outcome, expected, reason) in ways {
        let fixture = Fixture::new();
        let store = fixture.open();
        let (run, experiment) = run_until(&store, Reached::Verdict(Outcome::Reject));
        store.finish_run(&run, outcome, reason).unwrap();
        drop(store);
        let store = fixture.open();
        let (kept, record) = ends(&store, &run, &experiment);
        assert_eq!((kept, record.status), (outcome, expected));
        assert_eq!(record.error.as_deref(), reason);
        assert_eq!(record.model_id.is_some(), outcome.is_verdict());
    }
}

#[test]
fn a_start_says_the_same_of_a_training_as_the_process_that_ran_it() {
    let fixture = Fixture::new();
    let (run, experiment) = run_until(&fixture.open(), Reached::Pointer);
    let store = fixture.open();
    let record = store.model(&ModelId::of_run(&run)).unwrap();
    let (outcome, found) = ends(&store, &run, &experiment);
    let said = ExperimentEnd::judged(&record.model_id, &record.training, record.metrics.as_ref(), outcome);
    assert_eq!((found.status, found.final_metrics, found.model_id, found.error), {
        (said.status, said.final_metrics, said.model_id, said.error)
    });
}

#[test]
fn a_start_that_dies_while_it_closes_runs_is_made_up_for_by_the_next() {
    let mut step = 0;
    loop {
        let fixture = Fixture::new();
        let (run, experiment) = run_until(&fixture.open(), Reached::Pointer);
        let switch = Arc::new(Switch::default());
        switch.arm(step, true);
        let is_done = fixture.try_open(switch.files()).is_ok();
        let (outcome, record) = ends(&fixture.open(), &run, &experiment);
        assert_eq!((outcome, record.status), (RunOutcome::Promoted, ExperimentStatus::Completed));
        if is_done {
            break;
        }
        step += 1;
    }
    assert!(step > 5, "{step} steps");
}

#[test]
fn a_model_whose_record_is_damaged_does_not_keep_its_run_open() {
    let fixture = Fixture::new();
    let (run, experiment) = run_until(&fixture.open(), Reached::Verdict(Outcome::Reject));
    let path = fixture.models_dir().join(ModelId::of_run(&run).as_str()).join("metadata.json");
    std::fs::write(path, "{").unwrap();
    let store = fixture.open();
    assert!(store.recovery().problems.iter().any(|problem| problem.contains("metadata.json")));
    let (outcome, record) = ends(&store, &run, &experiment);
    assert_eq!((outcome, record.status), (RunOutcome::Interrupted, ExperimentStatus::Interrupted));
}
