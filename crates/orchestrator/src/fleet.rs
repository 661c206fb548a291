//! All schedules of a process, as one state machine: slots, lines, the queue and its fairness.
//!
//! [`Fleet::step`] moves one schedule, or all whose time has come, and then lets queued cycles start while there is
//! room for them: at most `max_concurrent` trainings run at once, and never two of one line. A free slot goes to the
//! queued cycle whose schedule was served longest ago, then to the one that was due first, then by id. A schedule that
//! was served or has just come goes behind all others, so nobody waits for ever. Trainings that are no cycles take a
//! slot and their line with [`Fleet::reserve`].
//!
//! Like [`schedule::step`](crate::schedule::step) it reads no clock and does no I/O. A step costs a few look-ups in
//! ordered maps, however many schedules there are. What a step did can be undone as long as no other followed, for when
//! it can't be persisted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use walkforward_core::{LineName, Timestamp};
use walkforward_store::{ScheduleChange, ScheduleId, ScheduleStatus};

use crate::schedule::{
    Announcement, Command, CycleEnd, Effect, Input as ScheduleInput, OpenCycle, Plan, Refused, Room, State,
    step,
};

mod index;

use index::{Entry, Holder, Line, Turn};

/// A step takes no further schedule whose time has come once it has this many changes to persist.
pub const MAX_CHANGES_PER_STEP: usize = 1_000;
/// Running cycles that a reason names.
const MAX_NAMED: usize = 3;

/// What happens to the fleet.
#[derive(Debug, Clone)]
pub enum Input {
    /// A schedule joins, with the cycles that a process before this one left open.
    Added {
        /// Its state.
        state: State,
        /// Cycles without an end.
        open: Vec<OpenCycle>,
    },
    /// A schedule leaves; it is forgotten when its running cycle has ended.
    Removed {
        /// Which.
        id: ScheduleId,
        /// The time.
        now: Timestamp,
    },
    /// A schedule gets another plan.
    Reconfigured {
        /// The new plan.
        plan: Arc<Plan>,
        /// The time.
        now: Timestamp,
    },
    /// Somebody starts a schedule.
    Start {
        /// Which.
        id: ScheduleId,
        /// The time.
        now: Timestamp,
    },
    /// Somebody stops a schedule.
    Stop {
        /// Which.
        id: ScheduleId,
        /// The time.
        now: Timestamp,
    },
    /// Somebody pauses a schedule.
    Pause {
        /// Which.
        id: ScheduleId,
    },
    /// Somebody ends a pause.
    Resume {
        /// Which.
        id: ScheduleId,
        /// The time.
        now: Timestamp,
    },
    /// Somebody wants a cycle now.
    TriggerNow {
        /// Of which schedule.
        id: ScheduleId,
        /// The time.
        now: Timestamp,
    },
    /// The time that the fleet waited for has come.
    Timer {
        /// The time.
        now: Timestamp,
        /// At most so many schedules take their turn in this step.
        at_most: usize,
    },
    /// A cycle has ended.
    Finished {
        /// Its schedule.
        id: ScheduleId,
        /// Its number.
        number: u64,
        /// How it ended.
        end: CycleEnd,
    },
    /// A training that is no cycle has ended, and its line and slot are free.
    Released {
        /// Its line.
        line: LineName,
    },
    /// The process ends: nothing starts any more.
    ShutDown,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Step {
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    undo: Vec<(ScheduleId, Option<Entry>)>,
}

impl Step {
    /// The schedules that it moved.
    pub fn touched(&self) -> impl Iterator<Item = &ScheduleId> {
        self.undo.iter().map(|(id, _)| id)
    }
}

/// The schedules of a process.
#[derive(Debug)]
pub struct Fleet {
    max_concurrent: usize,
    is_closing: bool,
    /// Cycles started so far; a schedule remembers what it was when it was last served.
    starts: u64,
    entries: BTreeMap<ScheduleId, Entry>,
    timers: BTreeSet<(Timestamp, ScheduleId)>,
    lines: BTreeMap<LineName, Line>,
    /// The first waiting cycle of each line on which nothing runs.
    ready: BTreeSet<Turn>,
    running: BTreeMap<ScheduleId, u64>,
    /// Trainings that are no cycles, by line.
    guests: BTreeMap<LineName, String>,
}

impl Fleet {
    /// A fleet without schedules that runs at most `max_concurrent` trainings at once; 0 counts as 1.
    pub fn new(max_concurrent: usize) -> Self {
        Self {
            max_concurrent: max_concurrent.max(1),
            is_closing: false,
            starts: 0,
            entries: BTreeMap::new(),
            timers: BTreeSet::new(),
            lines: BTreeMap::new(),
            ready: BTreeSet::new(),
            running: BTreeMap::new(),
            guests: BTreeMap::new(),
        }
    }

