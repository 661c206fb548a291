//! The streams of arms, and the ledgers that the gate gets.

use walkforward_core::{ErrorKind, MechanicalCheck, PromotionClass};
use walkforward_orchestrator::RunError;
use walkforward_store::{StreamKey, arm_id};

use crate::parts::at;
use crate::stream_parts::{Answer, Arms, arm, hour_of};

const TAKEOVER: Option<PromotionClass> = Some(PromotionClass::Takeover);
const REFRESH: Option<PromotionClass> = Some(PromotionClass::Refresh);

/// A line whose champion took over at hour 1,020 by the arm `ada`.
async fn with_champion() -> Arms {
    let arms = Arms::new();
    arms.run(&arm("ada"), 1_000).await;
    arms.promote(TAKEOVER);
    arms.run(&arm("ada"), 1_020).await;
    arms.promote(None);
    arms
}

#[tokio::test]
async fn every_model_that_runs_is_a_snapshot_and_one_that_does_not_load_is_none() {
    let arms = Arms::new();
    let check =
        |loads, problem: &str| MechanicalCheck { loads, varies: false, problems: vec![problem.to_owned()] };
    arms.check(check(true, "it took action 1 at each of its 10 decisions"));
    arms.run(&arm("ada"), 1_000).await;
    arms.check(check(false, "its file was changed"));
    arms.run(&arm("ada"), 1_020).await;
    assert_eq!(arms.store.snapshots(&arm_id(&arm("ada").spec), None).unwrap().len(), 1);
    assert!(arms.bars(&arm("ada")).iter().all(|bar| bar.position == 1.0));
    // The test goes on: snapshots came as they were promised.
    let stream = arms.run(&arm("ada"), 1_040).await;
    assert_eq!(stream.horizon.unwrap().broken, None);
}

#[tokio::test]
async fn an_arm_without_new_snapshots_for_three_periods_was_paused() {
    let arms = Arms::new();
    for hour in [1_000, 1_020, 1_039] {
        let stream = arms.run(&arm("ada"), hour).await;
        assert_eq!(stream.horizon.unwrap().broken, None);
    }
    let hourly = walkforward_orchestrator::ArmRequest {
        cadence: Some(std::time::Duration::from_secs(5 * 3_600)),
        ..arm("ada")
    };
    let stream = arms.run(&hourly, 1_059).await;
    assert!(stream.horizon.unwrap().broken.unwrap().contains("20 bars closed between"));
}

#[tokio::test]
async fn a_broken_reference_stays_without_a_score_and_does_not_hold_up_the_arm() {
    let arms = with_champion().await;
    let anchor = arms.newest();
    let bob = arm("bob");
    arms.run(&bob, 1_030).await;
    let before = arms.run(&bob, 1_040).await;
    assert_eq!((before.reference.as_str(), before.caution.as_ref()), (anchor.as_str(), None));
    for answer in [Answer::Broken, Answer::Fails(ErrorKind::BadInput), Answer::Fails(ErrorKind::Retry)] {
        arms.answer(&anchor, answer);
        let after = arms.run(&bob, 1_045).await;
        let caution = after.caution.unwrap();
        assert!(caution.contains(&format!("reference {anchor} have no score yet")), "{caution}");
        assert_eq!(after.bar_close, before.bar_close, "{answer:?}");
        assert_eq!(hour_of(arms.bars(&bob).last().unwrap().close), 1_045, "the arm goes on");
    }
    arms.answer(&anchor, Answer::Long);
    let mended = arms.run(&bob, 1_050).await;
    assert_eq!((mended.caution, mended.bar_close.last()), (None, Some(&at(1_050))));
    assert!(mended.reference_position.iter().skip(1).all(|position| *position == 1.0), "never cash");
    let gaps = mended.bar_close.windows(2).filter(|pair| hour_of(pair[1]) - hour_of(pair[0]) != 1);
    assert_eq!(gaps.count(), 0, "what was left is made up for");
}

#[tokio::test]
async fn a_reference_that_stops_in_the_middle_keeps_what_was_scored() {
    let arms = with_champion().await;
    let anchor = arms.newest();
    let bob = arm("bob");
    arms.run(&bob, 1_030).await;
    arms.answer(&anchor, Answer::SilentAt(1_036));
    let stream = arms.run(&bob, 1_040).await;
    assert_eq!(stream.bar_close.last(), Some(&at(1_035)));
    assert!(stream.caution.unwrap().contains("no answer"));
}

