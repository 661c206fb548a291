//! The evidence for a line's arms: streams that score every closed bar once, and the ledgers that hold an arm against
//! what it wants to displace.
//!
//! A run that keeps a stream does three things for it: it scores the bars that have closed since the last run
//! ([`Evidence::catch_up`]), it publishes its model as the arm's newest snapshot, and it hands the gate the ledger
//! ([`Evidence::ledger`]). Everything is a function of rows: when the runs came changes nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use walkforward_core::{
    ArmId, Dataset, Evaluator, Grade, LineName, ModelId, StageContext, StreamEvidence, Timestamp,
};
use walkforward_store::{Anchor, Champion, ModelRecord, Snapshot, Store, StoreError, StreamKey};

use crate::run_error::RunError;

pub(crate) mod keeper;
mod ledger;
mod pair;
pub(crate) mod turns;

use keeper::{Keeper, Role, model_of};
use ledger::Ledger;
pub use pair::{AnytimeLevel, TestPlan};

/// Name of the reference that holds no position.
pub const FLAT: &str = "flat";
const DAYS_PER_YEAR: f64 = 365.0;
/// Snapshots that may decide where newer ones do not work. Where none of them does, the arm holds no position.
const FALL_BACKS: u32 = 8;

/// Asks a run to keep the stream of its arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmRequest {
    /// Everything that decides which models the arm makes, an object.
    pub spec: Value,
    /// Longest time from one snapshot to the next, where there is a plan. Without one no test over a fixed horizon is
    /// registered: whoever runs it would choose when to go on.
    pub cadence: Option<Duration>,
    /// How long after its verdict a snapshot decides.
    pub publish_delay: Duration,
    /// Whether the run is one of a replay: its bars never qualify an arm.
    pub is_replayed: bool,
    /// The test that an arm begins before its first live bar.
    pub test: TestPlan,
}

/// What a champion or an arm is measured against.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    /// The model, and since when bars count; none is `flat`.
    model: Option<(ModelId, Timestamp)>,
}

impl Reference {
    fn name(&self) -> &str {
        self.model.as_ref().map_or(FLAT, |(model, _)| model.as_str())
    }

    fn counts_after(&self) -> Option<Timestamp> {
        self.model.as_ref().map(|(_, since)| *since)
    }
}

/// What a run has measured, for the ledger of its arm.
pub(crate) struct Measured<'a> {
    pub(crate) dataset: &'a Dataset,
    pub(crate) now: Timestamp,
    pub(crate) candidate: &'a ModelId,
    /// Annualised Sharpe ratio of the candidate on its hold-out.
    pub(crate) sharpe: Option<f64>,
    /// What could not be scored, in words.
    pub(crate) caution: Option<String>,
}

/// The evidence of one run's arm.
pub(crate) struct Evidence {
    store: Arc<Store>,
    line: LineName,
    arm: ArmId,
    request: ArmRequest,
    anchor: Option<Anchor>,
    champion_grade: Option<Grade>,
}

impl Evidence {
    /// That of the arm in `request`, which is made known.
    pub(crate) fn of(
        store: &Arc<Store>,
        line: &LineName,
        request: &ArmRequest,
        champion: Option<&Champion>,
    ) -> Result<Self, RunError> {
        let grading = champion.and_then(|champion| champion.record.verdict.as_ref()?.grading.as_ref());
        Ok(Self {
            arm: store.register_arm(line, &request.spec)?,
            anchor: store.anchor(line)?.filter(|_| champion.is_some()),
            champion_grade: grading.and_then(|grading| grading.grade),
            store: Arc::clone(store),
            line: line.clone(),
            request: request.clone(),
        })
    }

    /// The models that the arm has made, the oldest first.
    pub(crate) fn models(&self) -> Result<Vec<ModelId>, RunError> {
        let snapshots = self.store.snapshots(&self.arm, None)?;
        Ok(snapshots.into_iter().map(|snapshot| snapshot.model).collect())
    }

