//! Keeping a replay in step with those who follow its journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use walkforward_core::{Asker, ModelId};
use walkforward_store::JournalPosition;

use super::run::Runner;
use crate::journal::EventRecord;
use crate::{
    Behaviour, Command, ConditionSource, DeployedPolicy, FeedTime, LiveError, LookNow, Notice, Restriction,
    TradingMode,
};

/// Lets a replay at full speed wait for a follower: without it, the bars would be over before the follower has seen the
/// first. A session by the clock never waits.
#[derive(Debug, Clone)]
pub struct KeepStep {
    /// Up to where the follower has taken the journal.
    pub reached: watch::Receiver<Option<JournalPosition>>,
    /// Bars that the session may be ahead, 1 or more: what the follower does takes effect within so many.
    pub bars: u64,
    /// How long it waits for the follower, and for the look at the pointer after a rollback. Then it goes on alone.
    pub patience: Duration,
}

impl KeepStep {
    /// Waits for half a minute at most.
    pub fn new(reached: watch::Receiver<Option<JournalPosition>>, bars: u64) -> Self {
        Self { reached, bars, patience: Duration::from_secs(30) }
    }
}

/// How a session keeps step.
pub(super) struct Step {
    with: Option<KeepStep>,
    /// Bars of the session when it last waited.
    met_at: u64,
    look_now: LookNow,
    /// A champion that was taken back and may still hold the slot.
    leaving: Option<ModelId>,
    /// The last verdict that this process has stopped for: the model and the words.
    stopped_for: Option<(ModelId, String)>,
}

impl Step {
    pub(super) fn new(with: Option<KeepStep>, bars: u64, look_now: LookNow) -> Self {
        Self { with, met_at: bars, look_now, leaving: None, stopped_for: None }
    }
}

impl Runner {
    /// Waits for the follower where the session is too far ahead of it.
    pub(super) async fn keep_step(&mut self) -> Result<(), LiveError> {
        let bars = self.bar_loop.bars;
        let Some(with) = &self.step.with else { return Ok(()) };
        // A champion that was taken back leaves at once.
        let is_near = bars.saturating_sub(self.step.met_at) < with.bars && self.step.leaving.is_none();
        if is_near || self.intake.time() != FeedTime::Bars {
            return Ok(());
        }
        self.step.met_at = bars;
        let (mut reached, patience) = (with.reached.clone(), with.patience);
        self.bar_loop.recorder.sync()?;
        let written = self.bar_loop.recorder.position();
        let follower = async move { reached.wait_for(|reached| *reached >= written).await.map(drop) };
        match self.meanwhile(tokio::time::timeout(patience, follower)).await? {
            Some(Ok(Err(_gone))) => self.step.with = None,
            Some(Err(_elapsed)) => {
                self.step.with = None;
                let reason = "the replay goes on without those who follow it: they don't get on".to_owned();
                tracing::warn!(reason, "a follower");
                self.bar_loop.event(EventRecord::Warning { reason }, self.now())?;
            }
            Some(Ok(Ok(()))) | None => {}
        }
        self.take_commands()?;
        if let Some(model) = self.step.leaving.take() {
            let holds = self.bar_loop.slot.load().is_some_and(|deployed| deployed.model_id == model);
            let look_now = self.step.look_now.clone();
            if holds {
                let look = async move { look_now.look().await };
                self.meanwhile(tokio::time::timeout(patience, look)).await?;
            }
        }
        Ok(())
    }

    /// Journals what a watch did.
    pub(super) fn on_notice(&mut self, notice: Notice) -> Result<(), LiveError> {
        let now = self.now();
        match notice {
            Notice::Warning { reason } => self.bar_loop.event(EventRecord::Warning { reason }, now),
            Notice::TakenBack { model_id, reason } => {
                self.step.leaving = Some(model_id.clone());
                self.bar_loop.event(EventRecord::Guard { model_id, reason }, now)?;
                self.bar_loop.recorder.sync()
            }
            Notice::Restricted { reason } => self.watch_condition(Some(Behaviour::ReduceOnly), reason),
            Notice::Lifted { reason } => self.watch_condition(None, reason),
            Notice::Stop { model_id, reason } => self.stop(model_id, &reason),
        }
    }

    /// Closes the position and halts because of a verdict on a champion, unless another model decides by then. One that only
    /// waits for the champion's position to end takes over instead.
    fn stop(&mut self, model_id: ModelId, reason: &str) -> Result<(), LiveError> {
        if self.is_stopped_for(&model_id, reason) {
            return Ok(());
        }
        let now = self.now();
        let is_other = |policy: &Arc<DeployedPolicy>| policy.model_id != model_id;
        if let Some(other) = self.bar_loop.next_policy().filter(is_other) {
            let other = &other.model_id;
            let reason = format!("{model_id}: {reason}; nothing is done: {other} has taken its place");
            tracing::warn!(reason, "a verdict that comes too late");
            return self.bar_loop.event(EventRecord::Warning { reason }, now);
        }
        let stopped_for = (model_id.clone(), reason.to_owned());
        // In this order: what the journal tells of the watch is not told again.
        let reason = match self.bar_loop.slot.load().filter(is_other) {
            Some(next) => {
                let reason = format!("{reason}: the position is closed, and {} takes over", next.model_id);
                self.close_for_next(&reason)?;
                reason
            }
            None => {
                let reason = format!("{reason}: the position is closed and the session halts");
                self.on_command(Command::Halt { reason: reason.clone(), flatten: true }, Asker::Watch)?;
                reason
            }
        };
        self.bar_loop.event(EventRecord::Guard { model_id, reason }, now)?;
        self.step.stopped_for = Some(stopped_for);
        self.bar_loop.recorder.sync()
    }

    /// Whether the session has stopped for this verdict already, and that still holds: a watch that reads bars from before
    /// its notice was taken tells it again.
    fn is_stopped_for(&self, model_id: &ModelId, reason: &str) -> bool {
        let risk = self.bar_loop.desk.risk();
        let is_halt = |it: &Restriction| it.mode == TradingMode::Halted && it.flatten;
        let holds =
            risk.restriction().is_some_and(is_halt) || risk.conditions().get(ConditionSource::Swap).is_some();
        let is_it = |(model, words): &(ModelId, String)| model == model_id && words == reason;
        holds && self.step.stopped_for.as_ref().is_some_and(is_it)
    }

    /// Closes the position of the model that decides, so that the one that waits for its end takes over.
    fn close_for_next(&mut self, reason: &str) -> Result<(), LiveError> {
        let now = self.now();
        self.bar_loop.condition(
            ConditionSource::Swap,
            Some(Behaviour::Flatten),
            || reason.to_owned(),
            now,
        )?;
        self.bar_loop.recorder.sync()?;
        self.bar_loop.enforce_mode(now)?;
        self.status.send_replace(self.bar_loop.status());
        Ok(())
    }

    /// Begins or ends what the watch holds the session back for, and brings that to the disk.
    fn watch_condition(&mut self, behaviour: Option<Behaviour>, reason: String) -> Result<(), LiveError> {
        let now = self.now();
        self.bar_loop.condition(ConditionSource::Watch, behaviour, || reason, now)?;
        self.bar_loop.recorder.sync()
    }
}
