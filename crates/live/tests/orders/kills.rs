//! A trader that dies with orders in flight, again and again.

use walkforward_core::Side;
use walkforward_live::{DecisionFate, DisasterStop, DriverMode, OrderRules};
use walkforward_testing::{FakeAlpaca, FillMode, Random, RestFault, Route, StreamKind};

use crate::trader::{Time, Trader, ms, quick};

/// Deaths of the test.
const KILLS: u64 = 100;

/// One of the faults that a request may meet.
fn fault(random: &mut Random) -> RestFault {
    match random.below(6) {
        0 => RestFault::LoseRequest,
        1 => RestFault::LoseAnswer,
        2 => RestFault::CutAnswer,
        3 => RestFault::html(502),
        4 => RestFault::Slow(ms(random.below(40))),
        _ => RestFault::error(500, 50_010_000, "internal server error"),
    }
}

/// Something happens at the service.
fn disturb(fake: &FakeAlpaca, random: &mut Random) {
    for route in [Route::Submit, Route::Submit, Route::Order, Route::Cancel, Route::Positions] {
        if random.below(3) == 0 {
            fake.fail(route, fault(random), 1);
        }
    }
    fake.set_fill_mode(if random.below(3) == 0 { FillMode::Manual } else { FillMode::AtOnce });
    if random.below(6) == 0 {
        fake.cut_streams(StreamKind::Updates);
    }
    for order in fake.orders().iter().filter(|order| !order.is_final() && order.client_id.starts_with("wf-"))
    {
        let is_stop = order.side == Side::Sell && random.below(2) == 0;
        match random.below(3) {
            0 if !is_stop => fake.fill(&order.client_id, None, 40_000.0),
            1 if order.filled.is_zero() && order.quantity.is_none_or(|it| it.nanos() > 1_000_000) => {
                fake.fill(&order.client_id, Some("0.0001"), 40_000.0)
            }
            _ => {}
        }
    }
}

async fn live_and_die(seed: u64, rules: OrderRules) {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (mut random, mut time) = (Random::new(seed), Time::new());
    let (mut decided, mut in_flight) = (0, 0);
    for _ in 0..KILLS {
        let mut trader = Trader::start(&fake, folder.path(), rules.clone(), DriverMode::Trade, time.clone())
            .await
            .unwrap();
        if random.below(5) > 0 {
            trader.next_bar();
        }
        disturb(&fake, &mut random);
        let wants_long = trader.desk.position().is_zero();
        decided += u64::from(matches!(
            trader.decide(wants_long),
            Some(DecisionFate::Sent(_) | DecisionFate::Waits(_))
        ));
        trader.run_for(ms(random.below(25))).await;
        disturb(&fake, &mut random);
        trader.run_for(ms(random.below(10))).await;
        in_flight += u64::from(!trader.desk.open_orders().is_empty());
        time = trader.time.clone();
    }
    fake.heal();
    fake.set_fill_mode(FillMode::AtOnce);
    let mut trader = Trader::start(&fake, folder.path(), rules, DriverMode::Trade, time).await.unwrap();
    trader.next_bar();
    trader.settle().await;
    trader.assert_sound(&fake);
    assert!(
        decided > KILLS / 4 && in_flight > KILLS / 5,
        "{decided} decided, {in_flight} died with orders in flight"
    );
}

#[tokio::test]
async fn a_trader_that_dies_with_orders_in_flight_doubles_and_forgets_none() {
    live_and_die(7, quick()).await;
}

#[tokio::test]
async fn nor_does_one_with_a_stop_at_the_venue() {
    let disaster_stop = Some(DisasterStop { stop_pct: 10.0, limit_pct: 5.0 });
    live_and_die(11, OrderRules { disaster_stop, ..quick() }).await;
}
