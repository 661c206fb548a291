//! Which schedule wakes when, which line is taken, who waits. All of it follows from the states of the schedules, so
//! that putting an old state back puts everything back.

use std::collections::BTreeSet;
use std::fmt;

use walkforward_core::{LineName, Timestamp};
use walkforward_store::ScheduleId;

use super::Fleet;
use crate::schedule::State;

/// A schedule of the fleet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) state: State,
    /// The fleet's count of starts when this one was last served, or when it came.
    pub(super) served: u64,
}

/// A waiting cycle's place in the queue: served longest ago, then due first, then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    served: u64,
    due_at: Timestamp,
    pub(super) id: ScheduleId,
}

impl Turn {
    fn of(entry: &Entry) -> Option<Self> {
        let due_at = entry.state.queued_cycle()?.due_at;
        Some(Self { served: entry.served, due_at, id: entry.state.id().clone() })
    }
}

/// Who trains on a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Holder {
    /// A cycle of a schedule.
    Cycle(ScheduleId, u64),
    /// Another training, by the name that people know it by.
    Guest(String),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle(id, number) => write!(f, "cycle {number} of schedule '{id}'"),
            Self::Guest(who) => f.write_str(who),
        }
    }
}

/// A line that somebody trains on or waits for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) holder: Option<Holder>,
    waiting: BTreeSet<Turn>,
}

impl Line {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn waiting_ids(&self) -> impl Iterator<Item = &ScheduleId> {
        self.waiting.iter().map(|turn| &turn.id)
    }

    /// The waiting cycle that may start when there is a slot.
    fn ready(&self) -> Option<&Turn> {
        self.waiting.first().filter(|_| self.holder.is_none())
    }
}

impl Fleet {
    /// Puts a schedule in, another state in its place, or takes it out; what it was before.
    pub(super) fn put(&mut self, id: &ScheduleId, entry: Option<Entry>) -> Option<Entry> {
        let before = self.entries.remove(id);
        if let Some(before) = &before {
            self.unindex(before);
        }
        if let Some(entry) = entry {
            self.index(&entry);
            self.entries.insert(id.clone(), entry);
        }
        before
    }

    fn index(&mut self, entry: &Entry) {
        let id = entry.state.id();
        if let Some(time) = entry.state.wake_at() {
            self.timers.insert((time, id.clone()));
        }
        if let Some(number) = entry.state.running() {
            self.running.insert(id.clone(), number);
        }
        self.change_line(entry, |line| {
            if let Some(number) = entry.state.running() {
                line.holder = Some(Holder::Cycle(id.clone(), number));
            }
            line.waiting.extend(Turn::of(entry));
        });
    }

    fn unindex(&mut self, entry: &Entry) {
        let id = entry.state.id();
        if let Some(time) = entry.state.wake_at() {
            self.timers.remove(&(time, id.clone()));
        }
        self.running.remove(id);
        self.change_line(entry, |line| {
            if entry.state.running().is_some() {
                line.holder = None;
            }
            if let Some(turn) = Turn::of(entry) {
                line.waiting.remove(&turn);
            }
        });
    }

    /// Changes the line of a schedule that runs or waits on it.
    fn change_line(&mut self, entry: &Entry, change: impl FnOnce(&mut Line)) {
        if entry.state.running().is_some() || entry.state.queued().is_some() {
            self.on_line(&entry.state.plan().line, change);
        }
    }

    /// Changes a line, and who of it is ready to start.
    pub(super) fn on_line(&mut self, name: &LineName, change: impl FnOnce(&mut Line)) {
        let mut line = self.lines.remove(name).unwrap_or_default();
        if let Some(turn) = line.ready() {
            self.ready.remove(turn);
        }
        change(&mut line);
        if let Some(turn) = line.ready() {
            self.ready.insert(turn.clone());
        }
        if line.holder.is_some() || !line.waiting.is_empty() {
            self.lines.insert(name.clone(), line);
        }
    }
}
