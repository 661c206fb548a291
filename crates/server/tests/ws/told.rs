//! What messages say besides what was recorded.

use serde_json::{Value, json};
use walkforward_core::{LineName, ModelId, ProgressUpdate, Stage, TrainingOutcome, Window};
use walkforward_server::HubOptions;
use walkforward_store::{
    CycleStatus, CycleTrigger, CycleUpdate, MadeFor, ModelRecord, ModelStatus, NewCycle, NewExperiment,
    NewSchedule, ScheduleChange, Store,
};

use crate::listener::Listener;
use crate::{start, world};

/// Cycle 1 of the schedule `btc`.
fn make_cycle(store: &Store) {
    let schedule = NewSchedule {
        id: "btc".parse().unwrap(),
        name: "Bitcoin".to_owned(),
        line: "btc".parse().unwrap(),
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: json!({ "interval_hours": 6 }),
    };
    store.create_schedule(&schedule).unwrap();
    let cycle = NewCycle {
        schedule_id: schedule.id,
        number: 1,
        due_at: start(),
        trigger: CycleTrigger::Due,
        status: CycleStatus::Running,
        reason: None,
    };
    store.commit_schedule_changes(&[ScheduleChange::Cycle(cycle)]).unwrap();
}

/// The cycle learns its window and its experiment.
fn collect(store: &Store) {
    let experiment = NewExperiment {
        id: "exp-1".parse().unwrap(),
        name: "one".to_owned(),
        script: "schedule".to_owned(),
        line: "btc".parse().unwrap(),
        config: json!({}),
        tags: Vec::new(),
    };
    store.create_experiment(&experiment).unwrap();
    let mut update = CycleUpdate::of("btc".parse().unwrap(), 1);
    update.experiment_id = Some(experiment.id);
    update.window = Some(Window::new(start(), start().plus_millis(3_600_000)).unwrap());
    store.update_cycle(&update).unwrap();
}

fn facts(message: &Value) -> [&Value; 3] {
    ["experiment_id", "window_start", "window_end"].map(|key| &message[key])
}

#[tokio::test]
async fn a_cycle_s_start_says_what_is_known_of_it_by_then() {
    let world = world(HubOptions::default()).await;
    make_cycle(&world.store);
    let mut listener = Listener::welcomed(world.address).await;
    let payload = json!({ "schedule_id": "btc", "cycle_number": 1, "trigger": "due" });
    world.record("continuous_cycle_start", &payload);
    let early = listener.next_of("continuous_cycle_start").await;
    assert_eq!(facts(&early), [&Value::Null; 3]);
    assert!(early.as_object().unwrap().contains_key("window_start"), "{early}");
    collect(&world.store);
    world.record("continuous_cycle_start", &payload);
    let late = listener.next_of("continuous_cycle_start").await;
    let expected = [json!("exp-1"), json!("2024-03-01T00:00:00.000Z"), json!("2024-03-01T01:00:00.000Z")];
    assert_eq!(facts(&late), expected.each_ref());
}

#[tokio::test]
async fn of_many_words_in_a_moment_the_last_is_told_with_what_is_known_of_the_cycle() {
    let world = world(HubOptions::default()).await;
    make_cycle(&world.store);
    collect(&world.store);
    let mut listener = Listener::welcomed(world.address).await;
    let total = 20_000;
    let schedule = "btc".parse().unwrap();
    for done in 1..=total {
        let update = ProgressUpdate {
            stage: Stage::Train,
            done,
            total,
            message: String::new(),
            eta_seconds: Some(1.5),
        };
        world.hub.progress(&schedule, 1, &update);
    }
    let mut told = 0;
    let last = loop {
        let message = listener.next_of("continuous_cycle_progress").await;
        told += 1;
        if message["iteration"] == total {
            break message;
        }
    };
    assert!(told < 1_000, "{told}");
    assert_eq!(
        (&last["schedule_id"], &last["cycle_number"], &last["total_iterations"], &last["volatile"]),
        (&json!("btc"), &json!(1), &json!(total), &json!(true))
    );
    assert_eq!((&last["experiment_id"], &last["eta_seconds"]), (&json!("exp-1"), &json!(1.5)));
}

