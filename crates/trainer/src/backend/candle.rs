//! The reference: candle's tensors and automatic differentiation.

use candle_core::{D, Device, Tensor};
use candle_nn::ops::log_softmax;
use walkforward_kernels::{Adam, AdamConfig, Draw, PpoBatch, clip_grad_norm};
use walkforward_policy::{ActorCritic, OptimizerState, Tensors};

use super::loss::{Minibatch, ppo_loss};
use super::{Answers, Backend, Origin, StepOutcome, Stride, check_loss, check_norm};
use crate::TrainerError;

pub(crate) struct CandleBackend {
    net: ActorCritic,
    params: Vec<f32>,
    adam: Adam,
}

impl CandleBackend {
    pub(crate) fn new(origin: Origin) -> Result<Self, TrainerError> {
        let Origin { net, moments } = origin;
        let adam = match moments {
            Some((m, v, step)) => Adam::restore(AdamConfig::default(), m, v, step)?,
            None => Adam::new(net.parameter_count(), AdamConfig::default()),
        };
        Ok(Self { params: net.flat()?, net, adam })
    }

    /// Logits `[rows, actions]` and values `[rows]`.
    fn forward(&self, observations: &[f32]) -> Result<(Tensor, Tensor), TrainerError> {
        let obs_dim = self.net.network().inputs();
        let shape = (observations.len() / obs_dim, obs_dim);
        Ok(self.net.forward(&Tensor::from_slice(observations, shape, &Device::Cpu)?)?)
    }

    #[cfg(test)]
    pub(crate) fn gradient(
        &self,
        batch: &PpoBatch<'_>,
        stride: &Stride,
    ) -> Result<(walkforward_kernels::PpoFigures, Vec<f32>), TrainerError> {
        let (loss, figures) = ppo_loss(&self.net, &Minibatch::gather(batch, &stride.loss)?, &stride.loss)?;
        Ok((figures, self.net.flat_gradients(&loss.backward()?)?))
    }
}

impl Answers for &CandleBackend {
    fn act(&mut self, observations: &[f32], draw: Draw<'_>, values: &mut [f32]) -> Result<(), TrainerError> {
        let (logits, tensor) = self.forward(observations)?;
        values.copy_from_slice(&tensor.to_vec1::<f32>()?);
        let log_probs = log_softmax(&logits, D::Minus1)?.to_vec2::<f32>()?;
        let outputs = draw.actions.iter_mut().zip(draw.log_probs);
        for ((row, &uniform), (action, log_prob)) in log_probs.iter().zip(draw.uniforms).zip(outputs) {
            let chosen = sample(row, uniform);
            (*action, *log_prob) = (chosen as u32, row[chosen]);
        }
        Ok(())
    }

    fn values(&mut self, observations: &[f32], values: &mut [f32]) -> Result<(), TrainerError> {
        values.copy_from_slice(&self.forward(observations)?.1.to_vec1::<f32>()?);
        Ok(())
    }
}

/// The action at which the cumulative probability passes `uniform`.
fn sample(log_probs: &[f32], uniform: f32) -> usize {
    let mut passed = 0.0;
    let mut chosen = 0;
    for (action, log_prob) in log_probs.iter().enumerate() {
        if uniform >= passed {
            chosen = action;
        }
        passed += log_prob.exp();
    }
    chosen
}

impl Backend for CandleBackend {
    fn answers(&self) -> Result<Box<dyn Answers + '_>, TrainerError> {
        Ok(Box::new(self))
    }

    fn step(&mut self, batch: &PpoBatch<'_>, stride: &Stride) -> StepOutcome {
        let (loss, figures) = ppo_loss(&self.net, &Minibatch::gather(batch, &stride.loss)?, &stride.loss)?;
        if let Err(not_finite) = check_loss(&figures, &stride.loss) {
            return Ok(Err(not_finite));
        }
        let mut gradient = self.net.flat_gradients(&loss.backward()?)?;
        if let Err(not_finite) = check_norm(clip_grad_norm(&mut gradient, stride.max_grad_norm)) {
            return Ok(Err(not_finite));
        }
        self.adam.step(&mut self.params, &gradient, stride.learning_rate)?;
        self.net.set_flat(&self.params)?;
        Ok(Ok(figures))
    }

    fn tensors(&self) -> Result<Tensors, TrainerError> {
        Ok(self.net.name_flat(&self.params)?)
    }

    fn optimizer_state(&self) -> Result<OptimizerState, TrainerError> {
        let (m, v) = (self.net.name_flat(self.adam.m())?, self.net.name_flat(self.adam.v())?);
        Ok(OptimizerState { step: self.adam.step_count(), m, v })
    }

    fn logits(&self, observations: &[f32], logits: &mut [f32]) -> Result<(), TrainerError> {
        logits.copy_from_slice(&self.forward(observations)?.0.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
