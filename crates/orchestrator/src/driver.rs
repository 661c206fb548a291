//! The one task that moves all schedules of a process.
//!
//! [`SchedulerService`] owns the fleet; [`Scheduler`] is the handle with which everybody else talks to it. Each step is
//! persisted in one transaction before anything of it is done or told. While nothing can be persisted, nothing new
//! happens: the step that waits is tried again at growing intervals, commands are refused with the reason, running
//! cycles go on, and [`Scheduler::overview`] says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use walkforward_core::{Clock, LineName, Timestamp};
use walkforward_store::{ScheduleChange, ScheduleId, ScheduleRecord, ScheduleStatus};

use crate::fleet::{Fleet, Input, Step};
use crate::schedule::{Command, CycleToRun, Effect, OpenCycle, Plan, State, TimingError};

mod aside;
mod cycles;
mod handle;
mod ledger;
mod memory;
mod persist;
mod ports;
mod slot;
mod stopping;
mod view;

use cycles::{Cycles, Ended};
pub use handle::{Scheduler, SchedulerError};
pub use memory::MemoryLedger;
pub use ports::{
    Announcer, CycleRunner, CycleStart, LedgerError, LoadedSchedule, NoAnnouncements, ScheduleLedger,
};
pub use slot::Slot;
use view::Board;
pub use view::{Overview, ScheduleView};

/// Commands that wait for their turn; who sends more waits.
const MAX_WAITING_COMMANDS: usize = 64;
/// Default of [`SchedulerOptions::longest_sleep`].
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What the scheduler works with.
pub struct SchedulerParts {
    /// Where schedules and cycles are kept.
    pub ledger: Arc<dyn ScheduleLedger>,
    /// Runs the cycles.
    pub runner: Arc<dyn CycleRunner>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told what has happened.
    pub announcer: Arc<dyn Announcer>,
}

/// How the scheduler works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulerOptions {
    /// Trainings that may run at once: cycles of all schedules, and others that hold a [`Slot`].
    pub max_concurrent_trainings: usize,
    /// How long cycles may take to end when the scheduler stops. What became of those that take longer is recorded by
    /// the next start.
    pub stop_grace: Duration,
    /// Longest single sleep: a clock that was set is noticed after it.
    pub longest_sleep: Duration,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self {
            max_concurrent_trainings: 1,
            stop_grace: Duration::from_secs(10),
            longest_sleep: LONGEST_SLEEP,
        }
    }
}

/// The scheduler before it runs.
pub struct SchedulerService {
    driver: Driver,
}

impl SchedulerService {
    /// A scheduler and its handle. Nothing happens before [`run`](Self::run).
    pub fn new(parts: SchedulerParts, options: SchedulerOptions) -> (Self, Scheduler) {
        let (sender, requests) = mpsc::channel(MAX_WAITING_COMMANDS);
        let (give_back, given_back) = mpsc::channel(options.max_concurrent_trainings.max(1));
        let board = Arc::new(Board::default());
        let driver = Driver {
            fleet: Fleet::new(options.max_concurrent_trainings),
            cycles: Cycles::new(Arc::clone(&parts.runner)),
            records: BTreeMap::new(),
            board: Arc::clone(&board),
            waiting: None,
            parts,
            options,
            requests,
            give_back,
            given_back,
        };
        (Self { driver }, Scheduler::new(sender, board))
    }

    /// Loads all schedules, closes what an earlier process left open, and runs them until `stop` resolves. Then every
    /// running cycle is asked to stop and gets [`SchedulerOptions::stop_grace`] for it.
    ///
    /// # Errors
    /// The schedules can't be loaded, or the ends of the last cycles can't be recorded; the next start repairs that.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), SchedulerError> {
        let mut driver = self.driver;
        driver.recover().await?;
        tokio::pin!(stop);
        loop {
            let wake = driver.next_sleep();
            tokio::select! {
                () = &mut stop => break,
                Some(request) = driver.requests.recv() => driver.obey(request).await,
                ended = driver.cycles.next(), if driver.waiting.is_none() => driver.finish(ended).await,
                Some(line) = driver.given_back.recv(), if driver.waiting.is_none() => driver.release(line).await,
                () = sleep(&*driver.parts.clock, wake) => driver.wake().await,
            }
        }
        driver.stop().await
    }
}

