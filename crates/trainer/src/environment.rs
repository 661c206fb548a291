//! What the learner plays: environments that advance together.

use crate::TrainerError;

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was cut off; it could have gone on, and the value of its last observation counts.
    Truncated,
    /// Nothing comes after it.
    Terminated,
}

/// What one step of one environment came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// What the learner maximises.
    pub reward: f32,
    /// Whether and how the episode ended with this step.
    pub end: Option<End>,
}

impl Step {
    /// A step without reward: room for environments to write to.
    pub const EMPTY: Self = Self { reward: 0.0, end: None };
}

/// Returns of episodes that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Finished {
    /// Sum over the episodes.
    pub total_return: f64,
    /// Number of episodes.
    pub episodes: u64,
}

/// A number of environments of one kind, which one thread takes forward together.
///
/// What an environment does depends on its own actions and randomness alone, not on those beside it: then the result
/// of a training does not depend on how its environments are spread over threads.
pub trait Environment: Send {
    /// How many there are.
    fn num_envs(&self) -> usize;

    /// Length of an observation.
    fn obs_dim(&self) -> usize;

    /// Number of actions.
    fn num_actions(&self) -> usize;

    /// Writes what every environment looks at, `[num_envs, obs_dim]`.
    ///
    /// # Errors
    /// When the room has another length.
    fn observe(&self, observations: &mut [f32]) -> Result<(), TrainerError> {
        for (env, observation) in observations.chunks_exact_mut(self.obs_dim()).enumerate() {
            self.observe_one(env, observation)?;
        }
        Ok(())
    }

    /// Writes what environment `env` looks at, `[obs_dim]`.
    ///
    /// # Errors
    /// When the room has another length.
    fn observe_one(&self, env: usize, observation: &mut [f32]) -> Result<(), TrainerError>;

    /// Takes every environment one step on: `actions` and `steps` are `[num_envs]`. An environment whose episode
    /// ended stays at its last observation until [`restart`](Self::restart).
    ///
    /// # Errors
    /// When a length does not fit.
    fn step(&mut self, actions: &[u32], steps: &mut [Step]) -> Result<(), TrainerError>;

    /// Begins a new episode in environment `env`.
    fn restart(&mut self, env: usize);

    /// Returns of the episodes of environment `env` that were followed by a restart since the last call.
    fn take_finished(&mut self, env: usize) -> Finished;
}
