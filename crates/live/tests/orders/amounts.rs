//! How much leaves and how much is booked: orders that turn up late, too little cash, orders above the venue's bound.

use walkforward_core::{Cash, OrderSize, OrderStatus, Price, Quantity, RejectReason, Side};
use walkforward_live::{
    Booking, BookingKind, DecisionFate, ExternalPosition, OrderDecision, OrderDesk, OrderOutcome,
    OrderRecord, OrderRules, OrderWarning, Skipped,
};

use crate::sim::SubmitFault;
use crate::world::{World, approve, grid, rules, with_stop};

fn adopting() -> OrderRules {
    OrderRules { external: ExternalPosition::Adopt, ..rules() }
}

/// Lets the newest order fill and everything come to rest.
fn fill_newest(world: &mut World) {
    world.sim.fill(world.sim.orders.len() - 1, 1.0);
    world.pass(1_000, 50);
}

/// A bar in which an order fills, and in which it fills without anybody knowing before it is taken over.
fn trade(world: &mut World, wants_long: bool, is_lost: bool) {
    world.next_bar();
    if is_lost {
        (world.sim.is_up, world.sim.hides) = (false, true);
        world.sim.faults.push_back(SubmitFault::LostAfter);
    }
    assert!(matches!(world.decide(wants_long), Some(DecisionFate::Sent(_))));
    fill_newest(world);
    if is_lost {
        world.pass(200_000, 250);
        world.sim.hides = false;
        assert!(world.has_closed(&OrderOutcome::GivenUp));
        assert!(world.has_booked(BookingKind::External), "{:#?}", world.warnings);
        assert_eq!(world.desk.position(), world.sim.position, "taken over");
    }
}

#[test]
fn an_order_that_turns_up_after_its_position_was_taken_over_is_booked_once() {
    for is_sale in [false, true] {
        let mut known = World::new(adopting());
        let mut lost = World::new(adopting());
        for (world, is_lost) in [(&mut known, false), (&mut lost, true)] {
            world.deliver();
            trade(world, true, is_lost && !is_sale);
            if is_sale {
                trade(world, false, is_lost);
            }
        }
        for _ in 0..2 {
            lost.restart(None).unwrap();
            lost.pass(60_000, 250);
        }
        assert!(lost.has_booked(BookingKind::Reversal));
        // What was not on the disk for sure is found again.
        lost.restart(Some(0)).unwrap();
        assert_eq!(lost.ledger.position(), lost.sim.position);
        assert_eq!(lost.desk.position(), lost.sim.position);
        let (cash, wanted) = (lost.ledger.cash(), known.ledger.cash());
        assert!((cash - wanted).abs() < 1e-6, "as if nothing had been lost: {cash}, {wanted}");
        assert_eq!(lost.replayed(), lost.desk);
    }
}

#[test]
fn what_is_taken_over_is_held_against_the_order_that_nobody_knows_of_and_not_a_refused_one() {
    let (mut known, mut lost) = (World::new(adopting()), World::new(adopting()));
    for world in [&mut known, &mut lost] {
        world.deliver();
        trade(world, true, false);
    }
    trade(&mut known, false, false);
    lost.next_bar();
    (lost.sim.is_up, lost.sim.hides) = (false, true);
    lost.sim.faults.push_back(SubmitFault::LostAfter);
    lost.decide(false);
    fill_newest(&mut lost);
    while !lost.has_closed(&OrderOutcome::GivenUp) {
        lost.pass(250, 250);
    }
    // The next bar sells once more what is not there any more, and is refused.
    lost.next_bar();
    lost.sim.price = 41_000.0;
    lost.decide(false);
    lost.pass(200_000, 250);
    let refused =
        |it: &OrderRecord| matches!(it, OrderRecord::Closed { outcome: OrderOutcome::Refused(_), .. });
    assert!(
        lost.journal.iter().any(refused) && lost.has_booked(BookingKind::External),
        "{:#?}",
        lost.warnings
    );
    lost.sim.hides = false;
    lost.restart(None).unwrap();
    lost.pass(60_000, 250);
    assert!(lost.has_booked(BookingKind::Reversal), "it turned up");
    let (cash, wanted) = (lost.ledger.cash(), known.ledger.cash());
    assert!((cash - wanted).abs() < 1e-6, "as if nothing had been lost: {cash}, {wanted}");
    assert_eq!(lost.replayed(), lost.desk);
}

