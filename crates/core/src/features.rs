//! The declaration of what a policy sees of the market. `walkforward-engine` computes it.

mod kind;

use serde::{Deserialize, Serialize};

pub use kind::FeatureKind;

/// What becomes of a feature's columns before a policy sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// `(x - mean) / std`, mean and deviation fitted on training rows.
    #[default]
    Standard,
    /// Left as it is, for columns that are bounded by their formula.
    None,
}

impl Normalisation {
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

/// A kind of feature and what becomes of its columns: `{ kind = "rsi", period = 14, normalise = "none" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Formula and parameters.
    #[serde(flatten)]
    pub kind: FeatureKind,
    /// Normalisation of its columns.
    #[serde(default, skip_serializing_if = "Normalisation::is_standard")]
    pub normalise: Normalisation,
}

impl From<FeatureKind> for Feature {
    fn from(kind: FeatureKind) -> Self {
        Self { kind, normalise: Normalisation::Standard }
    }
}

/// Features in the order in which a policy sees them. At least one, columns named once, at most
/// [`FeatureSpec::MAX_COLUMNS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Feature>", into = "Vec<Feature>")]
pub struct FeatureSpec(Vec<Feature>);

// The one parameter that is no whole number is checked to be finite.
impl Eq for FeatureSpec {}

/// Why a list of features can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
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
    /// A feature without a column.
    #[error("the feature '{kind}' has no period: expected at least one")]
    NoPeriod {
        /// Which kind.
        kind: &'static str,
    },
    /// A period outside what the kind takes.
    #[error("the feature column '{column}' has a period of {period}: expected {least} to {max}", max = FeatureSpec::MAX_PERIOD)]
    Period {
        /// First column of the feature.
        column: String,
        /// The period.
        period: u32,
        /// The shortest that it takes.
        least: u32,
    },
    /// A fast average that is not the faster one.
    #[error(
        "the feature '{kind}' has a fast average of {fast} bars and a slow one of {slow}: expected fast below slow"
    )]
    Order {
        /// Which kind.
        kind: &'static str,
        /// The fast period.
        fast: u32,
        /// The slow period.
        slow: u32,
    },
    /// Bands of no width, or of an absurd one.
    #[error("the bands of 'bollinger_position' are {deviations} deviations wide: expected more than 0, at most {max}", max = FeatureSpec::MAX_DEVIATIONS)]
    Deviations {
        /// The width.
        deviations: f64,
    },
}

impl FeatureSpec {
    /// Most columns of a specification.
    pub const MAX_COLUMNS: usize = 256;
    /// Longest period in bars.
    pub const MAX_PERIOD: u32 = 10_000;
    /// Widest Bollinger bands in standard deviations.
    pub const MAX_DEVIATIONS: f64 = 100.0;

    /// A specification whose columns are all normalised.
    ///
    /// # Errors
    /// As [`with_normalisation`](Self::with_normalisation).
    pub fn new(kinds: Vec<FeatureKind>) -> Result<Self, FeatureSpecError> {
        Self::with_normalisation(kinds.into_iter().map(Feature::from).collect())
    }

    /// A specification, refused when it has no columns, a column twice or an impossible parameter.
    ///
    /// # Errors
    /// [`FeatureSpecError`] names the column and what it may be.
    pub fn with_normalisation(features: Vec<Feature>) -> Result<Self, FeatureSpecError> {
        features.iter().try_for_each(|feature| check(&feature.kind))?;
        let columns: Vec<String> = features.iter().flat_map(|feature| feature.kind.columns()).collect();
        if columns.is_empty() || columns.len() > Self::MAX_COLUMNS {
            return Err(FeatureSpecError::ColumnCount { columns: columns.len() });
        }
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].contains(column) {
                return Err(FeatureSpecError::DuplicateColumn { column: column.clone() });
            }
        }
        Ok(Self(features))
    }

    /// Every kind of feature with its usual parameters.
    pub fn catalogue() -> Self {
        Self(FeatureKind::catalogue().into_iter().map(Feature::from).collect())
    }

    /// The features.
    pub fn features(&self) -> &[Feature] {
        &self.0
    }

    /// The kinds of the features.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = &FeatureKind> {
        self.0.iter().map(|feature| &feature.kind)
    }

    /// Names of all columns, in order.
    pub fn columns(&self) -> Vec<String> {
        self.kinds().flat_map(FeatureKind::columns).collect()
    }

    /// What becomes of each column, `[n_features]`.
    pub fn normalisations(&self) -> Vec<Normalisation> {
        let of_feature = |feature: &Feature| std::iter::repeat_n(feature.normalise, feature.kind.width());
        self.0.iter().flat_map(of_feature).collect()
    }

    /// Number of columns, `n_features`.
    pub fn width(&self) -> usize {
        self.kinds().map(FeatureKind::width).sum()
    }

    /// Bars before the first one with a value in every column.
    pub fn warm_up_bars(&self) -> usize {
        self.kinds().map(FeatureKind::warm_up_bars).max().unwrap_or(0) as usize
    }

    /// Bars needed before the first bar whose features count: after so many, another start of the series changes
    /// no column by more than 1e-9 of its scale.
    pub fn history_bars(&self) -> usize {
        self.kinds().map(FeatureKind::history_bars).max().unwrap_or(0) as usize
    }
}

fn check(kind: &FeatureKind) -> Result<(), FeatureSpecError> {
    let Some(column) = kind.columns().into_iter().next() else {
        return Err(FeatureSpecError::NoPeriod { kind: kind.name() });
    };
    let least = kind.least_period();
    for period in kind.periods() {
        if !(least..=FeatureSpec::MAX_PERIOD).contains(&period) {
            return Err(FeatureSpecError::Period { column, period, least });
        }
    }
    match *kind {
        FeatureKind::Macd { fast, slow, .. } if fast >= slow => {
            Err(FeatureSpecError::Order { kind: kind.name(), fast, slow })
        }
        FeatureKind::BollingerPosition { deviations, .. }
            if !(deviations > 0.0 && deviations <= FeatureSpec::MAX_DEVIATIONS) =>
        {
            Err(FeatureSpecError::Deviations { deviations })
        }
        _ => Ok(()),
    }
}

impl Default for FeatureSpec {
    /// Returns over 1, 4, 12, 24 and 48 bars, RSI 14, trend 20/50 and its strength, volatility 24, volume ratio 20.
    fn default() -> Self {
        let kinds = [
            FeatureKind::Returns { periods: vec![1, 4, 12, 24, 48] },
            FeatureKind::Rsi { period: 14 },
            FeatureKind::SmaTrend { fast: 20, slow: 50 },
            FeatureKind::TrendStrength { fast: 20, slow: 50 },
            FeatureKind::Volatility { period: 24, norm: None },
            FeatureKind::VolumeRatio { period: 20 },
        ];
        Self(kinds.map(Feature::from).into())
    }
}

impl TryFrom<Vec<Feature>> for FeatureSpec {
    type Error = FeatureSpecError;

    fn try_from(features: Vec<Feature>) -> Result<Self, FeatureSpecError> {
        Self::with_normalisation(features)
    }
}

impl From<FeatureSpec> for Vec<Feature> {
    fn from(spec: FeatureSpec) -> Self {
        spec.0
    }
}

#[cfg(test)]
mod tests;
