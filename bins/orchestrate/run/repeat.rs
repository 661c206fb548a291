//! A run at once and at every interval: the schedule `default` of this process.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use walkforward::config::OrchestrateConfig;
use walkforward::evidence::{Cadence, choose_for_cycles};
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward::source::SourceConfig;
use walkforward::wiring;
use walkforward_core::{CancelToken, Clock, LineName, Timestamp};
use walkforward_orchestrator::recurrence::{Interval, Recurrence};
use walkforward_orchestrator::schedule::Timing;
use walkforward_orchestrator::{
    CycleEnd, CycleRunner, CycleStart, LedgerError, LoadedSchedule, MemoryLedger, NoAnnouncements, Pipeline,
    RunError, RunReport, RunRequest, ScheduleLedger, SchedulerOptions, SchedulerParts, SchedulerService,
};
use walkforward_store::{CycleStatus, NewCycle, ScheduleChange, ScheduleId, ScheduleRecord, Store};

use super::{conclude, context, print};
use crate::stoppable::{STOP_GRACE, stop_requested};

/// Id of the schedule.
const DEFAULT: &str = "default";

/// What all cycles of this process share.
#[derive(Clone)]
pub(super) struct Loop {
    pub(super) settings: Settings,
    pub(super) line: LineName,
    pub(super) interval: Interval,
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) output: Output,
}

/// A run at once and at every interval, until a signal.
pub(super) async fn run_loop(cycles: Loop) -> Result<(), Failure> {
    let stop = stop_requested()?;
    let fail = |error: &dyn std::fmt::Display| Failure::stage(error.to_string());
    let record = record(&cycles)?;
    let ledger = LoopLedger { memory: MemoryLedger::default(), cycles: cycles.clone() };
    let clock = Arc::clone(&cycles.clock);
    let (runner, announcer) = (Arc::new(cycles), Arc::new(NoAnnouncements));
    let parts = SchedulerParts { ledger: Arc::new(ledger), runner, clock, announcer };
    let options = SchedulerOptions { stop_grace: STOP_GRACE, ..SchedulerOptions::default() };
    let (service, scheduler) = SchedulerService::new(parts, options);
    let id = record.id.clone();
    let started = async {
        scheduler.add(record).await?;
        scheduler.start(&id).await
    };
    let (ended, started) = tokio::join!(service.run(stop), started);
    started.map_err(|error| fail(&error))?;
    ended.map_err(|error| fail(&error))
}

/// The schedule of this process. It begins anew with each: a start runs at once, and so makes up for what was due
/// meanwhile; a dataset with a verdict is left alone, so that no restart judges it twice; and a run that a killed process
/// left open is closed when the store is opened.
fn record(cycles: &Loop) -> Result<ScheduleRecord, Failure> {
    let now = cycles.clock.now();
    let id: ScheduleId = DEFAULT.parse().map_err(|error| Failure::stage(format!("{error}")))?;
    let config = serde_json::to_value(Timing::new(Recurrence::Every(cycles.interval)))
        .map_err(|error| Failure::stage(error.to_string()))?;
    Ok(ScheduleRecord::idle(id, cycles.line.clone(), config, now))
}

impl Loop {
    /// One cycle. The settings are read again, for the file of supplied metrics may be another one by now.
    async fn cycle(&self, cancel: CancelToken) -> Result<CycleEnd, Failure> {
        let mut config = OrchestrateConfig::from_settings(&self.settings, false)?;
        choose_for_cycles(&mut config, &self.settings);
        let pipeline = Pipeline::new(wiring::stages(&config, &self.clock)?, Arc::clone(&self.store));
        let ctx = context(&config, &self.clock, self.output, cancel);
        let result = pipeline.run(&self.request(&config)?, &ctx).await;
        drop(ctx);
        let end = end_of(&result);
        conclude(result, Some(self.interval.as_millis()), self.output)?;
        Ok(end)
    }

    /// What a cycle does: synthetic bars go on with the clock, and nothing is trained twice on the same bars.
    fn request(&self, config: &OrchestrateConfig) -> Result<RunRequest, Failure> {
        let every = Recurrence::Every(self.interval);
        let cadence = Cadence { text: every.to_string(), every: every.interval() };
        let mut request = wiring::run_request(config, &cadence)?;
        request.on_no_new_bars = config.on_no_new_bars;
        if matches!(config.source, SourceConfig::Synthetic) {
            request.dataset.as_of.get_or_insert(self.clock.now());
        }
        Ok(request)
    }

    fn record(&self, cycle: u64, due: Timestamp, outcome: &str, reason: &str) {
        tracing::warn!(cycle, %due, outcome, reason);
        let payload = json!({ "line": self.line, "cycle": cycle, "due": due, "reason": reason });
        if let Err(error) = self.store.record_event(&format!("cycle_{outcome}"), &payload) {
            tracing::error!(%error, cycle, outcome, "the cycle could not be recorded");
        }
    }
}

#[async_trait]
impl CycleRunner for Loop {
    async fn run(&self, cycle: CycleStart, cancel: CancelToken) -> CycleEnd {
        let number = cycle.number;
        tracing::info!(cycle = number, due = %cycle.due_at, "cycle starts");
        let stopping = cancel.clone();
        // A thread of its own: reading a large file or waiting for a lock would not let a signal through.
        let (cycles, runtime) = (self.clone(), tokio::runtime::Handle::current());
        let ended = tokio::task::spawn_blocking(move || runtime.block_on(cycles.cycle(cancel))).await;
        match ended.unwrap_or_else(|panic| Err(Failure::stage(panic.to_string()))) {
            Ok(end) => end,
            Err(_) if stopping.is_cancelled() => CycleEnd::new(CycleStatus::Cancelled, None),
            Err(failure) => {
                print::failed(number, &failure, self.output);
                CycleEnd::new(CycleStatus::Failed, Some(failure.message))
            }
        }
    }
}

fn end_of(result: &Result<RunReport, RunError>) -> CycleEnd {
    let (outcome, reason) = match result {
        Ok(report) => (report.outcome, report.verdict.reason.clone()),
        Err(error) => error.outcome(),
    };
    CycleEnd::of(outcome, reason)
}

/// Keeps the schedule in memory, and due times without a run among the store's events.
struct LoopLedger {
    memory: MemoryLedger,
    cycles: Loop,
}

impl ScheduleLedger for LoopLedger {
    fn commit(&self, changes: &[ScheduleChange]) -> Result<Vec<i64>, LedgerError> {
        let numbers = self.memory.commit(changes)?;
        for change in changes {
            if let ScheduleChange::Cycle(NewCycle { number, due_at, status, reason: Some(reason), .. }) =
                change
                && matches!(status, CycleStatus::Skipped | CycleStatus::Missed)
            {
                self.cycles.record(*number, *due_at, status.as_str(), reason);
            }
        }
        Ok(numbers)
    }

    fn load(&self) -> Result<Vec<LoadedSchedule>, LedgerError> {
        self.memory.load()
    }
}
