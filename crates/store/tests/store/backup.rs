//! Backups that are taken while everything goes on, and their restore.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fixture::{Fixture, Switch, line, make_model, promote, time, tree, try_make_model};
use walkforward_core::{LineName, ModelId};
use walkforward_durable::Files;
use walkforward_store::{
    BackupScope, MANIFEST_FILE, ModelRecord, OPTIMIZER_FILE, POLICY_FILE, PointerReader, RemovedBy, Store,
    StoreError, WeightsRemoved, read_manifest, restore, restore_with,
};

/// A store with two lines, and what a backup of it has to hold.
struct Origin {
    fixture: Fixture,
    store: Store,
    /// Of the default line, oldest first: one of no use, one pinned, one earlier champion, the champion.
    models: Vec<ModelId>,
    eth: ModelId,
}

impl Origin {
    fn new(files: Files) -> Self {
        let fixture = Fixture::new();
        let store = fixture.try_open(files).unwrap();
        let (default, eth) = (LineName::default(), line("eth"));
        let models: Vec<ModelId> = (0..4).map(|_| make_model(&store, &default).model_id).collect();
        promote(&store, &default, None, &models[2]).unwrap();
        promote(&store, &default, Some(&models[2]), &models[3]).unwrap();
        store.pin(&models[1], "kept").unwrap();
        let eth_model = make_model(&store, &eth).model_id;
        promote(&store, &eth, None, &eth_model).unwrap();
        fs::write(fixture.data_dir().join("etl/etl-2024-01-01T00-00-00-000Z.json"), "{}\n").unwrap();
        fs::create_dir_all(fixture.data_dir().join("live")).unwrap();
        fs::write(fixture.data_dir().join("live/journal.jsonl"), "one\ntwo\n").unwrap();
        fs::create_dir_all(fixture.data_dir().join("cache")).unwrap();
        fs::write(fixture.data_dir().join("cache/bars"), "made again").unwrap();
        fixture.clock.set(time("2024-03-01T00:00:00Z"));
        Self { fixture, store, models, eth: eth_model }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.fixture.dir.path().join(name)
    }

    fn backup(&self) -> PathBuf {
        let dir = self.folder("backup");
        self.store.backup(&dir, BackupScope::Referenced).unwrap();
        dir
    }

    /// Restores `backup` to folders of this name.
    fn restore(&self, backup: &Path, name: &str) -> Result<(), StoreError> {
        let dir = self.folder(name);
        restore(backup, &dir.join("data"), &dir.join("models")).map(drop)
    }

    fn open(&self, name: &str) -> Store {
        self.try_open(name).unwrap()
    }

    fn try_open(&self, name: &str) -> Result<Store, StoreError> {
        let dir = self.folder(name);
        Store::open(&dir.join("data"), &dir.join("models"), self.fixture.clock.clone())
    }

    /// Asserts that what was restored is whole: champions load, and the history says the same.
    fn assert_whole(&self, name: &str) {
        let restored = self.open(name);
        assert!(restored.recovery().problems.is_empty(), "{:?}", restored.recovery());
        for (line, model) in [(LineName::default(), &self.models[3]), (line("eth"), &self.eth)] {
            let champion = restored.champion(&line).unwrap().unwrap();
            assert_eq!((champion.damage, &champion.record.model_id), (None, model));
            assert_eq!(restored.promotions(&line).unwrap(), self.store.promotions(&line).unwrap());
            PointerReader::new(restored.models_dir(), line).read().unwrap().unwrap();
        }
        assert_eq!(restored.pins().unwrap(), self.store.pins().unwrap());
    }
}

#[test]
fn a_backup_holds_what_is_referred_to_and_is_restored_to_the_same() {
    let origin = Origin::new(Files::default());
    let report = origin.store.backup(&origin.folder("backup"), BackupScope::Referenced).unwrap();
    assert_eq!((report.models, report.models_with_weights, report.problems.len()), (5, 4, 0));
    assert_eq!(report.champions[&LineName::default()], origin.models[3]);
    let found = tree(&origin.folder("backup"));
    assert_eq!(found.len(), report.files + 1);
    for expected in [
        "data/walkforward.db",
        "data/live/journal.jsonl",
        "models/latest.json",
        "models/lines/eth/latest.json",
    ] {
        assert!(found.iter().any(|file| file == expected), "no {expected} in {found:?}");
    }
    assert!(
        !found.iter().any(|file| file.contains("cache") || file.ends_with(".lock") || file.ends_with("-wal"))
    );
    let manifest = read_manifest(&origin.folder("backup")).unwrap();
    assert_eq!(manifest.files.iter().map(|file| file.bytes).sum::<u64>(), report.bytes);

    origin.restore(&origin.folder("backup"), "new").unwrap();
    origin.assert_whole("new");
    let restored = origin.open("new");
    let removed = WeightsRemoved { at: time("2024-03-01T00:00:00Z"), by: RemovedBy::Backup };
    let unused = restored.model(&origin.models[0]).unwrap();
    let original = origin.store.model(&origin.models[0]).unwrap();
    assert_eq!(unused, ModelRecord { weights_removed: Some(removed), ..original });
    let problem = restored.weights_problem(&unused).unwrap().unwrap();
    assert!(problem.contains("left out of the backup of 2024-03-01"), "{problem}");
    for model in &origin.models[1..] {
        let (was, is) = (origin.store.model(model).unwrap(), restored.model(model).unwrap());
        assert_eq!(was, is);
        assert_eq!(restored.weights_problem(&is).unwrap(), None);
    }
    restored.rollback(&LineName::default(), None, "to see that it works").unwrap();
}

