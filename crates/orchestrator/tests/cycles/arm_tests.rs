//! The sequential tests of arms: registered, enrolled, broken, crossed, over.

use walkforward_core::{Grade, LineName, PromotionClass};
use walkforward_orchestrator::{ArmRequest, TestPlan};
use walkforward_store::{AnytimePair, AnytimeTest, Pair, arm_id};

use crate::parts::at;
use crate::stream_parts::{Arms, arm, level};

const QUALIFIED: Option<Grade> = Some(Grade::Qualified);

fn without_schedule(name: &str) -> ArmRequest {
    ArmRequest { cadence: None, ..arm(name) }
}

fn enrolled(arms: &Arms, arm: &ArmRequest) -> Option<AnytimeTest> {
    let (id, rules) = (arm_id(&arm.spec), &arm.test.rules);
    let pair = Pair { arm: &id, reference: "flat", since: None };
    arms.store.anytime_test(AnytimePair { pair, rules }).unwrap()
}

fn number(test: Option<AnytimeTest>) -> Option<u32> {
    Some(test?.enrolled?.number)
}

fn with_plan(name: &str, change: impl FnOnce(&mut TestPlan)) -> ArmRequest {
    let mut arm = arm(name);
    change(&mut arm.test);
    arm
}

#[tokio::test]
async fn a_scheduled_arm_registers_its_test_and_one_that_somebody_runs_is_enrolled_with_its_first_live_bar() {
    let arms = Arms::new();
    let scheduled = arms.run(&arm("ada"), 1_000).await;
    let horizon = scheduled.horizon.unwrap();
    assert_eq!((horizon.after, horizon.alpha, scheduled.anytime_level), (at(1_000), 0.0125, None));
    let by_hand = without_schedule("bob");
    for (hour, expected) in [(1_020, None), (1_040, Some(1))] {
        let stream = arms.run(&by_hand, hour).await;
        assert_eq!((stream.horizon, stream.anytime_level), (None, Some(level(0.05, 0, 0))));
        assert_eq!(
            (number(enrolled(&arms, &by_hand)), stream.bar_close.is_empty()),
            (expected, expected.is_none())
        );
    }
    assert_eq!(arms.error_spent(1_000), 0.0125);
    assert_eq!(enrolled(&arms, &arm("ada")), None);
}

#[tokio::test]
async fn what_is_tried_once_takes_no_level() {
    let arms = Arms::new();
    for (hour, name) in (1_000..).zip(["seed 1", "seed 2", "seed 3"]) {
        let stream = arms.run(&without_schedule(name), hour).await;
        assert_eq!(stream.anytime_level, Some(level(0.05, 0, 0)), "what it would have");
        assert_eq!(number(enrolled(&arms, &without_schedule(name))), None);
    }
    arms.run(&without_schedule("seed 2"), 1_010).await;
    assert_eq!(number(enrolled(&arms, &without_schedule("seed 2"))), Some(1));
    let third = arms.run(&without_schedule("seed 3"), 1_011).await;
    assert_eq!(third.anytime_level, Some(level(0.05, 1, 0)));
}

#[tokio::test]
async fn rules_that_are_chosen_when_the_first_bars_are_known_do_not_count_them() {
    let arms = Arms::new();
    arms.run(&without_schedule("ada"), 1_000).await;
    let mut other = without_schedule("ada");
    other.test.rules = "loss_bound=0.3".to_owned();
    let horizon = arms.run(&other, 1_020).await.horizon.unwrap();
    assert_eq!((horizon.after, number(enrolled(&arms, &other))), (at(1_020), None));
    arms.run(&other, 1_030).await;
    assert_eq!(number(enrolled(&arms, &other)), Some(1));
    assert_eq!(number(enrolled(&arms, &without_schedule("ada"))), None);
}

#[tokio::test]
async fn an_arm_of_a_line_without_error_to_spend_is_enrolled_at_a_level_that_stays() {
    let arms = Arms::new();
    let single = |name: &str| with_plan(name, |plan| plan.max_arms = 1);
    arms.run(&single("ada"), 1_000).await;
    for hour in [1_001, 1_018] {
        let bob = arms.run(&single("bob"), hour).await;
        let eve = arms.run(&single("eve"), hour + 1).await;
        assert_eq!((bob.horizon, eve.horizon), (None, None));
        let expected = [level(0.05, 0, 0), level(0.05, u32::from(hour == 1_018), 0)];
        assert_eq!([bob.anytime_level, eve.anytime_level], expected.map(Some));
    }
    arms.run(&single("bob"), 1_020).await;
    arms.earn(QUALIFIED);
    arms.run(&single("bob"), 1_021).await;
    arms.earn(None);
    assert_eq!(enrolled(&arms, &single("bob")).unwrap().crossed_at, Some(at(1_021)));
    let later = arms.run(&single("dan"), 1_022).await;
    assert_eq!(later.anytime_level, Some(level(0.05, 2, 1)), "a crossing lets the next ones spend more");
    let bob = arms.run(&single("bob"), 1_023).await;
    let crossed = bob.horizon.unwrap();
    assert_eq!((crossed.crossed_at, crossed.alpha), (Some(at(1_021)), level(0.05, 0, 0)));
    assert!(
        crossed.broken.is_some() && crossed.after < bob.bar_close[0],
        "no horizon decides, all bars count"
    );
}

