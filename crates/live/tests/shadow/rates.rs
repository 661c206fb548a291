//! What the rules of a guard are worth, in few worlds; `cargo run --release -p walkforward-live --example guard_rates` has
//! a hundred.

#[path = "../../examples/guard_rates/worlds.rs"]
mod worlds;

use worlds::{DECLARED_BARS, Scenario, rates, run};

const WORLDS: usize = 12;

#[test]
fn a_champion_that_trades_against_the_edge_is_taken_back_and_a_good_one_is_not() {
    let all = [Scenario::Bad, Scenario::Good, Scenario::Equal, Scenario::BesideHolding];
    let [bad, good, equal, beside_holding] = all.map(|scenario| rates(scenario, WORLDS).unwrap());
    eprintln!("within {DECLARED_BARS} bars of {WORLDS} worlds:\nbad {bad:?}\ngood {good:?}\nequal {equal:?}");
    eprintln!("beside holding {beside_holding:?}");
    assert!(bad.taken_back() >= 0.9, "{bad:?}");
    assert!(good.taken_back() <= 0.1, "{good:?}");
    // An e-value of 5 is reached by luck in at most a fifth of the worlds, and falls add some.
    assert!(equal.taken_back() <= 0.25, "{equal:?}");
    assert!(beside_holding.taken_back() <= 0.5, "{beside_holding:?}");
}

#[test]
fn a_world_comes_to_the_same_each_time() {
    assert_eq!(run(Scenario::Bad, 3).unwrap(), run(Scenario::Bad, 3).unwrap());
}
