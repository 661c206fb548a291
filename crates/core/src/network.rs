//! The shape of a policy network.

use serde::{Deserialize, Serialize};

/// Shape of a policy network. Every kind takes an observation, `[inputs]`, and gives a logit for each action,
/// `[outputs]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkSpec {
    /// A multi-layer perceptron: `inputs -> hidden[0] -> .. -> outputs`, one activation between layers.
    Mlp {
        /// Length of an observation.
        inputs: usize,
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// Number of actions.
        outputs: usize,
        /// Between layers.
        activation: Activation,
    },
    /// A multi-layer perceptron whose hidden layers are normalised before the activation (Ba, Kiros & Hinton 2016).
    LayerNormMlp {
        /// Length of an observation.
        inputs: usize,
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// Number of actions.
        outputs: usize,
        /// Between layers.
        activation: Activation,
    },
    /// A gated recurrent unit (Cho et al. 2014) that reads the feature rows of an observation from the oldest to the
    /// newest. Its last state and the numbers after the rows go through a multi-layer perceptron. It remembers
    /// nothing from one observation to the next.
    Gru {
        /// Length of an observation.
        inputs: usize,
        /// Feature rows in it.
        rows: usize,
        /// Length of the state.
        units: usize,
        /// Widths of the hidden layers after the unit.
        hidden: Vec<usize>,
        /// Number of actions.
        outputs: usize,
        /// Between the layers after the unit.
        activation: Activation,
    },
    /// Causal convolutions over the feature rows of an observation; layer `i` looks at rows `2^i` apart (a temporal
    /// convolutional network, Bai et al. 2018). What they make of the newest row and the numbers after the rows go
    /// through a multi-layer perceptron.
    Conv {
        /// Length of an observation.
        inputs: usize,
        /// Feature rows in it.
        rows: usize,
        /// Channels of each convolution.
        channels: Vec<usize>,
        /// Rows that one convolution looks at.
        kernel: usize,
        /// Widths of the hidden layers after the convolutions.
        hidden: Vec<usize>,
        /// Number of actions.
        outputs: usize,
        /// After each convolution and between the layers.
        activation: Activation,
    },
    /// One linear layer: `weight x + bias`.
    Linear {
        /// Length of an observation.
        inputs: usize,
        /// Number of actions.
        outputs: usize,
    },
    /// A sum of decision trees, each of which adds to one output: gradient boosting.
    Trees {
        /// Length of an observation.
        inputs: usize,
        /// Number of actions.
        outputs: usize,
        /// Number of trees.
        trees: usize,
        /// Decisions from the root of a tree to a leaf, the same on every path.
        depth: usize,
    },
}

impl NetworkSpec {
    /// Length of an observation.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Mlp { inputs, .. }
            | Self::LayerNormMlp { inputs, .. }
            | Self::Gru { inputs, .. }
            | Self::Conv { inputs, .. }
            | Self::Linear { inputs, .. }
            | Self::Trees { inputs, .. } => *inputs,
        }
    }

    /// Number of actions.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Mlp { outputs, .. }
            | Self::LayerNormMlp { outputs, .. }
            | Self::Gru { outputs, .. }
            | Self::Conv { outputs, .. }
            | Self::Linear { outputs, .. }
            | Self::Trees { outputs, .. } => *outputs,
        }
    }

    /// Its name in a specification: `mlp`, `layer_norm_mlp`, `gru`, `conv`, `linear`, `trees`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mlp { .. } => "mlp",
            Self::LayerNormMlp { .. } => "layer_norm_mlp",
            Self::Gru { .. } => "gru",
            Self::Conv { .. } => "conv",
            Self::Linear { .. } => "linear",
            Self::Trees { .. } => "trees",
        }
    }
}

/// A function between layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// The positive part: `max(x, 0)`.
    Relu,
}