#[tokio::test]
async fn a_crossing_stays_whatever_becomes_of_the_test() {
    let arms = Arms::new();
    let ada = arm("ada");
    arms.run(&ada, 1_000).await;
    arms.earn(QUALIFIED);
    arms.run(&ada, 1_020).await;
    arms.run(&ada, 1_030).await;
    arms.earn(None);
    let other_rules =
        ArmRequest { test: TestPlan { rules: "loss_bound=0.3".to_owned(), ..arm("ada").test }, ..ada };
    let horizon = arms.run(&other_rules, 1_040).await.horizon.unwrap();
    assert_eq!(horizon.crossed_at, Some(at(1_020)), "the first that was found");
    assert!(horizon.broken.unwrap().starts_with("changed: the rules of the test"));
    // Whoever chose other rules knew the bars that the test had counted: its level is not theirs.
    assert_eq!((horizon.after, horizon.alpha), (at(1_040), level(0.05, 0, 0)));
    let back = arms.run(&arm("ada"), 1_050).await.horizon.unwrap();
    assert_eq!((back.after, back.alpha, back.crossed_at), (at(1_000), 0.0125, Some(at(1_020))));
    assert!(back.broken.is_some(), "it does not come back");
}

#[tokio::test]
async fn rules_that_change_before_the_first_bar_make_another_test() {
    let arms = Arms::new();
    arms.run(&arm("ada"), 1_000).await;
    let other =
        ArmRequest { test: TestPlan { rules: "loss_bound=0.3".to_owned(), ..arm("ada").test }, ..arm("ada") };
    // The first model decides at the last bar's close, and no bar has closed since.
    let stream = arms.run(&other, 1_000).await;
    let horizon = stream.horizon.unwrap();
    assert_eq!((horizon.after, horizon.broken), (at(1_000), None));
    assert_eq!(arms.error_spent(1_000), 0.0125, "that of the first is free again");
    let stream = arms.run(&other, 1_020).await;
    assert_eq!(stream.horizon.unwrap().broken, None);
}

#[tokio::test]
async fn a_replay_begins_and_crosses_no_test() {
    let arms = Arms::new();
    let replayed = ArmRequest { is_replayed: true, ..arm("ada") };
    arms.earn(QUALIFIED);
    for hour in [1_000, 1_020] {
        let stream = arms.run(&replayed, hour).await;
        assert_eq!((stream.horizon, stream.anytime_level), (None, None));
        assert_eq!(stream.replayed_bars, stream.bar_close.len());
    }
    assert_eq!((arms.error_spent(1_000), enrolled(&arms, &replayed)), (0.0, None));
    assert_eq!(arms.store.arms(&LineName::default()).unwrap().len(), 1);
}

#[tokio::test]
async fn other_rules_for_an_enrolled_arm_begin_another_test_on_bars_that_nobody_knows() {
    let arms = Arms::new();
    let by_hand = without_schedule("ada");
    arms.run(&by_hand, 1_000).await;
    arms.run(&by_hand, 1_020).await;
    let test = TestPlan { rules: "loss_bound=0.3".to_owned(), ..by_hand.test.clone() };
    let changed = ArmRequest { test, ..by_hand.clone() };
    let horizon = arms.run(&changed, 1_030).await.horizon.unwrap();
    assert_eq!((horizon.after, horizon.alpha), (at(1_030), level(0.05, 1, 0)));
    assert!(horizon.broken.is_some() && horizon.crossed_at.is_none(), "the e-process alone decides");
    arms.earn(QUALIFIED);
    arms.run(&changed, 1_040).await;
    arms.run(&changed, 1_050).await;
    assert_eq!(enrolled(&arms, &changed).unwrap().crossed_at, Some(at(1_040)));
    let first = arms.run(&by_hand, 1_060).await;
    assert_eq!(first.horizon.unwrap().crossed_at, Some(at(1_040)), "a crossing is the pair's");
    let next = arms.run(&without_schedule("bob"), 1_070).await;
    assert_eq!(next.anytime_level, Some(level(0.05, 2, 1)), "one of the two tests was crossed");
}

