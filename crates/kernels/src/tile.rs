//! The forward pass itself, written once and compiled for each instruction set.
//!
//! Every function here is `inline(always)`, so that it takes the features of the function that it lands in.

use crate::mlp::{LANES, PackedLayer, Scratch};

/// Rows that share one read of the weights.
pub(crate) const TILE_ROWS: usize = 4;

/// All rows of `inputs` `[rows, n_in]` into `outputs` `[rows, n_out]`. Lengths were checked by the caller.
#[inline(always)]
pub(crate) fn forward_rows(
    layers: &[PackedLayer],
    inputs: &[f32],
    outputs: &mut [f32],
    scratch: &mut Scratch,
) {
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return };
    let (n_in, n_out) = (first.inputs, last.outputs);
    let whole = inputs.len() / n_in / TILE_ROWS * TILE_ROWS;
    let (tiled_in, rest_in) = inputs.split_at(whole * n_in);
    let (tiled_out, rest_out) = outputs.split_at_mut(whole * n_out);
    for (x, y) in tiled_in.chunks_exact(TILE_ROWS * n_in).zip(tiled_out.chunks_exact_mut(TILE_ROWS * n_out)) {
        forward_tile::<TILE_ROWS>(layers, x, y, scratch);
    }
    for (x, y) in rest_in.chunks_exact(n_in).zip(rest_out.chunks_exact_mut(n_out)) {
        forward_tile::<1>(layers, x, y, scratch);
    }
}

/// `R` rows through all layers; the scratch holds a layer's input and output, `stride` numbers a row.
#[inline(always)]
fn forward_tile<const R: usize>(layers: &[PackedLayer], x: &[f32], y: &mut [f32], scratch: &mut Scratch) {
    let stride = scratch.stride;
    for (row, padded) in x.chunks_exact(x.len() / R).zip(scratch.front.chunks_exact_mut(stride)) {
        padded[..row.len()].copy_from_slice(row);
    }
    for (index, layer) in layers.iter().enumerate() {
        let is_hidden = index + 1 < layers.len();
        layer_tile::<R>(layer, &scratch.front, &mut scratch.back, stride, is_hidden);
        std::mem::swap(&mut scratch.front, &mut scratch.back);
    }
    for (row, padded) in y.chunks_exact_mut(y.len() / R).zip(scratch.front.chunks_exact(stride)) {
        row.copy_from_slice(&padded[..row.len()]);
    }
}

/// One layer for `R` rows. An output is its bias plus the products in index order, each fused.
#[inline(always)]
fn layer_tile<const R: usize>(
    layer: &PackedLayer,
    front: &[f32],
    back: &mut [f32],
    stride: usize,
    is_hidden: bool,
) {
    let mut rows: [&[f32]; R] = [&[]; R];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = &front[r * stride..r * stride + layer.inputs];
    }
    for (block, bias) in layer.bias.iter().enumerate() {
        let weights = &layer.weight[block * layer.inputs..(block + 1) * layer.inputs];
        let mut sums = [*bias; R];
        for (k, lanes) in weights.iter().enumerate() {
            for r in 0..R {
                let x = rows[r][k];
                for lane in 0..LANES {
                    sums[r][lane] = x.mul_add(lanes[lane], sums[r][lane]);
                }
            }
        }
        for (r, sum) in sums.iter_mut().enumerate() {
            if is_hidden {
                for lane in sum.iter_mut() {
                    *lane = crate::tanh(*lane);
                }
            }
            let at = r * stride + block * LANES;
            back[at..at + LANES].copy_from_slice(sum);
        }
    }
}
