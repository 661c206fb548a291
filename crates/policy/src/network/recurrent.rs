//! A gated recurrent unit.

use candle_core::{Result, Tensor};

use super::layout::{Fresh, Layout, Take};

/// Reset gate, update gate and candidate state, one after the other in each parameter.
const GATES: usize = 3;
const GAIN: f64 = 1.0;

pub(super) fn declare(layout: &mut Layout, features: usize, units: usize) {
    layout.add("gru.weight_ih", &[GATES * units, features], Fresh::Orthogonal(GAIN));
    layout.add("gru.weight_hh", &[GATES * units, units], Fresh::Orthogonal(GAIN));
    layout.add("gru.bias_ih", &[GATES * units], Fresh::Constant(0.0));
    layout.add("gru.bias_hh", &[GATES * units], Fresh::Constant(0.0));
}

/// The state `[batch, units]` after all rows of `sequence` `[batch, rows, features]`, from a state of zeros.
///
/// `r = s(W_ir x + W_hr h)`, `z = s(W_iz x + W_hz h)`, `n = tanh(W_in x + r (W_hn h))`, `h = (1 - z) n + z h`, each
/// product with its bias: the form that PyTorch calls `GRU`.
pub(super) fn forward(take: &mut Take<'_>, sequence: &Tensor) -> Result<Tensor> {
    let (weight_ih, weight_hh) = (take.next()?, take.next()?);
    let (bias_ih, bias_hh) = (take.next()?, take.next()?);
    let (batch, rows, features) = sequence.dims3()?;
    let units = weight_hh.dim(1)?;
    let inputs = sequence.reshape((batch * rows, features))?.matmul(&weight_ih.t()?)?;
    let inputs = inputs.broadcast_add(bias_ih)?.reshape((batch, rows, GATES * units))?;
    let weight_hh = weight_hh.t()?;
    let mut state = Tensor::zeros((batch, units), sequence.dtype(), sequence.device())?;
    for row in 0..rows {
        let input = inputs.narrow(1, row, 1)?.squeeze(1)?;
        let hidden = state.matmul(&weight_hh)?.broadcast_add(bias_hh)?;
        let gate = |x: &Tensor, index: usize| x.narrow(1, index * units, units);
        let reset = sigmoid(&(gate(&input, 0)? + gate(&hidden, 0)?)?)?;
        let update = sigmoid(&(gate(&input, 1)? + gate(&hidden, 1)?)?)?;
        let candidate = (gate(&input, 2)? + (reset * gate(&hidden, 2)?)?)?.tanh()?;
        // (1 - z) n + z h
        state = (&candidate + (update * (state - &candidate)?)?)?;
    }
    Ok(state)
}

/// `1 / (1 + e^-x)`, through `tanh`, which can't overflow.
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? + 1.0)? * 0.5
}
