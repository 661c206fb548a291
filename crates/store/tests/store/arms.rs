//! Arms, snapshots, streams and registered tests.

use serde_json::json;
use walkforward_core::{
    ArmId, Clock, Grade, Grading, LineName, Metrics, ModelId, Outcome, PromotionClass, Timestamp, Verdict,
};
use walkforward_store::{
    KeepReason, PromotionKind, PromotionRequest, RetentionPolicy, ScoredBar, Snapshot, Store, StreamKey,
    StreamPart, arm_id,
};

use crate::fixture::{Fixture, line, make_model, time, verdict};

const HOUR_MS: i64 = 3_600_000;

fn at(hour: i64) -> Timestamp {
    time("2024-01-01T00:00:00Z").plus_millis(hour * HOUR_MS)
}

fn bar(hour: i64) -> ScoredBar {
    let net_return = 0.1 / (hour + 3) as f64;
    ScoredBar {
        close: at(hour),
        net_return,
        position: 1.0 / 3.0,
        is_known: hour % 5 != 0,
        is_replayed: hour < 4,
    }
}

fn part(hours: std::ops::Range<i64>) -> StreamPart {
    StreamPart { bars: hours.map(bar).collect(), deciders: Vec::new(), session: json!({ "cash": 0.1 }) }
}

#[test]
fn an_arm_is_known_by_the_hash_of_its_specification() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let spec = json!({ "pack": { "gamma": 0.99 }, "window_bars": 9096 });
    let id = store.register_arm(&LineName::default(), &spec).unwrap();
    assert_eq!(id, arm_id(&json!({ "window_bars": 9096, "pack": { "gamma": 0.99 } })));
    assert_eq!(store.register_arm(&LineName::default(), &spec).unwrap(), id);
    assert_eq!(store.arms(&LineName::default()).unwrap(), [store.arm(&id).unwrap()]);
    let other = store.register_arm(&line("eth"), &spec).unwrap_err().to_string();
    assert!(other.contains("it belongs to line 'default'"), "{other}");
    let unknown = store.arm(&arm_id(&json!({}))).unwrap_err().to_string();
    assert!(unknown.contains(id.as_str()), "{unknown}");
}

#[test]
fn snapshots_come_in_the_order_in_which_they_could_decide() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let arm = store.register_arm(&LineName::default(), &json!({ "a": 1 })).unwrap();
    let snapshots: Vec<Snapshot> = (0..4)
        .map(|n| {
            let model = make_model(&store, &LineName::default()).model_id;
            Snapshot { model, published_at: at(24 * n), lineage_until: at(24 * n - 300) }
        })
        .collect();
    for snapshot in snapshots.iter().rev() {
        store.publish_snapshot(&arm, snapshot).unwrap();
        store.publish_snapshot(&arm, snapshot).unwrap();
    }
    assert_eq!(store.snapshots(&arm, None).unwrap(), snapshots);
    assert_eq!(store.snapshots(&arm, Some(at(30))).unwrap(), snapshots[1..]);
    assert_eq!(store.snapshots(&arm, Some(at(48))).unwrap(), snapshots[2..]);
    assert_eq!(store.snapshots(&arm, Some(at(-1))).unwrap(), snapshots);
    assert_eq!(store.snapshots_around(&arm, Some(at(48)), 2).unwrap(), snapshots[1..]);
    assert_eq!(store.snapshots_around(&arm, Some(at(99)), 9).unwrap(), snapshots);
    assert_eq!(store.arm_of(&snapshots[2].model).unwrap(), Some(arm.clone()));
    let later = Snapshot { published_at: at(9), ..snapshots[0].clone() };
    assert!(store.publish_snapshot(&arm, &later).unwrap_err().to_string().contains("published for arm"));
}

#[test]
fn a_stream_goes_on_where_it_ended_and_holds_the_same_bits() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let key = StreamKey::Arm(arm_id(&json!({})));
    assert_eq!(
        (store.stream_head(&key).unwrap(), store.stream_bars(&key, None).unwrap()),
        (None, Vec::new())
    );
    let model = make_model(&store, &LineName::default()).model_id;
    let first = StreamPart { deciders: vec![(at(0), Some(model.clone())), (at(3), None)], ..part(0..6) };
    store.extend_stream(&key, None, &first).unwrap();
    store.extend_stream(&key, Some(at(5)), &part(6..9)).unwrap();
    drop(store);
    let store = fixture.open();
    let all: Vec<ScoredBar> = (0..9).map(bar).collect();
    assert_eq!(store.stream_bars(&key, None).unwrap(), all);
    assert_eq!(store.stream_bars(&key, Some(at(6))).unwrap(), all[7..]);
    assert_eq!(store.stream_deciders(&key).unwrap(), [(at(0), Some(model)), (at(3), None)]);
    let head = store.stream_head(&key).unwrap().unwrap();
    assert_eq!((head.last_close, head.session, head.decider), (at(8), json!({ "cash": 0.1 }), None));
}

#[test]
fn a_bar_is_scored_once() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let key = StreamKey::Arm(arm_id(&json!({})));
    store.extend_stream(&key, None, &part(0..6)).unwrap();
    let refused = |after: Option<i64>, part: &StreamPart| {
        store.extend_stream(&key, after.map(at), part).unwrap_err().to_string()
    };
    assert!(refused(None, &part(0..6)).contains("somebody else has extended it"));
    assert!(refused(Some(4), &part(5..8)).contains("it ends with a bar that closes at"));
    assert!(refused(Some(5), &part(5..8)).contains("is not after the one before"));
    assert!(refused(Some(5), &part(6..6)).contains("0 bars are added"));
    let broken = ScoredBar { net_return: f64::NAN, ..bar(6) };
    let broken = StreamPart { bars: vec![broken], ..part(6..6) };
    assert!(refused(Some(5), &broken).contains("not finite"));
    let db = rusqlite::Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    for sql in ["UPDATE stream_bars SET net_return = 1.0", "DELETE FROM stream_bars"] {
        let error = db.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("scored"), "{error}");
    }
    assert_eq!(store.stream_bars(&key, None).unwrap().len(), 6);
}

