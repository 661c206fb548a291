//! Stopping a session in the middle.

use walkforward_core::{Action, CancelToken, Observation, Policy, PolicyError, PolicySpec};

/// A policy that stops answering once somebody asked the stage to stop.
pub(crate) struct Cancellable<'a> {
    pub(crate) policy: &'a dyn Policy,
    pub(crate) cancel: &'a CancelToken,
}

impl Policy for Cancellable<'_> {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        if self.cancel.is_cancelled() {
            return Err(PolicyError::Failed("cancelled".to_owned()));
        }
        self.policy.act(observation)
    }

    fn act_batch(&self, observations: &[f32], actions: &mut [Action]) -> Result<(), PolicyError> {
        if self.cancel.is_cancelled() {
            return Err(PolicyError::Failed("cancelled".to_owned()));
        }
        self.policy.act_batch(observations, actions)
    }

    fn batch_rows(&self) -> usize {
        self.policy.batch_rows()
    }

    fn spec(&self) -> &PolicySpec {
        self.policy.spec()
    }
}
