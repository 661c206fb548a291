//! The declaration of what a policy sees of the market. `walkforward-engine` computes it.

use serde::{Deserialize, Serialize};

/// One kind of feature with its parameters. Periods count bars.
///
/// Names and outer scaling are those of TensorTrade's feature engine; indicators inside follow TA-Lib.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Sample standard deviation of the close over the period, divided by the close; column `vol`.
    Volatility {
        /// Bars in the deviation.
        period: u32,
    },
    /// `ln(1 + volume / SMA(volume))`, 0 while nothing trades; column `vol_ratio`.
    VolumeRatio {
        /// Bars in the average.
        period: u32,
    },
}

impl FeatureKind {
    /// Names of the columns, in order.
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::Returns { periods } => periods.iter().map(|period| format!("ret_{period}")).collect(),
            Self::Rsi { .. } => vec!["rsi".to_owned()],
            Self::SmaTrend { fast, slow } => vec![format!("trend_{fast}"), format!("trend_{slow}")],
            Self::TrendStrength { .. } => vec!["trend_strength".to_owned()],
            Self::Volatility { .. } => vec!["vol".to_owned()],
            Self::VolumeRatio { .. } => vec!["vol_ratio".to_owned()],
        }
    }

    fn periods(&self) -> Vec<u32> {
        match self {
            Self::Returns { periods } => periods.clone(),
            Self::Rsi { period } | Self::Volatility { period } | Self::VolumeRatio { period } => {
                vec![*period]
            }
            Self::SmaTrend { fast, slow } | Self::TrendStrength { fast, slow } => vec![*fast, *slow],
        }
    }

    /// Bars before the first value, and after which another start changes it by less than 1e-9 of its scale.
    fn history_bars(&self) -> u32 {
        let longest = self.periods().into_iter().max().unwrap_or(0);
        match self {
            // Wilder's average forgets with (1 - 1/period): 24 periods leave e^-24 = 4e-11 of the start.
            Self::Rsi { .. } => longest * 24,
            Self::Returns { .. } => longest + 1,
            _ => longest,
        }
    }
}

/// Features in the order in which a policy sees them. At least one, columns named once, at most
/// [`FeatureSpec::MAX_COLUMNS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FeatureKind>", into = "Vec<FeatureKind>")]
pub struct FeatureSpec(Vec<FeatureKind>);

/// Why a list of features can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureSpecError {
    /// No column at all, or too many.
    #[error("the features make {columns} columns: expected 1 to {max}", max = FeatureSpec::MAX_COLUMNS)]
    ColumnCount {
        /// How many.
        columns: usize,
    },
    /// Two features make a column of the same name.
    #[error("the feature column '{column}' is made twice")]
    DuplicateColumn {
        /// Its name.
        column: String,
    },
    /// A period outside what TA-Lib takes.
    #[error("the feature column '{column}' has a period of {period}: expected 2 to {max}, for returns 1 to {max}", max = FeatureSpec::MAX_PERIOD)]
    Period {
        /// First column of the feature.
        column: String,
        /// The period.
        period: u32,
    },
}

impl FeatureSpec {
    /// Most columns of a specification.
    pub const MAX_COLUMNS: usize = 256;
    /// Longest period in bars.
    pub const MAX_PERIOD: u32 = 10_000;

    /// A specification, refused when it has no columns, a column twice or an impossible period.
    pub fn new(kinds: Vec<FeatureKind>) -> Result<Self, FeatureSpecError> {
        let columns: Vec<String> = kinds.iter().flat_map(FeatureKind::columns).collect();
        if columns.is_empty() || columns.len() > Self::MAX_COLUMNS {
            return Err(FeatureSpecError::ColumnCount { columns: columns.len() });
        }
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].contains(column) {
                return Err(FeatureSpecError::DuplicateColumn { column: column.clone() });
            }
        }
        for kind in &kinds {
            let least = if matches!(kind, FeatureKind::Returns { .. }) { 1 } else { 2 };
            for period in kind.periods() {
                if !(least..=Self::MAX_PERIOD).contains(&period) {
                    let column = kind.columns().into_iter().next().unwrap_or_default();
                    return Err(FeatureSpecError::Period { column, period });
                }
            }
        }
        Ok(Self(kinds))
    }

    /// The features.
    pub fn kinds(&self) -> &[FeatureKind] {
        &self.0
    }

    /// Names of all columns, in order.
    pub fn columns(&self) -> Vec<String> {
        self.0.iter().flat_map(FeatureKind::columns).collect()
    }

    /// Number of columns, `n_features`.
    pub fn width(&self) -> usize {
        self.0.iter().map(|kind| kind.columns().len()).sum()
    }

    /// Bars needed before the first bar whose features count: after so many, another start of the series changes
    /// no column by more than 1e-9 of its scale.
    pub fn history_bars(&self) -> usize {
        self.0.iter().map(FeatureKind::history_bars).max().unwrap_or(0) as usize
    }
}

impl Default for FeatureSpec {
    /// Returns over 1, 4, 12, 24 and 48 bars, RSI 14, trend 20/50 and its strength, volatility 24, volume ratio 20.
    fn default() -> Self {
        Self(vec![
            FeatureKind::Returns { periods: vec![1, 4, 12, 24, 48] },
            FeatureKind::Rsi { period: 14 },
            FeatureKind::SmaTrend { fast: 20, slow: 50 },
            FeatureKind::TrendStrength { fast: 20, slow: 50 },
            FeatureKind::Volatility { period: 24 },
            FeatureKind::VolumeRatio { period: 20 },
        ])
    }
}

impl TryFrom<Vec<FeatureKind>> for FeatureSpec {
    type Error = FeatureSpecError;

    fn try_from(kinds: Vec<FeatureKind>) -> Result<Self, FeatureSpecError> {
        Self::new(kinds)
    }
}

impl From<FeatureSpec> for Vec<FeatureKind> {
    fn from(spec: FeatureSpec) -> Self {
        spec.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_valid_specification() {
        let spec = FeatureSpec::default();
        assert_eq!(FeatureSpec::new(spec.kinds().to_vec()), Ok(spec.clone()));
        assert_eq!(spec.width(), 11);
        assert_eq!(spec.columns().len(), spec.width());
        assert_eq!(spec.history_bars(), 14 * 24);
    }

    #[test]
    fn impossible_specifications_are_refused() {
        let rsi = |period| FeatureKind::Rsi { period };
        assert!(matches!(FeatureSpec::new(vec![]), Err(FeatureSpecError::ColumnCount { columns: 0 })));
        assert!(matches!(
            FeatureSpec::new(vec![rsi(14), rsi(7)]),
            Err(FeatureSpecError::DuplicateColumn { .. })
        ));
        assert!(matches!(FeatureSpec::new(vec![rsi(1)]), Err(FeatureSpecError::Period { .. })));
    }
}
