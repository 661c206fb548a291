//! What happens on one bar.

use std::sync::Arc;

use tokio::sync::mpsc;
use walkforward_core::{Action, Bar, Broker, Clock, Fill, Observation, Target};
use walkforward_engine::{PortfolioView, TradingSession, write_observation};

use crate::journal::{BarRecord, EventRecord, JournalRecord, ModelStamp};
use crate::market::MarketView;
use crate::{
    BarGrid, DecisionJournal, DeployedPolicy, GridBar, LiveError, ModelRefused, PolicySlot, SessionSummary,
    TraderStatus,
};

/// All that a session changes while it runs.
pub(crate) struct BarLoop {
    pub(crate) slot: Arc<PolicySlot>,
    pub(crate) session: TradingSession,
    pub(crate) broker: Box<dyn Broker>,
    pub(crate) grid: BarGrid,
    pub(crate) market: MarketView,
    pub(crate) journal: DecisionJournal,
    pub(crate) refusals: mpsc::Receiver<ModelRefused>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) summary: SessionSummary,
    pub(crate) peak_equity: f64,
    pub(crate) model: Option<ModelStamp>,
}

/// What a model saw and did.
struct Decided {
    observation: Vec<f32>,
    action: Action,
    /// What the action asks for with the present position.
    target: Target,
}

impl BarLoop {
    /// Takes bars from before the session: they feed features and nothing else.
    pub(crate) fn warm_up(&mut self, bars: &[Bar]) -> Result<(), LiveError> {
        if let Some(deployed) = self.slot.load() {
            self.market.use_features(&deployed.policy.spec().features)?;
        }
        for &bar in bars {
            if let Ok(grid_bars) = self.grid.push(bar)? {
                for grid_bar in grid_bars {
                    self.market.push(grid_bar.bar)?;
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
        self.book(&bar, &mut fills)?;
        self.market.push(bar)?;
        let mut record = self.record(&bar, present, fills);
        if let Some(deployed) = &deployed {
            self.decide(deployed, &bar, &mut record)?;
        }
        self.count(&bar, &record);
        let order = self.session.pending().copied();
        self.journal.append(&JournalRecord::Bar(Box::new(record)))?;
        if let Some(order) = order {
            self.broker.submit(order).await?;
        }
        Ok(())
    }

    /// Books `fills`, and adds the one that closes a position which owes all that there is.
    fn book(&mut self, bar: &Bar, fills: &mut Vec<Fill>) -> Result<(), LiveError> {
        for fill in fills.iter() {
            self.session.apply_fill(fill)?;
        }
        self.session.clear_pending();
        let marked = self.session.mark(bar);
        fills.extend(marked.liquidation);
        let equity = marked.equity;
        self.peak_equity = self.peak_equity.max(equity);
        let fall = 1.0 - equity / self.peak_equity;
        self.summary.max_drawdown = self.summary.max_drawdown.max(fall);
        Ok(())
    }

    fn decide(
        &mut self,
        deployed: &DeployedPolicy,
        bar: &Bar,
        record: &mut BarRecord,
    ) -> Result<(), LiveError> {
        let spec = deployed.policy.spec();
        self.market.use_features(&spec.features)?;
        record.first_history_bar = self.market.first_history_bar();
        let Some(rows) = self.market.window(spec)? else {
            record.problem = Some("features warm up".to_owned());
            return Ok(());
        };
        let decided = match observe_and_act(deployed, &rows, self.session.portfolio()) {
            Ok(decided) => decided,
            Err(problem) => {
                tracing::warn!(open_time = %bar.open_time(), %problem, "no decision on this bar");
                record.problem = Some(problem);
                return Ok(());
            }
        };
        self.summary.decisions += 1;
        match self.session.follow(decided.target, bar.close_time(self.grid.timeframe())) {
            Ok(order) => record.order = order.map(|approved| *approved.order()),
            Err(rejection) => {
                self.summary.rejected_orders += 1;
                record.problem = Some(rejection.to_string());
            }
        }
        record.observation = Some(decided.observation);
        record.action = Some(decided.action);
        record.target = spec.actions.target(decided.action);
        Ok(())
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
            equity: self.session.equity(),
            cash: self.session.cash(),
            position: self.session.position(),
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
        summary.fees_quote = self.session.ledger().fees();
        summary.total_return = record.equity / self.session.config().initial_cash - 1.0;
    }

    fn note_model(&mut self, deployed: Option<&DeployedPolicy>) -> Result<(), LiveError> {
        let Some(deployed) = deployed else { return Ok(()) };
        if self.model.as_ref().is_some_and(|model| model.model_version == deployed.model_version) {
            return Ok(());
        }
        let to = ModelStamp::from(deployed);
        self.summary.note_version(to.model_version);
        let from = self.model.replace(to.clone());
        let position = self.session.position();
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
            equity: self.session.equity(),
            position_fraction: self.session.position_fraction(),
            model: self.model.clone(),
        }
    }
}

fn observe_and_act(
    deployed: &DeployedPolicy,
    rows: &[f32],
    portfolio: PortfolioView,
) -> Result<Decided, String> {
    let spec = deployed.policy.spec();
    let mut observation = vec![0.0; spec.obs_dim()];
    write_observation(rows, portfolio, &mut observation).map_err(|error| error.to_string())?;
    let action = deployed.policy.act(Observation(&observation)).map_err(|error| error.to_string())?;
    let target = spec.actions.decide(action, portfolio.position_fraction);
    let target = target.ok_or_else(|| format!("the policy took action {}, which means nothing", action.0))?;
    Ok(Decided { observation, action, target })
}
