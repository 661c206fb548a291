//! The stream of order updates against a service that does everything wrong.

use walkforward_core::{
    OrderOrigin, OrderStatus, Quantity, Side, Venue, VenueFill, VenueUpdate, VenueUpdates,
};
use walkforward_testing::{AuthSpelling, FakeAlpaca, FillMode, StreamKind};

use crate::live::{buy, id, ms, quantity, update, venue, venue_with};

async fn up(updates: &mut dyn VenueUpdates) {
    assert_eq!(update(updates).await, VenueUpdate::Up);
}

async fn down(updates: &mut dyn VenueUpdates, part: &str) {
    let VenueUpdate::Down { reason } = update(updates).await else { panic!("not down") };
    assert!(reason.contains(part), "{reason}");
}

async fn fill(updates: &mut dyn VenueUpdates) -> VenueFill {
    match update(updates).await {
        VenueUpdate::Fill(fill) => fill,
        other => panic!("{other:?}"),
    }
}

async fn order_status(updates: &mut dyn VenueUpdates) -> OrderStatus {
    match update(updates).await {
        VenueUpdate::Order(order) => order.status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn partial_fills_add_up_to_the_venues_own_account() {
    let fake = FakeAlpaca::start().await;
    fake.set_fill_mode(FillMode::Manual);
    let venue = venue(&fake);
    let mut updates = venue.updates();
    up(&mut *updates).await;
    venue.submit(&buy("wf-1", 400.0)).await.unwrap();
    assert_eq!(order_status(&mut *updates).await, OrderStatus::Open);
    fake.fill("wf-1", Some("0.004"), 40_000.0);
    fake.fill("wf-1", Some("0.003333333"), 40_010.5);
    fake.fill("wf-1", None, 39_990.0);
    let (mut position, mut gross) = (Quantity::ZERO, Quantity::ZERO);
    for is_last in [false, false, true] {
        let fill = fill(&mut *updates).await;
        let fee = fill.fee_in_asset(position).unwrap();
        assert!(fee > Quantity::ZERO);
        position = position + fill.quantity - fee;
        gross = gross + fill.quantity;
        assert_eq!(fill.position_after, Some(position));
        assert_eq!((fill.order.filled, fill.order.status.is_final()), (gross, is_last));
    }
    assert_eq!(position, fake.holdings().position);
    assert_eq!(position, venue.position().await.unwrap().quantity);
}

#[tokio::test]
async fn what_others_do_is_told_as_theirs() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    let mut updates = venue.updates();
    up(&mut *updates).await;
    fake.place_external(Side::Buy, "0.01", "by-hand");
    assert_eq!(order_status(&mut *updates).await, OrderStatus::Open);
    let fill = fill(&mut *updates).await;
    assert_eq!(fill.order.origin, OrderOrigin::External("by-hand".to_owned()));
    assert_eq!(fill.position_after, Some(quantity("0.009975")));
}

#[tokio::test]
async fn a_fill_that_the_stream_lost_is_found_by_asking() {
    let fake = FakeAlpaca::start().await;
    fake.set_fill_mode(FillMode::Manual);
    let venue = venue_with(&fake, |config| config.stream.pong_wait = ms(400));
    let mut updates = venue.updates();
    up(&mut *updates).await;
    venue.submit(&buy("wf-1", 400.0)).await.unwrap();
    assert_eq!(order_status(&mut *updates).await, OrderStatus::Open);
    fake.freeze_streams(StreamKind::Updates);
    fake.fill("wf-1", None, 40_000.0);
    down(&mut *updates, "half open").await;
    up(&mut *updates).await;
    let state = venue.order(&id("wf-1")).await.unwrap().unwrap();
    assert_eq!((state.status, state.filled), (OrderStatus::Filled, quantity("0.01")));
    assert_eq!(venue.figures().ready, 2);
}

#[tokio::test]
async fn either_spelling_of_the_keys_works() {
    for spelling in [AuthSpelling::Both, AuthSpelling::Authenticate, AuthSpelling::Auth] {
        let fake = FakeAlpaca::start().await;
        fake.set_auth_spelling(spelling);
        up(&mut *venue(&fake).updates()).await;
    }
}

#[tokio::test]
async fn wrong_keys_end_it_and_are_not_shown() {
    let fake = FakeAlpaca::start().await;
    let venue = venue_with(&fake, |config| config.keys.secret = "anothersecret".into());
    let mut updates = venue.updates();
    let error = updates.next().await.unwrap_err().message;
    assert!(error.contains("access key verification failed") && !error.contains("anothersecret"), "{error}");
    assert_eq!(updates.next().await, Ok(None));
    assert_eq!(fake.streams(StreamKind::Updates).opened, 1);
}

#[tokio::test]
async fn the_same_execution_keeps_its_name_and_garbage_is_survived() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    let mut updates = venue.updates();
    up(&mut *updates).await;
    for garbage in [&b"not JSON"[..], b"[]", b"\xFF\xFE", br#"{"stream":"weather","data":[]}"#] {
        fake.send_update_bytes(garbage);
    }
    venue.submit(&buy("wf-1", 400.0)).await.unwrap();
    fake.repeat_update();
    assert_eq!(order_status(&mut *updates).await, OrderStatus::Open);
    let first = fill(&mut *updates).await;
    assert_eq!(fill(&mut *updates).await, first);
    let figures = venue.figures();
    assert_eq!((figures.garbage, figures.unknown), (3, 1));
}

#[tokio::test]
async fn an_update_that_can_not_be_read_makes_the_owner_ask() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    let mut updates = venue.updates();
    up(&mut *updates).await;
    fake.send_update_bytes(
        br#"{"stream":"trade_updates","data":{"event":"fill","order":{"symbol":"BTC/USD"}}}"#,
    );
    down(&mut *updates, "can't be read").await;
    up(&mut *updates).await;
}

#[tokio::test]
async fn every_end_of_a_connection_is_survived() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    let mut updates = venue.updates();
    up(&mut *updates).await;
    for number in 0..20 {
        match number % 2 {
            0 => fake.cut_streams(StreamKind::Updates),
            _ => fake.close_streams(StreamKind::Updates),
        }
        down(&mut *updates, "connection").await;
        up(&mut *updates).await;
    }
    venue.submit(&buy("wf-1", 400.0)).await.unwrap();
    assert_eq!(order_status(&mut *updates).await, OrderStatus::Open);
    assert_eq!(fake.streams(StreamKind::Updates).most_open, 1);
}