#[test]
fn the_weights_of_all_models_come_along_when_asked() {
    let origin = Origin::new(Files::default());
    let report = origin.store.backup(&origin.folder("all"), BackupScope::AllModels).unwrap();
    assert_eq!((report.models, report.models_with_weights), (5, 5));
    origin.restore(&origin.folder("all"), "new").unwrap();
    origin.assert_whole("new");
    let restored = origin.open("new");
    assert_eq!(restored.weights_problem(&restored.model(&origin.models[0]).unwrap()).unwrap(), None);
}

#[test]
fn promotions_go_on_while_backups_are_taken_and_each_backup_is_whole() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let default = LineName::default();
    let models: Vec<ModelId> = (0..3).map(|_| make_model(&store, &default).model_id).collect();
    promote(&store, &default, None, &models[0]).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let is_stopped = || stop.load(std::sync::atomic::Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_stopped() {
                store.record_event("of the same store", &serde_json::Value::Null).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        scope.spawn(|| {
            let other = fixture.open();
            let mut present = 0;
            while !is_stopped() {
                let next = (present + 1) % models.len();
                promote(&other, &default, Some(&models[present]), &models[next]).unwrap();
                let line = line(&format!("line-{}", other.promotions(&default).unwrap().len()));
                let own = make_model(&other, &line).model_id;
                promote(&other, &line, None, &own).unwrap();
                present = next;
            }
        });
        for round in 0..4 {
            let dir = fixture.dir.path().join(format!("backup-{round}"));
            let report = store.backup(&dir, BackupScope::Referenced);
            let target = fixture.dir.path().join(format!("new-{round}"));
            let restored = report.and_then(|report| {
                restore(&dir, &target.join("data"), &target.join("models"))?;
                let restored =
                    Store::open(&target.join("data"), &target.join("models"), fixture.clock.clone())?;
                Ok((report, restored))
            });
            stop.fetch_or(round == 3 || restored.is_err(), std::sync::atomic::Ordering::SeqCst);
            let (report, restored) = restored.unwrap();
            assert!(restored.recovery().problems.is_empty(), "{:?}", restored.recovery());
            assert_eq!(restored.recovery().adopted, 0, "round {round}: a pointer without its history");
            for (line, model) in &report.champions {
                let champion = restored.champion(line).unwrap().unwrap();
                assert_eq!((champion.damage, &champion.record.model_id), (None, model));
                let last = restored.promotions(line).unwrap().into_iter().rev();
                let last =
                    last.into_iter().find(|row| row.state == walkforward_store::PromotionState::Committed);
                assert_eq!(last.unwrap().to.as_ref(), Some(model));
            }
        }
    });
}

#[test]
fn a_backup_that_fails_at_any_step_is_told_apart_and_taken_again() {
    let switch = Arc::new(Switch::default());
    let origin = Origin::new(switch.files());
    let mut steps = 0;
    for step in 0.. {
        let (dir, name) = (origin.folder(&format!("backup-{step}")), format!("new-{step}"));
        switch.arm(step, true);
        let taken = origin.store.backup(&dir, BackupScope::Referenced);
        let has_failed = switch.has_failed();
        switch.arm(i64::MAX, false);
        if !has_failed {
            break;
        }
        steps += 1;
        let error = taken.unwrap_err();
        assert!(error.is_environment_fault(), "step {step}: {error}");
        // When only its mark is left, it is complete.
        let is_complete = dir.join(MANIFEST_FILE).exists();
        if !is_complete {
            let text = origin.restore(&dir, &name).unwrap_err().to_string();
            assert!(text.contains("is an incomplete backup") || text.contains("is no backup"), "{text}");
            assert!(!origin.folder(&name).exists());
        }
        if is_complete || step % 16 == 0 || step < 6 {
            if !is_complete {
                origin.store.backup(&dir, BackupScope::Referenced).unwrap();
            }
            origin.restore(&dir, &name).unwrap();
            origin.assert_whole(&name);
        }
    }
    assert!((60..400).contains(&steps), "{steps} steps");
}

