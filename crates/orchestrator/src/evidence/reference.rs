//! What an arm is measured against, and what becomes of that when it can't be run any more.

use walkforward_core::{ErrorKind, ModelId, Timestamp};
use walkforward_store::{Pair, Snapshot, StoreError, StreamKey};

use super::keeper::{Keeper, model_of};
use super::{Evidence, FLAT, snapshot_of};
use crate::run_error::RunError;

/// A model that nothing could be measured against over so many hours of bars, and that trying again does not mend, is no
/// reference any more: without another one no challenger could ever be judged.
const HOURS_UNTIL_GONE: i64 = 24;
const HOUR_MS: i64 = 3_600_000;

/// What a champion or an arm is measured against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The model; none holds no position.
    pub(super) model: Option<ModelId>,
    /// Bars that close after this count; none where all do.
    pub(super) since: Option<Timestamp>,
}

impl Reference {
    /// Holds no position.
    pub(super) const FLAT: Self = Self { model: None, since: None };

    /// A model, and since when.
    pub(super) fn of((model, since): (ModelId, Timestamp)) -> Self {
        Self { model: Some(model), since: Some(since) }
    }

    /// No position in the place of a model that can't be run any more, since then.
    fn instead(since: Timestamp) -> Self {
        Self { model: None, since: Some(since) }
    }

    pub(super) fn name(&self) -> &str {
        self.model.as_ref().map_or(FLAT, ModelId::as_str)
    }

    /// Whether it holds no position in the place of a model.
    pub(super) fn is_instead(&self) -> bool {
        self.model.is_none() && self.since.is_some()
    }
}

/// What came of scoring the bars that have closed since the last run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CaughtUp {
    /// What could not be scored, and may be with the next run, in words.
    pub(super) cautions: Vec<String>,
    /// References that can't be run any more.
    pub(super) gone: Vec<Gone>,
}

/// A reference that can't be run any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    model: ModelId,
    /// Close of the last bar that it was scored on, or since when it was to be.
    at: Timestamp,
    problem: String,
}

/// Why bars of a reference have no score.
struct Unscored {
    problem: String,
    /// Whether trying again comes to the same.
    is_lasting: bool,
}

impl CaughtUp {
    /// What is wrong with a ledger against these, in words; none when nothing is.
    pub(super) fn caution(&self, references: &[&Reference]) -> Option<String> {
        let gone = self.gone.iter().map(|gone| {
            let is_kept = references.iter().any(|reference| reference.model.as_ref() == Some(&gone.model));
            gone.in_words(is_kept)
        });
        let cautions: Vec<String> = self.cautions.iter().cloned().chain(gone).collect();
        (!cautions.is_empty()).then(|| cautions.join("; "))
    }
}

impl Gone {
    fn in_words(&self, is_kept: bool) -> String {
        let Self { model, at, problem } = self;
        let then = match is_kept {
            true => "the test of the two was crossed before, which stays; no bar is added to it",
            false => {
                "from then on the arm is measured against flat instead, as a pair of its own with a test of its own"
            }
        };
        format!(
            "the reference {model} has no score since {at}, and trying again does not mend that ({problem}): {then}; a \
             person may make a model of another arm champion (`orchestrate models approve MODEL --overrule`) or take an \
             earlier champion back (`orchestrate models rollback`)"
        )
    }
}

impl Evidence {
    /// Scores the bars of a model that the arm is measured against; what could not be scored goes to `caught_up`.
    pub(super) fn follow_reference(
        &self,
        keeper: &Keeper<'_>,
        (model, since): (ModelId, Timestamp),
        caught_up: &mut CaughtUp,
    ) -> Result<(), RunError> {
        let key = self.against(&model);
        let Some(Unscored { problem, is_lasting }) = self.score_reference(keeper, &key, &model, since)?
        else {
            return Ok(());
        };
        tracing::warn!(%model, problem, "bars of a reference have no score");
        let head = self.store.stream_head(&key)?;
        let at = head.map_or(since, |head| head.last_close.max(since));
        let bars = &keeper.dataset.bars;
        let left = i64::try_from(bars.len() - bars.index_at_or_after(at)).unwrap_or(i64::MAX);
        let left_ms = left.saturating_mul(bars.timeframe().millis());
        match is_lasting && left_ms >= HOURS_UNTIL_GONE * HOUR_MS {
            true => caught_up.gone.push(Gone { model, at, problem }),
            false => {
                let caution = format!("bars of the reference {model} have no score yet: {problem}");
                caught_up.cautions.push(caution);
            }
        }
        Ok(())
    }

