//! Judging models.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EvaluationReport, Grading, StreamEvidence};

/// What a gate is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The model that wants to trade.
    pub candidate: EvaluationReport,
    /// The model that trades, on the same bars; none when the line has none or it no longer loads.
    pub champion: Option<EvaluationReport>,
    /// Doing nothing and holding the asset, on the same bars.
    pub baselines: Vec<EvaluationReport>,
    /// Bars that neither the candidate nor any ancestor had seen.
    pub unseen_bars: usize,
    /// Bars in the hold-out; more than `unseen_bars` when a lineage reaches into it.
    pub holdout_bars: usize,
    /// Fewest unseen bars that a verdict may rest on.
    pub min_judged_bars: usize,
    /// What the candidate's arm has come to; none where no stream is kept.
    pub stream: Option<StreamEvidence>,
}

/// What a verdict comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The candidate may replace the champion.
    Promote,
    /// It may not.
    Reject,
    /// The evidence does not say.
    Inconclusive,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Promote => "promote",
            Self::Reject => "reject",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// How a measured value is held against its threshold; both include equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Measured >= threshold.
    AtLeast,
    /// Measured <= threshold.
    AtMost,
}

/// What one condition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// There is too little to say.
    Unknown,
}

/// One condition of a gate with its measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateCheck {
    /// Its name, as in the metrics (`winRate`).
    pub name: String,
    /// What was measured; null when undefined.
    pub measured: Option<f64>,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub threshold: f64,
    /// What it came to.
    pub judgement: Judgement,
    /// The same in words.
    pub sentence: String,
}

/// A gate's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Name of the rules (`thresholds`).
    pub preset: String,
    /// What it comes to.
    pub outcome: Outcome,
    /// Short cause of anything but a promotion (`thresholds_failed`, `contaminated`, `insufficient_evidence`).
    pub reason: Option<String>,
    /// The answer in a sentence.
    pub sentence: String,
    /// Every condition.
    pub checks: Vec<GateCheck>,
    /// What a person has to know who relies on the answer, a sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What it says about the candidate's arm; none of rules that know no arms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grading: Option<Grading>,
}

/// Decides on evidence. Pure: no file, no clock, no chance.
pub trait Gate: Send + Sync {
    /// The verdict on `evidence`.
    fn assess(&self, evidence: &Evidence) -> Verdict;
}