    /// Scores what has closed since the last run: the arm's stream, and those of what it is measured against. What could
    /// not be scored, in words: a reference that can't be run stops its own stream and nothing else. It computes: call it
    /// where blocking is allowed.
    pub(crate) fn catch_up(
        &self,
        evaluator: &Arc<dyn Evaluator>,
        dataset: &Arc<Dataset>,
        ctx: &StageContext,
    ) -> Result<Option<String>, RunError> {
        let replayed_until = match self.request.is_replayed {
            true => Some(dataset.window.end()),
            // Who went on with a replayed arm knew its bars until then.
            false => self.store.replayed_until(&self.arm)?,
        };
        let (store, evaluator, role) = (&*self.store, evaluator.as_ref(), Role::Arm);
        let keeper = Keeper { store, evaluator, dataset, ctx, role, replayed_until };
        let key = StreamKey::Arm(self.arm.clone());
        let head = self.store.stream_head(&key)?;
        let last_close = head.as_ref().map(|head| head.last_close);
        let snapshots = self.store.snapshots_around(&self.arm, last_close, FALL_BACKS)?;
        self.notice_a_pause(&snapshots, dataset)?;
        let mut cautions = Vec::new();
        if let Some(problem) = keeper.extend(&key, head, snapshots)? {
            cautions.push(format!("bars of the arm have no score yet: {problem}"));
        }
        let keeper = Keeper { role: Role::Reference, ..keeper };
        for (model, since) in self.measured_models() {
            if let Some(problem) = self.follow_reference(&keeper, &model, since)? {
                cautions.push(format!("bars of the reference {model} have no score yet: {problem}"));
            }
        }
        Ok((!cautions.is_empty()).then(|| cautions.join("; ")))
    }

    /// Scores the bars of a model that the arm is measured against; why not all of them, where it can't be run.
    fn follow_reference(
        &self,
        keeper: &Keeper<'_>,
        model: &ModelId,
        since: Timestamp,
    ) -> Result<Option<String>, RunError> {
        let record = match model_of(&self.store, model) {
            Ok(Ok(record)) => record,
            Ok(Err(problem)) => return Ok(Some(problem)),
            Err(RunError::Store(StoreError::Files(error))) => return Ok(Some(error.to_string())),
            Err(error) => return Err(error),
        };
        // Its first bar is the first that it could decide at: what it has seen is no bar of a reference.
        let unseen_from = record.lineage_until.plus_millis(keeper.dataset.timeframe().millis());
        let snapshot = snapshot_of(&record, since.max(unseen_from));
        let key = self.against(model);
        let stopped = keeper.extend(&key, self.store.stream_head(&key)?, vec![snapshot])?;
        if let Some(problem) = &stopped {
            tracing::warn!(%model, %problem, "bars of a reference have no score");
        }
        Ok(stopped.map(|problem| problem.to_string()))
    }

    /// The stream of a model that the arm is measured against. Each arm has its own, so that both sides pay the same.
    fn against(&self, model: &ModelId) -> StreamKey {
        StreamKey::Reference(model.clone(), self.arm.clone())
    }

    /// The models whose streams are kept: the anchor, and what its own arm goes on being measured against.
    fn measured_models(&self) -> Vec<(ModelId, Timestamp)> {
        let Some(anchor) = &self.anchor else { return Vec::new() };
        let own = (anchor.model.clone(), anchor.taken_over_at);
        [Some(own), anchor.displaced.clone()].into_iter().flatten().collect()
    }

    /// Makes the model of `record` the arm's newest snapshot.
    pub(crate) fn publish(&self, record: &ModelRecord, now: Timestamp) -> Result<(), RunError> {
        let delay_ms = i64::try_from(self.request.publish_delay.as_millis()).unwrap_or(i64::MAX);
        let snapshot = snapshot_of(record, now.plus_millis(delay_ms));
        Ok(self.store.publish_snapshot(&self.arm, &snapshot)?)
    }

