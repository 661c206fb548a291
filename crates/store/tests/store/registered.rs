//! Sequential tests: what they spend, what breaks them, what stays.

use std::sync::Arc;

use serde_json::json;
use walkforward_core::{ArmId, Horizon, LineName, Timestamp};
use walkforward_store::{
    AnytimePair, AnytimeTest, Enrolment, HorizonRequest, Pair, ScoredBar, Store, StoreError, StreamKey,
    StreamPart,
};

use crate::fixture::{Fixture, Switch, line, time};

const FLAT: &str = "flat";
const RULES: &str = "loss_bound=0.2";
const DAY_MS: i64 = 86_400_000;

fn at(day: i64) -> Timestamp {
    time("2024-01-01T00:00:00Z").plus_millis(day * DAY_MS)
}

fn arms<const N: usize>(store: &Store) -> [ArmId; N] {
    std::array::from_fn(|n| store.register_arm(&LineName::default(), &json!({ "arm": n })).unwrap())
}

fn request(arm: &ArmId, day: i64) -> HorizonRequest<'_> {
    let (pair, after, rules) = (against(arm, FLAT), at(day), RULES);
    HorizonRequest { pair, after, bars: 8_760, alpha: 0.0125, line_alpha: 0.05, rules }
}

fn against<'a>(arm: &'a ArmId, reference: &'a str) -> Pair<'a> {
    Pair { arm, reference, since: None }
}

fn register(store: &Store, arm: &ArmId, day: i64) -> Option<Horizon> {
    store.register_horizon(&request(arm, day)).unwrap()
}

/// Scores the day that ends with `day` for an arm, as a live cycle or as a replay does.
fn score(store: &Store, arm: &ArmId, day: i64, is_replayed: bool) {
    let key = StreamKey::Arm(arm.clone());
    let bar = ScoredBar { close: at(day), net_return: 0.01, position: 1.0, is_known: true, is_replayed };
    let part = StreamPart { bars: vec![bar], deciders: Vec::new(), session: json!({}) };
    let after = store.stream_head(&key).unwrap().map(|head| head.last_close);
    store.extend_stream(&key, after, &part).unwrap();
}

fn spent(store: &Store, day: i64) -> f64 {
    (store.error_spent(&LineName::default(), at(day)).unwrap().registered * 1e4).round() / 1e4
}

#[test]
fn a_line_spends_its_error_once_a_year() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let arms = arms::<6>(&store);
    for arm in &arms[..4] {
        let horizon = register(&store, arm, 0).unwrap();
        assert_eq!((horizon.bars, horizon.alpha, horizon.broken), (8_760, 0.0125, None));
        score(&store, arm, 1, false);
    }
    assert_eq!(register(&store, &arms[4], 364), None);
    assert_eq!(spent(&store, 1), 0.05);
    store.break_horizon(against(&arms[0], FLAT), "the schedule was paused").unwrap();
    store.break_horizon(against(&arms[0], FLAT), "again").unwrap();
    let broken = store.horizon(against(&arms[0], FLAT)).unwrap().unwrap();
    assert_eq!(broken.broken.as_deref(), Some("the schedule was paused"));
    assert_eq!(spent(&store, 1), 0.05, "it had counted a bar");
    assert_eq!(store.horizon(against(&arms[0], "model-x")).unwrap(), None);
    assert!(register(&store, &arms[5], 366).is_some());
    let odd = HorizonRequest { alpha: 0.0, ..request(&arms[0], 0) };
    assert!(store.register_horizon(&odd).unwrap_err().to_string().contains("level 0 can't be registered"));
}

#[test]
fn a_test_that_breaks_before_its_first_bar_gives_its_error_back() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [arm] = arms(&store);
    let first = register(&store, &arm, 0).unwrap();
    score(&store, &arm, 1, true);
    store.break_horizon(against(&arm, FLAT), "paused").unwrap();
    assert_eq!(
        (store.horizon(against(&arm, FLAT)).unwrap(), spent(&store, 1)),
        (None, 0.0),
        "replayed bars don't count"
    );
    assert_eq!(register(&store, &arm, 0), Some(first), "it may begin at the same bar");
    assert_eq!(spent(&store, 1), 0.0125);
    score(&store, &arm, 2, false);
    store.break_horizon(against(&arm, FLAT), "paused").unwrap();
    assert_eq!(store.horizon(against(&arm, FLAT)).unwrap().unwrap().broken.as_deref(), Some("paused"));
    assert_eq!(spent(&store, 2), 0.0125);
}

