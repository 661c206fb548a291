//! The sequential tests of arms: registered, enrolled, broken, crossed.

use walkforward_core::{Grade, LineName};
use walkforward_orchestrator::{ArmRequest, TestPlan};
use walkforward_store::{AnytimePair, AnytimeTest, arm_id};

use crate::parts::at;
use crate::stream_parts::{Arms, arm, level};

const QUALIFIED: Option<Grade> = Some(Grade::Qualified);

fn without_schedule(name: &str) -> ArmRequest {
    ArmRequest { cadence: None, ..arm(name) }
}

fn enrolled(arms: &Arms, arm: &ArmRequest) -> Option<AnytimeTest> {
    let (id, rules) = (arm_id(&arm.spec), &arm.test.rules);
    arms.store.anytime_test(AnytimePair { arm: &id, reference: "flat", rules }).unwrap()
}

#[tokio::test]
async fn a_scheduled_arm_registers_its_test_and_one_that_somebody_runs_is_enrolled() {
    let arms = Arms::new();
    let scheduled = arms.run(&arm("ada"), 1_000).await;
    let horizon = scheduled.horizon.unwrap();
    assert_eq!((horizon.after, horizon.alpha, scheduled.anytime_level), (at(1_000), 0.0125, None));
    let by_hand = without_schedule("bob");
    for hour in [1_020, 1_040] {
        let stream = arms.run(&by_hand, hour).await;
        assert_eq!((stream.horizon, stream.anytime_level), (None, Some(level(0.05, 0, 0))));
    }
    assert_eq!(arms.error_spent(), 0.0125);
    assert_eq!((enrolled(&arms, &by_hand).unwrap().number, enrolled(&arms, &arm("ada"))), (1, None));
}

#[tokio::test]
async fn an_arm_of_a_line_without_error_to_spend_is_enrolled_at_a_level_that_stays() {
    let arms = Arms::new();
    let single = |name: &str| {
        let arm = arm(name);
        ArmRequest { test: TestPlan { max_arms: 1, ..arm.test.clone() }, ..arm }
    };
    arms.run(&single("ada"), 1_000).await;
    let bob = arms.run(&single("bob"), 1_001).await;
    let eve = arms.run(&single("eve"), 1_002).await;
    assert_eq!((bob.horizon, eve.horizon), (None, None));
    assert_eq!((bob.anytime_level, eve.anytime_level), (Some(level(0.05, 0, 0)), Some(level(0.05, 1, 0))));
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
    assert_eq!(arms.error_spent(), 0.0125, "that of the first is free again");
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
    assert_eq!((arms.error_spent(), enrolled(&arms, &replayed)), (0.0, None));
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
