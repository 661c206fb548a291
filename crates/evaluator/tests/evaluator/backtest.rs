//! What the backtest measures.

use proptest::prelude::*;
use tempfile::tempdir;
use walkforward_core::{Dataset, ErrorKind, EvaluationReport, Evaluator, GapKind, Side};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::{BUY_AND_HOLD, BacktestEvaluator, FLAT};

use crate::common::{HISTORY, at, context, dataset, waves, window, write_model};

const FREE: SessionConfig = SessionConfig {
    initial_cash: 10_000.0,
    fee_bps: 0.0,
    slippage_bps: 0.0,
    risk: walkforward_core::RiskLimits { max_order_notional: None },
    market: walkforward_core::MarketRules::LONG_ONLY,
    max_bars_in_position: None,
};

/// Follows the last return with `slope`, judged on the bars from `from` to the end.
fn judge(data: &Dataset, slope: f32, bias: f32, from: usize, config: SessionConfig) -> EvaluationReport {
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), slope, bias);
    let judged = window(from, data.bars.len());
    BacktestEvaluator::new(config).evaluate(&model, data, judged, &context()).unwrap()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn following_a_trend_wins_every_wave() {
    let data = dataset(&waves(400));
    let report = judge(&data, 1.0, 0.0, 200, SessionConfig::default());
    let metrics = &report.metrics;
    assert_eq!(report.subject, "model-2024-01-01T00-00-00-000Z");
    assert!(report.mechanical.loads && report.mechanical.varies && report.mechanical.problems.is_empty());
    assert_eq!((metrics.trades, metrics.win_rate), (Some(10), Some(1.0)), "{metrics:?}");
    assert!(metrics.pnl_per_trade.unwrap() > 0.05 && metrics.total_return.unwrap() > 0.5);
    assert_eq!(metrics.profit_factor, None, "there is no loss");
    assert_eq!(metrics.bars, Some(200));
}

#[test]
fn following_it_the_wrong_way_loses_every_trade() {
    let data = dataset(&waves(400));
    let metrics = judge(&data, -1.0, 0.0, 200, SessionConfig::default()).metrics;
    assert_eq!((metrics.win_rate, metrics.profit_factor), (Some(0.0), Some(0.0)));
    assert!(metrics.pnl_per_trade.unwrap() < 0.0 && metrics.pnl_per_trade_quote.unwrap() < 0.0);
    assert!(metrics.max_drawdown.unwrap() > 0.3);
}

#[test]
fn one_trade_is_measured_to_the_last_digit() {
    // Ten bars up from 100, ten down: in at the open after the first rise, out at the open after the first fall.
    let data = dataset(&waves(HISTORY + 30));
    let report = judge(&data, 1.0, 0.0, 20, FREE);
    let entry = data.bars.opens()[21];
    let exit = data.bars.opens()[31];
    let trade = &report.trades[0];
    assert_eq!((report.trades.len(), report.metrics.open_trades), (1, Some(0)));
    assert_eq!((trade.opened_at, trade.closed_at), (at(21), at(31)));
    assert!(near(trade.return_on_entry, exit / entry - 1.0), "{trade:?}");
    assert!(near(report.metrics.pnl_per_trade.unwrap(), exit / entry - 1.0));
    assert!((report.metrics.total_return.unwrap() - (exit / entry - 1.0)).abs() < 1e-8);
    assert_eq!(report.metrics.exposure, Some(10.0 / 20.0));
}

#[test]
fn profits_of_closed_trades_are_what_the_equity_gained() {
    let data = dataset(&waves(400));
    let report = judge(&data, 1.0, 0.0, 200, SessionConfig::default());
    assert_eq!(report.metrics.open_trades, Some(0));
    let profits: f64 = report.trades.iter().map(|trade| trade.pnl).sum();
    let gained = report.metrics.total_return.unwrap() * 10_000.0;
    assert!((profits - gained).abs() < 1e-6, "{profits} {gained}");
    let product: f64 = report.net_return.iter().map(|value| 1.0 + value).product();
    assert!(near(product - 1.0, report.metrics.total_return.unwrap()));
    let fees: f64 = report.fills.iter().map(|fill| fill.fee_in_quote()).sum();
    assert!((fees - report.metrics.fees_quote.unwrap()).abs() < 1e-9);
}

#[test]
fn a_policy_that_stays_flat_has_no_trade_and_no_win_rate() {
    let report = judge(&dataset(&waves(100)), 0.0, -1.0, 50, SessionConfig::default());
    let metrics = &report.metrics;
    assert_eq!((metrics.trades, metrics.win_rate, metrics.pnl_per_trade), (Some(0), None, None));
    assert_eq!((metrics.max_drawdown, metrics.exposure, metrics.turnover), (Some(0.0), Some(0.0), Some(0.0)));
    assert!(report.mechanical.loads && !report.mechanical.varies);
    assert!(report.mechanical.problems[0].contains("action 0 at each of its 50 decisions"));
}