    /// What the arm has come to, for the gate.
    pub(crate) fn ledger(&self, measured: &Measured<'_>) -> Result<StreamEvidence, RunError> {
        let reference = self.reference();
        let mut stream = self.beside(&reference, measured)?;
        let test = self.test(&reference, measured.dataset.window.end(), stream.bars_per_year)?;
        stream.horizon = test.horizon;
        stream.anytime_level = test.anytime_level;
        stream.caution = measured.caution.clone();
        if let Some(anchor) = self.anchor.as_ref().filter(|_| self.is_champions()) {
            let own = Reference { model: Some((anchor.model.clone(), anchor.taken_over_at)) };
            stream.own_anchor = Some(Box::new(self.beside(&own, measured)?));
        }
        Ok(stream)
    }

    /// The arm's rows beside those of `reference`, without a test.
    fn beside(&self, reference: &Reference, measured: &Measured<'_>) -> Result<StreamEvidence, RunError> {
        let Measured { dataset, now, .. } = *measured;
        let bars_per_year = dataset.calendar.bars_per_year(dataset.timeframe());
        let arm = self.store.stream_bars(&StreamKey::Arm(self.arm.clone()), reference.counts_after())?;
        let against = match &reference.model {
            None => None,
            Some((model, since)) => Some(self.store.stream_bars(&self.against(model), Some(*since))?),
        };
        let rows = Ledger::of(&arm, against.as_deref());
        Ok(StreamEvidence {
            arm: self.arm.clone(),
            reference: reference.name().to_owned(),
            bar_close: rows.bar_close,
            arm_return: rows.arm_return,
            reference_return: rows.reference_return,
            arm_position: rows.arm_position,
            reference_position: rows.reference_position,
            replayed_bars: rows.replayed_bars,
            bars_per_day: bars_per_year / DAYS_PER_YEAR,
            bars_per_year,
            horizon: None,
            anytime_level: None,
            own_anchor: None,
            is_champions: self.is_champions(),
            champion_grade: self.champion_grade,
            trials: self.store.models(&self.line)?.len(),
            trial_sharpe_variance: self.trial_sharpe_variance(measured, bars_per_year)?,
            caution: None,
            last_takeover_at: self.anchor.as_ref().map(|anchor| anchor.taken_over_at),
            now,
        })
    }

    /// Sample variance of the Sharpe ratios per bar that the line's models had on their hold-outs.
    fn trial_sharpe_variance(
        &self,
        measured: &Measured<'_>,
        bars_per_year: f64,
    ) -> Result<Option<f64>, RunError> {
        let known = self.store.holdout_sharpes(&self.line)?.into_iter();
        // The candidate's row has none before its verdict, unless its run goes on after a kill.
        let others = known.filter(|(model, _)| model != measured.candidate).map(|(_, sharpe)| sharpe);
        let annual: Vec<f64> = others.chain(measured.sharpe).collect();
        Ok(sample_variance(&annual).map(|variance| variance / bars_per_year))
    }

    fn is_champions(&self) -> bool {
        self.anchor.as_ref().is_some_and(|anchor| anchor.arm.as_ref() == Some(&self.arm))
    }

    /// A challenger is measured against the anchor on bars after it took over; the champion's own arm goes on being
    /// measured against what it displaced, so that its takeover does not cut its evidence.
    fn reference(&self) -> Reference {
        let model = self.anchor.as_ref().and_then(|anchor| match self.is_champions() {
            true => anchor.displaced.clone(),
            false => Some((anchor.model.clone(), anchor.taken_over_at)),
        });
        Reference { model }
    }
}

fn snapshot_of(record: &ModelRecord, published_at: Timestamp) -> Snapshot {
    Snapshot { model: record.model_id.clone(), published_at, lineage_until: record.lineage_until }
}

/// With `n - 1`; none of fewer than two.
fn sample_variance(values: &[f64]) -> Option<f64> {
    let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some(squares / freedom as f64)
}

#[cfg(test)]
mod tests {
    use super::sample_variance;

    #[test]
    fn a_variance_needs_two_values() {
        assert_eq!((sample_variance(&[]), sample_variance(&[3.0])), (None, None));
        assert_eq!(sample_variance(&[1.0, 2.0, 6.0]), Some(7.0));
    }
}
