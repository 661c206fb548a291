//! What a report says beside the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::tempdir;
use walkforward_core::{
    Action, Clock, Dataset, EvaluationReport, Evaluator, Execution, FillRule, MarketCalendar, ModelRef,
    Observation, Policy, PolicyError, PolicySpec, SessionCalendar, StageContext, Timestamp, Window,
};
use walkforward_engine::{SessionConfig, feature_matrix, run_policy};
use walkforward_evaluator::{BacktestEvaluator, REWARD_UP_PNL_DOWN};

use crate::common::{HISTORY, at, context, dataset, waves, window, write_model};

fn evaluate(data: &Dataset, slope: f32, from: usize, session: SessionConfig) -> EvaluationReport {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), slope, 0.0);
    let judged = window(from, data.bars.len());
    BacktestEvaluator::new(session).evaluate(&model, data, judged, &context()).unwrap()
}

#[test]
fn a_report_declares_how_orders_fill() {
    let data = dataset(&waves(100));
    let session = SessionConfig { fee_bps: 7.0, slippage_bps: 3.0, ..SessionConfig::default() };
    let expected = Execution {
        fill: FillRule::NextOpen,
        latency_bars: 1,
        fee_bps: 7.0,
        slippage_bps: 3.0,
        initial_cash: 10_000.0,
    };
    assert_eq!(evaluate(&data, 1.0, 50, session).execution, Some(expected));
    let baselines = BacktestEvaluator::new(session).baselines(&data, window(50, 100), &context()).unwrap();
    assert!(baselines.iter().all(|baseline| baseline.execution == Some(expected)));
}

#[test]
fn the_shares_of_the_actions_add_up() {
    let report = evaluate(&dataset(&waves(400)), 1.0, 200, SessionConfig::default());
    // Ten bars up, ten down.
    assert_eq!(report.action_share, [0.5, 0.5]);
    assert_eq!(report.metrics.exposure, Some(0.5));
    assert!((report.metrics.turnover.unwrap() - 0.1).abs() < 1e-3);
}

#[test]
fn training_bars_are_measured_beside_the_judged_ones() {
    let data = dataset(&waves(400));
    let report = evaluate(&data, 1.0, 200, SessionConfig::default());
    let (inside, outside) = (report.in_sample.unwrap(), report.out_of_sample.unwrap());
    assert_eq!((inside.span, inside.bars), (window(HISTORY, 200), 190));
    assert_eq!((outside.span, outside.bars, outside.trades), (window(200, 400), 200, 10));
    assert!(inside.reward > 0.5 && outside.reward > 0.5);
    assert!((outside.net_pnl_quote / 10_000.0 - report.metrics.total_return.unwrap()).abs() < 1e-9);
    let earlier = evaluate(&data, 1.0, 150, SessionConfig::default()).in_sample.unwrap();
    assert_eq!(earlier.span, window(HISTORY, 150), "no judged bar is in sample");
    let all = evaluate(&data, 1.0, HISTORY, SessionConfig::default());
    assert_eq!(all.in_sample, None);
}

#[test]
fn a_reward_that_costs_eat_is_a_named_warning() {
    // A rise in steps: it is in on every other bar, and pays for each.
    let up: Vec<f64> =
        (0..400).map(|bar| 100.0 * 1.002_f64.powi(bar) * [1.0, 1.003][bar as usize % 2]).collect();
    let report = evaluate(&dataset(&up), -1.0, 200, SessionConfig::default());
    let outside = report.out_of_sample.unwrap();
    assert!(outside.reward > 0.0 && outside.net_pnl_quote < 0.0, "{outside:?}");
    let warning =
        report.warnings.iter().find(|warning| warning.sentence.contains("on the judged bars")).unwrap();
    assert_eq!(warning.name, REWARD_UP_PNL_DOWN);
}

#[test]
fn figures_are_annualised_by_the_calendar() {
    let mut data = dataset(&waves(400));
    let holding = |data: &Dataset| {
        let evaluator = BacktestEvaluator::new(SessionConfig::default());
        evaluator.baselines(data, window(200, 400), &context()).unwrap().swap_remove(1).metrics
    };
    let continuous = holding(&data);
    let day = |index: usize| Window::new(at(24 * index), at(24 * index + 6)).unwrap();
    data.calendar = MarketCalendar::Sessions(SessionCalendar::new((0..40).map(day).collect()).unwrap());
    let per_year = data.calendar.bars_per_year(data.timeframe());
    assert!(per_year < 3_000.0);
    let sessions = holding(&data);
    let ratio = sessions.sharpe.unwrap() / continuous.sharpe.unwrap();
    assert!((ratio - (per_year / 8_760.0).sqrt()).abs() < 1e-9);
    assert_eq!(sessions.max_drawdown, continuous.max_drawdown);
}

