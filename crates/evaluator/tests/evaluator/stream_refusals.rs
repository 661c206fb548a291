//! Streams that can't go on: what is wrong with the request is an error, what is wrong with the model is said.

use serde_json::{Value, json};
use tempfile::tempdir;
use walkforward_core::{
    ActionMap, Continued, Dataset, ErrorKind, Evaluator, MarketRules, ModelRef, StreamRequest,
};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::{BacktestEvaluator, SuppliedMetrics};
use walkforward_policy::load;

use crate::common::{at, context, dataset, waves, window, write_linear, write_model, write_spec};

/// What became of the bars `from` to `to` of 200 bars of waves.
fn ask(
    config: SessionConfig,
    model: Option<&ModelRef>,
    (from, to): (usize, usize),
    session: Option<&Value>,
) -> Result<Continued, walkforward_core::StageError> {
    let data = dataset(&waves(200));
    let request = StreamRequest { model, dataset: &data, span: window(from, to), session };
    BacktestEvaluator::new(config).continue_stream(&request, &context())
}

fn refused(model: Option<&ModelRef>, span: (usize, usize), session: Option<&Value>) -> String {
    let error = ask(SessionConfig::default(), model, span, session).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput, "{error}");
    error.to_string()
}

fn broken(model: &ModelRef) -> String {
    match ask(SessionConfig::default(), Some(model), (100, 110), None).unwrap() {
        Continued::Broken(problem) => problem,
        other => panic!("{other:?}"),
    }
}

/// How the bars 100 to 110 end for a model that is in when prices rise.
fn session() -> Value {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    match ask(SessionConfig::default(), Some(&model), (100, 110), None).unwrap() {
        Continued::Scored(stretch) => stretch.session,
        other => panic!("{other:?}"),
    }
}

fn contains(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "'{word}' is missing: {text}");
    }
}

#[test]
fn a_span_outside_the_dataset_is_refused() {
    contains(&refused(None, (150, 201), None), &["the dataset has bars from 2024-01-01", "to go on from"]);
    contains(&refused(None, (200, 210), None), &["the dataset has bars from 2024-01-01"]);
    let mut data = dataset(&waves(200));
    data.bars = data.bars.slice(10..200);
    data.gap_kinds.drain(..10);
    let request = StreamRequest { model: None, dataset: &data, span: window(5, 20), session: None };
    let error = BacktestEvaluator::new(SessionConfig::default()).continue_stream(&request, &context());
    contains(&error.unwrap_err().to_string(), &["to go on from 2024-01-01T05:00:00"]);
}

#[test]
fn a_span_before_the_features_have_their_history_is_refused() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let words = ["need 2 bars before 2024-01-01T00:00:00", "has 0", "begin the dataset earlier"];
    contains(&refused(Some(&model), (23, 50), None), &words);
    assert!(matches!(
        ask(SessionConfig::default(), Some(&model), (24, 50), None),
        Ok(Continued::Scored(stretch)) if stretch.net_return.len() == 26
    ));
}

#[test]
fn a_model_does_not_score_bars_that_it_has_seen() {
    let dir = tempdir().unwrap();
    let seen = ModelRef { lineage_until: at(101), ..write_model(dir.path(), 1.0, 0.0) };
    contains(&refused(Some(&seen), (100, 110), None), &["has seen bars up to 2024-01-05T05:00:00"]);
    assert!(ask(SessionConfig::default(), Some(&seen), (101, 110), None).is_ok());
}

#[test]
fn a_bar_is_scored_once_and_after_the_one_before_it() {
    let session = session();
    for (from, to) in [(109, 120), (111, 120), (100, 110)] {
        let words = ["can't be taken up: it ended at 2024-01-05T14:00:00", "score each bar once"];
        contains(&refused(None, (from, to), Some(&session)), &words);
    }
    assert!(ask(SessionConfig::default(), None, (110, 120), Some(&session)).is_ok());
}

#[test]
fn a_night_between_two_bars_is_no_gap() {
    let day_and_night = dataset(&waves(48));
    let (mut bars, is_day) = (day_and_night.bars.slice(0..0), |hour: i64| (14..21).contains(&(hour % 24)));
    for bar in day_and_night.bars.iter().filter(|bar| is_day(bar.open_time().as_millis() / 3_600_000)) {
        bars.push(bar).unwrap();
    }
    let data = Dataset { gap_kinds: vec![day_and_night.gap_kinds[0]; bars.len()], bars, ..day_and_night };
    let go_on = |from, to, session: Option<&Value>| {
        let request = StreamRequest { model: None, dataset: &data, span: window(from, to), session };
        BacktestEvaluator::new(SessionConfig::default()).continue_stream(&request, &context())
    };
    let Continued::Scored(first) = go_on(14, 21, None).unwrap() else { panic!("it needs no model") };
    assert!(go_on(38, 45, Some(&first.session)).is_ok());
    let error = go_on(39, 45, Some(&first.session)).unwrap_err().to_string();
    contains(&error, &["it ended at 2024-01-01T21:00:00", "opens at 2024-01-02T15:00:00"]);
}

