//! Actor and critic as they are trained.

use crate::aligned::AlignedVec;
use crate::error::{Error, check_len};
use crate::gemm::{Left, Sizes, Start, multiply};
use crate::isa::{Checked, Isa, multiversion};
use crate::layout::{Across, ActorCriticShape, Layer, Layout};
use crate::optim::{Adam, AdamConfig};
use crate::sample::{Draw, sample_block};
use crate::simd::Simd;

/// Rows that go through all layers together: their values stay in the first-level cache.
pub(crate) const BLOCK_ROWS: usize = 64;

/// An actor and a critic, multi-layer perceptrons with [`tanh`](crate::tanh) between their layers, in the order in
/// which the kernels read them.
///
/// Its forward pass gives the bits of [`PackedMlp`](crate::PackedMlp) on every instruction set, at every batch size
/// and in every row. Outside, parameters and moments have the flat order: actor, then critic; of each layer the
/// weight `[outputs, inputs]`, row-major, then the bias.
#[derive(Debug, Clone)]
pub struct ActorCriticNet {
    pub(crate) shape: ActorCriticShape,
    pub(crate) layout: Layout,
    pub(crate) parameters: AlignedVec,
    turned: AlignedVec,
    pub(crate) isa: Checked,
}

/// Room for the values between layers of one block of rows, of one network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activations(pub(crate) Vec<AlignedVec>);

impl Activations {
    pub(crate) fn new(layers: &[Layer]) -> Self {
        Self(layers.iter().map(|layer| AlignedVec::zeros(BLOCK_ROWS * layer.out_width())).collect())
    }

    /// What the last layer gave, `[rows, padded outputs]`.
    pub(crate) fn last(&self) -> &[f32] {
        self.0.last().map_or(&[], |values| values)
    }
}

/// Room for one thread's forward passes.
#[derive(Debug, Clone, Default)]
pub struct ActorCriticScratch {
    actor: Activations,
    critic: Activations,
}

/// Rows of numbers that may lie apart: row `i` begins at `i * stride`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

