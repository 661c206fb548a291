//! One feature of a specification: what it keeps of earlier bars, and its columns.

use std::ops::Range;

use ta_lib::Core;
use walkforward_core::{BarSeries, FeatureKind, FeatureSpec};

use super::oscillator::{Cci, Macd, Rsi, Stochastic};
use super::price::{Changes, SmaTrend, TrendStrength};
use super::spread::{Atr, BollingerPosition, Volatility};
use super::tail::BLOCK;
use super::talib::Refusal;
use super::volume::{Obv, VolumeRatio};
use super::window::Windows;

/// Consecutive bars by column, `[n]` each, at most [`BLOCK`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarBlock<'a> {
    pub(crate) high: &'a [f64],
    pub(crate) low: &'a [f64],
    pub(crate) close: &'a [f64],
    pub(crate) volume: &'a [f64],
}

impl<'a> BarBlock<'a> {
    /// The bars of `series` with indices in `range`.
    pub(crate) fn of(series: &'a BarSeries, range: Range<usize>) -> Self {
        Self {
            high: &series.highs()[range.clone()],
            low: &series.lows()[range.clone()],
            close: &series.closes()[range.clone()],
            volume: &series.volumes()[range],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.close.len()
    }

    /// High, low and close of the bar at `index`.
    pub(crate) fn prices(&self, index: usize) -> [f64; 3] {
        [self.high[index], self.low[index], self.close[index]]
    }
}

/// What all features of an engine use, one after the other. Sums of closes and volumes are made once for all.
#[derive(Debug, Clone)]
pub(crate) struct Workshop {
    pub(crate) core: Core,
    pub(crate) closes: Windows,
    pub(crate) volumes: Windows,
    pub(crate) scratch: Scratch,
}

impl Workshop {
    pub(crate) fn new(spec: &FeatureSpec) -> Self {
        let longest = |of: fn(&FeatureKind) -> u32| spec.kinds().map(of).max().unwrap_or(0);
        Self {
            core: Core::new(),
            closes: Windows::new(longest(close_window), longest(close_moments)),
            volumes: Windows::new(longest(volume_window), 0),
            scratch: Scratch(std::array::from_fn(|_| vec![0.0; BLOCK])),
        }
    }

    /// Takes the next bars.
    pub(crate) fn extend(&mut self, bars: BarBlock<'_>) {
        self.closes.extend(bars.close);
        self.volumes.extend(bars.volume);
    }
}

/// Longest sum over closes that a feature takes from its workshop.
fn close_window(kind: &FeatureKind) -> u32 {
    match *kind {
        FeatureKind::SmaTrend { fast, slow } | FeatureKind::TrendStrength { fast, slow } => fast.max(slow),
        _ => 0,
    }
}

/// Longest deviation of closes that a feature takes from its workshop.
fn close_moments(kind: &FeatureKind) -> u32 {
    match *kind {
        FeatureKind::Volatility { period, .. } | FeatureKind::BollingerPosition { period, .. } => period,
        _ => 0,
    }
}

/// Longest sum over volumes that a feature takes from its workshop.
fn volume_window(kind: &FeatureKind) -> u32 {
    match *kind {
        FeatureKind::VolumeRatio { period } | FeatureKind::Obv { norm: period } => period,
        _ => 0,
    }
}

/// Room for intermediate results.
#[derive(Debug, Clone)]
pub(crate) struct Scratch([Vec<f64>; 3]);

impl Scratch {
    /// Three slices of `n` values with no particular content.
    pub(crate) fn slices(&mut self, n: usize) -> [&mut [f64]; 3] {
        self.0.each_mut().map(|values| &mut values[..n])
    }
}

/// Replaces an infinite intermediate result by NaN, because a price over an infinite average would be a plausible
/// number; finite ones stay as they are.
#[inline(always)]
pub(crate) fn unless_infinite(value: f64, intermediate: f64) -> f64 {
    value + 0.0 * intermediate
}

/// A feature that takes blocks of bars of any length up to [`BLOCK`]: the same bits for every way to cut a series.
#[derive(Debug, Clone)]
pub(crate) enum FeatureColumns {
    Changes(Changes),
    Rsi(Rsi),
    SmaTrend(SmaTrend),
    TrendStrength(TrendStrength),
    Volatility(Box<Volatility>),
    VolumeRatio(VolumeRatio),
    BollingerPosition(BollingerPosition),
    Macd(Macd),
    Atr(Box<Atr>),
    Stochastic(Box<Stochastic>),
    Obv(Obv),
    Cci(Cci),
}

impl FeatureColumns {
    pub(crate) fn new(kind: &FeatureKind) -> Self {
        match *kind {
            FeatureKind::Returns { ref periods } => Self::Changes(Changes::new(periods)),
            FeatureKind::Roc { period } => Self::Changes(Changes::new(&[period])),
            FeatureKind::Rsi { period } => Self::Rsi(Rsi::new(period)),
            FeatureKind::SmaTrend { fast, slow } => Self::SmaTrend(SmaTrend::new(fast, slow)),
            FeatureKind::TrendStrength { fast, slow } => Self::TrendStrength(TrendStrength::new(fast, slow)),
            FeatureKind::Volatility { period, norm } => {
                Self::Volatility(Box::new(Volatility::new(period, norm)))
            }
            FeatureKind::VolumeRatio { period } => Self::VolumeRatio(VolumeRatio::new(period)),
            FeatureKind::BollingerPosition { period, deviations } => {
                Self::BollingerPosition(BollingerPosition::new(period, deviations))
            }
            FeatureKind::Macd { fast, slow, signal } => Self::Macd(Macd::new(fast, slow, signal)),
            FeatureKind::Atr { period, norm } => Self::Atr(Box::new(Atr::new(period, norm))),
            FeatureKind::Stochastic { period, smooth } => {
                Self::Stochastic(Box::new(Stochastic::new(period, smooth)))
            }
            FeatureKind::Obv { norm } => Self::Obv(Obv::new(norm)),
            FeatureKind::Cci { period } => Self::Cci(Cci::new(period)),
        }
    }

    /// Writes the columns of `bars` into `out`, `[width, bars.len()]`. Those of the warm-up have no meaning.
    pub(crate) fn extend(
        &mut self,
        workshop: &mut Workshop,
        bars: BarBlock<'_>,
        out: &mut [f64],
    ) -> Result<(), Refusal> {
        match self {
            Self::Changes(changes) => changes.extend(bars, out),
            Self::Rsi(rsi) => rsi.extend(workshop, bars, out)?,
            Self::SmaTrend(trend) => trend.extend(workshop, bars, out),
            Self::TrendStrength(strength) => strength.extend(workshop, bars, out),
            Self::Volatility(volatility) => volatility.extend(workshop, bars, out),
            Self::VolumeRatio(ratio) => ratio.extend(workshop, bars, out),
            Self::BollingerPosition(position) => position.extend(workshop, bars, out),
            Self::Macd(macd) => macd.extend(workshop, bars, out)?,
            Self::Atr(atr) => atr.extend(workshop, bars, out)?,
            Self::Stochastic(stochastic) => stochastic.extend(workshop, bars, out),
            Self::Obv(obv) => obv.extend(workshop, bars, out),
            Self::Cci(cci) => cci.extend(workshop, bars, out),
        }
        Ok(())
    }
}