/// Promotes a new snapshot of `arm`, or a model without one.
fn crown(store: &Store, fixture: &Fixture, arm: Option<&ArmId>, class: Option<PromotionClass>) -> ModelId {
    fixture.clock.set(fixture.clock.now().plus_millis(HOUR_MS));
    let line = LineName::default();
    let model = make_model(store, &line).model_id;
    if let Some(arm) = arm {
        let snapshot = Snapshot { model: model.clone(), published_at: at(0), lineage_until: at(0) };
        store.publish_snapshot(arm, &snapshot).unwrap();
    }
    let grading = arm.zip(class).map(|(arm, class)| Grading {
        arm: arm.clone(),
        class,
        grade: Some(Grade::Provisional),
        earned: Some(Grade::Provisional),
        reference: "flat".to_owned(),
        meter: json!({}),
    });
    let expected = store.champion(&line).unwrap().map(|champion| champion.record.model_id);
    store
        .promote(&PromotionRequest {
            line: &line,
            expected_current: expected.as_ref(),
            to: &model,
            kind: PromotionKind::Promote,
            reason: "test",
            verdict: &Verdict { grading, ..verdict(Outcome::Promote) },
            metrics: &Metrics::default(),
        })
        .unwrap();
    model
}

#[test]
fn the_anchor_is_the_last_takeover_and_remembers_what_it_displaced() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let line = LineName::default();
    let arm = |n: u32| store.register_arm(&line, &json!({ "arm": n })).unwrap();
    let (ada, bob) = (arm(1), arm(2));
    let anchor =
        || store.anchor(&line).unwrap().map(|anchor| (anchor.model, anchor.displaced.map(|it| it.0)));
    assert_eq!(anchor(), None);
    let [takeover, refresh] = [PromotionClass::Takeover, PromotionClass::Refresh].map(Some);
    let first = crown(&store, &fixture, Some(&ada), takeover);
    crown(&store, &fixture, Some(&ada), refresh);
    let third = crown(&store, &fixture, Some(&ada), refresh);
    assert_eq!(anchor(), Some((first.clone(), None)));
    assert_eq!(store.anchor(&line).unwrap().unwrap().arm, Some(ada.clone()));
    let fourth = crown(&store, &fixture, Some(&bob), takeover);
    crown(&store, &fixture, Some(&bob), refresh);
    assert_eq!(anchor(), Some((fourth.clone(), Some(first.clone()))));
    fixture.clock.set(fixture.clock.now().plus_millis(HOUR_MS));
    store.rollback(&line, Some(&third), "worse").unwrap();
    assert_eq!(anchor(), Some((first, None)));
    // Bars since count: those before were used to choose the arm that was taken back.
    assert_eq!(store.anchor(&line).unwrap().unwrap().taken_over_at, fixture.clock.now());
    let bare = crown(&store, &fixture, None, None);
    assert_eq!(anchor().map(|it| it.0), Some(bare));
}

#[test]
fn what_challengers_are_measured_against_keeps_its_weights() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let line = LineName::default();
    let arm = store.register_arm(&line, &json!({ "arm": 1 })).unwrap();
    let anchor = crown(&store, &fixture, Some(&arm), Some(PromotionClass::Takeover));
    for _ in 0..4 {
        crown(&store, &fixture, Some(&arm), Some(PromotionClass::Refresh));
    }
    fixture.clock.set(fixture.clock.now().plus_millis(400 * 24 * HOUR_MS));
    let policy = RetentionPolicy { keep_last: 1, keep_days: 1, reproducible_days: 1 };
    let kept = store.prunable(None, &policy).unwrap().kept;
    assert!(
        kept.iter().any(|it| it.model == anchor && it.why == KeepReason::Reference(line.clone())),
        "{kept:?}"
    );
}

/// Which of the models of a store are kept for the stream of an arm.
fn kept_for(store: &Store, arm: &ArmId) -> Vec<ModelId> {
    let policy = RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };
    let kept = store.prunable(None, &policy).unwrap().kept.into_iter();
    kept.filter(|it| it.why == KeepReason::Deciding(arm.clone())).map(|it| it.model).collect()
}

#[test]
fn what_a_stream_goes_on_with_keeps_its_weights() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let line = LineName::default();
    let arm = store.register_arm(&line, &json!({ "arm": 1 })).unwrap();
    let models: Vec<ModelId> = (0..4)
        .map(|n| {
            let model = make_model(&store, &line).model_id;
            let snapshot =
                Snapshot { model: model.clone(), published_at: at(24 * n), lineage_until: at(-300) };
            store.publish_snapshot(&arm, &snapshot).unwrap();
            model
        })
        .collect();
    store.extend_stream(&StreamKey::Arm(arm.clone()), None, &part(30..50)).unwrap();
    fixture.clock.set(at(24 * 80));
    // The bar that closed last was decided by the third; the fourth came after it.
    assert_eq!(kept_for(&store, &arm), [models[3].clone(), models[2].clone()]);
    fixture.clock.set(at(24 * 88));
    assert_eq!(kept_for(&store, &arm), [], "nobody goes on with it");
    store.create_schedule(&crate::schedules::new_schedule("btc")).unwrap();
    assert_eq!(kept_for(&store, &arm).len(), 2, "its line has a schedule");
    let removed = store.prune(None, &RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 });
    assert_eq!(removed.unwrap().removed.len(), 2);
}