    /// The state of a schedule.
    pub fn get(&self, id: &ScheduleId) -> Option<&State> {
        self.entries.get(id).map(|entry| &entry.state)
    }

    /// The states of all schedules, by id.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.entries.values().map(|entry| &entry.state)
    }

    /// When it wants [`Input::Timer`].
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(time, _)| *time).filter(|_| !self.is_closing)
    }

    /// Number of cycles that run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Number of trainings that run: cycles and others.
    pub fn trainings(&self) -> usize {
        self.running.len() + self.guests.len()
    }

    /// Number of cycles that wait.
    pub fn queued(&self) -> usize {
        self.lines.values().map(Line::waiting).sum()
    }

    /// Moves the fleet. A refused command changes nothing.
    pub fn step(&mut self, input: Input) -> Result<Step, Refused> {
        let mut batch = Batch { wake_before: self.next_wake(), ..Batch::default() };
        match input {
            Input::Timer { now, at_most } => self.fire_due(&mut batch, now, at_most)?,
            Input::ShutDown => self.shut_down(&mut batch)?,
            Input::Added { state, open } => self.join(&mut batch, state, open)?,
            Input::Released { line } => self.release(&line),
            other => self.one(&mut batch, other)?,
        }
        self.admit_waiting(&mut batch)?;
        Ok(batch.into_step(self.next_wake()))
    }

    /// Takes back what `step`, the last one, did.
    pub fn undo(&mut self, step: Step) {
        for (id, entry) in step.undo.into_iter().rev() {
            self.put(&id, entry);
        }
    }

    /// Forgets a schedule at once, whatever it does. Who waited for its line starts with the next step.
    pub fn forget(&mut self, id: &ScheduleId) {
        self.put(id, None);
    }

    /// Gives a slot and `line` to a training that is no cycle and that people know as `who`, until
    /// [`Input::Released`]; or says who is in the way. It goes before queued cycles, none of which could start now.
    pub fn reserve(&mut self, line: &LineName, who: &str) -> Result<(), String> {
        match self.room_on(line) {
            Room::Busy { reason } => Err(reason),
            Room::Free => {
                self.let_in(line, who.to_owned());
                Ok(())
            }
        }
    }

    /// Gives a slot and `line` to a training that has begun already, until [`Input::Released`].
    pub(crate) fn let_in(&mut self, line: &LineName, who: String) {
        self.on_line(line, |line| line.holder = Some(Holder::Guest(who.clone())));
        self.guests.insert(line.clone(), who);
    }

    pub(crate) fn release(&mut self, line: &LineName) {
        if self.guests.remove(line).is_some() {
            self.on_line(line, |line| line.holder = None);
        }
    }

    /// Inputs for one schedule.
    fn one(&mut self, batch: &mut Batch, input: Input) -> Result<(), Refused> {
        let (id, command, input) = match input {
            Input::Removed { id, now } => (id, Command::Remove, ScheduleInput::Remove { now }),
            Input::Reconfigured { plan, now } => {
                (plan.id.clone(), Command::Reconfigure, ScheduleInput::Reconfigure { now, plan })
            }
            Input::Start { id, now } => (id, Command::Start, ScheduleInput::Start { now }),
            Input::Stop { id, now } => (id, Command::Stop, ScheduleInput::Stop { now }),
            Input::Pause { id } => (id, Command::Pause, ScheduleInput::Pause),
            Input::Resume { id, now } => (id, Command::Resume, ScheduleInput::Resume { now }),
            Input::TriggerNow { id, now } => {
                let room = self.room_for(&id);
                (id, Command::Trigger, ScheduleInput::TriggerNow { now, room })
            }
            Input::Finished { id, number, end } if self.entries.contains_key(&id) => {
                return self.apply(batch, &id, ScheduleInput::Finished { number, end });
            }
            _ => return Ok(()),
        };
        if !self.entries.contains_key(&id) {
            return Err(Refused::unknown(&id, command));
        }
        self.apply(batch, &id, input)
    }

    fn join(&mut self, batch: &mut Batch, state: State, open: Vec<OpenCycle>) -> Result<(), Refused> {
        let id = state.id().clone();
        if self.entries.contains_key(&id) {
            return Err(Refused::new(&id, Command::Add, "there is one with this id already"));
        }
        if state.status() == ScheduleStatus::Removed && open.is_empty() {
            return Err(Refused::new(&id, Command::Add, "it was removed; add it again under another id"));
        }
        // A newcomer goes behind those that wait already, or ever new ones would hold them up.
        self.put(&id, Some(Entry { state, served: self.starts }));
        batch.undo.push((id.clone(), None));
        self.apply(batch, &id, ScheduleInput::Recovered { open })
    }

    fn fire_due(&mut self, batch: &mut Batch, now: Timestamp, at_most: usize) -> Result<(), Refused> {
        for _ in 0..at_most {
            let due = self.timers.first().filter(|(time, _)| *time <= now);
            let Some((_, id)) = due.cloned() else { break };
            let room = self.room_for(&id);
            self.apply(batch, &id, ScheduleInput::Timer { now, room })?;
            if batch.changes.len() >= MAX_CHANGES_PER_STEP {
                break;
            }
        }
        Ok(())
    }

    fn shut_down(&mut self, batch: &mut Batch) -> Result<(), Refused> {
        self.is_closing = true;
        let waiting: Vec<ScheduleId> = self.lines.values().flat_map(Line::waiting_ids).cloned().collect();
        waiting.iter().try_for_each(|id| self.apply(batch, id, ScheduleInput::ShutDown))
    }

    /// Starts queued cycles while there is room.
    fn admit_waiting(&mut self, batch: &mut Batch) -> Result<(), Refused> {
        while !self.is_closing && self.trainings() < self.max_concurrent {
            let Some(id) = self.ready.first().map(|turn| turn.id.clone()) else { break };
            self.apply(batch, &id, ScheduleInput::Admitted)?;
        }
        Ok(())
    }

    /// Moves one schedule.
    fn apply(&mut self, batch: &mut Batch, id: &ScheduleId, input: ScheduleInput) -> Result<(), Refused> {
        let Some(before) = self.entries.get(id).cloned() else { return Ok(()) };
        let (state, effects) = step(before.state, input)?;
        let mut served = before.served;
        if effects.iter().any(|effect| matches!(effect, Effect::Run(_))) {
            self.starts += 1;
            served = self.starts;
        }
        let is_gone = state.status() == ScheduleStatus::Removed && state.running().is_none();
        let before = self.put(id, (!is_gone).then_some(Entry { state, served }));
        batch.undo.push((id.clone(), before));
        batch.take(effects);
        Ok(())
    }

    /// Whether a cycle of this schedule may start.
    fn room_for(&self, id: &ScheduleId) -> Room {
        match self.entries.get(id) {
            Some(entry) => self.room_on(&entry.state.plan().line),
            None => Room::Free,
        }
    }

    /// Whether a training may start on this line.
    fn room_on(&self, name: &LineName) -> Room {
        let reason = if self.is_closing {
            "the scheduler is stopping".to_owned()
        } else if let Some(holder) = self.lines.get(name).and_then(|line| line.holder.as_ref()) {
            format!("line '{name}' is busy with {holder}")
        } else if self.trainings() < self.max_concurrent {
            return Room::Free;
        } else {
            self.who_runs()
        };
        Room::Busy { reason }
    }

    fn who_runs(&self) -> String {
        let cycles = self.running.iter().map(|(id, number)| Holder::Cycle(id.clone(), *number).to_string());
        let mut who: Vec<String> = cycles.chain(self.guests.values().cloned()).take(MAX_NAMED).collect();
        if self.trainings() > MAX_NAMED {
            who.push("others".to_owned());
        }
        let verb = if self.trainings() == 1 { "is" } else { "are" };
        format!("{} {verb} running", who.join(", "))
    }
}