#[test]
fn a_sale_that_turns_up_beside_a_sale_by_hand_is_booked_as_far_as_there_was_anything() {
    let mut world = World::new(adopting());
    world.deliver();
    trade(&mut world, true, false);
    trade(&mut world, false, true);
    // Somebody buys a little of it again, by hand, before the order turns up.
    world.sim.position = Quantity::from_nanos(5_000_000);
    world.restart(None).unwrap();
    world.pass(60_000, 250);
    assert_eq!(world.ledger.position(), world.sim.position);
    assert_eq!(world.replayed(), world.desk);
}

#[test]
fn a_recorded_sale_of_more_than_there_was_is_left_out_and_its_order_is_not_booked_again() {
    let mut world = World::new(adopting());
    world.deliver();
    trade(&mut world, true, false);
    world.next_bar();
    world.sim.faults.push_back(SubmitFault::SilentLost);
    world.decide(false);
    let mut desk = OrderDesk::new(adopting(), Quantity::ZERO).unwrap();
    world.journal.iter().for_each(|record| desk.replay(record).unwrap());
    let (held, id) = (desk.position(), world.sim.submitted[1].clone());
    let booked = |record: &OrderRecord| match record {
        OrderRecord::Booked(booking) => Some((**booking).clone()),
        _ => None,
    };
    let bought: Booking = world.journal.iter().find_map(booked).unwrap();
    let mut fill = bought.fill;
    (fill.side, fill.quantity, fill.fee_quantity) =
        (walkforward_core::Side::Sell, held + held, Quantity::ZERO);
    let sale = Booking { order: Some(id.clone()), execution_id: None, fill, ..bought };
    desk.replay(&OrderRecord::Booked(Box::new(sale))).unwrap();
    assert_eq!((desk.position(), desk.order(&id).unwrap().filled()), (held, held + held));
}

#[test]
fn after_a_restart_an_order_that_is_not_there_has_its_quiet_time() {
    let mut world = World::new(rules());
    world.sim.faults.push_back(SubmitFault::Delayed(38_000));
    world.decide(true);
    world.sim.now = world.sim.now.plus_millis(31_000);
    world.restart(None).unwrap();
    world.pass(5_000, 50);
    assert!(!world.has_closed(&OrderOutcome::GivenUp), "it may still be on its way");
    world.pass(5_000, 50);
    assert_eq!(world.sim.orders.len(), 1);
    world.settle();
    assert!(!world.has_closed(&OrderOutcome::GivenUp), "it was found");
    world.assert_sound();
}

fn is_short(warning: &OrderWarning) -> bool {
    matches!(warning, OrderWarning::CashShort { .. })
}

#[test]
fn with_less_cash_than_believed_the_trader_buys_what_there_is() {
    let mut world = World::new(rules());
    world.sim.cash = 3_000.0;
    world.deliver();
    world.decide(true);
    world.pass(2_000, 50);
    assert!(world.sim.orders.is_empty(), "4,000 are not there");
    for _ in 0..3 {
        world.next_bar();
        let cash = world.sim.cash;
        assert!(matches!(world.decide(true), Some(DecisionFate::Sent(_))));
        world.pass(1_000, 50);
        let newest = world.sim.orders.last().unwrap();
        assert_eq!(newest.order.size(), OrderSize::Notional(Cash::new(cash).unwrap()));
        fill_newest(&mut world);
        world.next_bar();
        world.decide(false);
        world.pass(1_000, 50);
        fill_newest(&mut world);
    }
    assert_eq!(world.warnings.iter().filter(|it| is_short(it)).count(), 1, "told once");
    world.settle();
    world.assert_sound();
}

#[test]
fn without_any_cash_nothing_is_bought_until_there_is_some() {
    let mut world = World::new(rules());
    world.sim.cash = 2.0;
    world.deliver();
    world.decide(true);
    world.pass(2_000, 50);
    world.next_bar();
    let fate = world.decide(true);
    assert!(matches!(fate, Some(DecisionFate::Skipped(Skipped::NoCash { .. }))), "{fate:?}");
    world.sim.cash = 10_000.0;
    world.pass(2_000, 50);
    world.next_bar();
    assert!(matches!(world.decide(true), Some(DecisionFate::Skipped(_))), "it asks first");
    world.pass(2_000, 50);
    world.next_bar();
    assert!(matches!(world.decide(true), Some(DecisionFate::Sent(_))));
}

