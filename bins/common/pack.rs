//! Which trainer makes the models, with its hyperparameters.

use std::fmt;

use walkforward_trainer::{PpoConfig, SupervisedConfig};

use crate::failure::Failure;
use crate::launch::{self, LauncherKind};
use crate::settings::Settings;

/// A trainer and what its pack came to.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainerConfig {
    /// Proximal policy optimisation.
    Ppo(Box<PpoConfig>),
    /// A forecast of the return over the next bars, traded where it pays: the baseline that PPO has to beat.
    Supervised(SupervisedConfig),
    /// The user's own program, which reads the pack as it stands in the file.
    Command(serde_json::Value),
}

impl TrainerConfig {
    /// The trainer that `settings` name, with the file's `[pack]` checked by it.
    pub fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let refuse = |problem: &dyn fmt::Display| Failure::input(format!("[pack]: {problem}"));
        let mut pack = serde_json::to_value(settings.pack()).map_err(|error| refuse(&error))?;
        let iterations: Option<u64> = settings.get("training.iterations")?;
        if launch::kind(settings)? == Some(LauncherKind::Command) {
            if let (Some(iterations), Some(pack)) = (iterations, pack.as_object_mut()) {
                pack.insert("iterations".to_owned(), iterations.into());
            }
            return Ok(Self::Command(pack));
        }
        match settings.require::<String>("training.trainer")?.as_str() {
            "ppo" => {
                if let (Some(iterations), Some(pack)) = (iterations, pack.as_object_mut()) {
                    pack.insert("iterations".to_owned(), iterations.into());
                }
                let config = PpoConfig::from_pack(&pack);
                config.map(|config| Self::Ppo(Box::new(config))).map_err(|error| match iterations {
                    Some(_) => Failure::input(format!("[pack] with --iterations: {error}")),
                    None => refuse(&error),
                })
            }
            "supervised" if iterations.is_some() => {
                Err(settings.refuse("training.iterations", "the supervised trainer has no iterations"))
            }
            "supervised" => {
                SupervisedConfig::from_pack(&pack).map(Self::Supervised).map_err(|error| refuse(&error))
            }
            _ => Err(settings.refuse("training.trainer", "expected ppo or supervised")),
        }
    }

    /// Its name in settings; that of a user's own program is `command`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ppo(_) => "ppo",
            Self::Supervised(_) => "supervised",
            Self::Command(_) => "command",
        }
    }

    /// Every hyperparameter that nobody set; nothing of a user's own program.
    pub(crate) fn default_pack(&self) -> Result<serde_json::Value, Failure> {
        let pack = match self {
            Self::Ppo(_) => serde_json::to_value(PpoConfig::default()),
            Self::Supervised(_) => serde_json::to_value(SupervisedConfig::default()),
            Self::Command(_) => Ok(serde_json::Value::Null),
        };
        pack.map_err(|error| Failure::stage(error.to_string()))
    }

    /// Every hyperparameter, as the job carries it.
    pub fn pack(&self) -> Result<serde_json::Value, Failure> {
        let pack = match self {
            Self::Ppo(config) => serde_json::to_value(config),
            Self::Supervised(config) => serde_json::to_value(config),
            Self::Command(pack) => Ok(pack.clone()),
        };
        pack.map_err(|error| Failure::stage(error.to_string()))
    }
}
