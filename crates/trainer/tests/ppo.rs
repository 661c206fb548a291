//! What a training owes to those who run it.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{
    Recorder, context, context_with, dataset, hour, job, parent_in, small_dataset, tiny, with_sessions,
    zigzag,
};
use serde_json::{Value, json};
use walkforward_core::{
    Bar, BarSeries, CancelToken, Dataset, ErrorKind, MarketRules, Progress, ProgressUpdate, StageError,
    Trainer, TrainingJob, TrainingOutcome,
};
use walkforward_engine::{SessionConfig, feature_matrix, run_policy, run_target};
use walkforward_policy::{OPTIMIZER_FILE, Policy, WEIGHTS_FILE, load_mlp, load_policy, sha256_hex};
use walkforward_trainer::{BackendKind, PpoTrainer, TRAINING_SEMANTICS};

fn trainer() -> PpoTrainer {
    PpoTrainer::new(SessionConfig::default())
}

fn train(dataset: Dataset, pack: Value, seed: u64, dir: &Path) -> Result<TrainingOutcome, StageError> {
    trainer().train(&job(dataset, pack, seed, dir), &context())
}

/// Both files of the bundle.
fn bundle_bytes(dataset: Dataset, seed: u64) -> [Vec<u8>; 2] {
    let dir = tempfile::tempdir().unwrap();
    train(dataset, tiny(), seed, dir.path()).unwrap();
    [WEIGHTS_FILE, OPTIMIZER_FILE].map(|name| std::fs::read(dir.path().join(name)).unwrap())
}

fn file_count(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

fn check_refused(dataset: Dataset, pack: Value, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let error = train(dataset, pack, 1, dir.path()).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.kind, ErrorKind::BadInput);
    assert_eq!(file_count(dir.path()), 0);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = bundle_bytes(small_dataset(), 1);
    assert_eq!(bundle_bytes(small_dataset(), 1), first);
    assert_ne!(bundle_bytes(small_dataset(), 2)[0], first[0]);
}

#[test]
fn the_hold_out_does_not_reach_the_weights() {
    let changed = |from: usize| {
        let mut bars = BarSeries::new(hour());
        for (index, bar) in zigzag(200, 20, 0.01).iter().enumerate() {
            let price = 1_000.0 + index as f64;
            let other = Bar::flat(bar.open_time(), price).unwrap();
            bars.push(if index < from { bar } else { other }).unwrap();
        }
        bundle_bytes(dataset(bars, 40), 1)
    };
    assert_eq!(changed(160), bundle_bytes(small_dataset(), 1));
    assert_ne!(changed(159)[0], bundle_bytes(small_dataset(), 1)[0], "the last bar before it does");
}

#[test]
fn the_embargo_does_not_reach_the_weights() {
    let changed = |from: usize| {
        let mut bars = BarSeries::new(hour());
        for (index, bar) in zigzag(200, 20, 0.01).iter().enumerate() {
            let other = Bar::flat(bar.open_time(), 1_000.0 + index as f64).unwrap();
            bars.push(if index < from { bar } else { other }).unwrap();
        }
        let dataset = walkforward_core::Dataset { embargo_bars: 10, ..dataset(bars, 40) };
        assert_eq!(dataset.training_end(), dataset.bars.open_times()[150]);
        bundle_bytes(dataset, 1)
    };
    assert_eq!(changed(150), changed(200));
    assert_ne!(changed(149)[0], changed(200)[0], "the last bar before it does");
}

#[test]
fn the_outcome_says_what_was_used_and_measured() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = small_dataset();
    let outcome = train(dataset.clone(), tiny(), 1, dir.path()).unwrap();
    assert_eq!((outcome.trainer.as_str(), outcome.iterations, outcome.environment_steps), ("ppo", 2, 128));
    assert_eq!(outcome.used_until, dataset.split);
    let names: Vec<&str> = outcome.metrics.keys().map(String::as_str).collect();
    let expected = [
        "approx_kl",
        "clipfrac",
        "entropy",
        "episode_return",
        "explained_variance",
        "learning_rate",
        "loss",
        "mean_reward",
        "policy_loss",
        "value_loss",
    ];
    assert_eq!(names, expected);
    let policy = load_mlp(dir.path(), &parent_in(dir.path()).sha256).unwrap();
    assert_eq!(policy.spec().used_until, dataset.split);
    assert_eq!(policy.spec().lookback, 2);
    assert_eq!(file_count(dir.path()), 2);
}

