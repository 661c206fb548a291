//! Packs and dataset configurations.

use std::sync::Arc;

use crate::fixture::{Fixture, Switch};
use crate::schedules::new_schedule;
use serde_json::{Value, json};
use walkforward_core::ErrorKind;
use walkforward_store::{
    MAX_JSON_BYTES, NewDatasetConfig, NewPack, ScheduleChange, ScheduleState, ScheduleStatus, StoreError,
};

fn pack(id: &str, config: Value) -> NewPack {
    NewPack { id: id.parse().unwrap(), name: format!("Pack {id}"), description: "d".to_owned(), config }
}

fn dataset(id: &str) -> NewDatasetConfig {
    NewDatasetConfig {
        id: id.parse().unwrap(),
        name: format!("Dataset {id}"),
        description: String::new(),
        source_type: "csv".to_owned(),
        source_config: json!({ "data": { "path": "a.csv" } }),
        features: json!([{ "kind": "returns", "periods": [1, 4] }]),
        split_config: json!({ "holdout_bars": 100 }),
    }
}

#[test]
fn a_pack_is_made_read_changed_and_deleted() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let made = store.create_pack(&pack("a", json!({ "learning_rate": 1e-4 }))).unwrap();
    assert_eq!((made.config["learning_rate"].as_f64(), made.created_at), (Some(1e-4), made.updated_at));
    assert_eq!(store.pack(&made.id).unwrap(), made);
    fixture.clock.set(crate::fixture::time("2024-01-02"));
    let changed = store.update_pack(&pack("a", json!({ "gamma": 0.9 }))).unwrap();
    assert_eq!(changed.config, json!({ "gamma": 0.9 }));
    assert!(changed.updated_at > changed.created_at && changed.created_at == made.created_at);
    assert_eq!(store.packs().unwrap().len(), 7);
    store.delete_pack(&made.id).unwrap();
    assert_eq!(store.packs().unwrap().len(), 6);
}

#[test]
fn a_dataset_configuration_is_made_read_changed_and_deleted() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut new = dataset("a");
    let made = store.create_dataset_config(&new).unwrap();
    assert_eq!((&made.features, &made.split_config), (&new.features, &new.split_config));
    assert_eq!(store.dataset_config(&made.id).unwrap(), made);
    new.source_type = "parquet".to_owned();
    assert_eq!(store.update_dataset_config(&new).unwrap().source_type, "parquet");
    store.delete_dataset_config(&made.id).unwrap();
    assert_eq!(store.dataset_configs().unwrap().len(), 4);
    let sparse: NewDatasetConfig = serde_json::from_value(json!({
        "id": "b", "name": "B", "source_type": "synthetic", "source_config": {}
    }))
    .unwrap();
    let made = store.create_dataset_config(&sparse).unwrap();
    assert_eq!((made.features, made.split_config), (json!([]), json!({})));
}

#[test]
fn a_pack_or_dataset_that_makes_no_sense_is_refused_with_its_reason() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let long = "x".repeat(MAX_JSON_BYTES);
    let nameless = NewPack { name: " ".to_owned(), ..pack("a", json!({})) };
    let copy = NewPack { name: "Default".to_owned(), ..pack("a", json!({})) };
    let packs = [
        (pack("a", json!([1])), "its config is no JSON object"),
        (pack("a", json!({ "a": long })), "at most 65536 are kept"),
        (pack("default", json!({})), "exists already"),
        (nameless, "expected 1 to 200 bytes"),
        (copy.clone(), "is that of 'default': choose another name"),
    ];
    for (pack, expected) in packs {
        let error = store.create_pack(&pack).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
    store.create_pack(&pack("a", json!({}))).unwrap();
    let error = store.update_pack(&copy).unwrap_err().to_string();
    assert!(error.contains("pack 'a' is refused") && error.contains("choose another name"), "{error}");
    let datasets = [
        (NewDatasetConfig { source_type: String::new(), ..dataset("a") }, "source_type"),
        (NewDatasetConfig { source_config: json!(1), ..dataset("a") }, "source_config is no JSON object"),
        (NewDatasetConfig { features: json!({}), ..dataset("a") }, "features are no JSON list"),
        (NewDatasetConfig { split_config: json!([]), ..dataset("a") }, "split_config is no JSON object"),
        (NewDatasetConfig { name: "CSV file".to_owned(), ..dataset("a") }, "that of 'csv-template'"),
    ];
    for (dataset, expected) in datasets {
        let error = store.create_dataset_config(&dataset).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_unknown_id_is_named_with_those_that_are_known() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let error = store.pack(&"x".parse().unwrap()).unwrap_err();
    let expected = "there is no pack 'x': known are 'cautious', 'default', 'gru', 'quick', 'thorough', \
                    'wide-network' (`orchestrate packs list` shows all)";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let errors = [
        store.update_pack(&pack("x", json!({}))).unwrap_err(),
        store.delete_pack(&"x".parse().unwrap()).unwrap_err(),
        store.dataset_config(&"x".parse().unwrap()).unwrap_err(),
        store.update_dataset_config(&dataset("x")).unwrap_err(),
        store.delete_dataset_config(&"x".parse().unwrap()).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.to_string().contains("'x': known are")), "{errors:?}");
}

#[test]
fn what_a_schedule_uses_is_not_deleted_before_the_schedule_is_removed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut schedule = new_schedule("btc");
    (schedule.hp_pack_id, schedule.dataset_id) =
        (Some("quick".parse().unwrap()), Some("btc-hourly".parse().unwrap()));
    store.create_schedule(&schedule).unwrap();
    let (pack, dataset) = ("quick".parse().unwrap(), "btc-hourly".parse().unwrap());
    let error = store.delete_pack(&pack).unwrap_err().to_string();
    assert_eq!(error, "pack 'quick' can't be deleted: it belongs to schedule 'btc'");
    let error = store.delete_dataset_config(&dataset).unwrap_err().to_string();
    assert!(error.contains("schedule 'btc'"), "{error}");
    let removed = ScheduleState {
        id: schedule.id.clone(),
        status: ScheduleStatus::Removed,
        anchor_at: None,
        current_cycle: 0,
        last_cycle_at: None,
        next_cycle_at: None,
    };
    store.commit_schedule_changes(&[ScheduleChange::Schedule(removed)]).unwrap();
    store.delete_pack(&pack).unwrap();
    store.delete_dataset_config(&dataset).unwrap();
    let record = store.schedule(&schedule.id).unwrap();
    assert_eq!((record.hp_pack_id, record.dataset_id), (None, None));
}

#[test]
fn a_write_that_fails_changes_nothing_and_works_the_next_time() {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let id = "quick".parse().unwrap();
    let actions: [&dyn Fn() -> Result<(), StoreError>; 6] = [
        &|| store.create_pack(&pack("a", json!({}))).map(drop),
        &|| store.update_pack(&pack("default", json!({}))).map(drop),
        &|| store.delete_pack(&id),
        &|| store.create_dataset_config(&dataset("a")).map(drop),
        &|| store.update_dataset_config(&dataset("csv-template")).map(drop),
        &|| store.delete_dataset_config(&"eth-hourly".parse().unwrap()),
    ];
    let look = || (store.packs().unwrap(), store.dataset_configs().unwrap());
    for action in actions {
        let kept = look();
        switch.arm(0, false);
        assert!(action().unwrap_err().is_environment_fault());
        assert_eq!(look(), kept);
        action().unwrap();
        assert_ne!(look(), kept);
    }
}