#[test]
fn tests_that_nobody_went_on_with_give_their_error_back() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let arms = arms::<5>(&store);
    for arm in &arms[..4] {
        register(&store, arm, 0).unwrap();
    }
    score(&store, &arms[0], 1, false);
    assert_eq!(register(&store, &arms[4], 29), None);
    assert!(register(&store, &arms[4], 30).is_some());
    assert_eq!(spent(&store, 30), 0.025, "that of the arm that was scored, and the new one's");
    assert!(
        store.horizon(against(&arms[0], FLAT)).unwrap().is_some()
            && store.horizon(against(&arms[1], FLAT)).unwrap().is_none()
    );
}

#[test]
fn other_rules_break_a_test() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [arm] = arms(&store);
    let keep = |rules| store.keep_horizon_rules(against(&arm, FLAT), rules).unwrap();
    assert!(keep("anything"), "there is none");
    register(&store, &arm, 0).unwrap();
    score(&store, &arm, 1, false);
    let broken = || store.horizon(against(&arm, FLAT)).unwrap().unwrap().broken;
    assert!(keep(RULES));
    assert_eq!(broken(), None);
    assert!(!keep("loss_bound=0.3"));
    let changed = "changed: the rules of the test are not those that were registered";
    assert_eq!(broken().as_deref(), Some(changed));
    assert!(keep(RULES));
    assert_eq!(broken().as_deref(), Some(changed), "it does not come back");
    let announced = store.announce_anytime(pair(&arm, FLAT), at(3)).unwrap();
    assert_eq!(announced.after, Some(at(3)), "the pair had a test already");
    let db = rusqlite::Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    db.execute("UPDATE horizons SET rules = NULL, broken = NULL", []).unwrap();
    assert!(keep("loss_bound=0.3"));
    assert_eq!(broken(), None, "of an earlier version's tests nobody knows the rules");
}

#[test]
fn a_crossing_stays_and_a_renewed_test_inherits_it() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [arm, other] = arms(&store);
    let crossed = |arm| store.horizon(against(arm, FLAT)).unwrap().unwrap().crossed_at;
    store.cross_horizon(against(&arm, FLAT), at(9)).unwrap();
    register(&store, &arm, 0).unwrap();
    register(&store, &other, 0).unwrap();
    score(&store, &arm, 1, false);
    assert_eq!(crossed(&arm), None);
    store.cross_horizon(against(&arm, FLAT), at(40)).unwrap();
    store.cross_horizon(against(&arm, FLAT), at(41)).unwrap();
    store.break_horizon(against(&arm, FLAT), "paused").unwrap();
    assert_eq!((crossed(&arm), crossed(&other)), (Some(at(40)), None));
    let renewed = register(&store, &arm, 366).unwrap();
    assert_eq!((renewed.after, renewed.broken, renewed.crossed_at), (at(366), None, Some(at(40))));
    store.cross_horizon(against(&arm, FLAT), at(400)).unwrap();
    assert_eq!(crossed(&arm), Some(at(40)));
    assert_eq!(fixture.open().horizon(against(&arm, FLAT)).unwrap().unwrap().crossed_at, Some(at(40)));
}

/// A level that tells what it was made of.
fn level(tested: u32, crossed: u32) -> f64 {
    f64::from(crossed + 1) / f64::from((tested + 1) * (tested + 2) * 20)
}

fn pair<'a>(arm: &'a ArmId, reference: &'a str) -> AnytimePair<'a> {
    AnytimePair { pair: against(arm, reference), rules: RULES }
}

fn begin(store: &Store, test: AnytimePair<'_>, day: i64) -> AnytimeTest {
    store.announce_anytime(test, at(day)).unwrap();
    store.enrol_anytime(test, level).unwrap()
}

fn enrol(store: &Store, arm: &ArmId, reference: &str) -> AnytimeTest {
    begin(store, pair(arm, reference), 7)
}

fn number_and_level(test: &AnytimeTest) -> Option<(u32, f64)> {
    test.enrolled.as_ref().map(|it| (it.number, it.level))
}

