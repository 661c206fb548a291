//! The stop behind the position.

use walkforward_core::{OrderKind, OrderStatus, Quantity};
use walkforward_live::{DecisionFate, OrderWarning};

use crate::sim::SimOrder;
use crate::world::{World, with_stop};

fn stops(world: &World) -> Vec<&SimOrder> {
    let is_stop = |it: &&SimOrder| matches!(it.order.kind(), OrderKind::StopLimit { .. });
    world.sim.orders.iter().filter(is_stop).collect()
}

fn open_stops(world: &World) -> Vec<Quantity> {
    let open = stops(world).into_iter().filter(|it| !it.status.is_final());
    let quantity = |it: &SimOrder| match it.order.size() {
        walkforward_core::OrderSize::Quantity(quantity) => quantity,
        walkforward_core::OrderSize::Notional(_) => Quantity::ZERO,
    };
    open.map(quantity).collect()
}

fn long() -> World {
    let mut world = World::new(with_stop());
    world.deliver();
    world.decide(true);
    world.sim.fill(0, 1.0);
    world.pass(1_000, 50);
    world
}

#[test]
fn a_position_has_its_stop_at_the_venue() {
    let world = long();
    assert_eq!(open_stops(&world), [world.sim.position]);
    let OrderKind::StopLimit { stop, limit } = stops(&world)[0].order.kind() else { panic!("no stop") };
    assert_eq!((stop.get(), limit.get()), (36_000.0, 34_200.0));
}

#[test]
fn an_exit_ends_the_stop_first_and_leaves_none() {
    let mut world = long();
    world.next_bar();
    assert!(matches!(world.decide(false), Some(DecisionFate::Waits(_))));
    world.pass(500, 50);
    assert_eq!(stops(&world)[0].status, OrderStatus::Canceled);
    let exit = world.sim.orders.len() - 1;
    world.sim.fill(exit, 1.0);
    world.pass(2_000, 50);
    assert_eq!((open_stops(&world).len(), world.sim.position), (0, Quantity::ZERO));
}

#[test]
fn an_exit_that_fills_in_part_leaves_a_stop_of_the_right_size() {
    let mut world = long();
    world.next_bar();
    world.decide(false);
    world.pass(500, 50);
    let exit = world.sim.orders.len() - 1;
    world.sim.fill(exit, 0.25);
    world.pass(500, 50);
    assert!(open_stops(&world).is_empty(), "the exit may still fill");
    world.next_bar();
    world.pass(2_000, 50);
    assert_eq!(open_stops(&world), [world.sim.position]);
}

#[test]
fn a_stop_that_sells_is_booked_and_told() {
    let mut world = long();
    world.sim.price = 35_000.0;
    world.sim.fill(1, 0.4);
    world.pass(2_000, 50);
    world.sim.fill(1, 1.0);
    world.pass(2_000, 50);
    assert_eq!((world.ledger.position(), world.sim.position), (Quantity::ZERO, Quantity::ZERO));
    assert!(world.warnings.iter().any(|it| matches!(it, OrderWarning::StopFilled { .. })));
    world.settle();
    world.assert_sound();
}

#[test]
fn a_stop_that_sold_while_the_trader_was_down_is_booked_at_the_start() {
    let mut world = long();
    world.sim.price = 35_000.0;
    world.sim.fill(1, 1.0);
    world.restart(None).unwrap();
    assert_eq!(world.ledger.position(), Quantity::ZERO);
    world.settle();
    world.assert_sound();
}

#[test]
fn a_stop_that_the_venue_ended_is_placed_again_after_a_while() {
    let mut world = long();
    world.sim.end(1, OrderStatus::Canceled);
    world.pass(30_000, 250);
    assert!(open_stops(&world).is_empty(), "not in a storm");
    world.pass(40_000, 250);
    assert_eq!(open_stops(&world), [world.sim.position]);
    assert!(world.warnings.iter().any(|it| matches!(it, OrderWarning::Unfilled { .. })));
}
