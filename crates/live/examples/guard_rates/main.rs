//! How often a guard takes a bad champion back, and how often a good one: `cargo run --release -p walkforward-live
//! --example guard_rates [WORLDS]`, 100 worlds by default.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

mod worlds;

use worlds::{DECLARED_BARS, Rates, Scenario, rates};

const WORLDS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worlds = std::env::args().nth(1).map_or(Ok(WORLDS), |count| count.parse())?;
    println!("{worlds} worlds, {DECLARED_BARS} hourly bars after the takeover");
    let scenarios = [
        (Scenario::Bad, "trades against the edge, its anchor with it"),
        (Scenario::Good, "trades with the edge, its anchor against it"),
        (Scenario::BesideHolding, "trades with the edge, its anchor holds"),
        (Scenario::Equal, "trades with the edge, its anchor as well as it"),
    ];
    for (scenario, words) in scenarios {
        let rates = rates(scenario, worlds)?;
        let taken_back = rates.taken_back();
        let Rates { by_rule, in_half_the_bars, median_bars, fell_beyond_replay, .. } = rates;
        println!("\n{words}:\n  taken back in {:.0} % of the worlds", 100.0 * taken_back);
        for (rule, count) in by_rule {
            println!("  by {rule}: {count}");
        }
        let median = median_bars.map_or_else(|| "-".to_owned(), |bars| bars.to_string());
        println!("  within half of the bars: {in_half_the_bars}");
        println!("  median bars until then: {median}");
        println!(
            "  fell beyond 1.5 times the replay's drawdown, not stretched to this length: {fell_beyond_replay}"
        );
    }
    Ok(())
}
