//! Retention: which models keep their weights, and taking those of the others away.
//!
//! Records, verdicts and histories are never taken away: a model without weights still answers what it was made from and
//! how it was judged. What was measured bar by bar, and the records of ETL, go long after the weights; so do the bars and
//! fills of traders' sessions, whose journals have them.

mod evidence;
mod plan;
mod prune;
mod sessions;
mod work;

use std::fmt;

use serde::{Deserialize, Serialize};
use walkforward_core::{ArmId, LineName, ModelId, Timestamp};

use crate::ScheduleId;

pub use evidence::PurgedEvidence;
pub(crate) use plan::weight_files;
pub use prune::PruneReport;
pub use sessions::PurgedSessions;
pub use work::{PurgedWork, WORK_DAYS};

/// Most models that one answer lists, and that one call prunes.
pub const MAX_LISTED_MODELS: usize = 10_000;

/// Which models keep their weights by age and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPolicy {
    /// How many of a line's newest models keep them, and how many of its latest champions before the present one; of
    /// these at least one does, for a rollback.
    pub keep_last: usize,
    /// Days for which every model keeps them.
    pub keep_days: u32,
    /// Days for which the parent of a model keeps them after the model was made, so that it can be made again.
    pub reproducible_days: u32,
}

impl Default for RetentionPolicy {
    /// The newest 20 models of a line, 30 days, parents for 30 days.
    fn default() -> Self {
        Self { keep_last: 20, keep_days: 30, reproducible_days: 30 }
    }
}

impl RetentionPolicy {
    /// How many champions before the present one are kept.
    pub(crate) fn earlier_champions(&self) -> usize {
        self.keep_last.max(1)
    }
}

/// Why a model keeps its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// It is its line's champion.
    Champion(LineName),
    /// It was champion not long ago: a rollback needs it.
    EarlierChampion(LineName),
    /// Challengers of its line are measured against it.
    Reference(LineName),
    /// Somebody pinned it, with this reason.
    Pinned(String),
    /// The run that made it is not over.
    RunGoesOn,
    /// A cycle of this schedule goes on with it.
    InCycle(ScheduleId),
    /// It is the newest of its line that can be approved.
    Held,
    /// The next cycle of this schedule continues from it.
    NextParent(ScheduleId),
    /// The stream of this arm goes on with it.
    Deciding(ArmId),
    /// It is among the newest of its line.
    Newest,
    /// It is younger than a model has to be to go.
    Young {
        /// How old it has to be, days.
        days: u32,
    },
    /// A model that is younger than this was made from it.
    Parent {
        /// For how many days it has to be possible to make a model again.
        days: u32,
    },
    /// A trader or a training has loaded it.
    Loaded,
    /// What its line's champion is can't be told, for this reason.
    UnknownChampion(String),
    /// It changed while others were removed.
    Changed,
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Champion(line) => write!(f, "champion of line '{line}'"),
            Self::EarlierChampion(line) => write!(f, "earlier champion of line '{line}'"),
            Self::Reference(line) => write!(f, "challengers of line '{line}' are measured against it"),
            Self::Pinned(reason) => write!(f, "pinned: {reason}"),
            Self::RunGoesOn => f.write_str("the run that made it goes on"),
            Self::InCycle(schedule) => write!(f, "a cycle of schedule '{schedule}' goes on with it"),
            Self::Held => f.write_str("waits for approval"),
            Self::NextParent(schedule) => {
                write!(f, "the next cycle of schedule '{schedule}' continues from it")
            }
            Self::Deciding(arm) => write!(f, "the stream of arm {arm} goes on with it"),
            Self::Newest => f.write_str("among the newest of its line"),
            Self::Young { days } => write!(f, "not {days} days old"),
            Self::Parent { days } => write!(f, "parent of a model not {days} days old"),
            Self::Loaded => f.write_str("loaded by a trader or a training"),
            Self::UnknownChampion(reason) => f.write_str(reason),
            Self::Changed => f.write_str("it changed meanwhile: look again"),
        }
    }
}

/// A model whose weights may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable {
    /// Which.
    pub model: ModelId,
    /// Its line.
    pub line: LineName,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its weights and its optimizer state take, bytes.
    pub bytes: u64,
    /// Why they may go.
    pub why: String,
}

/// A model that keeps its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptModel {
    /// Which.
    pub model: ModelId,
    /// Its line.
    pub line: LineName,
    /// What its weights and its optimizer state take, bytes.
    pub bytes: u64,
    /// Why they stay.
    pub why: KeepReason,
}

/// What a policy comes to, for the models that have weights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those whose weights may go, oldest first, at most [`MAX_LISTED_MODELS`]; after a prune there may be more.
    pub prunable: Vec<Prunable>,
    /// Those that keep them, newest first, at most [`MAX_LISTED_MODELS`].
    pub kept: Vec<KeptModel>,
    /// How many models keep them, listed or not.
    pub kept_models: usize,
    /// What those take together, bytes.
    pub kept_bytes: u64,
}
