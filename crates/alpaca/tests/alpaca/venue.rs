//! Orders and questions against a service that does everything wrong.

use walkforward_core::{
    Cash, ErrorKind, OrderOrigin, OrderStatus, Quantity, RejectReason, Side, SubmitError, Venue, VenueOrder,
};
use walkforward_testing::{FakeAlpaca, FillMode, RestFault, Route};

use crate::live::{buy, id, ms, quantity, sell, stop, venue, venue_with};
use crate::server::{Reply, Server};

#[tokio::test]
async fn a_round_trip_ends_flat_and_what_is_sold_comes_from_the_position() {
    let fake = FakeAlpaca::start().await;
    fake.set_price(42_301.5);
    let venue = venue(&fake);
    let state = venue.submit(&buy("wf-1", 528.768)).await.unwrap();
    assert_eq!((state.status, state.filled), (OrderStatus::Pending, Quantity::ZERO));
    let state = venue.order(&id("wf-1")).await.unwrap().unwrap();
    assert_eq!((state.status, state.side), (OrderStatus::Filled, Side::Buy));
    // 528.76 dollars: the service takes cents, and less is safe.
    assert_eq!(state.filled, quantity("0.012499793"));
    let position = venue.position().await.unwrap();
    assert_eq!(position.quantity, quantity("0.012468543"), "the fee is taken in coins");
    assert_eq!(position.available, position.quantity);

    let gross = venue.submit(&sell("wf-2", "0.012499793")).await.unwrap_err();
    assert!(
        matches!(&gross, SubmitError::Rejected(it) if it.reason == RejectReason::InsufficientBalance),
        "{gross}"
    );
    venue.submit(&sell("wf-3", &position.available.to_string())).await.unwrap();
    assert_eq!(venue.position().await.unwrap().quantity, Quantity::ZERO);
    let account = venue.account().await.unwrap();
    assert!(account.is_tradable());
    assert_eq!(account.cash.get(), fake.holdings().cash.units());
}

async fn refused(fake: &FakeAlpaca, order: &VenueOrder, expected: RejectReason) {
    match venue(fake).submit(order).await {
        Err(SubmitError::Rejected(rejection)) => {
            assert_eq!(rejection.reason, expected, "{rejection}");
            assert!(rejection.code.is_some());
        }
        other => panic!("{expected:?}: {other:?}"),
    }
    assert_eq!(venue(fake).order(order.id()).await.unwrap(), None, "what is refused is not there");
}

#[tokio::test]
async fn each_kind_of_refusal_is_told_apart() {
    let fake = FakeAlpaca::start().await;
    refused(&fake, &buy("wf-1", 10_000.01), RejectReason::InsufficientBalance).await;
    refused(&fake, &sell("wf-2", "0.1"), RejectReason::InsufficientBalance).await;
    refused(&fake, &buy("wf-3", 9.99), RejectReason::BelowMinimum).await;
    let answer = RestFault::error;
    for (fault, expected) in [
        (answer(401, 40_110_000, "request is not authorized"), RejectReason::NotAuthorised),
        (answer(422, 42_210_000, "invalid crypto time_in_force"), RejectReason::TimeInForce),
        (answer(422, 42_210_000, "notional must be <= 200000"), RejectReason::AboveMaximum),
        (answer(422, 42_210_000, "asset BTC/USD is not tradable"), RejectReason::Symbol),
        (answer(422, 40_010_001, "qty is required"), RejectReason::Malformed),
    ] {
        fake.fail(Route::Submit, fault, 1);
        refused(&fake, &buy("wf-4", 100.0), expected).await;
    }
    fake.set_fill_mode(FillMode::Manual);
    venue(&fake).submit(&buy("wf-5", 100.0)).await.unwrap();
    refused(&fake, &sell("wf-6", "0.001"), RejectReason::WashTrade).await;
    fake.block_account(true);
    refused(&fake, &buy("wf-7", 100.0), RejectReason::AccountBlocked).await;
    assert!(venue(&fake).account().await.unwrap().blocked.is_some());
}