#[test]
fn a_session_of_another_market_is_refused() {
    let session = session();
    let changed = |path: &str, value: Value| {
        let mut session = session.clone();
        *session.pointer_mut(path).unwrap() = value;
        refused(None, (110, 120), Some(&session))
    };
    contains(&changed("/symbol", json!("ETH/USD")), &["1h bars of ETH/USD", "1h bars of BTC/USD"]);
    contains(&changed("/timeframe", json!("4h")), &["4h bars of BTC/USD"]);
    contains(&changed("/session/cash", json!(1e9)), &["can't be taken up: the session's equity"]);
    contains(&changed("/session/market/shorting", json!(true)), &["market was put away as with shorting"]);
    contains(&changed("/session/mark", json!(null)), &["can't be taken up", "null"]);
    contains(&refused(None, (110, 120), Some(&json!({}))), &["missing field"]);
    let short = SessionConfig { market: MarketRules::SHORTING, ..Default::default() };
    let error = ask(short, None, (110, 120), Some(&session)).unwrap_err().to_string();
    contains(&error, &["market was put away as without shorting: expected with shorting"]);
}

#[test]
fn a_model_that_does_not_load_is_said_and_nothing_is_scored() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    contains(&broken(&ModelRef { dir: dir.path().join("gone"), ..model.clone() }), &["does not exist"]);
    contains(&broken(&ModelRef { sha256: "00".repeat(32), ..model.clone() }), &["policy.safetensors"]);
    let spec = load(&model.dir, &model.sha256).unwrap().spec().clone();
    let mut other = spec.clone();
    other.symbol = "ETH/USD".parse().unwrap();
    contains(&broken(&write_spec(dir.path(), &other, 1.0, 0.0)), &["made for 1h bars of ETH/USD"]);
    let mut short = spec;
    short.actions = ActionMap::ShortFlatLong;
    short.network = walkforward_core::NetworkSpec::Mlp {
        inputs: 3,
        hidden: vec![],
        outputs: 3,
        activation: walkforward_core::Activation::Tanh,
    };
    let short = write_linear(dir.path(), &short, vec![0.5; 9], vec![0.0; 3]);
    contains(&broken(&short), &["short positions"]);
}

/// A model that answers as long as its feature is small, and the spec it was made of.
fn failing_on_large_moves(dir: &std::path::Path) -> ModelRef {
    let model = write_model(dir, 1.0, 0.0);
    let mut spec = load(&model.dir, &model.sha256).unwrap().spec().clone();
    // A step of 5 % is normalised to more than a float can hold once it is weighed.
    spec.normaliser.mean = vec![0.0];
    spec.normaliser.std = vec![1e-20];
    spec.normaliser.clip = f32::MAX;
    write_spec(dir, &spec, 1e20, 0.0)
}

#[test]
fn the_bars_before_one_without_an_answer_are_scored_as_if_it_had_not_come() {
    let dir = tempdir().unwrap();
    let model = failing_on_large_moves(dir.path());
    let mut closes = vec![100.0; 200];
    for (bar, close) in closes.iter_mut().enumerate().skip(150) {
        *close = if bar < 157 { 100.0 } else { 105.0 };
    }
    let data = dataset(&closes);
    let go_on = |from, to, session: Option<&Value>| {
        let request = StreamRequest { model: Some(&model), dataset: &data, span: window(from, to), session };
        BacktestEvaluator::new(SessionConfig::default()).continue_stream(&request, &context()).unwrap()
    };
    let Continued::Silent { scored: Some(whole), problem } = go_on(100, 180, None) else {
        panic!("it answers everything")
    };
    contains(&problem, &["did not answer at the bar of 2024-01-07T13:00:00", "is not finite"]);
    let Continued::Scored(cut) = go_on(100, 157, None) else { panic!("it does not answer before") };
    assert_eq!(whole, cut);
    let Continued::Silent { scored: None, problem: again } = go_on(157, 180, Some(&whole.session)) else {
        panic!("it answers the first")
    };
    assert_eq!(again, problem);
    assert!(matches!(go_on(158, 180, None), Continued::Scored(rest) if rest.bar_close.len() == 22));
}

#[test]
fn a_model_that_the_system_does_not_let_be_read_is_not_called_broken() {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    // A link to itself stands for what is there and can't be read, whoever runs the test.
    let file = model.dir.join("policy.safetensors");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&file, &file).unwrap();
    let error = ask(SessionConfig::default(), Some(&model), (100, 110), None).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retry);
    contains(&error.to_string(), &[model.id.as_str(), "policy.safetensors", "check its permissions"]);
    let evaluator = BacktestEvaluator::new(SessionConfig::default());
    let error = evaluator.evaluate(&model, &dataset(&waves(200)), window(100, 110), &context()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retry);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    contains(&broken(&model), &["no regular file"]);
}

#[test]
fn a_request_to_stop_is_an_error_of_its_kind() {
    let (data, ctx) = (dataset(&waves(60)), context());
    ctx.cancel.cancel();
    let request = StreamRequest { model: None, dataset: &data, span: window(20, 60), session: None };
    let error = BacktestEvaluator::new(SessionConfig::default()).continue_stream(&request, &ctx).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn supplied_metrics_keep_no_streams() {
    let json = br#"{"winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#;
    let supplied = SuppliedMetrics::from_json("metrics.json", json).unwrap();
    let data = dataset(&waves(60));
    let request = StreamRequest { model: None, dataset: &data, span: window(20, 60), session: None };
    let error = supplied.continue_stream(&request, &context()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput);
    contains(&error.to_string(), &["keeps no streams"]);
}
