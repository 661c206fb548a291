//! Metrics that a user supplies.

use proptest::prelude::*;
use tempfile::tempdir;
use walkforward_core::{ErrorKind, Evaluator, ModelRef, SuppliedBy};
use walkforward_evaluator::{MAX_SUPPLIED_BYTES, SuppliedMetrics};

use crate::common::{context, dataset, waves, window, write_model};

const GOOD: &str = r#"{"winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#;

fn read(json: &str) -> SuppliedMetrics {
    SuppliedMetrics::from_json("m.json", json.as_bytes()).unwrap()
}

fn refused(json: &str, words: &[&str]) {
    let error = SuppliedMetrics::from_json("m.json", json.as_bytes()).unwrap_err().to_string();
    for word in ["m.json"].iter().chain(words) {
        assert!(error.contains(word), "'{word}' is missing: {error}");
    }
}

#[test]
fn a_file_gives_its_three_numbers_and_its_hash() {
    let supplied = read(GOOD);
    let numbers = (supplied.win_rate(), supplied.max_drawdown(), supplied.pnl_per_trade());
    assert_eq!(numbers, (0.62, 0.12, 0.04));
    assert_eq!(supplied.sha256(), Some(walkforward_policy::sha256_hex(GOOD.as_bytes()).as_str()));
    assert_eq!(supplied.model_id(), None);
}

