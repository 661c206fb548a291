//! Questions whose answers are written down with the weights.

use walkforward_core::{PolicyError, Probe};
use walkforward_kernels::Scratch;

use crate::frozen::FrozenNet;

/// Observations in a recorded probe.
const PROBES: usize = 8;
/// Largest difference from a recorded answer where candle computes: another machine may sum in another order.
const CANDLE_TOLERANCE: f32 = 1.0 / 8192.0;

/// What `net` answers to a fixed set of observations.
pub(crate) fn record(net: &FrozenNet) -> Result<Probe, PolicyError> {
    let observations: Vec<Vec<f32>> = (0..PROBES).map(|row| observation(row, net.inputs())).collect();
    let outputs = observations.iter().map(|x| answer(net, x)).collect::<Result<_, _>>()?;
    let tolerance = if matches!(net, FrozenNet::Candle(_)) { CANDLE_TOLERANCE } else { 0.0 };
    Ok(Probe { observations, outputs, tolerance })
}

/// Index of the first answer that is not the recorded one: bit for bit, or within the tolerance where there is one.
pub(crate) fn first_difference(net: &FrozenNet, probe: &Probe) -> Result<Option<usize>, PolicyError> {
    let is_same = |a: f32, b: f32| match probe.tolerance {
        0.0 => a.to_bits() == b.to_bits(),
        tolerance => (a - b).abs() <= tolerance,
    };
    for (row, (x, recorded)) in probe.observations.iter().zip(&probe.outputs).enumerate() {
        if !answer(net, x)?.iter().zip(recorded).all(|(&a, &b)| is_same(a, b)) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn answer(net: &FrozenNet, observation: &[f32]) -> Result<Vec<f32>, PolicyError> {
    let mut outputs = vec![0.0; net.outputs()];
    net.forward(observation, &mut outputs, &mut Scratch::default())?;
    Ok(outputs)
}

/// Numbers in [-2, 2) in steps of 1/1024, mixed from row and column, the same everywhere and for ever.
fn observation(row: usize, inputs: usize) -> Vec<f32> {
    let mixed = |column: usize| {
        let x = (row as u32 + 1).wrapping_mul(0x9E37_79B9) ^ (column as u32 + 1).wrapping_mul(0x85EB_CA6B);
        let x = (x ^ (x >> 15)).wrapping_mul(0x2C1B_3C6D);
        x ^ (x >> 13)
    };
    (0..inputs).map(|column| (mixed(column) & 0xFFF) as f32 / 1024.0 - 2.0).collect()
}
