//! Trainers: they make a bundle from a dataset.
//!
//! The principal type is [`PpoTrainer`], proximal policy optimisation (Schulman et al. 2017) over the engine's
//! trading session: the session that trains is the one that is backtested and traded, with its costs and its fills
//! at the next open. It sees bars that close at or before the dataset's split and no others. The same job gives the
//! same bytes on any number of threads; all randomness comes from the job's seed. [`PpoConfig`] is what a job's pack may say.
//!
//! ```
//! use walkforward_engine::SessionConfig;
//! use walkforward_trainer::{PpoConfig, PpoTrainer, Trainer};
//!
//! let trainer: Box<dyn Trainer> = Box::new(PpoTrainer::new(SessionConfig::default()));
//! # let _ = trainer;
//!
//! let config = PpoConfig::from_pack(&serde_json::json!({ "iterations": 10, "learning_rate": 1e-3 }))?;
//! assert_eq!(config.iterations, 10);
//! let error = PpoConfig::from_pack(&serde_json::json!({ "gamma": 1.5 })).unwrap_err();
//! assert_eq!(error.to_string(), "training setting gamma is 1.5: expected 0 to 1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

/// Counts up when the same job may give other weights than before. It is part of what an arm is: the evidence for models
/// of one training does not speak for those of another.
pub const TRAINING_SEMANTICS: u32 = 1;

mod backend;
mod checkpoint;
mod config;
mod environment;
mod error;
mod gae;
mod learner;
mod market;
mod network;
mod ppo;
mod reward;
mod rollout;
mod schedule;
mod sessions;
mod supervised;
mod validation;
mod warm_start;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod test_markets;

pub use backend::BackendKind;
pub use config::PpoConfig;
pub use environment::{End, Environment, Finished, Step};
pub use error::TrainerError;
pub use learner::{Iteration, PpoLearner, group_ranges};
pub use network::NetworkKind;
pub use ppo::PpoTrainer;
pub use reward::{Reward, RewardBar, RewardConfig};
pub use schedule::LrSchedule;
pub use supervised::{SupervisedConfig, SupervisedError, SupervisedModel, SupervisedTrainer};
pub use walkforward_core::Trainer;
pub use warm_start::NormaliserPolicy;
