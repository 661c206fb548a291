//! Metrics and trades against vectors that other implementations computed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use walkforward_stats::{
    ReturnSeries, ReturnSummary, SharpeMoments, StatFill, Trade, TradeSide, TradeSummary, Trials,
    deflated_sharpe, min_track_record_length, probabilistic_sharpe, round_trips,
};

/// Expected value by name; null is undefined.
type Expected = BTreeMap<String, Option<f64>>;

#[derive(Deserialize)]
struct File<T> {
    vectors: Vec<T>,
}

#[derive(Deserialize)]
struct ReturnVector {
    name: String,
    loose: Vec<String>,
    periods_per_year: f64,
    n_trials: usize,
    var_trial_sharpes: f64,
    returns: Vec<f64>,
    expected: Expected,
}

#[derive(Deserialize)]
struct LedgerVector {
    name: String,
    fills: Vec<LedgerFill>,
    expected: Expected,
    trades: Vec<LedgerTrade>,
    open_position: Option<LedgerOpen>,
}

#[derive(Deserialize)]
struct LedgerFill {
    ts: i64,
    side: String,
    qty: String,
    price: String,
    fee: String,
}

#[derive(Deserialize)]
struct LedgerTrade {
    side: String,
    open_ts: i64,
    close_ts: i64,
    qty: f64,
    entry_notional: f64,
    exit_notional: f64,
    gross: f64,
    fees: f64,
    pnl: f64,
    ret: f64,
    n_fills: usize,
}

#[derive(Deserialize)]
struct LedgerOpen {
    side: String,
    qty: f64,
    open_ts: i64,
    fees: f64,
}

/// The vectors of a golden file, none where the folder of shared data is absent.
fn vectors<T: DeserializeOwned>(test: &str, file: &str) -> Vec<T> {
    eprintln!("shared data test: {test}");
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    if !shared.exists() {
        eprintln!("skipped: the folder of shared data is absent");
        return Vec::new();
    }
    let text = std::fs::read_to_string(shared.join("goldens/metrics").join(file)).unwrap();
    let vectors = serde_json::from_str::<File<T>>(&text).unwrap().vectors;
    assert!(!vectors.is_empty());
    vectors
}

fn close(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= (1e-9 * expected.abs()).max(1e-12)
}

fn compare(vector: &str, expected: &Expected, actual: &[(&str, Option<f64>)], skipped: &[String]) {
    for (field, expected) in expected {
        if skipped.contains(field) {
            continue;
        }
        let found = actual.iter().find(|(name, _)| name == field);
        let (_, actual) = found.unwrap_or_else(|| panic!("{vector}: no statistic is named {field}"));
        let agrees = match (actual, expected) {
            (Some(actual), Some(expected)) => close(*actual, *expected),
            (actual, expected) => actual == expected,
        };
        assert!(agrees, "{vector}: {field} is {actual:?}, expected {expected:?}");
    }
}

fn return_fields(s: &ReturnSummary) -> Vec<(&'static str, Option<f64>)> {
    vec![
        ("total_return", s.total_return),
        ("cagr", s.cagr),
        ("mean", s.mean),
        ("volatility", s.volatility),
        ("sharpe_per_period", s.sharpe_per_period),
        ("sharpe", s.sharpe),
        ("downside_deviation", s.downside_deviation),
        ("sortino", s.sortino),
        ("max_drawdown", s.max_drawdown),
        ("max_drawdown_duration", Some(s.max_drawdown_duration as f64)),
        ("calmar", s.calmar),
        ("var_95", s.var_95),
        ("cvar_95", s.cvar_95),
        ("tail_ratio", s.tail_ratio),
        ("win_rate", s.win_rate),
        ("profit_factor", s.profit_factor),
        ("skew", s.skew),
        ("kurtosis", s.kurtosis),
    ]
}

/// The statistics of the Sharpe ratio against a benchmark of 0 and against the trials of `vector`.
fn sharpe_fields(vector: &ReturnVector, summary: &ReturnSummary) -> Vec<(&'static str, Option<f64>)> {
    let moments = SharpeMoments::of(summary);
    let trials = Trials { count: vector.n_trials, sharpe_variance: vector.var_trial_sharpes };
    let deflated = moments.and_then(|moments| deflated_sharpe(&moments, &trials));
    vec![
        ("psr", moments.and_then(|moments| probabilistic_sharpe(&moments, 0.0))),
        ("dsr", deflated.map(|deflated| deflated.probability)),
        ("dsr_benchmark_sharpe", deflated.map(|deflated| deflated.benchmark)),
        ("min_track_record_length", moments.and_then(|moments| min_track_record_length(&moments, 0.0))),
    ]
}

