//! Cycles of a schedule over a real store: which rows they leave.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod arm_tests;
mod audits;
mod gone_references;
mod parts;
mod quarantine;
mod stream_parts;
mod streams;

use parts::{Behaviour, World};
use walkforward_core::CancelToken;
use walkforward_orchestrator::{RunObserver, RunStep, ScheduleLedger};
use walkforward_store::{CycleStatus, ExperimentFilter, ExperimentStatus, RunOutcome, StoreError};

#[tokio::test]
async fn a_promoted_cycle_leaves_its_experiment_its_row_and_what_the_next_one_continues_from() {
    let world = World::new(Behaviour::Promotes);
    let end = world.run_cycle(1).await;
    assert_eq!((end.status, end.reason.clone()), (CycleStatus::Promoted, None));

    let cycle = world.store.cycle(&world.schedule, 1).unwrap();
    let model = cycle.model_id.clone().unwrap();
    assert_eq!(cycle.deployed_model_id.as_ref(), Some(&model));
    assert_eq!(cycle.window.unwrap().end(), world.now());
    assert_eq!(cycle.verdict.unwrap().sentence, "as it was told");

    let experiment = world.store.experiment(&cycle.experiment_id.clone().unwrap()).unwrap();
    assert_eq!(experiment.status, ExperimentStatus::Completed);
    assert_eq!(experiment.tags, ["continuous", "cycle:1", "schedule:btc"]);
    assert_eq!(experiment.config["cycle_number"], 1);
    assert_eq!((experiment.run_id, experiment.model_id), (cycle.run_id, Some(model.clone())));
    assert_eq!(experiment.final_metrics["approx_kl"], 0.01);
    let iterations = world.store.iterations(&experiment.id, None, 100).unwrap();
    assert_eq!(iterations.iter().map(|row| row.iteration).collect::<Vec<_>>(), [1, 2, 3]);

    let schedule = world.store.schedule(&world.schedule).unwrap();
    assert_eq!(schedule.base_experiment_id, Some(experiment.id));
    assert!(schedule.current_checkpoint_path.unwrap().ends_with(model.as_str()));
    let record = world.store.model(&model).unwrap();
    assert_eq!(record.made_for.unwrap().cycle, Some(1));
    assert_eq!(end.details["model_id"], model.as_str());
    assert_eq!(world.events(), ["model_promoted"]);

    let second = world.run_cycle(2).await;
    assert_eq!(second.status, CycleStatus::Promoted);
    let second = world.store.cycle(&world.schedule, 2).unwrap();
    assert_eq!(second.parent_id, Some(model), "the champion is the parent");
    let experiment = world.store.experiment(&second.experiment_id.unwrap()).unwrap();
    assert_eq!(
        experiment.config["parent_experiment_id"].as_str(),
        cycle.experiment_id.as_ref().map(|id| id.as_str())
    );
}

#[tokio::test]
async fn a_cycle_whose_process_died_after_its_run_has_the_end_of_the_run() {
    for (behaviour, expected) in [
        (Behaviour::Promotes, Some(CycleStatus::Promoted)),
        (Behaviour::Rejects, Some(CycleStatus::Rejected)),
        (Behaviour::Fails, Some(CycleStatus::Failed)),
        (Behaviour::HasNoPlan, None),
    ] {
        let world = World::new(behaviour);
        world.run_and_die(1).await;
        let loaded = ScheduleLedger::load(&*world.store).unwrap();
        let open = &loaded[0].open[0];
        assert_eq!((open.number, open.status), (1, CycleStatus::Running));
        assert_eq!(open.ended.as_ref().map(|end| end.status), expected, "{behaviour:?}");
        let Some(end) = open.ended.clone() else { continue };
        let is_judged = behaviour != Behaviour::Fails;
        assert_eq!(end.details["verdict"] == "as it was told", is_judged, "{:?}", end.details);
        world.record_end(1, &end);
        let cycle = world.store.cycle(&world.schedule, 1).unwrap();
        assert_eq!((cycle.model_id.is_some(), cycle.verdict.is_some()), (is_judged, is_judged));
        let experiment = world.store.experiment(&cycle.experiment_id.unwrap()).unwrap();
        let schedule = world.store.schedule(&world.schedule).unwrap();
        if behaviour == Behaviour::Promotes {
            assert_eq!(cycle.deployed_model_id, cycle.model_id);
            assert_eq!(schedule.base_experiment_id, Some(experiment.id));
            assert!(schedule.current_checkpoint_path.unwrap().ends_with(cycle.model_id.unwrap().as_str()));
        } else {
            assert_eq!((cycle.deployed_model_id, schedule.current_checkpoint_path), (None, None));
        }
    }
}

/// Can't keep that a model was promoted.
struct Forgetful;

