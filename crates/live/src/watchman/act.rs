//! From a verdict to what became of it: persisted, then done, then announced.

use walkforward_core::{ModelId, Timestamp};
use walkforward_store::{JournalPosition, PointerReader};

use super::pending::{Meanwhile, Outcome, Pending};
use super::rollback::{Tried, act, made_again};
use super::session::WatchedSession;
use super::{Watchman, Work};
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
    /// The champion should go, and nothing came before it or it decides on: the session has to close its position and halt,
    /// unless another model has taken its place by then.
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
    pub(super) fn decided(&mut self, bar: &BarRecord, at: JournalPosition) {
        if let Some(pending) = &mut self.pending
            && pending.decided(bar, at)
        {
            tracing::info!(model = %pending.model_id, "another model decides than the one with the verdict");
            self.pending = None;
        }
    }

    /// Somebody has acknowledged the halt that a verdict came to: the champion is watched anew. What the journal should say
    /// of that. Where a verdict came to no halt, or not yet, something else was acknowledged.
    pub(super) fn acknowledged(&mut self, at: Timestamp) -> Option<String> {
        let outcome = self.pending.as_ref().map(|pending| &pending.outcome);
        if matches!(outcome, Some(None | Some(Outcome::TakenBack { .. }))) {
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
    /// Brings a verdict to its end, as far as that is not done. `until` is how far the journal is.
    pub(super) fn settle(&mut self, until: JournalPosition) -> Result<(), FollowError> {
        self.note_place()?;
        let Some((pending, is_caught_up)) = self.unsettled(until) else { return Ok(()) };
        let outcome = match pending.outcome.clone() {
            Some(outcome) => outcome,
            None => {
                // On the disk first: a start after a crash takes the champion back, if it still is the champion.
                self.save()?;
                match act(self.store.store()?, &self.options, &pending)? {
                    Tried::Done(outcome) => self.note_outcome(outcome)?,
                    Tried::Moved { champion } => return self.note_moved(champion),
                    Tried::MadeAgain => return self.note_made_again(&pending, is_caught_up),
                }
            }
        };
        if self.is_wanted_again(&pending, &outcome) {
            return self.note_made_again(&pending, true);
        }
        if let Some(pending) = self.pending() {
            pending.announced_at = Some(until);
            let notice = pending.notice(&outcome);
            tracing::warn!(?notice, "a rule of the guard was broken");
            (self.notify)(notice);
        }
        Ok(())
    }

    /// The verdict for which something is to be done, and whether all is read that the journal had when this process began.
    /// None where the journal, up to `until`, shows that another model has decided since: there it ends.
    fn unsettled(&mut self, until: JournalPosition) -> Option<(Pending, bool)> {
        let work = self.work.as_mut()?;
        let is_caught_up = work.at >= work.begun_until;
        let pending = work.pending.as_mut()?;
        if pending.meanwhile == Meanwhile::MadeAgain && is_caught_up {
            pending.meanwhile = Meanwhile::Nothing;
        }
        // The journal may tell of it already, behind where the process before had come to.
        if pending.outcome.is_some() && !is_caught_up {
            return None;
        }
        if pending.is_told || pending.announced_at.is_some() || pending.meanwhile != Meanwhile::Nothing {
            return None;
        }
        let is_taken_back = matches!(pending.outcome, Some(Outcome::TakenBack { .. }));
        let tail = JournalTail::behind(&self.options.journal, work.at);
        if !is_taken_back && bars_on(tail, pending, until).is_none() {
            pending.meanwhile = Meanwhile::Replaced;
            return None;
        }
        Some((pending.clone(), is_caught_up))
    }

    /// Whether somebody has made the champion again champion that the session should be told to halt for; not where nobody
    /// can tell.
    fn is_wanted_again(&mut self, pending: &Pending, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::TakenBack { .. } => false,
            Outcome::NothingBefore { .. } => {
                let store = self.store.store().ok().filter(|_| pending.is_left);
                store.is_some_and(|store| matches!(made_again(store, &self.options, pending), Ok(Some(_))))
            }
            Outcome::Stays { .. } => {
                let pointer = PointerReader::new(self.store.models_dir(), self.options.line.clone()).read();
                matches!(pointer, Ok(Some((pointer, _))) if pointer.model_id == pending.model_id)
            }
        }
    }

    /// Somebody wants the champion in spite of its verdict: the watch over it begins anew. What it decided before is no
    /// evidence any more, so all of that is read first.
    fn note_made_again(&mut self, pending: &Pending, is_caught_up: bool) -> Result<(), FollowError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        if !is_caught_up {
            work.pending.iter_mut().for_each(|pending| pending.meanwhile = Meanwhile::MadeAgain);
            return Ok(());
        }
        (work.pending, work.is_dirty) = (None, true);
        let begun = work.session.as_mut().and_then(WatchedSession::watch_anew);
        let Pending { model_id, found_at, .. } = pending;
        self.warn(&match begun {
            Some(Err(problem)) => problem,
            _ => format!(
                "the watch over {model_id} begins anew: it was made champion again since its verdict at {found_at}"
            ),
        });
        Ok(())
    }

    /// What became of the champion meanwhile may have changed.
    pub(super) fn try_again(&mut self) {
        if let Some(pending) = self.pending() {
            pending.meanwhile = Meanwhile::Nothing;
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
                (pending.outcome, pending.is_left) = (Some(outcome.clone()), false);
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
    /// stays.
    fn note_moved(&mut self, champion: Option<ModelId>) -> Result<(), FollowError> {
        if let Some(pending) = self.pending() {
            (pending.meanwhile, pending.is_left) = (Meanwhile::Moved, false);
            let now = champion.map_or_else(|| "none".to_owned(), |champion| champion.to_string());
            tracing::info!(model = %pending.model_id, now, "the champion changed before it was taken back");
        }
        Ok(())
    }

    /// Holds the session back where the pointer has moved, and the journal, read to its end, shows that the same model has
    /// decided a bar still. Where it has none yet, the next one may be the first of the other.
    pub(super) fn hold_while_moved(&mut self) {
        let Some(work) = &mut self.work else { return };
        let holds =
            |it: &&mut Pending| it.meanwhile == Meanwhile::Moved && it.decides_on && it.hold.is_none();
        if let Some(pending) = work.pending.as_mut().filter(holds) {
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
