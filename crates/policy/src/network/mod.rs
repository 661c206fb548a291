//! Networks in candle: those that are trained, and those that the kernels do not serve.
//!
//! A part of a network (`dense`, `recurrent`, `convolution`) declares its parameters in the order in which its forward
//! pass takes them.

mod convolution;
mod dense;
mod layout;
mod recurrent;

use candle_core::{Error, Result, Tensor};
use walkforward_core::{Activation, NetworkSpec, PolicySpec};

use dense::Dense;
use layout::Layout;
pub(crate) use layout::{Fresh, Parameter, Take};

/// Gain of the actor's last layer: small, so that a fresh policy has no opinion.
const ACTOR_HEAD_GAIN: f64 = 0.01;
const CRITIC_HEAD_GAIN: f64 = 1.0;

/// Which of the two networks over the same observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Gives logits.
    Actor,
    /// Gives a value.
    Critic,
}

impl Role {
    /// What the names of its parameters begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Critic => "critic",
        }
    }

    fn head(self, network: &NetworkSpec) -> (usize, f64) {
        match self {
            Self::Actor => (network.outputs(), ACTOR_HEAD_GAIN),
            Self::Critic => (1, CRITIC_HEAD_GAIN),
        }
    }
}

/// Whether the kernels serve `network`; candle serves the others.
pub(crate) fn has_kernels(network: &NetworkSpec) -> bool {
    match network {
        NetworkSpec::Mlp { activation, .. } => *activation == Activation::Tanh,
        NetworkSpec::Linear { .. } | NetworkSpec::Trees { .. } => true,
        NetworkSpec::LayerNormMlp { .. } | NetworkSpec::Gru { .. } | NetworkSpec::Conv { .. } => false,
    }
}

/// Whether `network` can be actor and critic of a training.
pub(crate) fn is_trained_by_gradient(network: &NetworkSpec) -> bool {
    !matches!(network, NetworkSpec::Linear { .. } | NetworkSpec::Trees { .. })
}

/// Every parameter of `network` in the order of [`forward`]; none for a kind that is no actor and critic.
pub(crate) fn parameters(network: &NetworkSpec, role: Role) -> Vec<Parameter> {
    let (outputs, gain) = role.head(network);
    let mut layout = Layout::new(role.prefix());
    match network {
        NetworkSpec::Mlp { inputs, .. } | NetworkSpec::LayerNormMlp { inputs, .. } => {
            dense(network).declare(&mut layout, *inputs, outputs, gain);
        }
        NetworkSpec::Gru { inputs, rows, units, .. } => {
            recurrent::declare(&mut layout, features(*inputs, *rows), *units);
            dense(network).declare(&mut layout, units + PolicySpec::PORTFOLIO_INPUTS, outputs, gain);
        }
        NetworkSpec::Conv { inputs, rows, channels, kernel, .. } => {
            let width = convolution::declare(&mut layout, features(*inputs, *rows), channels, *kernel);
            dense(network).declare(&mut layout, width + PolicySpec::PORTFOLIO_INPUTS, outputs, gain);
        }
        NetworkSpec::Linear { .. } | NetworkSpec::Trees { .. } => {}
    }
    layout.finish()
}

/// What `network` answers to `observations` `[rows, inputs]`: `[rows, outputs]` of the actor, `[rows, 1]` of the
/// critic. `parameters` are those of [`parameters`], in order.
pub(crate) fn forward(
    network: &NetworkSpec,
    mut parameters: Take<'_>,
    observations: &Tensor,
) -> Result<Tensor> {
    let x = match network {
        NetworkSpec::Mlp { .. } | NetworkSpec::LayerNormMlp { .. } => observations.clone(),
        NetworkSpec::Gru { inputs, rows, .. } => {
            let (sequence, rest) = split(observations, *inputs, *rows)?;
            let state = recurrent::forward(&mut parameters, &sequence)?;
            Tensor::cat(&[&state, &rest], 1)?
        }
        NetworkSpec::Conv { inputs, rows, channels, kernel, activation, .. } => {
            let (sequence, rest) = split(observations, *inputs, *rows)?;
            let newest =
                convolution::forward(&mut parameters, &sequence, channels.len(), *kernel, *activation)?;
            Tensor::cat(&[&newest, &rest], 1)?
        }
        other => return Err(Error::Msg(format!("a network of kind {} has no gradient", other.kind()))),
    };
    dense(network).forward(&mut parameters, x)
}

/// The perceptron at the end of `network`.
fn dense(network: &NetworkSpec) -> Dense<'_> {
    match network {
        NetworkSpec::LayerNormMlp { hidden, activation, .. } => {
            Dense { hidden, activation: *activation, is_normalised: true }
        }
        NetworkSpec::Mlp { hidden, activation, .. }
        | NetworkSpec::Gru { hidden, activation, .. }
        | NetworkSpec::Conv { hidden, activation, .. } => {
            Dense { hidden, activation: *activation, is_normalised: false }
        }
        NetworkSpec::Linear { .. } | NetworkSpec::Trees { .. } => {
            Dense { hidden: &[], activation: Activation::Tanh, is_normalised: false }
        }
    }
}

/// Numbers in a feature row.
fn features(inputs: usize, rows: usize) -> usize {
    inputs.saturating_sub(PolicySpec::PORTFOLIO_INPUTS) / rows.max(1)
}

/// Feature rows `[batch, rows, features]` and the numbers after them `[batch, 2]`.
fn split(observations: &Tensor, inputs: usize, rows: usize) -> Result<(Tensor, Tensor)> {
    let (batch, features) = (observations.dim(0)?, features(inputs, rows));
    let sequence = observations.narrow(1, 0, rows * features)?.reshape((batch, rows, features))?;
    let rest = observations.narrow(1, rows * features, inputs - rows * features)?;
    Ok((sequence, rest))
}

fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.relu(),
    }
}