#[test]
fn every_figure_of_a_report_is_there_when_it_is_defined() {
    let metrics = evaluate(&dataset(&waves(400)), 1.0, 200, SessionConfig::default()).metrics;
    let json = serde_json::to_value(&metrics).unwrap();
    // Every trade wins, so what needs a loss is undefined.
    let undefined = ["profitFactor", "avgLossQuote", "payoffRatio", "largestLossQuote"];
    for (name, value) in json.as_object().unwrap() {
        assert_eq!(value.is_null(), undefined.contains(&name.as_str()), "{name}: {value}");
    }
}

#[test]
fn two_evaluations_give_the_same_bytes() {
    let data = dataset(&waves(400));
    let bytes = || serde_json::to_vec(&evaluate(&data, 1.0, 200, SessionConfig::default())).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_report_of_an_earlier_version_still_reads() {
    let report = evaluate(&dataset(&waves(100)), 1.0, 50, SessionConfig::default());
    let mut json = serde_json::to_value(&report).unwrap();
    for added in ["execution", "actionShare", "inSample", "outOfSample", "warnings"] {
        json.as_object_mut().unwrap().remove(added).unwrap();
    }
    json["metrics"].as_object_mut().unwrap().remove("cagr").unwrap();
    let read: EvaluationReport = serde_json::from_value(json).unwrap();
    assert_eq!((read.execution, read.warnings, read.metrics.cagr), (None, vec![], None));
    assert_eq!(read.metrics.sharpe, report.metrics.sharpe);
}

/// Moves by a step at each look.
struct SteppingClock(AtomicU64, Duration);

#[async_trait::async_trait]
impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn monotonic(&self) -> Duration {
        self.1 * self.0.fetch_add(1, Ordering::SeqCst) as u32
    }

    async fn sleep_until(&self, _deadline: Timestamp) {}
}

#[test]
fn decisions_beyond_the_latency_budget_are_a_mechanical_problem() {
    let (data, dir) = (dataset(&waves(100)), tempdir().unwrap());
    let model: ModelRef = write_model(dir.path(), 1.0, 0.0);
    let judge = |step_ms: u64, budget_ms: u64| {
        let clock = Arc::new(SteppingClock(AtomicU64::new(0), Duration::from_millis(step_ms)));
        let ctx = StageContext { clock, ..context() };
        let evaluator = BacktestEvaluator::new(SessionConfig::default())
            .with_latency_budget(Duration::from_millis(budget_ms));
        evaluator.evaluate(&model, &data, window(50, 100), &ctx).unwrap()
    };
    // 64 decisions between two looks at the clock.
    let late = judge(64 * 11, 10).mechanical;
    assert!(late.loads && late.varies);
    assert_eq!(late.problems, ["a decision takes more than 10ms, the latency budget"]);
    assert_eq!(judge(64 * 10, 10), judge(0, 10));
    assert!(judge(64 * 10, 10).mechanical.problems.is_empty());
}

/// The same policy, asked one row at a time.
struct OneByOne<'a>(&'a dyn Policy);

impl Policy for OneByOne<'_> {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        self.0.act(observation)
    }

    fn spec(&self) -> &PolicySpec {
        self.0.spec()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_bundle_decides_in_a_backtest_as_it_does_one_bar_at_a_time(
        moves in prop::collection::vec(-0.02..0.02_f64, 120),
        (slope, bias) in (-2.0..2.0_f32, -0.01..0.01_f32),
    ) {
        let mut price = 100.0;
        let closes: Vec<f64> = moves.iter().map(|step| { price *= 1.0 + step; price }).collect();
        let (data, dir) = (dataset(&closes), tempdir().unwrap());
        let model = write_model(dir.path(), slope, bias);
        let policy = walkforward_policy::load(dir.path(), &model.sha256).unwrap();
        prop_assert!(policy.batch_rows() > 1);
        let rows = feature_matrix(&policy.spec().features, &data.bars).unwrap();
        let rows = rows.normalised(&policy.spec().normaliser).unwrap();
        let run = |policy: &dyn Policy| {
            run_policy(policy, &data.bars, &[true; 120], &rows, HISTORY..120, &SessionConfig::default()).unwrap()
        };
        prop_assert_eq!(run(policy.as_ref()), run(&OneByOne(policy.as_ref())));
    }
}