#[test]
fn a_crash_to_almost_nothing_is_a_drawdown_of_almost_one() {
    let mut closes = waves(40);
    closes.extend([1e-6; 20]);
    let report = judge(&dataset(&closes), 0.0, 1.0, 20, SessionConfig::default());
    assert!(report.metrics.max_drawdown.unwrap() > 0.999_999);
    assert!(report.metrics.total_return.unwrap() >= -1.0);
    assert_eq!((report.metrics.win_rate, report.metrics.open_trades), (None, Some(1)));
}

#[test]
fn the_first_judged_bar_decides_with_the_history_before_it() {
    let report = judge(&dataset(&waves(60)), 1.0, 0.0, 20, FREE);
    assert_eq!(report.bar_close[0], at(21));
    assert_eq!((report.position[0], report.net_return[0]), (0.0, 0.0));
    assert_eq!((report.fills[0].time, report.fills[0].side), (at(21), Side::Buy));
}

#[test]
fn no_order_fills_on_a_bar_that_is_not_there() {
    let mut data = dataset(&waves(60));
    data.gap_kinds[21] = GapKind::Missing;
    let report = judge(&data, 1.0, 0.0, 20, FREE);
    assert_eq!(report.fills[0].time, at(22));
}

#[test]
fn a_span_without_bars_is_bad_input() {
    let data = dataset(&waves(60));
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    let judged = window(60, 70);
    let evaluator = BacktestEvaluator::new(FREE);
    let error = evaluator.evaluate(&model, &data, judged, &context()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput);
    assert!(error.to_string().contains("no bar of the dataset"), "{error}");
    assert_eq!(evaluator.baselines(&data, judged, &context()).unwrap_err().kind, ErrorKind::BadInput);
}

#[test]
fn impossible_costs_are_bad_input() {
    let data = dataset(&waves(60));
    let evaluator = BacktestEvaluator::new(SessionConfig { fee_bps: -1.0, ..FREE });
    let error = evaluator.baselines(&data, window(20, 60), &context()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput);
    assert!(error.to_string().contains("fee_bps"), "{error}");
}

#[test]
fn a_request_to_stop_is_an_error_of_its_kind() {
    let (data, ctx) = (dataset(&waves(60)), context());
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.0);
    ctx.cancel.cancel();
    let evaluator = BacktestEvaluator::new(FREE);
    let judged = window(20, 60);
    assert_eq!(evaluator.evaluate(&model, &data, judged, &ctx).unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(evaluator.baselines(&data, judged, &ctx).unwrap_err().kind, ErrorKind::Cancelled);
}

#[test]
fn baselines_do_nothing_and_hold() {
    let data = dataset(&waves(60));
    let reports = BacktestEvaluator::new(FREE).baselines(&data, window(20, 60), &context()).unwrap();
    let names: Vec<&str> = reports.iter().map(|report| report.subject.as_str()).collect();
    assert_eq!(names, [FLAT, BUY_AND_HOLD]);
    let (flat, hold) = (&reports[0].metrics, &reports[1].metrics);
    assert_eq!((flat.total_return, flat.trades, flat.exposure), (Some(0.0), Some(0), Some(0.0)));
    let expected = data.bars.closes()[59] / data.bars.opens()[21] - 1.0;
    assert!((hold.total_return.unwrap() - expected).abs() < 1e-8);
    assert_eq!((hold.open_trades, hold.trades, reports[1].fills.len()), (Some(1), Some(0), 1));
    assert_eq!(reports[0].judged_span, Some(window(20, 60)));
}

#[test]
fn two_evaluations_give_equal_reports() {
    let data = dataset(&waves(400));
    let dir = tempdir().unwrap();
    let model = write_model(dir.path(), 1.0, 0.001);
    let evaluator = BacktestEvaluator::new(SessionConfig::default());
    let once = || evaluator.evaluate(&model, &data, window(200, 400), &context()).unwrap();
    assert_eq!(once(), once());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn bars_that_are_still_to_come_change_nothing(
        moves in prop::collection::vec(-0.05..0.05_f64, 60),
        other in prop::collection::vec(-0.05..0.05_f64, 20),
    ) {
        let closes = |moves: &[f64]| -> Vec<f64> {
            let mut price = 100.0;
            moves.iter().map(|step| { price *= 1.0 + step; price }).collect()
        };
        let changed: Vec<f64> = moves[..40].iter().chain(&other).copied().collect();
        let seen = |moves: &[f64]| judge(&dataset(&closes(moves)), 1.0, 0.0, 20, SessionConfig::default());
        let (first, second) = (seen(&moves), seen(&changed));
        prop_assert_eq!(&first.net_return[..20], &second.net_return[..20]);
        prop_assert_eq!(&first.position[..20], &second.position[..20]);
    }
}