#[test]
fn a_purchase_that_is_cut_below_the_minimum_is_short_of_cash_and_not_too_small() {
    let mut world = World::new(rules());
    world.sim.cash = 3_000.0;
    world.deliver();
    world.decide(true);
    world.pass(2_000, 50);
    world.next_bar();
    // What is left of 4,000 is too little for the venue.
    world.sim.faults.push_back(SubmitFault::Refused(RejectReason::BelowMinimum));
    assert!(matches!(world.decide(true), Some(DecisionFate::Sent(_))));
    world.pass(2_000, 50);
    let is_small = |it: &OrderRecord| matches!(it, OrderRecord::TooSmall { .. });
    assert!(!world.journal.iter().any(is_small), "4,000 are not too small");
    let cut = world.warnings.iter().find_map(|it| match it {
        OrderWarning::CutShort { wanted, spendable, .. } => Some((*wanted, *spendable)),
        _ => None,
    });
    assert_eq!(cut, Some((4_000.0, 3_000.0)));
    world.sim.cash = 10_000.0;
    world.next_bar();
    assert!(matches!(world.decide(true), Some(DecisionFate::Sent(_))), "it is tried again");

    // No order can be made of it: the same, without the venue.
    let mut world = World::new(rules());
    world.sim.cash = 10.0;
    world.deliver();
    world.decide(true);
    world.pass(2_000, 50);
    world.next_bar();
    let Some(DecisionFate::Skipped(skipped)) = world.decide(true) else { panic!("an order of 10 dollars") };
    assert_eq!(skipped, Skipped::NoCash { wanted: 4_000.0, spendable: 10.0 });
    assert!(!world.journal.iter().any(is_small));
    let text = skipped.to_string();
    assert!(text.contains("4000.00") && text.contains("10.00"), "{text}");
}

const MOST: f64 = 1_500.0;

fn bounded(rules: OrderRules) -> World {
    let instrument = walkforward_core::Instrument { maximum_notional: Cash::new(MOST).ok(), ..grid() };
    let mut world = World::new(OrderRules { instrument, ..rules });
    world.sim.maximum = Some(MOST);
    world.deliver();
    world
}

fn caps(world: &World) -> usize {
    world.warnings.iter().filter(|it| matches!(it, OrderWarning::Capped { .. })).count()
}

#[test]
fn a_purchase_above_the_bound_is_for_the_bound_and_a_sale_leaves_in_parts() {
    let mut world = bounded(rules());
    world.decide(true);
    fill_newest(&mut world);
    assert_eq!(world.sim.orders[0].order.size(), OrderSize::Notional(Cash::new(MOST).unwrap()));
    let bought = world.sim.position;
    world.sim.price *= 4.0;
    world.next_bar();
    world.decide(false);
    for _ in 0..12 {
        for at in world.sim.fillable() {
            world.sim.fill(at, 1.0);
        }
        world.pass(1_000, 50);
    }
    let sold = world.sim.orders[1..].iter().fold(Quantity::ZERO, |sum, order| sum + order.filled);
    assert_eq!((sold, world.sim.position), (bought, Quantity::ZERO), "all of it, and no more");
    assert!((5..=6).contains(&world.sim.orders[1..].len()), "{}", world.sim.orders.len());
    assert_eq!(world.ledger.position(), Quantity::ZERO);
    assert_eq!(caps(&world), 1, "told once");
    assert_eq!(world.replayed(), world.desk);
}

#[test]
fn a_part_of_a_sale_that_is_open_when_the_trader_dies_does_not_sell_twice() {
    let mut world = bounded(rules());
    world.decide(true);
    fill_newest(&mut world);
    let bought = world.sim.position;
    world.sim.price *= 4.0;
    world.next_bar();
    world.decide(false);
    fill_newest(&mut world);
    assert_eq!(world.sim.orders.len(), 3, "the second part is there");
    world.restart(Some(0)).unwrap();
    for _ in 0..4 {
        for at in world.sim.fillable() {
            world.sim.fill(at, 1.0);
        }
        world.pass(1_000, 50);
        world.next_bar();
        world.decide(false);
        world.pass(1_000, 50);
    }
    for at in world.sim.fillable() {
        world.sim.fill(at, 1.0);
    }
    world.pass(5_000, 50);
    let sold = world.sim.orders[1..].iter().fold(Quantity::ZERO, |sum, order| sum + order.filled);
    assert!(sold <= bought && world.sim.position >= Quantity::ZERO, "{sold} of {bought}");
    assert_eq!(world.ledger.position(), world.sim.position);
}

