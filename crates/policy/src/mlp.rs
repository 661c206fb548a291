//! The frozen MLP policy.

use std::cell::RefCell;

use walkforward_core::{Action, NetworkSpec, Observation, Policy, PolicyError, PolicySpec};
use walkforward_kernels::{Error, LinearWeights, PackedMlp, Scratch, argmax};

use crate::Tensors;

thread_local! {
    /// Values between layers and logits of the deciding thread, so that a decision allocates nothing.
    static SCRATCH: RefCell<(Scratch, Vec<f32>)> = RefCell::default();
}

/// A frozen multi-layer perceptron that decides. Nothing can change its weights.
#[derive(Debug, Clone)]
pub struct MlpPolicy {
    spec: PolicySpec,
    sha256: String,
    net: PackedMlp,
}

impl MlpPolicy {
    pub(crate) fn new(spec: PolicySpec, sha256: String, net: PackedMlp) -> Self {
        Self { spec, sha256, net }
    }

    /// SHA-256 of the weights file that it was read from, lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Logits of `observations` `[rows, obs_dim]` into `logits` `[rows, n_actions]`; one row is a batch of one.
    ///
    /// # Errors
    /// When a length does not fit, or an input or output is not finite.
    pub fn forward_logits(&self, observations: &[f32], logits: &mut [f32]) -> Result<(), PolicyError> {
        SCRATCH.with_borrow_mut(|(scratch, _)| self.forward(observations, logits, scratch))
    }

    fn forward(
        &self,
        observations: &[f32],
        logits: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), PolicyError> {
        if let Some(index) = observations.iter().position(|x| !x.is_finite()) {
            return Err(PolicyError::Failed(format!("number {index} of the observation is not finite")));
        }
        self.net
            .forward(observations, logits, scratch)
            .map_err(|error| PolicyError::Failed(error.to_string()))?;
        match logits.iter().position(|y| !y.is_finite()) {
            Some(index) => Err(PolicyError::NotFinite { index: index % self.net.outputs() }),
            None => Ok(()),
        }
    }
}

impl Policy for MlpPolicy {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        let (expected, actual) = (self.net.inputs(), observation.0.len());
        if actual != expected {
            return Err(PolicyError::ObservationLength { expected, actual });
        }
        SCRATCH.with_borrow_mut(|(scratch, logits)| {
            logits.resize(self.net.outputs(), 0.0);
            self.forward(observation.0, logits, scratch)?;
            let best = argmax(logits).and_then(|index| u8::try_from(index).ok());
            best.map(Action).ok_or(PolicyError::NotFinite { index: 0 })
        })
    }

    fn spec(&self) -> &PolicySpec {
        &self.spec
    }
}

/// Packs the network called `prefix`. The tensors were checked against `network`.
pub(crate) fn pack(network: &NetworkSpec, prefix: &str, tensors: &Tensors) -> Result<PackedMlp, Error> {
    let NetworkSpec::Mlp { inputs, hidden, .. } = network;
    let numbers = |layer: usize, kind: &str| -> &[f32] {
        tensors.get(&format!("{prefix}.{layer}.{kind}")).map_or(&[], |(_, data)| data)
    };
    let layers: Vec<_> = (0..=hidden.len())
        .map(|layer| LinearWeights { weight: numbers(layer, "weight"), bias: numbers(layer, "bias") })
        .collect();
    PackedMlp::new(*inputs, &layers)
}