#[test]
fn every_iteration_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let context = context_with(recorder.clone(), CancelToken::default());
    trainer().train(&job(small_dataset(), tiny(), 1, dir.path()), &context).unwrap();
    let updates = recorder.0.lock().unwrap();
    let steps: Vec<_> = updates.iter().map(|u| (u.done, u.total, u.eta_seconds.is_some())).collect();
    assert_eq!(steps, [(1, 2, true), (2, 2, true)]);
}

#[test]
fn an_obvious_pattern_is_learned() {
    let dataset = dataset(zigzag(1_200, 20, 0.01), 200);
    let dir = tempfile::tempdir().unwrap();
    let pack = json!({
        "iterations": 15, "num_envs": 8, "num_steps": 64, "num_minibatches": 4, "learning_rate": 3e-3,
        "hidden": [32], "lookback": 2, "episode_bars": 100,
    });
    train(dataset.clone(), pack, 1, dir.path()).unwrap();
    let policy = load_mlp(dir.path(), &parent_in(dir.path()).sha256).unwrap();
    let rows = feature_matrix(&dataset.feature_spec, &dataset.bars).unwrap();
    let rows = rows.normalised(&policy.spec().normaliser).unwrap();
    let present = vec![true; dataset.bars.len()];
    let (range, config) = (1_000..1_200, SessionConfig::default());
    let learned = run_policy(&policy, &dataset.bars, &present, &rows, range.clone(), &config).unwrap();
    let held = run_target(|_| 1.0, &dataset.bars, &present, range, &config).unwrap();
    let total_return = |equity: &[f64]| equity.last().unwrap() / config.initial_cash - 1.0;
    // Five rises of 20 % each; the half-period of warm-up and the costs take some of it.
    let (learned, held) = (total_return(&learned.equity), total_return(&held.equity));
    assert!(learned > 0.5 && learned > held + 0.5, "{learned} {held}");
}

#[test]
fn too_few_bars_for_an_episode_are_refused_with_the_number_needed() {
    check_refused(small_dataset(), json!({}), "one episode needs 257");
    let all_held_out = dataset(zigzag(200, 20, 0.01), 200);
    check_refused(all_held_out, tiny(), "0 bars before the hold-out have features: one episode needs 25");
}

#[test]
fn a_pack_that_makes_no_sense_is_bad_input() {
    check_refused(small_dataset(), json!({ "gamma": 2.0 }), "gamma is 2");
    check_refused(small_dataset(), json!({ "gama": 0.9 }), "gama");
    let costly = PpoTrainer::new(SessionConfig { fee_bps: -1.0, ..SessionConfig::default() });
    let dir = tempfile::tempdir().unwrap();
    let error = costly.train(&job(small_dataset(), tiny(), 1, dir.path()), &context()).unwrap_err();
    assert!(error.kind == ErrorKind::BadInput && error.to_string().contains("fee_bps"), "{error}");
}

#[test]
fn a_folder_that_is_not_there_may_be_there_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let error = train(small_dataset(), tiny(), 1, &dir.path().join("no")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retry, "{error}");
}

/// Cancels at the first report.
struct CancelAtOnce(CancelToken);

impl Progress for CancelAtOnce {
    fn report(&self, update: ProgressUpdate) {
        assert_eq!(update.done, 1, "nothing is reported after the request to stop");
        self.0.cancel();
    }
}

