//! Questions whose answers are written down with the weights.

use walkforward_core::Probe;
use walkforward_kernels::{Error, Scratch};

use crate::frozen::FrozenNet;

/// Observations in a recorded probe.
const PROBES: usize = 8;

/// What `net` answers to a fixed set of observations.
pub(crate) fn record(net: &FrozenNet) -> Result<Probe, Error> {
    let observations: Vec<Vec<f32>> = (0..PROBES).map(|row| observation(row, net.inputs())).collect();
    let outputs = observations.iter().map(|x| answer(net, x)).collect::<Result<_, _>>()?;
    Ok(Probe { observations, outputs, tolerance: 0.0 })
}

/// Index of the first answer that is not the recorded one, bit for bit.
pub(crate) fn first_difference(net: &FrozenNet, probe: &Probe) -> Result<Option<usize>, Error> {
    for (row, (x, recorded)) in probe.observations.iter().zip(&probe.outputs).enumerate() {
        let same = answer(net, x)?.iter().zip(recorded).all(|(a, b)| a.to_bits() == b.to_bits());
        if !same {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn answer(net: &FrozenNet, observation: &[f32]) -> Result<Vec<f32>, Error> {
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
