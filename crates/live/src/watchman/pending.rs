//! A verdict on its way: what was done about it, and who decides meanwhile.

use serde::{Deserialize, Serialize};
use walkforward_core::{ModelId, Timestamp};
use walkforward_store::JournalPosition;

use super::act::Notice;
use crate::GuardVerdict;
use crate::journal::BarRecord;

/// Bars that a champion may decide still after the journal has told that it was taken back, or the session that it should
/// halt: the pointer is looked at within the first of them.
const BARS_TO_LEAVE: u32 = 2;

/// A verdict whose consequence the journal does not tell of yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// The champion that it is about.
    pub(super) model_id: ModelId,
    pub(super) verdict: GuardVerdict,
    /// Close of the bar that brought it.
    pub(super) found_at: Timestamp,
    /// Number of the line's last promotion when it was found: a rollback for it has a larger one.
    pub(super) after: Option<u64>,
    /// What was done about it.
    pub(super) outcome: Option<Outcome>,
    /// Whether the journal tells of that.
    #[serde(default)]
    pub(super) is_told: bool,
    /// Bars that the champion has decided since then, or since the session was told to halt.
    #[serde(default)]
    bars_on: u32,
    /// Why the session is held back until another model decides; none where it is not.
    #[serde(default)]
    pub(super) hold: Option<String>,
    /// How far the journal was when this process announced it; none where it has not.
    #[serde(skip)]
    pub(super) announced_at: Option<JournalPosition>,
    /// What became of the champion meanwhile, as far as this look at the journal knows.
    #[serde(skip)]
    pub(super) meanwhile: Meanwhile,
    /// Whether it has decided a bar since the pointer names another model.
    #[serde(skip)]
    pub(super) decides_on: bool,
    /// Whether a process before has left it, and this one has not tried to carry it out.
    #[serde(skip)]
    pub(super) is_left: bool,
}

/// What became of a champion while its verdict is on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Meanwhile {
    /// Nothing that is known.
    #[default]
    Nothing,
    /// The pointer names another model.
    Moved,
    /// Another model has decided since, which the journal tells further on.
    Replaced,
    /// Somebody has made it champion again since.
    MadeAgain,
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
            announced_at: None,
            meanwhile: Meanwhile::Nothing,
            decides_on: false,
            is_left: false,
        }
    }

    /// What a process before has left.
    pub(super) fn of_before(self) -> Self {
        Self { is_left: true, ..self }
    }

    pub(super) fn notice(&self, outcome: &Outcome) -> Notice {
        let (model_id, sentence) = (self.model_id.clone(), &self.verdict.sentence);
        match outcome {
            Outcome::TakenBack { words } => {
                Notice::TakenBack { model_id, reason: format!("{sentence}; {words}") }
            }
            Outcome::NothingBefore { words } | Outcome::Stays { words } => {
                Notice::Stop { model_id, reason: format!("{sentence}; {words}") }
            }
        }
    }

    /// Whether `bar` was decided by its champion because nobody else may: not while another one waits for the position to
    /// end.
    pub(super) fn is_on(&self, bar: &BarRecord) -> bool {
        bar.waited == 0 && bar.model.as_ref().is_some_and(|model| model.model_id == self.model_id)
    }

    /// Notes who decided on the bar at `at`; whether the verdict is done with.
    pub(super) fn decided(&mut self, bar: &BarRecord, at: JournalPosition) -> bool {
        let Some(model) = &bar.model else { return false };
        if model.model_id != self.model_id {
            self.hold = None;
            return match self.outcome {
                None | Some(Outcome::NothingBefore { .. } | Outcome::Stays { .. }) => true,
                // The journal should tell of it.
                Some(Outcome::TakenBack { .. }) => self.is_told,
            };
        }
        self.decides_on |= self.meanwhile == Meanwhile::Moved;
        if self.should_have_left(at) && self.is_on(bar) {
            self.bars_on += 1;
            if self.bars_on >= BARS_TO_LEAVE {
                self.outlasts();
            }
        }
        false
    }

    /// Whether the session knew before `at` that the champion should decide no more.
    fn should_have_left(&self, at: JournalPosition) -> bool {
        match self.outcome {
            None => false,
            Some(Outcome::TakenBack { .. }) => self.is_told,
            Some(Outcome::NothingBefore { .. } | Outcome::Stays { .. }) => {
                self.announced_at.is_some_and(|announced_at| announced_at < at)
            }
        }
    }

    /// The champion still decides: the session has to be told to halt, or told again where it has not heard of that.
    fn outlasts(&mut self) {
        if let Some(Outcome::TakenBack { .. }) = self.outcome {
            let words = format!(
                "it was taken back, and the session has not taken the model that is champion now: it decided on {} bars \
                 since",
                self.bars_on
            );
            self.outcome = Some(Outcome::Stays { words });
        }
        (self.is_told, self.announced_at, self.bars_on) = (false, None, 0);
    }
}
