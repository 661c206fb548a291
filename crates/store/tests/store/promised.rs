//! Grades of models that a person decides about: what was promised, and what their arm earns since.

use serde_json::json;
use walkforward_core::{Grade, Grading, ModelId, Outcome, PromotionClass, Verdict};
use walkforward_store::{ModelStatus, RunOutcome, Snapshot, Store};

use crate::fixture::{Fixture, make_model, promote, try_make_model, verdict};
use crate::held::{is_held, main_line, refused};

/// A model of the arm `coffee` with a verdict that lets it through or not, held by its run where it does.
fn judged_with(
    store: &Store,
    outcome: Outcome,
    class: PromotionClass,
    grades: [Option<Grade>; 2],
) -> ModelId {
    let [grade, earned] = grades;
    let arm = "00c0ffee00c0ffee".parse().unwrap();
    let grading = Grading { arm, class, grade, earned, reference: "flat".to_owned(), meter: json!({}) };
    let verdict = Verdict { grading: Some(grading), ..verdict(outcome) };
    let model = try_make_model(store, &main_line(), |record| {
        record.status = ModelStatus::Evaluated;
        record.verdict = Some(verdict);
        record.champion_id = store.champion(&main_line()).unwrap().map(|it| it.record.model_id);
    })
    .unwrap();
    store.begin_run(&model.run_id, &main_line()).unwrap();
    store.finish_run(&model.run_id, RunOutcome::Held, None).unwrap();
    model.model_id
}

fn grade_now(store: &Store) -> Option<Grade> {
    store.champion(&main_line()).unwrap().unwrap().pointer.grade
}

const PROVISIONAL: Option<Grade> = Some(Grade::Provisional);
const SCREENED: Option<Grade> = Some(Grade::Screened);
const TAKEOVER: PromotionClass = PromotionClass::Takeover;
const REFRESH: PromotionClass = PromotionClass::Refresh;

#[test]
fn an_overruled_model_has_the_lower_of_its_own_and_its_arms_newest_grade() {
    for (own, newest, expected) in
        [(SCREENED, PROVISIONAL, PROVISIONAL), (PROVISIONAL, SCREENED, PROVISIONAL), (SCREENED, None, None)]
    {
        let fixture = Fixture::new();
        let store = fixture.open();
        let model = judged_with(&store, Outcome::Inconclusive, TAKEOVER, [own, own]);
        // What a refresh keeps is not what the arm earns.
        judged_with(&store, Outcome::Inconclusive, REFRESH, [Some(Grade::Qualified), newest]);
        store.overrule(&model, "the champion is stale").unwrap();
        assert_eq!(grade_now(&store), expected);
        let next = make_model(&store, &main_line()).model_id;
        promote(&store, &main_line(), Some(&model), &next).unwrap();
        store.rollback(&main_line(), None, "back").unwrap();
        assert_eq!(grade_now(&store), expected, "a rollback gives what was given");
    }
}

#[test]
fn an_overruled_model_does_not_keep_what_a_refresh_would_have_kept() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = judged_with(&store, Outcome::Inconclusive, REFRESH, [Some(Grade::Qualified), None]);
    store.overrule(&model, "the champion is stale").unwrap();
    assert_eq!(grade_now(&store), None);
}

#[test]
fn an_approval_is_refused_when_the_arm_no_longer_has_the_grade_that_was_promised() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let held = judged_with(&store, Outcome::Promote, TAKEOVER, [SCREENED, SCREENED]);
    let newest = judged_with(&store, Outcome::Promote, TAKEOVER, [PROVISIONAL, PROVISIONAL]);
    let parts = ["promised screened", "gives provisional", newest.as_str(), held.as_str(), "--overrule"];
    refused(store.approve(&held, "please"), &parts);
    assert!(is_held(&store, &held) && store.champion(&main_line()).unwrap().is_none());
    store.overrule(&held, "with less, then").unwrap();
    assert_eq!(grade_now(&store), PROVISIONAL);
}

#[test]
fn an_approval_holds_while_the_arm_has_what_was_promised_or_more() {
    for newest in [SCREENED, Some(Grade::Qualified)] {
        let fixture = Fixture::new();
        let store = fixture.open();
        let held = judged_with(&store, Outcome::Promote, TAKEOVER, [SCREENED, SCREENED]);
        judged_with(&store, Outcome::Inconclusive, TAKEOVER, [newest, newest]);
        store.approve(&held, "please").unwrap();
        assert_eq!(grade_now(&store), SCREENED, "no more than was approved");
    }
    // A refresh keeps its champion's grade, whatever the ledger says meanwhile.
    let fixture = Fixture::new();
    let store = fixture.open();
    let held = judged_with(&store, Outcome::Promote, REFRESH, [SCREENED, PROVISIONAL]);
    judged_with(&store, Outcome::Promote, REFRESH, [SCREENED, None]);
    store.approve(&held, "please").unwrap();
    assert_eq!(grade_now(&store), SCREENED);
}

#[test]
fn a_newer_snapshot_of_the_arm_whose_record_is_damaged_earns_nothing() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let arm = store.register_arm(&main_line(), &json!({ "a": 1 })).unwrap();
    let [held, damaged, stranger] = [0; 3].map(|_| {
        let id = judged_with(&store, Outcome::Promote, TAKEOVER, [SCREENED, SCREENED]);
        let mut record = store.model(&id).unwrap();
        let verdict = record.verdict.as_mut().unwrap();
        verdict.grading.as_mut().unwrap().arm = arm.clone();
        store.update_model(&record).unwrap();
        id
    });
    let snapshot = |model: &ModelId| {
        let record = store.model(model).unwrap();
        Snapshot {
            model: model.clone(),
            published_at: record.created_at,
            lineage_until: record.lineage_until,
        }
    };
    store.publish_snapshot(&arm, &snapshot(&damaged)).unwrap();
    for model in [&damaged, &stranger] {
        std::fs::write(store.model_dir(model).join("metadata.json"), "{").unwrap();
    }
    refused(store.approve(&held, "please"), &["gives no grade", damaged.as_str()]);
    store.overrule(&held, "with nothing, then").unwrap();
    assert_eq!(grade_now(&store), None);
}
