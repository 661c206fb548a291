//! What happens on one bar.

mod measure;
mod orders;
mod status;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use walkforward_core::{ApprovedOrder, Clock, Target, Timestamp};
use walkforward_engine::EngineError;

use crate::conditions::apply;
use crate::execution::Moved;
use crate::journal::{
    BarRecord, Checkpoint, EventRecord, JournalRecord, ModelStamp, SegmentHead, SegmentHeader, SegmentStart,
    SessionOrigin, StampedEvent,
};
use crate::recorder::Recorder;
use crate::{
    Behaviour, ClosedBar, ConditionSource, Confirmed, Decision, DeployedPolicy, Desk, LiveError,
    ModelRefused, NoDecision, PolicySlot, SessionSummary, SwapRule, TraderStatus, WatchRules,
};

pub(crate) use orders::{Executing, Retry};
pub(crate) use status::FeedState;

const HOUR_MS: i64 = 3_600_000;

/// All that a session changes while it runs.
pub(crate) struct BarLoop {
    pub(crate) slot: Arc<PolicySlot>,
    pub(crate) desk: Desk,
    pub(crate) execution: Executing,
    pub(crate) recorder: Recorder,
    pub(crate) refusals: mpsc::Receiver<ModelRefused>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) summary: SessionSummary,
    pub(crate) watch: WatchRules,
    pub(crate) confirmed: watch::Receiver<Option<Confirmed>>,
    /// The last confirmation of the model that decides.
    pub(crate) fresh: Option<Confirmed>,
    /// Whether it is told that this is long ago.
    pub(crate) is_overdue: bool,
    /// What each segment's header says.
    pub(crate) header: SegmentHeader,
    /// The model that decided last, in this process or the one before.
    pub(crate) model: Option<ModelStamp>,
    /// The policy that decides.
    pub(crate) current: Option<Arc<DeployedPolicy>>,
    /// The one before it, until the bar is over: no bar waits until its memory and its lock are given back.
    pub(crate) retired: Option<Arc<DeployedPolicy>>,
    /// Bars for which a newer one has waited.
    pub(crate) waited: u32,
    pub(crate) last_bar: Option<Timestamp>,
    /// Bars of the session, over all processes.
    pub(crate) bars: u64,
    /// How many of them were too late to be decided.
    pub(crate) missed: u64,
    /// The last bar, of this process or the one before.
    pub(crate) last_closed: Option<ClosedBar>,
    /// When a position that is to be closed at a venue is tried again.
    pub(crate) flat: Retry,
    /// Whether the mode allows less than before, and what is on its way has not been looked at since.
    pub(crate) has_less_to_do: bool,
    /// The position moved before the order of a bar could leave.
    pub(crate) moved: Option<Moved>,
}

/// A bar that has closed, and what is known of the moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// Whether the clock says that it is too late to decide.
    pub(crate) missed: bool,
    /// Whether it is the clock's time.
    pub(crate) by_clock: bool,
}

impl BarLoop {
    /// Runs a bar: fills of the last order, the ledger, a decision, its record, its order.
    pub(crate) async fn on_bar(&mut self, closed: &ClosedBar, moment: Moment) -> Result<(), LiveError> {
        // One bar, one order: what the last one has not filled by now ends.
        self.end_orders(moment.now)?;
        let begun = self.clock.monotonic();
        // Read once and held for the whole bar: a swap takes effect between two bars.
        let deployed = self.policy_for_bar();
        self.journal_refusals(moment.now)?;
        self.note_model(deployed.as_deref(), moment.now)?;
        self.watch_model(deployed.as_deref(), moment)?;
        // Features begin before the bar, so that they begin with the same bar however the process came here.
        let prepared = deployed.as_ref().map(|deployed| self.desk.prepare(deployed.policy.as_ref()));
        let mut record = BarRecord::of(closed, moment.now, 0.0);
        record.missed = moment.missed;
        record.model = self.model.clone().filter(|_| deployed.is_some());
        record.waited = self.waited;
        if let Executing::Broker(broker) = &mut self.execution
            && closed.present
        {
            record.fills = broker.fills(&closed.bar).await?;
        }
        self.close(closed, moment.now, &mut record)?;
        let at = closed.bar.close_time(self.header.timeframe);
        let order = match (&deployed, prepared) {
            _ if moment.missed => None,
            (Some(deployed), Some(prepared)) => self.decide(deployed, prepared, at, &mut record),
            _ => self.without_decision(at, &mut record),
        };
        self.last_closed = Some(*closed);
        self.note_flat(&record);
        let took = self.clock.monotonic().saturating_sub(begun);
        self.finish(record, order).await?;
        self.measure(at, moment, took);
        self.keep_journal()
    }

