//! Every fault of the service, through the driver and the adapter: each order once, the ledger is the account.

use walkforward_core::{RejectReason, Side};
use walkforward_live::{
    DecisionFate, DisasterStop, DriverMode, OrderOutcome, OrderRecord, OrderRules, OrderWarning,
    StartRefusal, TradingMode,
};
use walkforward_testing::{FakeAlpaca, FakeKind, FillMode, RestFault, Route, StreamKind};

use crate::trader::{Time, Trader, ms, quick, records};

async fn start(fake: &FakeAlpaca, folder: &std::path::Path) -> Trader {
    Trader::start(fake, folder, quick(), DriverMode::Trade, Time::new()).await.unwrap()
}

/// A round trip whose orders each meet `faults`; each order is there once, after so many times handed in.
async fn round_trip_under(faults: &[RestFault], handed_in: usize) {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut trader = start(&fake, folder.path()).await;
    for wants_long in [true, false] {
        for fault in faults {
            fake.fail(Route::Submit, fault.clone(), 1);
        }
        let Some(DecisionFate::Sent(id)) = trader.decide(wants_long) else { panic!("not sent") };
        trader.settle().await;
        assert_eq!(fake.placed(id.as_str()), (handed_in, 1), "{faults:?}");
        trader.assert_sound(&fake);
        trader.next_bar();
    }
    assert!(trader.desk.position().is_zero(), "{faults:?}");
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_not_handed_in_again() {
    for fault in [RestFault::LoseAnswer, RestFault::CutAnswer, RestFault::Slow(ms(900))] {
        round_trip_under(&[fault], 1).await;
    }
}

#[tokio::test]
async fn an_order_that_did_not_arrive_is_handed_in_again_under_its_name() {
    let limited = RestFault::error(429, 42_910_000, "rate limit exceeded");
    for fault in [
        RestFault::LoseRequest,
        RestFault::html(502),
        RestFault::html(403),
        RestFault::error(500, 50_010_000, "internal server error"),
        RestFault::error(503, 50_310_000, "unavailable"),
        limited.clone(),
    ] {
        round_trip_under(&[fault], 2).await;
    }
    round_trip_under(&[RestFault::LoseRequest, limited, RestFault::html(504), RestFault::LoseAnswer], 4)
        .await;
}

#[tokio::test]
async fn what_fills_while_updates_are_down_is_found_by_asking() {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut trader = start(&fake, folder.path()).await;
    trader.run_for(ms(50)).await;
    fake.set_fill_mode(FillMode::Manual);
    let Some(DecisionFate::Sent(id)) = trader.decide(true) else { panic!("not sent") };
    trader.run_until("it is placed", |_| fake.placed(id.as_str()).1 == 1).await;
    fake.mute_streams();
    fake.freeze_streams(StreamKind::Updates);
    fake.fill(id.as_str(), Some("0.004"), 40_000.0);
    fake.fill(id.as_str(), Some("0.003"), 40_100.0);
    trader
        .run_until("the fills are booked", |it| it.desk.order(&id).unwrap().filled().nanos() == 7_000_000)
        .await;
    fake.fill(id.as_str(), None, 39_900.0);
    trader.settle().await;
    trader.assert_sound(&fake);
    assert!(trader.books.warnings.iter().any(|it| matches!(it, OrderWarning::UpdatesDown { .. })));
}

#[tokio::test]
async fn partial_fills_are_booked_once_each_though_updates_repeat_and_break_off() {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut trader = start(&fake, folder.path()).await;
    fake.wait_until("it listens", |fake| fake.streams(StreamKind::Updates).subscribed == 1).await;
    fake.set_fill_mode(FillMode::Manual);
    let Some(DecisionFate::Sent(id)) = trader.decide(true) else { panic!("not sent") };
    trader.run_until("it is placed", |_| fake.placed(id.as_str()).1 == 1).await;
    for part in ["0.001", "0.0012", "0.0003"] {
        fake.fill(id.as_str(), Some(part), 40_000.0);
        fake.repeat_update();
        trader.run_for(ms(20)).await;
        fake.cut_streams(StreamKind::Updates);
        fake.send_update_bytes(b"\xffgarbage");
    }
    fake.fill(id.as_str(), None, 40_001.0);
    trader.settle().await;
    trader.assert_sound(&fake);
    let booked = records(&folder.path().join("journal.wfj"));
    assert!(booked.iter().filter(|it| matches!(it, OrderRecord::Booked(_))).count() >= 4);
}

/// Decides to buy, and expects this refusal and nothing bought.
async fn refused(fake: &FakeAlpaca, expected: RejectReason, mode: Option<TradingMode>) {
    let folder = tempfile::tempdir().unwrap();
    let mut trader = start(fake, folder.path()).await;
    let before = fake.count(Route::Submit);
    let Some(DecisionFate::Sent(id)) = trader.decide(true) else { panic!("not sent") };
    trader.run_until("it is over", |it| it.desk.open_orders().is_empty()).await;
    let outcome = trader.desk.order(&id).unwrap().outcome().unwrap().clone();
    let OrderOutcome::Refused(rejection) = outcome else { panic!("{outcome:?}") };
    assert_eq!(rejection.reason, expected);
    trader.run_for(ms(50)).await;
    assert_eq!(fake.count(Route::Submit), before + 1, "a refusal is not tried again");
    assert_eq!(fake.placed(id.as_str()).1, 0);
    assert_eq!(trader.books.restrictions.first().map(|it| it.mode), mode, "{expected:?}");
    fake.heal();
}

#[tokio::test]
async fn each_kind_of_refusal_is_acted_on() {
    let fake = FakeAlpaca::start().await;
    let error = RestFault::error;
    for (fault, reason, mode) in [
        (
            error(401, 40_110_000, "request is not authorized"),
            RejectReason::NotAuthorised,
            Some(TradingMode::Halted),
        ),
        (
            error(403, 40_310_000, "cost basis must be >= minimal amount of order 10"),
            RejectReason::BelowMinimum,
            None,
        ),
        (
            error(403, 40_310_000, "potential wash trade detected"),
            RejectReason::WashTrade,
            Some(TradingMode::ReduceOnly),
        ),
        (
            error(403, 40_310_000, "trading is blocked"),
            RejectReason::AccountBlocked,
            Some(TradingMode::Halted),
        ),
        (error(422, 42_210_000, "invalid crypto time_in_force"), RejectReason::TimeInForce, None),
        (
            error(422, 42_210_000, "asset BTC/USD is not tradable"),
            RejectReason::Symbol,
            Some(TradingMode::Halted),
        ),
    ] {
        fake.fail(Route::Submit, fault, 1);
        refused(&fake, reason, mode).await;
    }
    fake.deposit("-9900");
    refused(&fake, RejectReason::InsufficientBalance, None).await;
}

#[tokio::test]
async fn an_account_that_is_blocked_and_orders_of_others_refuse_the_start() {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let begin = || Trader::start(&fake, folder.path(), quick(), DriverMode::Trade, Time::new());
    fake.block_account(true);
    let refusals = begin().await.err().unwrap();
    assert!(matches!(&refusals[..], [StartRefusal::Account(_)]), "{refusals:?}");
    fake.block_account(false);
    fake.set_fill_mode(FillMode::Manual);
    fake.place_external(Side::Buy, "0.01", "by-hand");
    let refusals = begin().await.err().unwrap();
    assert!(matches!(&refusals[..], [StartRefusal::ForeignOrder { .. }]), "{refusals:?}");
    fake.fill("by-hand", None, 40_000.0);
    let refusals = begin().await.err().unwrap();
    assert!(matches!(&refusals[..], [StartRefusal::Position { .. }]), "{refusals:?}");
}

#[tokio::test]
async fn a_trade_by_hand_is_noticed_and_stops_the_trader() {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut trader = start(&fake, folder.path()).await;
    fake.wait_until("it listens", |fake| fake.streams(StreamKind::Updates).subscribed == 1).await;
    fake.place_external(Side::Buy, "0.01", "by-hand");
    trader.run_until("it is blocked", |it| it.desk.blocked().is_some()).await;
    assert_eq!(trader.books.restrictions[0].mode, TradingMode::Halted);
    assert!(matches!(trader.decide(true), Some(DecisionFate::Skipped(_))));
}

#[tokio::test]
async fn an_observer_hands_nothing_in() {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut trader =
        Trader::start(&fake, folder.path(), quick(), DriverMode::Observe, Time::new()).await.unwrap();
    for _ in 0..3 {
        let Some(DecisionFate::Sent(id)) = trader.decide(true) else { panic!("not sent") };
        trader.settle().await;
        assert_eq!(trader.desk.order(&id).unwrap().outcome(), Some(&OrderOutcome::Observed));
        trader.next_bar();
    }
    assert_eq!((fake.count(Route::Submit), fake.count(Route::Cancel)), (0, 0));
    assert!(fake.count(Route::Positions) > 0, "what the account holds is asked for");
}

#[tokio::test]
async fn a_stop_stands_at_the_venue_and_gives_way_to_the_exit() {
    let fake = FakeAlpaca::start().await;
    let folder = tempfile::tempdir().unwrap();
    let rules =
        OrderRules { disaster_stop: Some(DisasterStop { stop_pct: 10.0, limit_pct: 5.0 }), ..quick() };
    let mut trader =
        Trader::start(&fake, folder.path(), rules, DriverMode::Trade, Time::new()).await.unwrap();
    trader.decide(true);
    let has_stop = |fake: &FakeAlpaca| {
        fake.orders().iter().any(|it| matches!(it.kind, FakeKind::StopLimit { .. }) && !it.is_final())
    };
    trader.run_until("the stop stands", |_| has_stop(&fake)).await;
    trader.settle().await;
    assert_eq!(fake.holdings().available.nanos(), 0);
    trader.next_bar();
    assert!(matches!(trader.decide(false), Some(DecisionFate::Waits(_))));
    trader.run_until("it is flat", |it| it.desk.position().is_zero() && it.desk.is_settled()).await;
    assert!(!has_stop(&fake));
    trader.next_bar();
    trader.decide(true);
    trader.run_until("the stop stands again", |_| has_stop(&fake)).await;
    fake.set_price(35_500.0);
    trader.run_until("the stop sold", |it| it.desk.position().is_zero() && it.desk.is_settled()).await;
    trader.assert_sound(&fake);
}
