//! What a policy sees of a bar, whatever else its dataset has.

use proptest::prelude::*;
use walkforward_core::{
    ActionMap, Activation, Bar, BarSeries, FeatureKind, FeatureSpec, NetworkSpec, Normaliser, PolicySpec,
    Probe, Timeframe, Timestamp,
};

use super::{Day, days, first_needed};
use crate::Error;

const LOOKBACK: usize = 3;

fn spec(kinds: Vec<FeatureKind>) -> PolicySpec {
    let features = FeatureSpec::new(kinds).unwrap();
    let width = features.width();
    let inputs = LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS;
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        network: NetworkSpec::Mlp { inputs, hidden: vec![], outputs: 2, activation: Activation::Tanh },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.1; width], std: vec![0.5; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::LongFlat,
        used_until: Timestamp::EPOCH,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

/// Those with an exponential memory, with short periods, and one with a window.
fn short_memories() -> PolicySpec {
    spec(vec![
        FeatureKind::Rsi { period: 3 },
        FeatureKind::Macd { fast: 2, slow: 4, signal: 3 },
        FeatureKind::Atr { period: 3, norm: Some(5) },
        FeatureKind::Volatility { period: 6, norm: Some(12) },
    ])
}

/// A walk in steps of up to 2.5 %, from `hour` hours after the epoch on.
fn walk(moves: &[f64], hour: i64) -> BarSeries {
    let hourly: Timeframe = "1h".parse().unwrap();
    let mut bars = BarSeries::new(hourly);
    let mut close = 100.0_f64;
    for (index, step) in moves.iter().enumerate() {
        let open = close;
        close *= 1.0 + step;
        let (high, low) = (open.max(close) * (1.0 + step.abs()), open.min(close) * (1.0 - 0.3 * step.abs()));
        let time = Timestamp::EPOCH.plus_millis((hour + index as i64) * hourly.millis());
        bars.push(Bar::new(time, open, high, low, close, 1_000.0 * step.abs()).unwrap()).unwrap();
    }
    bars
}

/// What the policy sees of the scored bars of a series, each with the times of the bar and of that at which features
/// begin.
fn seen(spec: &PolicySpec, bars: &BarSeries, from: usize) -> Vec<([Timestamp; 2], Vec<u32>)> {
    let of_day = |range: std::ops::Range<usize>| {
        let day = Day::new(spec, bars, &range).unwrap();
        let window =
            |bar: usize| day.rows.window(bar - day.first, LOOKBACK).unwrap().iter().map(|x| x.to_bits());
        let times = |bar: usize| [bars.open_times()[bar], day.bars.open_times()[0]];
        range.map(|bar| (times(bar), window(bar).collect())).collect::<Vec<_>>()
    };
    days(bars, from..bars.len()).flat_map(of_day).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_seen_of_a_bar_has_the_same_bits_in_every_dataset(
        moves in prop::collection::vec(-0.025..0.025_f64, 400),
        hour in 0..48_i64,
        (dropped, hidden, later) in (0..150_usize, 0..40_usize, 0..40_usize),
    ) {
        let spec = short_memories();
        let whole = walk(&moves, hour);
        // So many bars, and those of the day before the first one that is scored.
        let from = 150 + 135 + LOOKBACK + 24;
        let part = whole.slice(dropped..whole.len() - hidden);
        let of_whole = seen(&spec, &whole, from);
        let of_part = seen(&spec, &part, from + later - dropped);
        prop_assert_eq!(&of_whole[later..of_whole.len() - hidden], &of_part[..]);
    }
}

#[test]
fn bars_are_cut_where_a_utc_day_begins() {
    let bars = walk(&[0.01; 80], 20);
    let cut = |range| days(&bars, range).collect::<Vec<_>>();
    assert_eq!(cut(0..80), [0..4, 4..28, 28..52, 52..76, 76..80]);
    assert_eq!(cut(5..29), [5..28, 28..29]);
    assert_eq!(cut(27..29), [27..28, 28..29]);
}

#[test]
fn a_bar_is_scored_from_the_first_midnight_with_enough_bars_before_it() {
    let spec = spec(vec![FeatureKind::Returns { periods: vec![10] }]);
    let needed = spec.features.history_bars() + LOOKBACK - 1;
    assert_eq!(needed, 13);
    let bars = walk(&[0.01; 80], 24 - 13);
    assert_eq!(first_needed(&spec, &bars, 13 + 7).unwrap(), 0);
    let error = first_needed(&spec, &bars, 12).unwrap_err();
    let Error::TooEarly { midnight, needed: 13, available: 0, .. } = error else { panic!("{error}") };
    assert_eq!(midnight, Timestamp::EPOCH);
    let late = walk(&[0.01; 80], 24 - 12);
    let error = first_needed(&spec, &late, 20).unwrap_err().to_string();
    assert!(error.contains("need 13 bars before 1970-01-02T00:00:00") && error.contains("has 12"), "{error}");
}