/// Wants out at the price of the bar's close, again and again, until nothing is left; how many tries.
fn close_at_the_bars_price(world: &mut World, closed_at: Price) -> usize {
    for tries in 1..8 {
        let held = world.ledger.position();
        let size = OrderSize::Quantity(held);
        let approved = approve(Side::Sell, size, world.bar, world.ledger.cash(), held);
        let decision = OrderDecision { approved, bar_open: world.bar, price: closed_at, is_urgent: true };
        let mut acts = Vec::new();
        world.desk.decide(decision, world.sim.now, &mut acts);
        world.carry(acts);
        for _ in 0..24 {
            world.pass(500, 50);
            for at in world.sim.fillable() {
                world.sim.fill(at, 1.0);
            }
        }
        world.pass(500, 50);
        if world.sim.position.is_zero() {
            return tries;
        }
    }
    panic!("{} is left: {:#?}", world.sim.position, world.warnings);
}

/// Holds what is worth more than the bound, of a bar that closed at the price that is given.
fn above_the_bound() -> (World, Price) {
    let mut world = bounded(rules());
    world.decide(true);
    fill_newest(&mut world);
    world.sim.price *= 4.0;
    world.next_bar();
    world.pass(2_000, 50);
    let closed_at = Price::new(world.sim.price).unwrap();
    (world, closed_at)
}

fn too_large(world: &World) -> usize {
    let is_it = |it: &&OrderWarning| matches!(it, OrderWarning::Refused { rejection, .. } if rejection.reason == RejectReason::AboveMaximum);
    world.warnings.iter().filter(is_it).count()
}

#[test]
fn a_sale_after_a_rise_since_the_bar_leaves_in_parts_of_todays_price() {
    let (mut world, closed_at) = above_the_bound();
    world.sim.price *= 1.05;
    world.desk.mark(Price::new(world.sim.price).unwrap(), world.bar.plus_millis(1));
    assert_eq!(close_at_the_bars_price(&mut world, closed_at), 1);
    assert_eq!(too_large(&world), 0, "{:#?}", world.warnings);
    // A price of before is none of now.
    world.desk.mark(closed_at, world.bar);
    assert_eq!(world.replayed(), world.desk);
}

#[test]
fn parts_of_a_sale_that_the_venue_finds_too_large_are_halved_at_once() {
    for rise in [1.05, 3.0] {
        let (mut world, closed_at) = above_the_bound();
        world.sim.price *= rise;
        assert_eq!(close_at_the_bars_price(&mut world, closed_at), 1, "within the bar's own sale");
        assert!((1..4).contains(&too_large(&world)), "{:#?}", world.warnings);
        assert_eq!(world.ledger.position(), Quantity::ZERO);
        assert_eq!(world.replayed(), world.desk);
    }
}

#[test]
fn a_venue_that_finds_every_sale_too_large_is_not_asked_for_ever() {
    let (mut world, _) = above_the_bound();
    let refuse = SubmitFault::Refused(RejectReason::AboveMaximum);
    world.sim.faults.extend(std::iter::repeat_n(refuse, 100));
    world.decide(false);
    world.pass(60_000, 250);
    assert_eq!(too_large(&world), 4, "three halvings at once, and no more");
    world.sim.faults.clear();
    world.next_bar();
    world.decide(false);
    for _ in 0..12 {
        world.pass(500, 50);
        for at in world.sim.fillable() {
            world.sim.fill(at, 1.0);
        }
    }
    world.pass(500, 50);
    assert_eq!(world.sim.position, Quantity::ZERO, "the next bar begins anew");
}

#[test]
fn a_venue_whose_bound_is_far_below_the_known_one_buys_the_position_within_two_tries() {
    let mut world = bounded(rules());
    world.decide(true);
    fill_newest(&mut world);
    world.next_bar();
    world.pass(2_000, 50);
    // What is held is worth 1,500: that, 750, 375 and 187 are too large.
    world.sim.maximum = Some(100.0);
    let closed_at = Price::new(world.sim.price).unwrap();
    assert_eq!(
        close_at_the_bars_price(&mut world, closed_at),
        2,
        "the second try goes on where the first ended"
    );
    assert_eq!(too_large(&world), 4);
    assert_eq!(world.replayed(), world.desk);
}

#[test]
fn a_stop_between_two_tries_does_not_make_the_second_one_begin_anew() {
    let mut world = bounded(with_stop());
    world.decide(true);
    fill_newest(&mut world);
    world.next_bar();
    world.pass(10_000, 50);
    let is_open = |it: &&crate::sim::SimOrder| !it.status.is_final();
    assert_eq!(world.sim.orders.iter().filter(is_open).count(), 1, "the stop is there");
    let refuse = SubmitFault::Refused(RejectReason::AboveMaximum);
    world.sim.faults.extend(std::iter::repeat_n(refuse, 4));
    world.decide(false);
    world.pass(40_000, 50);
    assert_eq!(
        (too_large(&world), world.sim.orders.iter().filter(is_open).count()),
        (4, 1),
        "it is there again"
    );
    let before = world.sim.orders.len();
    let closed_at = Price::new(world.sim.price).unwrap();
    close_at_the_bars_price(&mut world, closed_at);
    let OrderSize::Quantity(part) = world.sim.orders[before].order.size() else { panic!("a sale") };
    assert!(part.units() * world.sim.price < 0.1 * MOST, "{part}");
}