impl RunObserver for Forgetful {
    fn on(&self, step: RunStep<'_>) -> Result<(), StoreError> {
        match step {
            RunStep::Promoted(_) => Err(StoreError::TooManyChanges { found: 1, max: 0 }),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_promotion_that_could_not_be_noted_is_a_promotion_all_the_same() {
    let world = World::new(Behaviour::Promotes);
    let report = world.run_observed(&Forgetful).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Promoted);
    assert_eq!(world.store.champion(&world.line()).unwrap().unwrap().record.model_id, report.model_id);
}

#[tokio::test]
async fn a_rejected_cycle_keeps_its_model_and_moves_no_pointer() {
    let world = World::new(Behaviour::Rejects);
    let end = world.run_cycle(1).await;
    assert_eq!((end.status, end.reason.as_deref()), (CycleStatus::Rejected, Some("told_so")));
    let cycle = world.store.cycle(&world.schedule, 1).unwrap();
    assert!(cycle.model_id.is_some() && cycle.deployed_model_id.is_none());
    assert_eq!(world.store.champion(&world.line()).unwrap(), None);
    assert_eq!(world.store.schedule(&world.schedule).unwrap().current_checkpoint_path, None);
}

#[tokio::test]
async fn a_line_without_a_champion_goes_on_from_the_schedules_base() {
    let world = World::new(Behaviour::Promotes).held();
    world.run_cycle(1).await;
    let first = world.store.cycle(&world.schedule, 1).unwrap();
    world.store.set_base_experiment(&world.schedule, &first.experiment_id.unwrap()).unwrap();
    world.run_cycle(2).await;
    let second = world.store.cycle(&world.schedule, 2).unwrap();
    assert_eq!((second.status, second.parent_id), (CycleStatus::Held, first.model_id));
}

#[tokio::test]
async fn a_model_is_held_where_somebody_has_to_approve() {
    let world = World::new(Behaviour::Promotes).held();
    assert_eq!(world.run_cycle(1).await.status, CycleStatus::Held);
    assert_eq!(world.store.champion(&world.line()).unwrap(), None);
}

#[tokio::test]
async fn a_training_that_fails_is_a_failed_cycle_with_the_reason_and_no_model() {
    let world = World::new(Behaviour::Fails);
    let end = world.run_cycle(1).await;
    assert_eq!(end.status, CycleStatus::Failed);
    assert!(end.reason.unwrap().contains("the disk is full"));
    let cycle = world.store.cycle(&world.schedule, 1).unwrap();
    assert!(cycle.model_id.is_none());
    let experiment = world.store.experiment(&cycle.experiment_id.unwrap()).unwrap();
    assert_eq!(experiment.status, ExperimentStatus::Failed);
    assert!(experiment.error.unwrap().contains("the disk is full"));
    assert_eq!(world.models(), 0);
}

#[tokio::test]
async fn a_cancelled_cycle_says_so() {
    let world = World::new(Behaviour::Promotes);
    let cancel = CancelToken::default();
    cancel.cancel();
    assert_eq!(world.run_with(1, cancel).await.status, CycleStatus::Cancelled);
    assert_eq!(world.models(), 0);
}

#[tokio::test]
async fn a_schedule_that_can_not_be_planned_fails_its_cycle_with_the_sentence() {
    let world = World::new(Behaviour::HasNoPlan);
    let end = world.run_cycle(1).await;
    assert_eq!(end.status, CycleStatus::Failed);
    assert!(end.reason.unwrap().contains("the file of bars is gone"));
    assert_eq!(world.store.experiments(&ExperimentFilter::default(), 10).unwrap(), []);
}

#[tokio::test]
async fn a_cycle_without_a_new_bar_is_skipped_and_says_since_when() {
    let world = World::new(Behaviour::Promotes).without_new_bars();
    assert_eq!(world.run_cycle(1).await.status, CycleStatus::Promoted);
    let end = world.run_cycle(2).await;
    assert_eq!(end.status, CycleStatus::Skipped);
    assert!(end.reason.unwrap().contains("no new bar since model-"));
    assert_eq!(world.store.experiments(&ExperimentFilter::default(), 10).unwrap().len(), 1);
    assert_eq!(world.models(), 1);
}

#[tokio::test]
async fn two_lines_that_promote_in_turn_a_hundred_times_never_name_each_others_models() {
    let btc = World::new(Behaviour::Promotes);
    let eth = btc.another("eth");
    for number in 1..=200_u64 {
        let world = if number % 2 == 0 { &eth } else { &btc };
        assert_eq!(world.run_cycle(number.div_ceil(2)).await.status, CycleStatus::Promoted);
        for (world, symbol) in [(&btc, "BTC/USD"), (&eth, "ETH/USD")] {
            let Some(champion) = world.store.champion(&world.line()).unwrap() else { continue };
            assert_eq!(
                (champion.record.line, champion.record.symbol.to_string()),
                (world.line(), symbol.to_owned())
            );
            assert!(world.store.models(&world.line()).unwrap().contains(&champion.record.model_id));
        }
    }
    assert_eq!((btc.models(), eth.models()), (100, 100));
}

#[tokio::test]
async fn cycles_of_two_lines_at_once_keep_their_runs_apart() {
    let world = World::new(Behaviour::Promotes);
    let other = world.another("eth");
    let (first, second) = tokio::join!(world.run_cycle(1), other.run_cycle(1));
    assert_eq!((first.status, second.status), (CycleStatus::Promoted, CycleStatus::Promoted));
    let model = |world: &World| world.store.champion(&world.line()).unwrap().unwrap().record;
    let (btc, eth) = (model(&world), model(&other));
    assert_ne!(btc.run_id, eth.run_id);
    assert_eq!((btc.line.as_str(), eth.line.as_str()), ("btc", "eth"));
}

#[tokio::test]
async fn weaker_rules_do_not_displace_a_champion_that_stands_on_evidence() {
    let world = World::new(Behaviour::PromotesOnEvidence);
    assert_eq!(world.run_cycle(1).await.status, CycleStatus::Promoted);
    let champion = world.store.champion(&world.line()).unwrap().unwrap().record.model_id;
    let world = world.by_other_rules();
    assert_eq!(world.run_cycle(2).await.status, CycleStatus::Held);
    assert_eq!(world.store.champion(&world.line()).unwrap().unwrap().record.model_id, champion);
}