/// What a handle asks.
pub(crate) enum Request {
    /// Something about a schedule.
    Schedule { what: Asked, answer: Answer<ScheduleView> },
    /// Room for a training that is no cycle.
    Reserve { line: LineName, who: String, answer: Answer<Slot> },
}

type Answer<T> = oneshot::Sender<Result<T, SchedulerError>>;

/// What is asked for.
pub(crate) enum Asked {
    /// Take a schedule in.
    Add(Box<ScheduleRecord>),
    /// Give a schedule another configuration.
    Reconfigure(Box<ScheduleRecord>),
    /// A command for a schedule.
    Command(ScheduleId, Command),
}

struct Driver {
    parts: SchedulerParts,
    options: SchedulerOptions,
    fleet: Fleet,
    records: BTreeMap<ScheduleId, ScheduleRecord>,
    cycles: Cycles,
    board: Arc<Board>,
    requests: mpsc::Receiver<Request>,
    give_back: mpsc::Sender<LineName>,
    /// Lines whose trainings have given their slots back.
    given_back: mpsc::Receiver<LineName>,
    /// A step that could not be persisted yet.
    waiting: Option<persist::Waiting>,
}

impl Driver {
    /// Takes in what the ledger holds. A schedule whose configuration can't be read is set aside, and says so.
    async fn recover(&mut self) -> Result<(), SchedulerError> {
        let loaded = self.on_ledger(|ledger| ledger.load()).await;
        for LoadedSchedule { record, open } in loaded.map_err(SchedulerError::Load)? {
            self.records.insert(record.id.clone(), record.clone());
            match State::from_record(&record) {
                Ok(state) => self.take_in(state, open).await?,
                Err(error) => self.board.set_aside(&record, &error.to_string()),
            }
        }
        self.show_overview();
        Ok(())
    }

    /// A scheduler that can't record anything does not start. A schedule whose rows somebody else has changed is set
    /// aside.
    async fn take_in(&mut self, state: State, open: Vec<OpenCycle>) -> Result<(), SchedulerError> {
        let id = state.id().clone();
        match self.command(&id, Input::Added { state, open }).await {
            Err(SchedulerError::NotRecorded { source, .. }) if !source.may_pass => {
                self.set_aside(&id, &source);
                Ok(())
            }
            done => done,
        }
    }

    /// How long to sleep at most: to the next due time, or until the step that waits is tried again.
    fn next_sleep(&self) -> Option<Timestamp> {
        let wake = match &self.waiting {
            Some(waiting) => Some(waiting.retry_at),
            None => self.fleet.next_wake(),
        };
        wake.map(|wake| wake.min(after(self.parts.clock.now(), self.options.longest_sleep)))
    }

    async fn wake(&mut self) {
        if self.waiting.is_some() {
            return self.retry().await;
        }
        let now = self.parts.clock.now();
        if self.fleet.next_wake().is_some_and(|wake| wake <= now) {
            self.carry_out(Input::Timer { now, at_most: usize::MAX }).await;
        }
    }

    async fn finish(&mut self, ended: Ended) {
        let Ended { id, line, number, end } = ended;
        let is_known = self.fleet.get(&id).and_then(State::running) == Some(number);
        match is_known {
            true => self.carry_out(Input::Finished { id, number, end }).await,
            // Its schedule was set aside meanwhile.
            false => self.carry_out(Input::Released { line }).await,
        }
    }

    async fn obey(&mut self, request: Request) {
        match request {
            Request::Schedule { what, answer } => {
                let done = match self.refusal() {
                    Some(error) => Err(error),
                    None => self.answer(what).await,
                };
                // Who asked may be gone; the command is carried out all the same.
                let _ = answer.send(done);
            }
            Request::Reserve { line, who, answer } => {
                // A slot that nobody waits for any more is given back at once.
                let _ = answer.send(self.reserve(line, &who));
            }
        }
    }

    async fn answer(&mut self, what: Asked) -> Result<ScheduleView, SchedulerError> {
        let now = self.parts.clock.now();
        let (id, input) = match what {
            Asked::Add(record) => return self.add(*record).await,
            Asked::Reconfigure(record) => return self.reconfigure(*record, now).await,
            Asked::Command(id, Command::Remove) if self.is_set_aside(&id) => {
                return self.remove_set_aside(&id).await;
            }
            Asked::Command(id, command) => (id.clone(), input_of(id, command, now)),
        };
        let before = self.board.view(&id);
        self.command(&id, input).await?;
        self.view_after(&id, before)
    }

