//! What each answer leads to, one by one.

use walkforward_core::{OrderOrigin, OrderState, OrderStatus, Quantity, RejectReason, Side, VenueUpdate};
use walkforward_live::{
    DecisionFate, ExternalPosition, OrderDesk, OrderOutcome, OrderRecord, OrderRules, OrderWarning, Skipped,
    StartRefusal, TradingMode, VenueAnswer, VoidReason,
};

use crate::sim::SubmitFault;
use crate::world::{World, rules};

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// A world that has bought in its first bar.
fn long() -> World {
    let mut world = World::new(rules());
    world.deliver();
    assert!(matches!(world.decide(true), Some(DecisionFate::Sent(_))));
    world.sim.fill(0, 1.0);
    world.pass(1_000, 50);
    assert!(world.desk.is_settled());
    world
}

fn outcomes(world: &World) -> Vec<OrderOutcome> {
    let closed = world.journal.iter().filter_map(|record| match record {
        OrderRecord::Closed { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    closed.collect()
}

#[test]
fn a_bar_has_one_order() {
    let mut world = long();
    assert_eq!(world.decide(false), Some(DecisionFate::Skipped(Skipped::AlreadyDecided)));
    world.bar = world.bar.plus_millis(-60_000);
    assert_eq!(world.decide(false), Some(DecisionFate::Skipped(Skipped::Stale)));
    assert_eq!(world.sim.submitted.len(), 1);
}

#[test]
fn the_same_bar_gives_the_same_name_after_a_restart() {
    let mut world = World::new(rules());
    world.sim.faults.push_back(SubmitFault::SilentLost);
    let Some(DecisionFate::Sent(id)) = world.decide(true) else { panic!("not sent") };
    world.restart(Some(0)).unwrap();
    world.pass(2_000, 50);
    assert_eq!(world.sim.submitted, [id.clone(), id], "it is not there, so the same is handed in again");
    world.sim.fill(0, 1.0);
    world.settle();
    world.assert_sound();
}

#[test]
fn after_its_time_to_live_nothing_is_handed_in_again() {
    let mut world = World::new(rules());
    world.sim.faults.push_back(SubmitFault::SilentLost);
    world.decide(true);
    world.sim.now = world.sim.now.plus_millis(31_000);
    world.restart(None).unwrap();
    world.pass(60_000, 500);
    assert_eq!(world.sim.submitted.len(), 1);
    assert_eq!(outcomes(&world), [OrderOutcome::GivenUp]);
}

#[test]
fn an_order_that_arrives_after_it_was_given_up_is_ended_and_booked() {
    let mut world = World::new(rules());
    world.sim.faults.push_back(SubmitFault::Delayed(100_000));
    world.desk = OrderDesk::new(
        OrderRules { times: walkforward_live::OrderTimes { live_ms: 1, ..Default::default() }, ..rules() },
        Quantity::ZERO,
    )
    .unwrap();
    world.decide(true);
    world.pass(60_000, 100);
    assert_eq!(outcomes(&world), [OrderOutcome::GivenUp]);
    world.pass(40_000, 100);
    world.sim.fill(0, 0.5);
    world.pass(5_000, 100);
    assert_eq!(world.sim.orders[0].status, OrderStatus::Canceled);
    assert_eq!(world.ledger.position(), world.sim.position);
    assert!(world.desk.is_settled() && world.sim.position > Quantity::ZERO);
}

#[test]
fn a_new_bar_ends_what_is_open_and_waits_for_its_end() {
    let mut world = World::new(rules());
    world.decide(true);
    world.sim.ends_slowly = true;
    world.pass(1_000, 50);
    world.bar = world.bar.plus_millis(60_000);
    assert!(matches!(world.decide(true), Some(DecisionFate::Waits(_))));
    world.pass(5_000, 50);
    assert_eq!(world.sim.orders.len(), 1, "the first one may still fill");
    world.sim.finish_ends();
    world.pass(1_000, 50);
    assert_eq!(world.sim.orders.len(), 2);
    world.sim.fill(1, 1.0);
    world.settle();
    world.assert_sound();
}

#[test]
fn a_position_that_moves_while_an_order_waits_is_decided_on_again() {
    let mut world = World::new(rules());
    world.decide(true);
    world.sim.ends_slowly = true;
    world.pass(1_000, 50);
    world.bar = world.bar.plus_millis(60_000);
    world.decide(true);
    world.sim.fill(0, 1.0);
    world.pass(1_000, 50);
    assert!(outcomes(&world).contains(&OrderOutcome::Void(VoidReason::PositionMoved)));
    assert_eq!(world.sim.orders.len(), 1, "the position is there: nothing more is bought");
}

#[test]
fn the_next_attempt_comes_when_the_venue_ended_one_unfilled() {
    let mut world = World::new(rules());
    let Some(DecisionFate::Sent(first)) = world.decide(true) else { panic!("not sent") };
    world.sim.end(0, OrderStatus::Expired);
    world.pass(1_000, 50);
    assert_eq!(world.sim.orders.len(), 2);
    assert_ne!(world.sim.submitted[1], first);
    world.sim.fill(1, 0.5);
    world.sim.end(1, OrderStatus::Canceled);
    world.pass(5_000, 50);
    assert_eq!(world.sim.orders.len(), 2, "some of it filled: the next bar decides");
    world.next_bar();
    world.decide(false);
    for at in 2..5 {
        world.sim.end(at, OrderStatus::Rejected);
        world.pass(1_000, 50);
    }
    assert_eq!(world.sim.orders.len(), 5, "three attempts and no more");
}

#[test]
fn each_refusal_has_its_consequence() {
    for (reason, mode) in [
        (RejectReason::InsufficientBalance, None),
        (RejectReason::BelowMinimum, None),
        (RejectReason::AboveMaximum, None),
        (RejectReason::WashTrade, Some(TradingMode::ReduceOnly)),
        (RejectReason::NotAuthorised, Some(TradingMode::Halted)),
        (RejectReason::AccountBlocked, Some(TradingMode::Halted)),
        (RejectReason::Symbol, Some(TradingMode::Halted)),
        (RejectReason::Malformed, None),
    ] {
        let mut world = World::new(rules());
        world.sim.faults.push_back(SubmitFault::Refused(reason));
        world.decide(true);
        world.pass(30_000, 100);
        assert_eq!(world.sim.submitted.len(), 1, "{reason:?} is not tried again");
        assert_eq!(world.restrictions.first().map(|it| it.mode), mode, "{reason:?}");
        assert!(matches!(outcomes(&world)[..], [OrderOutcome::Refused(_)]));
        let is_short = |it: &OrderWarning| matches!(it, OrderWarning::CashShort { .. });
        assert_eq!(world.warnings.iter().any(is_short), reason == RejectReason::InsufficientBalance);
        world.next_bar();
        let again = world.decide(true);
        let is_dust = again == Some(DecisionFate::Skipped(Skipped::Dust));
        assert_eq!(is_dust, reason == RejectReason::BelowMinimum, "{reason:?}: {again:?}");
    }
}

#[test]
fn a_refusal_of_an_order_that_may_be_there_is_not_believed() {
    let mut world = World::new(rules());
    world
        .sim
        .faults
        .extend([SubmitFault::Delayed(900), SubmitFault::Refused(RejectReason::InsufficientBalance)]);
    world.decide(true);
    world.pass(5_000, 50);
    assert_eq!((world.sim.submitted.len(), world.sim.orders.len()), (2, 1));
    world.sim.fill(0, 1.0);
    world.pass(2_000, 50);
    assert_eq!(outcomes(&world), [OrderOutcome::Filled]);
    world.settle();
    world.assert_sound();
}

#[test]
fn dust_is_tried_once() {
    let mut world = World::new(rules());
    let mut acts = Vec::new();
    let held = quantity("0.000001");
    for bar in 0..3 {
        let size = walkforward_core::OrderSize::Quantity(held);
        let approved = crate::world::approve(Side::Sell, size, world.sim.now, 0.0, held);
        let price = walkforward_core::Price::new(40_000.0).unwrap();
        let bar_open = world.bar.plus_millis(bar * 60_000);
        let decision = walkforward_live::OrderDecision { approved, bar_open, price, is_urgent: false };
        let fate = world.desk.decide(decision, world.sim.now, &mut acts);
        let expected = if bar == 0 { "least" } else { "before" };
        let DecisionFate::Skipped(skipped) = fate else { panic!("{fate:?}") };
        assert!(skipped.to_string().contains(expected), "{skipped}");
    }
}

fn foreign(origin: &str) -> OrderState {
    OrderState {
        origin: OrderOrigin::of(origin),
        venue_id: "by-hand-1".to_owned(),
        side: Side::Buy,
        status: OrderStatus::Open,
        ordered: None,
        filled: Quantity::ZERO,
        average_price: None,
        updated_at: crate::world::begin(),
        reason: None,
    }
}

#[test]
fn foreign_orders_refuse_the_start() {
    for name in ["by-hand", "wf-00000000000000000000"] {
        let world = World::new(rules());
        let mut desk = world.desk.clone();
        let mut stock = world.sim.stock(&[]);
        stock.open.push(foreign(name));
        let refusals = desk.reconcile(&stock, world.sim.now, &mut Vec::new()).unwrap_err();
        assert!(matches!(&refusals[..], [StartRefusal::ForeignOrder { .. }]), "{refusals:?}");
    }
}

#[test]
fn an_account_or_an_instrument_that_can_not_trade_refuses_the_start() {
    let world = World::new(rules());
    let mut desk = world.desk.clone();
    let mut stock = world.sim.stock(&[]);
    stock.account.blocked = Some("pattern day trader".to_owned());
    stock.instrument.tradable = false;
    let refusals = desk.reconcile(&stock, world.sim.now, &mut Vec::new()).unwrap_err();
    assert_eq!(refusals.len(), 2);
    assert!(refusals[0].to_string().contains("pattern day trader"));
}

#[test]
fn a_position_that_nothing_explains_refuses_the_start_or_is_taken_over() {
    let mut world = long();
    let before = world.ledger.position();
    world.sim.position = before + quantity("0.5");
    let refusals = world.restart(None).unwrap_err();
    let text = refusals[0].to_string();
    assert!(text.contains("0.500000000 that no order explains") && text.contains("by hand"), "{text}");

    let mut world = long();
    world.desk = {
        let mut desk =
            OrderDesk::new(OrderRules { external: ExternalPosition::Adopt, ..rules() }, Quantity::ZERO)
                .unwrap();
        world.journal.iter().for_each(|record| desk.replay(record).unwrap());
        desk
    };
    for taken in [quantity("0.5"), Quantity::ZERO, quantity("0.01")] {
        world.sim.position = taken;
        world.ledger.mark(world.sim.price);
        let equity = world.ledger.equity();
        world.restart(None).unwrap();
        world.ledger.mark(world.sim.price);
        assert_eq!((world.desk.position(), world.ledger.position()), (taken, taken));
        assert!((world.ledger.equity() - equity).abs() < 1e-6);
    }
}

#[test]
fn trades_by_hand_stop_the_trader_until_they_are_undone() {
    let mut world = long();
    let before = world.sim.position;
    world.sim.position = before - quantity("0.01");
    world.next_bar();
    world.pass(60_000, 250);
    assert!(world.desk.blocked().is_some_and(|reason| reason.contains("by hand")));
    assert_eq!(world.restrictions.last().map(|it| it.mode), Some(TradingMode::Halted));
    assert!(matches!(world.decide(false), Some(DecisionFate::Skipped(Skipped::Blocked(_)))));
    world.sim.position = before;
    world.pass(120_000, 500);
    assert_eq!(world.desk.blocked(), None);
    world.next_bar();
    assert!(matches!(world.decide(false), Some(DecisionFate::Sent(_))));
}

#[test]
fn a_reason_to_ask_for_the_position_that_comes_behind_a_question_is_asked_too() {
    let mut world = World::new(rules());
    world.deliver();
    let mut acts = Vec::new();
    world.desk.cancel(world.sim.now, &mut acts);
    world.carry(acts);
    // The answer is on its way and knows nothing of this.
    world.sim.position = quantity("0.01");
    world.next_bar();
    world.pass(60_000, 250);
    assert!(world.desk.blocked().is_some_and(|reason| reason.contains("by hand")));
}

#[test]
fn foreign_orders_are_told_of_once() {
    let mut world = World::new(rules());
    for _ in 0..3 {
        world.sim.updates.push_back(VenueUpdate::Order(foreign("by-hand")));
        world.deliver();
    }
    assert_eq!(world.warnings.iter().filter(|it| matches!(it, OrderWarning::Foreign { .. })).count(), 1);
}

#[test]
fn an_order_of_another_trader_with_our_name_stops_this_one() {
    let mut world = World::new(rules());
    let Some(DecisionFate::Sent(id)) = world.decide(true) else { panic!("not sent") };
    let state = OrderState { side: Side::Sell, ..foreign(id.as_str()) };
    let mut acts = Vec::new();
    world.desk.answer(VenueAnswer::Update(VenueUpdate::Order(state)), world.sim.now, &mut acts);
    world.carry(acts);
    assert!(world.desk.blocked().is_some_and(|reason| reason.contains("another order of this name")));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_desk() {
    let mut world = World::new(rules());
    world.decide(true);
    world.pass(1_000, 50);
    world.sim.is_up = false;
    world.sim.now = world.sim.now.plus_millis(-3_600_000);
    world.deliver();
    world.sim.fill(0, 1.0);
    world.pass(70_000, 50);
    assert!(world.desk.is_settled(), "{:?}", world.desk);
    assert_eq!(world.desk.position(), world.sim.position);
}

#[test]
fn records_that_do_not_follow_are_refused_by_name() {
    let world = long();
    let mut desk = OrderDesk::new(rules(), Quantity::ZERO).unwrap();
    let closed = world.journal.iter().find(|record| matches!(record, OrderRecord::Closed { .. })).unwrap();
    let error = desk.replay(closed).unwrap_err().to_string();
    assert!(error.contains(world.sim.submitted[0].as_str()) && error.contains("expected"), "{error}");
    desk.replay(&world.journal[0]).unwrap();
    assert!(desk.replay(&world.journal[0]).is_err(), "an intent comes once");
}
