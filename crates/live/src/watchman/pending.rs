//! A verdict on its way: what was done about it, and who decides meanwhile.

use serde::{Deserialize, Serialize};
use walkforward_core::{ModelId, Timestamp};

use super::act::Notice;
use crate::GuardVerdict;
use crate::journal::BarRecord;

/// Bars that a champion may decide still after the journal has told that it was taken back: the pointer is looked at within
/// the first of them.
const BARS_TO_LEAVE: u32 = 2;

/// A verdict whose consequence the journal does not tell of yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// The champion that it is about.
    pub(super) model_id: ModelId,
    pub(super) verdict: GuardVerdict,
    /// Close of the bar that brought it.
    found_at: Timestamp,
    /// Number of the line's last promotion when it was found: a rollback for it has a larger one.
    pub(super) after: Option<u64>,
    /// What was done about it.
    pub(super) outcome: Option<Outcome>,
    /// Whether the journal tells of that.
    #[serde(default)]
    pub(super) is_told: bool,
    /// Bars that the champion has decided since then.
    #[serde(default)]
    bars_on: u32,
    /// Why the session is held back until another model decides; none where it is not.
    #[serde(default)]
    pub(super) hold: Option<String>,
    /// Whether this process has announced it.
    #[serde(skip)]
    pub(super) is_announced: bool,
    /// Whether the pointer names another model, as far as this look at the journal knows.
    #[serde(skip)]
    pub(super) has_moved: bool,
}

/// What a verdict came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Outcome {
    /// Another model is champion now.
    TakenBack { words: String },
    /// Nothing came before it.
    NothingBefore { words: String },
    /// It was taken back, and decides on.
    Stays { words: String },
}

impl Pending {
    pub(super) fn new(model_id: ModelId, verdict: GuardVerdict, found_at: Timestamp) -> Self {
        Self {
            model_id,
            verdict,
            found_at,
            after: None,
            outcome: None,
            is_told: false,
            bars_on: 0,
            hold: None,
            is_announced: false,
            has_moved: false,
        }
    }

    pub(super) fn notice(&self, outcome: &Outcome) -> Notice {
        let (model_id, sentence) = (self.model_id.clone(), &self.verdict.sentence);
        match outcome {
            Outcome::TakenBack { words } => {
                Notice::TakenBack { model_id, reason: format!("{sentence}; {words}") }
            }
            Outcome::NothingBefore { words } | Outcome::Stays { words } => {
                let reason = format!("{sentence}; {words}: the position is closed and the session halts");
                Notice::Stop { model_id, reason }
            }
        }
    }

    /// Whether `bar` was decided by its champion because nobody else may: not while another one waits for the position to
    /// end.
    pub(super) fn is_on(&self, bar: &BarRecord) -> bool {
        bar.waited == 0 && bar.model.as_ref().is_some_and(|model| model.model_id == self.model_id)
    }

    /// Notes who decided on a bar; whether the verdict is done with.
    pub(super) fn decided(&mut self, bar: &BarRecord) -> bool {
        let Some(model) = &bar.model else { return false };
        if model.model_id != self.model_id {
            self.hold = None;
            return match self.outcome {
                None | Some(Outcome::Stays { .. }) => true,
                // The journal should tell of it.
                Some(Outcome::TakenBack { .. } | Outcome::NothingBefore { .. }) => self.is_told,
            };
        }
        if self.is_told && matches!(self.outcome, Some(Outcome::TakenBack { .. })) && self.is_on(bar) {
            self.bars_on += 1;
            if self.bars_on >= BARS_TO_LEAVE {
                let words = format!(
                    "it was taken back, and the session has not taken the model that is champion now: it decided on {} bars \
                     since",
                    self.bars_on
                );
                self.outcome = Some(Outcome::Stays { words });
                (self.is_told, self.is_announced) = (false, false);
            }
        }
        false
    }
}
