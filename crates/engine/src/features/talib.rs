//! TA-Lib's indicators with an exponential memory, as handles that open themselves.

use ta_lib::{AtrStream, Core, MacdStream, RetCode, RsiStream};

use super::column::BarBlock;

/// An indicator refused a value.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Which value of the block.
    pub(crate) index: usize,
    pub(crate) code: RetCode,
}

/// A TA-Lib stream of prices.
pub(crate) trait Indicator: Sized {
    /// What it makes of a bar.
    type Value: Default;
    /// Opens it with high, low and close of the bars so far.
    fn open(core: &Core, prices: [&[f64]; 3], periods: [i32; 3]) -> Result<(Self, Self::Value), RetCode>;
    /// Takes high, low and close of the next bar.
    fn next(&mut self, prices: [f64; 3]) -> Result<Self::Value, RetCode>;
}

/// Wilder's relative strength index of the close, 0 to 100; 50 when nothing ever changed.
impl Indicator for RsiStream {
    type Value = f64;

    fn open(core: &Core, [_, _, close]: [&[f64]; 3], [period, ..]: [i32; 3]) -> Result<(Self, f64), RetCode> {
        core.rsi_open(close, period)
    }

    fn next(&mut self, [_, _, close]: [f64; 3]) -> Result<f64, RetCode> {
        self.update(close)
    }
}

/// Wilder's average true range.
impl Indicator for AtrStream {
    type Value = f64;

    fn open(core: &Core, [high, low, close]: [&[f64]; 3], periods: [i32; 3]) -> Result<(Self, f64), RetCode> {
        core.atr_open(high, low, close, periods[0])
    }

    fn next(&mut self, [high, low, close]: [f64; 3]) -> Result<f64, RetCode> {
        self.update(high, low, close)
    }
}

/// Moving average convergence divergence of the close: line, signal, histogram.
impl Indicator for MacdStream {
    type Value = (f64, f64, f64);

    fn open(
        core: &Core,
        [_, _, close]: [&[f64]; 3],
        [fast, slow, signal]: [i32; 3],
    ) -> Result<(Self, Self::Value), RetCode> {
        core.macd_open(close, fast, slow, signal)
    }

    fn next(&mut self, [_, _, close]: [f64; 3]) -> Result<Self::Value, RetCode> {
        self.update(close)
    }
}

/// A stream that opens itself once it has seen enough bars.
#[derive(Debug, Clone)]
pub(crate) struct Handle<S> {
    periods: [i32; 3],
    needed: usize,
    history: [Vec<f64>; 3],
    stream: Option<S>,
}

impl<S: Indicator> Handle<S> {
    /// A stream that needs `needed` bars to open.
    pub(crate) fn new(periods: [u32; 3], needed: u32) -> Self {
        // A period that does not fit is one that TA-Lib refuses when it opens.
        let periods = periods.map(|period| i32::try_from(period).unwrap_or(i32::MAX));
        Self { periods, needed: needed as usize, history: Default::default(), stream: None }
    }

    /// Takes the next bars and gives the index and the value of each to `put`; before it opens that is 0.
    pub(crate) fn extend(
        &mut self,
        core: &Core,
        bars: BarBlock<'_>,
        mut put: impl FnMut(usize, S::Value),
    ) -> Result<(), Refusal> {
        let mut first = 0;
        while self.stream.is_none() && first < bars.len() {
            let value = self.open(core, bars.prices(first));
            put(first, value.map_err(|code| Refusal { index: first, code })?.unwrap_or_default());
            first += 1;
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        for index in first..bars.len() {
            put(index, stream.next(bars.prices(index)).map_err(|code| Refusal { index, code })?);
        }
        Ok(())
    }

    /// Keeps a bar, and opens the stream with all that were kept when they are enough.
    fn open(&mut self, core: &Core, prices: [f64; 3]) -> Result<Option<S::Value>, RetCode> {
        for (history, price) in self.history.iter_mut().zip(prices) {
            history.push(price);
        }
        if self.history[0].len() < self.needed {
            return Ok(None);
        }
        let history = std::mem::take(&mut self.history);
        let (stream, first) = S::open(core, history.each_ref().map(Vec::as_slice), self.periods)?;
        self.stream = Some(stream);
        Ok(Some(first))
    }
}
