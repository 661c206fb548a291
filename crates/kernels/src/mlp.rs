//! A multi-layer perceptron whose weights lie in the order in which they are read.

use crate::aligned::AlignedVec;
use crate::error::{Error, check_len};
use crate::gemm::{LANES, Left, Sizes, Start, multiply, padded};
use crate::isa::{Checked, Isa, multiversion};
use crate::simd::Simd;

/// Rows that go through all layers together.
const TILE_ROWS: usize = 12;

/// Weights of one linear layer as they are trained and stored.
#[derive(Debug, Clone, Copy)]
pub struct LinearWeights<'a> {
    /// `[outputs, inputs]`, row-major.
    pub weight: &'a [f32],
    /// `[outputs]`.
    pub bias: &'a [f32],
}

#[derive(Debug, Clone)]
struct PackedLayer {
    inputs: usize,
    outputs: usize,
    /// `[inputs, padded outputs]`; lanes beyond `outputs` are zero.
    weight: AlignedVec,
    /// `[padded outputs]`.
    bias: AlignedVec,
}

impl PackedLayer {
    fn new(inputs: usize, layer: &LinearWeights<'_>) -> Result<Self, Error> {
        let outputs = layer.bias.len();
        if outputs == 0 {
            return Err(Error::Empty { what: "outputs in a layer" });
        }
        check_len("the weight of a layer", layer.weight.len(), inputs.saturating_mul(outputs))?;
        let width = padded(outputs);
        let (mut weight, mut bias) = (AlignedVec::zeros(inputs * width), AlignedVec::zeros(width));
        bias[..outputs].copy_from_slice(layer.bias);
        for (output, row) in layer.weight.chunks_exact(inputs).enumerate() {
            for (input, &w) in row.iter().enumerate() {
                weight[input * width + output] = w;
            }
        }
        Ok(Self { inputs, outputs, weight, bias })
    }
}

/// Room for the values between layers. It can be kept between calls and fits any network: it grows when it must.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    front: AlignedVec,
    back: AlignedVec,
}

impl Scratch {
    fn fit(&mut self, width: usize) {
        if self.front.len() < TILE_ROWS * width {
            self.front = AlignedVec::zeros(TILE_ROWS * width);
            self.back = AlignedVec::zeros(TILE_ROWS * width);
        }
    }
}

multiversion! {
    fn run = forward_rows(layers: &[PackedLayer], inputs: &[f32], outputs: &mut [f32], scratch: &mut Scratch);
}

/// All rows of `inputs` `[rows, n_in]` into `outputs` `[rows, n_out]`. Lengths were checked by the caller.
#[inline(always)]
fn forward_rows<S: Simd>(
    simd: S,
    layers: &[PackedLayer],
    inputs: &[f32],
    outputs: &mut [f32],
    scratch: &mut Scratch,
) {
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return };
    let (n_in, n_out) = (first.inputs, last.outputs);
    for (x, y) in inputs.chunks(TILE_ROWS * n_in).zip(outputs.chunks_mut(TILE_ROWS * n_out)) {
        forward_tile(simd, layers, x, scratch);
        for (row, values) in y.chunks_exact_mut(n_out).zip(scratch.front.chunks_exact(padded(n_out))) {
            row.copy_from_slice(&values[..n_out]);
        }
    }
}

/// A few rows through all layers, into the front of the scratch.
#[inline(always)]
fn forward_tile<S: Simd>(simd: S, layers: &[PackedLayer], x: &[f32], scratch: &mut Scratch) {
    let rows = layers.first().map_or(0, |first| x.len() / first.inputs);
    for (index, layer) in layers.iter().enumerate() {
        let width = layer.bias.len();
        let sizes = Sizes { m: rows, k: layer.inputs, vectors: width / LANES };
        let left = match index {
            0 => Left::Rows { numbers: x, stride: layer.inputs },
            _ => Left::Rows { numbers: &scratch.front, stride: padded(layer.inputs) },
        };
        multiply(simd, sizes, left, &layer.weight, Start::Row(&layer.bias), &mut scratch.back);
        if index + 1 < layers.len() {
            for value in scratch.back[..rows * width].iter_mut() {
                *value = crate::tanh(*value);
            }
        }
        std::mem::swap(&mut scratch.front, &mut scratch.back);
    }
}

/// A multi-layer perceptron with [`tanh`](crate::tanh) between its layers, ready to answer. It never changes.
#[derive(Debug, Clone)]
pub struct PackedMlp {
    layers: Vec<PackedLayer>,
    isa: Checked,
    /// Widest padded layer.
    width: usize,
}

