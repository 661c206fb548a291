//! One feature of a specification: its indicators and its columns.

use ta_lib::{Core, RetCode, RsiStream, SmaStream, StddevStream};
use walkforward_core::{Bar, FeatureKind};

use super::indicator::{Indicator, Lag, WindowMean, rsi, sma, stddev};

/// Scale inside `tanh` of returns and trends: a change of 10 % is 1.
const CHANGE_SCALE: f64 = 10.0;
/// Scale inside `tanh` of the trend's strength: two averages 5 % apart are 1.
const STRENGTH_SCALE: f64 = 20.0;
const RSI_MIDDLE: f64 = 50.0;

#[derive(Debug, Clone)]
pub(crate) enum FeatureColumns {
    Returns(Vec<Lag>),
    Rsi(Indicator<RsiStream>),
    SmaTrend([Indicator<SmaStream>; 2]),
    TrendStrength([Indicator<SmaStream>; 2]),
    Volatility { deviation: Indicator<StddevStream>, sample_correction: f64 },
    VolumeRatio(WindowMean),
}

impl FeatureColumns {
    pub(crate) fn new(kind: &FeatureKind) -> Self {
        match kind {
            FeatureKind::Returns { periods } => Self::Returns(periods.iter().map(|&p| Lag::new(p)).collect()),
            FeatureKind::Rsi { period } => Self::Rsi(rsi(*period)),
            FeatureKind::SmaTrend { fast, slow } => Self::SmaTrend([sma(*fast), sma(*slow)]),
            FeatureKind::TrendStrength { fast, slow } => Self::TrendStrength([sma(*fast), sma(*slow)]),
            FeatureKind::Volatility { period } => {
                let n = f64::from(*period);
                Self::Volatility { deviation: stddev(*period), sample_correction: (n / (n - 1.0)).sqrt() }
            }
            FeatureKind::VolumeRatio { period } => Self::VolumeRatio(WindowMean::new(*period)),
        }
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Returns(lags) => lags.len(),
            Self::SmaTrend(_) => 2,
            _ => 1,
        }
    }

    /// Writes the columns of `bar` into `out`, `[width]`; false while one of them is not defined yet.
    pub(crate) fn push(&mut self, core: &Core, bar: &Bar, out: &mut [f32]) -> Result<bool, RetCode> {
        let close = bar.close();
        let mut columns = Columns { out, next: 0, all_defined: true };
        match self {
            Self::Returns(lags) => {
                for lag in lags {
                    columns.put(lag.push(close).map(|past| (CHANGE_SCALE * (close / past - 1.0)).tanh()));
                }
            }
            Self::Rsi(rsi) => {
                columns.put(rsi.push(core, close)?.map(|rsi| (rsi - RSI_MIDDLE) / RSI_MIDDLE));
            }
            Self::SmaTrend(averages) => {
                for average in averages {
                    let average = average.push(core, close)?;
                    columns.put(average.map(|average| (CHANGE_SCALE * (close / average - 1.0)).tanh()));
                }
            }
            Self::TrendStrength([fast, slow]) => {
                let pair = fast.push(core, close)?.zip(slow.push(core, close)?);
                columns.put(pair.map(|(fast, slow)| (STRENGTH_SCALE * (fast / slow - 1.0)).tanh()));
            }
            Self::Volatility { deviation, sample_correction } => {
                let deviation = deviation.push(core, close)?;
                columns.put(deviation.map(|deviation| deviation * *sample_correction / close));
            }
            Self::VolumeRatio(mean) => {
                let volume = bar.volume();
                columns.put(mean.push(volume).map(|mean| volume_ratio(volume, mean)));
            }
        }
        Ok(columns.all_defined)
    }
}

/// `ln(1 + volume / mean)`; 0 without volume, also when the mean is 0; NaN when the mean has overflowed.
fn volume_ratio(volume: f64, mean: f64) -> f64 {
    if mean.is_infinite() {
        return f64::NAN;
    }
    if volume > 0.0 && mean > 0.0 { (volume / mean).ln_1p() } else { 0.0 }
}

struct Columns<'a> {
    out: &'a mut [f32],
    next: usize,
    all_defined: bool,
}

impl Columns<'_> {
    fn put(&mut self, value: Option<f64>) {
        match value {
            Some(value) => self.out[self.next] = value as f32,
            None => self.all_defined = false,
        }
        self.next += 1;
    }
}
