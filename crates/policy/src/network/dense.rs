//! A multi-layer perceptron.

use candle_core::{D, Result, Tensor};
use walkforward_core::Activation;

use super::activate;
use super::layout::{Fresh, Layout, Take};

/// Added to the variance of a layer that is normalised.
const NORM_EPS: f64 = 1e-5;

/// Hidden layers and a linear one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense<'a> {
    /// Widths of the hidden layers.
    pub(super) hidden: &'a [usize],
    pub(super) activation: Activation,
    /// Whether hidden layers are normalised before the activation.
    pub(super) is_normalised: bool,
}

impl Dense<'_> {
    /// Layers from `inputs` to `outputs`; the last begins with `head_gain`.
    pub(super) fn declare(&self, layout: &mut Layout, inputs: usize, outputs: usize, head_gain: f64) {
        let mut width = inputs;
        for (layer, &units) in self.hidden.iter().chain(std::iter::once(&outputs)).enumerate() {
            let is_head = layer == self.hidden.len();
            let gain = if is_head { head_gain } else { std::f64::consts::SQRT_2 };
            layout.add(&format!("{layer}.weight"), &[units, width], Fresh::Orthogonal(gain));
            layout.add(&format!("{layer}.bias"), &[units], Fresh::Constant(0.0));
            if self.is_normalised && !is_head {
                layout.add(&format!("{layer}.norm.weight"), &[units], Fresh::Constant(1.0));
                layout.add(&format!("{layer}.norm.bias"), &[units], Fresh::Constant(0.0));
            }
            width = units;
        }
    }

    /// `[rows, outputs]` of `x` `[rows, inputs]`.
    pub(super) fn forward(&self, take: &mut Take<'_>, mut x: Tensor) -> Result<Tensor> {
        for _ in self.hidden {
            x = linear(take, &x)?;
            if self.is_normalised {
                x = layer_norm(take, &x)?;
            }
            x = activate(self.activation, &x)?;
        }
        linear(take, &x)
    }
}

/// `x W^T + b`, `W` `[outputs, inputs]`.
fn linear(take: &mut Take<'_>, x: &Tensor) -> Result<Tensor> {
    let (weight, bias) = (take.next()?, take.next()?);
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}

/// `(x - mean) / sqrt(variance + 1e-5) * gain + bias` in each row.
fn layer_norm(take: &mut Take<'_>, x: &Tensor) -> Result<Tensor> {
    let (gain, bias) = (take.next()?, take.next()?);
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + NORM_EPS)?.sqrt()?;
    centred.broadcast_div(&deviation)?.broadcast_mul(gain)?.broadcast_add(bias)
}
