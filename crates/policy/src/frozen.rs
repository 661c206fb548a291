//! The frozen policy: a network that nobody can change any more.

use std::cell::RefCell;

use candle_core::{Device, Tensor};
use walkforward_core::{Action, NetworkSpec, Observation, Policy, PolicyError, PolicySpec};
use walkforward_kernels::{Error, LinearWeights, PackedMlp, Scratch, argmax};

use crate::Tensors;
use crate::forest::Forest;
use crate::network::{Parameter, Role, Take, forward, has_kernels, parameters};

/// Rows of a perceptron from which on a row costs no less: enough to keep the arithmetic units busy.
const DENSE_BATCH_ROWS: usize = 4;

thread_local! {
    /// Values between layers and logits of the deciding thread, so that a decision allocates nothing.
    static SCRATCH: RefCell<(Scratch, Vec<f32>)> = RefCell::default();
}

/// A frozen network with its specification: it decides, and nothing can change its weights.
#[derive(Debug, Clone)]
pub struct FrozenPolicy {
    spec: PolicySpec,
    sha256: String,
    net: FrozenNet,
}

impl FrozenPolicy {
    pub(crate) fn new(spec: PolicySpec, sha256: String, net: FrozenNet) -> Self {
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
        if let Some(index) = not_finite(observations) {
            return Err(PolicyError::Failed(format!("number {index} of the observation is not finite")));
        }
        self.net.forward(observations, logits, scratch)?;
        match not_finite(logits) {
            Some(index) => Err(PolicyError::NotFinite { index: index % self.net.outputs() }),
            None => Ok(()),
        }
    }
}

impl Policy for FrozenPolicy {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        let (expected, actual) = (self.net.inputs(), observation.0.len());
        if actual != expected {
            return Err(PolicyError::ObservationLength { expected, actual });
        }
        SCRATCH.with_borrow_mut(|(scratch, logits)| {
            logits.resize(self.net.outputs(), 0.0);
            self.forward(observation.0, logits, scratch)?;
            largest(logits)
        })
    }

    fn act_batch(&self, observations: &[f32], actions: &mut [Action]) -> Result<(), PolicyError> {
        let (expected, actual) = (actions.len() * self.net.inputs(), observations.len());
        if actual != expected {
            return Err(PolicyError::ObservationLength { expected, actual });
        }
        let outputs = self.net.outputs();
        SCRATCH.with_borrow_mut(|(scratch, logits)| {
            logits.resize(actions.len() * outputs, 0.0);
            self.forward(observations, logits, scratch)?;
            for (row, action) in logits.chunks_exact(outputs).zip(actions) {
                *action = largest(row)?;
            }
            Ok(())
        })
    }

    fn batch_rows(&self) -> usize {
        match self.net {
            FrozenNet::Dense(_) => DENSE_BATCH_ROWS,
            FrozenNet::Trees(_) | FrozenNet::Candle(_) => 1,
        }
    }

    /// The softmax of the outputs, which is what PPO trains them to be; none of networks whose outputs are scores.
    fn probabilities(&self, observation: Observation<'_>) -> Result<Option<Vec<f64>>, PolicyError> {
        let (expected, actual) = (self.net.inputs(), observation.0.len());
        if actual != expected {
            return Err(PolicyError::ObservationLength { expected, actual });
        }
        if matches!(self.spec.network, NetworkSpec::Linear { .. } | NetworkSpec::Trees { .. }) {
            return Ok(None);
        }
        let mut logits = vec![0.0; self.net.outputs()];
        self.forward_logits(observation.0, &mut logits)?;
        Ok(Some(softmax(&logits)))
    }

    fn spec(&self) -> &PolicySpec {
        &self.spec
    }
}

/// `exp(x) / sum of exp(x)`, computed with the largest taken off first, so that nothing overflows.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Index of the first number that is not finite. The usual answer, none, is found without a branch for each number.
fn not_finite(numbers: &[f32]) -> Option<usize> {
    let all_finite = numbers.iter().fold(true, |all, x| all & x.is_finite());
    if all_finite { None } else { numbers.iter().position(|x| !x.is_finite()) }
}

/// The action of the largest of `logits`.
fn largest(logits: &[f32]) -> Result<Action, PolicyError> {
    let best = argmax(logits).and_then(|index| u8::try_from(index).ok());
    best.map(Action).ok_or(PolicyError::NotFinite { index: 0 })
}

/// A network in the form in which it answers. A row's answer does not depend on the rows beside it, and but for
/// `Candle` it has the same bits on every machine.
#[derive(Debug, Clone)]
pub(crate) enum FrozenNet {
    /// A multi-layer perceptron, or a single linear layer.
    Dense(PackedMlp),
    Trees(Forest),
    /// What the kernels do not serve.
    Candle(CandleNet),
}

