//! What was known of a champion before it traded: the falls and the turnover that are normal for it.

use serde::{Deserialize, Serialize};
use walkforward_core::{EvaluationReport, Timestamp};

use super::{GuardError, in_range};

const DAY_MS: i64 = 86_400_000;
/// The percentile of daily turnover.
const PERCENTILE: usize = 99;

/// Where the figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FiguresBasis {
    /// The model's own evaluation on its hold-out.
    Evaluation,
    /// The stream of its arm: longer, and of all its snapshots.
    Stream,
}

impl FiguresBasis {
    /// The same in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Evaluation => "the model's evaluation",
            Self::Stream => "its arm's stream",
        }
    }
}

/// The champion on bars before it became one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayFigures {
    /// Where they come from.
    pub basis: FiguresBasis,
    /// Bars that they were measured on.
    pub bars: u64,
    /// Deepest fall from a peak of equity, a positive fraction; none where nobody knows: then falls are not watched.
    pub max_drawdown: Option<f64>,
    /// 99th percentile of the turnovers of its UTC days, each the sum of the changes of position as a fraction of equity;
    /// none where nobody knows: then turnover is not watched.
    pub daily_turnover_p99: Option<f64>,
}

impl ReplayFigures {
    /// Figures of which nothing is known.
    pub fn unknown(basis: FiguresBasis) -> Self {
        Self { basis, bars: 0, max_drawdown: None, daily_turnover_p99: None }
    }

    /// Those of an evaluation. Without its series the drawdown of its metrics is all that is known.
    ///
    /// # Errors
    /// The series do not belong together, or hold what is no number.
    pub fn of_evaluation(report: &EvaluationReport) -> Result<Self, GuardError> {
        let EvaluationReport { bar_close, net_return, position, .. } = report;
        let figures = Self::of_series(FiguresBasis::Evaluation, bar_close, net_return, position)?;
        Ok(Self { max_drawdown: figures.max_drawdown.or(report.metrics.max_drawdown), ..figures })
    }

    /// Those of the bars that close at `bar_close`, with net returns and positions at the closes, all `[n_bars]`.
    ///
    /// # Errors
    /// The series do not belong together, or hold what is no number.
    pub fn of_series(
        basis: FiguresBasis,
        bar_close: &[Timestamp],
        net_return: &[f64],
        position: &[f64],
    ) -> Result<Self, GuardError> {
        let expected = bar_close.len();
        for (what, found) in [("returns", net_return.len()), ("positions", position.len())] {
            if found != expected {
                return Err(GuardError::Length { what, found, expected });
            }
        }
        for value in net_return {
            in_range("a return of the replay", *value, *value >= -1.0, "-1 or more")?;
        }
        for value in position {
            in_range("a position of the replay", *value, true, "a number")?;
        }
        let is_known = expected > 0;
        Ok(Self {
            basis,
            bars: expected as u64,
            max_drawdown: is_known.then(|| deepest_fall(net_return)),
            daily_turnover_p99: percentile(daily_turnover(bar_close, position)),
        })
    }

    /// These or `other`, whichever has more bars and says how deep it fell.
    pub fn or_longer(self, other: Self) -> Self {
        let weight = |figures: &Self| (figures.max_drawdown.is_some(), figures.bars);
        if weight(&other) > weight(&self) { other } else { self }
    }

    /// How many times as deep the falls of a walk are over `bars` bars as over those of the replay: as the square root of
    /// the number of bars; 1 up to the length of the replay, and where that is not known.
    pub fn stretch(&self, bars: u64) -> f64 {
        match self.bars {
            0 => 1.0,
            known => (bars as f64 / known as f64).max(1.0).sqrt(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), GuardError> {
        let fall = self.max_drawdown.unwrap_or(0.0);
        in_range("drawdown of the replay", fall, (0.0..=1.0).contains(&fall), "a fraction from 0 to 1")?;
        let turnover = self.daily_turnover_p99.unwrap_or(0.0);
        in_range("turnover of the replay", turnover, turnover >= 0.0, "0 or more")
    }
}

/// The UTC day that a bar with this close is in, in days after 1970: a bar that closes at midnight is the last of its day.
pub(super) fn day_of(close: Timestamp) -> i64 {
    (close.as_millis() - 1).div_euclid(DAY_MS)
}

/// Deepest fall from a peak of the equity that begins at 1.
fn deepest_fall(net_return: &[f64]) -> f64 {
    let (mut equity, mut peak, mut deepest) = (1.0_f64, 1.0_f64, 0.0_f64);
    for value in net_return {
        equity *= 1.0 + value;
        peak = peak.max(equity);
        deepest = deepest.max(1.0 - equity / peak);
    }
    deepest
}

/// Turnover of each UTC day; a position at the first close was there before.
fn daily_turnover(bar_close: &[Timestamp], position: &[f64]) -> Vec<f64> {
    let mut days: Vec<(i64, f64)> = Vec::new();
    let mut before = None;
    for (close, position) in bar_close.iter().zip(position) {
        let day = day_of(*close);
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, 0.0));
        }
        let change = before.replace(*position).map_or(0.0, |before: f64| (position - before).abs());
        days.iter_mut().last().into_iter().for_each(|(_, turnover)| *turnover += change);
    }
    days.into_iter().map(|(_, turnover)| turnover).collect()
}

/// The nearest rank; none of nothing.
fn percentile(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * PERCENTILE).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}
