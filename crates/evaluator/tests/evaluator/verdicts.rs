//! From a model to the sentence of the verdict on it.

use tempfile::tempdir;
use walkforward_core::{Dataset, EvaluationReport, Evaluator, Evidence, ModelRef, Outcome, Verdict};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::{BacktestEvaluator, ONE_TRADE_DECIDES};
use walkforward_policy::{WEIGHTS_FILE, load, sha256_hex};
use walkforward_promoter::{Gate, ThresholdsGate};

use crate::common::{context, dataset, waves, window, write_model, write_spec};

const FROM: usize = 100;

fn evaluate(model: &ModelRef, data: &Dataset) -> EvaluationReport {
    let judged = window(FROM, data.bars.len());
    BacktestEvaluator::new(SessionConfig::default()).evaluate(model, data, judged, &context()).unwrap()
}

fn assess(candidate: EvaluationReport, champion: Option<EvaluationReport>) -> Verdict {
    let bars = 300;
    ThresholdsGate::default().assess(&Evidence {
        candidate,
        champion,
        baselines: Vec::new(),
        unseen_bars: bars,
        holdout_bars: bars,
        min_judged_bars: 250,
        stream: None,
    })
}

/// What the preset says of a model that follows the last return with `slope` and `bias` over `closes`.
fn verdict(closes: &[f64], slope: f32, bias: f32) -> Verdict {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), slope, bias);
    assess(evaluate(&model, &dataset(closes)), None)
}

fn check(verdict: &Verdict, outcome: Outcome, reason: Option<&str>, words: &[&str]) {
    assert_eq!((verdict.outcome, verdict.reason.as_deref()), (outcome, reason), "{}", verdict.sentence);
    for word in words {
        assert!(verdict.sentence.contains(word), "'{word}' is missing: {}", verdict.sentence);
    }
    assert!(verdict.warnings[0].contains("9 to 25 % of models without skill"), "{:?}", verdict.warnings);
}

const FAILED: Option<&str> = Some("thresholds_failed");
const MECHANICAL: Option<&str> = Some("mechanical");

#[test]
fn zero_trades_have_no_win_rate_and_are_rejected() {
    let mut closes = vec![100.0; 400];
    // Only the last bar asks for a position, and nothing fills after it.
    closes[399] = 110.0;
    let words = ["winRate is undefined", "pnlPerTrade is undefined"];
    check(&verdict(&closes, 1.0, -0.05), Outcome::Reject, FAILED, &words);
}

#[test]
fn a_model_that_never_trades_is_rejected_as_constant() {
    let words = ["does not work", "took action 0 at each of its 300 decisions"];
    check(&verdict(&waves(400), 0.0, -1.0), Outcome::Reject, MECHANICAL, &words);
}

#[test]
fn one_giant_winning_trade_passes_the_rule_with_a_warning() {
    let mut price = 100.0;
    let rising = |bar: usize| (200..260).contains(&bar);
    let closes: Vec<f64> = (0..400)
        .map(|bar| {
            price *= if rising(bar) { 1.05 } else { 1.0 };
            price
        })
        .collect();
    let dir = tempdir().unwrap();
    let report = evaluate(&write_model(dir.path(), 1.0, -0.02), &dataset(&closes));
    assert_eq!((report.trades.len(), report.warnings[0].name.as_str()), (1, ONE_TRADE_DECIDES));
    let verdict = assess(report, None);
    check(&verdict, Outcome::Promote, None, &["every threshold holds"]);
    assert!(verdict.warnings[1].contains("its profit is that of its only trade"), "{:?}", verdict.warnings);
}

#[test]
fn one_giant_winner_among_losers_is_rejected_by_its_win_rate() {
    // Nine waves that lose to the costs, then a long rise.
    let mut closes: Vec<f64> = (0..300).map(|bar| if bar % 20 < 10 { 100.0 } else { 100.1 }).collect();
    closes.extend((0..100).map(|bar| 101.0 * 1.03_f64.powi(bar.min(50))));
    let dir = tempdir().unwrap();
    let report = evaluate(&write_model(dir.path(), 1.0, 0.0), &dataset(&closes));
    assert!(report.metrics.total_return.unwrap() > 1.0);
    assert_eq!(report.warnings[0].name, ONE_TRADE_DECIDES);
    let verdict = assess(report, None);
    check(&verdict, Outcome::Reject, FAILED, &["winRate 0.", "is below 0.55"]);
    assert!(verdict.warnings[1].contains("its best trade made"), "{:?}", verdict.warnings);
}

#[test]
fn losing_every_trade_is_rejected() {
    let words = ["winRate 0 is below 0.55", "is above 0.2", "pnlPerTrade -"];
    check(&verdict(&waves(400), -1.0, 0.0), Outcome::Reject, FAILED, &words);
}

#[test]
fn a_total_loss_is_rejected_by_its_drawdown() {
    // The middle of a rise, which it is in.
    let mut closes = waves(205);
    closes.extend([1e-6; 195]);
    check(&verdict(&closes, 1.0, 0.0), Outcome::Reject, FAILED, &["maxDrawdown 1 is above 0.2"]);
}

/// The model's weights file with its last four bytes, a bias, replaced.
fn with_last_weight(model: &ModelRef, value: f32) -> ModelRef {
    let path = model.dir.join(WEIGHTS_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&value.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    ModelRef { sha256: sha256_hex(&bytes), ..model.clone() }
}

#[test]
fn weights_that_are_no_numbers_are_rejected() {
    for value in [f32::NAN, f32::INFINITY] {
        let dir = tempdir().unwrap();
        let model = with_last_weight(&write_model(dir.path(), 1.0, 0.0), value);
        let verdict = assess(evaluate(&model, &dataset(&waves(400))), None);
        check(&verdict, Outcome::Reject, MECHANICAL, &["does not work", "is not finite"]);
    }
}

#[test]
fn weights_that_do_not_answer_the_recorded_probe_are_rejected() {
    let dir = tempdir().unwrap();
    let model = with_last_weight(&write_model(dir.path(), 1.0, 0.0), 0.5);
    let verdict = assess(evaluate(&model, &dataset(&waves(400))), None);
    check(&verdict, Outcome::Reject, MECHANICAL, &["does not work", "probe"]);
}

#[test]
fn a_policy_that_always_fails_is_rejected() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let mut spec = load(dir.path(), &model.sha256).unwrap().spec().clone();
    spec.normaliser.std = vec![1e-38];
    spec.normaliser.clip = f32::MAX;
    let failing = write_spec(dir.path(), &spec, 1e38, 0.0);
    let verdict = assess(evaluate(&failing, &dataset(&waves(400))), None);
    let words = ["does not work", "did not answer at bar", "is not finite"];
    check(&verdict, Outcome::Reject, MECHANICAL, &words);
}

#[test]
fn a_champion_that_no_longer_loads_is_said_and_does_not_keep_a_good_candidate_out() {
    let (dir, data) = (tempdir().unwrap(), dataset(&waves(400)));
    let candidate = write_model(dir.path(), 1.0, 0.0);
    let champion = ModelRef { dir: dir.path().join("gone"), ..candidate.clone() };
    let champion = evaluate(&champion, &data);
    assert!(!champion.mechanical.loads);
    let verdict = assess(evaluate(&candidate, &data), Some(champion));
    check(&verdict, Outcome::Promote, None, &["every threshold holds"]);
    let warning = &verdict.warnings[1];
    assert!(warning.contains("was not compared") && warning.contains("does not exist"), "{warning}");
}
