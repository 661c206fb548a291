//! A models folder belongs to one database: who may open it, and who may take it over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;
use walkforward_core::{ErrorKind, LineName};
use walkforward_store::{BackupScope, ModelsOwner, PointerReader, Store, StoreError, restore};

use crate::fixture::{Fixture, make_model, promote, time};

/// Two data folders `a` and `b` and a models folder, side by side.
struct Place(Fixture);

impl Place {
    fn new() -> Self {
        Self(Fixture::new())
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.dir.path().join(name)
    }

    fn open(&self, data: &str, models: &str) -> Result<Store, StoreError> {
        Store::open(&self.folder(data), &self.folder(models), self.0.clock.clone())
    }

    fn take_over(&self, data: &str, models: &str) -> Result<Option<ModelsOwner>, StoreError> {
        let clock = self.0.clock.clone();
        Store::take_over(&self.folder(data), &self.folder(models), clock, "a test").map(|(_, former)| former)
    }

    fn owner(&self, models: &str) -> ModelsOwner {
        serde_json::from_slice(&fs::read(self.folder(models).join("owner.json")).unwrap()).unwrap()
    }

    fn copy(&self, from: &str, to: &str) {
        let status = Command::new("cp").arg("-r").args([self.folder(from), self.folder(to)]).status();
        assert!(status.unwrap().success());
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder(from), self.folder(to)).unwrap();
    }
}