impl PackedMlp {
    /// Packs `layers`, the first of which takes `inputs` numbers.
    ///
    /// # Errors
    /// When there is no layer or input, or a weight does not have `outputs * inputs` numbers.
    pub fn new(inputs: usize, layers: &[LinearWeights<'_>]) -> Result<Self, Error> {
        if inputs == 0 {
            return Err(Error::Empty { what: "inputs" });
        }
        if layers.is_empty() {
            return Err(Error::Empty { what: "layers" });
        }
        let mut packed = Vec::with_capacity(layers.len());
        let (mut inputs, mut width) = (inputs, LANES);
        for layer in layers {
            let layer = PackedLayer::new(inputs, layer)?;
            inputs = layer.outputs;
            width = width.max(layer.bias.len());
            packed.push(layer);
        }
        Ok(Self { layers: packed, isa: Checked::detect(), width })
    }

    /// The same network on another instruction set; `None` when this machine does not have it.
    pub fn with_isa(mut self, isa: Isa) -> Option<Self> {
        self.isa = Checked::new(isa)?;
        Some(self)
    }

    /// The instruction set that it runs on.
    pub fn isa(&self) -> Isa {
        self.isa.isa()
    }

    /// Length of a row of inputs.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    /// Length of a row of outputs.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    /// Room of the right size for this network.
    pub fn scratch(&self) -> Scratch {
        let mut scratch = Scratch::default();
        scratch.fit(self.width);
        scratch
    }

    /// Answers `inputs` `[rows, inputs]` in `outputs` `[rows, outputs]`, row-major; one row is a batch of one.
    ///
    /// A row's answer has the same bits whatever the batch and its place in it.
    ///
    /// # Errors
    /// When `inputs` is no whole number of rows or `outputs` has not as many.
    pub fn forward(&self, inputs: &[f32], outputs: &mut [f32], scratch: &mut Scratch) -> Result<(), Error> {
        let rows = inputs.len() / self.inputs();
        check_len("the input of the network", inputs.len(), rows * self.inputs())?;
        check_len("the output of the network", outputs.len(), rows * self.outputs())?;
        scratch.fit(self.width);
        run(self.isa, &self.layers, inputs, outputs, scratch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ISAS: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// A network of the given widths and rows for it, from a counter.
    fn numbers(count: usize, salt: u32, scale: f32) -> Vec<f32> {
        let mix = |i: u32| (i.wrapping_add(salt).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32;
        (0..count as u32).map(|i| (mix(i) - 0.5) * scale).collect()
    }

    fn network(widths: &[usize], salt: u32) -> PackedMlp {
        let tensors: Vec<(Vec<f32>, Vec<f32>)> = widths
            .windows(2)
            .map(|w| (numbers(w[0] * w[1], salt, 1.0), numbers(w[1], salt ^ 7, 0.5)))
            .collect();
        let layers: Vec<_> = tensors.iter().map(|(weight, bias)| LinearWeights { weight, bias }).collect();
        PackedMlp::new(widths[0], &layers).unwrap()
    }

    fn bits(net: &PackedMlp, inputs: &[f32]) -> Vec<u32> {
        let mut outputs = vec![0.0; inputs.len() / net.inputs() * net.outputs()];
        net.forward(inputs, &mut outputs, &mut net.scratch()).unwrap();
        outputs.iter().map(|y| y.to_bits()).collect()
    }

    #[test]
    fn a_two_layer_network_follows_its_formula() {
        let hidden = LinearWeights { weight: &[0.5, -1.0, 2.0, 0.25], bias: &[0.1, -0.2] };
        let head = LinearWeights { weight: &[1.5, -0.5], bias: &[0.3] };
        let net = PackedMlp::new(2, &[hidden, head]).unwrap();
        let mut output = [0.0];
        net.forward(&[0.4, -0.6], &mut output, &mut net.scratch()).unwrap();
        let h0 = (0.5f64 * 0.4 + 0.6 + 0.1).tanh();
        let h1 = (2.0f64 * 0.4 - 0.25 * 0.6 - 0.2).tanh();
        assert!((f64::from(output[0]) - (1.5 * h0 - 0.5 * h1 + 0.3)).abs() < 1e-6);
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let short = LinearWeights { weight: &[1.0], bias: &[0.0] };
        assert!(matches!(PackedMlp::new(2, &[short]), Err(Error::Length { .. })));
        assert!(matches!(PackedMlp::new(0, &[short]), Err(Error::Empty { .. })));
        assert!(matches!(PackedMlp::new(1, &[]), Err(Error::Empty { .. })));
        let net = PackedMlp::new(1, &[short]).unwrap();
        assert!(net.forward(&[1.0], &mut [0.0; 2], &mut net.scratch()).is_err());
        let wide = network(&[3, 2], 1);
        assert!(wide.forward(&[1.0; 4], &mut [0.0; 2], &mut wide.scratch()).is_err());
    }

    #[test]
    fn a_scratch_of_another_network_still_fits() {
        let (small, large) = (network(&[2, 3, 2], 1), network(&[40, 33, 5], 2));
        let mut scratch = small.scratch();
        let mut outputs = [0.0; 5];
        large.forward(&numbers(40, 3, 2.0), &mut outputs, &mut scratch).unwrap();
        let expected = bits(&large, &numbers(40, 3, 2.0));
        assert_eq!(outputs.map(f32::to_bits).to_vec(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_instruction_set_gives_the_same_bits(
            widths in proptest::collection::vec(1usize..40, 2..5),
            rows in 1usize..11,
            salt in any::<u32>(),
        ) {
            let net = network(&widths, salt);
            let inputs = numbers(rows * widths[0], salt ^ 99, 6.0);
            let reference = bits(&net.clone().with_isa(Isa::Portable).unwrap(), &inputs);
            for isa in ISAS {
                if let Some(other) = net.clone().with_isa(isa) {
                    prop_assert_eq!(&bits(&other, &inputs), &reference, "{:?}", isa);
                }
            }
        }

        #[test]
        fn a_row_does_not_depend_on_its_batch(
            widths in proptest::collection::vec(1usize..40, 2..5),
            rows in 1usize..11,
            salt in any::<u32>(),
        ) {
            let net = network(&widths, salt);
            let inputs = numbers(rows * widths[0], salt ^ 5, 6.0);
            let batch = bits(&net, &inputs);
            let one_by_one: Vec<u32> =
                inputs.chunks_exact(widths[0]).flat_map(|row| bits(&net, row)).collect();
            prop_assert_eq!(batch, one_by_one);
        }
    }
}
