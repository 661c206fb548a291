//! The cycles that run.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};
use walkforward_core::{CancelToken, LineName};
use walkforward_store::{CycleStatus, ScheduleId};

use super::ports::{CycleRunner, CycleStart};
use crate::schedule::CycleEnd;

/// Bytes of a reason that are kept.
const MAX_REASON_BYTES: usize = 2_000;

/// A cycle that has ended.
pub(super) struct Ended {
    pub(super) id: ScheduleId,
    pub(super) line: LineName,
    pub(super) number: u64,
    pub(super) end: CycleEnd,
}

struct Running {
    id: ScheduleId,
    line: LineName,
    number: u64,
    cancel: CancelToken,
}

/// One task for each cycle that runs; there are as many as the fleet has slots.
pub(super) struct Cycles {
    runner: Arc<dyn CycleRunner>,
    tasks: JoinSet<CycleEnd>,
    running: HashMap<Id, Running>,
}

impl Cycles {
    pub(super) fn new(runner: Arc<dyn CycleRunner>) -> Self {
        Self { runner, tasks: JoinSet::new(), running: HashMap::new() }
    }

    pub(super) fn start(&mut self, cycle: CycleStart) {
        let (runner, cancel) = (Arc::clone(&self.runner), CancelToken::default());
        let running = Running {
            id: cycle.schedule.id.clone(),
            line: cycle.schedule.line.clone(),
            number: cycle.number,
            cancel: cancel.clone(),
        };
        let task = self.tasks.spawn(async move { runner.run(cycle, cancel).await });
        self.running.insert(task.id(), running);
    }

    pub(super) fn cancel(&self, id: &ScheduleId) {
        self.running.values().filter(|running| running.id == *id).for_each(|running| running.cancel.cancel());
    }

    pub(super) fn cancel_all(&self) {
        self.running.values().for_each(|running| running.cancel.cancel());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// The line and the number of a schedule's cycle that runs.
    pub(super) fn running_of(&self, id: &ScheduleId) -> Option<(&LineName, u64)> {
        let running = self.running.values().find(|running| running.id == *id)?;
        Some((&running.line, running.number))
    }

    /// The next cycle that ends; never, while none runs.
    pub(super) async fn next(&mut self) -> Ended {
        loop {
            let (task, end) = match self.tasks.join_next_with_id().await {
                Some(Ok((task, end))) => (task, end),
                Some(Err(error)) => (error.id(), failed(error)),
                None => std::future::pending().await,
            };
            if let Some(Running { id, line, number, .. }) = self.running.remove(&task) {
                return Ended { id, line, number, end: bounded(end) };
            }
        }
    }

    /// Leaves what still runs behind; which cycles these are.
    pub(super) fn abandon(&mut self) -> Vec<(ScheduleId, u64)> {
        self.tasks.abort_all();
        self.running.drain().map(|(_, running)| (running.id, running.number)).collect()
    }
}

fn failed(error: JoinError) -> CycleEnd {
    let reason = match error.try_into_panic() {
        Ok(panic) => format!("a bug: the cycle panicked: {}", message(&*panic)),
        Err(error) => format!("the cycle was torn down: {error}"),
    };
    CycleEnd::new(CycleStatus::Failed, Some(reason))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn bounded(mut end: CycleEnd) -> CycleEnd {
    if let Some(reason) = &mut end.reason {
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
    }
    end
}
