//! Champions that a watch takes back, and the quarantine of their arms.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;
use walkforward_core::{ArmId, LineName, ModelId, Timestamp};
use walkforward_store::{
    KeepReason, PromotionKind, PromotionState, RetentionPolicy, RollbackRequest, Snapshot, Store, StoreError,
    TakenBack,
};

use crate::fixture::{Fixture, Switch, line, make_model, move_pointer, promote, time};

const DAY: Duration = Duration::from_secs(86_400);
const RULE: &str = "evidence";
const SENTENCE: &str = "E is 5.2, and 5 takes a champion back";

/// A store whose line has two arms.
struct Line {
    fixture: Fixture,
    store: Store,
    name: LineName,
    arms: [ArmId; 2],
}

impl Line {
    fn new() -> Self {
        let fixture = Fixture::new();
        let store = fixture.open();
        let name = LineName::default();
        let arms = [0, 1].map(|arm| store.register_arm(&name, &json!({ "arm": arm })).unwrap());
        Self { fixture, store, name, arms }
    }

    /// A new model of an arm, or of none.
    fn model(&self, arm: Option<usize>) -> ModelId {
        let record = make_model(&self.store, &self.name);
        if let Some(arm) = arm {
            let (published_at, lineage_until) = (self.fixture.clock_now(), record.lineage_until);
            let snapshot = Snapshot { model: record.model_id.clone(), published_at, lineage_until };
            self.store.publish_snapshot(&self.arms[arm], &snapshot).unwrap();
        }
        record.model_id
    }

    fn champion(&self) -> Option<ModelId> {
        self.store.champion(&self.name).unwrap().map(|champion| champion.record.model_id)
    }

    /// Makes new models of these arms champions, one after the other.
    fn reign(&self, arms: &[Option<usize>]) -> Vec<ModelId> {
        let crown = |arm: &Option<usize>| {
            let (before, model) = (self.champion(), self.model(*arm));
            promote(&self.store, &self.name, before.as_ref(), &model).unwrap();
            model
        };
        arms.iter().map(crown).collect()
    }

    fn take_back(&self, champion: &ModelId) -> Result<TakenBack, StoreError> {
        take_back(&self.store, &self.name, champion)
    }
}

fn take_back(store: &Store, line: &LineName, champion: &ModelId) -> Result<TakenBack, StoreError> {
    store.roll_back_guarded(&RollbackRequest {
        line,
        expected_champion: champion,
        rule: RULE,
        sentence: SENTENCE,
        quarantine: RollbackRequest::DEFAULT_QUARANTINE,
    })
}

#[test]
fn a_watch_goes_back_to_the_other_arm_and_puts_the_arm_of_the_champion_into_quarantine() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(0), Some(1), Some(1)]);
    let taken = line.take_back(&models[3]).unwrap();
    assert_eq!((line.champion().as_ref(), taken.promotion.to()), (Some(&models[1]), &models[1]));
    assert_eq!((taken.promotion.from(), taken.promotion.kind()), (Some(&models[3]), PromotionKind::Rollback));
    let since = taken.promotion.pointer().promoted_at;
    let until = since.plus_millis(14 * 86_400_000);
    assert_eq!(taken.quarantined, Some((line.arms[1].clone(), until)));
    assert_eq!(line.store.quarantined_until(&line.arms[1], since).unwrap(), Some(until));
    assert_eq!(line.store.quarantined_until(&line.arms[1], until).unwrap(), None);
    assert_eq!(line.store.quarantined_until(&line.arms[0], since).unwrap(), None);
    let rows = line.store.guarded_rollbacks(Some(&line.name)).unwrap();
    let row = &rows[0];
    assert_eq!((rows.len(), &row.model, row.sequence, row.since), (1, &models[3], 5, since));
    assert_eq!((row.rule.as_str(), row.sentence.as_str()), (RULE, SENTENCE));
    let history = line.store.promotions(&line.name).unwrap().pop().unwrap();
    assert_eq!(history.reason, format!("{RULE}: {SENTENCE}"));
    let event = line.store.events_after(0, 100).unwrap().pop().unwrap();
    assert_eq!((event.kind.as_str(), &event.payload["guard"]["rule"]), ("model_rolled_back", &json!(RULE)));
    assert_eq!(event.payload["guard"]["quarantine"]["arm"], line.arms[1].as_str());
    // Whoever asks again, knowing the champion of before, changes nothing.
    let again = line.take_back(&models[3]).unwrap_err();
    assert!(matches!(again, StoreError::PointerMoved { .. }), "{again}");
    assert_eq!(line.champion().as_ref(), Some(&models[1]));
}

