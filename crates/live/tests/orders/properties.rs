//! Whatever the venue does and whenever the trader dies: each order once, and the ledger is what the venue has.

use proptest::prelude::*;
use walkforward_core::{Cash, Instrument, OrderStatus, RejectReason, VenueUpdate};
use walkforward_live::{ExternalPosition, OrderRules};

use crate::sim::SubmitFault;
use crate::world::{World, rules, with_stop};

/// Something that happens.
#[derive(Debug, Clone, Copy)]
enum Op {
    Decide(bool),
    NextBar,
    Pass(i64),
    Fault(SubmitFault),
    Fill(usize, f64),
    /// The venue ends an order by itself.
    End(usize, OrderStatus),
    QuestionsFail(u32),
    PositionLags(i64),
    EndsSlowly(bool),
    TellsPosition(bool),
    Down,
    Up,
    /// Updates that are on their way: twice, swapped, lost.
    Repeat,
    Swap,
    Lose,
    Price(f64),
    Restart(Option<usize>),
    /// Orders that are looked up are not found.
    Hides(bool),
}

fn fault() -> impl Strategy<Value = SubmitFault> {
    prop_oneof![
        2 => Just(SubmitFault::LostBefore),
        2 => Just(SubmitFault::LostAfter),
        3 => (100_i64..90_000).prop_map(SubmitFault::Delayed),
        1 => Just(SubmitFault::NotPlaced),
        1 => Just(SubmitFault::Silent),
        1 => Just(SubmitFault::SilentLost),
        1 => prop_oneof![
            Just(RejectReason::InsufficientBalance),
            Just(RejectReason::WashTrade),
            Just(RejectReason::Other),
        ].prop_map(SubmitFault::Refused),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let end =
        prop_oneof![Just(OrderStatus::Canceled), Just(OrderStatus::Expired), Just(OrderStatus::Rejected)];
    prop_oneof![
        8 => any::<bool>().prop_map(Op::Decide),
        4 => Just(Op::NextBar),
        8 => (50_i64..20_000).prop_map(Op::Pass),
        5 => fault().prop_map(Op::Fault),
        10 => (0usize..3, 0.05..1.6f64).prop_map(|(at, share)| Op::Fill(at, share)),
        2 => (0usize..3, end).prop_map(|(at, status)| Op::End(at, status)),
        2 => (1u32..4).prop_map(Op::QuestionsFail),
        1 => (0_i64..2_900).prop_map(Op::PositionLags),
        1 => any::<bool>().prop_map(Op::EndsSlowly),
        1 => any::<bool>().prop_map(Op::TellsPosition),
        1 => Just(Op::Down),
        2 => Just(Op::Up),
        2 => Just(Op::Repeat),
        2 => Just(Op::Swap),
        1 => Just(Op::Lose),
        2 => (30_000.0..50_000.0f64).prop_map(Op::Price),
        4 => proptest::option::of(any::<usize>()).prop_map(Op::Restart),
    ]
}

fn pick(world: &World, at: usize) -> Option<usize> {
    let fillable = world.sim.fillable();
    (!fillable.is_empty()).then(|| fillable[at % fillable.len()])
}

fn happen(world: &mut World, op: Op) {
    match op {
        Op::Decide(wants_long) => drop(world.decide(wants_long)),
        Op::NextBar => world.next_bar(),
        Op::Pass(ms) => world.pass(ms, 50),
        Op::Fault(fault) => world.sim.faults.push_back(fault),
        Op::Fill(at, share) => {
            if let Some(at) = pick(world, at) {
                world.sim.fill(at, share);
            }
        }
        Op::End(at, status) => {
            if let Some(at) = pick(world, at) {
                world.sim.end(at, status);
            }
        }
        Op::QuestionsFail(count) => world.sim.failing = count,
        Op::PositionLags(ms) => world.sim.lag_ms = ms,
        Op::EndsSlowly(slowly) => {
            world.sim.ends_slowly = slowly;
            world.sim.finish_ends();
        }
        Op::TellsPosition(tells) => world.sim.tells_position = tells,
        Op::Down => {
            world.sim.is_up = false;
            world.sim.updates.clear();
            world.sim.updates.push_back(VenueUpdate::Down { reason: "a test".to_owned() });
        }
        Op::Up => {
            if !std::mem::replace(&mut world.sim.is_up, true) {
                world.sim.updates.push_back(VenueUpdate::Up);
            }
        }
        Op::Repeat => {
            if let Some(update) = world.sim.updates.back().cloned() {
                world.sim.updates.push_back(update);
            }
        }
        Op::Swap => {
            let waiting = world.sim.updates.len();
            if waiting > 1 {
                world.sim.updates.swap(waiting - 1, waiting - 2);
            }
        }
        Op::Lose => world.sim.updates.clear(),
        Op::Price(price) => world.sim.price = price,
        Op::Hides(hides) => world.sim.hides = hides,
        Op::Restart(kept) => world.restart(kept).unwrap_or_else(|refusals| panic!("{refusals:?}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]

    #[test]
    fn each_order_is_there_once_and_the_ledger_is_what_the_venue_has(
        has_stop: bool, ops in proptest::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new(if has_stop { with_stop() } else { rules() });
        for op in ops {
            happen(&mut world, op);
            world.deliver();
        }
        world.settle();
        world.assert_sound();
    }

    #[test]
    fn whatever_is_hidden_and_taken_over_the_ledger_is_what_the_venue_has(
        has_stop: bool,
        maximum in proptest::option::of(500.0..3_000.0f64),
        cash in prop_oneof![Just(10_000.0), 50.0..5_000.0f64],
        ops in proptest::collection::vec(prop_oneof![8 => op(), 1 => any::<bool>().prop_map(Op::Hides)], 1..80),
    ) {
        let rules = if has_stop { with_stop() } else { rules() };
        let maximum_notional = maximum.and_then(|maximum| Cash::new(maximum).ok());
        let instrument = Instrument { maximum_notional, ..rules.instrument };
        let mut world = World::new(OrderRules { instrument, external: ExternalPosition::Adopt, ..rules });
        (world.sim.maximum, world.sim.cash) = (maximum, cash);
        for op in ops {
            happen(&mut world, op);
            world.deliver();
        }
        world.settle();
        // What was given up and taken over is looked for again at a start.
        world.restart(None).unwrap();
        world.settle();
        world.assert_agrees();
    }
}
