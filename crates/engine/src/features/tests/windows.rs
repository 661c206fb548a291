//! Windows against sums that are made afresh, and TA-Lib's handles against its batch functions.

use proptest::prelude::*;
use ta_lib::{Core, MAType, OutRange, RetCode};
use walkforward_core::BarSeries;

use super::{walk, wild};
use crate::features::tail::BLOCK;
use crate::features::window::{WindowMax, Windows};

/// Mean, sum of squared distances and maximum of a window, each in two passes.
fn afresh(window: &[f64]) -> (f64, f64, f64) {
    let mean = window.iter().sum::<f64>() / window.len() as f64;
    let squares = window.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares, window.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

#[test]
fn windows_agree_with_sums_made_afresh_for_every_period() {
    let bars = walk(5, 400);
    let closes = bars.closes();
    let (mut mean, mut squares, mut largest) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    for period in 1..=200_u32 {
        let mut windows = Windows::new(0, period);
        windows.extend(closes);
        windows.moments(period, &mut mean[..400], &mut squares[..400]);
        WindowMax::new(period).maxima(closes, &mut largest[..400]);
        let mut sums = [0.0; 400];
        windows.means(period, &mut sums);
        for end in period as usize..=closes.len() {
            let (expected, expected_squares, expected_max) = afresh(&closes[end - period as usize..end]);
            assert!((mean[end - 1] / expected - 1.0).abs() <= 1e-14, "mean over {period}");
            assert!((sums[end - 1] / expected - 1.0).abs() <= 1e-14, "mean over {period}");
            let error = (squares[end - 1] - expected_squares).abs();
            assert!(error <= 1e-12 * expected_squares + 1e-24, "squares over {period}: {error:e}");
            assert_eq!(largest[end - 1], expected_max, "maximum over {period}");
        }
    }
}

#[test]
fn equal_prices_have_no_deviation() {
    for period in [2, 3, 20, 24, 31, 72, 199] {
        let (mut mean, mut squares) = ([0.0; 400], [0.0; 400]);
        let mut windows = Windows::new(0, period);
        windows.extend(&[0.1; 400]);
        windows.moments(period, &mut mean, &mut squares);
        assert!((mean[399] - 0.1).abs() <= 1e-16);
        assert!(squares[399] <= 1e-30, "{period}: {:e}", squares[399]);
    }
}

#[test]
fn periods_that_share_their_parts_have_the_bits_of_those_that_do_not() {
    let bars = wild(3, 500);
    let mut shared = Windows::new(200, 70);
    shared.extend(bars.closes());
    for period in 1..=200_u32 {
        let mut alone = Windows::new(period, period.min(70));
        alone.extend(bars.closes());
        let (mut a, mut b, mut c, mut d) = ([0.0; 500], [0.0; 500], [0.0; 500], [0.0; 500]);
        shared.sums(period, &mut a);
        alone.sums(period, &mut b);
        assert_eq!(a.map(f64::to_bits), b.map(f64::to_bits));
        if period <= 70 {
            shared.moments(period, &mut a, &mut c);
            alone.moments(period, &mut b, &mut d);
            assert_eq!(c.map(f64::to_bits), d.map(f64::to_bits));
        }
    }
}

/// A batch function's values, none where there are none.
fn batch(
    bars: usize,
    compute: impl FnOnce(usize, &mut [f64]) -> Result<OutRange, RetCode>,
) -> Vec<Option<f64>> {
    let mut out = vec![0.0; bars];
    let range = compute(bars - 1, &mut out).unwrap();
    (0..bars).map(|bar| bar.checked_sub(range.beg_idx).map(|index| out[index])).collect()
}

/// A stream's values when it is opened with `needed` bars.
fn stream<S>(
    bars: &BarSeries,
    needed: usize,
    open: impl FnOnce(&[f64], &[f64], &[f64]) -> Result<(S, f64), RetCode>,
    update: impl Fn(&mut S, [f64; 3]) -> Result<f64, RetCode>,
) -> Vec<Option<f64>> {
    let (high, low, close) = (bars.highs(), bars.lows(), bars.closes());
    let (mut stream, first) = open(&high[..needed], &low[..needed], &close[..needed]).unwrap();
    let mut values = vec![None; needed - 1];
    values.push(Some(first));
    values.extend(
        (needed..bars.len()).map(|bar| Some(update(&mut stream, [high[bar], low[bar], close[bar]]).unwrap())),
    );
    values
}

fn same(stream: &[Option<f64>], batch: &[Option<f64>]) -> bool {
    let bits =
        |values: &[Option<f64>]| values.iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>();
    bits(stream) == bits(batch)
}

fn check_talib(bars: &BarSeries) -> Result<(), TestCaseError> {
    let core = Core::new();
    let n = bars.len();
    let (high, low, close) = (bars.highs(), bars.lows(), bars.closes());
    let rsi = stream(bars, 15, |_, _, c| core.rsi_open(c, 14), |s, [_, _, c]| s.update(c));
    prop_assert!(same(&rsi, &batch(n, |end, out| core.rsi(0, end, close, 14, out))), "rsi");
    let atr = stream(bars, 15, |h, l, c| core.atr_open(h, l, c, 14), |s, [h, l, c]| s.update(h, l, c));
    prop_assert!(same(&atr, &batch(n, |end, out| core.atr(0, end, high, low, close, 14, out))), "atr");
    let (mut signal, mut histogram) = (vec![0.0; n], vec![0.0; n]);
    let line = batch(n, |end, out| core.macd(0, end, close, 12, 26, 9, out, &mut signal, &mut histogram));
    let open =
        |_: &[f64], _: &[f64], c: &[f64]| core.macd_open(c, 12, 26, 9).map(|(s, (line, ..))| (s, line));
    let streamed = stream(bars, 34, open, |s, [_, _, c]| Ok(s.update(c)?.0));
    prop_assert!(same(&streamed, &line), "macd");
    let open =
        |_: &[f64], _: &[f64], c: &[f64]| core.macd_open(c, 12, 26, 9).map(|(s, (.., hist))| (s, hist));
    let streamed = stream(bars, 34, open, |s, [_, _, c]| Ok(s.update(c)?.2));
    let histogram = (0..n).map(|bar| bar.checked_sub(33).map(|index| histogram[index])).collect::<Vec<_>>();
    prop_assert!(same(&streamed, &histogram), "macd histogram");
    check_talib_windows(bars, &core)
}

/// Those that the features don't use, because of their running sums, or have their own windows for.
fn check_talib_windows(bars: &BarSeries, core: &Core) -> Result<(), TestCaseError> {
    let n = bars.len();
    let (high, low, close) = (bars.highs(), bars.lows(), bars.closes());
    let sma = stream(bars, 20, |_, _, c| core.sma_open(c, 20), |s, [_, _, c]| s.update(c));
    prop_assert!(same(&sma, &batch(n, |end, out| core.sma(0, end, close, 20, out))), "sma");
    let deviation = stream(bars, 20, |_, _, c| core.stddev_open(c, 20, 1.0), |s, [_, _, c]| s.update(c));
    prop_assert!(same(&deviation, &batch(n, |end, out| core.stddev(0, end, close, 20, 1.0, out))), "stddev");
    let cci = stream(bars, 20, |h, l, c| core.cci_open(h, l, c, 20), |s, [h, l, c]| s.update(h, l, c));
    prop_assert!(same(&cci, &batch(n, |end, out| core.cci(0, end, high, low, close, 20, out))), "cci");
    let mut d = vec![0.0; n];
    let sma = MAType::SMA;
    let k = batch(n, |end, out| core.stoch(0, end, high, low, close, 14, 3, sma, 3, sma, out, &mut d));
    let open = |h: &[f64], l: &[f64], c: &[f64]| {
        core.stoch_open(h, l, c, 14, 3, sma, 3, sma).map(|(s, (k, _))| (s, k))
    };
    prop_assert!(same(&stream(bars, 18, open, |s, [h, l, c]| Ok(s.update(h, l, c)?.0)), &k), "stoch");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn talib_streams_have_the_bits_of_its_batch_functions(seed in any::<u64>(), bars in 40usize..900) {
        check_talib(&walk(seed, bars))?;
        check_talib(&wild(seed, bars))?;
    }
}
