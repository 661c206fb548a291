//! The synthetic market: the same bars whatever is asked, and an edge that is really there, or really not.

use proptest::prelude::*;
use walkforward_core::{Bar, BarFeed, BarRequest, BarSeries, Timeframe, Timestamp};
use walkforward_etl::{SyntheticFeed, SyntheticSource};

const HOLDOUT_BARS: usize = 336;
const YEAR_BARS: usize = 8_760;

fn hour() -> Timeframe {
    "1h".parse().unwrap()
}

fn bars(source: SyntheticSource, as_of: &str, bars: usize) -> BarSeries {
    let as_of = Some(as_of.parse().unwrap());
    let request =
        BarRequest { timeframe: Some(hour()), as_of, ..BarRequest::new("BTC/USD".parse().unwrap(), bars) };
    source.read(&request).unwrap().bars
}

/// What a long/flat rule makes of `bars`: decided at the close, filled at the next open with 25 bps fee and 5 bps
/// slippage each way. Written without the engine, so that it can disagree with it.
struct Backtest {
    /// Mean over standard deviation of the hourly returns, times the root of the hours in a year.
    sharpe: f64,
    max_drawdown: f64,
    trade_returns: Vec<f64>,
}

impl Backtest {
    fn win_rate(&self) -> f64 {
        self.trade_returns.iter().filter(|&&made| made > 0.0).count() as f64 / self.trade_returns.len() as f64
    }
}

fn backtest(bars: &BarSeries, wants_long: fn(&[f64]) -> bool) -> Backtest {
    let (mut cash, mut held, mut paid, mut is_wanted) = (10_000.0, 0.0, 0.0, false);
    let (mut equity, mut trade_returns) = (vec![cash], Vec::new());
    for (at, bar) in bars.iter().enumerate() {
        if is_wanted && held == 0.0 {
            (paid, held, cash) = (cash, cash * (1.0 - 0.0025) / (bar.open() * 1.0005), 0.0);
        } else if !is_wanted && held > 0.0 {
            (cash, held) = (held * bar.open() * 0.9995 * (1.0 - 0.0025), 0.0);
            trade_returns.push(cash / paid - 1.0);
        }
        equity.push(cash + held * bar.close());
        is_wanted = wants_long(&bars.closes()[..=at]);
    }
    let returns: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    let variance = returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / returns.len() as f64;
    let mut peak = f64::MIN;
    let drawdowns = equity.iter().map(|&now| {
        peak = peak.max(now);
        1.0 - now / peak
    });
    let max_drawdown = drawdowns.fold(0.0, f64::max);
    Backtest { sharpe: mean / variance.sqrt() * 8_760_f64.sqrt(), max_drawdown, trade_returns }
}

fn above_sma_20(closes: &[f64]) -> bool {
    closes.len() >= 20 && closes[closes.len() - 1] > closes[closes.len() - 20..].iter().sum::<f64>() / 20.0
}

fn above_12_bars_ago(closes: &[f64]) -> bool {
    closes.len() > 12 && closes[closes.len() - 1] > closes[closes.len() - 13]
}

#[test]
fn trend_rules_earn_the_documented_edge_over_a_year() {
    for seed in 0..8 {
        let year = bars(SyntheticSource::new(seed), "2024-01-01", YEAR_BARS);
        for rule in [above_sma_20, above_12_bars_ago] {
            let made = backtest(&year, rule);
            let win_rate = made.win_rate();
            println!(
                "seed {seed}: sharpe {:.1}, wins {win_rate:.2}, dd {:.3}",
                made.sharpe, made.max_drawdown
            );
            assert!(made.sharpe > 20.0, "seed {seed}: sharpe {}", made.sharpe);
            assert!(win_rate > 0.7, "seed {seed}: win rate {win_rate}");
            assert!(made.max_drawdown < 0.1, "seed {seed}: drawdown {}", made.max_drawdown);
        }
    }
}

#[test]
fn a_stretch_as_long_as_a_hold_out_normally_shows_the_edge() {
    let (mut sharpes, mut drawdowns, mut weak_wins) = (Vec::new(), Vec::new(), 0);
    for seed in 0..4 {
        let all = bars(SyntheticSource::new(seed), "2024-01-01", 3 * YEAR_BARS);
        for start in (0..all.len() - HOLDOUT_BARS).step_by(HOLDOUT_BARS) {
            let made = backtest(&all.slice(start..start + HOLDOUT_BARS), above_sma_20);
            weak_wins += usize::from(made.win_rate() < 0.55);
            sharpes.push(made.sharpe);
            drawdowns.push(made.max_drawdown);
        }
    }
    sharpes.sort_by(f64::total_cmp);
    let (lowest, median) = (sharpes[0], sharpes[sharpes.len() / 2]);
    let deepest = drawdowns.iter().copied().fold(0.0, f64::max);
    let few = sharpes.len() / 5;
    println!("{} stretches: lowest {lowest:.1}, median {median:.1}, deepest {deepest:.3}", sharpes.len());
    println!("{weak_wins} with a win rate below 0.55");
    assert!(median > 20.0 && sharpes[sharpes.len() / 50] > 10.0, "lowest {lowest}, median {median}");
    assert!(deepest < 0.1, "{deepest}");
    assert!(weak_wins < few, "{weak_wins} of {}", sharpes.len());
}

