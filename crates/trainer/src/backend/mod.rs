//! What computes: forward passes for a rollout, and one step of the optimiser for an update.

mod candle;
mod fingerprint;
mod kernels;
mod loss;

use walkforward_core::{Activation, NetworkSpec};
use walkforward_kernels::{Draw, Isa, PpoBatch, PpoFigures, PpoLoss};
use walkforward_policy::{ActorCritic, OptimizerState, Tensors};

use self::fingerprint::candle_arithmetic;
use crate::TrainerError;
use crate::learner::{Stream, generator};

/// Which arithmetic trains a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// The fused kernels, on one instruction set.
    Kernels(Isa),
    /// candle's tensors and automatic differentiation: the reference, tens of times slower.
    Candle,
}

impl BackendKind {
    /// What a record calls `name`: the kernels on an instruction set, or candle as it computes on this machine. None
    /// when this machine does not have it.
    pub fn on(name: &str) -> Option<Self> {
        let known = [Isa::Avx512, Isa::Avx2, Isa::Portable];
        let kernels = known.into_iter().find(|isa| isa.name() == name && isa.is_available());
        let candle = || candle_arithmetic().is_ok_and(|own| own == name).then_some(Self::Candle);
        kernels.map(Self::Kernels).or_else(candle)
    }

    /// What trains `network`: candle where there are no kernels for it.
    pub(crate) fn serving(self, network: &NetworkSpec) -> Self {
        match network {
            NetworkSpec::Mlp { activation: Activation::Tanh, .. } => self,
            _ => Self::Candle,
        }
    }

    /// What decides the bits, by name: the instruction set of the kernels, or how candle computes on this machine.
    pub(crate) fn instruction_set(self) -> Result<String, TrainerError> {
        match self {
            Self::Kernels(isa) => Ok(isa.name().to_owned()),
            Self::Candle => Ok(candle_arithmetic()?),
        }
    }
}

impl Default for BackendKind {
    /// The kernels on the fastest instruction set of this machine.
    fn default() -> Self {
        Self::Kernels(Isa::detect())
    }
}

/// Forward passes of one thread during a rollout.
pub(crate) trait Answers {
    /// Draws an action for each of `observations` `[rows, obs_dim]` and values it in `values` `[rows]`.
    fn act(&mut self, observations: &[f32], draw: Draw<'_>, values: &mut [f32]) -> Result<(), TrainerError>;

    /// Values `observations` `[rows, obs_dim]` in `values` `[rows]`.
    fn values(&mut self, observations: &[f32], values: &mut [f32]) -> Result<(), TrainerError>;
}

/// One step of the optimiser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stride {
    pub(crate) loss: PpoLoss,
    pub(crate) max_grad_norm: f32,
    pub(crate) learning_rate: f32,
}

/// A loss or gradient that is not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NotFinite {
    pub(crate) what: &'static str,
    pub(crate) value: f64,
}

/// What one step came to.
pub(crate) type StepOutcome = Result<Result<PpoFigures, NotFinite>, TrainerError>;

/// A network that learns, with its optimiser.
pub(crate) trait Backend: Send + Sync {
    /// The network as it is now, for one thread.
    fn answers(&self) -> Result<Box<dyn Answers + '_>, TrainerError>;

    /// Moves the network against the gradient over `batch`; nothing moves when the loss or its gradient is not
    /// finite.
    fn step(&mut self, batch: &PpoBatch<'_>, stride: &Stride) -> StepOutcome;

    /// The weights by name.
    fn tensors(&self) -> Result<Tensors, TrainerError>;

    /// What a warm start continues from.
    fn optimizer_state(&self) -> Result<OptimizerState, TrainerError>;

    /// Logits of `observations` `[rows, obs_dim]` into `logits` `[rows, actions]`.
    fn logits(&self, observations: &[f32], logits: &mut [f32]) -> Result<(), TrainerError>;
}

/// Where a training starts: weights, and moments in flat order with the number of steps that made them.
pub(crate) struct Origin {
    pub(crate) net: ActorCritic,
    pub(crate) moments: Option<(Vec<f32>, Vec<f32>, u64)>,
}

impl Origin {
    /// Weights and moments by name; without moments the optimiser starts anew.
    pub(crate) fn from_tensors(
        network: NetworkSpec,
        weights: &Tensors,
        optimizer: Option<&OptimizerState>,
    ) -> Result<Self, TrainerError> {
        let net = ActorCritic::from_tensors(network, weights)?;
        let moments = match optimizer {
            Some(state) => Some((net.flatten(&state.m)?, net.flatten(&state.v)?, state.step)),
            None => None,
        };
        Ok(Self { net, moments })
    }

    /// Fresh weights from `seed`.
    pub(crate) fn fresh(network: NetworkSpec, seed: u64) -> Result<Self, TrainerError> {
        let net = ActorCritic::new(network, &mut generator(seed, Stream::Weights))?;
        Ok(Self { net, moments: None })
    }

    /// Weights and moments by name; an optimiser that has not begun has zero moments.
    pub(crate) fn to_tensors(&self) -> Result<(Tensors, OptimizerState), TrainerError> {
        let count = self.net.parameter_count();
        let (m, v, step) = self.moments.clone().unwrap_or_else(|| (vec![0.0; count], vec![0.0; count], 0));
        let state = OptimizerState { step, m: self.net.name_flat(&m)?, v: self.net.name_flat(&v)? };
        Ok((self.net.to_tensors()?, state))
    }
}

/// The backend of `kind` for the network of `origin`, on at most `threads` threads.
pub(crate) fn backend(
    kind: BackendKind,
    origin: Origin,
    threads: usize,
) -> Result<Box<dyn Backend>, TrainerError> {
    match kind.serving(origin.net.network()) {
        BackendKind::Kernels(isa) => Ok(Box::new(kernels::KernelBackend::new(origin, isa, threads)?)),
        BackendKind::Candle => Ok(Box::new(candle::CandleBackend::new(origin)?)),
    }
}

/// Whether the figures make a finite loss.
fn check_loss(figures: &PpoFigures, loss: &PpoLoss) -> Result<(), NotFinite> {
    let value = figures.total(loss);
    if value.is_finite() { Ok(()) } else { Err(NotFinite { what: "loss", value }) }
}

/// Whether a gradient's norm is finite.
fn check_norm(value: f64) -> Result<(), NotFinite> {
    if value.is_finite() { Ok(()) } else { Err(NotFinite { what: "gradient norm", value }) }
}

#[cfg(test)]
mod tests;