#[test]
fn earlier_champions_that_do_not_load_are_passed_over() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(0), Some(1)]);
    fs::write(line.store.model_dir(&models[1]).join("policy.safetensors"), "of somebody else").unwrap();
    line.take_back(&models[2]).unwrap();
    assert_eq!(line.champion().as_ref(), Some(&models[0]));
}

#[test]
fn an_earlier_champion_that_a_disk_does_not_give_is_passed_over_and_told() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(0), Some(1)]);
    // Reading a folder fails, and not because nothing is there.
    let break_weights = |model: &ModelId| {
        let weights = line.store.model_dir(model).join("policy.safetensors");
        fs::rename(&weights, weights.with_extension("aside")).unwrap();
        fs::create_dir(&weights).unwrap();
    };
    break_weights(&models[1]);
    let taken = line.take_back(&models[2]).unwrap();
    assert_eq!(line.champion().as_ref(), Some(&models[0]));
    let [passed_over] = &taken.passed_over[..] else { panic!("{:?}", taken.passed_over) };
    assert!(passed_over.contains(models[1].as_str()), "{passed_over}");
}

#[test]
fn where_a_disk_gives_none_of_the_earlier_champions_the_failure_is_told_and_nothing_changes() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(1)]);
    let weights = line.store.model_dir(&models[0]).join("policy.safetensors");
    fs::rename(&weights, weights.with_extension("aside")).unwrap();
    fs::create_dir(&weights).unwrap();
    let error = line.take_back(&models[1]).unwrap_err();
    assert!(matches!(error, StoreError::Files(_)), "{error}");
    assert_eq!(line.champion().as_ref(), Some(&models[1]));
    fs::remove_dir(&weights).unwrap();
    fs::rename(weights.with_extension("aside"), &weights).unwrap();
    line.take_back(&models[1]).unwrap();
    assert_eq!(line.champion().as_ref(), Some(&models[0]));
}

#[test]
fn without_another_arm_an_earlier_champion_of_the_same_arm_comes_back() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(0)]);
    let taken = line.take_back(&models[1]).unwrap();
    assert_eq!(line.champion().as_ref(), Some(&models[0]));
    assert_eq!(taken.quarantined.unwrap().0, line.arms[0]);
    // And from that one there is no way back.
    let nothing = line.take_back(&models[0]).unwrap_err();
    assert!(matches!(nothing, StoreError::NoEarlierChampion { .. }), "{nothing}");
    assert!(nothing.to_string().contains("no champion before"), "{nothing}");
    let pending = |row: &walkforward_store::PromotionRow| row.state == PromotionState::Pending;
    assert!(!line.store.promotions(&line.name).unwrap().iter().any(pending));
    assert_eq!(line.store.guarded_rollbacks(None).unwrap().len(), 1);
}

#[test]
fn an_arm_in_quarantine_is_no_way_back() {
    let line = Line::new();
    let models = line.reign(&[None, Some(0), Some(1)]);
    line.take_back(&models[2]).unwrap();
    // A person puts it back; then the arm before it breaks a rule too.
    move_pointer(&line.store, &line.name, Some(&models[1]), &models[2], PromotionKind::Rollback).unwrap();
    move_pointer(&line.store, &line.name, Some(&models[2]), &models[1], PromotionKind::Rollback).unwrap();
    let taken = line.take_back(&models[1]).unwrap();
    assert_eq!((taken.promotion.to(), line.champion().as_ref()), (&models[0], Some(&models[0])));
}