#[test]
fn a_restore_that_dies_at_any_step_leaves_empty_marked_or_whole_folders_and_can_be_repeated() {
    let origin = Origin::new(Files::default());
    let backup = origin.backup();
    let mut steps = 0;
    for step in 0.. {
        let name = format!("new-{step}");
        let (data, models) = (origin.folder(&name).join("data"), origin.folder(&name).join("models"));
        let switch = Arc::new(Switch::default());
        switch.arm(step, true);
        let restored = restore_with(switch.files(), &backup, &data, &models);
        if !switch.has_failed() {
            restored.unwrap();
            break;
        }
        steps += 1;
        assert!(restored.unwrap_err().is_environment_fault());
        let is_empty = |dir: &Path| {
            fs::read_dir(dir).map_or(0, |entries| entries.filter(|entry| entry.is_ok()).count()) == 0
        };
        let is_untouched = is_empty(&data) && is_empty(&models);
        let reader = PointerReader::new(&models, LineName::default());
        if data.join(".walkforward-restore").exists() {
            let error = origin.try_open(&name).unwrap_err().to_string();
            assert!(error.contains("orchestrate restore") && error.contains("not complete"), "{error}");
            let found = reader.read();
            assert!(
                found.is_err()
                    || found
                        .is_ok_and(|found| found.is_none() || !models.join(".walkforward-restore").exists())
            );
        } else if !is_untouched && models.join("latest.json").exists() {
            origin.assert_whole(&name);
            continue;
        }
        origin.restore(&backup, &name).unwrap();
        origin.assert_whole(&name);
    }
    assert!((60..400).contains(&steps), "{steps} steps");
}

#[test]
fn a_spoiled_byte_a_missing_file_and_a_cut_list_are_found_before_anything_is_written() {
    let origin = Origin::new(Files::default());
    let backup = origin.backup();
    let refused = |expected: &[&str]| {
        let error = origin.restore(&backup, "new").unwrap_err();
        for part in expected {
            assert!(error.to_string().contains(part), "no '{part}' in: {error}");
        }
        assert_eq!(error.kind(), walkforward_core::ErrorKind::BadInput);
        assert!(!origin.folder("new").exists());
    };
    for file in tree(&backup) {
        let path = backup.join(&file);
        let bytes = fs::read(&path).unwrap();
        let _ = fs::remove_file(&path);
        refused(&[if file == MANIFEST_FILE { "is no backup" } else { "is missing" }]);
        let mut spoiled = bytes.clone();
        let middle = spoiled.len() / 2;
        spoiled[middle] ^= 1;
        fs::write(&path, &spoiled).unwrap();
        refused(&[if file == MANIFEST_FILE { MANIFEST_FILE } else { "is damaged: its SHA-256" }]);
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        // The list without its last newline is still whole.
        if file != MANIFEST_FILE {
            refused(&["is damaged: it has", file.rsplit('/').next().unwrap()]);
        }
        fs::write(&path, &bytes).unwrap();
    }
    let manifest = fs::read_to_string(backup.join(MANIFEST_FILE)).unwrap();
    for (from, to, expected) in [
        ("data/live/journal.jsonl", "data/../../evil", "does not have its own SHA-256"),
        ("\"schema\": 1", "\"schema\": 2", "its schema is 2"),
        ("2024-03-01", "2024-03-02", "does not have its own SHA-256"),
    ] {
        fs::write(backup.join(MANIFEST_FILE), manifest.replace(from, to)).unwrap();
        refused(&[expected]);
    }
    fs::write(backup.join(MANIFEST_FILE), manifest).unwrap();
    origin.restore(&backup, "new").unwrap();
    origin.assert_whole("new");
}