#[test]
fn a_cancelled_training_stops_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancelToken::default();
    let context = context_with(Arc::new(CancelAtOnce(cancel.clone())), cancel);
    let error = trainer().train(&job(small_dataset(), tiny(), 1, dir.path()), &context).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(file_count(dir.path()), 0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
fn a_training_of_the_default_size_stops_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancelToken::default();
    let context = context_with(Arc::new(walkforward_core::NoProgress), cancel.clone());
    let job = job(dataset(zigzag(1_000, 20, 0.01), 100), json!({ "iterations": 100_000 }), 1, dir.path());
    let (error, waited) = std::thread::scope(|scope| {
        let training = scope.spawn(|| trainer().train(&job, &context).unwrap_err());
        std::thread::sleep(std::time::Duration::from_millis(300));
        let asked = std::time::Instant::now();
        cancel.cancel();
        (training.join().unwrap(), asked.elapsed())
    });
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(waited.as_secs_f64() < 1.0, "{waited:?}");
}

#[test]
fn a_model_says_whether_its_market_has_sessions() {
    let dir = tempfile::tempdir().unwrap();
    for (dataset, has_sessions) in [(small_dataset(), false), (with_sessions(small_dataset()), true)] {
        train(dataset, tiny(), 1, dir.path()).unwrap();
        let parent = parent_in(dir.path());
        let policy = walkforward_policy::load_policy(dir.path(), &parent.sha256).unwrap();
        assert_eq!(walkforward_policy::Policy::spec(&policy).sessions, has_sessions);
    }
}

#[test]
fn the_number_of_threads_does_not_reach_the_weights() {
    let bytes = |threads: usize| {
        let dir = tempfile::tempdir().unwrap();
        let pack = json!({
            "iterations": 2, "num_envs": 16, "num_steps": 128, "num_minibatches": 2, "update_epochs": 2,
            "episode_bars": 24,
        });
        let job = TrainingJob { threads, ..job(small_dataset(), pack, 1, dir.path()) };
        trainer().train(&job, &context()).unwrap();
        [WEIGHTS_FILE, OPTIMIZER_FILE].map(|name| std::fs::read(dir.path().join(name)).unwrap())
    };
    let one = bytes(1);
    for threads in [0, 2, 3, 40] {
        assert_eq!(bytes(threads), one, "{threads}");
    }
}

#[test]
fn the_reference_arithmetic_trains_through_the_same_loop() {
    let dir = tempfile::tempdir().unwrap();
    let trainer = trainer().with_backend(BackendKind::Candle);
    let outcome = trainer.train(&job(small_dataset(), tiny(), 1, dir.path()), &context()).unwrap();
    let fast_dir = tempfile::tempdir().unwrap();
    let fast = train(small_dataset(), tiny(), 1, fast_dir.path()).unwrap();
    for (name, value) in &fast.metrics {
        assert!((outcome.metrics[name] - value).abs() < 1e-3, "{name}: {value} {}", outcome.metrics[name]);
    }
}

#[test]
fn every_scheme_trains_a_policy_that_loads() {
    let session = SessionConfig { market: MarketRules::SHORTING, ..SessionConfig::default() };
    let rewards = [
        json!("log_return"),
        json!("position_return"),
        json!({ "differential_sharpe": {} }),
        json!({ "drawdown": { "weight": 2.0 } }),
    ];
    let actions = [
        json!("long_flat"),
        json!("buy_sell_hold"),
        json!("short_flat_long"),
        json!({ "sized": [-0.5, 0.0, 0.5] }),
    ];
    let mut hashes = Vec::new();
    for (reward, actions) in rewards.iter().zip(&actions).chain(rewards.iter().zip(actions.iter().rev())) {
        let mut pack = tiny();
        (pack["reward"], pack["actions"]) = (reward.clone(), actions.clone());
        let dir = tempfile::tempdir().unwrap();
        PpoTrainer::new(session).train(&job(small_dataset(), pack, 1, dir.path()), &context()).unwrap();
        let sha256 = sha256_hex(&std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap());
        let policy = load_mlp(dir.path(), &sha256).unwrap();
        assert_eq!(json!(policy.spec().actions), *actions);
        hashes.push(sha256);
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 8, "two schemes gave the same weights");
}

#[test]
fn a_scheme_that_needs_shorting_is_refused_where_there_is_none() {
    let mut pack = tiny();
    pack["actions"] = json!("short_flat_long");
    check_refused(small_dataset(), pack, "short");
}