/// A model that cycle 1 of `btc` has made.
fn make_model(store: &Store) -> ModelId {
    let line: LineName = "btc".parse().unwrap();
    let run = store.allocate_run_id().unwrap();
    let attempt = format!("{run}-1");
    let dir = store.staging_dir(&attempt).unwrap();
    std::fs::write(dir.join("policy.safetensors"), "weights").unwrap();
    let made_for = MadeFor { experiment_id: None, schedule_id: Some("btc".parse().unwrap()), cycle: Some(1) };
    let at = start();
    let record = ModelRecord {
        model_id: ModelId::of_run(&run),
        run_id: run.clone(),
        status: ModelStatus::Trained,
        created_at: at,
        etl_path: format!("data/etl/etl-{run}.json"),
        metrics: None,
        evaluated_at: None,
        promoted: false,
        promoted_at: None,
        promotion_gate: None,
        line,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        sha256: String::new(),
        optimizer_sha256: None,
        used_until: at,
        lineage_until: at,
        trained_until: at,
        trained_at: at,
        parent_id: None,
        parent_choice: None,
        made_for: Some(made_for),
        recipe: None,
        seed: 7,
        pack: json!({}),
        dataset_hash: "d".repeat(64),
        training: TrainingOutcome {
            trainer: "test".to_owned(),
            used_until: at,
            iterations: 1,
            environment_steps: 2,
            metrics: [].into(),
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
    };
    store.adopt(&attempt, record).unwrap().model_id
}

#[tokio::test]
async fn a_model_that_a_trader_has_loaded_is_deployed_in_the_words_of_its_cycle() {
    let world = world(HubOptions::default()).await;
    let model = make_model(&world.store);
    let mut listener = Listener::welcomed(world.address).await;
    let loaded = json!({ "session_id": "btc-paper", "line": "btc", "model_id": model, "model_version": 3 });
    let seq = world.record("live_model_updated", &loaded);
    let updated = listener.next_of("live_model_updated").await;
    let deployed = listener.next_of("continuous_model_deployed").await;
    assert_eq!((&updated["seq"], &updated["model_version"]), (&json!(seq), &json!(3)));
    let expected = json!({
        "type": "continuous_model_deployed",
        "seq": seq,
        "time": "2024-03-01T00:00:00.000Z",
        "schedule_id": "btc",
        "cycle_number": 1,
        "checkpoint_path": world.store.model_dir(&model).display().to_string(),
        "model_version": 3,
        "model_id": model,
        "session_id": "btc-paper",
        "line": "btc",
    });
    assert_eq!(deployed, expected);
    // A model that no cycle has made says no more than the trader does.
    world.record("live_model_updated", &json!({ "session_id": "btc-paper", "model_id": "model-of-nobody" }));
    let next = world.record("model_promoted", &json!({}));
    let told = listener.until(next).await;
    assert!(told.iter().all(|message| message["type"] != "continuous_model_deployed"), "{told:?}");
}

#[tokio::test]
async fn a_rollback_is_told_in_the_words_of_the_cycle_whose_model_is_champion_no_more() {
    let world = world(HubOptions::default()).await;
    let (before, model) = (make_model(&world.store), make_model(&world.store));
    let mut listener = Listener::welcomed(world.address).await;
    let back = json!({ "line": "btc", "sequence": 3, "from": model, "to": before, "reason": "it loses" });
    let seq = world.record("model_rolled_back", &back);
    let told = listener.until(seq).await.pop().unwrap();
    assert_eq!((&told["type"], &told["to"]), (&json!("model_rolled_back"), &json!(before)));
    let expected = json!({
        "type": "continuous_model_rolled_back",
        "seq": seq,
        "time": "2024-03-01T00:00:00.000Z",
        "schedule_id": "btc",
        "cycle_number": 1,
        "checkpoint_path": world.store.model_dir(&before).display().to_string(),
        "from": model,
        "to": before,
        "reason": "it loses",
        "line": "btc",
    });
    assert_eq!(listener.next().await, expected);
}
