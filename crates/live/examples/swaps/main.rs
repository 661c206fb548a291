//! What a swap costs a session that trades: `cargo run --release -p walkforward-live --example swaps [SWAPS]`, 1,000 swaps
//! by default. Lines of JSON: a storm of bars under promotions by the store, one under pointers that are renamed into
//! place, and the slot alone.
//!
//! Each storm is checked first: each bar was decided once, by one model, as an offline replay with that model decides it.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]
#![expect(clippy::unwrap_used, reason = "an example that fails has measured nothing")]

#[path = "../../tests/live/common.rs"]
#[allow(dead_code, reason = "the tests use the other parts")]
mod common;
mod figures;
mod line;
mod process;
mod storm;

use walkforward_live::TraderOptions;

use common::Workplace;
use storm::{Storm, Way};

const SWAPS: u64 = 1_000;
const REST_US: u64 = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let swaps = std::env::args().nth(1).map_or(Ok(SWAPS), |count| count.parse())?;
    let runtime = tokio::runtime::Runtime::new()?;
    for way in [Way::Store, Way::Pointer] {
        let place = Workplace::new();
        let poll_interval = TraderOptions::DEFAULT_POLL_INTERVAL;
        let storm = Storm { seed: 1, swaps, way, rest_us: REST_US, poll_interval };
        let outcome = runtime.block_on(storm::run(&place, storm));
        storm::check(&outcome, &place.journal(), &place.models_dir());
        println!("{}", serde_json::json!({ "storm": format!("{way:?}"), "is": figures::storm(&outcome) }));
    }
    let place = Workplace::new();
    let model = place.model(1);
    let policy = walkforward_policy::load(&model.dir, &model.sha256)?;
    println!("{}", serde_json::json!({ "slot": figures::slot(&policy, &model.id) }));
    Ok(())
}
