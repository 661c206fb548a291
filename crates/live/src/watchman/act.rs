//! From a verdict to what became of it: persisted, then done, then announced.

use serde::{Deserialize, Serialize};
use walkforward_core::{ModelId, Timestamp};
use walkforward_store::{GuardedRollback, RollbackRequest, Store, StoreError};

use super::{WatchOptions, Watchman, Work};
use crate::GuardVerdict;
use crate::follow::FollowError;

/// What a watchman tells the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The champion was taken back: the session goes on with the one that the pointer names now.
    TakenBack {
        /// The champion that was.
        model_id: ModelId,
        /// Why, and what was done.
        reason: String,
    },
    /// The champion should go and nothing came before it: the session has to close its position and halt.
    Stop {
        /// The champion.
        model_id: ModelId,
        /// Why.
        reason: String,
    },
    /// Something that a person should look at.
    Warning {
        /// What.
        reason: String,
    },
}

/// Hands a notice to the session. What it can't take any more it learns after the next start.
pub type Notify = Box<dyn Fn(Notice) + Send + Sync>;

/// A verdict whose consequence the journal does not tell of yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// The champion that it is about.
    model_id: ModelId,
    verdict: GuardVerdict,
    /// Close of the bar that brought it.
    found_at: Timestamp,
    /// Number of the line's last promotion when it was found: a rollback for it has a larger one.
    after: Option<u64>,
    /// What was done about it.
    outcome: Option<Outcome>,
    /// Whether this process has announced it.
    #[serde(skip)]
    is_announced: bool,
}

/// What a verdict came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Outcome {
    /// Another model is champion now.
    TakenBack { words: String },
    /// Nothing came before it.
    NothingBefore { words: String },
}

impl Pending {
    pub(super) fn new(model_id: ModelId, verdict: GuardVerdict, found_at: Timestamp) -> Self {
        Self { model_id, verdict, found_at, after: None, outcome: None, is_announced: false }
    }

    fn notice(&self, outcome: &Outcome) -> Notice {
        let (model_id, sentence) = (self.model_id.clone(), &self.verdict.sentence);
        match outcome {
            Outcome::TakenBack { words } => {
                Notice::TakenBack { model_id, reason: format!("{sentence}; {words}") }
            }
            Outcome::NothingBefore { words } => {
                let reason = format!("{sentence}; {words}: the position is closed and the session halts");
                Notice::Stop { model_id, reason }
            }
        }
    }
}

impl Work {
    /// The journal tells of what was done about a verdict on this model: it need not be told again.
    pub(super) fn hears_of(&mut self, model_id: &ModelId) {
        let is_it = |pending: &mut Pending| pending.model_id == *model_id && pending.outcome.is_some();
        if self.pending.take_if(is_it).is_some() {
            self.is_dirty = true;
        }
    }
}

impl Watchman {
    /// Brings a verdict to its end, as far as that is not done.
    pub(super) fn settle(&mut self) -> Result<(), FollowError> {
        self.note_place()?;
        let Some(pending) = self.work.as_ref().and_then(|work| work.pending.clone()) else { return Ok(()) };
        let outcome = match pending.outcome.clone() {
            // The journal may tell of it already, behind where the process before had come to.
            Some(_) if self.work.as_ref().is_some_and(|work| work.at < work.begun_until) => return Ok(()),
            Some(outcome) => outcome,
            None => {
                // On the disk first: a start after a crash takes the champion back, if it still is the champion.
                self.save()?;
                match act(self.store.store()?, &self.options, &pending)? {
                    Some(outcome) => self.note_outcome(outcome)?,
                    None => return self.forget(),
                }
            }
        };
        if let Some(pending) = self.work.as_mut().and_then(|work| work.pending.as_mut())
            && !std::mem::replace(&mut pending.is_announced, true)
        {
            let notice = pending.notice(&outcome);
            tracing::warn!(?notice, "a rule of the guard was broken");
            (self.notify)(notice);
        }
        Ok(())
    }

    /// Keeps where the line's history was when the verdict was found.
    fn note_place(&mut self) -> Result<(), FollowError> {
        let pending = self.work.as_mut().and_then(|work| work.pending.as_mut());
        if let Some(pending) = pending.filter(|pending| pending.after.is_none()) {
            let rows = self.store.store()?.promotions(&self.options.line)?;
            pending.after = Some(rows.last().map_or(0, |row| row.sequence));
        }
        Ok(())
    }

    /// Keeps what was done.
    fn note_outcome(&mut self, outcome: Outcome) -> Result<Outcome, FollowError> {
        if let Some(work) = &mut self.work {
            if let Some(pending) = &mut work.pending {
                pending.outcome = Some(outcome.clone());
                if let (Outcome::TakenBack { .. }, Some(session)) = (&outcome, &mut work.session) {
                    session.taken_back = Some(pending.model_id.clone());
                }
            }
            work.is_dirty = true;
        }
        self.save()?;
        Ok(outcome)
    }

    /// The champion is another one by now: there is nothing to take back.
    fn forget(&mut self) -> Result<(), FollowError> {
        if let Some(work) = &mut self.work
            && let Some(pending) = work.pending.take()
        {
            let model = &pending.model_id;
            tracing::info!(%model, "the champion changed before it was taken back");
            work.is_dirty = true;
        }
        self.save()
    }
}

/// Takes the champion back; none where it is not the champion any more, and not because of this verdict.
fn act(store: &Store, options: &WatchOptions, pending: &Pending) -> Result<Option<Outcome>, FollowError> {
    let Pending { model_id, verdict, .. } = pending;
    store.settle(&options.line)?;
    if let Some(done) = done_before(store, options, pending)? {
        return Ok(Some(done));
    }
    let request = RollbackRequest {
        line: &options.line,
        expected_champion: model_id,
        rule: verdict.rule.as_str(),
        sentence: &verdict.sentence,
        quarantine: options.quarantine,
    };
    match store.roll_back_guarded(&request) {
        Ok(taken) => {
            let quarantine = match taken.quarantined {
                Some((arm, until)) => format!(", and its arm {arm} is in quarantine until {until}"),
                None => String::new(),
            };
            let words = format!("{} is champion again{quarantine}", taken.promotion.to());
            Ok(Some(Outcome::TakenBack { words }))
        }
        Err(StoreError::NoEarlierChampion { problem, .. }) => {
            Ok(Some(Outcome::NothingBefore { words: problem }))
        }
        Err(StoreError::PointerMoved { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a process before has done about the verdict, when it was killed behind that: nothing is taken back twice, whatever
/// somebody has made champion since.
fn done_before(
    store: &Store,
    options: &WatchOptions,
    pending: &Pending,
) -> Result<Option<Outcome>, FollowError> {
    let rows = store.guarded_rollbacks(Some(&options.line))?;
    let is_it = |row: &GuardedRollback| {
        Some(row.sequence) > pending.after
            && row.model == pending.model_id
            && row.sentence == pending.verdict.sentence
    };
    let quarantine = |row: &GuardedRollback| match &row.quarantine {
        Some(quarantine) => {
            format!(", and its arm {} is in quarantine until {}", quarantine.arm, quarantine.until)
        }
        None => String::new(),
    };
    Ok(rows.iter().find(|row| is_it(row)).map(|row| Outcome::TakenBack {
        words: format!("it was taken back at {}{}", row.since, quarantine(row)),
    }))
}
