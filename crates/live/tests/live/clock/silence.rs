//! For how long no minute comes, over a restart and whatever happens to the clock.

use std::sync::Arc;

use tokio::sync::watch;
use walkforward_core::FeedEvent;
use walkforward_live::{Behaviour, TraderOptions, TradingMode};

use super::{MINUTE_MS, Market, SteppedClock, at, minute, told_of_data};
use crate::common::Workplace;

fn closes(options: &mut TraderOptions) {
    options.watch.on_stale = Behaviour::Flatten;
}

#[tokio::test]
async fn what_is_done_about_a_silence_outlasts_a_restart_until_a_bar_comes() {
    let mut market = Market::open(closes).await;
    market.quarter(|_| false).await;
    market.silent_until(|market| market.told_of_data().last() == Some(&Some(Behaviour::Flatten))).await;
    let mut told = market.told_of_data();
    let mut market = market.restart(closes).await;
    market.silent_until(|market| market.handle.status().bars > 0).await;
    assert_eq!(market.told_of_data(), told, "nothing has come, and a bar has no minutes");
    assert_eq!(market.handle.status().mode, TradingMode::Halted);
    market.pass(false).await;
    told.push(None);
    market.until_told(&told).await;
    market.quarter(|_| false).await;
    let (place, _) = market.stop().await;
    assert_eq!(told_of_data(&place), told);
    assert_eq!(place.bars().last().map(|bar| bar.mode), Some(TradingMode::Active));
}

#[tokio::test]
async fn a_clock_that_is_set_back_behind_the_start_hides_no_silence() {
    let (place, clock) = (Workplace::new(), Arc::new(SteppedClock(watch::channel(at(0)).0)));
    let mut market = Market::start_at(place, (clock, 24 * 60 * MINUTE_MS), Arc::default(), 0, |_| {}).await;
    market.set_wrong(0);
    for _ in 0..9 {
        market.next += 1;
        market.settle(0).await;
    }
    assert!(market.told_of_data().is_empty());
    market.next += 1;
    market.settle(0).await;
    market.until_told(&[Some(Behaviour::ReduceOnly)]).await;
    market.feed.send(FeedEvent::Bar(minute(market.next - 1))).await.unwrap();
    market.until_told(&[Some(Behaviour::ReduceOnly), None]).await;
    market.stop().await;
}

#[tokio::test]
async fn behind_a_jump_of_the_clock_nothing_is_closed_before_the_feed_could_answer() {
    let mut market = Market::open(closes).await;
    for _ in 0..2 {
        market.quarter(|_| false).await;
    }
    // The time of day is set, and set right again.
    market.set_wrong(20);
    let mut told = vec![Some(Behaviour::ReduceOnly)];
    market.until_told(&told).await;
    market.set_wrong(0);
    market.pass(false).await;
    told.push(None);
    market.until_told(&told).await;

    // The machine stands still, and the service has the minutes.
    for number in market.next..market.next + 20 {
        market.history.bars.lock().unwrap().insert(at(number), minute(number));
    }
    market.next += 20;
    market.set(at(market.next));
    told.push(Some(Behaviour::ReduceOnly));
    market.until_told(&told).await;
    market.pass(false).await;
    told.push(None);
    market.until_told(&told).await;

    // Again, and nobody answers.
    market.next += 20;
    market.set(at(market.next));
    told.push(Some(Behaviour::ReduceOnly));
    market.until_told(&told).await;
    market.set(at(market.next + 2));
    told.push(Some(Behaviour::Flatten));
    market.until_told(&told).await;
    market.stop().await;
}