    async fn finish(&mut self, record: BarRecord, order: Option<ApprovedOrder>) -> Result<(), LiveError> {
        self.last_bar = Some(record.open_time);
        self.bars += 1;
        self.missed += u64::from(record.missed);
        self.summary.count(&record, self.desk.session());
        let now = record.decided_at;
        self.recorder.append(&JournalRecord::Bar(Box::new(record)), now)?;
        self.recorder.settled(self.desk.risk().mode(), now);
        if let Some(order) = order {
            self.hand_over(order, now).await?;
        }
        Ok(())
    }

    /// Begins another segment where this one is full, and brings records to the disk.
    fn keep_journal(&mut self) -> Result<(), LiveError> {
        self.retired = None;
        if self.recorder.is_full(self.clock.now()) {
            self.begin_segment(SegmentStart::Continued)?;
        }
        self.recorder.sync_if_due(self.clock.monotonic())
    }

    /// Begins a segment of the journal with all that the session has come to.
    pub(crate) fn begin_segment(&mut self, start: SegmentStart) -> Result<(), LiveError> {
        let checkpoint = Checkpoint {
            desk: self.desk.checkpoint(),
            model: self.model.clone(),
            last_bar: self.last_bar,
            bars: self.bars,
            waited: self.waited,
            orders: self.execution.venue().map(|at| Box::new(at.orders.clone())),
            counts: self.counts(),
        };
        let started_at = self.clock.now();
        let header = SegmentHeader { start, started_at, ..self.header.clone() };
        let history = Box::new(self.desk.history());
        self.recorder.begin(SegmentHead { header, checkpoint, history })?;
        if start == SegmentStart::New {
            self.header.session =
                SessionOrigin { first_segment: self.recorder.segment(), began_at: started_at };
        }
        Ok(())
    }

    /// The policy of this bar: that of the slot, unless it waits for the old one's position to end.
    fn policy_for_bar(&mut self) -> Option<Arc<DeployedPolicy>> {
        let offered = self.slot.load()?;
        if self.has_to_wait(&offered) {
            self.waited += 1;
            return self.current.clone();
        }
        self.waited = 0;
        self.retired = self.current.replace(Arc::clone(&offered));
        Some(offered)
    }

    /// The model whose position the one in the slot has to wait for, when the process has just started.
    pub(crate) fn model_that_is_waited_for(&self) -> Option<ModelStamp> {
        let offered = self.slot.load()?;
        let SwapRule::WaitFlat { max_bars } = self.header.swap else { return None };
        let model = self.model.as_ref().filter(|model| model.model_version != offered.model_version)?;
        let is_held = !self.desk.session().position().is_zero();
        let waits = is_held && self.waited < max_bars && !self.closes_for_next();
        waits.then(|| model.clone())
    }

    /// Prepares the features of the policy in the slot while no bar is due.
    pub(crate) fn prepare_ahead(&mut self) -> Result<(), EngineError> {
        match self.slot.load() {
            Some(offered) => self.desk.prepare_ahead(offered.policy.as_ref()),
            None => Ok(()),
        }
    }

