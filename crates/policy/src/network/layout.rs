//! The parameters of a network: declared in order, taken in order.

use candle_core::{Error, Result, Tensor};

/// How a parameter begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fresh {
    /// Orthogonal with this gain; what has more than two dimensions as a matrix of its first by all others.
    Orthogonal(f64),
    /// All the same.
    Constant(f32),
}

/// One tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) fresh: Fresh,
}

/// The parameters of one network as they are declared.
#[derive(Debug)]
pub(super) struct Layout {
    prefix: &'static str,
    parameters: Vec<Parameter>,
}

impl Layout {
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, parameters: Vec::new() }
    }

    pub(super) fn add(&mut self, name: &str, shape: &[usize], fresh: Fresh) {
        let name = format!("{}.{name}", self.prefix);
        self.parameters.push(Parameter { name, shape: shape.to_vec(), fresh });
    }

    pub(super) fn finish(self) -> Vec<Parameter> {
        self.parameters
    }
}

/// Hands out the tensors of one network in the order of their declaration.
pub(crate) struct Take<'a>(Box<dyn Iterator<Item = &'a Tensor> + 'a>);

impl<'a> Take<'a> {
    pub(crate) fn new(tensors: impl Iterator<Item = &'a Tensor> + 'a) -> Self {
        Self(Box::new(tensors))
    }

    pub(super) fn next(&mut self) -> Result<&'a Tensor> {
        self.0.next().ok_or_else(|| Error::Msg("the network has fewer tensors than it declares".to_owned()))
    }
}
