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
    ArmId, Dataset, Evaluator, Grade, Horizon, LineName, ModelId, StageContext, StreamEvidence, Timestamp,
};
use walkforward_store::{
    Anchor, Champion, HorizonRequest, ModelRecord, Snapshot, Store, StreamHead, StreamKey,
};

use crate::run_error::RunError;

pub(crate) mod keeper;
mod ledger;
pub(crate) mod turns;

use keeper::Keeper;
use ledger::Ledger;

/// Name of the reference that holds no position.
pub const FLAT: &str = "flat";
const DAYS_PER_YEAR: f64 = 365.0;
/// A schedule that has made no snapshot for so many of its periods was paused.
const PERIODS_OF_A_PAUSE: u32 = 3;

/// Asks a run to keep the stream of its arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmRequest {
    /// Everything that decides which models the arm makes, an object.
    pub spec: Value,
    /// Time from one snapshot to the next, where there is a plan.
    pub cadence: Option<Duration>,
    /// How long after its verdict a snapshot decides.
    pub publish_delay: Duration,
    /// Whether the run is one of a replay: its bars never qualify an arm.
    pub is_replayed: bool,
    /// The test that every arm begins before its first live bar.
    pub test: TestPlan,
}

/// What a line's sequential tests may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestPlan {
    /// Days until a test ends.
    pub days: f64,
    /// What the tests that a line begins within a year may spend together.
    pub line_alpha: f64,
    /// Arms that share it.
    pub max_arms: u32,
}

impl Default for TestPlan {
    fn default() -> Self {
        Self { days: DAYS_PER_YEAR, line_alpha: 0.05, max_arms: 4 }
    }
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

    /// Scores what has closed since the last run: the arm's stream, and those of what it is measured against. It
    /// computes: call it where blocking is allowed.
    pub(crate) fn catch_up(
        &self,
        evaluator: &Arc<dyn Evaluator>,
        dataset: &Arc<Dataset>,
        ctx: &StageContext,
    ) -> Result<(), RunError> {
        let replayed_until = match self.request.is_replayed {
            true => Some(dataset.window.end()),
            // Who went on with a replayed arm knew its bars until then.
            false => self.store.replayed_until(&self.arm)?,
        };
        let keeper =
            Keeper { store: &self.store, evaluator: evaluator.as_ref(), dataset, ctx, replayed_until };
        let key = StreamKey::Arm(self.arm.clone());
        let head = self.store.stream_head(&key)?;
        let snapshots = self.store.snapshots(&self.arm, last_close(head.as_ref()))?;
        self.notice_a_pause(&snapshots, dataset)?;
        keeper.extend(&key, head, snapshots)?;
        for (model, since) in self.measured_models() {
            let key = self.against(&model);
            let record = self.store.model(&model)?;
            let snapshot = snapshot_of(&record, since);
            keeper.extend(&key, self.store.stream_head(&key)?, vec![snapshot])?;
        }
        Ok(())
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
    pub(crate) fn ledger(&self, dataset: &Dataset, now: Timestamp) -> Result<StreamEvidence, RunError> {
        let reference = self.reference();
        let bars_per_year = dataset.calendar.bars_per_year(dataset.timeframe());
        let horizon = self.horizon(&reference, dataset.window.end(), bars_per_year)?;
        let key = StreamKey::Arm(self.arm.clone());
        let arm = self.store.stream_bars(&key, reference.counts_after())?;
        let against = match &reference.model {
            None => None,
            Some((model, since)) => Some(self.store.stream_bars(&self.against(model), Some(*since))?),
        };
        let Ledger {
            bar_close,
            arm_return,
            reference_return,
            arm_position,
            reference_position,
            replayed_bars,
        } = Ledger::of(&arm, against.as_deref());
        Ok(StreamEvidence {
            arm: self.arm.clone(),
            reference: reference.name().to_owned(),
            bar_close,
            arm_return,
            reference_return,
            arm_position,
            reference_position,
            replayed_bars,
            bars_per_day: bars_per_year / DAYS_PER_YEAR,
            bars_per_year,
            horizon,
            is_champions: self.is_champions(),
            champion_grade: self.champion_grade,
            last_takeover_at: self.anchor.as_ref().map(|anchor| anchor.taken_over_at),
            now,
            trials: self.store.models(&self.line)?.len(),
            trial_sharpe_variance: None,
            caution: None,
            anytime_level: None,
            own_anchor: None,
        })
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

    /// The test of this arm: registered before its first live bar, and anew when it has run its length.
    fn horizon(
        &self,
        reference: &Reference,
        known_until: Timestamp,
        bars_per_year: f64,
    ) -> Result<Option<Horizon>, RunError> {
        let TestPlan { days, line_alpha, max_arms } = self.request.test;
        let known = self.store.horizon(&self.arm, reference.name())?;
        let bars = (bars_per_year * days / DAYS_PER_YEAR).round().max(1.0) as usize;
        let length_ms = (days * 86_400_000.0) as i64;
        let is_over = |horizon: &Horizon| known_until >= horizon.after.plus_millis(length_ms);
        if self.request.is_replayed || known.as_ref().is_some_and(|horizon| !is_over(horizon)) {
            return Ok(known);
        }
        let registered = self.store.register_horizon(&HorizonRequest {
            arm: &self.arm,
            reference: reference.name(),
            after: known_until,
            bars,
            alpha: line_alpha / f64::from(max_arms.max(1)),
            line_alpha,
        })?;
        Ok(registered.or(known))
    }

    /// A test over a fixed number of bars holds as long as nobody chooses when to go on. Time is counted in bars, so that a
    /// closed market is no pause.
    fn notice_a_pause(&self, snapshots: &[Snapshot], dataset: &Dataset) -> Result<(), RunError> {
        let (Some(cadence), Some(newest)) = (self.request.cadence, snapshots.last()) else { return Ok(()) };
        let bar_ms = dataset.timeframe().millis();
        let period_ms = i64::try_from(cadence.as_millis()).unwrap_or(i64::MAX).max(bar_ms);
        let bars = &dataset.bars;
        let passed = bars.len() - bars.index_at_or_after(newest.published_at);
        let passed_ms = i64::try_from(passed).unwrap_or(i64::MAX).saturating_mul(bar_ms);
        if passed_ms > period_ms.saturating_mul(i64::from(PERIODS_OF_A_PAUSE)) {
            let (since, now) = (newest.published_at, dataset.window.end());
            let reason = format!("{passed} bars closed between {since} and {now} without a new snapshot");
            self.store.break_horizon(&self.arm, self.reference().name(), &reason)?;
        }
        Ok(())
    }
}

fn last_close(head: Option<&StreamHead>) -> Option<Timestamp> {
    head.map(|head| head.last_close)
}

fn snapshot_of(record: &ModelRecord, published_at: Timestamp) -> Snapshot {
    Snapshot { model: record.model_id.clone(), published_at, lineage_until: record.lineage_until }
}