#[test]
fn without_edge_trend_rules_lose_their_costs() {
    for seed in 0..4 {
        let year = bars(SyntheticSource::without_edge(seed), "2024-01-01", YEAR_BARS);
        let made = backtest(&year, above_sma_20);
        assert!(made.sharpe < 0.0, "seed {seed}: sharpe {}", made.sharpe);
        let returns: Vec<f64> = year.closes().windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let product: f64 = returns.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let square: f64 = returns.iter().map(|r| r * r).sum();
        assert!((product / square).abs() < 0.04, "seed {seed}: autocorrelation {}", product / square);
    }
}

#[test]
fn ten_years_of_hours_stay_in_a_sane_range() {
    for seed in 0..4 {
        let all = bars(SyntheticSource::new(seed), "2030-01-01", 10 * YEAR_BARS);
        let highest = all.highs().iter().copied().fold(f64::MIN, f64::max);
        let lowest = all.lows().iter().copied().fold(f64::MAX, f64::min);
        println!("seed {seed}: {lowest} to {highest}");
        assert!(lowest > 10_000.0 && highest < 90_000.0, "seed {seed}: {lowest} to {highest}");
    }
}

#[test]
fn years_of_minutes_without_edge_stay_in_a_sane_range() {
    let timeframe = Some("1m".parse().unwrap());
    let request = BarRequest { timeframe, ..BarRequest::new("BTC/USD".parse().unwrap(), 500_000) };
    let all = SyntheticSource::without_edge(3).read(&request).unwrap().bars;
    assert!(all.lows().iter().all(|&low| low > 1_000.0) && all.highs().iter().all(|&high| high < 500_000.0));
}

#[test]
fn gaps_are_there_and_stay_well_below_two_per_cent() {
    for seed in 0..4 {
        let year = bars(SyntheticSource::new(seed), "2024-01-01", YEAR_BARS);
        let missing = YEAR_BARS + 12 - year.len().min(YEAR_BARS);
        let longest =
            year.open_times().windows(2).map(|pair| pair[1].millis_since(pair[0]) / 3_600_000).max();
        assert!((20..140).contains(&missing), "seed {seed}: {missing} missing");
        assert!(longest.is_some_and(|hours| (4..40).contains(&hours)), "seed {seed}: {longest:?}");
    }
}

#[test]
fn an_open_lies_near_the_close_before_it() {
    let year = bars(SyntheticSource::new(5), "2024-01-01", YEAR_BARS);
    let pairs = year.iter().zip(year.iter().skip(1));
    for (before, bar) in pairs.filter(|(a, b)| b.open_time().millis_since(a.open_time()) == 3_600_000) {
        assert!((bar.open() / before.close() - 1.0).abs() < 0.001);
        assert!(bar.volume() > 0.0);
    }
}

#[tokio::test]
async fn a_feed_gives_the_bars_of_the_source() {
    let source = SyntheticSource::new(9);
    let expected = bars(source, "2020-03-01", 400);
    let start = expected.open_times()[17];
    let end: Timestamp = "2020-03-01T00:30:00Z".parse().unwrap();
    let mut feed = SyntheticFeed::new(&source, hour(), start, Some(end));
    let mut given: Vec<Bar> = Vec::new();
    while let Some(bar) = feed.next_bar().await.unwrap() {
        given.push(bar);
    }
    assert_eq!(given, expected.iter().skip(17).collect::<Vec<_>>());
    assert_eq!(feed.next_bar().await.unwrap(), None, "an ended feed stays ended");
}

#[tokio::test]
async fn an_endless_feed_begins_at_the_origin_at_the_earliest() {
    let mut feed = SyntheticFeed::new(&SyntheticSource::new(9), hour(), "1999-01-01".parse().unwrap(), None);
    let first = feed.next_bar().await.unwrap().unwrap();
    assert_eq!(first.open_time(), SyntheticSource::origin(hour()));
    assert_eq!(first.open_time().to_string(), "2020-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn requests_beyond_the_market_are_refused() {
    let source = SyntheticSource::new(0);
    let ask = |timeframe: &str, as_of: &str| {
        let (timeframe, as_of) = (Some(timeframe.parse().unwrap()), Some(as_of.parse().unwrap()));
        let request = BarRequest { timeframe, as_of, ..BarRequest::new("BTC/USD".parse().unwrap(), 10) };
        source.read(&request).unwrap_err().to_string()
    };
    assert!(ask("1h", "2020-01-01T00:59:00Z").contains("the first one closes at 2020-01-01T01:00:00.000Z"));
    assert!(ask("1m", "9999-01-01").contains("expected at most 20000000"));
    let mut feed = SyntheticFeed::new(&source, "1m".parse().unwrap(), "9999-01-01".parse().unwrap(), None);
    assert!(feed.next_bar().await.is_err());
}

#[test]
fn seeds_and_kinds_differ() {
    let closes = |source| bars(source, "2020-02-01", 100).closes().to_vec();
    assert_ne!(closes(SyntheticSource::new(1)), closes(SyntheticSource::new(2)));
    assert_ne!(closes(SyntheticSource::new(1)), closes(SyntheticSource::without_edge(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_bar_is_the_same_whatever_range_is_asked_for(seed: u64, end in 2_i64..3_000, count in 1_usize..500) {
        let source = SyntheticSource::new(seed);
        let all = bars(source, "2020-05-05", usize::MAX);
        let as_of = SyntheticSource::origin(hour()).plus_millis(end * 3_600_000);
        let some = bars(source, &as_of.to_string(), count);
        let from = all.index_at_or_after(some.first_open_time().unwrap());
        prop_assert_eq!(all.slice(from..from + some.len()), some);
    }
}
