//! From a verdict to what became of it: persisted, then done, then announced.

use walkforward_core::{ModelId, Timestamp};
use walkforward_store::{GuardedRollback, JournalPosition, RollbackRequest, Store, StoreError};

use super::pending::{Outcome, Pending};
use super::{WatchOptions, Watchman, Work};
use crate::ConditionSource;
use crate::follow::{FollowError, JournalTail, Tailed};
use crate::journal::{BarRecord, EventRecord, JournalRecord, StampedEvent};

/// Bars that a champion may decide while taking it back fails. From then on the session is held back.
const BARS_TO_FAIL: u32 = 3;

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
    /// The champion should go, and nothing came before it or it decides on: the session has to close its position and halt.
    Stop {
        /// The champion.
        model_id: ModelId,
        /// Why.
        reason: String,
    },
    /// The champion should go and can't be taken back now: positions may only shrink meanwhile. It may be told again.
    Restricted {
        /// Why.
        reason: String,
    },
    /// What [`Restricted`](Self::Restricted) was about has passed. It may be told again.
    Lifted {
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

/// What a try to take a champion back came to.
enum Tried {
    Done(Outcome),
    /// The pointer names another model, and not because of this verdict.
    Moved {
        champion: Option<ModelId>,
    },
}

impl Work {
    /// The journal tells of what was done about a verdict on this model: it need not be told again.
    pub(super) fn hears_of(&mut self, model_id: &ModelId) {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.model_id == *model_id) else {
            return;
        };
        match pending.outcome {
            None => return,
            Some(Outcome::TakenBack { .. }) => pending.is_told = true,
            Some(Outcome::NothingBefore { .. } | Outcome::Stays { .. }) => self.pending = None,
        }
        self.is_dirty = true;
    }

    /// Another model decides: what was found about the one before is done with. That it still decides counts, too.
    pub(super) fn decided(&mut self, bar: &BarRecord) {
        if let Some(pending) = &mut self.pending
            && pending.decided(bar)
        {
            tracing::info!(model = %pending.model_id, "another model decides than the one with the verdict");
            self.pending = None;
        }
    }

    /// Somebody has acknowledged the halt that a verdict came to: the champion is watched anew. What the journal should say
    /// of that.
    pub(super) fn acknowledged(&mut self, at: Timestamp) -> Option<String> {
        if self.pending.as_ref().is_some_and(|pending| pending.outcome.is_none()) {
            return None;
        }
        let begun = self.session.as_mut()?.watch_anew()?;
        (self.pending, self.is_dirty) = (None, true);
        Some(match begun {
            Ok(champion) => {
                format!("the watch over {champion} begins anew: its verdict was acknowledged at {at}")
            }
            Err(problem) => problem,
        })
    }

    /// Whether the journal shows that the watch holds the session back, or does no more.
    pub(super) fn sees(&mut self, record: &JournalRecord) {
        match record {
            JournalRecord::Checkpoint(checkpoint) => {
                let conditions = checkpoint.desk.risk.conditions();
                self.is_held = conditions.get(ConditionSource::Watch).is_some();
            }
            JournalRecord::Event(StampedEvent {
                event: EventRecord::Condition { source: ConditionSource::Watch, behaviour, .. },
                ..
            }) => self.is_held = behaviour.is_some(),
            _ => {}
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
            Some(_) if pending.is_told => return Ok(()),
            Some(outcome) => outcome,
            None if pending.has_moved => return Ok(()),
            None => {
                // On the disk first: a start after a crash takes the champion back, if it still is the champion.
                self.save()?;
                match act(self.store.store()?, &self.options, &pending)? {
                    Tried::Done(outcome) => self.note_outcome(outcome)?,
                    Tried::Moved { champion } => return self.note_moved(champion),
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

    /// Where the pointer had moved, it may have moved again.
    pub(super) fn try_again(&mut self) {
        if let Some(pending) = self.pending() {
            pending.has_moved = false;
        }
    }

    /// Tells the session to hold back where the journal does not show that yet, and with `is_up_to_date` to do so no more.
    pub(super) fn tell_hold(&mut self, is_up_to_date: bool) {
        let Some(work) = &self.work else { return };
        let is_known = work.is_held || self.has_told_hold;
        let hold = work.pending.as_ref().and_then(|pending| pending.hold.as_ref());
        let notice = match hold {
            Some(reason) if !work.is_held => Notice::Restricted { reason: reason.clone() },
            None if is_known && is_up_to_date => {
                let reason = "no verdict on the model that decides is open any more".to_owned();
                Notice::Lifted { reason }
            }
            _ => return,
        };
        self.has_told_hold = matches!(notice, Notice::Restricted { .. });
        tracing::warn!(?notice, "the watch and what the session may do");
        (self.notify)(notice);
    }

    /// Holds the session back where a verdict came to nothing for some bars, because of `error`; whether another model
    /// decides by now, so that there is nothing to hold back.
    pub(super) fn hold_after(&mut self, error: &FollowError, until: JournalPosition) -> bool {
        let Some(work) = &mut self.work else { return false };
        let Some(pending) = work.pending.as_mut().filter(|it| it.outcome.is_none()) else { return false };
        let tail = JournalTail::behind(&self.options.journal, work.at);
        let Some(bars) = bars_on(tail, pending, until) else {
            work.is_dirty |= pending.hold.take().is_some();
            return true;
        };
        if pending.hold.is_some() || bars < BARS_TO_FAIL {
            return false;
        }
        pending.hold = Some(format!(
            "{}; it can't be taken back for {bars} bars ({error}): positions may only shrink until another model decides",
            pending.verdict.sentence
        ));
        work.is_dirty = true;
        false
    }

    fn pending(&mut self) -> Option<&mut Pending> {
        self.work.as_mut()?.pending.as_mut()
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

    /// Another model is champion by now, and whether the session takes it the journal will tell: until then the verdict
    /// stays, and the session is held back once the journal is read to its end.
    fn note_moved(&mut self, champion: Option<ModelId>) -> Result<(), FollowError> {
        if let Some(work) = &mut self.work
            && let Some(pending) = &mut work.pending
        {
            pending.has_moved = true;
            let now = champion.map_or_else(|| "none".to_owned(), |champion| champion.to_string());
            tracing::info!(model = %pending.model_id, now, "the champion changed before it was taken back");
        }
        Ok(())
    }

    /// Holds the session back where the pointer has moved and the journal, read to its end, shows the same model still.
    pub(super) fn hold_while_moved(&mut self) {
        let Some(work) = &mut self.work else { return };
        if let Some(pending) = work.pending.as_mut().filter(|it| it.has_moved && it.hold.is_none()) {
            pending.hold = Some(format!(
                "{}; another model is champion already, and the session has not taken it yet: positions may only shrink until \
                 another model decides",
                pending.verdict.sentence
            ));
            work.is_dirty = true;
        }
    }
}

/// Bars behind a verdict that its champion has decided in what `tail` gives, as many as matter; none when another model has.
fn bars_on(mut tail: JournalTail, pending: &Pending, until: JournalPosition) -> Option<u32> {
    let mut bars = 0;
    while let Ok(Some(tailed)) = tail.next(Some(until)) {
        let Tailed::Record(_, record) = tailed else { continue };
        let JournalRecord::Bar(bar) = *record else { continue };
        let is_other = bar.model.as_ref().is_some_and(|model| model.model_id != pending.model_id);
        if is_other {
            return None;
        }
        bars += u32::from(pending.is_on(&bar));
    }
    Some(bars)
}

/// Takes the champion back.
fn act(store: &Store, options: &WatchOptions, pending: &Pending) -> Result<Tried, FollowError> {
    let Pending { model_id, verdict, .. } = pending;
    store.settle(&options.line)?;
    if let Some(done) = done_before(store, options, pending)? {
        return Ok(Tried::Done(done));
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
            let passed_over = match taken.passed_over.is_empty() {
                true => String::new(),
                false => format!(" ({})", taken.passed_over.join("; ")),
            };
            let words = format!("{} is champion again{passed_over}{quarantine}", taken.promotion.to());
            Ok(Tried::Done(Outcome::TakenBack { words }))
        }
        Err(StoreError::NoEarlierChampion { problem, .. }) => {
            Ok(Tried::Done(Outcome::NothingBefore { words: problem }))
        }
        Err(StoreError::PointerMoved { found, .. }) => Ok(Tried::Moved { champion: found }),
        Err(error) => Err(error.into()),
    }
}

/// The rollback that took this champion back since the verdict, whoever did that: a process before, when it was killed behind
/// it, or the watch of another session. Nothing is taken back twice, whatever somebody has made champion since.
fn done_before(
    store: &Store,
    options: &WatchOptions,
    pending: &Pending,
) -> Result<Option<Outcome>, FollowError> {
    let rows = store.guarded_rollbacks(Some(&options.line))?;
    let is_it = |row: &GuardedRollback| Some(row.sequence) > pending.after && row.model == pending.model_id;
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
