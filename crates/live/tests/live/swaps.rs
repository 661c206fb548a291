//! An open position when the model changes, or is not there.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use walkforward_core::{ModelRef, Quantity, Side};
use walkforward_live::{
    BarRecord, Behaviour, EventRecord, NoChampion, Notice, SwapRule, TraderOptions, TradingMode,
    verify_journal,
};

use crate::common::{
    Champion, Counted, EventfulFeed, ListFeed, Walk, Workplace, features, spec, walk, write_inclined_model,
};

const BARS: usize = 60;
const MOVE_AT: usize = 30;

/// A model that is always long, or never.
fn inclined(place: &Workplace, number: usize, inclination: f32) -> ModelRef {
    write_inclined_model(&place.models_dir(), number, &spec(features()), inclination)
}

/// Trades 60 bars under `swap`; a model that is `inclined` to one side follows on one that is always long before bar 30.
async fn swapped(swap: SwapRule, inclination: f32) -> Vec<BarRecord> {
    let place = Workplace::new();
    let champion = Champion::of(&inclined(&place, 1, 1_000.0));
    let next = inclined(&place, 2, inclination);
    let (looks, moved) = (Arc::new(AtomicU64::new(0)), champion.clone());
    let event = Box::new(move || *moved.0.lock().unwrap() = Some(next.clone()));
    let feed = EventfulFeed {
        walk: Walk::new(4),
        bars: BARS,
        events: vec![(MOVE_AT, event)],
        looks: Arc::clone(&looks),
    };
    let options = TraderOptions { swap, ..place.options() };
    let trader = place.trader(options, Box::new(feed), Box::new(Counted(champion, looks)));
    let summary = trader.run().await.unwrap();
    assert_eq!(summary.swaps, 1);
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
    place.bars()
}

fn version(bar: &BarRecord) -> u64 {
    bar.model.as_ref().unwrap().model_version
}

#[tokio::test]
async fn flatten_closes_the_position_before_the_new_model_decides() {
    let bars = swapped(SwapRule::Flatten, 1_000.0).await;
    assert_eq!((version(&bars[MOVE_AT - 1]), version(&bars[MOVE_AT])), (1, 2));
    assert_eq!(bars[MOVE_AT].order.unwrap().side, Side::Sell);
    assert!(bars[MOVE_AT].action.is_some() && bars[MOVE_AT].held_back.is_some());
    let after = &bars[MOVE_AT + 1];
    assert_eq!((after.position, after.order.unwrap().side), (Quantity::ZERO, Side::Buy), "the new one buys");
    assert_eq!(after.held_back, None);
}

#[tokio::test]
async fn the_old_model_goes_on_until_it_is_flat_for_at_most_so_many_bars() {
    let bars = swapped(SwapRule::WaitFlat { max_bars: 7 }, -1_000.0).await;
    let versions: Vec<u64> = bars.iter().map(version).collect();
    assert!(versions[..MOVE_AT + 7].iter().all(|version| *version == 1), "{versions:?}");
    assert!(versions[MOVE_AT + 7..].iter().all(|version| *version == 2), "{versions:?}");
    assert_eq!(bars[MOVE_AT + 7].order.unwrap().side, Side::Sell, "it inherits what is left");
}

#[tokio::test]
async fn a_position_that_no_model_looks_after_is_treated_as_declared() {
    for (behaviour, mode) in [
        (Behaviour::Flatten, TradingMode::Halted),
        (Behaviour::Hold, TradingMode::Halted),
        (Behaviour::ReduceOnly, TradingMode::ReduceOnly),
    ] {
        let place = Workplace::new();
        let bars = walk(7, 40);
        let bull = inclined(&place, 1, 1_000.0);
        let options = || {
            let mut options = TraderOptions { resume: true, ..place.options() };
            options.watch.on_no_model = behaviour;
            options
        };
        let feed = || ListFeed::of(bars.iter());
        let first =
            place.trader(options(), ListFeed::of(bars.iter().take(20)), Box::new(Champion::of(&bull)));
        let held = first.run().await.unwrap().position;
        assert!(held > Quantity::ZERO);
        let second = place.trader(options(), feed(), Box::new(NoChampion)).run().await.unwrap();
        let recorded = place.bars();
        assert_eq!((recorded.len(), second.bars), (40, 20));
        assert_eq!((recorded[20].model.as_ref(), recorded[20].mode), (None, mode));
        match behaviour {
            Behaviour::Flatten => {
                assert_eq!(recorded[20].order.unwrap().side, Side::Sell);
                assert_eq!((second.position, second.orders), (Quantity::ZERO, 1));
                assert_eq!(recorded[21].mode, TradingMode::Halted, "until it is flat at the bar's begin");
                assert_eq!(recorded[22].mode, TradingMode::Active);
            }
            _ => assert_eq!((second.position, second.orders), (held, 0)),
        }
        let third = place.trader(options(), feed(), Box::new(Champion::of(&bull))).run().await.unwrap();
        assert_eq!(third.bars, 0, "a replay that goes on has no bar twice");
        assert!(
            place
                .events()
                .iter()
                .any(|event| matches!(event, EventRecord::Condition { behaviour: Some(_), .. }))
        );
        assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
    }
}

/// Goes on with the session over the first `bars` of a walk under `wait_flat:7`, with what happens before some of them.
async fn go_on(
    place: &Workplace,
    champion: &Champion,
    bars: usize,
    events: Vec<(usize, Box<dyn FnMut() + Send>)>,
) {
    go_on_told(place, champion, bars, events, vec![]).await;
}

