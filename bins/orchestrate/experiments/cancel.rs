//! `orchestrate experiments cancel`.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward_store::{ExperimentId, ExperimentRecord, ExperimentStatus, RunLockHeld, StoreError};

use crate::control::Request;
use crate::home::Home;

/// How long the end of a training is waited for: longer than a worker's default grace.
const END_WAIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

/// Asks whoever runs the training to end it, and waits for the end.
pub(super) fn run(home: &Home, id: &ExperimentId) -> Result<(), Failure> {
    let record = read(home, id)?;
    if record.status.is_final() {
        return Err(Failure::input(format!("experiment '{id}' is {} already", record.status)));
    }
    home.write_down("experiments.cancel", id.as_str(), "")?;
    match home.server()? {
        Some(mut server) => {
            server.ask(&Request::CancelExperiment { experiment: id.clone() })?;
        }
        None => without_server(home, &record)?,
    }
    let until = home.clock.monotonic() + END_WAIT;
    loop {
        let record = read(home, id)?;
        if record.status.is_final() {
            let words = || format!("experiment '{id}' {}\n", record.status);
            return home.print(|| json!(record), words);
        }
        if home.clock.monotonic() > until {
            return Err(Failure::stage(format!(
                "experiment '{id}' was asked to end, and did not within {} s",
                END_WAIT.as_secs()
            )));
        }
        std::thread::sleep(LOOK);
    }
}

fn read(home: &Home, id: &ExperimentId) -> Result<ExperimentRecord, Failure> {
    home.store.experiment(id).map_err(|error| Failure::from(&error))
}

/// A training without an end is one of the process that has the run lock: whoever gets that lock closes those of dead
/// ones.
fn without_server(home: &Home, record: &ExperimentRecord) -> Result<(), Failure> {
    let id = &record.id;
    match home.store.run_lock() {
        Ok(_nobody_runs) => Ok(()),
        Err(StoreError::RunLockHeld(held)) => ask_holder(id, record.status, &held),
        Err(error) => Err(Failure::from(&error)),
    }
}

fn ask_holder(id: &ExperimentId, status: ExperimentStatus, held: &RunLockHeld) -> Result<(), Failure> {
    let pid = held.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    match pid.filter(|_| status == ExperimentStatus::Running) {
        Some(pid) => kill_process(pid, Signal::TERM).map_err(|error| {
            Failure::stage(format!("experiment '{id}' runs in {held}, which can't be asked to end: {error}"))
        }),
        None => Err(Failure::stage(format!("experiment '{id}' is {status}, and {held} runs something else"))),
    }
}
