//! Commands while no server runs: the same step as the server's, recorded under the run lock.

use serde_json::Value;
use walkforward::failure::Failure;
use walkforward::scheduling::{START_WITH_SERVER, waits_for_server};
use walkforward_orchestrator::fleet::{Fleet, Input};
use walkforward_orchestrator::schedule::{Effect, State};
use walkforward_orchestrator::{LedgerError, ScheduleLedger, SchedulerError};
use walkforward_store::{RunLock, ScheduleId, ScheduleRecord, ScheduleStatus, Store};

use crate::home::Home;
use crate::serve::failure;

const WITHOUT_SERVER: &str = "no server runs; its cycles run when one does (`orchestrate serve`)";
const STARTS_WITH_SERVER: &str = "no server runs; it starts with the next `orchestrate serve`";

/// Carries out a command, and says what has to be known about it. `_lock` shows that nobody else does.
pub(super) fn apply(
    home: &Home,
    _lock: &RunLock,
    name: &str,
    id: &ScheduleId,
) -> Result<Option<String>, Failure> {
    let (record, now) = (read(&home.store, id)?, home.clock.now());
    let id = id.clone();
    let input = match (name, record.status) {
        ("trigger", _) => {
            return Err(Failure::input(format!(
                "schedule '{id}' can't be triggered: no server runs; start one with `orchestrate serve`"
            )));
        }
        // It has no due times yet: its first is when a server starts it.
        ("start", ScheduleStatus::Idle) => {
            mark(home, &record, true)?;
            return Ok(Some(STARTS_WITH_SERVER.to_owned()));
        }
        ("stop", ScheduleStatus::Idle) if waits_for_server(&record) => {
            mark(home, &record, false)?;
            return Ok(Some("it does not start with the next server any more".to_owned()));
        }
        ("start", _) => Input::Start { id, now },
        ("pause", _) => Input::Pause { id },
        ("resume", _) => Input::Resume { id, now },
        ("stop", _) => Input::Stop { id, now },
        ("remove", _) => Input::Removed { id, now },
        (name, _) => return Err(Failure::input(format!("there is no command schedules {name}"))),
    };
    step(&home.store, &record, input)?;
    Ok(matches!(name, "start" | "resume").then(|| WITHOUT_SERVER.to_owned()))
}

fn read(store: &Store, id: &ScheduleId) -> Result<ScheduleRecord, Failure> {
    store.schedule(id).map_err(|error| Failure::from(&error))
}

/// Has the next server start a schedule that never ran, or not.
fn mark(home: &Home, record: &ScheduleRecord, start: bool) -> Result<(), Failure> {
    let mut config = record.config.clone();
    config[START_WITH_SERVER] = Value::Bool(start);
    home.store.update_schedule_config(&record.id, &config).map(drop).map_err(|error| Failure::from(&error))
}

/// Takes the schedule in as a server that starts does, which closes what an earlier one left open, and then obeys.
fn step(store: &Store, record: &ScheduleRecord, input: Input) -> Result<(), Failure> {
    let refuse = |error: SchedulerError| failure(&error);
    let loaded = ScheduleLedger::load(store).map_err(|error| refuse(not_recorded(record, error)))?;
    let open = loaded.into_iter().find(|it| it.record.id == record.id).map(|it| it.open).unwrap_or_default();
    let state = State::from_record(record)
        .map_err(|source| refuse(SchedulerError::Unusable { schedule: record.id.clone(), source }))?;
    let mut fleet = Fleet::new(1);
    for input in [Input::Added { state, open }, input] {
        loop {
            let step = fleet.step(input.clone()).map_err(|refused| refuse(refused.into()))?;
            for effect in &step.effects {
                if let Effect::Persist(changes) = effect {
                    let committed = ScheduleLedger::commit(store, changes);
                    committed.map_err(|error| refuse(not_recorded(record, error)))?;
                }
            }
            if !step.effects.contains(&Effect::Repeat) {
                break;
            }
        }
    }
    Ok(())
}

fn not_recorded(record: &ScheduleRecord, source: LedgerError) -> SchedulerError {
    SchedulerError::NotRecorded { schedule: record.id.clone(), source }
}
