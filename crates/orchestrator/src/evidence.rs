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
    ArmId, BarSeries, Dataset, Evaluator, Grade, LineName, ModelId, StageContext, StreamEvidence, Timestamp,
};
use walkforward_store::{Anchor, Champion, ModelRecord, Snapshot, Store, StreamKey};

use crate::run_error::RunError;

pub(crate) mod keeper;
mod ledger;
mod pair;
mod reference;
pub(crate) mod turns;

use keeper::{Keeper, Role};
use ledger::Ledger;
pub use pair::{AnytimeLevel, TestPlan};
pub(crate) use reference::CaughtUp;
use reference::Reference;

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

/// What a run has measured, for the ledger of its arm.
pub(crate) struct Measured<'a> {
    pub(crate) dataset: &'a Dataset,
    pub(crate) now: Timestamp,
    pub(crate) candidate: &'a ModelId,
    /// Annualised Sharpe ratio of the candidate on its hold-out.
    pub(crate) sharpe: Option<f64>,
    /// What came of scoring the arm's bars.
    pub(crate) caught_up: &'a CaughtUp,
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
        Ok(Self {
            arm: store.register_arm(line, &request.spec)?,
            anchor: store.anchor(line)?.filter(|_| champion.is_some()),
            // What capital follows: a person's decision may have put less there than a verdict said.
            champion_grade: champion.and_then(|champion| champion.pointer.grade),
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

    /// Scores what has closed since the last run: the arm's stream, and those of what it is measured against. A reference
    /// that can't be run stops its own stream and nothing else. It computes: call it where blocking is allowed.
    pub(crate) fn catch_up(
        &self,
        evaluator: &Arc<dyn Evaluator>,
        dataset: &Arc<Dataset>,
        ctx: &StageContext,
    ) -> Result<CaughtUp, RunError> {
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
        let mut caught_up = CaughtUp::default();
        if let Some(problem) = keeper.extend(&key, head, snapshots)? {
            caught_up.cautions.push(format!("bars of the arm have no score yet: {problem}"));
        }
        let keeper = Keeper { role: Role::Reference, ..keeper };
        for measured in self.measured_models() {
            self.follow_reference(&keeper, measured, &mut caught_up)?;
        }
        Ok(caught_up)
    }

    /// Makes the model of `record` the arm's newest snapshot.
    pub(crate) fn publish(&self, record: &ModelRecord, now: Timestamp) -> Result<(), RunError> {
        let delay_ms = i64::try_from(self.request.publish_delay.as_millis()).unwrap_or(i64::MAX);
        let snapshot = snapshot_of(record, now.plus_millis(delay_ms));
        Ok(self.store.publish_snapshot(&self.arm, &snapshot)?)
    }

    /// What the arm has come to, for the gate.
    pub(crate) fn ledger(&self, measured: &Measured<'_>) -> Result<StreamEvidence, RunError> {
        let caught_up = measured.caught_up;
        let reference = self.reference(caught_up)?;
        let mut stream = self.beside(&reference, measured)?;
        let test = self.test(&reference, &stream, measured.dataset.window.end())?;
        stream.horizon = test.horizon;
        stream.anytime_level = test.anytime_level;
        let own = self.own_anchor(caught_up)?;
        if let Some(own) = &own {
            stream.own_anchor = Some(Box::new(self.beside(own, measured)?));
        }
        let references: Vec<&Reference> = own.iter().chain([&reference]).collect();
        stream.caution = caught_up.caution(&references);
        Ok(stream)
    }

    /// The arm's rows beside those of `reference`, without a test.
    fn beside(&self, reference: &Reference, measured: &Measured<'_>) -> Result<StreamEvidence, RunError> {
        let Measured { dataset, now, .. } = *measured;
        let bars_per_year = dataset.calendar.bars_per_year(dataset.timeframe());
        let arm = self.store.stream_bars(&StreamKey::Arm(self.arm.clone()), reference.since)?;
        let against = match &reference.model {
            None => None,
            Some(model) => Some(self.store.stream_bars(&self.against(model), reference.since)?),
        };
        let rows = Ledger::of(&arm, against.as_deref());
        let asset_return = asset_returns(&dataset.bars, &rows.bar_close);
        Ok(StreamEvidence {
            arm: self.arm.clone(),
            reference: reference.name().to_owned(),
            bar_close: rows.bar_close,
            arm_return: rows.arm_return,
            reference_return: rows.reference_return,
            arm_position: rows.arm_position,
            reference_position: rows.reference_position,
            asset_return,
            replayed_bars: rows.replayed_bars,
            bars_per_day: bars_per_year / DAYS_PER_YEAR,
            bars_per_year,
            horizon: None,
            anytime_level: None,
            own_anchor: None,
            is_champions: self.is_champions(),
            champion_grade: self.champion_grade,
            trials: self.store.models(&self.line)?.len(),
            arms: Some(self.store.arms(&self.line)?.len()),
            trial_sharpe_variance: self.trial_sharpe_variance(measured, bars_per_year)?,
            trial_bars: Some(dataset.bars.len() - dataset.split_index()),
            caution: None,
            quarantined_until: self.store.quarantined_until(&self.arm, now)?,
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
}

/// Return of the asset over each bar that closes at one of `closes`; none where `bars` do not reach back so far.
fn asset_returns(bars: &BarSeries, closes: &[Timestamp]) -> Vec<f64> {
    let (prices, length_ms) = (bars.closes(), bars.timeframe().millis());
    let over = |close: &Timestamp| {
        let open = close.plus_millis(-length_ms);
        let index = bars.index_at_or_after(open);
        let is_there = index > 0 && bars.open_times().get(index) == Some(&open);
        is_there.then(|| prices[index] / prices[index - 1] - 1.0)
    };
    closes.iter().map(over).collect::<Option<_>>().unwrap_or_default()
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
    use super::*;

    #[test]
    fn a_variance_needs_two_values() {
        assert_eq!((sample_variance(&[]), sample_variance(&[3.0])), (None, None));
        assert_eq!(sample_variance(&[1.0, 2.0, 6.0]), Some(7.0));
    }

    #[test]
    fn the_asset_is_told_where_its_bars_reach_back_far_enough() {
        let mut bars = BarSeries::new(walkforward_core::Timeframe::HOUR);
        for (hour, close) in [(0, 10.0), (1, 11.0), (2, 5.5)] {
            let open = Timestamp::EPOCH.plus_millis(hour * 3_600_000);
            bars.push(walkforward_core::Bar::flat(open, close).unwrap()).unwrap();
        }
        let closes = |hours: &[i64]| -> Vec<Timestamp> {
            hours.iter().map(|hour| Timestamp::EPOCH.plus_millis(hour * 3_600_000)).collect()
        };
        let told = asset_returns(&bars, &closes(&[2, 3]));
        assert!((told[0] - 0.1).abs() < 1e-12 && told[1] == -0.5, "{told:?}");
        assert_eq!(asset_returns(&bars, &closes(&[1, 2])), [0.0; 0], "the bar before the first is not known");
        assert_eq!(asset_returns(&bars, &closes(&[3, 4])), [0.0; 0]);
    }
}
