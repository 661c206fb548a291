//! The fused kernels.

use walkforward_core::NetworkSpec;
use walkforward_kernels::{
    ActorCriticNet, ActorCriticScratch, ActorCriticShape, Adam, AdamConfig, Draw, Isa, PpoBatch,
    PpoWorkspace, clip_grad_norm,
};
use walkforward_policy::{ActorCritic, OptimizerState, Tensors};

use super::{Answers, Backend, Origin, StepOutcome, Stride, check_loss, check_norm};
use crate::TrainerError;

pub(crate) struct KernelBackend {
    /// Names and shapes of the parameters; its own weights are those of the start.
    names: ActorCritic,
    net: ActorCriticNet,
    adam: Adam,
    workspace: PpoWorkspace,
}

impl KernelBackend {
    pub(crate) fn new(origin: Origin, isa: Isa, threads: usize) -> Result<Self, TrainerError> {
        let Origin { net: names, moments } = origin;
        let NetworkSpec::Mlp { inputs, hidden, outputs, .. } = names.network() else {
            return Err(TrainerError::Network { kind: names.network().kind() });
        };
        let shape = ActorCriticShape { inputs: *inputs, hidden: hidden.clone(), actions: *outputs };
        let net = ActorCriticNet::new(shape, &names.flat()?)?;
        let net = net.with_isa(isa).ok_or(TrainerError::InstructionSet { isa })?;
        let adam = match moments {
            Some((m, v, step)) => net.restore_adam(AdamConfig::default(), &m, &v, step)?,
            None => net.fresh_adam(AdamConfig::default()),
        };
        Ok(Self { workspace: PpoWorkspace::new(&net, threads), names, net, adam })
    }

    #[cfg(test)]
    pub(crate) fn gradient(
        &mut self,
        batch: &PpoBatch<'_>,
        stride: &Stride,
    ) -> Result<(walkforward_kernels::PpoFigures, Vec<f32>), TrainerError> {
        let figures = self.net.ppo_gradient(batch, &stride.loss, &mut self.workspace)?;
        Ok((figures, self.workspace.flat_gradient(&self.net)?))
    }
}

struct KernelAnswers<'a> {
    net: &'a ActorCriticNet,
    scratch: ActorCriticScratch,
}

impl Answers for KernelAnswers<'_> {
    fn act(&mut self, observations: &[f32], draw: Draw<'_>, values: &mut [f32]) -> Result<(), TrainerError> {
        Ok(self.net.act(observations, draw, values, &mut self.scratch)?)
    }

    fn values(&mut self, observations: &[f32], values: &mut [f32]) -> Result<(), TrainerError> {
        Ok(self.net.values(observations, values, &mut self.scratch)?)
    }
}

impl Backend for KernelBackend {
    fn answers(&self) -> Result<Box<dyn Answers + '_>, TrainerError> {
        Ok(Box::new(KernelAnswers { net: &self.net, scratch: self.net.scratch() }))
    }

    fn step(&mut self, batch: &PpoBatch<'_>, stride: &Stride) -> StepOutcome {
        let figures = self.net.ppo_gradient(batch, &stride.loss, &mut self.workspace)?;
        if let Err(not_finite) = check_loss(&figures, &stride.loss) {
            return Ok(Err(not_finite));
        }
        if let Err(not_finite) = check_norm(clip_grad_norm(self.workspace.gradient(), stride.max_grad_norm)) {
            return Ok(Err(not_finite));
        }
        self.net.adam_step(&mut self.adam, self.workspace.gradient(), stride.learning_rate)?;
        Ok(Ok(figures))
    }

    fn tensors(&self) -> Result<Tensors, TrainerError> {
        Ok(self.names.name_flat(&self.net.flat())?)
    }

    fn optimizer_state(&self) -> Result<OptimizerState, TrainerError> {
        let (m, v) = self.net.moments(&self.adam)?;
        let (m, v) = (self.names.name_flat(&m)?, self.names.name_flat(&v)?);
        Ok(OptimizerState { step: self.adam.step_count(), m, v })
    }

    fn logits(&self, observations: &[f32], logits: &mut [f32]) -> Result<(), TrainerError> {
        let mut values = vec![0.0; logits.len() / self.net.shape().actions];
        Ok(self.net.forward(observations, logits, &mut values, &mut self.net.scratch())?)
    }
}