#[test]
fn other_keys_are_left_alone_and_whole_numbers_are_numbers() {
    let supplied = read(r#" {"note": {"a": [1]}, "winRate": 1, "maxDrawdown": 0, "pnlPerTrade": -2} "#);
    let numbers = (supplied.win_rate(), supplied.max_drawdown(), supplied.pnl_per_trade());
    assert_eq!(numbers, (1.0, 0.0, -2.0));
}

#[test]
fn a_model_id_is_read() {
    let json =
        r#"{"winRate": 1, "maxDrawdown": 0, "pnlPerTrade": 0, "modelId": "model-2024-01-01T00-00-00-000Z"}"#;
    assert_eq!(read(json).model_id().map(|id| id.as_str()), Some("model-2024-01-01T00-00-00-000Z"));
    refused(&json.replace("\"model-", "\"../"), &["modelId"]);
    refused(&json.replace("\"model-2024-01-01T00-00-00-000Z\"", "7"), &["modelId", "7"]);
}

#[test]
fn an_empty_or_truncated_file_is_refused() {
    refused("", &["is empty"]);
    refused(" \n", &["is empty"]);
    for length in 1..GOOD.len() {
        refused(&GOOD[..length], &["no JSON object"]);
    }
    refused(&format!("{GOOD} x"), &["no JSON object"]);
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["[0.6, 0.1, 0.04]", "0.6", "\"0.6\"", "null", "\u{feff}{}"] {
        refused(json, &["no JSON object"]);
    }
}

#[test]
fn nan_and_infinity_are_refused() {
    for literal in ["NaN", "Infinity", "-Infinity", "nan", "inf", "1e999"] {
        refused(&GOOD.replace("0.62", literal), &["no JSON object"]);
        refused(&GOOD.replace("0.04", literal), &["no JSON object"]);
    }
}

#[test]
fn a_missing_key_is_named() {
    for key in ["winRate", "maxDrawdown", "pnlPerTrade"] {
        refused(&GOOD.replace(key, "other"), &[key, "expected"]);
    }
    refused("{}", &["winRate"]);
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    refused(&GOOD.replace('{', r#"{"winRate": 0.1, "#), &["winRate twice"]);
}

#[test]
fn what_is_no_number_is_refused_by_key() {
    for wrong in ["\"0.62\"", "null", "true", "[0.62]", "{}"] {
        refused(&GOOD.replace("0.62", wrong), &["winRate", wrong, "number from 0 to 1"]);
        refused(&GOOD.replace("0.04", wrong), &["pnlPerTrade", wrong, "finite number"]);
    }
}

#[test]
fn a_share_outside_its_range_is_refused() {
    refused(&GOOD.replace("0.62", "1.01"), &["winRate", "1.01", "0 to 1"]);
    refused(&GOOD.replace("0.62", "-0.1"), &["winRate", "-0.1"]);
    refused(&GOOD.replace("0.12", "12"), &["maxDrawdown", "12"]);
}

#[test]
fn a_file_beyond_every_metrics_file_is_refused() {
    refused(&format!("{GOOD}{}", " ".repeat(MAX_SUPPLIED_BYTES)), &["at most 1048576"]);
}

#[test]
fn values_that_are_absent_promise_nothing() {
    let given = |win_rate, max_drawdown, pnl| {
        let supplied = SuppliedMetrics::from_values(win_rate, max_drawdown, pnl).unwrap()?;
        Some((supplied.win_rate(), supplied.max_drawdown(), supplied.pnl_per_trade()))
    };
    assert_eq!(given(None, None, None), None);
    assert_eq!(given(Some(0.6), None, None), Some((0.6, 1.0, 0.0)));
    assert_eq!(given(None, Some(0.1), None), Some((0.0, 0.1, 0.0)));
    assert_eq!(given(None, None, Some(0.02)), Some((0.0, 1.0, 0.02)));
}

#[test]
fn values_out_of_range_are_refused_by_variable() {
    let refused = |win_rate, drawdown, pnl, name: &str| {
        let error = SuppliedMetrics::from_values(win_rate, drawdown, pnl).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    };
    refused(Some(f64::NAN), None, None, "EVAL_WIN_RATE");
    refused(Some(1.5), None, None, "EVAL_WIN_RATE");
    refused(None, Some(-0.1), None, "EVAL_MAX_DRAWDOWN");
    refused(None, None, Some(f64::INFINITY), "EVAL_PNL_PER_TRADE");
}

#[test]
fn supplied_metrics_stand_for_a_model_that_loads() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let data = dataset(&waves(60));
    let judge = |model: &ModelRef| read(GOOD).evaluate(model, &data, window(20, 60), &context()).unwrap();
    let report = judge(&model);
    assert!(report.mechanical.loads && report.mechanical.varies);
    assert_eq!((report.judged_span, report.net_return.len(), report.fills.len()), (None, 0, 0));
    let metrics = report.metrics;
    let numbers = (metrics.win_rate, metrics.max_drawdown, metrics.pnl_per_trade, metrics.trades);
    assert_eq!(numbers, (Some(0.62), Some(0.12), Some(0.04), None));
    assert!(matches!(report.supplied_by, SuppliedBy::File { ref path, .. } if path == "m.json"));

    let gone = judge(&ModelRef { dir: dir.path().join("gone"), ..model });
    assert!(!gone.mechanical.loads && gone.mechanical.problems.len() == 1);
    assert_eq!(gone.metrics.win_rate, None);
}

#[test]
fn metrics_of_another_model_are_refused() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let data = dataset(&waves(60));
    let judge = |run: &str| {
        let json = GOOD.replace('{', &format!(r#"{{"modelId": "model-{run}", "#));
        read(&json).evaluate(&model, &data, window(20, 60), &context())
    };
    assert!(judge("2024-01-01T00-00-00-000Z").is_ok());
    let error = judge("2025-01-01T00-00-00-000Z").unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput);
    assert!(error.to_string().contains("m.json holds metrics of model-2025"), "{error}");
}

#[test]
fn a_request_to_stop_is_heard_with_supplied_metrics_too() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let (data, ctx) = (dataset(&waves(60)), context());
    ctx.cancel.cancel();
    let error = read(GOOD).evaluate(&model, &data, window(20, 60), &ctx).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

proptest! {
    #[test]
    fn any_bytes_are_metrics_or_an_error_and_never_out_of_range(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(supplied) = SuppliedMetrics::from_json("m.json", &bytes) {
            prop_assert!((0.0..=1.0).contains(&supplied.win_rate()));
        }
    }

    #[test]
    fn numbers_read_back_to_the_bit(win_rate in 0.0..=1.0_f64, drawdown in 0.0..=1.0_f64, pnl in any::<f64>()) {
        prop_assume!(pnl.is_finite());
        let json = serde_json::json!({"winRate": win_rate, "maxDrawdown": drawdown, "pnlPerTrade": pnl});
        let supplied = read(&json.to_string());
        prop_assert_eq!(supplied.win_rate().to_bits(), win_rate.to_bits());
        prop_assert_eq!(supplied.max_drawdown().to_bits(), drawdown.to_bits());
        prop_assert_eq!(supplied.pnl_per_trade().to_bits(), pnl.to_bits());
    }
}
