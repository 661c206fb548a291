//! Indicators as streams: TA-Lib's handles with their warm-up, and two windows that TA-Lib does not have.

use std::collections::VecDeque;

use ta_lib::{Core, RetCode, RsiStream, SmaStream, StddevStream};

type Open<S> = fn(&Core, &[f64], i32) -> Result<(S, f64), RetCode>;
type Update<S> = fn(&mut S, f64) -> Result<f64, RetCode>;

/// A TA-Lib stream that opens itself once it has seen enough values.
#[derive(Debug, Clone)]
pub(crate) struct Indicator<S> {
    period: i32,
    needed: usize,
    history: Vec<f64>,
    stream: Option<S>,
    open: Open<S>,
    update: Update<S>,
}

impl<S> Indicator<S> {
    fn new(period: u32, needed: usize, open: Open<S>, update: Update<S>) -> Self {
        // A period that does not fit is one that TA-Lib refuses when it opens.
        let period = i32::try_from(period).unwrap_or(i32::MAX);
        Self { period, needed, history: Vec::with_capacity(needed), stream: None, open, update }
    }

    /// Takes the next value; `None` while there is too little history. What is not finite comes out as NaN, because
    /// a price over an infinite average would be a plausible number.
    pub(crate) fn push(&mut self, core: &Core, value: f64) -> Result<Option<f64>, RetCode> {
        let indicated = self.advance(core, value)?;
        Ok(indicated.map(|value| if value.is_finite() { value } else { f64::NAN }))
    }

    fn advance(&mut self, core: &Core, value: f64) -> Result<Option<f64>, RetCode> {
        if let Some(stream) = &mut self.stream {
            return (self.update)(stream, value).map(Some);
        }
        self.history.push(value);
        if self.history.len() < self.needed {
            return Ok(None);
        }
        let history = std::mem::take(&mut self.history);
        let (stream, first) = (self.open)(core, &history, self.period)?;
        self.stream = Some(stream);
        Ok(Some(first))
    }
}

/// Simple moving average.
pub(crate) fn sma(period: u32) -> Indicator<SmaStream> {
    Indicator::new(period, period as usize, Core::sma_open, SmaStream::update)
}

/// Wilder's relative strength index, 0 to 100; 50 when nothing ever changed.
pub(crate) fn rsi(period: u32) -> Indicator<RsiStream> {
    Indicator::new(period, period as usize + 1, Core::rsi_open, RsiStream::update)
}

/// Population standard deviation.
pub(crate) fn stddev(period: u32) -> Indicator<StddevStream> {
    Indicator::new(
        period,
        period as usize,
        |core, history, period| core.stddev_open(history, period, 1.0),
        StddevStream::update,
    )
}

/// The value `period` steps ago.
#[derive(Debug, Clone)]
pub(crate) struct Lag {
    period: usize,
    values: VecDeque<f64>,
}

impl Lag {
    pub(crate) fn new(period: u32) -> Self {
        Self { period: period as usize, values: VecDeque::with_capacity(period as usize + 1) }
    }

    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        self.values.push_back(value);
        if self.values.len() > self.period { self.values.pop_front() } else { None }
    }
}

/// Mean over a window, summed afresh for every value.
///
/// Volumes span many orders of magnitude: TA-Lib's running sum keeps the rounding of a burst long after the burst has
/// left the window, which is more than the small volumes that follow.
#[derive(Debug, Clone)]
pub(crate) struct WindowMean {
    period: usize,
    values: VecDeque<f64>,
}

impl WindowMean {
    pub(crate) fn new(period: u32) -> Self {
        Self { period: period as usize, values: VecDeque::with_capacity(period as usize + 1) }
    }

    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        self.values.push_back(value);
        if self.values.len() > self.period {
            self.values.pop_front();
        }
        (self.values.len() == self.period).then(|| self.values.iter().sum::<f64>() / self.period as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/goldens/indicators");

    fn column(file: &str, name: &str) -> Vec<Option<f64>> {
        let text = std::fs::read_to_string(Path::new(GOLDENS).join(file)).unwrap();
        let index = text.lines().next().unwrap().split(',').position(|cell| cell == name).unwrap();
        text.lines().skip(1).map(|line| line.split(',').nth(index).unwrap().parse().ok()).collect()
    }

    fn check<S>(input: &str, mut indicator: Indicator<S>, golden: &str) {
        let core = Core::new();
        let inputs = column("btcusd_1h_2017-09.bars.csv", input);
        let goldens = column("btcusd_1h_2017-09.talib.csv", golden);
        for (bar, (value, expected)) in inputs.into_iter().zip(goldens).enumerate() {
            let actual = indicator.push(&core, value.unwrap()).unwrap();
            assert_eq!(actual.is_some(), expected.is_some(), "{golden} at {bar}");
            let (Some(actual), Some(expected)) = (actual, expected) else { continue };
            let error = (actual - expected).abs();
            assert!(error <= 1e-9 * expected.abs(), "{golden} at {bar}: {actual}, expected {expected}");
        }
    }

    #[test]
    fn handles_agree_with_the_reference_to_1e_9_shared_data() {
        eprintln!("shared data test: handles_agree_with_the_reference_to_1e_9_shared_data");
        if !Path::new(GOLDENS).is_dir() {
            eprintln!("skipped: {GOLDENS} is not there");
            return;
        }
        check("close", sma(20), "sma_20");
        check("close", sma(50), "sma_50");
        check("close", rsi(14), "rsi_14");
        check("close", stddev(20), "stddev_close_20");
    }

    #[test]
    fn a_window_mean_is_defined_from_its_period_on() {
        let mut mean = WindowMean::new(2);
        assert_eq!([1.0, 3.0, 5.0].map(|value| mean.push(value)), [None, Some(2.0), Some(4.0)]);
        let mut lag = Lag::new(2);
        assert_eq!([1.0, 2.0, 3.0].map(|value| lag.push(value)), [None, None, Some(1.0)]);
    }
}
