//! Causal convolutions over feature rows.

use candle_core::{Result, Tensor};
use walkforward_core::Activation;

use super::activate;
use super::layout::{Fresh, Layout, Take};

/// Declares all convolutions; gives the channels of the last.
pub(super) fn declare(layout: &mut Layout, features: usize, channels: &[usize], kernel: usize) -> usize {
    let mut width = features;
    for (layer, &count) in channels.iter().enumerate() {
        let gain = std::f64::consts::SQRT_2;
        layout.add(&format!("conv.{layer}.weight"), &[count, width, kernel], Fresh::Orthogonal(gain));
        layout.add(&format!("conv.{layer}.bias"), &[count], Fresh::Constant(0.0));
        width = count;
    }
    width
}

/// What `layers` convolutions make of the newest row, `[batch, channels]`, out of `sequence`
/// `[batch, rows, features]`.
///
/// Tap `k - 1 - j` of layer `i` looks `j 2^i` rows back; rows before the first are zero. Written as one product for
/// each tap, whose sums have a fixed order.
pub(super) fn forward(
    take: &mut Take<'_>,
    sequence: &Tensor,
    layers: usize,
    kernel: usize,
    activation: Activation,
) -> Result<Tensor> {
    let (batch, rows, _) = sequence.dims3()?;
    let mut x = sequence.clone();
    for layer in 0..layers {
        let (weight, bias) = (take.next()?, take.next()?);
        let (channels, width, _) = weight.dims3()?;
        let mut sum = Tensor::zeros((batch * rows, channels), x.dtype(), x.device())?;
        for back in 0..kernel {
            let shift = back << layer;
            if shift >= rows {
                break;
            }
            let past = x.narrow(1, 0, rows - shift)?.pad_with_zeros(1, shift, 0)?;
            let tap = weight.narrow(2, kernel - 1 - back, 1)?.squeeze(2)?;
            sum = (sum + past.reshape((batch * rows, width))?.matmul(&tap.t()?)?)?;
        }
        x = activate(activation, &sum.broadcast_add(bias)?)?.reshape((batch, rows, channels))?;
    }
    x.narrow(1, rows - 1, 1)?.squeeze(1)
}