fn trade_fields(s: &TradeSummary) -> Vec<(&'static str, Option<f64>)> {
    let count = |value: usize| Some(value as f64);
    vec![
        ("n_trades", count(s.n_trades)),
        ("n_open", count(s.n_open)),
        ("wins", count(s.wins)),
        ("losses", count(s.losses)),
        ("breakeven", count(s.breakeven)),
        ("win_rate", s.win_rate),
        ("gross_pnl", Some(s.gross_pnl)),
        ("total_fees_closed", Some(s.total_fees_closed)),
        ("net_pnl", Some(s.net_pnl)),
        ("pnl_per_trade", s.pnl_per_trade),
        ("return_per_trade", s.return_per_trade),
        ("avg_win", s.avg_win),
        ("avg_loss", s.avg_loss),
        ("payoff_ratio", s.payoff_ratio),
        ("profit_factor", s.profit_factor),
        ("expectancy", s.expectancy),
        ("max_consecutive_losses", count(s.max_consecutive_losses)),
        ("max_consecutive_wins", count(s.max_consecutive_wins)),
        ("largest_win", s.largest_win),
        ("largest_loss", s.largest_loss),
    ]
}

#[test]
fn return_statistics_agree_with_the_goldens_shared_data() {
    for vector in
        vectors::<ReturnVector>("return_statistics_agree_with_the_goldens_shared_data", "returns.json")
    {
        let series = ReturnSeries::new(&vector.returns, vector.periods_per_year).unwrap();
        let summary = ReturnSummary::of(&series);
        let mut fields = return_fields(&summary);
        fields.extend(sharpe_fields(&vector, &summary));
        assert_eq!(fields.len(), vector.expected.len(), "{}", vector.name);
        compare(&vector.name, &vector.expected, &fields, &vector.loose);
    }
}

/// A decimal text in billionths, exactly.
fn nanos(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

fn fill(raw: &LedgerFill) -> StatFill {
    let sign = if raw.side == "buy" { 1 } else { -1 };
    let (price, fee) = (raw.price.parse().unwrap(), raw.fee.parse().unwrap());
    StatFill::with_quote_fee(raw.ts * 1_000, sign * nanos(&raw.qty), price, fee).unwrap()
}

fn side_name(side: TradeSide) -> &'static str {
    match side {
        TradeSide::Long => "long",
        TradeSide::Short => "short",
    }
}

fn compare_trade(vector: &str, actual: &Trade, expected: &LedgerTrade) {
    assert_eq!(side_name(actual.side), expected.side, "{vector}");
    assert_eq!(actual.open_ms, expected.open_ts * 1_000, "{vector}");
    assert_eq!(actual.close_ms, expected.close_ts * 1_000, "{vector}");
    assert_eq!(actual.n_fills, expected.n_fills, "{vector}");
    let numbers = [
        ("qty", actual.quantity_nanos as f64 / 1e9, expected.qty),
        ("entry_notional", actual.entry_notional, expected.entry_notional),
        ("exit_notional", actual.exit_notional, expected.exit_notional),
        ("gross", actual.gross, expected.gross),
        ("fees", actual.fees, expected.fees),
        ("pnl", actual.pnl, expected.pnl),
        ("ret", actual.return_on_entry, expected.ret),
    ];
    for (field, actual, expected) in numbers {
        assert!(close(actual, expected), "{vector}: {field} is {actual}, expected {expected}");
    }
}

#[test]
fn trade_statistics_agree_with_the_goldens_shared_data() {
    for vector in
        vectors::<LedgerVector>("trade_statistics_agree_with_the_goldens_shared_data", "ledgers.json")
    {
        let fills: Vec<StatFill> = vector.fills.iter().map(fill).collect();
        let trips = round_trips(&fills).unwrap();
        compare(&vector.name, &vector.expected, &trade_fields(&TradeSummary::of(&trips)), &[]);
        assert_eq!(trips.closed.len(), vector.trades.len(), "{}", vector.name);
        for (actual, expected) in trips.closed.iter().zip(&vector.trades) {
            compare_trade(&vector.name, actual, expected);
        }
        let open = trips.open.map(|open| (side_name(open.side).to_owned(), open.open_ms));
        let expected = vector.open_position.as_ref().map(|open| (open.side.clone(), open.open_ts * 1_000));
        assert_eq!(open, expected, "{}", vector.name);
        for (actual, expected) in trips.open.iter().zip(&vector.open_position) {
            assert!(close(actual.quantity_nanos as f64 / 1e9, expected.qty), "{}", vector.name);
            assert!(close(actual.fees, expected.fees), "{}", vector.name);
        }
    }
}
