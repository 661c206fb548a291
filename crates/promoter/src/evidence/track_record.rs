//! What the Sharpe ratio of the difference is worth. Reported, never a condition.

use serde::{Deserialize, Serialize};
use walkforward_core::StreamEvidence;
use walkforward_stats::{
    ReturnSeries, ReturnSummary, SharpeMoments, Trials, deflated_sharpe, min_track_record_length,
    probabilistic_sharpe,
};

use super::MarketPace;

/// What a Sharpe ratio of the difference is worth, on all bars up to the look. Reported, never a condition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackRecord {
    /// Annualised Sharpe ratio of the difference.
    pub sharpe: Option<f64>,
    /// Probability that the true one is above 0.
    pub probabilistic_sharpe: Option<f64>,
    /// Streams among which luck had its chance: those of the line's arms. Snapshots of one arm share most of their bars
    /// and are no trials of their own; where nobody has counted the arms, it is the models all the same, which are more.
    pub trials: usize,
    /// What was counted.
    #[serde(default)]
    pub trials_of: TrialsOf,
    /// The variance that their Sharpe ratios per bar are taken to have, over as many bars; none without a Sharpe ratio.
    #[serde(default)]
    pub trial_sharpe_variance: Option<f64>,
    /// Where that is from.
    #[serde(default)]
    pub variance_from: TrialVariance,
    /// Probability that it is above the best that so many trials without skill are expected to show.
    pub deflated_sharpe: Option<f64>,
    /// Bars after which it would be above 0 with 95 % confidence.
    pub min_track_record_bars: Option<f64>,
}

/// What was counted as trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialsOf {
    /// The arms of the line.
    Arms,
    /// Its models: nobody has counted the arms.
    #[default]
    Models,
}

/// Where the variance of the trials' Sharpe ratios is from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialVariance {
    /// That of estimates without skill over as many bars, one over the bars less one: what is known of the models was
    /// measured on another number of bars, varies by less, or is not known at all.
    #[default]
    WithoutSkill,
    /// That of the models' ratios on their hold-outs, scaled to as many bars.
    HoldOuts,
}

impl TrackRecord {
    /// That of `differences`, the ledger of `stream` up to a look.
    pub(super) fn of(differences: &[f64], pace: MarketPace, stream: &StreamEvidence) -> Self {
        let summary =
            ReturnSeries::new(differences, pace.bars_per_year()).map(|series| ReturnSummary::of(&series));
        let summary = summary.ok();
        let moments = summary.as_ref().and_then(SharpeMoments::of);
        let (trials, trials_of) = match stream.arms {
            Some(arms) => (arms, TrialsOf::Arms),
            None => (stream.trials, TrialsOf::Models),
        };
        let sharpe_variance = of_holdouts(stream, differences.len()).unwrap_or(0.0);
        // Near copies of one model hide how often luck had its chance.
        let luck = Trials { count: trials.max(1), sharpe_variance }.with_floor(differences.len());
        let has_floor = luck.sharpe_variance > sharpe_variance;
        Self {
            sharpe: summary.and_then(|summary| summary.sharpe),
            probabilistic_sharpe: moments.and_then(|moments| probabilistic_sharpe(&moments, 0.0)),
            trials,
            trials_of,
            trial_sharpe_variance: moments.map(|_| luck.sharpe_variance),
            variance_from: if has_floor { TrialVariance::WithoutSkill } else { TrialVariance::HoldOuts },
            deflated_sharpe: moments
                .and_then(|moments| deflated_sharpe(&moments, &luck))
                .map(|it| it.probability),
            min_track_record_bars: moments.and_then(|moments| min_track_record_length(&moments, 0.0)),
        }
    }
}

/// The variance of the models' ratios, scaled to what it would be over `bars`: that of an estimate falls as its bars grow.
/// None where the variance is not known, or not on how many bars the ratios were measured.
fn of_holdouts(stream: &StreamEvidence, bars: usize) -> Option<f64> {
    let (known, measured_on) = stream.trial_sharpe_variance.zip(stream.trial_bars)?;
    Some(known * measured_on as f64 / bars as f64).filter(|variance| variance.is_finite())
}
