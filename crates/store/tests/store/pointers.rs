//! What stands between a pointer file and a model that trades, and how champions change.

use std::fs;
use std::path::Path;

use crate::fixture::{Fixture, line, make_model, move_pointer, promote, try_make_model, verdict};
use walkforward_core::{ErrorKind, Metrics, ModelId, Outcome};
use walkforward_store::{
    ModelRecord, ModelStatus, PointerProblem, PointerReader, PromotionKind, PromotionRequest, PromotionState,
    Store, StoreError,
};

fn with_champion() -> (Fixture, Store, ModelRecord) {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    (fixture, store, model)
}

/// Spoils something in the models folder; then the store, the reader and a promotion all refuse with this problem,
/// and the pointer stays as it is.
fn check(spoil: impl FnOnce(&Path, &ModelRecord), expected: fn(&PointerProblem) -> bool) {
    let (fixture, store, model) = with_champion();
    spoil(&fixture.models_dir(), &model);
    let pointer = fs::read(fixture.models_dir().join("latest.json")).unwrap();
    let candidate = make_model(&store, &line("default"));
    let failures = [
        store.pointer(&line("default")).unwrap_err(),
        PointerReader::new(fixture.models_dir(), line("default")).read().unwrap_err(),
        promote(&store, &line("default"), Some(&model.model_id), &candidate.model_id).unwrap_err(),
    ];
    for error in failures {
        assert!(error.to_string().contains("latest.json"), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let StoreError::Pointer { problem, .. } = error else { panic!("{error}") };
        assert!(expected(&problem), "{problem}");
    }
    drop(store);
    fixture.open();
    assert_eq!(fs::read(fixture.models_dir().join("latest.json")).unwrap(), pointer);
}

fn edit_pointer(models: &Path, from: &str, to: &str) {
    let path = models.join("latest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_truncated_pointer_is_refused() {
    let cut = |models: &Path, _: &ModelRecord| {
        let path = models.join("latest.json");
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    check(cut, |problem| matches!(problem, PointerProblem::Malformed(_)));
    let empty = |models: &Path, _: &ModelRecord| fs::write(models.join("latest.json"), "").unwrap();
    check(empty, |problem| matches!(problem, PointerProblem::Malformed(_)));
}

#[test]
fn a_pointer_out_of_the_models_folder_is_refused() {
    let absolute = |models: &Path, model: &ModelRecord| {
        edit_pointer(models, &format!("\"{}/policy", model.model_id), "\"/tmp/policy");
    };
    check(absolute, |problem| matches!(problem, PointerProblem::OutsideModels { key: "modelPath", .. }));
    let upwards = |models: &Path, model: &ModelRecord| {
        edit_pointer(models, &format!("{}/metadata.json", model.model_id), "../x/metadata.json");
    };
    check(upwards, |problem| matches!(problem, PointerProblem::OutsideModels { key: "metadataPath", .. }));
    let linked = |models: &Path, model: &ModelRecord| {
        let (dir, outside) = (models.join(model.model_id.as_str()), models.parent().unwrap().join("outside"));
        fs::rename(&dir, &outside).unwrap();
        std::os::unix::fs::symlink(outside, dir).unwrap();
    };
    check(linked, |problem| matches!(problem, PointerProblem::OutsideModels { .. }));
}

#[test]
fn a_pointer_to_another_folder_of_the_models_is_refused() {
    let other = |models: &Path, model: &ModelRecord| {
        edit_pointer(models, &format!("{}/policy", model.model_id), "lines/policy");
    };
    check(other, |problem| matches!(problem, PointerProblem::OtherPath { key: "modelPath", .. }));
}

#[test]
fn a_pointer_to_a_missing_model_is_refused() {
    let gone = |models: &Path, model: &ModelRecord| {
        fs::remove_dir_all(models.join(model.model_id.as_str())).unwrap();
    };
    check(gone, |problem| matches!(problem, PointerProblem::MissingFile { .. }));
}

/// Spoils the weights of the champion: nobody trades it any more, and the line can still get another champion.
fn check_damage(spoil: impl FnOnce(&Path), expected: fn(&PointerProblem) -> bool) {
    let (fixture, store, model) = with_champion();
    spoil(&fixture.models_dir().join(model.model_id.as_str()).join("policy.safetensors"));
    let readers = [
        store.pointer(&line("default")).unwrap_err(),
        PointerReader::new(fixture.models_dir(), line("default")).read().unwrap_err(),
    ];
    for error in readers {
        let StoreError::Pointer { problem, .. } = error else { panic!("{error}") };
        assert!(expected(&problem), "{problem}");
    }
    let champion = store.champion(&line("default")).unwrap().unwrap();
    assert_eq!(champion.record.model_id, model.model_id);
    assert!(champion.damage.unwrap().contains("policy.safetensors"));
    assert!(store.weights_problem(&champion.record).unwrap().is_some());

    let candidate = make_model(&store, &line("default"));
    let error = promote(&store, &line("default"), None, &candidate.model_id).unwrap_err();
    assert!(matches!(error, StoreError::PointerMoved { .. }), "{error}");
    promote(&store, &line("default"), Some(&model.model_id), &candidate.model_id).unwrap();
    assert_eq!(store.champion(&line("default")).unwrap().unwrap().damage, None);
}

#[test]
fn a_champion_without_its_weights_is_refused_to_traders_and_can_be_replaced() {
    check_damage(
        |weights| fs::remove_file(weights).unwrap(),
        |problem| matches!(problem, PointerProblem::MissingFile { .. }),
    );
}

#[test]
fn a_champion_with_other_weights_is_refused_to_traders_and_can_be_replaced() {
    let change = |weights: &Path| {
        fs::remove_file(weights).unwrap();
        fs::write(weights, "weights of somebody else").unwrap();
    };
    check_damage(change, |problem| matches!(problem, PointerProblem::OtherHash { .. }));
}

#[test]
fn a_record_that_forgets_what_its_model_has_seen_is_refused() {
    let (fixture, store, model) = with_champion();
    let path = fixture.models_dir().join(model.model_id.as_str()).join("metadata.json");
    let mut record = model.clone();
    record.lineage_until = model.lineage_until.plus_millis(-1);
    record.used_until = record.lineage_until;
    record.training.used_until = record.lineage_until;
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    for error in [store.model(&model.model_id).unwrap_err(), store.champion(&line("default")).unwrap_err()] {
        assert!(error.to_string().contains("lineageUntil") && error.kind() == ErrorKind::BadInput, "{error}");
    }
    record.used_until = model.used_until;
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    let error = store.model(&model.model_id).unwrap_err().to_string();
    assert!(error.contains("until when it used bars"), "{error}");
}

#[test]
fn a_damaged_or_foreign_record_is_refused() {
    let cut = |models: &Path, model: &ModelRecord| {
        fs::write(models.join(model.model_id.as_str()).join("metadata.json"), "{").unwrap();
    };
    check(cut, |problem| matches!(problem, PointerProblem::OtherRecord { .. }));
    let market = |models: &Path, _: &ModelRecord| edit_pointer(models, "BTC/USD", "ETH/USD");
    check(market, |problem| matches!(problem, PointerProblem::OtherRecord { .. }));
    let line = |models: &Path, _: &ModelRecord| edit_pointer(models, "\"default\"", "\"eth\"");
    check(line, |problem| matches!(problem, PointerProblem::OtherLine(_)));
}

#[test]
fn a_line_without_a_pointer_has_no_champion() {
    let fixture = Fixture::new();
    assert_eq!(fixture.open().champion(&line("default")).unwrap(), None);
    let mut reader = PointerReader::new(fixture.dir.path().join("nowhere"), line("default"));
    assert!(reader.read().unwrap().is_none());
    assert!(reader.changed().unwrap() && !reader.changed().unwrap());
}

#[test]
fn a_reader_sees_each_change_once() {
    let (fixture, store, first) = with_champion();
    let mut reader = PointerReader::new(fixture.models_dir(), line("default"));
    assert!(reader.changed().unwrap());
    assert!(!reader.changed().unwrap());
    let second = make_model(&store, &line("default"));
    promote(&store, &line("default"), Some(&first.model_id), &second.model_id).unwrap();
    assert!(reader.changed().unwrap());
    assert_eq!(reader.read().unwrap().unwrap().1.id, second.model_id);
    assert!(!reader.changed().unwrap());
}

#[test]
fn a_promotion_against_a_champion_that_has_gone_is_refused() {
    let (_fixture, store, first) = with_champion();
    let (second, third) = (make_model(&store, &line("default")), make_model(&store, &line("default")));
    promote(&store, &line("default"), Some(&first.model_id), &second.model_id).unwrap();
    for expected in [None, Some(&first.model_id)] {
        let error = promote(&store, &line("default"), expected, &third.model_id).unwrap_err();
        let StoreError::PointerMoved { found, .. } = error else { panic!("{error}") };
        assert_eq!(found.as_ref(), Some(&second.model_id));
    }
    assert_eq!(store.pointer(&line("default")).unwrap().unwrap().model_id, second.model_id);
    assert_eq!(store.model(&third.model_id).unwrap().status, ModelStatus::Trained);
}

#[test]
fn promotions_and_rollbacks_count_up_and_stay_in_the_history() {
    let (_fixture, store, first) = with_champion();
    let second = make_model(&store, &line("default"));
    let promotion = promote(&store, &line("default"), Some(&first.model_id), &second.model_id).unwrap();
    assert_eq!(
        (promotion.sequence(), promotion.from(), promotion.to()),
        (2, Some(&first.model_id), &second.model_id)
    );
    let back = (Some(&second.model_id), &first.model_id);
    move_pointer(&store, &line("default"), back.0, back.1, PromotionKind::Rollback).unwrap();
    let rows = store.promotions(&line("default")).unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [PromotionKind::Promote, PromotionKind::Promote, PromotionKind::Rollback]);
    assert!(rows.iter().all(|row| row.state == PromotionState::Committed));
    let events: Vec<_> = store.events_after(0, 10).unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(events, ["model_promoted", "model_promoted", "model_rolled_back"]);
}

#[test]
fn two_lines_have_champions_of_their_own() {
    let (_fixture, store, first) = with_champion();
    let eth = line("eth");
    let model = try_make_model(&store, &eth, |record| record.symbol = "ETH/USD".parse().unwrap()).unwrap();
    promote(&store, &eth, None, &model.model_id).unwrap();
    assert_eq!(store.pointer(&eth).unwrap().unwrap().model_id, model.model_id);
    assert_eq!(store.pointer(&line("default")).unwrap().unwrap().model_id, first.model_id);
    let error = promote(&store, &eth, Some(&model.model_id), &first.model_id).unwrap_err();
    assert!(error.to_string().contains("belongs to line 'default'"), "{error}");
}

#[test]
fn a_line_keeps_its_symbol_and_timeframe() {
    let (_fixture, store, first) = with_champion();
    let edits: [fn(&mut ModelRecord); 2] = [
        |record| record.symbol = "ETH/USD".parse().unwrap(),
        |record| record.timeframe = "4h".parse().unwrap(),
    ];
    for edit in edits {
        let other = try_make_model(&store, &line("default"), edit).unwrap();
        let error = promote(&store, &line("default"), Some(&first.model_id), &other.model_id).unwrap_err();
        assert!(matches!(error, StoreError::OtherMarket { .. }), "{error}");
    }
    assert_eq!(store.pointer(&line("default")).unwrap().unwrap().model_id, first.model_id);
}

#[test]
fn senseless_promotions_are_refused_and_leave_no_row() {
    let (_fixture, store, first) = with_champion();
    let name = line("default");
    let second = make_model(&store, &name);
    let refused = |outcome, kind, to: &ModelId| {
        let request = PromotionRequest {
            line: &name,
            expected_current: Some(&first.model_id),
            to,
            kind,
            reason: "",
            verdict: &verdict(outcome),
            metrics: &Metrics::default(),
        };
        let error = store.promote(&request).unwrap_err();
        assert!(
            matches!(error, StoreError::RefusedPromotion { .. } | StoreError::UnknownModel { .. }),
            "{error}"
        );
    };
    refused(Outcome::Reject, PromotionKind::Promote, &second.model_id);
    refused(Outcome::Inconclusive, PromotionKind::Promote, &second.model_id);
    refused(Outcome::Promote, PromotionKind::Adopted, &second.model_id);
    refused(Outcome::Promote, PromotionKind::Promote, &first.model_id);
    refused(Outcome::Promote, PromotionKind::Promote, &"model-2020-01-01T00-00-00-000Z".parse().unwrap());
    assert_eq!(store.promotions(&name).unwrap().len(), 1);
}

#[test]
fn a_model_whose_weights_were_changed_is_not_promoted() {
    let (_fixture, store, first) = with_champion();
    let second = make_model(&store, &line("default"));
    let weights = store.model_dir(&second.model_id).join("policy.safetensors");
    fs::remove_file(&weights).unwrap();
    fs::write(weights, "other").unwrap();
    let error = promote(&store, &line("default"), Some(&first.model_id), &second.model_id).unwrap_err();
    assert!(matches!(error, StoreError::BadModel { .. }), "{error}");
}