/// Trains with a checkpoint every other iteration; `stop_after` cancels once so many iterations were reported.
fn train_with_checkpoints(
    work_dir: &Path,
    out_dir: &Path,
    stop_after: Option<u64>,
) -> Result<Vec<Vec<u8>>, StageError> {
    train_pack_with_checkpoints(tiny(), work_dir, out_dir, stop_after)
}

fn train_pack_with_checkpoints(
    mut pack: serde_json::Value,
    work_dir: &Path,
    out_dir: &Path,
    stop_after: Option<u64>,
) -> Result<Vec<Vec<u8>>, StageError> {
    struct StopAfter {
        iterations: u64,
        cancel: CancelToken,
    }
    impl Progress for StopAfter {
        fn report(&self, update: ProgressUpdate) {
            if update.done >= self.iterations {
                self.cancel.cancel();
            }
        }
    }
    pack["iterations"] = json!(7);
    pack["checkpoint_every"] = json!(2);
    pack["validation_bars"] = json!(40);
    pack["validate_every"] = json!(3);
    let mut context = context();
    context.work_dir = work_dir.to_owned();
    let cancel = context.cancel.clone();
    context.progress = Arc::new(StopAfter { iterations: stop_after.unwrap_or(u64::MAX), cancel });
    trainer().train(&job(small_dataset(), pack, 3, out_dir), &context)?;
    Ok([WEIGHTS_FILE, OPTIMIZER_FILE].map(|name| std::fs::read(out_dir.join(name)).unwrap()).to_vec())
}

#[test]
fn a_training_that_was_interrupted_goes_on_to_the_same_bits() {
    let folder = || tempfile::tempdir().unwrap();
    let whole = train_with_checkpoints(folder().path(), folder().path(), None).unwrap();
    for stop_after in 1..7 {
        let (work, out) = (folder(), folder());
        let stopped = train_with_checkpoints(work.path(), out.path(), Some(stop_after)).unwrap_err();
        assert_eq!(stopped.kind, ErrorKind::Cancelled);
        assert_eq!(file_count(out.path()), 0);
        let resumed = train_with_checkpoints(work.path(), out.path(), None).unwrap();
        assert!(resumed == whole, "stopped after {stop_after}");
        assert_eq!(file_count(&work.path().join("checkpoints")), 0, "the checkpoints are left");
    }
}

/// Packs of networks that candle trains.
fn candle_packs() -> Vec<serde_json::Value> {
    let networks = [
        json!({ "network": "layer_norm_mlp" }),
        json!({ "activation": "relu" }),
        json!({ "network": { "gru": { "units": 6 } } }),
        json!({ "network": { "conv": { "channels": [6, 4], "kernel": 2 } }, "lr_schedule": "cosine" }),
    ];
    let with = |network: serde_json::Value| {
        let mut pack = tiny();
        pack.as_object_mut().unwrap().extend(network.as_object().unwrap().clone());
        pack
    };
    networks.into_iter().map(with).collect()
}

#[test]
fn networks_without_kernels_train_repeat_and_go_on_from_a_parent() {
    for pack in candle_packs() {
        let [first, second, child] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let bytes = |dir: &Path| {
            [WEIGHTS_FILE, OPTIMIZER_FILE].map(|name| std::fs::read(dir.join(name)).unwrap()).to_vec()
        };
        let outcome = train(small_dataset(), pack.clone(), 1, first.path()).unwrap();
        let name = outcome.instruction_set.unwrap();
        assert!(name.starts_with("candle-") && BackendKind::on(&name) == Some(BackendKind::Candle), "{name}");
        assert_eq!(BackendKind::on(&format!("{name}0")), None);
        let mut other_threads = job(small_dataset(), pack.clone(), 1, second.path());
        other_threads.threads = 3;
        trainer().train(&other_threads, &context()).unwrap();
        assert!(bytes(first.path()) == bytes(second.path()), "{pack}");
        let parent = parent_in(first.path());
        let policy = load_policy(first.path(), &parent.sha256).unwrap();
        assert!(policy.spec().probe.tolerance > 0.0);
        let mut next = job(small_dataset(), pack.clone(), 2, child.path());
        next.parent = Some(parent.clone());
        trainer().train(&next, &context()).unwrap();
        assert_ne!(bytes(child.path()), bytes(first.path()));
        let mut plain = job(small_dataset(), tiny(), 2, child.path());
        plain.parent = Some(parent);
        let reason = trainer().train(&plain, &context()).unwrap().cold_start.unwrap();
        assert!(reason.contains("another network"), "{reason}");
    }
}