impl FrozenNet {
    /// The network of `spec` that decides. The tensors were checked against it.
    pub(crate) fn new(network: &NetworkSpec, tensors: &Tensors) -> Result<Self, PolicyError> {
        if !has_kernels(network) {
            return CandleNet::new(network, tensors).map(Self::Candle).map_err(failed);
        }
        Ok(match network {
            NetworkSpec::Linear { inputs, .. } => {
                let layer = LinearWeights {
                    weight: numbers(tensors, "linear.weight"),
                    bias: numbers(tensors, "linear.bias"),
                };
                Self::Dense(PackedMlp::new(*inputs, &[layer]).map_err(failed)?)
            }
            NetworkSpec::Trees { inputs, depth, .. } => Self::Trees(Forest::new(*inputs, *depth, tensors)),
            NetworkSpec::Mlp { inputs, hidden, .. }
            | NetworkSpec::LayerNormMlp { inputs, hidden, .. }
            | NetworkSpec::Gru { inputs, hidden, .. }
            | NetworkSpec::Conv { inputs, hidden, .. } => {
                Self::Dense(pack_mlp(*inputs, hidden.len(), Role::Actor.prefix(), tensors).map_err(failed)?)
            }
        })
    }

    pub(crate) fn inputs(&self) -> usize {
        match self {
            Self::Dense(net) => net.inputs(),
            Self::Trees(forest) => forest.inputs(),
            Self::Candle(net) => net.network.inputs(),
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::Dense(net) => net.outputs(),
            Self::Trees(forest) => forest.outputs(),
            Self::Candle(net) => net.network.outputs(),
        }
    }

    /// Answers `inputs` `[rows, inputs]` in `outputs` `[rows, outputs]`.
    pub(crate) fn forward(
        &self,
        inputs: &[f32],
        outputs: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), PolicyError> {
        match self {
            Self::Dense(net) => net.forward(inputs, outputs, scratch).map_err(failed),
            Self::Trees(forest) => forest.forward(inputs, outputs).map_err(failed),
            Self::Candle(net) => net.answer(inputs, outputs),
        }
    }
}

fn failed(error: impl ToString) -> PolicyError {
    PolicyError::Failed(error.to_string())
}

/// The actor of a network that candle serves.
#[derive(Debug, Clone)]
pub(crate) struct CandleNet {
    network: NetworkSpec,
    parameters: Vec<Tensor>,
}

impl CandleNet {
    fn new(network: &NetworkSpec, tensors: &Tensors) -> candle_core::Result<Self> {
        let tensor = |Parameter { name, shape, .. }: Parameter| {
            Tensor::from_slice(numbers(tensors, &name), shape, &Device::Cpu)
        };
        let parameters =
            parameters(network, Role::Actor).into_iter().map(tensor).collect::<Result<_, _>>()?;
        Ok(Self { network: network.clone(), parameters })
    }

    /// Row by row: candle sums in another order in larger batches, and a backtest has to decide as the trader does.
    fn answer(&self, inputs: &[f32], outputs: &mut [f32]) -> Result<(), PolicyError> {
        let (width, count) = (self.network.inputs(), self.network.outputs());
        let rows = inputs.len() / width;
        if (inputs.len(), outputs.len()) != (rows * width, rows * count) {
            let (given, room) = (inputs.len(), outputs.len());
            let fits =
                format!("{given} numbers and room for {room}: expected {width} and {count} for each row");
            return Err(PolicyError::Failed(fits));
        }
        for (x, y) in inputs.chunks_exact(width).zip(outputs.chunks_exact_mut(count)) {
            y.copy_from_slice(&self.answer_row(x).map_err(failed)?);
        }
        Ok(())
    }

    fn answer_row(&self, x: &[f32]) -> candle_core::Result<Vec<f32>> {
        let x = Tensor::from_slice(x, (1, x.len()), &Device::Cpu)?;
        forward(&self.network, Take::new(self.parameters.iter()), &x)?.flatten_all()?.to_vec1()
    }
}

/// Packs the perceptron called `prefix` with `hidden` hidden layers. The tensors were checked.
pub(crate) fn pack_mlp(
    inputs: usize,
    hidden: usize,
    prefix: &str,
    tensors: &Tensors,
) -> Result<PackedMlp, Error> {
    let names: Vec<[String; 2]> = (0..=hidden)
        .map(|layer| [format!("{prefix}.{layer}.weight"), format!("{prefix}.{layer}.bias")])
        .collect();
    let layers: Vec<_> = names
        .iter()
        .map(|[weight, bias]| LinearWeights {
            weight: numbers(tensors, weight),
            bias: numbers(tensors, bias),
        })
        .collect();
    PackedMlp::new(inputs, &layers)
}

/// The numbers of a tensor; none when it is absent.
pub(crate) fn numbers<'a>(tensors: &'a Tensors, name: &str) -> &'a [f32] {
    tensors.get(name).map_or(&[], |(_, data)| data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_the_softmax_of_the_outputs_however_large_they_are() {
        let known = |logits: &[f32], expected: &[f64]| {
            for (actual, expected) in softmax(logits).iter().zip(expected) {
                assert!((actual - expected).abs() < 1e-9, "{actual} {expected}");
            }
        };
        known(&[0.0, 0.0], &[0.5, 0.5]);
        known(
            &[0.0, 0.0, 1.0],
            &[1.0 / (2.0 + 1f64.exp()), 1.0 / (2.0 + 1f64.exp()), 1f64.exp() / (2.0 + 1f64.exp())],
        );
        known(&[3e38, 0.0], &[1.0, 0.0]);
        known(&[-3e38, -3e38], &[0.5, 0.5]);
    }
}
