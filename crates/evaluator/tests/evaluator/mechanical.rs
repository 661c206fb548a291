//! A model that does not work is reported, not an error.

use tempfile::tempdir;
use walkforward_core::{EvaluationReport, Evaluator, FeatureKind, FeatureSpec, Metrics, ModelRef};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::BacktestEvaluator;
use walkforward_policy::{WEIGHTS_FILE, load};

use crate::common::{context, dataset, waves, window, write_model, write_spec};

fn judge(model: &ModelRef) -> EvaluationReport {
    let data = dataset(&waves(60));
    BacktestEvaluator::new(SessionConfig::default())
        .evaluate(model, &data, window(20, 60), &context())
        .unwrap()
}

fn assert_broken(model: &ModelRef, expected: &str) {
    let report = judge(model);
    assert!(!report.mechanical.loads);
    assert!(report.mechanical.problems[0].contains(expected), "{:?}", report.mechanical);
    assert_eq!(report.metrics, Metrics::default());
    assert_eq!(report.judged_span, Some(window(20, 60)));
    assert!(report.net_return.is_empty());
}

#[test]
fn a_model_that_is_not_there_is_reported() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    assert_broken(&ModelRef { dir: dir.path().join("gone"), ..model }, "does not exist");
}

#[test]
fn a_torn_or_foreign_bundle_is_reported() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    assert_broken(&ModelRef { sha256: "00".repeat(32), ..model.clone() }, "SHA-256");
    let path = dir.path().join(WEIGHTS_FILE);
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 1, 8, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert_broken(&model, "SHA-256");
        let sha256 = walkforward_policy::sha256_hex(&bytes[..length]);
        assert_broken(&ModelRef { sha256, ..model.clone() }, WEIGHTS_FILE);
    }
}

#[test]
fn a_policy_for_another_market_is_reported() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let mut spec = load(dir.path(), &model.sha256).unwrap().spec().clone();
    spec.symbol = "ETH/USD".parse().unwrap();
    let model = write_spec(dir.path(), &spec, 1.0, 0.0);
    assert_broken(&model, "made for 1h bars of ETH/USD, the dataset has 1h bars of BTC/USD");
}

#[test]
fn a_policy_whose_output_is_not_finite_is_reported() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let mut spec = load(dir.path(), &model.sha256).unwrap().spec().clone();
    // Probes stay below 2 and finite; on a return the scaled input overflows.
    spec.normaliser.std = vec![1e-38];
    spec.normaliser.clip = f32::MAX;
    let model = write_spec(dir.path(), &spec, 1e38, 0.0);
    assert_broken(&model, "is not finite");
}

#[test]
fn a_policy_that_never_sees_its_features_takes_no_action() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let mut spec = load(dir.path(), &model.sha256).unwrap().spec().clone();
    spec.features = FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![500] }]).unwrap();
    let report = judge(&write_spec(dir.path(), &spec, 1.0, 0.0));
    assert!(report.mechanical.loads && !report.mechanical.varies);
    assert!(report.mechanical.problems[0].contains("more history"), "{:?}", report.mechanical);
    assert_eq!((report.metrics.trades, report.metrics.win_rate), (Some(0), None));
}