#[test]
fn a_champion_without_an_arm_is_taken_back_and_leaves_nothing_in_quarantine() {
    let line = Line::new();
    let models = line.reign(&[None, None]);
    let taken = line.take_back(&models[1]).unwrap();
    assert_eq!((taken.quarantined, line.champion().as_ref()), (None, Some(&models[0])));
    assert_eq!(line.store.guarded_rollbacks(None).unwrap()[0].quarantine, None);
}

#[test]
fn a_watch_has_to_say_why() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(1)]);
    let ask = |rule: &str, sentence: &str, quarantine| {
        let expected_champion = &models[1];
        let request = RollbackRequest { line: &line.name, expected_champion, rule, sentence, quarantine };
        line.store.roll_back_guarded(&request).unwrap_err().to_string()
    };
    assert!(ask(" ", SENTENCE, DAY).contains("one of them is empty"));
    assert!(ask(RULE, "", DAY).contains("one of them is empty"));
    assert!(ask(RULE, SENTENCE, 4_000 * DAY).contains("4000 days: at most 3650"));
    assert_eq!(line.champion().as_ref(), Some(&models[1]));
}

#[test]
fn no_model_of_a_quarantined_arm_is_promoted_before_its_time() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(1)]);
    line.take_back(&models[1]).unwrap();
    let fresh = line.model(Some(1));
    let try_it = || promote(&line.store, &line.name, Some(&models[0]), &fresh);
    let refused = try_it().unwrap_err().to_string();
    assert!(refused.contains("is in quarantine until") && refused.contains("models release"), "{refused}");
    let other = line.model(Some(0));
    promote(&line.store, &line.name, Some(&models[0]), &other).unwrap();
    move_pointer(&line.store, &line.name, Some(&other), &models[0], PromotionKind::Rollback).unwrap();
    line.fixture.wait(14 * DAY);
    try_it().unwrap();
}

#[test]
fn a_release_says_who_and_why_and_stays() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(1)]);
    line.take_back(&models[1]).unwrap();
    let arm = &line.arms[1];
    let refused =
        |arm: &ArmId, by: &str, why: &str| line.store.release_arm(arm, by, why).unwrap_err().to_string();
    assert!(refused(arm, "uid 7", " ").contains("needs a reason"));
    assert!(refused(arm, "", "fixed").contains("name of who answers"));
    assert!(refused(&line.arms[0], "uid 7", "fixed").contains("not in quarantine"));
    let released = line.store.release_arm(arm, "uid 7", "the feed was wrong").unwrap();
    let release = released[0].quarantine.as_ref().unwrap().release.as_ref().unwrap();
    assert_eq!((release.by.as_str(), release.reason.as_str()), ("uid 7", "the feed was wrong"));
    assert_eq!(line.store.guarded_rollbacks(None).unwrap(), released);
    assert_eq!(line.store.events_after(0, 100).unwrap().pop().unwrap().kind, "arm_released");
    assert!(refused(arm, "uid 7", "again").contains("not in quarantine"));
    let fresh = line.model(Some(1));
    promote(&line.store, &line.name, Some(&models[0]), &fresh).unwrap();
    // A new offence is a new quarantine.
    line.take_back(&fresh).unwrap();
    assert!(line.store.quarantined_until(arm, line.fixture.clock_now()).unwrap().is_some());
}

#[test]
fn what_is_known_of_quarantines_is_never_changed() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(1)]);
    line.take_back(&models[1]).unwrap();
    line.store.release_arm(&line.arms[1], "uid 7", "fixed").unwrap();
    let db = Connection::open(line.fixture.data_dir().join("walkforward.db")).unwrap();
    for sql in [
        "UPDATE guarded_rollbacks SET quarantined_until = '2000'",
        "DELETE FROM guarded_rollbacks",
        "UPDATE quarantine_releases SET reason = 'x'",
        "DELETE FROM quarantine_releases",
    ] {
        assert!(db.execute(sql, []).is_err(), "{sql}");
    }
}