/// The refusal, whose message has all `parts`.
fn refused<T>(result: Result<T, StoreError>, parts: &[&str]) {
    let Err(error) = result else { panic!("it was let in") };
    assert!(matches!(error, StoreError::ForeignModels { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "no '{part}' in: {text}");
    }
}

fn text(path: &Path) -> String {
    path.canonicalize().unwrap().display().to_string()
}

#[test]
fn a_second_database_is_refused_and_both_are_named() {
    let place = Place::new();
    drop(place.open("a", "models").unwrap());
    place.0.clock.set(time("2024-02-02T00:00:00Z"));
    let [a, b] = ["a", "b"].map(|name| place.folder(name).display().to_string());
    let parts = [&a, &b, "2024-01-01T00:00", "2024-02-02T00:00", "--models-dir", "models take-over"];
    refused(place.open("b", "models"), &parts.map(|part: &str| part));
    drop(place.open("b", "others").unwrap());
    drop(place.open("a", "models").unwrap());
    let owner = place.owner("models");
    assert_eq!((&owner.data_dir, owner.database_id.len()), (&text(&place.folder("a")), 32));
    assert_ne!(owner.database_id, place.owner("others").database_id);
}

#[test]
fn a_folder_of_a_version_without_owners_goes_to_the_first_who_opens_it() {
    let place = Place::new();
    make_model(&place.open("a", "models").unwrap(), &LineName::default());
    fs::remove_file(place.folder("models/owner.json")).unwrap();
    drop(place.open("a", "models").unwrap());
    refused(place.open("b", "models"), &["belongs to the database of"]);
}

#[test]
fn folders_that_are_moved_stay_together() {
    let place = Place::new();
    drop(place.open("a", "models").unwrap());
    place.rename("a", "moved");
    drop(place.open("moved", "models").unwrap());
    assert_eq!(place.owner("models").data_dir, text(&place.folder("moved")));
    place.rename("models", "elsewhere");
    drop(place.open("moved", "elsewhere").unwrap());
    fs::create_dir(place.folder("sub")).unwrap();
    place.rename("moved", "sub/data");
    place.rename("elsewhere", "sub/models");
    drop(place.open("sub/data", "sub/models").unwrap());
    std::os::unix::fs::symlink(place.folder("sub"), place.folder("link")).unwrap();
    drop(place.open("link/data", "sub/models").unwrap());
    assert_eq!(place.owner("sub/models").data_dir, text(&place.folder("sub/data")));
}

#[test]
fn copies_of_both_folders_are_two_installations_and_a_copy_of_one_is_refused() {
    let place = Place::new();
    drop(place.open("a", "models").unwrap());
    place.copy("a", "copy");
    refused(place.open("copy", "models"), &["is a copy of that", "--models-dir"]);
    refused(place.take_over("copy", "models"), &["is still there"]);
    place.copy("models", "models-copy");
    drop(place.open("copy", "models-copy").unwrap());
    drop(place.open("a", "models").unwrap());
    refused(place.open("a", "models-copy"), &["is a copy of that"]);
}

#[test]
fn a_backup_restored_elsewhere_owns_what_was_restored_and_nothing_else() {
    let place = Place::new();
    let store = place.open("a", "models").unwrap();
    let model = make_model(&store, &LineName::default()).model_id;
    promote(&store, &LineName::default(), None, &model).unwrap();
    store.backup(&place.folder("backup"), BackupScope::Referenced).unwrap();
    restore(&place.folder("backup"), &place.folder("new"), &place.folder("new-models")).unwrap();
    let restored = place.open("new", "new-models").unwrap();
    assert_eq!(restored.champion(&LineName::default()).unwrap().unwrap().record.model_id, model);
    assert_eq!(place.owner("new-models").database_id, place.owner("models").database_id);
    refused(place.open("new", "models"), &["is a copy of that"]);
    refused(place.open("a", "new-models"), &["is a copy of that"]);
    // The first machine is lost: the copy is what there is.
    drop((store, restored));
    fs::remove_dir_all(place.folder("a")).unwrap();
    drop(place.open("new", "models").unwrap());
}

#[test]
fn a_folder_is_taken_over_once_its_database_is_gone_and_nobody_uses_it() {
    let place = Place::new();
    let store = place.open("a", "models").unwrap();
    let model = make_model(&store, &LineName::default()).model_id;
    refused(place.take_over("b", "models"), &["is still there", "move it away"]);
    place.rename("a", "away");
    refused(place.take_over("b", "models"), &["in use by a process"]);
    drop(store);
    refused(place.open("b", "models"), &["take-over"]);
    let former = place.take_over("b", "models").unwrap().unwrap();
    assert!(former.data_dir.ends_with("/a"), "{former:?}");
    let store = place.open("b", "models").unwrap();
    assert_eq!(store.models(&LineName::default()).unwrap(), [model]);
    let event = store.events_after(0, 10).unwrap().into_iter().find(|it| it.kind == "models_taken_over");
    let payload = event.unwrap().payload;
    assert_eq!((&payload["reason"], payload["former"]["dataDir"].is_string()), (&"a test".into(), true));
    refused(place.open("away", "models"), &["belongs to the database of"]);
    assert_eq!(place.take_over("b", "models").unwrap(), None, "it is its own already");
}

#[test]
fn another_database_at_the_same_place_does_not_take_its_place_unasked() {
    let place = Place::new();
    drop(place.open("a", "models").unwrap());
    place.0.clock.set(time("2024-01-01T00:00:01Z"));
    // As where the disk of the data folder is not mounted.
    place.rename("a", "unmounted");
    refused(place.open("a", "models"), &["take-over"]);
    fs::remove_dir_all(place.folder("a")).unwrap();
    place.rename("unmounted", "a");
    drop(place.open("a", "models").unwrap());
}

#[test]
fn a_damaged_owner_is_refused_and_written_anew_on_request() {
    let place = Place::new();
    drop(place.open("a", "models").unwrap());
    fs::write(place.folder("models/owner.json"), "{").unwrap();
    refused(place.open("a", "models"), &["owner.json", "is damaged", "take-over"]);
    place.take_over("a", "models").unwrap();
    drop(place.open("a", "models").unwrap());
}

#[test]
fn a_trader_needs_neither_database_nor_owner() {
    let place = Place::new();
    let store = place.open("a", "models").unwrap();
    let model = make_model(&store, &LineName::default()).model_id;
    promote(&store, &LineName::default(), None, &model).unwrap();
    drop(store);
    fs::remove_dir_all(place.folder("a")).unwrap();
    let owner: Value = serde_json::from_slice(&fs::read(place.folder("models/owner.json")).unwrap()).unwrap();
    assert!(owner["databaseId"].is_string());
    for _ in 0..2 {
        let read = PointerReader::new(place.folder("models"), LineName::default()).read().unwrap();
        assert_eq!(read.unwrap().0.model_id, model);
        fs::write(place.folder("models/owner.json"), "{").unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever is opened, moved and copied: whoever opened a models folder keeps every other data folder out of it for as
    /// long as it is there.
    #[test]
    fn two_data_folders_never_share_a_models_folder(steps in prop::collection::vec((0..4_u8, 0..3_usize), 1..24)) {
        let names = ["a", "b", "c"];
        let place = Place::new();
        let mut last: Option<usize> = None;
        for (step, (kind, which)) in steps.into_iter().enumerate() {
            place.0.clock.set(time("2024-01-01T00:00:00Z").plus_millis(1 + step as i64));
            let other = (which + 1) % names.len();
            let is_there = |index: usize| place.folder(names[index]).exists();
            match kind {
                0 | 1 => {
                    let opened = place.open(names[which], "models").is_ok();
                    if let Some(last) = last.filter(|&last| last != which && is_there(last)) {
                        prop_assert!(!opened, "{} and {}", names[last], names[which]);
                    }
                    last = if opened { Some(which) } else { last };
                }
                2 if is_there(which) && !is_there(other) => {
                    place.rename(names[which], names[other]);
                    // Until it is opened at its new place it can't be told from a copy at the old one.
                    last = last.filter(|&last| last != which);
                }
                3 if is_there(which) && !is_there(other) => place.copy(names[which], names[other]),
                _ => {}
            }
        }
    }
}
