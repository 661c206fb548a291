//! A sum of decision trees.

use walkforward_kernels::Error;

use crate::Tensors;
use crate::frozen::numbers;

/// Decision trees of one depth, ready to answer.
///
/// A tree is complete: node `i` has the children `2i + 1` (its number is at most the threshold) and `2i + 2`, so no
/// file can make a path that doesn't end. Each tree adds its leaf to one output; the sums start at the biases and run
/// in tree order, so that the bits are the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Forest {
    inputs: usize,
    depth: usize,
    /// `[trees, 2^depth - 1]`.
    nodes: Vec<Node>,
    /// `[trees, 2^depth]`.
    leaves: Vec<f32>,
    /// The output that each tree adds to, `[trees]`.
    targets: Vec<usize>,
    /// `[outputs]`.
    bias: Vec<f32>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    feature: usize,
    threshold: f32,
}

impl Forest {
    /// The forest of tensors that were checked.
    pub(crate) fn new(inputs: usize, depth: usize, tensors: &Tensors) -> Self {
        let features = numbers(tensors, FEATURE);
        let nodes = features
            .iter()
            .zip(numbers(tensors, THRESHOLD))
            .map(|(&feature, &threshold)| Node { feature: feature as usize, threshold });
        Self {
            inputs,
            depth,
            nodes: nodes.collect(),
            leaves: numbers(tensors, LEAF).to_vec(),
            targets: numbers(tensors, OUTPUT).iter().map(|&output| output as usize).collect(),
            bias: numbers(tensors, BIAS).to_vec(),
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Answers `inputs` `[rows, inputs]` in `outputs` `[rows, outputs]`.
    pub(crate) fn forward(&self, inputs: &[f32], outputs: &mut [f32]) -> Result<(), Error> {
        let rows = inputs.len() / self.inputs;
        for (what, actual, expected) in [
            ("the input of the forest", inputs.len(), rows * self.inputs),
            ("the output of the forest", outputs.len(), rows * self.bias.len()),
        ] {
            if actual != expected {
                return Err(Error::Length { what, actual, expected });
            }
        }
        for (x, y) in inputs.chunks_exact(self.inputs).zip(outputs.chunks_exact_mut(self.bias.len())) {
            self.answer(x, y);
        }
        Ok(())
    }

    fn answer(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(&self.bias);
        let (inner, leaves) = ((1 << self.depth) - 1, 1 << self.depth);
        let trees = self.nodes.chunks_exact(inner).zip(self.leaves.chunks_exact(leaves));
        for ((nodes, leaves), &target) in trees.zip(&self.targets) {
            let mut at = 0;
            for _ in 0..self.depth {
                let Node { feature, threshold } = nodes[at];
                at = 2 * at + 1 + usize::from(x[feature] > threshold);
            }
            y[target] += leaves[at - inner];
        }
    }
}

const FEATURE: &str = "trees.feature";
const THRESHOLD: &str = "trees.threshold";
const LEAF: &str = "trees.leaf";
const OUTPUT: &str = "trees.output";
const BIAS: &str = "trees.bias";

/// Name and shape of every tensor of `trees` trees of `depth`.
pub(crate) fn forest_shapes(outputs: usize, trees: usize, depth: usize) -> Vec<(String, Vec<usize>)> {
    let (inner, leaves) = ((1 << depth) - 1, 1 << depth);
    [
        (FEATURE, vec![trees, inner]),
        (THRESHOLD, vec![trees, inner]),
        (LEAF, vec![trees, leaves]),
        (OUTPUT, vec![trees]),
        (BIAS, vec![outputs]),
    ]
    .map(|(name, shape)| (name.to_owned(), shape))
    .to_vec()
}

/// Refuses features and outputs that the network does not have; names the tensor. Shapes were checked.
pub(crate) fn check_indices(
    inputs: usize,
    outputs: usize,
    tensors: &Tensors,
) -> Result<(), (String, String)> {
    for (name, count) in [(FEATURE, inputs), (OUTPUT, outputs)] {
        let is_index = |x: &f32| x.fract() == 0.0 && *x >= 0.0 && (*x as usize) < count;
        if let Some(at) = numbers(tensors, name).iter().position(|x| !is_index(x)) {
            let reason = format!("number {at} is no index below {count}");
            return Err((name.to_owned(), reason));
        }
    }
    Ok(())
}
