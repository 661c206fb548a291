//! Deciding a recorded session again.

use std::path::Path;
use std::sync::Arc;

use walkforward_core::{Action, Observation, Policy, Timestamp};

use crate::LiveError;
use crate::journal::{BarRecord, JournalRecord, ModelStamp, read_journal};

/// Most differences that a report lists; it counts all.
const MAX_LISTED_MISMATCHES: usize = 100;

/// What deciding again came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplayReport {
    /// Sessions in the journal.
    pub sessions: u64,
    /// Bars in the journal.
    pub bars: u64,
    /// Bytes of an unfinished last record, which a crash left or a session is writing; it is not decided again.
    pub torn_bytes: u64,
    /// Decisions that were made again.
    pub decisions: u64,
    /// Decisions that came out differently.
    pub mismatch_count: u64,
    /// The first of them.
    pub mismatches: Vec<ReplayMismatch>,
}

/// A decision that came out differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayMismatch {
    /// Start of the bar.
    pub open_time: Timestamp,
    /// The model.
    pub model: ModelStamp,
    /// What the journal says.
    pub recorded: Action,
    /// What the model says now, or why it says nothing.
    pub replayed: Result<Action, String>,
}

impl ReplayReport {
    /// Whether every decision came out as recorded.
    pub fn is_identical(&self) -> bool {
        self.mismatch_count == 0
    }
}

/// Decides every recorded observation of the journal at `path` again with the models in `models_dir`, each checked
/// against the hash that the journal names.
///
/// # Errors
/// The journal is damaged, or a model can't be loaded.
pub fn replay_journal(path: &Path, models_dir: &Path) -> Result<ReplayReport, LiveError> {
    replay_journal_with(path, |model| {
        let dir = models_dir.join(model.model_id.as_str());
        walkforward_policy::load(&dir, &model.sha256).map_err(|error| LiveError::Model {
            model: model.model_id.to_string(),
            reason: error.to_string(),
        })
    })
}

/// As [`replay_journal`], with models from `load`, which is called whenever the model changes.
///
/// # Errors
/// The journal is damaged, or `load` fails.
pub fn replay_journal_with(
    path: &Path,
    mut load: impl FnMut(&ModelStamp) -> Result<Arc<dyn Policy>, LiveError>,
) -> Result<ReplayReport, LiveError> {
    let mut report = ReplayReport::default();
    let mut loaded: Option<(String, Arc<dyn Policy>)> = None;
    let mut records = read_journal(path)?;
    for record in records.by_ref() {
        match record? {
            JournalRecord::Session(_) => report.sessions += 1,
            JournalRecord::Bar(bar) => {
                report.bars += 1;
                let Some(model) = &bar.model else { continue };
                let policy = match &loaded {
                    Some((sha256, policy)) if *sha256 == model.sha256 => Arc::clone(policy),
                    _ => load(model)?,
                };
                report.decide_again(&bar, model, policy.as_ref());
                loaded = Some((model.sha256.clone(), policy));
            }
            JournalRecord::Event(_) | JournalRecord::End(_) => {}
        }
    }
    report.torn_bytes = records.torn_bytes();
    Ok(report)
}

impl ReplayReport {
    fn decide_again(&mut self, bar: &BarRecord, model: &ModelStamp, policy: &dyn Policy) {
        let (Some(observation), Some(recorded)) = (&bar.observation, bar.action) else { return };
        self.decisions += 1;
        let replayed = policy.act(Observation(observation)).map_err(|error| error.to_string());
        let means_the_same = policy.spec().actions.target(recorded) == bar.target;
        if replayed == Ok(recorded) && means_the_same {
            return;
        }
        self.mismatch_count += 1;
        if self.mismatches.len() < MAX_LISTED_MISMATCHES {
            let (open_time, model) = (bar.open_time, model.clone());
            self.mismatches.push(ReplayMismatch { open_time, model, recorded, replayed });
        }
    }
}