/// The same, where the session is told `notices` before its first bar.
async fn go_on_told(
    place: &Workplace,
    champion: &Champion,
    bars: usize,
    events: Vec<(usize, Box<dyn FnMut() + Send>)>,
    notices: Vec<Notice>,
) {
    let looks = Arc::new(AtomicU64::new(0));
    let feed = EventfulFeed { walk: Walk::new(4), bars, events, looks: Arc::clone(&looks) };
    let swap = SwapRule::WaitFlat { max_bars: 7 };
    let options = TraderOptions { swap, resume: true, ..place.options() };
    let source = Box::new(Counted(champion.clone(), looks));
    let trader = place.trader(options, Box::new(feed), source);
    for notice in notices {
        trader.handle().notify(notice).unwrap();
    }
    trader.run().await.unwrap();
}

/// A session whose model 2 waits for the position of model 1 when its process ends, four bars after it came.
async fn waiting(place: &Workplace) -> Champion {
    waiting_for(place, -1_000.0).await
}

/// The same, where model 2 is `inclined` to one side.
async fn waiting_for(place: &Workplace, inclination: f32) -> Champion {
    let (bull, bear) = (inclined(place, 1, 1_000.0), inclined(place, 2, inclination));
    let champion = Champion::of(&bull);
    let moved = champion.clone();
    let event: Box<dyn FnMut() + Send> = Box::new(move || *moved.0.lock().unwrap() = Some(bear.clone()));
    go_on(place, &champion, MOVE_AT + 4, vec![(MOVE_AT, event)]).await;
    champion
}

#[tokio::test]
async fn a_model_that_waits_for_a_position_to_end_waits_on_after_restarts() {
    let place = Workplace::new();
    let champion = waiting(&place).await;
    go_on(&place, &champion, MOVE_AT + 5, vec![]).await;
    go_on(&place, &champion, MOVE_AT + 5, vec![]).await;
    go_on(&place, &champion, BARS, vec![]).await;
    let bars = place.bars();
    let versions: Vec<u64> = bars.iter().map(version).collect();
    assert!(versions[..MOVE_AT + 7].iter().all(|version| *version == 1), "{versions:?}");
    assert!(versions[MOVE_AT + 7..].iter().all(|version| *version == 2), "{versions:?}");
    assert!(bars[..MOVE_AT + 7].iter().skip(10).all(|bar| bar.action.is_some()));
    assert_eq!(bars[MOVE_AT + 7].order.unwrap().side, Side::Sell, "it inherits what is left");
    let waited: Vec<u32> = bars[MOVE_AT - 1..MOVE_AT + 8].iter().map(|bar| bar.waited).collect();
    assert_eq!(waited, [0, 1, 2, 3, 4, 5, 6, 7, 0]);
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
}

#[tokio::test]
async fn a_verdict_on_a_model_that_another_one_waits_for_closes_the_position_and_hands_over() {
    for dies_in_between in [false, true] {
        let place = Workplace::new();
        let champion = waiting_for(&place, 1_000.0).await;
        let judged = place.bars()[0].model.clone().unwrap().model_id;
        let stop = || Notice::Stop { model_id: judged.clone(), reason: "a test says so".to_owned() };
        let first = if dies_in_between { MOVE_AT + 4 } else { BARS };
        go_on_told(&place, &champion, first, vec![], vec![stop(), stop()]).await;
        go_on(&place, &champion, BARS, vec![]).await;
        let bars = place.bars();
        let versions: Vec<u64> = bars.iter().map(version).collect();
        assert_eq!(versions.iter().filter(|version| **version == 1).count(), MOVE_AT + 4, "{versions:?}");
        let closing = &bars[MOVE_AT + 4];
        assert_eq!((version(closing), closing.order.unwrap().side), (2, Side::Sell));
        assert_eq!((closing.waited, closing.mode), (0, TradingMode::Halted));
        let after = &bars[MOVE_AT + 5];
        assert_eq!(
            (after.position, after.order.unwrap().side),
            (Quantity::ZERO, Side::Buy),
            "the new one buys"
        );
        assert!(bars[MOVE_AT + 5..].iter().all(|bar| bar.mode == TradingMode::Active));
        let guard = |event: &&EventRecord| matches!(event, EventRecord::Guard { model_id, .. } if *model_id == judged);
        let events = place.events();
        assert_eq!(events.iter().filter(guard).count(), 1, "{events:?}");
        assert!(!events.iter().any(|event| matches!(event, EventRecord::Command { .. })), "it does not halt");
        assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
    }
}

#[tokio::test]
async fn a_position_whose_model_is_gone_after_a_restart_goes_to_the_next_one_and_that_is_told() {
    let place = Workplace::new();
    let champion = waiting(&place).await;
    let old = place.bars()[0].model.clone().unwrap().model_id;
    std::fs::remove_dir_all(place.models_dir().join(old.as_str())).unwrap();
    go_on(&place, &champion, BARS, vec![]).await;
    let bars = place.bars();
    assert_eq!((version(&bars[MOVE_AT + 3]), version(&bars[MOVE_AT + 4])), (1, 2));
    let told = |event: &EventRecord| matches!(event, EventRecord::Warning { reason } if reason.contains("does not exist"));
    assert!(place.events().iter().any(told), "{:?}", place.events());
}
