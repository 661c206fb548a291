//! Schedules and cycles as they are kept, and the changes that a step of the schedule's state machine makes to them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkforward_core::{LineName, ModelId, RunId, Timestamp, Verdict, Window};

use super::{DatasetConfigId, ExperimentId, PackId, ScheduleId};
use crate::words::words;

/// What a schedule does at its due times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// It was made and never started.
    Idle,
    /// It runs its cycles.
    Active,
    /// It keeps its next due time and starts nothing.
    Paused,
    /// It was stopped; it has no next due time.
    Stopped,
    /// It is gone from every list; its history is kept.
    Removed,
}

words!(ScheduleStatus, "schedule status", {
    Idle => "idle", Active => "active", Paused => "paused", Stopped => "stopped", Removed => "removed",
});

/// Why a cycle exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleTrigger {
    /// A due time of the recurrence; each has exactly one cycle.
    Due,
    /// Somebody asked for it.
    Manual,
    /// It makes up, once, for due times that were missed.
    CatchUp,
}

words!(CycleTrigger, "cycle trigger", { Due => "due", Manual => "manual", CatchUp => "catch_up" });

/// How far a cycle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleStatus {
    /// It waits for a free slot.
    Queued,
    /// It goes on.
    Running,
    /// Its model became the champion.
    Promoted,
    /// The gate said no.
    Rejected,
    /// The evidence did not say.
    Inconclusive,
    /// The gate said yes, and somebody has to approve. An approval shows as the cycle's deployed model.
    Held,
    /// It did not start; its reason says why.
    Skipped,
    /// Its due time was noticed too late.
    Missed,
    /// A stage failed.
    Failed,
    /// It was asked to stop.
    Cancelled,
    /// Its process ended without a word.
    Interrupted,
}

words!(CycleStatus, "cycle status", {
    Queued => "queued", Running => "running", Promoted => "promoted", Rejected => "rejected",
    Inconclusive => "inconclusive", Held => "held", Skipped => "skipped", Missed => "missed",
    Failed => "failed", Cancelled => "cancelled", Interrupted => "interrupted",
});

