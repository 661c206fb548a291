//! What happens on one bar.

use std::sync::Arc;

use tokio::sync::mpsc;
use walkforward_core::{ApprovedOrder, Bar, Broker, Clock, Fill, Timestamp};

use crate::journal::{BarRecord, EventRecord, JournalRecord, ModelStamp};
use crate::{
    BarGrid, Closed, Decision, DecisionJournal, DeployedPolicy, Desk, GridBar, LiveError, ModelRefused,
    NoDecision, PolicySlot, SessionSummary, TraderStatus,
};

/// All that a session changes while it runs.
pub(crate) struct BarLoop {
    pub(crate) slot: Arc<PolicySlot>,
    pub(crate) desk: Desk,
    pub(crate) broker: Box<dyn Broker>,
    pub(crate) grid: BarGrid,
    pub(crate) journal: DecisionJournal,
    pub(crate) refusals: mpsc::Receiver<ModelRefused>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) summary: SessionSummary,
    pub(crate) model: Option<ModelStamp>,
}

impl BarLoop {
    /// Takes bars from before the session: they feed features and nothing else.
    pub(crate) fn warm_up(&mut self, bars: &[Bar]) -> Result<(), LiveError> {
        if let Some(deployed) = self.slot.load() {
            self.desk.prepare(deployed.policy.as_ref())?;
        }
        for &bar in bars {
            if let Ok(grid_bars) = self.grid.push(bar)? {
                for grid_bar in grid_bars {
                    self.desk.warm_up(&grid_bar.bar)?;
                }
            }
        }
        Ok(())
    }

    /// Runs the bar that the feed gave, after the ones that it left out.
    pub(crate) async fn on_feed_bar(&mut self, bar: Bar) -> Result<(), LiveError> {
        match self.grid.push(bar)? {
            Err(skipped) => {
                self.summary.count_skipped(skipped);
                tracing::debug!(open_time = %bar.open_time(), ?skipped, "left a bar of the feed out");
            }
            Ok(grid_bars) => {
                for grid_bar in grid_bars {
                    self.on_grid_bar(grid_bar).await?;
                }
            }
        }
        self.journal.sync_if_due(self.clock.monotonic())
    }

    async fn on_grid_bar(&mut self, GridBar { bar, present }: GridBar) -> Result<(), LiveError> {
        // Read once and held for the whole bar: a swap takes effect between two bars.
        let deployed = self.slot.load();
        self.journal_refusals()?;
        self.note_model(deployed.as_deref())?;
        let mut fills = if present { self.broker.fills(&bar).await? } else { Vec::new() };
        let close_time = bar.close_time(self.grid.timeframe());
        self.close(&bar, close_time, &mut fills)?;
        let mut record = self.record(&bar, present, fills);
        let order = match &deployed {
            Some(deployed) => self.decide(deployed, close_time, &mut record),
            None => None,
        };
        self.count(&bar, &record);
        self.journal.append(&JournalRecord::Bar(Box::new(record)))?;
        if let Some(order) = order {
            self.broker.submit(order).await?;
        }
        Ok(())
    }

    /// Books `fills`, and adds the one that closes a position which owes all that there is.
    fn close(&mut self, bar: &Bar, close_time: Timestamp, fills: &mut Vec<Fill>) -> Result<(), LiveError> {
        for fill in fills.iter() {
            self.desk.book(fill)?;
        }
        let Closed { liquidation, restricted } = self.desk.close(bar, close_time)?;
        fills.extend(liquidation);
        if let Some(restriction) = restricted {
            tracing::warn!(mode = %restriction.mode, reason = restriction.reason, "the session may do less from now on");
        }
        let fall = self.desk.risk().drawdown(self.desk.session().equity());
        self.summary.max_drawdown = self.summary.max_drawdown.max(fall);
        Ok(())
    }

    fn decide(
        &mut self,
        deployed: &DeployedPolicy,
        at: Timestamp,
        record: &mut BarRecord,
    ) -> Option<ApprovedOrder> {
        let policy = deployed.policy.as_ref();
        let prepared = self.desk.prepare(policy).map_err(NoDecision::from);
        record.first_history_bar = self.desk.first_history_bar();
        let decided = prepared.and_then(|()| self.desk.decide(policy, None, at));
        match decided {
            Ok(Decision { action, order, refused, .. }) => {
                self.summary.decisions += 1;
                self.summary.rejected_orders += u64::from(refused.is_some());
                record.observation = Some(self.desk.observation().to_vec());
                record.action = Some(action);
                record.target = policy.spec().actions.target(action);
                record.order = order.map(|approved| *approved.order());
                record.problem = refused.map(|rejection| rejection.to_string());
                order
            }
            Err(problem) => {
                if problem != NoDecision::WarmUp {
                    tracing::warn!(open_time = %record.open_time, %problem, "no decision on this bar");
                }
                record.problem = Some(problem.to_string());
                None
            }
        }
    }

    fn record(&self, bar: &Bar, present: bool, fills: Vec<Fill>) -> BarRecord {
        BarRecord {
            open_time: bar.open_time(),
            present,
            close: bar.close(),
            model: self.model.clone(),
            first_history_bar: None,
            observation: None,
            action: None,
            target: None,
            order: None,
            problem: None,
            fills,
            equity: self.desk.session().equity(),
            cash: self.desk.session().cash(),
            position: self.desk.session().position(),
        }
    }

    fn count(&mut self, bar: &Bar, record: &BarRecord) {
        let summary = &mut self.summary;
        summary.first_bar.get_or_insert(bar.open_time());
        summary.last_bar = Some(bar.open_time());
        summary.bars += 1;
        summary.missing_bars += u64::from(!record.present);
        summary.no_model_bars += u64::from(record.model.is_none());
        summary.orders += u64::from(record.order.is_some());
        summary.fills += record.fills.len() as u64;
        summary.equity = record.equity;
        summary.cash = record.cash;
        summary.position = record.position;
        summary.fees_quote = self.desk.session().ledger().fees();
        summary.total_return = record.equity / self.desk.session().config().initial_cash - 1.0;
    }

    fn note_model(&mut self, deployed: Option<&DeployedPolicy>) -> Result<(), LiveError> {
        let Some(deployed) = deployed else { return Ok(()) };
        if self.model.as_ref().is_some_and(|model| model.model_version == deployed.model_version) {
            return Ok(());
        }
        let to = ModelStamp::from(deployed);
        self.summary.note_version(to.model_version);
        let from = self.model.replace(to.clone());
        let position = self.desk.session().position();
        self.journal.append(&JournalRecord::Event(EventRecord::Swapped { from, to, position }))
    }

    /// Journals models that the watcher refused since the last bar.
    pub(crate) fn journal_refusals(&mut self) -> Result<(), LiveError> {
        while let Ok(ModelRefused { model_id, reason }) = self.refusals.try_recv() {
            self.summary.refused_models += 1;
            self.journal.append(&JournalRecord::Event(EventRecord::Refused { model_id, reason }))?;
        }
        Ok(())
    }

    /// What a person wants to know right now.
    pub(crate) fn status(&self) -> TraderStatus {
        TraderStatus {
            bars: self.summary.bars,
            last_bar: self.summary.last_bar,
            equity: self.desk.session().equity(),
            position_fraction: self.desk.session().position_fraction(),
            model: self.model.clone(),
        }
    }
}