#[test]
fn folders_that_hold_something_are_neither_written_to_nor_emptied() {
    let origin = Origin::new(Files::default());
    let backup = origin.backup();
    let error = origin.store.backup(&backup, BackupScope::Referenced).unwrap_err().to_string();
    assert!(error.contains("holds a backup already"), "{error}");
    fs::create_dir(origin.folder("full")).unwrap();
    fs::write(origin.folder("full/own"), "mine").unwrap();
    let error = origin.store.backup(&origin.folder("full"), BackupScope::Referenced).unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    for inside in ["data/backup", "models", "."] {
        let error = origin.store.backup(&origin.folder(inside), BackupScope::Referenced).unwrap_err();
        assert!(error.to_string().contains("overlaps"), "{error}");
    }
    for (full, empty) in [("data", "models"), ("models", "data")] {
        let name = format!("only-{full}");
        fs::create_dir_all(origin.folder(&name).join(full)).unwrap();
        fs::write(origin.folder(&name).join(full).join("own"), "mine").unwrap();
        let error = origin.restore(&backup, &name).unwrap_err().to_string();
        assert!(error.contains("is not empty") && error.contains("--data-dir"), "{error}");
        assert_eq!(tree(&origin.folder(&name)), [format!("{full}/own")]);
        assert!(!origin.folder(&name).join(empty).exists());
    }
    let error = origin.restore(&origin.folder("full"), "new").unwrap_err().to_string();
    assert!(error.contains("is no backup"), "{error}");
}

#[test]
fn models_in_the_data_folder_are_restored_there() {
    let origin = Origin::new(Files::default());
    let backup = origin.backup();
    let data = origin.folder("nested");
    for step in (0..160).step_by(3) {
        let switch = Arc::new(Switch::default());
        switch.arm(step, true);
        let _ = restore_with(switch.files(), &backup, &data, &data.join("models"));
        if !switch.has_failed() {
            break;
        }
    }
    if data.join(".walkforward-restore").exists() {
        restore(&backup, &data, &data.join("models")).unwrap();
    }
    assert!(!data.join(".walkforward-restore").exists());
    let restored = Store::open(&data, &data.join("models"), origin.fixture.clock.clone()).unwrap();
    assert_eq!(restored.champion(&LineName::default()).unwrap().unwrap().record.model_id, origin.models[3]);
}

#[test]
fn damaged_weights_of_a_champion_stop_a_backup_and_those_of_others_are_left_out() {
    let origin = Origin::new(Files::default());
    let weights = |id: &ModelId| origin.store.model_dir(id).join(POLICY_FILE);
    let spoil = |id: &ModelId| {
        fs::remove_file(weights(id)).unwrap();
        fs::write(weights(id), "other weights").unwrap();
    };
    spoil(&origin.models[1]);
    fs::remove_file(weights(&origin.models[2])).unwrap();
    let report = origin.store.backup(&origin.folder("backup"), BackupScope::Referenced).unwrap();
    assert_eq!((report.models_with_weights, report.problems.len()), (2, 2));
    assert!(report.problems[0].contains(origin.models[1].as_str()), "{:?}", report.problems);
    origin.restore(&origin.folder("backup"), "new").unwrap();
    let restored = origin.open("new");
    assert!(!restored.model_dir(&origin.models[1]).join(POLICY_FILE).exists());
    assert!(restored.recovery().problems.is_empty());

    spoil(&origin.models[3]);
    let error = origin.store.backup(&origin.folder("second"), BackupScope::Referenced).unwrap_err();
    assert!(error.to_string().contains(origin.models[3].as_str()), "{error}");
    let error = origin.restore(&origin.folder("second"), "other").unwrap_err().to_string();
    assert!(error.contains("is an incomplete backup"), "{error}");
}

#[test]
fn optimizer_states_come_along_and_what_retention_removed_stays_removed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let default = LineName::default();
    let old = make_model(&store, &default).model_id;
    let run = store.allocate_run_id().unwrap();
    let dir = store.staging_dir("a-1").unwrap();
    for name in [POLICY_FILE, OPTIMIZER_FILE, "notes.txt"] {
        fs::write(dir.join(name), name).unwrap();
    }
    let champion = store.adopt("a-1", crate::fixture::record(&run, &default)).unwrap();
    promote(&store, &default, None, &champion.model_id).unwrap();
    let all = walkforward_store::RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };
    store.prune(None, &all).unwrap();
    let backup = fixture.dir.path().join("backup");
    store.backup(&backup, BackupScope::AllModels).unwrap();
    let target = fixture.dir.path().join("new");
    restore(&backup, &target.join("data"), &target.join("models")).unwrap();
    let restored = Store::open(&target.join("data"), &target.join("models"), fixture.clock.clone()).unwrap();
    let dir = restored.model_dir(&champion.model_id);
    assert_eq!(fs::read_to_string(dir.join(OPTIMIZER_FILE)).unwrap(), OPTIMIZER_FILE);
    assert_eq!(fs::read_to_string(dir.join("notes.txt")).unwrap(), "notes.txt");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(dir.join(POLICY_FILE)).unwrap().permissions());
    assert_eq!(mode & 0o222, 0, "weights are read-only again");
    let removed = restored.model(&old).unwrap().weights_removed.unwrap();
    assert_eq!(removed.by, RemovedBy::Retention);
    try_make_model(&restored, &default, |_| {}).unwrap();
}