/// Hands an order in under `fault`: whether it is there is unknown, a look-up tells, and handing it in again under the
/// same name never makes a second one.
async fn is_unknown_and_there(fault: RestFault, is_there: bool) {
    let fake = FakeAlpaca::start().await;
    let venue = venue_with(&fake, |config| config.timeouts.total = ms(700));
    fake.fail(Route::Submit, fault.clone(), 1);
    let order = buy("wf-1", 100.0);
    let error = venue.submit(&order).await.unwrap_err();
    assert!(matches!(error, SubmitError::Unknown { .. }), "{fault:?}: {error}");
    assert_eq!(fake.count(Route::Submit), 1, "nothing is sent twice by itself");
    let found = venue.order(&id("wf-1")).await.unwrap();
    assert_eq!(found.is_some(), is_there, "{fault:?}");
    let again = venue.submit(&order).await;
    match is_there {
        true => assert_eq!(again, Err(SubmitError::DuplicateId { id: id("wf-1") })),
        false => assert!(again.is_ok(), "{again:?}"),
    }
    assert_eq!(fake.placed("wf-1"), (2, 1), "{fault:?}");
    assert_eq!(venue.order(&id("wf-1")).await.unwrap().unwrap().status, OrderStatus::Filled);
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_there_once() {
    is_unknown_and_there(RestFault::LoseAnswer, true).await;
    is_unknown_and_there(RestFault::CutAnswer, true).await;
    is_unknown_and_there(RestFault::Slow(ms(3_000)), true).await;
}

#[tokio::test]
async fn an_order_that_was_lost_on_the_way_can_be_handed_in_again() {
    is_unknown_and_there(RestFault::LoseRequest, false).await;
    is_unknown_and_there(RestFault::html(502), false).await;
    is_unknown_and_there(RestFault::html(504), false).await;
    is_unknown_and_there(RestFault::html(403), false).await;
    is_unknown_and_there(RestFault::error(500, 50_010_000, "internal server error"), false).await;
    let ok = RestFault::Answer { status: 200, headers: Vec::new(), body: "<html>fine</html>".to_owned() };
    is_unknown_and_there(ok, false).await;
}

#[tokio::test]
async fn what_surely_was_not_taken_is_told_with_the_wait() {
    let fake = FakeAlpaca::start().await;
    let body = r#"{"code":42910000,"message":"rate limit exceeded"}"#.to_owned();
    let headers = vec!["Retry-After: 7".to_owned()];
    fake.fail(Route::Submit, RestFault::Answer { status: 429, headers, body }, 1);
    let error = venue(&fake).submit(&buy("wf-1", 100.0)).await.unwrap_err();
    assert!(matches!(&error, SubmitError::NotPlaced { wait_ms: Some(7_000), .. }), "{error}");

    let ours = venue_with(&fake, |config| (config.requests_per_minute, config.submit_wait) = (1, ms(100)));
    for number in 0..10 {
        ours.submit(&buy(&format!("wf-a{number}"), 10.0)).await.unwrap();
    }
    let error = ours.submit(&buy("wf-b", 10.0)).await.unwrap_err();
    assert!(matches!(&error, SubmitError::NotPlaced { wait_ms: Some(1_000..), .. }), "{error}");
    assert_eq!(fake.placed("wf-b"), (0, 0));

    let gone = venue(&fake);
    drop(fake);
    tokio::time::sleep(ms(50)).await;
    let error = gone.submit(&buy("wf-2", 100.0)).await.unwrap_err();
    assert!(matches!(&error, SubmitError::NotPlaced { wait_ms: None, .. }), "{error}");
}

#[tokio::test]
async fn questions_are_asked_again_and_an_order_never() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    venue.submit(&buy("wf-1", 100.0)).await.unwrap();
    let routes = [Route::Account, Route::Positions, Route::Asset, Route::Order, Route::Orders];
    for route in routes {
        fake.fail(route, RestFault::html(503), 1);
        fake.fail(route, RestFault::CutAnswer, 1);
        fake.fail(route, RestFault::LoseRequest, 1);
    }
    assert!(venue.account().await.is_ok());
    assert!(venue.position().await.unwrap().quantity > Quantity::ZERO);
    assert_eq!(venue.instrument().await.unwrap().minimum_notional, Cash::new(10.0).ok());
    assert!(venue.order(&id("wf-1")).await.unwrap().is_some());
    assert_eq!(venue.open_orders().await.unwrap(), []);
    assert_eq!(fake.waiting_faults(), 0);
    for route in routes {
        assert_eq!(fake.count(route), 4, "{route:?}");
    }
    fake.fail(Route::Positions, RestFault::html(500), 4);
    assert_eq!(venue.position().await.unwrap_err().kind, ErrorKind::Retry);
}

#[tokio::test]
async fn a_slow_answer_to_a_question_is_asked_for_again() {
    let fake = FakeAlpaca::start().await;
    let venue = venue_with(&fake, |config| config.timeouts.total = ms(300));
    fake.fail(Route::Positions, RestFault::Slow(ms(900)), 1);
    assert_eq!(venue.position().await.unwrap().quantity, Quantity::ZERO);
    assert_eq!(fake.count(Route::Positions), 2);
}

#[tokio::test]
async fn addresses_are_those_of_the_service() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    drop(venue.order(&id("wf-1")).await);
    drop(venue.instrument().await);
    drop(venue.open_orders().await);
    drop(venue.submit(&buy("wf-1", 100.0)).await);
    let targets: Vec<String> =
        fake.requests().into_iter().map(|it| format!("{} {}", it.method, it.target)).collect();
    let expected = [
        "GET /v2/orders:by_client_order_id?client_order_id=wf-1",
        "GET /v2/assets/BTC%2FUSD",
        "GET /v2/orders?status=open&limit=500&direction=asc&nested=false",
        "POST /v2/orders",
    ];
    assert_eq!(targets, expected);
}

