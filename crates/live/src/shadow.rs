//! Models that decide on the same bars as the champion, with paper ledgers of their own: they show what the gates' streams
//! compute, and write none of it.
//!
//! A [`Shadow`] holds the champion's own paper ledger, that of the line's anchor, and those of any challengers. None of them
//! knows the session's limits, its grade or its venue: an order fills at the next bar's open by the engine's fill model,
//! under the costs of the session, as in a backtest. Nothing here fails a bar: a model that gives no answer holds its
//! position, and says so in its [`ShadowBar`].
//!
//! As in the gates' streams a feature begins at a bar that follows from the bar alone: the first of its UTC day, less as
//! many as the model needs before it. So a shadow that was restarted, or that began elsewhere, comes to the same bits. Only
//! while fewer bars are known than that takes, features begin with the first one that is.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use walkforward_core::{Bar, ModelId, Policy, Timeframe, Timestamp};
use walkforward_engine::{EngineError, FillModel, SessionCheckpoint, SessionConfig};

mod ledger;

use ledger::{DAY_MS, Follower};

/// Most challengers of one trader, besides the champion and the anchor.
pub const MAX_CHALLENGERS: usize = 8;

/// What a model is in the shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShadowRole {
    /// The one that trades, without the session's limits.
    Champion,
    /// What the champion's arm displaced, frozen: the evidence against the champion is counted beside it.
    Anchor,
    /// One that does not trade.
    Challenger,
}

/// How a champion comes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Succession {
    /// From another arm: it brings the ledger that it had as a challenger, or begins flat.
    Takeover,
    /// As a newer snapshot of the same arm: it goes on with the ledger of the one before, as the arm's stream does.
    Refresh,
}

/// A model that decides in the shadow. Whoever hands it over keeps its bundle locked.
#[derive(Clone)]
pub struct ShadowModel {
    /// Which.
    pub model_id: ModelId,
    /// SHA-256 of its weights file, lower-case hex.
    pub sha256: String,
    /// The policy, checked as one that trades.
    pub policy: Arc<dyn Policy>,
}

impl fmt::Debug for ShadowModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model_id, sha256, .. } = self;
        f.debug_struct("ShadowModel")
            .field("model_id", model_id)
            .field("sha256", sha256)
            .finish_non_exhaustive()
    }
}

impl ShadowModel {
    fn is(&self, model_id: &ModelId, sha256: &str) -> bool {
        self.model_id == *model_id && self.sha256 == sha256
    }
}

/// Whether a model answered at a bar's close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It did.
    Given,
    /// It was asked, and did not.
    Missing,
    /// It was not asked: its features are not complete yet, or the bar was history.
    NotAsked,
}

/// What a bar came to for one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowBar {
    /// What the model is.
    pub role: ShadowRole,
    /// Which model.
    pub model_id: ModelId,
    /// When the bar closed.
    pub close: Timestamp,
    /// Net return over it, of the position that the decisions before it had led to.
    pub net_return: f64,
    /// Equity at its close.
    pub equity: f64,
    /// Position at its close as a fraction of equity, before the decision there.
    pub position: f64,
    /// Whether the model answered at its close.
    pub answer: Answer,
    /// Why it did not.
    pub problem: Option<String>,
}

/// All that a shadow has come to but its bars: with both, [`Shadow::resume`] goes on to the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowCheckpoint {
    /// Its ledgers, the champion's and the anchor's among them.
    pub ledgers: Vec<LedgerCheckpoint>,
}

/// One ledger of a [`ShadowCheckpoint`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerCheckpoint {
    /// What its model is.
    pub role: ShadowRole,
    /// Which model decides.
    pub model_id: ModelId,
    /// SHA-256 of its weights file.
    pub sha256: String,
    /// Bars so far.
    pub bars: u64,
    /// The ledger, and the order that waits for the next bar.
    pub session: SessionCheckpoint,
}

/// Why a model can't be taken into the shadow.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// There are as many as there may be.
    #[error("{MAX_CHALLENGERS} challengers are in the shadow already: take one out before {0} comes in")]
    Full(ModelId),
    /// It is there.
    #[error("{0} is in the shadow already")]
    Known(ModelId),
    /// It decides on other bars.
    #[error("{model} decides on {found} bars, and this shadow gets {expected} bars")]
    Timeframe {
        /// Which model.
        model: ModelId,
        /// Its bars.
        found: Timeframe,
        /// The shadow's.
        expected: Timeframe,
    },
    /// Its features need more bars than are kept.
    #[error("{model} needs {needed} bars of history, and this shadow keeps {kept}")]
    History {
        /// Which model.
        model: ModelId,
        /// What it needs.
        needed: usize,
        /// What there is.
        kept: usize,
    },
    /// Settings out of range, a ledger that can't be taken up, actions that the market refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The ledgers beside the one that trades; see the module's words.