    fn score_reference(
        &self,
        keeper: &Keeper<'_>,
        key: &StreamKey,
        model: &ModelId,
        since: Timestamp,
    ) -> Result<Option<Unscored>, RunError> {
        let unscored = |problem, is_lasting| Ok(Some(Unscored { problem, is_lasting }));
        let record = match model_of(&self.store, model) {
            Ok(Ok(record)) => record,
            Ok(Err(problem)) => return unscored(problem, true),
            Err(StoreError::Files(error)) => return unscored(error.to_string(), false),
            Err(error) => return Err(error.into()),
        };
        // Its first bar is the first that it could decide at: what it has seen is no bar of a reference.
        let unseen_from = record.lineage_until.plus_millis(keeper.dataset.timeframe().millis());
        let snapshots: Vec<Snapshot> = vec![snapshot_of(&record, since.max(unseen_from))];
        match keeper.extend(key, self.store.stream_head(key)?, snapshots)? {
            None => Ok(None),
            Some(error) => unscored(error.to_string(), is_lasting(&error)),
        }
    }

    /// The stream of a model that the arm is measured against. Each arm has its own, so that both sides pay the same.
    pub(super) fn against(&self, model: &ModelId) -> StreamKey {
        StreamKey::Reference(model.clone(), self.arm.clone())
    }

    /// The models whose streams are kept: the anchor, and what its own arm goes on being measured against.
    pub(super) fn measured_models(&self) -> Vec<(ModelId, Timestamp)> {
        let Some(anchor) = &self.anchor else { return Vec::new() };
        let own = (anchor.model.clone(), anchor.taken_over_at);
        [Some(own), anchor.displaced.clone()].into_iter().flatten().collect()
    }

    /// What the arm is measured against now. A challenger is measured against the anchor on bars after it took over; the
    /// champion's own arm goes on being measured against what it displaced, so that its takeover does not cut its evidence.
    pub(super) fn reference(&self, caught_up: &CaughtUp) -> Result<Reference, RunError> {
        self.usable(self.nominal_reference(), caught_up)
    }

    /// The same, whether it can be run or not.
    pub(super) fn nominal_reference(&self) -> Reference {
        let model = self.anchor.as_ref().and_then(|anchor| match self.is_champions() {
            true => anchor.displaced.clone(),
            false => Some((anchor.model.clone(), anchor.taken_over_at)),
        });
        model.map_or(Reference::FLAT, Reference::of)
    }

    /// The anchor that the arm set itself; none where the champion is of another.
    pub(super) fn own_anchor(&self, caught_up: &CaughtUp) -> Result<Option<Reference>, RunError> {
        let anchor = self.anchor.as_ref().filter(|_| self.is_champions());
        let own = anchor.map(|anchor| Reference::of((anchor.model.clone(), anchor.taken_over_at)));
        own.map(|own| self.usable(own, caught_up)).transpose()
    }

    /// `reference`, or no position in its place where it can't be run any more. A pair that was crossed before needs no
    /// other: what it has come to stays.
    fn usable(&self, reference: Reference, caught_up: &CaughtUp) -> Result<Reference, RunError> {
        let gone = caught_up.gone.iter().find(|gone| reference.model.as_ref() == Some(&gone.model));
        match gone {
            Some(gone) if self.store.crossing(self.pair(&reference))?.is_none() => {
                Ok(Reference::instead(gone.at))
            }
            _ => Ok(reference),
        }
    }

    /// What the tests of the arm against `reference` go by.
    pub(super) fn pair<'a>(&'a self, reference: &'a Reference) -> Pair<'a> {
        Pair { arm: &self.arm, reference: reference.name(), since: reference.since }
    }
}

/// Whether trying again comes to the same.
fn is_lasting(error: &RunError) -> bool {
    matches!(error, RunError::Stage(error) if error.kind == ErrorKind::BadInput)
}