#[test]
fn the_champion_to_go_back_to_keeps_its_weights() {
    let line = Line::new();
    let models = line.reign(&[Some(0), Some(0), Some(1), Some(1), Some(1), Some(1), Some(1), Some(1)]);
    line.fixture.wait(400 * DAY);
    let policy = RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };
    let kept = line.store.prunable(None, &policy).unwrap().kept;
    let why = |model: &ModelId| kept.iter().find(|it| it.model == *model).map(|it| it.why.clone());
    assert_eq!(why(&models[1]), Some(KeepReason::EarlierChampion(line.name.clone())));
}

/// Fails a guarded rollback at its `step`th step, and starts again. Whether the rollback is in effect then; none when it
/// has no such step.
fn fails_at(step: i64, is_crash: bool) -> Option<bool> {
    let Line { fixture, store, name, arms } = Line::new();
    drop(store);
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let line = Line { fixture, store, name, arms };
    let models = line.reign(&[Some(0), Some(1)]);
    switch.arm(step, is_crash);
    let taken = line.take_back(&models[1]);
    let has_failed = switch.has_failed();
    assert!(has_failed || taken.is_ok(), "step {step}");
    let Line { fixture, store, name, arms } = line;
    drop(store);
    let store = fixture.open();
    let rows = store.promotions(&name).unwrap();
    assert!(rows.iter().all(|row| row.state != PromotionState::Pending), "{rows:?}");
    let champion = store.champion(&name).unwrap().unwrap().record.model_id;
    let is_back = champion == models[0];
    assert_eq!(is_back, taken.is_ok(), "step {step}");
    // Both or neither.
    let now: Timestamp = fixture.clock_now();
    assert_eq!(store.quarantined_until(&arms[1], now).unwrap().is_some(), is_back, "step {step}");
    assert_eq!(store.guarded_rollbacks(None).unwrap().len(), usize::from(is_back), "step {step}");
    // Who asks again after a crash gets it, or learns that it has happened.
    match take_back(&store, &name, &models[1]) {
        Ok(_) => assert!(!is_back, "step {step}"),
        Err(StoreError::PointerMoved { .. }) => assert!(is_back, "step {step}"),
        Err(error) => panic!("step {step}: {error}"),
    }
    assert!(store.quarantined_until(&arms[1], now).unwrap().is_some());
    has_failed.then_some(is_back)
}

#[test]
fn a_guarded_rollback_that_fails_or_dies_at_any_step_is_in_effect_with_its_quarantine_or_not_at_all() {
    for is_crash in [false, true] {
        let is_back: Vec<bool> = (0..100).map_while(|step| fails_at(step, is_crash)).collect();
        assert!(is_back.is_sorted() && is_back.contains(&false) && is_back.contains(&true), "{is_back:?}");
        assert!((8..100).contains(&is_back.len()), "{is_back:?}");
    }
}

#[test]
fn a_release_that_fails_leaves_the_quarantine() {
    let Line { fixture, store, name, arms } = Line::new();
    drop(store);
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let line = Line { fixture, store, name, arms };
    let models = line.reign(&[Some(0), Some(1)]);
    line.take_back(&models[1]).unwrap();
    switch.arm(0, true);
    let error = line.store.release_arm(&line.arms[1], "uid 7", "fixed").unwrap_err();
    assert!(error.is_environment_fault(), "{error}");
    let now = line.fixture.clock_now();
    assert!(line.store.quarantined_until(&line.arms[1], now).unwrap().is_some());
}

#[test]
fn an_unknown_line_and_an_unknown_arm_are_named() {
    let line_with = Line::new();
    let models = line_with.reign(&[Some(0)]);
    let other = line("other");
    let error = take_back(&line_with.store, &other, &models[0]).unwrap_err();
    assert!(error.to_string().contains("'other'"), "{error}");
    let arm: ArmId = "0123456789abcdef".parse().unwrap();
    let error = line_with.store.release_arm(&arm, "uid 7", "x").unwrap_err().to_string();
    assert!(error.contains("there is no arm '0123456789abcdef'"), "{error}");
    assert_eq!(line_with.store.quarantined_until(&arm, time("2024-01-01T00:00:00Z")).unwrap(), None);
}
