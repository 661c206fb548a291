//! Times the judgement of a ledger of a year of hourly bars on one core:
//! `cargo run --release -p walkforward-promoter --example standing_speed`.
//! Prints one JSON line with the median of 21 runs of each part.
#![expect(clippy::print_stdout, reason = "the result is its output")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use walkforward_core::{Horizon, StreamEvidence, Timestamp};
use walkforward_promoter::{EvidenceRules, MarketPace, Meter, Recent, SequentialTest, Standing};

const BARS: usize = 8_760;
const RUNS: u64 = 21;
const HOUR_MS: i64 = 3_600_000;

/// An arm that is long every other half day against a flat reference.
fn stream(seed: u64) -> Result<StreamEvidence, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let position: Vec<f64> = (0..BARS).map(|bar| ((bar / 12) % 2) as f64).collect();
    let mut earned = |position: &f64| position * (2e-5 + 6.4e-3 * rng.sample::<f64, _>(StandardNormal));
    Ok(StreamEvidence {
        arm: "00c0ffee00c0ffee".parse()?,
        reference: "flat".to_owned(),
        bar_close: (1..=BARS as i64).map(|bar| Timestamp::EPOCH.plus_millis(bar * HOUR_MS)).collect(),
        arm_return: position.iter().map(&mut earned).collect(),
        reference_return: vec![0.0; BARS],
        arm_position: position,
        reference_position: vec![0.0; BARS],
        asset_return: Vec::new(),
        replayed_bars: 0,
        bars_per_day: 24.0,
        bars_per_year: 8_760.0,
        horizon: Some(Horizon {
            after: Timestamp::EPOCH,
            bars: BARS,
            alpha: 0.0125,
            broken: None,
            crossed_at: None,
        }),
        is_champions: false,
        champion_grade: None,
        trials: 1_460,
        arms: None,
        trial_sharpe_variance: None,
        trial_bars: None,
        caution: None,
        quarantined_until: None,
        anytime_level: None,
        own_anchor: None,
        last_takeover_at: None,
        now: Timestamp::EPOCH.plus_millis(BARS as i64 * HOUR_MS),
    })
}

fn median_ms<T>(mut part: impl FnMut(u64) -> Result<T, Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut milliseconds = Vec::new();
    for seed in 0..RUNS {
        let start = Instant::now();
        std::hint::black_box(part(seed)?);
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds[milliseconds.len() / 2])
}

fn main() -> Result<(), Box<dyn Error>> {
    let rules = EvidenceRules::default();
    let pace = MarketPace::new(24.0, 8_760.0)?;
    let streams = (0..RUNS).map(stream).collect::<Result<Vec<_>, _>>()?;
    let standing = median_ms(|run| Ok(Standing::of(&streams[run as usize], &rules)?))?;
    let meter = median_ms(|run| Ok(Meter::of(&streams[run as usize], &rules)?))?;
    let recent = median_ms(|run| Ok(Recent::of(&streams[run as usize].arm_return, pace, &rules, run)?))?;
    let sequential = median_ms(|run| {
        let mut test = SequentialTest::registered(pace, BARS, 0.0125, &rules)?;
        streams[run as usize].arm_return.iter().try_for_each(|difference| test.push(*difference))?;
        Ok(test.qualified_at())
    })?;
    println!(
        "{{\"bench\":\"standing\",\"bars\":{BARS},\"standing_ms\":{standing:.2},\"meter_ms\":{meter:.2},\
         \"recent_ms\":{recent:.2},\"sequential_ms\":{sequential:.2}}}"
    );
    Ok(())
}