#[test]
fn pairs_are_enrolled_one_after_another_over_all_lines_and_a_level_never_changes() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [ada, bob] = arms(&store);
    let eve = store.register_arm(&line("eth"), &json!({ "arm": "eve" })).unwrap();
    assert_eq!(store.anytime_test(pair(&ada, FLAT)).unwrap(), None);
    let first = enrol(&store, &ada, FLAT);
    let enrolled = Enrolment { number: 1, level: level(0, 0), at: at(0) };
    assert_eq!(first, AnytimeTest { after: None, enrolled: Some(enrolled), crossed_at: None });
    assert_eq!(number_and_level(&enrol(&store, &eve, FLAT)), Some((2, level(1, 0))));
    store.cross_anytime(pair(&ada, FLAT), at(5)).unwrap();
    store.cross_anytime(pair(&ada, FLAT), at(6)).unwrap();
    assert_eq!(number_and_level(&enrol(&store, &bob, FLAT)), Some((3, level(2, 1))));
    assert_eq!(number_and_level(&enrol(&store, &ada, "model-x")), Some((4, level(3, 1))));
    let again = AnytimeTest { crossed_at: Some(at(5)), ..first };
    assert_eq!(enrol(&store, &ada, FLAT), again);
    assert_eq!(fixture.open().anytime_test(pair(&ada, FLAT)).unwrap(), Some(again));
    let later = register(&store, &ada, 50).unwrap();
    assert_eq!(later.crossed_at, Some(at(5)), "a horizon that it gets later inherits it");
    let open = pair(&bob, "model-y");
    let unannounced = store.enrol_anytime(open, level).unwrap_err().to_string();
    assert!(unannounced.contains("was not announced"), "{unannounced}");
    store.announce_anytime(open, at(7)).unwrap();
    let refused = store.enrol_anytime(open, |_, _| 0.0).unwrap_err().to_string();
    assert!(refused.contains("number 5 can't have the level 0"), "{refused}");
    let nobody = walkforward_store::arm_id(&json!({}));
    assert!(store.announce_anytime(pair(&nobody, FLAT), at(7)).is_err());
    let db = rusqlite::Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    for sql in [
        "UPDATE anytime_tests SET level = 0.04",
        "UPDATE anytime_tests SET rules = 'others'",
        "DELETE FROM anytime_tests",
    ] {
        let error = db.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("is fixed") || error.contains("are kept"), "{error}");
    }
}

#[test]
fn a_test_that_is_only_announced_takes_no_level() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [ada, bob] = arms(&store);
    for day in [1, 2] {
        let announced = store.announce_anytime(pair(&ada, FLAT), at(day)).unwrap();
        assert_eq!(announced, AnytimeTest { after: None, enrolled: None, crossed_at: None });
    }
    assert_eq!(store.next_anytime_level(level).unwrap(), Some(level(0, 0)));
    store.cross_anytime(pair(&ada, FLAT), at(3)).unwrap();
    assert_eq!(store.crossing(against(&ada, FLAT)).unwrap(), None, "it has no level that could be crossed");
    assert_eq!(number_and_level(&enrol(&store, &bob, FLAT)), Some((1, level(0, 0))));
    assert_eq!(store.next_anytime_level(|_, _| 0.0).unwrap(), None);
    assert_eq!(number_and_level(&enrol(&store, &ada, FLAT)), Some((2, level(1, 0))));
}

#[test]
fn a_reference_that_reigns_again_makes_another_pair_without_the_tests_of_before() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [arm] = arms(&store);
    let reign = |day| Pair { since: Some(at(day)), ..against(&arm, "model-x") };
    let by_rules = |day| AnytimePair { pair: reign(day), rules: RULES };
    let horizon = HorizonRequest { pair: reign(10), ..request(&arm, 9) };
    let first = store.register_horizon(&horizon).unwrap().unwrap();
    assert_eq!(first.after, at(10), "it counts no bar of before the reign");
    score(&store, &arm, 11, false);
    store.cross_horizon(reign(10), at(20)).unwrap();
    assert_eq!(store.horizon(reign(30)).unwrap(), None);
    assert_eq!(store.crossing(reign(30)).unwrap(), None);
    let again = begin(&store, by_rules(30), 31);
    assert_eq!((number_and_level(&again), again.after), (Some((1, level(0, 0))), None));
    let third = begin(&store, by_rules(50), 51);
    assert_eq!((number_and_level(&third), third.crossed_at), (Some((2, level(1, 0))), None));
    store.cross_anytime(by_rules(50), at(60)).unwrap();
    let crossings = [10, 30, 50].map(|day| store.crossing(reign(day)).unwrap());
    assert_eq!(crossings, [Some(at(20)), None, Some(at(60))]);
    store.break_horizon(reign(30), "paused").unwrap();
    assert_eq!(store.horizon(reign(10)).unwrap().unwrap().broken, None);
}

