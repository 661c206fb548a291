//! Figures of a storm, and of the slot that it swaps.
#![expect(clippy::disallowed_methods, reason = "what a read takes is wall time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use walkforward_core::{ModelId, Policy};
use walkforward_live::PolicySlot;

use crate::process::Reading;
use crate::storm::Outcome;

/// Reads of the slot of which the first ones warm up.
const READS: usize = 1_000_000;
const WARM_UP: usize = 100_000;

/// The value that so large a share of the values lies below, in microseconds.
fn micros(durations: &mut [Duration], share: f64) -> f64 {
    if durations.is_empty() {
        return f64::NAN;
    }
    durations.sort_unstable();
    let index = ((durations.len() - 1) as f64 * share).round() as usize;
    durations[index].as_nanos() as f64 / 1e3
}

fn spread(mut durations: Vec<Duration>) -> Value {
    json!({
        "count": durations.len(),
        "p50_us": micros(&mut durations, 0.5),
        "p99_us": micros(&mut durations, 0.99),
        "max_us": micros(&mut durations, 1.0),
    })
}

/// The first and the last tenth of the storm side by side, what a bar takes with and without a swap, and the time from
/// before the pointer is written until the first decision by the new model is journalled.
pub(crate) fn storm(outcome: &Outcome) -> Value {
    let first_bars = outcome.first_bars();
    let tenth = (first_bars.len() / 10).max(1);
    let took = |from: usize, to: usize| -> Vec<Duration> {
        outcome.turns[from..to].iter().map(|turn| turn.took).collect()
    };
    let last_tenth = first_bars[first_bars.len() - tenth];
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (index, turn) in outcome.turns.iter().enumerate() {
        match first_bars.binary_search(&index) {
            Ok(_) => with.push(turn.took),
            Err(_) => without.push(turn.took),
        }
    }
    let decided = |bar: &usize| outcome.turns[*bar].began + outcome.turns[*bar].took;
    let pairs = outcome.moved.iter().zip(&first_bars);
    let reached = pairs.map(|(moved, bar)| decided(bar).duration_since(*moved)).collect();
    json!({
        "bars": outcome.bars.len(),
        "swaps": outcome.summary.swaps,
        "first_tenth": tenth_of(&outcome.readings[..tenth], took(0, first_bars[tenth - 1])),
        "last_tenth": tenth_of(
            &outcome.readings[outcome.readings.len() - tenth..],
            took(last_tenth, outcome.turns.len()),
        ),
        "bar_after_a_swap": spread(with),
        "other_bar": spread(without),
        "pointer_to_decision": spread(reached),
    })
}

fn tenth_of(readings: &[Reading], turns: Vec<Duration>) -> Value {
    let mut rss: Vec<f64> = readings.iter().map(|reading| reading.rss_mib).collect();
    rss.sort_unstable_by(f64::total_cmp);
    json!({
        "files": readings.iter().map(|reading| reading.files).max(),
        "rss_mib": rss[rss.len() / 2],
        "bar": spread(turns),
    })
}

/// What the bar loop does with the slot once a bar: the read, and the look whether it is another model than before.
/// Without deploys, and with another thread that deploys all the time.
pub(crate) fn slot(policy: &Arc<dyn Policy>, id: &ModelId) -> Value {
    let slot = Arc::new(PolicySlot::new());
    slot.deploy(Arc::clone(policy), id.clone(), String::new());
    let quiet = reads(&slot);
    let (done, deploys) = (AtomicBool::new(false), AtomicU64::new(0));
    let stormy = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                slot.deploy(Arc::clone(policy), id.clone(), String::new());
                deploys.fetch_add(1, Ordering::Relaxed);
            }
        });
        let reads = reads(&slot);
        done.store(true, Ordering::Relaxed);
        reads
    });
    let clock = (0..READS).map(|_| Instant::now().elapsed()).collect();
    json!({
        "without_deploys": spread(quiet),
        "with_deploys": spread(stormy),
        "deploys": deploys.load(Ordering::Relaxed),
        "the_clock_itself": spread(clock),
    })
}

fn reads(slot: &PolicySlot) -> Vec<Duration> {
    let mut current = slot.load();
    let mut took = Vec::with_capacity(READS);
    for read in 0..WARM_UP + READS {
        let begin = Instant::now();
        let offered = slot.load();
        let version = |policy: &Option<Arc<_>>| {
            policy.as_ref().map(|it: &Arc<walkforward_live::DeployedPolicy>| it.model_version)
        };
        if version(&offered) != version(&current) {
            current = offered;
        }
        let elapsed = begin.elapsed();
        if read >= WARM_UP {
            took.push(elapsed);
        }
    }
    took
}
