//! Each order once, whatever happens on the way: what a trader has to do after each answer, and that it is enough.

use walkforward_alpaca::AlpacaVenue;
use walkforward_core::{
    ClientOrderId, OrderState, OrderStatus, Quantity, Side, SubmitError, Venue, VenueOrder,
};
use walkforward_testing::{FakeAlpaca, Random, RestFault, Route};

use crate::live::{buy, id, ms, sell, venue_with};

/// Orders of the test; each meets up to three faults in a row.
const ORDERS: u64 = 120;

/// One of the faults that a request may meet.
fn fault(random: &mut Random) -> RestFault {
    match random.below(7) {
        0 => RestFault::LoseRequest,
        1 => RestFault::LoseAnswer,
        2 => RestFault::CutAnswer,
        3 => RestFault::html(502),
        4 => RestFault::html(504),
        5 => RestFault::error(429, 42_910_000, "rate limit exceeded"),
        _ => RestFault::error(500, 50_010_000, "internal server error"),
    }
}

/// Hands `order` in until the venue has it, and gives its state and how often it was handed in.
async fn place(venue: &AlpacaVenue, order: &VenueOrder) -> (OrderState, usize) {
    for attempt in 1..20 {
        match venue.submit(order).await {
            Ok(state) => return (state, attempt),
            Err(SubmitError::Rejected(rejection)) => panic!("{rejection}"),
            Err(SubmitError::NotPlaced { .. }) => continue,
            Err(SubmitError::Unknown { .. } | SubmitError::DuplicateId { .. }) => {}
        }
        if let Some(state) = venue.order(order.id()).await.unwrap() {
            return (state, attempt);
        }
    }
    panic!("no end");
}

#[tokio::test]
async fn every_order_is_there_once_whatever_happens_on_the_way() {
    let fake = FakeAlpaca::start().await;
    let venue = venue_with(&fake, |config| {
        (config.requests_per_minute, config.timeouts.total) = (10_000, ms(2_000));
    });
    let mut random = Random::new(7);
    let (mut handed_in, mut bought, mut sold) = (0, 0, 0);
    for number in 0..ORDERS {
        for _ in 0..random.below(4) {
            fake.fail(Route::Submit, fault(&mut random), 1);
        }
        let name = format!("wf-{number}");
        let held = venue.position().await.unwrap().available;
        let order = match held > Quantity::ZERO {
            true => sell(&name, &held.to_string()),
            false => buy(&name, 100.0 + number as f64),
        };
        let (state, attempts) = place(&venue, &order).await;
        assert_eq!(state.origin.id(), Some(&id(&name)));
        handed_in += attempts;
        *(if order.side() == Side::Buy { &mut bought } else { &mut sold }) += 1;
        fake.heal();
    }
    assert_eq!((bought, sold), (ORDERS / 2, ORDERS / 2), "what is bought is sold again, whole");
    for number in 0..ORDERS {
        let name: ClientOrderId = id(&format!("wf-{number}"));
        assert_eq!(fake.placed(name.as_str()).1, 1, "{name}");
        assert_eq!(venue.order(&name).await.unwrap().unwrap().status, OrderStatus::Filled);
    }
    assert_eq!(fake.orders().len() as u64, ORDERS);
    assert_eq!(fake.count(Route::Submit), handed_in, "nothing is handed in but by the trader");
    assert!(handed_in as u64 > ORDERS, "faults have happened");
    assert_eq!(venue.position().await.unwrap().quantity, Quantity::ZERO);
    assert_eq!(venue.account().await.unwrap().cash.get(), fake.holdings().cash.units());
}

#[test]
fn a_trader_without_the_fakes_runtime_meets_the_same_service() {
    let fake = FakeAlpaca::in_background("BTC/USD");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let venue = venue_with(&fake, |_| {});
    runtime.block_on(venue.submit(&buy("wf-1", 100.0))).unwrap();
    fake.block_until("the order fills", |fake| fake.orders().iter().all(|order| order.is_final()));
    assert_eq!(fake.placed("wf-1"), (1, 1));
}