#[test]
fn a_refusal_for_another_reason_does_not_leave_tiny_parts_to_the_next_try() {
    let (mut world, closed_at) = above_the_bound();
    // Neither word is about the size, and the second one shows it.
    let reasons = [RejectReason::AboveMaximum, RejectReason::AboveMaximum, RejectReason::BelowMinimum];
    world.sim.faults.extend(reasons.map(SubmitFault::Refused));
    assert_eq!(close_at_the_bars_price(&mut world, closed_at), 2);
    let worth = |order: &crate::sim::SimOrder| match order.order.size() {
        OrderSize::Quantity(quantity) => quantity.units() * world.sim.price,
        OrderSize::Notional(cash) => cash.get(),
    };
    assert!(worth(&world.sim.orders[1]) > 0.9 * MOST, "the whole of what one order may be worth");
    assert_eq!(world.replayed(), world.desk);
}

#[test]
fn after_parts_that_the_venue_has_taken_the_next_try_is_for_all_of_it() {
    let (mut world, closed_at) = above_the_bound();
    world.sim.faults.push_back(SubmitFault::Refused(RejectReason::AboveMaximum));
    world.decide(false);
    world.pass(1_000, 50);
    let OrderSize::Quantity(half) = world.sim.orders[1].order.size() else { panic!("a sale") };
    world.sim.end(1, OrderStatus::Canceled);
    let mut acts = Vec::new();
    world.desk.cancel(world.sim.now, &mut acts);
    world.carry(acts);
    world.pass(2_000, 50);
    let before = world.sim.orders.len();
    assert_eq!(close_at_the_bars_price(&mut world, closed_at), 1);
    let OrderSize::Quantity(whole) = world.sim.orders[before].order.size() else { panic!("a sale") };
    assert!(whole.units() > 1.9 * half.units(), "{whole} {half}");
}

#[test]
fn what_the_venue_found_too_small_is_what_left_and_not_what_was_decided() {
    let small = |world: &World| {
        let amount = |it: &OrderRecord| match it {
            OrderRecord::TooSmall { amount, .. } => Some(*amount),
            _ => None,
        };
        world.journal.iter().filter_map(amount).collect::<Vec<_>>()
    };
    let mut world = bounded(rules());
    world.sim.faults.push_back(SubmitFault::Refused(RejectReason::BelowMinimum));
    world.decide(true);
    world.pass(2_000, 50);
    assert_eq!(small(&world), [MOST], "4,000 were decided");
    world.next_bar();
    assert!(matches!(world.decide(true), Some(DecisionFate::Sent(_))), "4,000 are not too small");

    let (mut world, _) = above_the_bound();
    world.sim.faults.push_back(SubmitFault::Refused(RejectReason::BelowMinimum));
    world.decide(false);
    world.pass(2_000, 50);
    let (small, held) = (small(&world)[0], world.ledger.position().units());
    assert!(small < 0.5 * held, "a part of {held} was too small, not all of it: {small}");
}

#[test]
fn a_stop_above_the_bound_is_as_large_as_the_venue_takes_it() {
    let mut world = World::new(with_stop());
    world.deliver();
    world.decide(true);
    fill_newest(&mut world);
    let instrument = walkforward_core::Instrument { maximum_notional: Cash::new(MOST).ok(), ..grid() };
    world.sim.maximum = Some(MOST);
    world.desk = world.desk.clone().with_rules(OrderRules { instrument, ..with_stop() }).unwrap();
    world.next_bar();
    world.pass(10_000, 100);
    let open: Vec<_> = world.sim.orders.iter().filter(|it| !it.status.is_final()).collect();
    let [stop] = open[..] else { panic!("{open:?}") };
    let OrderSize::Quantity(quantity) = stop.order.size() else { panic!("{stop:?}") };
    let worth = quantity.units() * 40_000.0;
    assert!(worth > 0.95 * MOST && worth < MOST && quantity < world.sim.position, "{worth}");
    let told = world.warnings.iter().filter(|it| matches!(it, OrderWarning::Unprotected { .. })).count();
    assert_eq!(told, 1);
    world.pass(30_000, 500);
    assert_eq!(world.sim.orders.iter().filter(|it| !it.status.is_final()).count(), 1, "it stays");
}
