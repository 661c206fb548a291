//! Taking a champion back in the store, and what has been done there about it already.

use walkforward_core::ModelId;
use walkforward_store::{
    GuardedRollback, PromotionKind, PromotionRow, PromotionState, RollbackRequest, Store, StoreError,
};

use super::WatchOptions;
use super::pending::{Outcome, Pending};
use crate::follow::FollowError;

/// What a try to take a champion back came to.
pub(super) enum Tried {
    Done(Outcome),
    /// The pointer names another model, and not because of this verdict.
    Moved {
        champion: Option<ModelId>,
    },
    /// Somebody has made it champion again since the verdict: that is about an earlier time.
    MadeAgain,
}

/// Takes the champion back.
pub(super) fn act(store: &Store, options: &WatchOptions, pending: &Pending) -> Result<Tried, FollowError> {
    let Pending { model_id, verdict, .. } = pending;
    store.settle(&options.line)?;
    let done = done_before(store, options, pending)?;
    if made_again(store, options, pending)? > done.as_ref().map(|done| done.sequence) {
        return Ok(Tried::MadeAgain);
    }
    if let Some(done) = done {
        return Ok(Tried::Done(taken_back(&done)));
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

/// The last rollback that took this champion back since the verdict, whoever did that: a process before, when it was killed
/// behind it, or the watch of another session. Nothing is taken back twice, whatever somebody has made champion since.
fn done_before(
    store: &Store,
    options: &WatchOptions,
    pending: &Pending,
) -> Result<Option<GuardedRollback>, FollowError> {
    let mut rows = store.guarded_rollbacks(Some(&options.line))?;
    rows.retain(|row| Some(row.sequence) > pending.after && row.model == pending.model_id);
    Ok(rows.into_iter().max_by_key(|row| row.sequence))
}

/// The number of the promotion that made this champion champion again since the verdict, so that the verdict is over: one
/// that its own evaluation brought, or any while nobody watched. While the watch runs, whoever only goes back to it does not
/// undo what was found.
pub(super) fn made_again(
    store: &Store,
    options: &WatchOptions,
    pending: &Pending,
) -> Result<Option<u64>, FollowError> {
    let is_it = |row: &&PromotionRow| {
        Some(row.sequence) > pending.after
            && row.state == PromotionState::Committed
            && row.to.as_ref() == Some(&pending.model_id)
            && (pending.is_left || row.kind == PromotionKind::Promote)
    };
    Ok(store.promotions(&options.line)?.iter().rev().find(is_it).map(|row| row.sequence))
}

fn taken_back(done: &GuardedRollback) -> Outcome {
    let quarantine = match &done.quarantine {
        Some(quarantine) => {
            format!(", and its arm {} is in quarantine until {}", quarantine.arm, quarantine.until)
        }
        None => String::new(),
    };
    Outcome::TakenBack { words: format!("it was taken back at {}{quarantine}", done.since) }
}
