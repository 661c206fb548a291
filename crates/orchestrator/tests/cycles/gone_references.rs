//! References that can't be run any more: nobody is measured against them for ever.

use std::fs;

use walkforward_core::{ErrorKind, Grade, ModelId, PromotionClass};
use walkforward_store::{AnytimePair, Pair, arm_id};

use crate::parts::at;
use crate::stream_parts::{Answer, Arms, arm, level};

/// A line whose champion `ada` took over at hour 1,020, and a challenger that was measured against it until 1,040.
async fn challenged() -> (Arms, ModelId) {
    let arms = Arms::new();
    arms.promote(Some(PromotionClass::Takeover));
    arms.run(&arm("ada"), 1_020).await;
    arms.promote(None);
    let anchor = arms.newest();
    for hour in [1_030, 1_040] {
        arms.run(&arm("bob"), hour).await;
    }
    (arms, anchor)
}

fn expect_instead(caution: Option<String>, anchor: &ModelId, since: i64) {
    let caution = caution.unwrap();
    let since = at(since).to_string();
    for part in [
        anchor.as_str(),
        "measured against flat",
        &since,
        "orchestrate models approve MODEL --overrule",
        "orchestrate models rollback",
    ] {
        assert!(caution.contains(part), "no '{part}' in: {caution}");
    }
}

#[tokio::test]
async fn a_day_after_the_anchor_broke_its_challengers_are_measured_against_flat() {
    for answer in [Answer::Broken, Answer::Fails(ErrorKind::BadInput)] {
        let (arms, anchor) = challenged().await;
        arms.answer(&anchor, answer);
        let early = arms.run(&arm("bob"), 1_060).await;
        assert_eq!((early.reference.as_str(), early.bar_close.last()), (anchor.as_str(), Some(&at(1_040))));
        assert!(early.caution.unwrap().contains("have no score yet"));
        for hour in [1_065, 1_080] {
            let stream = arms.run(&arm("bob"), hour).await;
            assert_eq!((stream.reference.as_str(), stream.bar_close[0]), ("flat", at(1_041)));
            assert_eq!(stream.bar_close.len() as i64, hour - 1_040, "it gets longer with each bar");
            assert!(stream.reference_position.iter().all(|position| *position == 0.0));
            // A test of its own, at any time: the one against the anchor is another pair's.
            assert_eq!((stream.horizon, stream.anytime_level), (None, Some(level(0.05, 0, 0))));
            expect_instead(stream.caution, &anchor, 1_040);
        }
    }
}

#[tokio::test]
async fn an_anchor_that_can_be_run_again_is_the_reference_again() {
    let (arms, anchor) = challenged().await;
    arms.answer(&anchor, Answer::Broken);
    arms.run(&arm("bob"), 1_070).await;
    arms.answer(&anchor, Answer::Long);
    let stream = arms.run(&arm("bob"), 1_075).await;
    assert_eq!((stream.reference.as_str(), stream.caution), (anchor.as_str(), None));
    assert_eq!((stream.bar_close.len(), stream.horizon.unwrap().after), (46, at(1_030)));
}

#[tokio::test]
async fn an_anchor_that_can_not_be_read_now_stays_the_reference() {
    let (arms, anchor) = challenged().await;
    arms.answer(&anchor, Answer::Fails(ErrorKind::Retry));
    let stream = arms.run(&arm("bob"), 1_075).await;
    assert_eq!((stream.reference.as_str(), stream.bar_close.last()), (anchor.as_str(), Some(&at(1_040))));
    assert!(stream.caution.unwrap().contains("have no score yet"));
}

#[tokio::test]
async fn a_crossing_against_an_anchor_that_broke_stays() {
    let (arms, anchor) = challenged().await;
    arms.earn(Some(Grade::Qualified));
    arms.run(&arm("bob"), 1_050).await;
    arms.earn(None);
    arms.answer(&anchor, Answer::Broken);
    let stream = arms.run(&arm("bob"), 1_090).await;
    assert_eq!(stream.reference, anchor.as_str());
    assert_eq!(stream.horizon.unwrap().crossed_at, Some(at(1_050)));
    assert!(stream.caution.unwrap().contains("was crossed before, which stays"));
}

#[tokio::test]
async fn a_crossing_against_flat_in_the_place_of_an_anchor_is_that_pairs_alone() {
    let (arms, anchor) = challenged().await;
    arms.answer(&anchor, Answer::Broken);
    arms.earn(Some(Grade::Qualified));
    arms.run(&arm("bob"), 1_070).await;
    arms.earn(None);
    let arm_of = arm_id(&arm("bob").spec);
    let crossed = |reference: &str, since: Option<i64>| {
        arms.store.crossing(Pair { arm: &arm_of, reference, since: since.map(at) }).unwrap()
    };
    assert_eq!(crossed("flat", Some(1_040)), Some(at(1_070)));
    assert_eq!((crossed("flat", None), crossed(anchor.as_str(), Some(1_020))), (None, None));
    let stream = arms.run(&arm("bob"), 1_090).await;
    assert_eq!((stream.reference.as_str(), stream.horizon.unwrap().crossed_at), ("flat", Some(at(1_070))));
    let pair = Pair { arm: &arm_of, reference: "flat", since: Some(at(1_040)) };
    let rules = &arm("bob").test.rules;
    let test = arms.store.anytime_test(AnytimePair { pair, rules }).unwrap().unwrap();
    assert_eq!(test.enrolled.unwrap().number, 1, "one test for all of its bars");
}

#[tokio::test]
async fn an_anchor_whose_record_is_damaged_holds_up_neither_its_own_arm_nor_a_new_one() {
    let arms = Arms::new();
    arms.promote(Some(PromotionClass::Takeover));
    arms.run(&arm("ada"), 1_020).await;
    let anchor = arms.newest();
    arms.promote(Some(PromotionClass::Refresh));
    arms.run(&arm("ada"), 1_030).await;
    arms.promote(None);
    fs::write(arms.store.model_dir(&anchor).join("metadata.json"), "{").unwrap();
    let own = arms.run(&arm("ada"), 1_060).await;
    assert!(own.is_champions);
    expect_instead(own.caution, &anchor, 1_030);
    let against_itself = own.own_anchor.unwrap();
    assert_eq!((against_itself.reference.as_str(), against_itself.bar_close[0]), ("flat", at(1_031)));
    // Who never was measured against it begins with the reign.
    for hour in [1_065, 1_080] {
        let new = arms.run(&arm("bob"), hour).await;
        assert_eq!((new.reference.as_str(), new.horizon), ("flat", None));
        assert_eq!(new.bar_close.len(), if hour == 1_065 { 0 } else { 16 });
        expect_instead(new.caution, &anchor, 1_020);
    }
}
