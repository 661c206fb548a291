//! How many session steps a second one core takes, in a batch and one by one:
//! `cargo run --release -p walkforward-engine --example batch_rate`. One JSON line per case.
#![expect(clippy::disallowed_methods, reason = "it measures real time")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::time::Instant;

use walkforward_core::{Action, ActionMap, Bar, MarketRules, Timestamp};
use walkforward_engine::{BarOutcome, EngineError, SessionBatch, SessionConfig, SessionStep, TradingSession};

const SESSIONS: usize = 64;
const BARS: usize = 8_760;
const REPETITIONS: usize = 9;
const HOUR_MS: i64 = 3_600_000;

fn market() -> Result<Vec<Bar>, Box<dyn std::error::Error>> {
    let mut state = 7_u64;
    let mut close = 100.0;
    (0..BARS)
        .map(|index| {
            let open = close;
            close *= 1.0 + 0.01 * (noise(&mut state) - 0.5);
            let time = Timestamp::EPOCH.plus_millis(index as i64 * HOUR_MS);
            Ok(Bar::new(time, open, f64::max(open, close), f64::min(open, close), close, 1.0)?)
        })
        .collect()
}

fn noise(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as f64 / (1_u64 << 31) as f64
}

/// `[BARS, SESSIONS]`: a new random action with probability `change`, else the one before.
fn actions(map: ActionMap, change: f64) -> Vec<Action> {
    let mut state = 3_u64;
    let mut current = [Action(0); SESSIONS];
    let mut all = Vec::with_capacity(BARS * SESSIONS);
    for _ in 0..BARS {
        for action in &mut current {
            if noise(&mut state) < change {
                *action = Action((noise(&mut state) * map.len() as f64) as u8);
            }
            all.push(*action);
        }
    }
    all
}

fn in_a_batch(
    config: SessionConfig,
    map: ActionMap,
    bars: &[Bar],
    actions: &[Action],
) -> Result<f64, EngineError> {
    let mut batch = SessionBatch::new(config, SESSIONS)?;
    let mut outcomes = [BarOutcome::EMPTY; SESSIONS];
    let mut steps = Vec::with_capacity(SESSIONS);
    let mut sum = 0.0;
    for (pair, actions) in bars.windows(2).zip(actions.chunks_exact(SESSIONS)) {
        let decided_at = pair[1].open_time();
        steps.clear();
        steps.extend(actions.iter().enumerate().filter_map(|(index, &action)| {
            let target = map.decide(action, batch.portfolio(index)?.position_fraction)?;
            Some(SessionStep { target, decided_at, bar: &pair[1], present: true })
        }));
        batch.step(&steps, &mut outcomes)?;
        sum += outcomes.iter().map(|outcome| outcome.log_return).sum::<f64>();
    }
    Ok(sum)
}

fn one_by_one(
    config: SessionConfig,
    map: ActionMap,
    bars: &[Bar],
    actions: &[Action],
) -> Result<f64, EngineError> {
    let mut sessions = vec![TradingSession::new(config)?; SESSIONS];
    let mut sum = 0.0;
    for (pair, actions) in bars.windows(2).zip(actions.chunks_exact(SESSIONS)) {
        let mut step_sum = 0.0;
        for (session, &action) in sessions.iter_mut().zip(actions) {
            if let Some(target) = map.decide(action, session.position_fraction()) {
                let _ = session.follow(target, pair[1].open_time());
            }
            step_sum += session.on_bar(&pair[1], true).log_return;
        }
        sum += step_sum;
    }
    Ok(sum)
}

fn median_rate(mut run: impl FnMut() -> Result<f64, EngineError>) -> Result<(f64, f64), EngineError> {
    let steps = (SESSIONS * (BARS - 1)) as f64;
    let mut rates = Vec::with_capacity(REPETITIONS);
    let mut sum = 0.0;
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        sum = run()?;
        rates.push(steps / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok((rates[REPETITIONS / 2], sum))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bars = market()?;
    for (name, map, change) in [
        ("long_flat, an order every 50 bars", ActionMap::LongFlat, 0.04),
        ("long_flat, an order every second bar", ActionMap::LongFlat, 1.0),
        ("short_flat_long, an order every 30 bars", ActionMap::ShortFlatLong, 0.05),
    ] {
        let config = SessionConfig { market: MarketRules::SHORTING, ..SessionConfig::default() };
        let actions = actions(map, change);
        let (batch, batch_sum) = median_rate(|| in_a_batch(config, map, &bars, &actions))?;
        let (single, single_sum) = median_rate(|| one_by_one(config, map, &bars, &actions))?;
        println!(
            "{{\"case\":\"{name}\",\"batch_steps_per_s\":{batch:.0},\"single_steps_per_s\":{single:.0},\
             \"same_sum\":{}}}",
            batch_sum.to_bits() == single_sum.to_bits()
        );
    }
    Ok(())
}