impl ActorCriticNet {
    /// The network of `shape` with the parameters `flat`, `[parameter_count]`.
    ///
    /// # Errors
    /// A layer without width, or another number of parameters.
    pub fn new(shape: ActorCriticShape, flat: &[f32]) -> Result<Self, Error> {
        let layout = Layout::new(&shape)?;
        let mut net = Self {
            parameters: AlignedVec::zeros(layout.len),
            turned: AlignedVec::zeros(layout.turned_len),
            isa: Checked::detect(),
            shape,
            layout,
        };
        net.set_flat(flat)?;
        Ok(net)
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

    /// Its widths.
    pub fn shape(&self) -> &ActorCriticShape {
        &self.shape
    }

    /// All parameters, `[parameter_count]`.
    pub fn flat(&self) -> Vec<f32> {
        self.flatten(&self.parameters)
    }

    /// Sets all parameters.
    ///
    /// # Errors
    /// When the length does not fit; nothing has changed then.
    pub fn set_flat(&mut self, flat: &[f32]) -> Result<(), Error> {
        let spread = self.spread(flat)?;
        self.parameters.copy_from_slice(&spread);
        self.refresh();
        Ok(())
    }

    /// Numbers in the padded order that [`gradient`](Self::ppo_gradient) and optimiser use, without the padding.
    pub(crate) fn flatten(&self, numbers: &[f32]) -> Vec<f32> {
        self.layout.positions().map(|at| numbers[at]).collect()
    }

    /// The inverse of [`flatten`](Self::flatten); padding is zero.
    pub(crate) fn spread(&self, flat: &[f32]) -> Result<AlignedVec, Error> {
        check_len("the flat parameters", flat.len(), self.shape.parameter_count())?;
        let mut numbers = AlignedVec::zeros(self.layout.len);
        self.layout.positions().zip(flat).for_each(|(at, &value)| numbers[at] = value);
        Ok(numbers)
    }

    /// An optimiser in the order of this network's parameters that has seen no gradient.
    pub fn fresh_adam(&self, config: AdamConfig) -> Adam {
        Adam::new(self.layout.len, config)
    }

    /// An optimiser in the order of this network's parameters that has taken `step` steps to the moments `m` and
    /// `v`, both in flat order.
    ///
    /// # Errors
    /// When a moment has another length than the parameters.
    pub fn restore_adam(&self, config: AdamConfig, m: &[f32], v: &[f32], step: u64) -> Result<Adam, Error> {
        Adam::restore(config, self.spread(m)?.to_vec(), self.spread(v)?.to_vec(), step)
    }

    /// The moments of an optimiser made by [`fresh_adam`](Self::fresh_adam) or [`restore_adam`](Self::restore_adam), in flat order.
    ///
    /// # Errors
    /// When the optimiser belongs to another network.
    pub fn moments(&self, adam: &Adam) -> Result<(Vec<f32>, Vec<f32>), Error> {
        check_len("the moments", adam.m().len(), self.layout.len)?;
        Ok((self.flatten(adam.m()), self.flatten(adam.v())))
    }

    /// Takes one step of `adam` against `gradient`, which [`ppo_gradient`](Self::ppo_gradient) wrote.
    ///
    /// # Errors
    /// When the optimiser or the gradient belongs to another network.
    pub fn adam_step(&mut self, adam: &mut Adam, gradient: &[f32], learning_rate: f32) -> Result<(), Error> {
        adam.step(&mut self.parameters, gradient, learning_rate)?;
        self.refresh();
        Ok(())
    }

    /// Computes the transposed weights anew after the parameters changed.
    fn refresh(&mut self) {
        for layer in self.layout.actor.iter().chain(&self.layout.critic) {
            layer.turn(&self.parameters, &mut self.turned);
        }
    }

    /// Room for one thread's forward passes.
    pub fn scratch(&self) -> ActorCriticScratch {
        ActorCriticScratch {
            actor: Activations::new(&self.layout.actor),
            critic: Activations::new(&self.layout.critic),
        }
    }

    /// Logits `[rows, actions]` and values `[rows]` of `observations` `[rows, inputs]`.
    ///
    /// # Errors
    /// When a length does not fit.
    pub fn forward(
        &self,
        observations: &[f32],
        logits: &mut [f32],
        values: &mut [f32],
        scratch: &mut ActorCriticScratch,
    ) -> Result<(), Error> {
        let rows = self.check_rows(observations, values)?;
        check_len("the logits", logits.len(), rows * self.shape.actions)?;
        self.each_block(observations, |net, at, block| {
            run_network(net.isa, net, &net.layout.actor, block, &mut scratch.actor);
            run_network(net.isa, net, &net.layout.critic, block, &mut scratch.critic);
            let actions = net.shape.actions;
            copy_outputs(
                scratch.actor.last(),
                actions,
                &mut logits[at * actions..(at + block.count) * actions],
            );
            copy_outputs(scratch.critic.last(), 1, &mut values[at..at + block.count]);
        });
        Ok(())
    }

    /// Values `[rows]` of `observations` `[rows, inputs]`.
    ///
    /// # Errors
    /// When a length does not fit.
    pub fn values(
        &self,
        observations: &[f32],
        values: &mut [f32],
        scratch: &mut ActorCriticScratch,
    ) -> Result<(), Error> {
        self.check_rows(observations, values)?;
        self.each_block(observations, |net, at, block| {
            run_network(net.isa, net, &net.layout.critic, block, &mut scratch.critic);
            copy_outputs(scratch.critic.last(), 1, &mut values[at..at + block.count]);
        });
        Ok(())
    }

    /// Draws an action for each row of `observations` `[rows, inputs]` and values it.
    ///
    /// # Errors
    /// When a length does not fit.
    pub fn act(
        &self,
        observations: &[f32],
        draw: Draw<'_>,
        values: &mut [f32],
        scratch: &mut ActorCriticScratch,
    ) -> Result<(), Error> {
        let rows = self.check_rows(observations, values)?;
        check_len("the uniform numbers", draw.uniforms.len(), rows)?;
        check_len("the actions", draw.actions.len(), rows)?;
        check_len("the log-probabilities", draw.log_probs.len(), rows)?;
        self.each_block(observations, |net, at, block| {
            let part = at..at + block.count;
            run_network(net.isa, net, &net.layout.actor, block, &mut scratch.actor);
            run_network(net.isa, net, &net.layout.critic, block, &mut scratch.critic);
            copy_outputs(scratch.critic.last(), 1, &mut values[part.clone()]);
            let draw = Draw {
                uniforms: &draw.uniforms[part.clone()],
                actions: &mut draw.actions[part.clone()],
                log_probs: &mut draw.log_probs[part],
            };
            sample_block(net.isa, scratch.actor.last(), net.shape.actions, draw);
        });
        Ok(())
    }

    fn check_rows(&self, observations: &[f32], values: &[f32]) -> Result<usize, Error> {
        check_len("the observations", observations.len(), values.len() * self.shape.inputs)?;
        Ok(values.len())
    }

    fn each_block(&self, observations: &[f32], mut work: impl FnMut(&Self, usize, Rows<'_>)) {
        let stride = self.shape.inputs;
        for (index, numbers) in observations.chunks(BLOCK_ROWS * stride).enumerate() {
            work(self, index * BLOCK_ROWS, Rows { numbers, stride, count: numbers.len() / stride });
        }
    }

    /// The weight of `layer` as `[inputs, padded outputs]`.
    fn forward_weight(&self, layer: &Layer) -> &[f32] {
        match layer.across {
            Across::Outputs => &self.parameters[layer.weight..],
            Across::Inputs => &self.turned[layer.turned.unwrap_or(0)..],
        }
    }

    /// The weight of `layer` as `[outputs, padded inputs]`.
    pub(crate) fn backward_weight(&self, layer: &Layer) -> &[f32] {
        match layer.across {
            Across::Outputs => &self.turned[layer.turned.unwrap_or(0)..],
            Across::Inputs => &self.parameters[layer.weight..],
        }
    }
}

fn copy_outputs(padded: &[f32], outputs: usize, to: &mut [f32]) {
    let stride = crate::gemm::padded(outputs);
    for (from, to) in padded.chunks_exact(stride).zip(to.chunks_exact_mut(outputs)) {
        to.copy_from_slice(&from[..outputs]);
    }
}

multiversion! {
    fn run_network = forward_block(net: &ActorCriticNet, layers: &[Layer], x: Rows<'_>, values: &mut Activations);
}

/// One block of rows through `layers`; `values` keeps what each gave, `[rows, padded outputs]`.
#[inline(always)]
pub(crate) fn forward_block<S: Simd>(
    simd: S,
    net: &ActorCriticNet,
    layers: &[Layer],
    x: Rows<'_>,
    values: &mut Activations,
) {
    let mut rest = values.0.as_mut_slice();
    let mut input = x;
    for (index, layer) in layers.iter().enumerate() {
        let Some((output, after)) = rest.split_first_mut() else { return };
        let width = layer.out_width();
        let sizes = Sizes { m: x.count, k: layer.inputs, vectors: width / crate::gemm::LANES };
        let left = Left::Rows { numbers: input.numbers, stride: input.stride };
        let bias = Start::Row(&net.parameters[layer.bias..layer.bias + width]);
        multiply(simd, sizes, left, net.forward_weight(layer), bias, output);
        if index + 1 < layers.len() {
            for value in output[..x.count * width].iter_mut() {
                *value = crate::tanh(*value);
            }
        }
        input = Rows { numbers: output, stride: width, count: x.count };
        rest = after;
    }
}
