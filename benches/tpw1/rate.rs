//! Steps per second of complete rollout and update iterations.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use walkforward_core::CancelToken;
use walkforward_kernels::{Isa, MatMul};
use walkforward_trainer::{Environment, PpoLearner, TrainerError, group_ranges};

use crate::market::{Kind, Market};
use crate::options::Options;
use crate::trading::Trading;
use crate::{learner, process};

/// Floating-point operations of matrix products in one environment step, a multiply-add counting as 2.
pub(crate) const FLOP_PER_STEP: f64 = 371_976.0;
/// Sizes of the product that the rates are compared with: a minibatch of 8 environments through the first layer.
const PRODUCT: [usize; 3] = [256, 66, 64];
/// Iterations over which rollout and update are timed apart.
const SPLIT_ITERATIONS: usize = 5;

pub(crate) fn run(options: &Options, started: Instant) -> Result<Value, TrainerError> {
    let market = Market::new(Kind::BENCH, 1);
    market.check();
    let groups = group_ranges(options.envs, options.threads).map(|envs| Trading::new(&market, 1, envs));
    let mut learner = learner(groups.collect(), options, 1)?;
    let rate = learner.config().learning_rate;
    learner.iterate(rate, &CancelToken::default())?;
    let first_update_ms = started.elapsed().as_secs_f64() * 1e3;
    let measured = repeat(&mut learner, options, rate)?;
    let rollout_share = rollout_share(&mut learner, rate)?;
    Ok(report("TPW-1", options, &measured, rollout_share, first_update_ms))
}

/// Repetitions of a measurement: steps per second of wall time, and of processor time.
pub(crate) struct Measured {
    pub(crate) wall: Vec<f64>,
    pub(crate) cpu: Vec<f64>,
    /// Rate of the matrix product before each repetition.
    pub(crate) gemm: Vec<f64>,
}

fn repeat<E: Environment>(
    learner: &mut PpoLearner<E>,
    options: &Options,
    rate: f64,
) -> Result<Measured, TrainerError> {
    let batch = (learner.config().num_envs * learner.config().num_steps) as f64;
    let mut measured = Measured { wall: vec![], cpu: vec![], gemm: vec![] };
    for _ in 0..options.reps {
        measured.gemm.push(gemm_gflops(options.isa));
        let (wall, cpu, mut steps) = (Instant::now(), process::process_cpu_seconds(), 0.0);
        while steps == 0.0 || wall.elapsed().as_secs_f64() < options.seconds {
            learner.iterate(rate, &CancelToken::default())?;
            steps += batch;
        }
        measured.wall.push(steps / wall.elapsed().as_secs_f64());
        measured.cpu.push(steps / (process::process_cpu_seconds() - cpu));
    }
    Ok(measured)
}

/// Time of rollouts as a share of that of whole iterations.
fn rollout_share<E: Environment>(learner: &mut PpoLearner<E>, rate: f64) -> Result<f64, TrainerError> {
    let cancel = CancelToken::default();
    let (whole, mut rollouts) = (Instant::now(), 0.0);
    for _ in 0..SPLIT_ITERATIONS {
        let rollout = Instant::now();
        learner.collect(&cancel)?;
        rollouts += rollout.elapsed().as_secs_f64();
        learner.update(rate, &cancel)?;
    }
    Ok(rollouts / whole.elapsed().as_secs_f64())
}

/// Rate of the bare matrix product on one core, median of several, in 10^9 operations a second.
pub(crate) fn gemm_gflops(isa: Isa) -> f64 {
    let Some(product) = MatMul::new(isa) else { return f64::NAN };
    let [m, k, n] = PRODUCT;
    let (a, b, mut c) = (vec![0.5; m * k], vec![0.25; k * n], vec![0.0; m * n]);
    let calls = 3_000;
    let rates = (0..7).map(|_| {
        let start = Instant::now();
        for _ in 0..calls {
            let done = product.multiply(PRODUCT, black_box(&a), &b, &mut c);
            debug_assert!(done.is_ok());
        }
        2.0 * (m * k * n * calls) as f64 / start.elapsed().as_secs_f64() / 1e9
    });
    median(&rates.collect::<Vec<_>>())
}

pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn report(
    workload: &str,
    options: &Options,
    measured: &Measured,
    rollout_share: f64,
    first_update_ms: f64,
) -> Value {
    let round = |x: f64, digits: i32| (x * 10_f64.powi(digits)).round() / 10_f64.powi(digits);
    let steps_per_s = median(&measured.wall);
    let gflops = steps_per_s * FLOP_PER_STEP / 1e9;
    json!({
        "peer": "walkforward",
        "workload": workload,
        "n_envs": options.envs,
        "threads": options.threads,
        "isa": format!("{:?}", options.isa).to_lowercase(),
        "steps_per_s": round(steps_per_s, 1),
        "steps_per_cpu_s": round(median(&measured.cpu), 1),
        "reps": measured.wall.iter().map(|x| x.round()).collect::<Vec<_>>(),
        "gflops": round(gflops, 3),
        "gemm_gflops": round(median(&measured.gemm), 1),
        "gemm_share": round(gflops / median(&measured.gemm), 3),
        "rollout_share": round(rollout_share, 3),
        "peak_rss_mib": round(process::peak_rss_mib(), 1),
        "load1": process::load1(),
        "first_update_ms": round(first_update_ms, 1),
    })
}