#[tokio::test]
async fn a_no_that_breaks_off_is_asked_again() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    fake.fail(Route::Order, RestFault::CutAnswer, 1);
    assert_eq!(venue.order(&"wf-unknown".parse().unwrap()).await.unwrap(), None);
    assert_eq!(fake.count(Route::Order), 2);
}

#[tokio::test]
async fn only_the_service_itself_can_say_that_something_is_not_there() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    venue.submit(&buy("wf-1", 100.0)).await.unwrap();
    assert_eq!(venue.order(&id("wf-2")).await.unwrap(), None);
    fake.fail(Route::Order, RestFault::html(404), 1);
    assert!(venue.order(&id("wf-1")).await.is_err(), "a proxy's 404 is no answer about an order");
    fake.fail(Route::Positions, RestFault::error(404, 40_410_000, "position does not exist"), 1);
    assert!(venue.position().await.is_err(), "the list of positions is always there");
}

#[tokio::test]
async fn an_order_is_ended_whatever_it_has_come_to() {
    let fake = FakeAlpaca::start().await;
    fake.set_fill_mode(FillMode::Manual);
    let venue = venue(&fake);
    assert_eq!(venue.cancel(&id("wf-0")).await.unwrap(), None);
    let status = async |name: &str| venue.cancel(&id(name)).await.unwrap().unwrap().status;
    venue.submit(&buy("wf-1", 100.0)).await.unwrap();
    fake.fill("wf-1", Some("0.001"), 40_000.0);
    assert_eq!(status("wf-1").await, OrderStatus::Canceled);
    assert_eq!(status("wf-1").await, OrderStatus::Canceled);
    assert_eq!(fake.count(Route::Cancel), 1, "what is final is not ended again");

    venue.submit(&buy("wf-2", 100.0)).await.unwrap();
    fake.fail(Route::Cancel, RestFault::LoseAnswer, 1);
    assert_eq!(status("wf-2").await, OrderStatus::Canceled, "the second request is told that it is over");

    venue.submit(&buy("wf-3", 100.0)).await.unwrap();
    fake.fail(Route::Cancel, RestFault::error(422, 42_210_000, "order is already in \"filled\" state"), 1);
    assert_eq!(
        status("wf-3").await,
        OrderStatus::Open,
        "the state is what the service has, not what it said"
    );
}

#[tokio::test]
async fn open_orders_of_others_are_seen_and_a_stop_holds_coins_back() {
    let fake = FakeAlpaca::start().await;
    let venue = venue(&fake);
    venue.submit(&buy("wf-1", 400.0)).await.unwrap();
    let held = venue.position().await.unwrap().quantity;
    let stopped = venue.submit(&stop("wf-2", held, 36_000.0, 35_000.0)).await.unwrap();
    assert_eq!((stopped.side, stopped.ordered), (Side::Sell, Some(held)));
    assert_eq!(venue.position().await.unwrap().available, Quantity::ZERO);
    assert_eq!(venue.open_orders().await.unwrap().len(), 1);
    venue.cancel(&id("wf-2")).await.unwrap();

    fake.set_fill_mode(FillMode::Manual);
    fake.place_external(Side::Sell, "0.001", "by-hand");
    let open = venue.open_orders().await.unwrap();
    assert_eq!(open[0].origin, OrderOrigin::External("by-hand".to_owned()));
    fake.end_order("by-hand", "canceled");

    venue.submit(&stop("wf-3", held, 36_000.0, 35_000.0)).await.unwrap();
    fake.set_price(35_500.0);
    assert_eq!(venue.order(&id("wf-3")).await.unwrap().unwrap().status, OrderStatus::Filled);
}

#[tokio::test]
async fn keys_go_to_the_service_and_into_no_text() {
    let fake = FakeAlpaca::start().await;
    let venue = venue_with(&fake, |config| config.keys.secret = "anothersecret".into());
    let errors = [
        venue.account().await.unwrap_err().to_string(),
        venue.order(&id("wf-1")).await.unwrap_err().to_string(),
    ];
    let refused = venue.submit(&buy("wf-1", 100.0)).await.unwrap_err();
    for text in errors.into_iter().chain([
        refused.to_string(),
        format!("{refused:?}"),
        format!("{:?}", venue.config()),
    ]) {
        assert!(!text.contains("anothersecret") && !text.contains(FakeAlpaca::KEY_ID), "{text}");
    }
    let request = &fake.requests()[0];
    assert_eq!(request.header("apca-api-secret-key"), Some("anothersecret"));
    assert!(!request.target.contains("secret"));
}

#[tokio::test]
async fn an_order_does_not_follow_a_redirect() {
    let elsewhere = Server::playing(vec![Reply::ok("{}")]);
    let fake = FakeAlpaca::start().await;
    let headers = vec![format!("Location: {}/v2/orders", elsewhere.url())];
    fake.fail(Route::Submit, RestFault::Answer { status: 307, headers, body: String::new() }, 1);
    let error = venue(&fake).submit(&buy("wf-1", 100.0)).await.unwrap_err();
    assert!(matches!(&error, SubmitError::NotPlaced { .. }), "{error}");
    assert!(elsewhere.requests().is_empty(), "no key reaches another host");
}
