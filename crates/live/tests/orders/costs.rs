//! What orders cost is written down and compared with the model.

use walkforward_live::{COST_WINDOW, FillCost, OrderRecord, OrderWarning};

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