#[tokio::test]
async fn a_snapshot_that_can_not_be_read_now_fails_the_run_and_costs_no_bar() {
    let arms = Arms::new();
    let ada = arm("ada");
    arms.run(&ada, 1_000).await;
    arms.run(&ada, 1_010).await;
    arms.answer(&arms.newest(), Answer::Fails(ErrorKind::Retry));
    let error = arms.try_run(&ada, 1_020).await.unwrap_err();
    assert!(matches!(&error, RunError::Stage(error) if error.kind == ErrorKind::Retry), "{error}");
    assert_eq!(arms.bars(&ada).last().unwrap().close, at(1_010));
    arms.answer(&arms.newest(), Answer::Long);
    arms.run(&ada, 1_025).await;
    assert_eq!(arms.bars(&ada).len(), 26, "each bar from 1,000 on");
}

#[tokio::test]
async fn a_snapshot_leaves_to_the_one_before_what_it_has_no_answer_for() {
    let arms = Arms::new();
    let ada = arm("ada");
    arms.run(&ada, 1_000).await;
    let first = arms.newest();
    arms.run(&ada, 1_010).await;
    let second = arms.newest();
    arms.answer(&second, Answer::SilentAt(1_015));
    arms.run(&ada, 1_020).await;
    let (first, second) = (Some(first), Some(second));
    let expected =
        [(1_000, first.clone()), (1_011, second.clone()), (1_015, first.clone()), (1_016, second.clone())];
    assert_eq!(arms.deciders(&ada), expected);
    arms.answer(second.as_ref().unwrap(), Answer::Broken);
    arms.answer(&arms.newest(), Answer::Broken);
    arms.run(&ada, 1_030).await;
    assert_eq!(arms.deciders(&ada).last(), Some(&(1_021, first)));
    assert_eq!(arms.bars(&ada).len(), 31);
}

#[tokio::test]
async fn a_stream_that_can_not_go_on_begins_anew_and_one_that_can_not_begin_is_an_error() {
    let arms = Arms::new();
    let ada = arm("ada");
    arms.run(&ada, 1_000).await;
    arms.run(&ada, 1_010).await;
    arms.answer(&arms.newest(), Answer::OnlyAnew);
    arms.run(&ada, 1_020).await;
    assert_eq!(arms.bars(&ada).len(), 21);
    arms.answer(&arms.newest(), Answer::Fails(ErrorKind::BadInput));
    let error = arms.try_run(&ada, 1_030).await.unwrap_err().to_string();
    assert!(error.contains("it can't be scored"), "{error}");
}

#[tokio::test]
async fn the_champions_own_arm_is_also_held_against_its_frozen_anchor() {
    let arms = with_champion().await;
    let anchor = arms.newest();
    arms.promote(REFRESH);
    arms.run(&arm("ada"), 1_030).await;
    let stream = arms.run(&arm("ada"), 1_040).await;
    assert_eq!((stream.reference.as_str(), stream.is_champions), ("flat", true));
    let own = stream.own_anchor.unwrap();
    assert_eq!((own.reference.as_str(), own.horizon, own.anytime_level), (anchor.as_str(), None, None));
    assert_eq!((own.bar_close[0], *own.bar_close.last().unwrap()), (at(1_021), at(1_040)));
    assert!(stream.bar_close[0] < at(1_021) && own.own_anchor.is_none());
    let key = StreamKey::Reference(anchor.clone(), arm_id(&arm("ada").spec));
    let deciders = arms.store.stream_deciders(&key).unwrap();
    assert_eq!(deciders.len(), 1, "it is frozen: {deciders:?}");
    arms.promote(None);
    let challenger = arms.run(&arm("bob"), 1_045).await;
    assert!(challenger.own_anchor.is_none() && !challenger.is_champions);
}

#[tokio::test]
async fn the_ratios_of_the_lines_models_vary_by_bar() {
    let arms = Arms::new();
    arms.measure(1.0);
    let first = arms.run(&arm("ada"), 1_000).await;
    assert_eq!((first.trials, first.trial_sharpe_variance), (1, None));
    arms.measure(3.0);
    let second = arms.run(&arm("bob"), 1_020).await;
    assert_eq!((second.trials, second.trial_sharpe_variance), (2, Some(2.0 / second.bars_per_year)));
}
