//! What decides the bits of a training by candle.
//!
//! candle picks its instructions by itself, cuts long sums by the sizes of the machine's caches, and takes `tanh` and
//! `exp` from the system's library. None of that can be asked for, but its result can: a name made from the bits that
//! the operations of a training give on this machine.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::log_softmax;
use walkforward_kernels::Isa;
use walkforward_policy::sha256_hex;

/// Beginning of every name.
const CANDLE: &str = "candle";
/// Rows of the sample. A gradient sums over them: longer than any length at which a sum may be cut on one machine and
/// not on another.
const ROWS: usize = 4_096;
/// Columns in and out; wide enough for the same path as networks of usual widths.
const WIDTHS: (usize, usize) = (40, 72);
/// Hexadecimal digits of the fingerprint.
const DIGITS: usize = 8;

/// A name for candle's arithmetic on this machine, such as `candle-avx2-5b0f3c21`. Trainings under the same name give
/// the same bits.
pub(crate) fn candle_arithmetic() -> Result<String> {
    let set = if Isa::Avx2.is_available() { Isa::Avx2 } else { Isa::Portable };
    let bits: Vec<u8> = sample()?.iter().flat_map(|number| number.to_bits().to_le_bytes()).collect();
    let digest = sha256_hex(&bits);
    Ok(format!("{CANDLE}-{}-{}", set.name(), &digest[..DIGITS]))
}

/// What a layer, its normalisation, a head and their gradients come to.
fn sample() -> Result<Vec<f32>> {
    let (inputs, outputs) = WIDTHS;
    let (x, weight) = (ramp(ROWS, inputs)?, ramp(outputs, inputs)?);
    let sums = x.matmul(&weight.t()?)?;
    let centred = sums.broadcast_sub(&sums.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
    let active = centred.broadcast_div(&deviation)?.tanh()?;
    let log_probs = log_softmax(&active, D::Minus1)?;
    let back = (log_probs.exp()? * &active)?;
    let (of_weight, of_input) = (back.t()?.matmul(&x)?, back.matmul(&weight)?);
    let parts = [of_weight, of_input.mean(0)?, active.mean(0)?, log_probs.sum(0)?, back.sum_all()?];
    let parts = parts.iter().map(|part| part.flatten_all()?.to_vec1::<f32>());
    Ok(parts.collect::<Result<Vec<_>>>()?.concat())
}

/// Numbers between -1 and 1 that need all bits of their mantissa.
fn ramp(rows: usize, columns: usize) -> Result<Tensor> {
    const STEP: f32 = 0.618_034;
    let numbers = (0..rows * columns).map(|index| (index as f32 * STEP).fract() * 2.0 - 1.0);
    Tensor::from_vec(numbers.collect::<Vec<f32>>(), (rows, columns), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_gives_itself_one_name_from_finite_numbers() {
        let name = candle_arithmetic().unwrap();
        assert!(name.starts_with("candle-") && name == candle_arithmetic().unwrap(), "{name}");
        let numbers = sample().unwrap();
        assert!(numbers.iter().all(|number| number.is_finite()));
        assert!(numbers.len() > WIDTHS.0 * WIDTHS.1);
    }
}