pub struct Shadow {
    rules: Rules,
    history: VecDeque<Bar>,
    followers: Vec<Follower>,
    last: Vec<ShadowBar>,
}

/// What all ledgers have in common.
#[derive(Debug, Clone, Copy)]
struct Rules {
    config: SessionConfig,
    fills: FillModel,
    timeframe: Timeframe,
    /// Bars that a model may need before a day.
    history_bars: usize,
}

impl Shadow {
    /// A shadow without models, of sessions like `config`, for bars of `timeframe`. Models may need `history_bars` before
    /// the first bar of a day; so many are kept, and those of the day.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn new(
        config: SessionConfig,
        timeframe: Timeframe,
        history_bars: usize,
    ) -> Result<Self, EngineError> {
        config.validate()?;
        let rules = Rules { config, fills: FillModel::new(&config), timeframe, history_bars };
        let (followers, last) = (Vec::new(), Vec::new());
        Ok(Self { rules, history: VecDeque::with_capacity(rules.kept_bars()), followers, last })
    }

    /// The shadow that was put away as `checkpoint`, with those of `models` that were in it. The ledgers whose model is
    /// not among them are left out: their names come back. Bars come through [`warm_up`](Self::warm_up).
    ///
    /// # Errors
    /// A setting out of range, a ledger that no session comes to, or a model that can't be taken in.
    pub fn resume(
        config: SessionConfig,
        timeframe: Timeframe,
        history_bars: usize,
        checkpoint: &ShadowCheckpoint,
        models: &[ShadowModel],
    ) -> Result<(Self, Vec<ModelId>), ShadowError> {
        let mut shadow = Self::new(config, timeframe, history_bars)?;
        let mut left_out = Vec::new();
        for ledger in &checkpoint.ledgers {
            match models.iter().find(|model| model.is(&ledger.model_id, &ledger.sha256)) {
                None => left_out.push(ledger.model_id.clone()),
                Some(model) => {
                    shadow.check(model)?;
                    let follower = Follower::resume(&shadow.rules, ledger, model.clone())?;
                    shadow.followers.push(follower);
                }
            }
        }
        Ok((shadow, left_out))
    }

    /// Takes a bar from before: it feeds features and nothing else.
    pub fn warm_up(&mut self, bar: &Bar) {
        self.keep(bar);
    }

    /// Lets all models have the next bar of the grid. On one that the source does not have (`present` is false) orders
    /// lapse. What it came to for each, the champion and the anchor among them.
    pub fn on_bar(&mut self, bar: &Bar, present: bool) -> &[ShadowBar] {
        self.last.clear();
        for follower in &mut self.followers {
            self.last.push(follower.on_bar(&self.rules, &self.history, bar, present));
        }
        self.keep(bar);
        &self.last
    }

    /// What the last bar came to.
    pub fn last(&self) -> &[ShadowBar] {
        &self.last
    }

    /// What the last bar came to for the model in this role; the first of the challengers.
    pub fn last_of(&self, role: ShadowRole) -> Option<&ShadowBar> {
        self.last.iter().find(|bar| bar.role == role)
    }

    /// What the last bar came to for this challenger.
    pub fn last_of_challenger(&self, model_id: &ModelId) -> Option<&ShadowBar> {
        self.last.iter().find(|bar| bar.role == ShadowRole::Challenger && bar.model_id == *model_id)
    }

    /// Whether there is a model in this role.
    pub fn has(&self, role: ShadowRole) -> bool {
        self.find(|it| it.role == role).is_some()
    }

    /// Makes `model` the champion. A ledger that it had as a challenger becomes the champion's on a takeover, and goes on
    /// a refresh, where it decides in the ledger of the champion before.
    ///
    /// # Errors
    /// The model can't be taken in; then nothing has changed.
    pub fn set_champion(&mut self, model: ShadowModel, succession: Succession) -> Result<(), ShadowError> {
        self.check(&model)?;
        let own = self.find(|it| it.role == ShadowRole::Challenger && it.model.model_id == model.model_id);
        let champion = self.find(|it| it.role == ShadowRole::Champion);
        let heir = match succession {
            Succession::Refresh => champion.or(own),
            Succession::Takeover => own,
        };
        let mut follower = match heir {
            Some(index) => self.followers[index].clone_for(&self.rules, model)?,
            None => Follower::new(&self.rules, ShadowRole::Champion, model)?,
        };
        follower.role = ShadowRole::Champion;
        let model_id = follower.model.model_id.clone();
        let leaves = |it: &Follower| {
            it.role == ShadowRole::Champion
                || (it.role == ShadowRole::Challenger && it.model.model_id == model_id)
        };
        self.followers.retain(|it| !leaves(it));
        self.followers.insert(0, follower);
        Ok(())
    }

    /// Takes the champion out: nobody trades, or the one who does can't be run here.
    pub fn remove_champion(&mut self) {
        self.followers.retain(|it| it.role != ShadowRole::Champion);
    }

    /// Makes `model` what the champion is measured against, beginning flat; none measures against flat itself. One that
    /// is the anchor already goes on.
    ///
    /// # Errors
    /// The model can't be taken in; then nothing has changed.
    pub fn set_anchor(&mut self, model: Option<ShadowModel>) -> Result<(), ShadowError> {
        let present = self.find(|it| it.role == ShadowRole::Anchor).map(|index| &self.followers[index].model);
        if let (Some(present), Some(model)) = (present, &model)
            && present.is(&model.model_id, &model.sha256)
        {
            return Ok(());
        }
        let anchor = match model {
            Some(model) => {
                self.check(&model)?;
                Some(Follower::new(&self.rules, ShadowRole::Anchor, model)?)
            }
            None => None,
        };
        self.followers.retain(|it| it.role != ShadowRole::Anchor);
        self.followers.extend(anchor);
        Ok(())
    }

    /// Takes a challenger in, beginning flat.
    ///
    /// # Errors
    /// There are [`MAX_CHALLENGERS`], it is the champion or a challenger already, or it can't be taken in.
    pub fn add_challenger(&mut self, model: ShadowModel) -> Result<(), ShadowError> {
        let is_it = |it: &Follower| it.role != ShadowRole::Anchor && it.model.model_id == model.model_id;
        if self.find(is_it).is_some() {
            return Err(ShadowError::Known(model.model_id));
        }
        if self.challengers().count() == MAX_CHALLENGERS {
            return Err(ShadowError::Full(model.model_id));
        }
        self.check(&model)?;
        self.followers.push(Follower::new(&self.rules, ShadowRole::Challenger, model)?);
        Ok(())
    }

    /// Lets `model`, a newer snapshot of the same arm, decide in the ledger of the challenger `before`, as the arm's stream
    /// does. Without such a challenger it comes in as a new one.
    ///
    /// # Errors
    /// As [`add_challenger`](Self::add_challenger); then nothing has changed.
    pub fn renew_challenger(&mut self, before: &ModelId, model: ShadowModel) -> Result<(), ShadowError> {
        let is_before = |it: &Follower| it.role == ShadowRole::Challenger && it.model.model_id == *before;
        let Some(index) = self.find(is_before) else { return self.add_challenger(model) };
        let is_it = |it: &Follower| it.role != ShadowRole::Anchor && it.model.model_id == model.model_id;
        if self.find(is_it).is_some() {
            return Err(ShadowError::Known(model.model_id));
        }
        self.check(&model)?;
        self.followers[index] = self.followers[index].clone_for(&self.rules, model)?;
        Ok(())
    }

    /// Takes a challenger out; whether it was there.
    pub fn remove_challenger(&mut self, model_id: &ModelId) -> bool {
        let before = self.followers.len();
        self.followers.retain(|it| it.role != ShadowRole::Challenger || it.model.model_id != *model_id);
        self.followers.len() < before
    }

    /// The challengers, the oldest first.
    pub fn challengers(&self) -> impl Iterator<Item = &ModelId> {
        let challengers = self.followers.iter().filter(|it| it.role == ShadowRole::Challenger);
        challengers.map(|it| &it.model.model_id)
    }

    /// All that it has come to but its bars. To be taken between two bars.
    pub fn checkpoint(&self) -> ShadowCheckpoint {
        ShadowCheckpoint { ledgers: self.followers.iter().map(Follower::checkpoint).collect() }
    }

    /// The bars that it keeps, oldest first.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &Bar> {
        self.history.iter()
    }

    fn keep(&mut self, bar: &Bar) {
        if self.history.len() == self.rules.kept_bars() {
            self.history.pop_front();
        }
        self.history.push_back(*bar);
    }

    fn find(&self, is_it: impl Fn(&Follower) -> bool) -> Option<usize> {
        self.followers.iter().position(is_it)
    }

    fn check(&self, model: &ShadowModel) -> Result<(), ShadowError> {
        let (spec, id) = (model.policy.spec(), || model.model_id.clone());
        let (found, expected) = (spec.timeframe, self.rules.timeframe);
        if found != expected {
            return Err(ShadowError::Timeframe { model: id(), found, expected });
        }
        let (needed, kept) = (ledger::needed_bars(spec), self.rules.history_bars);
        if needed > kept {
            return Err(ShadowError::History { model: id(), needed, kept });
        }
        Ok(self.rules.config.admit(spec.actions)?)
    }
}

impl Rules {
    /// Those that a model may need before a day, and those of the day.
    fn kept_bars(&self) -> usize {
        let of_a_day = DAY_MS / self.timeframe.millis().max(1) + 1;
        self.history_bars + usize::try_from(of_a_day).unwrap_or(1)
    }
}