impl CycleStatus {
    /// Whether a cycle ends with it: every status but `queued` and `running`.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Its id.
    pub id: ScheduleId,
    /// Its name for people.
    pub name: String,
    /// The line that its models belong to.
    pub line: LineName,
    /// What it does at its due times.
    pub status: ScheduleStatus,
    /// The training that its first cycle continues from; none until that one is done.
    pub base_experiment_id: Option<ExperimentId>,
    /// Where its bars come from; none: as the program's settings say.
    pub dataset_id: Option<DatasetConfigId>,
    /// Its hyperparameters; none: as the program's settings say.
    pub hp_pack_id: Option<PackId>,
    /// Its settings, an object.
    pub config: Value,
    /// What the next cycle's training continues from.
    pub current_checkpoint_path: Option<String>,
    /// The instant that its intervals count from: its first start.
    pub anchor_at: Option<Timestamp>,
    /// Number of its newest cycle; 0 before the first.
    pub current_cycle: u64,
    /// When its newest cycle was due.
    pub last_cycle_at: Option<Timestamp>,
    /// Its next due time.
    pub next_cycle_at: Option<Timestamp>,
    /// Cycles that failed since the last one that came to a verdict.
    pub consecutive_failures: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ScheduleRecord {
    /// A schedule of `line` that was made at `now` and never started; its name is its id.
    pub fn idle(id: ScheduleId, line: LineName, config: Value, now: Timestamp) -> Self {
        Self {
            name: id.to_string(),
            id,
            line,
            status: ScheduleStatus::Idle,
            base_experiment_id: None,
            dataset_id: None,
            hp_pack_id: None,
            config,
            current_checkpoint_path: None,
            anchor_at: None,
            current_cycle: 0,
            last_cycle_at: None,
            next_cycle_at: None,
            consecutive_failures: 0,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A cycle of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CycleRecord {
    /// Its schedule.
    pub schedule_id: ScheduleId,
    /// Its number in its schedule, from 1 without gaps.
    pub number: u64,
    /// When it was due.
    pub due_at: Timestamp,
    /// Why it exists.
    pub trigger: CycleTrigger,
    /// How far it has come.
    pub status: CycleStatus,
    /// Why it has this status, in words.
    pub reason: Option<String>,
    /// The bars that it trains on, hold-out included.
    pub window: Option<Window>,
    /// The record of its training.
    pub experiment_id: Option<ExperimentId>,
    /// Its run.
    pub run_id: Option<RunId>,
    /// The model that its training continued from.
    pub parent_id: Option<ModelId>,
    /// The model that it made.
    pub model_id: Option<ModelId>,
    /// The model that it made champion, at once or by a later approval.
    pub deployed_model_id: Option<ModelId>,
    /// What the gate said.
    pub verdict: Option<Verdict>,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// When it got its final status.
    pub finished_at: Option<Timestamp>,
}

/// What the state machine knows of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleState {
    /// Which schedule.
    pub id: ScheduleId,
    /// What it does at its due times.
    pub status: ScheduleStatus,
    /// The instant that its intervals count from.
    pub anchor_at: Option<Timestamp>,
    /// Number of its newest cycle.
    pub current_cycle: u64,
    /// When its newest cycle was due.
    pub last_cycle_at: Option<Timestamp>,
    /// Its next due time.
    pub next_cycle_at: Option<Timestamp>,
}

/// A cycle that comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCycle {
    /// Its schedule.
    pub schedule_id: ScheduleId,
    /// Its number: one more than the schedule's last.
    pub number: u64,
    /// When it was due.
    pub due_at: Timestamp,
    /// Why it exists.
    pub trigger: CycleTrigger,
    /// How far it has come.
    pub status: CycleStatus,
    /// Why it has this status, in words.
    pub reason: Option<String>,
}

/// One thing that a step of the state machine has to have persisted before it acts.
#[derive(Debug, Clone, PartialEq)]
pub enum ScheduleChange {
    /// The state of a schedule.
    Schedule(ScheduleState),
    /// A new cycle.
    Cycle(NewCycle),
    /// A new status of a cycle that is not final yet.
    CycleStatus {
        /// Its schedule.
        schedule_id: ScheduleId,
        /// Its number.
        number: u64,
        /// Its new status.
        status: CycleStatus,
        /// Why, in words.
        reason: Option<String>,
    },
    /// An event, announced once it is persisted.
    Event {
        /// What, in one word.
        kind: String,
        /// Details.
        payload: Value,
    },
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::str::FromStr;

    use super::*;
    use crate::WordError;

    fn assert_words<T>(all: &[T])
    where
        T: Copy + fmt::Debug + fmt::Display + PartialEq + FromStr<Err = WordError> + Serialize,
    {
        for word in all {
            assert_eq!(word.to_string().parse::<T>().unwrap(), *word);
            assert_eq!(serde_json::to_value(word).unwrap(), Value::from(word.to_string()));
        }
        let error = "nonsense".parse::<T>().unwrap_err().to_string();
        assert!(error.contains("'nonsense' is not a") && error.contains(&all[0].to_string()), "{error}");
    }

    #[test]
    fn the_words_of_the_database_are_those_of_json_and_read_back() {
        assert_words(ScheduleStatus::ALL);
        assert_words(CycleTrigger::ALL);
        assert_words(CycleStatus::ALL);
    }

    #[test]
    fn a_cycle_that_waits_or_runs_is_not_final_and_every_other_is() {
        let open: Vec<_> = CycleStatus::ALL.iter().filter(|status| !status.is_final()).collect();
        assert_eq!(open, [&CycleStatus::Queued, &CycleStatus::Running]);
    }
}
