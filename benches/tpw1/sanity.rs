//! Tasks with known optima: train on the market of seed 1, judge the arg-max policy on that of seed 2.

use serde_json::{Value, json};
use walkforward_core::CancelToken;
use walkforward_kernels::argmax;
use walkforward_trainer::{Environment, PpoLearner, Step, TrainerError, group_ranges};

use crate::cartpole::CartPole;
use crate::learner;
use crate::market::{EPISODE, Kind, Market, OBS_DIM, POSITIONS};
use crate::optimum::optimum;
use crate::options::Options;
use crate::process::process_cpu_seconds;
use crate::trading::Trading;

/// Seeds of the markets: to train on, to judge on, to choose a checkpoint on.
const TRAIN: u64 = 1;
const JUDGE: u64 = 2;
const VALIDATE: u64 = 3;
/// Checkpoints of a training.
const CHECKPOINTS: usize = 8;
/// Steps of a trading task and of CartPole, as the reference has them.
const TRADING_STEPS: usize = 262_144;
const CARTPOLE_STEPS: usize = 400_000;
/// Mean length of the last 100 episodes at which CartPole is solved.
const SOLVED: f64 = 475.0;
const LAST_EPISODES: usize = 100;

/// What a policy comes to on a market, a step.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    pub(crate) reward: f64,
    pub(crate) turnover: f64,
}

/// Runs `act` over the market's consecutive episodes, each starting flat.
pub(crate) fn evaluate(market: &Market, mut act: impl FnMut(&Trading<'_>, &mut [u32])) -> Score {
    let mut trading = Trading::consecutive(market);
    let envs = trading.num_envs();
    let (mut actions, mut steps) = (vec![0; envs], vec![Step::EMPTY; envs]);
    let mut score = Score::default();
    for _ in 0..EPISODE {
        act(&trading, &mut actions);
        for (env, &action) in actions.iter().enumerate() {
            score.turnover += (POSITIONS[action as usize] - trading.state(env).1).abs();
        }
        let done = trading.step(&actions, &mut steps);
        debug_assert!(done.is_ok());
        score.reward += steps.iter().map(|step| f64::from(step.reward)).sum::<f64>();
    }
    let count = (envs * EPISODE) as f64;
    Score { reward: score.reward / count, turnover: score.turnover / count }
}

/// The learner's most likely actions on `market`.
fn judge(learner: &PpoLearner<Trading<'_>>, market: &Market) -> Result<Score, TrainerError> {
    let (mut result, mut observations, mut logits) = (Ok(()), vec![], vec![]);
    let score = evaluate(market, |trading, actions| {
        observations.resize(actions.len() * OBS_DIM, 0.0);
        logits.resize(actions.len() * POSITIONS.len(), 0.0);
        let answered =
            trading.observe(&mut observations).and_then(|()| learner.logits(&observations, &mut logits));
        if answered.is_err() {
            result = answered;
        }
        for (action, logits) in actions.iter_mut().zip(logits.chunks_exact(POSITIONS.len())) {
            *action = argmax(logits).unwrap_or(0) as u32;
        }
    });
    result.map(|()| score)
}

/// One training: the last checkpoint, and the one that was best on the validation market.
fn train(markets: &[Market; 3], options: &Options, seed: u64) -> Result<(Score, Score), TrainerError> {
    let [training, judging, validation] = markets;
    let groups = group_ranges(options.envs, options.threads).map(|envs| Trading::new(training, seed, envs));
    let mut learner = learner(groups.collect(), options, seed)?;
    let batch = options.envs * learner.config().num_steps;
    let per_checkpoint = (options.steps.unwrap_or(TRADING_STEPS) / batch / CHECKPOINTS).max(1);
    let rate = learner.config().learning_rate;
    let (mut last, mut selected, mut best) = (Score::default(), Score::default(), f64::MIN);
    for _ in 0..CHECKPOINTS {
        for _ in 0..per_checkpoint {
            learner.iterate(rate, &CancelToken::default())?;
        }
        last = judge(&learner, judging)?;
        let validated = judge(&learner, validation)?.reward;
        if validated > best {
            (best, selected) = (validated, last);
        }
    }
    Ok((last, selected))
}

pub(crate) fn trading(task: &str, options: &Options) -> Result<Value, Box<dyn std::error::Error>> {
    let kind = Kind::named(task)
        .ok_or_else(|| format!("--task is '{task}': expected sine, ar1, band, walk, leak or cartpole"))?;
    let started = process_cpu_seconds();
    let markets = [TRAIN, JUDGE, VALIDATE].map(|seed| Market::new(kind, seed));
    let optimum = optimum(kind, &markets[1]);
    let (mut last, mut selected) = (vec![], vec![]);
    for seed in 0..options.seeds {
        let (at_end, at_best) = train(&markets, options, seed)?;
        last.push(at_end);
        selected.push(at_best);
    }
    let round = |x: f64| (x * 1e4).round() / 1e4;
    let rewards = |scores: &[Score]| scores.iter().map(|score| round(score.reward)).collect::<Vec<_>>();
    let shares = |scores: &[Score]| -> Option<Vec<f64>> {
        (optimum > 0.0).then(|| scores.iter().map(|score| round(score.reward / optimum)).collect())
    };
    let mean = |shares: Option<Vec<f64>>| {
        shares.map(|shares| round(shares.iter().sum::<f64>() / shares.len() as f64))
    };
    Ok(json!({
        "task": task,
        "peer": "walkforward",
        "n_envs": options.envs,
        "optimum": round(optimum),
        "last": rewards(&last),
        "last_of_optimum": shares(&last),
        "last_mean": mean(shares(&last)),
        "selected_of_optimum": shares(&selected),
        "selected_mean": mean(shares(&selected)),
        "turnover": last.iter().map(|score| round(score.turnover)).collect::<Vec<_>>(),
        "cpu_s": round(process_cpu_seconds() - started),
    }))
}

/// Environment steps until the mean of the last 100 finished episodes reaches 475; null when it never does.
pub(crate) fn cartpole(options: &Options) -> Result<Value, TrainerError> {
    let started = process_cpu_seconds();
    let limit = options.steps.unwrap_or(CARTPOLE_STEPS);
    let mut reached = vec![];
    for seed in 0..options.seeds {
        let mut learner = learner(vec![CartPole::new(options.envs, seed)], options, seed)?;
        let batch = options.envs * learner.config().num_steps;
        let rate = learner.config().learning_rate;
        let mut steps = 0;
        let mut solved = None;
        while steps < limit && solved.is_none() {
            learner.iterate(rate, &CancelToken::default())?;
            steps += batch;
            let lengths = &learner.groups()[0].lengths;
            let recent = lengths.iter().rev().take(LAST_EPISODES);
            let mean = recent.map(|&length| f64::from(length)).sum::<f64>() / LAST_EPISODES as f64;
            solved = (lengths.len() >= LAST_EPISODES && mean >= SOLVED).then_some(steps);
        }
        reached.push(solved);
    }
    Ok(json!({
        "task": "cartpole",
        "peer": "walkforward",
        "n_envs": options.envs,
        "limit": limit,
        "steps_to_475": reached,
        "cpu_s": process_cpu_seconds() - started,
    }))
}