#[test]
fn what_a_line_may_spend_is_told_for_both_kinds_of_tests() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [ada, bob] = arms(&store);
    let eve = store.register_arm(&line("eth"), &json!({ "arm": "eve" })).unwrap();
    register(&store, &ada, 0).unwrap();
    let levels: f64 =
        [FLAT, "model-x"].map(|it| enrol(&store, &bob, it).enrolled.unwrap().level).iter().sum();
    store.announce_anytime(pair(&bob, "model-y"), at(1)).unwrap();
    let other = enrol(&store, &eve, FLAT).enrolled.unwrap().level;
    let told = |name: &str, day| {
        let spent = store.error_spent(&line(name), at(day)).unwrap();
        (spent.registered, spent.anytime)
    };
    assert_eq!((told("default", 1), told("eth", 1)), ((0.0125, levels), (0.0, other)));
    assert_eq!(told("default", 366), (0.0, 0.0), "a year later they are over");
}

#[test]
fn other_rules_are_another_test_of_the_pair_which_counts_bars_that_nobody_knows_yet() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [arm] = arms(&store);
    let by = |rules| AnytimePair { rules, ..pair(&arm, FLAT) };
    let first = enrol(&store, &arm, FLAT);
    let second = begin(&store, by("loss_bound=0.3"), 9);
    assert_eq!((number_and_level(&second), second.after), (Some((2, level(1, 0))), Some(at(9))));
    store.cross_anytime(by("loss_bound=0.3"), at(20)).unwrap();
    // A crossing is the pair's, and only the test that was crossed counts as such.
    let first = AnytimeTest { crossed_at: Some(at(20)), ..first };
    assert_eq!(enrol(&store, &arm, FLAT), first);
    assert_eq!(number_and_level(&enrol(&store, &arm, "model-x")), Some((3, level(2, 1))));
}

/// Fails what a live cycle does with tests at its `step`th step; whether there is such a step.
fn fails_at(step: i64, is_crash: bool) -> bool {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let [ada, bob] = arms(&store);
    let act = |store: &Store| -> Result<(), StoreError> {
        let registered = against(&ada, FLAT);
        if store.horizon(registered)?.is_none() {
            store.register_horizon(&request(&ada, 0))?;
        }
        store.keep_horizon_rules(registered, RULES)?;
        store.cross_horizon(registered, at(3))?;
        store.announce_anytime(pair(&bob, FLAT), at(0))?;
        store.enrol_anytime(pair(&bob, FLAT), level)?;
        store.cross_anytime(pair(&bob, FLAT), at(4))
    };
    switch.arm(step, is_crash);
    let ended = act(&store);
    let has_failed = switch.has_failed();
    assert_eq!(ended.is_err(), has_failed, "step {step}");
    drop(store);
    let store = fixture.open();
    assert!(store.recovery().problems.is_empty(), "{:?}", store.recovery());
    act(&store).unwrap();
    assert_eq!(store.horizon(against(&ada, FLAT)).unwrap().unwrap().crossed_at, Some(at(3)));
    let test = store.anytime_test(pair(&bob, FLAT)).unwrap().unwrap();
    assert_eq!((number_and_level(&test), test.crossed_at), (Some((1, level(0, 0))), Some(at(4))));
    assert_eq!(spent(&store, 1), 0.0125);
    has_failed
}

#[test]
fn what_fails_or_dies_between_two_steps_is_made_up_for() {
    for is_crash in [false, true] {
        let steps = (0..20).take_while(|&step| fails_at(step, is_crash)).count();
        assert_eq!(steps, 6);
    }
}
