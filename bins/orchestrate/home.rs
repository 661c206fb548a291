//! What the commands about schedules, experiments, packs and datasets work with: the folders and their store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use walkforward::clock::SystemClock;
use walkforward::config::Folders;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::scheduling::Planner;
use walkforward::settings::{Output, Settings};
use walkforward::wiring;
use walkforward_core::Clock;
use walkforward_store::{NewAct, RunLock, RunLockHeld, Store, StoreError};

use crate::control::{Client, SOCKET};

/// How long a command waits for another one that holds the run lock for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// Who does what a command line asks for.
const COMMAND: &str = "command";
/// Characters of a subject that are kept: four bytes each fit.
const SUBJECT_CHARS: usize = 50;
const LOCK_LOOK: Duration = Duration::from_millis(50);

/// Who may change schedules and train in a data folder.
pub(crate) enum Reach {
    /// A server, which takes commands.
    Server(Client),
    /// This process.
    Alone(RunLock),
    /// Another one, which takes no commands.
    Held(RunLockHeld),
}

/// The folders of a command with their store.
pub(crate) struct Home {
    pub(crate) settings: Settings,
    pub(crate) folders: Folders,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) output: Output,
}

impl Home {
    /// Opens the folders that `settings` name.
    pub(crate) fn open(settings: &Settings, output: Output) -> Result<Self, Failure> {
        let folders = Folders::from_settings(settings)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let store = wiring::store_in(&folders.data_dir, &folders.models_dir, &clock)?;
        Ok(Self { settings: settings.clone(), folders, store, clock, output })
    }

    /// Reads recipes against the settings of this process.
    pub(crate) fn planner(&self) -> Planner {
        Planner::new(self.settings.clone(), Arc::clone(&self.store), Arc::clone(&self.clock))
    }

    /// Where the server of these folders listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folders.data_dir.join(SOCKET)
    }

    /// The server of these folders, if one runs.
    pub(crate) fn server(&self) -> Result<Option<Client>, Failure> {
        Client::connect(&self.socket())
    }

    /// Who may change schedules and train here: the server, or this process once it has the run lock. Somebody who
    /// holds that for a moment is waited for.
    pub(crate) fn reach(&self) -> Result<Reach, Failure> {
        let until = self.clock.monotonic() + LOCK_WAIT;
        loop {
            if let Some(server) = self.server()? {
                return Ok(Reach::Server(server));
            }
            match self.store.run_lock() {
                Ok(lock) => return Ok(Reach::Alone(lock)),
                Err(StoreError::RunLockHeld(held)) if self.clock.monotonic() >= until => {
                    return Ok(Reach::Held(held));
                }
                Err(StoreError::RunLockHeld(_)) => std::thread::sleep(LOCK_LOOK),
                Err(error) => return Err(Failure::from(&error)),
            }
        }
    }

    /// Writes down what somebody asks for, before it is done.
    pub(crate) fn write_down(&self, act: &str, subject: &str, reason: &str) -> Result<(), Failure> {
        let act = NewAct {
            actor: COMMAND.to_owned(),
            act: act.to_owned(),
            subject: subject.chars().take(SUBJECT_CHARS).collect(),
            reason: reason.to_owned(),
            details: json!({}),
        };
        self.store.record_act(&act).map(drop).map_err(|error| Failure::from(&error))
    }

    /// Prints JSON for `--json`, words for people.
    pub(crate) fn print(
        &self,
        json: impl FnOnce() -> Value,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Quiet => Ok(()),
            Output::Json => say(&format!("{}\n", json())),
            Output::Human => say(&words()),
        }
    }
}