    /// A schedule after a command; one that is gone was removed by it.
    fn view_after(
        &self,
        id: &ScheduleId,
        before: Option<ScheduleView>,
    ) -> Result<ScheduleView, SchedulerError> {
        let gone = || {
            before.map(|view| ScheduleView { status: ScheduleStatus::Removed, next_cycle_at: None, ..view })
        };
        self.board.view(id).or_else(gone).ok_or_else(|| SchedulerError::Unknown { schedule: id.clone() })
    }

    async fn add(&mut self, record: ScheduleRecord) -> Result<ScheduleView, SchedulerError> {
        let id = record.id.clone();
        let state = State::from_record(&record).map_err(|error| unusable(&id, error))?;
        let known = self.records.insert(id.clone(), record);
        if let Err(error) = self.command(&id, Input::Added { state, open: Vec::new() }).await {
            match known {
                Some(known) => self.records.insert(id, known),
                None => self.records.remove(&id),
            };
            return Err(error);
        }
        self.view_after(&id, None)
    }

    async fn reconfigure(
        &mut self,
        record: ScheduleRecord,
        now: Timestamp,
    ) -> Result<ScheduleView, SchedulerError> {
        let id = record.id.clone();
        let plan = Plan::from_record(&record).map_err(|error| unusable(&id, error))?;
        self.command(&id, Input::Reconfigured { plan: Arc::new(plan), now }).await?;
        self.board.show(self.fleet.get(&id), &record);
        self.records.insert(id.clone(), record);
        self.view_after(&id, None)
    }

    /// Does what a persisted step says.
    fn act(&mut self, step: &Step, numbers: &[i64]) {
        for effect in &step.effects {
            match effect {
                Effect::Run(cycle) => self.start(cycle),
                Effect::Cancel { schedule_id, .. } => self.cycles.cancel(schedule_id),
                Effect::Announce(announcements) => {
                    for (number, announcement) in numbers.iter().zip(announcements) {
                        self.parts.announcer.announce(*number, announcement);
                    }
                }
                // The timer is read from the fleet; what is to be repeated is up to who sent it.
                Effect::Persist(_) | Effect::SetTimer(_) | Effect::Repeat => {}
            }
        }
        for id in step.touched() {
            let Some(record) = self.records.get(id) else { continue };
            self.board.show(self.fleet.get(id), record);
            if self.fleet.get(id).is_none() {
                self.records.remove(id);
            }
        }
        self.show_overview();
    }

    fn start(&mut self, cycle: &CycleToRun) {
        let Some(record) = self.records.get(&cycle.schedule_id) else { return };
        let state = self.fleet.get(&cycle.schedule_id).map(State::persisted);
        let schedule = state.map_or_else(|| record.clone(), |state| view::with_state(record, &state));
        self.cycles.start(CycleStart {
            schedule,
            number: cycle.number,
            due_at: cycle.due_at,
            trigger: cycle.trigger,
        });
    }

    fn show_overview(&self) {
        self.board.show_overview(Overview {
            schedules: self.records.len(),
            running: self.fleet.running(),
            trainings: self.fleet.trainings(),
            queued: self.fleet.queued(),
            next_wake_at: self.fleet.next_wake(),
            not_recorded: self.waiting.as_ref().map(|waiting| waiting.error.to_string()),
        });
    }
}

fn input_of(id: ScheduleId, command: Command, now: Timestamp) -> Input {
    match command {
        Command::Start => Input::Start { id, now },
        Command::Stop => Input::Stop { id, now },
        Command::Pause => Input::Pause { id },
        Command::Resume => Input::Resume { id, now },
        Command::Remove => Input::Removed { id, now },
        // The other two come with a record.
        Command::Trigger | Command::Add | Command::Reconfigure => Input::TriggerNow { id, now },
    }
}

fn unusable(id: &ScheduleId, error: TimingError) -> SchedulerError {
    SchedulerError::Unusable { schedule: id.clone(), source: error }
}

/// `now` and `duration` more.
fn after(now: Timestamp, duration: Duration) -> Timestamp {
    now.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

async fn sleep(clock: &dyn Clock, until: Option<Timestamp>) {
    match until {
        Some(until) => clock.sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
