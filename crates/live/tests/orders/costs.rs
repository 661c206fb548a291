//! What orders cost is written down and compared with the model.

use walkforward_core::{Cash, Fill, Price, Quantity, Side};
use walkforward_live::{
    Booking, BookingKind, COST_WINDOW, FillCost, OrderOutcome, OrderRecord, OrderWarning,
};

use crate::sim::SubmitFault;
use crate::world::{World, rules};

fn costs(world: &World) -> Vec<FillCost> {
    let closed = world.journal.iter().filter_map(|record| match record {
        OrderRecord::Closed { cost: Some(cost), .. } => Some((**cost).clone()),
        _ => None,
    });
    closed.collect()
}

/// Trades in and out; each order fills at a price that is worse by `slippage`.
fn trade(orders: usize, slippage: f64) -> World {
    let mut world = World::new(rules());
    world.deliver();
    for order in 0..orders {
        let is_purchase = order % 2 == 0;
        world.sim.price = 40_000.0;
        world.decide(is_purchase);
        world.pass(200, 50);
        world.sim.price = 40_000.0 * (1.0 + if is_purchase { slippage } else { -slippage });
        world.sim.fill(order, 1.0);
        world.pass(2_000, 50);
        world.next_bar();
    }
    world
}

#[test]
fn an_orders_cost_is_its_shortfall_against_the_decision() {
    let world = trade(2, 0.001);
    let costs = costs(&world);
    let purchase = &costs[0];
    assert_eq!((purchase.decision_price, purchase.expected_price), (40_000.0, 40_020.0));
    assert!((purchase.average_price - 40_040.0).abs() < 1e-6);
    // 40 dollars a coin, and the venue's fee of 20 bps in coins.
    let units = purchase.quantity.units();
    let expected = 40.0 * units + 0.002 * units * 40_040.0;
    assert!((purchase.shortfall - expected).abs() < 1e-4, "{} {expected}", purchase.shortfall);
    assert!(!purchase.is_fee_estimated && costs[1].is_fee_estimated);
    let modelled = 20.0 * units + 0.0025 * 40_020.0 * units;
    assert!((purchase.modelled - modelled).abs() < 1e-9);
    let times = [Some(purchase.decided_at), purchase.sent_at, purchase.placed_at, purchase.first_fill_at];
    assert!(times.iter().all(Option::is_some));
    assert!(purchase.sent_at < purchase.placed_at && purchase.placed_at < purchase.first_fill_at);
    assert!(costs[1].shortfall > 0.0 && costs[1].average_price < costs[1].decision_price);
}

#[test]
fn a_person_is_told_once_when_orders_cost_twice_the_model() {
    let told = |world: &World| {
        world.warnings.iter().filter(|it| matches!(it, OrderWarning::CostsBeyondModel { .. })).count()
    };
    assert_eq!(told(&trade(COST_WINDOW + 2, 0.0005)), 0);
    assert_eq!(told(&trade(COST_WINDOW + 4, 0.01)), 1);
    assert_eq!(told(&trade(COST_WINDOW - 1, 0.01)), 0, "too few to tell");
}

#[test]
fn an_order_that_turns_up_after_its_end_was_told_counts_once() {
    let mut world = World::new(rules());
    world.deliver();
    (world.sim.is_up, world.sim.hides) = (false, true);
    world.sim.faults.push_back(SubmitFault::LostAfter);
    world.decide(true);
    world.sim.fill(0, 1.0);
    // What a journal may hold: a part is booked, and no record says that the venue has the order.
    let fill = Fill {
        time: world.sim.now,
        side: Side::Buy,
        quantity: Quantity::from_nanos(1_000_000),
        price: Price::new(40_000.0).unwrap(),
        fee_quantity: Quantity::ZERO,
        fee_cash: Cash::ZERO,
    };
    let (order, kind) = (Some(world.sim.submitted[0].clone()), BookingKind::Derived);
    let booking = Booking { order, execution_id: None, kind, is_fee_estimated: false, fill };
    let record = OrderRecord::Booked(Box::new(booking));
    world.desk.replay(&record).unwrap();
    world.ledger.apply_fill(&fill).unwrap();
    world.journal.push(record);
    while !world.has_closed(&OrderOutcome::GivenUp) {
        world.pass(250, 250);
    }
    world.sim.hides = false;
    world.pass(60_000, 250);
    assert!(world.has_closed(&OrderOutcome::Filled), "it has turned up");
    let costs = costs(&world);
    assert_eq!(costs.len(), 1, "{costs:#?}");
    assert_eq!(costs[0].quantity, world.sim.orders[0].filled);
}

/// The account as the venue tells it now.
fn account(world: &World) -> walkforward_core::VenueAccount {
    world.sim.stock(&[]).account
}

fn moves(world: &World) -> Vec<(f64, f64)> {
    let told = |warning: &OrderWarning| match warning {
        OrderWarning::CashMoved { difference, fees, .. } => Some((*difference, *fees)),
        _ => None,
    };
    world.warnings.iter().filter_map(told).collect()
}

#[test]
fn what_moves_cash_beside_the_ledger_is_told_once_a_day() {
    let mut world = World::new(rules());
    world.deliver();
    let mut acts = Vec::new();
    world.desk.watch_cash(&account(&world), world.sim.now, &mut acts);
    world.carry(acts);
    for wants_long in [true, false] {
        world.decide(wants_long);
        world.pass(200, 50);
        world.sim.fill(world.sim.orders.len() - 1, 1.0);
        world.pass(60_000, 500);
        world.next_bar();
    }
    let sold = world.sim.orders[1].filled.units() * 40_000.0;
    assert_eq!(moves(&world), [], "a day has not passed");
    world.pass(86_400_000, 60_000);
    let told = moves(&world);
    let [(difference, fees)] = told[..] else { panic!("{told:?}") };
    // The venue takes 20 basis points, 25 are declared.
    assert!((fees - 0.0025 * sold).abs() < 1e-3 && (difference - 0.0005 * sold).abs() < 1e-3, "{told:?}");
    world.restart(None).unwrap();
    world.pass(172_800_000, 60_000);
    assert_eq!(moves(&world).len(), 1, "once");
    assert_eq!(world.replayed(), world.desk);
    let seen = world.journal.iter().filter(|it| matches!(it, OrderRecord::CashSeen { .. })).count();
    assert_eq!(seen, 2, "the desk that was made again does not watch before it is told to");
    let mut acts = Vec::new();
    world.desk.watch_cash(&account(&world), world.sim.now, &mut acts);
    world.carry(acts);
    world.pass(172_800_000, 60_000);
    let seen = world.journal.iter().filter(|it| matches!(it, OrderRecord::CashSeen { .. })).count();
    assert!((4..=5).contains(&seen), "{seen}");
}
