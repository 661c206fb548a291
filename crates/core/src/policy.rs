//! What a policy is, apart from its weights.

use serde::{Deserialize, Serialize};

use crate::{Action, ActionMap, FeatureSpec, NetworkSpec, Symbol, Timeframe, Timestamp};

/// What a policy looks at for one decision: `[obs_dim]`, normalised feature rows oldest first, then the position as
/// a fraction of equity (below 0 when short), then ten times the position's unrealised return, both at most 5 in
/// absolute value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a>(pub &'a [f32]);

/// Turns raw features into what the network sees: `clamp((x - mean) / std, -clip, clip)` column by column.
/// Fitted on training rows alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normaliser {
    /// Mean of each column, `[n_features]`.
    pub mean: Vec<f32>,
    /// Standard deviation of each column, above zero, `[n_features]`.
    pub std: Vec<f32>,
    /// Largest absolute value that the network sees.
    pub clip: f32,
}

impl Normaliser {
    /// Normalises one row in place, `[n_features]`.
    pub fn apply(&self, row: &mut [f32]) {
        for (x, (mean, std)) in row.iter_mut().zip(self.mean.iter().zip(&self.std)) {
            *x = ((*x - mean) / std).clamp(-self.clip, self.clip);
        }
    }
}

/// Observations with the outputs that the policy gave when it was written: a loaded policy has to give the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Inputs, `[n_probes][obs_dim]`.
    pub observations: Vec<Vec<f32>>,
    /// Logits, `[n_probes][n_actions]`.
    pub outputs: Vec<Vec<f32>>,
    /// Largest absolute difference allowed; 0 means bit for bit.
    pub tolerance: f32,
}

/// Everything that a policy needs besides its weights. It travels in the header of the weights file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Version of this structure.
    pub schema: u32,
    /// What it was trained to trade.
    pub symbol: Symbol,
    /// Length of the bars that it decides on.
    pub timeframe: Timeframe,
    /// Shape of the network.
    pub network: NetworkSpec,
    /// Whether its market closes between sessions: its features then run over the bars of sessions alone, and mean
    /// something else on a grid that never closes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sessions: bool,
    /// What it sees of the market.
    pub features: FeatureSpec,
    /// Scaling of the features.
    pub normaliser: Normaliser,
    /// Feature rows in an observation.
    pub lookback: usize,
    /// Meaning of its outputs.
    pub actions: ActionMap,
    /// Close of the last bar that entered training in any way.
    pub used_until: Timestamp,
    /// Its recorded answers.
    pub probe: Probe,
}

impl PolicySpec {
    /// The version that this code writes and reads.
    pub const SCHEMA: u32 = 1;
    /// Numbers in an observation besides the feature rows: position, unrealised return.
    pub const PORTFOLIO_INPUTS: usize = 2;

    /// Length of an observation: `lookback * n_features + 2`.
    pub fn obs_dim(&self) -> usize {
        self.lookback * self.features.width() + Self::PORTFOLIO_INPUTS
    }
}

/// Why a policy did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The observation has another length.
    #[error("the observation has {actual} numbers: the policy expects {expected}")]
    ObservationLength {
        /// What the policy expects.
        expected: usize,
        /// What it was given.
        actual: usize,
    },
    /// The network gave NaN or infinity.
    #[error("the policy's output {index} is not finite")]
    NotFinite {
        /// Which output.
        index: usize,
    },
    /// The implementation failed in its own way.
    #[error("{0}")]
    Failed(String),
}

/// A frozen model that decides.
pub trait Policy: Send + Sync {
    /// The action of largest output; the lowest index on a tie.
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError>;

    /// The actions of many observations, `[actions.len(), obs_dim]` row-major, each the one that [`act`](Self::act)
    /// gives for its row. One by one unless an implementation knows better.
    ///
    /// # Errors
    /// When a row has no answer; then `actions` says nothing, and `act` tells which row it is.
    fn act_batch(&self, observations: &[f32], actions: &mut [Action]) -> Result<(), PolicyError> {
        let width = self.spec().obs_dim();
        let (expected, actual) = (actions.len() * width, observations.len());
        if actual != expected {
            return Err(PolicyError::ObservationLength { expected, actual });
        }
        for (row, action) in observations.chunks_exact(width).zip(actions) {
            *action = self.act(Observation(row))?;
        }
        Ok(())
    }

    /// Rows that [`act_batch`](Self::act_batch) answers for clearly less than as many calls of [`act`](Self::act);
    /// 1 when it does not matter. A backtest asks for so many decisions ahead, of which it may throw some away.
    fn batch_rows(&self) -> usize {
        1
    }

    /// The probability that it gives each action, `[n_actions]`; none of a policy that gives none. For people: decisions
    /// go by [`act`](Self::act) alone.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    fn probabilities(&self, observation: Observation<'_>) -> Result<Option<Vec<f64>>, PolicyError> {
        let _ = observation;
        Ok(None)
    }

    /// What it was made for and what it needs.
    fn spec(&self) -> &PolicySpec;
}
