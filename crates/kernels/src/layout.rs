//! Where the parameters of actor and critic lie while they are trained.

use crate::error::Error;
use crate::gemm::padded;

/// Which dimension of a weight runs across lanes. The other one needs no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Across {
    /// `[inputs, padded outputs]`: hidden layers.
    Outputs,
    /// `[outputs, padded inputs]`: heads, whose few outputs would leave lanes empty.
    Inputs,
}

/// One linear layer; positions count numbers.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) across: Across,
    /// Where the weight begins among the parameters.
    pub(crate) weight: usize,
    /// Where the bias, `[padded outputs]`, begins among the parameters.
    pub(crate) bias: usize,
    /// Where the transposed weight begins among the transposed ones; none where nothing reads it.
    pub(crate) turned: Option<usize>,
}

impl Layer {
    pub(crate) fn in_width(&self) -> usize {
        padded(self.inputs)
    }

    pub(crate) fn out_width(&self) -> usize {
        padded(self.outputs)
    }

    /// Numbers of the weight as it lies among the parameters.
    pub(crate) fn weight_len(&self) -> usize {
        match self.across {
            Across::Outputs => self.inputs * self.out_width(),
            Across::Inputs => self.outputs * self.in_width(),
        }
    }

    fn turned_len(&self) -> usize {
        match self.across {
            Across::Outputs => self.outputs * self.in_width(),
            Across::Inputs => self.inputs * self.out_width(),
        }
    }

    /// Position of the weight from `input` to `output`.
    fn at(&self, output: usize, input: usize) -> usize {
        self.weight
            + match self.across {
                Across::Outputs => input * self.out_width() + output,
                Across::Inputs => output * self.in_width() + input,
            }
    }

    /// Writes the transposed weight.
    pub(crate) fn turn(&self, parameters: &[f32], turned: &mut [f32]) {
        let Some(start) = self.turned else { return };
        let weight = &parameters[self.weight..self.weight + self.weight_len()];
        let turned = &mut turned[start..start + self.turned_len()];
        let (from, to, columns) = match self.across {
            Across::Outputs => (self.out_width(), self.in_width(), self.outputs),
            Across::Inputs => (self.in_width(), self.out_width(), self.inputs),
        };
        for (row, values) in weight.chunks_exact(from).enumerate() {
            for (column, &value) in values[..columns].iter().enumerate() {
                turned[column * to + row] = value;
            }
        }
    }
}

/// Widths of an actor and a critic: `inputs -> hidden[0] -> .. -> actions`, and the same to one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorCriticShape {
    /// Length of an observation.
    pub inputs: usize,
    /// Widths of the hidden layers of each.
    pub hidden: Vec<usize>,
    /// Number of actions.
    pub actions: usize,
}

impl ActorCriticShape {
    /// Numbers in all weights and biases.
    pub fn parameter_count(&self) -> usize {
        let widths =
            |outputs| std::iter::once(self.inputs).chain(self.hidden.iter().copied()).chain([outputs]);
        let count = |outputs| -> usize {
            widths(outputs).zip(widths(outputs).skip(1)).map(|(from, to)| (from + 1) * to).sum()
        };
        count(self.actions) + count(1)
    }
}

/// Layers of both networks over one run of parameters, in which padding is zero and stays zero.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) actor: Vec<Layer>,
    pub(crate) critic: Vec<Layer>,
    /// Numbers of all parameters, padding included.
    pub(crate) len: usize,
    /// Numbers of all transposed weights.
    pub(crate) turned_len: usize,
}

impl Layout {
    pub(crate) fn new(shape: &ActorCriticShape) -> Result<Self, Error> {
        let widths = [shape.inputs, shape.actions].into_iter().chain(shape.hidden.iter().copied());
        if widths.into_iter().any(|width| width == 0) {
            return Err(Error::Empty { what: "inputs or outputs in a layer" });
        }
        let mut layout = Self { actor: Vec::new(), critic: Vec::new(), len: 0, turned_len: 0 };
        layout.actor = layout.network(shape, shape.actions);
        layout.critic = layout.network(shape, 1);
        Ok(layout)
    }

    fn network(&mut self, shape: &ActorCriticShape, outputs: usize) -> Vec<Layer> {
        let mut layers = Vec::with_capacity(shape.hidden.len() + 1);
        let mut inputs = shape.inputs;
        for (index, &outputs) in shape.hidden.iter().chain([&outputs]).enumerate() {
            let across = if index == shape.hidden.len() { Across::Inputs } else { Across::Outputs };
            let mut layer = Layer { inputs, outputs, across, weight: self.len, bias: 0, turned: None };
            layer.bias = layer.weight + layer.weight_len();
            self.len = layer.bias + layer.out_width();
            // The first hidden layer passes no gradient on, so nothing reads its transposed weight.
            if index > 0 || across == Across::Inputs {
                layer.turned = Some(self.turned_len);
                self.turned_len += layer.turned_len();
            }
            inputs = outputs;
            layers.push(layer);
        }
        layers
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.actor.iter().chain(&self.critic)
    }

    /// Position of every number of the flat order (each layer's weight `[outputs, inputs]`, then its bias; actor
    /// first) among the parameters.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.layers().flat_map(|layer| {
            let weights = (0..layer.outputs)
                .flat_map(move |output| (0..layer.inputs).map(move |input| layer.at(output, input)));
            weights.chain(layer.bias..layer.bias + layer.outputs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_place_of_its_own() {
        for hidden in [vec![], vec![5], vec![64, 17, 3]] {
            let shape = ActorCriticShape { inputs: 7, hidden, actions: 3 };
            let layout = Layout::new(&shape).unwrap();
            let mut places: Vec<usize> = layout.positions().collect();
            assert_eq!(places.len(), shape.parameter_count());
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), shape.parameter_count());
            assert!(places.last().is_some_and(|&last| last < layout.len));
        }
    }

    #[test]
    fn the_network_of_the_literature_has_its_number_of_parameters() {
        let shape = ActorCriticShape { inputs: 66, hidden: vec![64, 64], actions: 3 };
        assert_eq!(shape.parameter_count(), 17_156);
    }

    #[test]
    fn a_layer_without_width_is_refused() {
        for (inputs, hidden, actions) in [(0, vec![], 1), (1, vec![0], 1), (1, vec![], 0)] {
            assert!(Layout::new(&ActorCriticShape { inputs, hidden, actions }).is_err());
        }
    }
}