#[tokio::test]
async fn a_test_that_ran_its_length_is_judged_on_its_last_looks_and_then_replaced() {
    let arms = Arms::new();
    let ada = with_plan("ada", |plan| plan.days = 1.0);
    let mut after = Vec::new();
    // It ends at 1,024, and a week later its last look was taken, wherever weekends lie.
    for hour in [1_000, 1_020, 1_040, 1_180, 1_200, 1_220] {
        after.push(arms.run(&ada, hour).await.horizon.unwrap().after);
    }
    assert_eq!(after, [1_000, 1_000, 1_000, 1_000, 1_000, 1_200].map(at));
    assert_eq!(arms.error_spent(1_220), 0.025);
}

#[tokio::test]
async fn a_crossing_on_the_last_looks_stays_and_a_crossed_pair_takes_no_new_test() {
    let arms = Arms::new();
    let ada = with_plan("ada", |plan| plan.days = 1.0);
    for hour in [1_000, 1_020] {
        arms.run(&ada, hour).await;
    }
    arms.earn(QUALIFIED);
    arms.run(&ada, 1_200).await;
    arms.earn(None);
    for hour in [1_220, 1_400, 12_000] {
        let horizon = arms.run(&ada, hour).await.horizon.unwrap();
        assert_eq!((horizon.after, horizon.crossed_at), (at(1_000), Some(at(1_200))));
    }
    assert_eq!((arms.error_spent(1_400), arms.error_spent(12_000)), (0.0125, 0.0));
    let mut other = ada;
    other.test.rules = "loss_bound=0.3".to_owned();
    let horizon = arms.run(&other, 12_020).await.horizon.unwrap();
    arms.run(&other, 12_040).await;
    assert_eq!(horizon.crossed_at, Some(at(1_200)));
    assert_eq!((arms.error_spent(12_040), number(enrolled(&arms, &other))), (0.0, None));
}

#[tokio::test]
async fn a_test_at_any_time_that_is_under_way_is_not_thrown_away_when_the_line_has_error_again() {
    let arms = Arms::new();
    let single = |name: &str| with_plan(name, |plan| plan.max_arms = 1);
    arms.run(&single("ada"), 1_000).await;
    for hour in [1_005, 1_020] {
        arms.run(&single("bob"), hour).await;
    }
    arms.run(&single("eve"), 1_030).await;
    // More than a year later nothing of it is spent.
    for hour in [10_000, 10_020] {
        let bob = arms.run(&single("bob"), hour).await;
        assert_eq!((bob.horizon, bob.anytime_level), (None, Some(level(0.05, 0, 0))));
    }
    assert_eq!(arms.error_spent(10_020), 0.0);
    let eve = arms.run(&single("eve"), 10_030).await;
    assert_eq!(eve.horizon.unwrap().after, at(10_030), "hers had not begun");
}

#[tokio::test]
async fn a_champion_that_comes_back_is_a_new_reference_and_takes_a_later_level() {
    let arms = Arms::new();
    arms.promote(Some(PromotionClass::Takeover));
    arms.run(&arm("ada"), 1_000).await;
    arms.promote(None);
    let anchor = arms.newest();
    let bob = without_schedule("bob");
    arms.run(&bob, 1_010).await;
    let before = arms.run(&bob, 1_020).await;
    arms.run(&arm("dan"), 1_011).await;
    let first = arms.run(&arm("dan"), 1_021).await.horizon.unwrap();
    assert_eq!((before.reference.as_str(), before.anytime_level), (anchor.as_str(), Some(level(0.05, 0, 0))));
    arms.promote(Some(PromotionClass::Takeover));
    arms.run(&arm("eve"), 1_030).await;
    arms.promote(None);
    arms.clock.set(at(1_035));
    arms.store.rollback(&LineName::default(), Some(&anchor), "eve loses").unwrap();
    for hour in [1_040, 1_050] {
        let back = arms.run(&bob, hour).await;
        assert_eq!((back.reference.as_str(), back.bar_close[0]), (anchor.as_str(), at(1_036)));
        assert_eq!((back.horizon, back.anytime_level), (None, Some(level(0.05, 1, 0))));
    }
    // A schedule's test of the first reign is not gone on with either.
    arms.run(&arm("dan"), 1_051).await;
    let second = arms.run(&arm("dan"), 1_061).await.horizon.unwrap();
    assert_eq!((first.after, second.after, second.broken), (at(1_011), at(1_051), None));
    assert_eq!(arms.error_spent(1_061), 4.0 * 0.0125, "ada, eve, and dan twice");
}

#[tokio::test]
async fn a_refresh_keeps_the_grade_of_the_pointer_and_not_that_of_a_verdict() {
    let arms = Arms::new();
    arms.earn(Some(Grade::Provisional));
    arms.keep(Some(Grade::Screened));
    arms.run(&arm("ada"), 1_000).await;
    arms.store.overrule(&arms.newest(), "the line needs a champion").unwrap();
    let stream = arms.run(&arm("ada"), 1_020).await;
    assert!(stream.is_champions);
    assert_eq!(stream.champion_grade, Some(Grade::Provisional));
}
