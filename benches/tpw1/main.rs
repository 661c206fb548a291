//! TPW-1, the reference trading PPO workload, over the learner that the product uses.
//!
//! ```text
//! cargo bench --bench tpw1 -- --envs 64 --threads 1 --seconds 4      one JSON line with the rates
//! cargo bench --bench tpw1 -- --env session --envs 64                the same on the engine's trading session
//! cargo bench --bench tpw1 -- --task band --seeds 6                  what is learned: sine, ar1, band, walk, leak,
//!                                                                cartpole
//! ```
//!
//! `--isa avx2` or `--isa portable` measures another instruction set, `--reps 5` more repetitions. The market's
//! checksums are asserted at the start. Figures and machine are in `docs/performance.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time and prints what it measured"
)]

mod cartpole;
mod market;
mod optimum;
mod options;
#[path = "../shared/process.rs"]
mod process;
mod rate;
mod sanity;
mod session;
mod trading;

use std::time::Instant;

use walkforward_core::{Activation, NetworkSpec};
use walkforward_trainer::{Environment, LrSchedule, PpoConfig, PpoLearner, TrainerError};

use options::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let options = Options::parse(std::env::args().skip(1))?;
    let line = match (options.task.as_deref(), options.env.as_str()) {
        (Some("cartpole"), _) => sanity::cartpole(&options)?,
        (Some(task), _) => sanity::trading(task, &options)?,
        (None, "tpw1") => rate::run(&options, started)?,
        (None, "session") => session::run(&options, started)?,
        (None, other) => return Err(format!("--env is '{other}': expected tpw1 or session").into()),
    };
    println!("{line}");
    Ok(())
}

/// Settings of TPW-1's learner. Its value loss has no factor of one half, so the weight is twice 0.5.
fn settings(envs: usize) -> PpoConfig {
    PpoConfig {
        num_envs: envs,
        num_steps: 128,
        update_epochs: 4,
        num_minibatches: 4,
        learning_rate: 3e-4,
        lr_schedule: LrSchedule::Constant,
        gamma: 0.99,
        gae_lambda: 0.95,
        clip_coef: 0.2,
        ent_coef: 0.01,
        vf_coef: 1.0,
        max_grad_norm: 0.5,
        hidden: vec![64, 64],
        ..PpoConfig::default()
    }
}

/// A fresh learner with TPW-1's settings.
fn learner<E: Environment>(
    groups: Vec<E>,
    options: &Options,
    seed: u64,
) -> Result<PpoLearner<E>, TrainerError> {
    let config = settings(groups.iter().map(Environment::num_envs).sum());
    let (inputs, outputs) = groups.first().map_or((0, 0), |group| (group.obs_dim(), group.num_actions()));
    let hidden = config.hidden.clone();
    let network = NetworkSpec::Mlp { inputs, hidden, outputs, activation: Activation::Tanh };
    PpoLearner::new(groups, network, config, seed, options.backend)
}