/// The effects of several schedules' steps, in the making.
#[derive(Default)]
struct Batch {
    wake_before: Option<Timestamp>,
    changes: Vec<ScheduleChange>,
    acts: Vec<Effect>,
    announcements: Vec<Announcement>,
    must_repeat: bool,
    undo: Vec<(ScheduleId, Option<Entry>)>,
}

impl Batch {
    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist(changes) => self.changes.extend(changes),
                Effect::Announce(announcements) => self.announcements.extend(announcements),
                Effect::Repeat => self.must_repeat = true,
                // One timer serves all schedules.
                Effect::SetTimer(_) => {}
                act @ (Effect::Run(_) | Effect::Cancel { .. }) => self.acts.push(act),
            }
        }
    }

    fn into_step(self, wake: Option<Timestamp>) -> Step {
        let mut effects = Vec::new();
        if !self.changes.is_empty() {
            effects.push(Effect::Persist(self.changes));
        }
        effects.extend(self.acts);
        if wake != self.wake_before {
            effects.push(Effect::SetTimer(wake));
        }
        if !self.announcements.is_empty() {
            effects.push(Effect::Announce(self.announcements));
        }
        if self.must_repeat {
            effects.push(Effect::Repeat);
        }
        Step { effects, undo: self.undo }
    }
}

#[cfg(test)]
mod tests;