    /// Books the record's fills, marks the position, and notes what that comes to.
    fn close(&mut self, closed: &ClosedBar, now: Timestamp, record: &mut BarRecord) -> Result<(), LiveError> {
        for fill in &record.fills {
            self.desk.book(fill)?;
        }
        let done = self.desk.close(&closed.bar, closed.bar.close_time(self.header.timeframe))?;
        record.liquidation = done.liquidation;
        let restricted = done.restricted.cloned();
        let session = self.desk.session();
        (record.equity, record.cash, record.position) =
            (session.equity(), session.cash(), session.position());
        record.mode = self.desk.risk().mode();
        let fall = self.desk.risk().drawdown(session.equity());
        self.summary.max_drawdown = self.summary.max_drawdown.max(fall);
        if let Some(restriction) = restricted {
            tracing::warn!(mode = %restriction.mode, reason = restriction.reason, "the session may do less from now on");
            self.event(EventRecord::Limit { restriction }, now)?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        deployed: &DeployedPolicy,
        prepared: Result<(), EngineError>,
        at: Timestamp,
        record: &mut BarRecord,
    ) -> Option<ApprovedOrder> {
        record.first_history_bar = self.desk.first_history_bar();
        let policy = deployed.policy.as_ref();
        let prepared = prepared.map_err(NoDecision::from);
        let decided = prepared.and_then(|()| self.desk.decide(policy, deployed.grade, at));
        match decided {
            Ok(Decision { action, admitted, order, refused, .. }) => {
                self.summary.rejected_orders += u64::from(refused.is_some());
                record.observation = Some(self.desk.observation().to_vec());
                record.action = Some(action);
                record.followed = Some(admitted.target.into());
                record.held_back = admitted.held_back;
                record.order = order.map(|approved| *approved.order());
                record.problem = refused.map(|rejection| rejection.to_string());
                order
            }
            Err(problem) => {
                if problem != NoDecision::WarmUp {
                    tracing::warn!(open_time = %record.open_time, %problem, "no decision on this bar");
                }
                record.problem = Some(problem.to_string());
                self.without_decision(at, record)
            }
        }
    }

    /// What limits ask for although nobody decides: to close the position.
    fn without_decision(&mut self, at: Timestamp, record: &mut BarRecord) -> Option<ApprovedOrder> {
        if !self.desk.risk().flattens() {
            return None;
        }
        record.followed = Some(Target::Fraction(0.0).into());
        match self.desk.go_for(Target::Fraction(0.0), at, !record.is_retry) {
            Ok(order) => {
                record.order = order.map(|approved| *approved.order());
                order
            }
            Err(rejection) => {
                tracing::warn!(%rejection, "the position can't be closed");
                None
            }
        }
    }

    fn note_model(&mut self, deployed: Option<&DeployedPolicy>, now: Timestamp) -> Result<(), LiveError> {
        let Some(deployed) = deployed else { return Ok(()) };
        self.summary.note_version(deployed.model_version);
        let is_noted = |model: &ModelStamp| model.model_version == deployed.model_version;
        if self.model.as_ref().is_some_and(is_noted) {
            return Ok(());
        }
        let to = ModelStamp::from(deployed);
        let from = self.model.replace(to.clone());
        let position = self.desk.session().position();
        let flatten = from.is_some() && !position.is_zero() && self.header.swap == SwapRule::Flatten;
        self.event(EventRecord::Swapped { from, to, position, flatten }, now)
    }

    /// Says what is done about a position that no model looks after, and about a model that nobody has confirmed for long.
    fn watch_model(&mut self, deployed: Option<&DeployedPolicy>, moment: Moment) -> Result<(), LiveError> {
        let is_alone = deployed.is_none() && !self.desk.session().position().is_zero();
        let age_ms = deployed.and_then(|deployed| self.confirmation_age_ms(deployed, moment));
        let longest_ms = i64::try_from(self.watch.expires_after.as_millis()).unwrap_or(i64::MAX);
        let has_expired = age_ms.is_some_and(|age_ms| age_ms >= longest_ms);
        let behaviour = match is_alone {
            true => Some(self.watch.on_no_model),
            false => has_expired.then_some(self.watch.on_expired),
        };
        let reason = || match age_ms {
            _ if is_alone => "there is no model for the open position".to_owned(),
            Some(age_ms) if has_expired => {
                format!("no cycle has confirmed the model for {} hours", age_ms / HOUR_MS)
            }
            _ => "a model that is confirmed looks after the session".to_owned(),
        };
        self.condition(ConditionSource::Model, behaviour, reason, moment.now)?;
        self.warn_of_age(age_ms, moment.now)
    }

    /// Tells once that no cycle has confirmed the model for long, and once that this has passed.
    fn warn_of_age(&mut self, age_ms: Option<i64>, now: Timestamp) -> Result<(), LiveError> {
        let longest_ms = i64::try_from(self.watch.warns_after.as_millis()).unwrap_or(i64::MAX);
        let overdue_ms = age_ms.filter(|age_ms| *age_ms >= longest_ms);
        if std::mem::replace(&mut self.is_overdue, overdue_ms.is_some()) == overdue_ms.is_some() {
            return Ok(());
        }
        let reason = match overdue_ms {
            Some(age_ms) => {
                format!("no cycle has confirmed the model for {} hours: do cycles run?", age_ms / HOUR_MS)
            }
            None => "the confirmation of the model is not overdue any more".to_owned(),
        };
        tracing::warn!(reason, "the model's age");
        self.event(EventRecord::Warning { reason }, now)
    }

    /// Time since the model was confirmed; none where nobody keeps that, and in a replay.
    fn confirmation_age_ms(&mut self, deployed: &DeployedPolicy, moment: Moment) -> Option<i64> {
        if let Some(confirmed) = &*self.confirmed.borrow()
            && confirmed.model_id == deployed.model_id
            && self.fresh.as_ref() != Some(confirmed)
        {
            self.fresh = Some(confirmed.clone());
        }
        let of_it = self.fresh.as_ref().filter(|fresh| fresh.model_id == deployed.model_id);
        of_it.filter(|_| moment.by_clock).map(|fresh| moment.now.millis_since(fresh.at))
    }

    /// Begins or ends a condition, where it is not as it should be.
    pub(crate) fn condition(
        &mut self,
        source: ConditionSource,
        behaviour: Option<Behaviour>,
        reason: impl FnOnce() -> String,
        now: Timestamp,
    ) -> Result<(), LiveError> {
        if self.desk.risk().conditions().behaviour(source) == behaviour {
            return Ok(());
        }
        let reason = reason();
        tracing::warn!(?source, ?behaviour, reason, "what the session may do has changed");
        self.event(EventRecord::Condition { source, behaviour, reason }, now)
    }

    /// Journals what happened, then lets it have its effect.
    pub(crate) fn event(&mut self, event: EventRecord, at: Timestamp) -> Result<(), LiveError> {
        let stamped = StampedEvent { at, event };
        self.recorder.append(&JournalRecord::Event(stamped.clone()), at)?;
        let before = self.desk.risk().mode();
        apply(&mut self.desk, &stamped.event, at);
        let mode = self.desk.risk().mode();
        self.has_less_to_do |= mode > before;
        self.recorder.settled(mode, at);
        Ok(())
    }

    /// Journals models that the watcher refused since the last bar.
    pub(crate) fn journal_refusals(&mut self, now: Timestamp) -> Result<(), LiveError> {
        while let Ok(ModelRefused { model_id, reason }) = self.refusals.try_recv() {
            self.summary.refused_models += 1;
            self.event(EventRecord::Refused { model_id, reason }, now)?;
        }
        Ok(())
    }

    /// What a person wants to know right now.
    pub(crate) fn status(&self) -> TraderStatus {
        TraderStatus {
            bars: self.summary.bars,
            last_bar: self.last_bar,
            equity: self.desk.session().equity(),
            position_fraction: self.desk.session().position_fraction(),
            mode: self.desk.risk().mode(),
            model: self.model.clone(),
        }
    }
}