#[test]
fn an_adaptive_step_size_goes_on_where_it_was() {
    let mut pack = tiny();
    pack["network"] = json!({ "gru": { "units": 4 } });
    pack["lr_schedule"] = json!("adaptive_kl");
    pack["target_kl"] = json!(1e-4);
    let folder = || tempfile::tempdir().unwrap();
    let run = |work: &Path, out: &Path, stop| train_pack_with_checkpoints(pack.clone(), work, out, stop);
    let whole = run(folder().path(), folder().path(), None).unwrap();
    let (work, out) = (folder(), folder());
    run(work.path(), out.path(), Some(5)).unwrap_err();
    assert!(run(work.path(), out.path(), None).unwrap() == whole);
    pack["target_kl"] = json!(1e3);
    let other = train_pack_with_checkpoints(pack, folder().path(), folder().path(), None).unwrap();
    assert!(other != whole, "the target does not matter");
}

#[test]
fn a_torn_checkpoint_is_no_checkpoint() {
    let (work, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = train_with_checkpoints(tempfile::tempdir().unwrap().path(), out.path(), None).unwrap();
    train_with_checkpoints(work.path(), out.path(), Some(5)).unwrap_err();
    let folder = std::fs::read_dir(work.path().join("checkpoints")).unwrap().next().unwrap().unwrap().path();
    let weights = folder.join("iteration-4").join(WEIGHTS_FILE);
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    assert!(train_with_checkpoints(work.path(), out.path(), None).unwrap() == whole);
}

#[test]
fn the_best_iteration_on_the_validation_bars_is_kept() {
    let train_for = |iterations: u64| {
        let mut pack = tiny();
        pack["iterations"] = json!(iterations);
        pack["lr_schedule"] = json!("constant");
        pack["validation_bars"] = json!(40);
        let dir = tempfile::tempdir().unwrap();
        let outcome = train(small_dataset(), pack, 5, dir.path()).unwrap();
        (outcome.metrics, std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap())
    };
    let (metrics, kept) = train_for(8);
    let best = metrics["best_iteration"] as u64;
    assert!(metrics["best_validation_log_return"] >= metrics["validation_log_return"]);
    let (_, at_best) = train_for(best);
    assert!(kept == at_best, "the weights are not those of iteration {best}");
}

#[test]
fn training_stops_early_when_validation_no_longer_improves() {
    let mut pack = tiny();
    pack["iterations"] = json!(200);
    pack["validation_bars"] = json!(40);
    pack["patience"] = json!(3);
    let dir = tempfile::tempdir().unwrap();
    let outcome = train(small_dataset(), pack, 5, dir.path()).unwrap();
    assert!(outcome.iterations < 200, "{}", outcome.iterations);
    assert_eq!(outcome.iterations, outcome.metrics["best_iteration"] as u64 + 3);
}

/// SHA-256 of the weights of one small training at [`TRAINING_SEMANTICS`] 1, on every instruction set.
const GOLDEN: &str = "57ed8a5f6e03d8e785f3b2b6dfb176a11c138ecba85efda1e86bf8c878cef3dd";

#[test]
fn the_same_job_gives_the_weights_that_it_always_gave() {
    assert_eq!(TRAINING_SEMANTICS, 1, "put the hash of the new semantics here");
    let mut tried = 0;
    for name in ["portable", "avx2", "avx512"] {
        let Some(backend) = BackendKind::on(name) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let job = job(small_dataset(), tiny(), 1, dir.path());
        trainer().with_backend(backend).train(&job, &context()).unwrap();
        let found = sha256_hex(&std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap());
        assert_eq!(
            found, GOLDEN,
            "{name}: the same job makes other weights than before. If that is meant, count TRAINING_SEMANTICS up: \
             the evidence for models of the old training does not speak for those of the new one"
        );
        tried += 1;
    }
    assert!(tried > 0);
}
