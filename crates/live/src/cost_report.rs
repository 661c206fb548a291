//! What a session's orders cost, from its journal.
//!
//! The measure is the implementation shortfall of A. F. Perold, "The implementation shortfall: paper versus reality",
//! Journal of Portfolio Management 14(3), 1988: what an order cost more, or brought less, than its quantity at the price
//! at which it was decided,
//!
//! `shortfall = sign * (mean fill price - decision price) * filled quantity + fees`,
//!
//! where `sign` is 1 for a purchase and -1 for a sale and the decision price is the close of the bar that was decided.
//! Perold's second part, the cost of what did not fill, is left out: such orders are counted. Beside it stands what the
//! session's own cost model (the engine's fill model at the decision price) says of the same fill. Protective stops are not
//! decisions and are not counted.

use std::collections::VecDeque;
use std::path::Path;

use serde::Serialize;
use walkforward_core::{ClientOrderId, Order, Quantity, Symbol, Timeframe, Timestamp};
use walkforward_engine::SessionConfig;

use crate::LiveError;
use crate::journal::{BarRecord, Checkpoint, JournalRecord, SegmentHeader, SegmentStart, read_journal};
use crate::orders::{CostMeter, Executed, FillCost, OrderOutcome, OrderPurpose, OrderRecord, order_id};

/// Most orders that a report can list.
pub const MAX_LISTED_ORDERS: usize = 100_000;
/// Orders without an end that are remembered; a desk has fewer.
const MAX_REMEMBERED: usize = 64;
const BPS_PER_UNIT: f64 = 10_000.0;

/// One order that filled, in whole or in part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderCost {
    /// Start of the bar that it was decided on.
    pub bar_open: Timestamp,
    /// What it cost. On paper the name is the one that it would have at a venue, and it fills at the next bar's open, so
    /// that no time passes between decision and fill.
    #[serde(flatten)]
    pub cost: FillCost,
}

impl OrderCost {
    /// Its shortfall in basis points of its value at the decision.
    pub fn shortfall_bps(&self) -> Option<f64> {
        bps(self.cost.shortfall, self.cost.value_at_decision())
    }

    /// The cost model's in basis points of its value at the decision.
    pub fn modelled_bps(&self) -> Option<f64> {
        bps(self.cost.modelled, self.cost.value_at_decision())
    }

    /// Milliseconds from the close of the bar to `at`; below 0 where the venue's clock is behind.
    pub fn after_decision_ms(&self, at: Option<Timestamp>) -> Option<i64> {
        at.map(|at| at.millis_since(self.cost.decided_at))
    }
}

/// Sums over orders. Money is quote currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CostTotals {
    /// What filled, at the prices at the decisions.
    pub value_at_decision: f64,
    /// Implementation shortfall, fees included.
    pub shortfall: f64,
    /// The same by the cost model.
    pub modelled: f64,
    /// Fees, those taken in the asset at the price of their fill.
    pub fees: f64,
    /// Fees that were taken in cash.
    pub fee_cash: f64,
    /// Fees that were taken in the asset.
    pub fee_quantity: Quantity,
}

impl CostTotals {
    fn add(&mut self, cost: &FillCost, sign: f64) {
        self.value_at_decision += sign * cost.value_at_decision();
        self.shortfall += sign * cost.shortfall;
        self.modelled += sign * cost.modelled;
        self.fees += sign * cost.fees();
        self.fee_cash += sign * cost.fee_cash;
        let fee = if sign > 0.0 { cost.fee_quantity } else { -cost.fee_quantity };
        self.fee_quantity = self.fee_quantity + fee;
    }

    /// Shortfall in basis points of the value at the decisions; none without orders.
    pub fn shortfall_bps(&self) -> Option<f64> {
        bps(self.shortfall, self.value_at_decision)
    }

    /// The cost model's in basis points of the value at the decisions; none without orders.
    pub fn modelled_bps(&self) -> Option<f64> {
        bps(self.modelled, self.value_at_decision)
    }
}

/// What the orders of the journal's newest session cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostReport {
    /// What is traded.
    pub symbol: Symbol,
    /// Where orders went: [`PAPER`](crate::PAPER), or the venue's name.
    pub venue: String,
    /// From when on the journal is kept: the sums cover what came since.
    pub since: Timestamp,
    /// Whether that is the session's begin. Where it is not, retention has removed what came before.
    pub is_whole: bool,
    /// Orders of which something filled.
    pub order_count: u64,
    /// Orders that left and of which nothing filled.
    pub unfilled_orders: u64,
    /// Purchases by which a short position was closed that owed all that there was; no orders.
    pub liquidations: u64,
    /// Over all orders of which something filled.
    pub total: CostTotals,
    /// Mean cost over mean modelled cost of the last [`COST_WINDOW`](crate::COST_WINDOW) orders; none before there are
    /// so many.
    pub recent_ratio: Option<f64>,
    /// Whether that is beyond twice: then the cost model is too kind.
    pub is_beyond_model: bool,
    /// The newest orders, oldest first.
    pub orders: VecDeque<OrderCost>,
}

/// Adds up what the orders of the newest session in `folder` cost, as far as its journal is kept, and lists the last `listed` of them, at most
/// [`MAX_LISTED_ORDERS`]. However long the journal is, no more than that is kept in memory.
///
/// # Errors
/// There is no journal, or it is damaged.
pub fn cost_report(folder: &Path, listed: usize) -> Result<CostReport, LiveError> {
    let mut account: Option<Account> = None;
    for record in read_journal(folder)? {
        let record = record?;
        match (&mut account, record) {
            (_, JournalRecord::Header(header)) => {
                let before = account.take().filter(|_| header.start != SegmentStart::New);
                account = Some(Account::under(*header, before, listed.min(MAX_LISTED_ORDERS)));
            }
            (Some(account), record) => account.take(record)?,
            (None, _) => {}
        }
    }
    // A folder whose only segment ends within its header has none.
    let account = account.ok_or_else(|| LiveError::NoJournal { path: folder.to_owned() })?;
    Ok(account.finish())
}

/// `amount` in basis points of `of`.
fn bps(amount: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| amount / of * BPS_PER_UNIT)
}

/// What is known on the way through a session.
struct Account {
    deployment: String,
    line: String,
    timeframe: Timeframe,
    config: SessionConfig,
    is_paper: bool,
    listed: usize,
    /// Close of the newest bar.
    close: Option<f64>,
    /// On paper, the order that the next bar fills.
    pending: Option<Order>,
    /// Protective stops.
    stops: VecDeque<ClientOrderId>,
    /// Orders that were given up, and what they had cost: when they turn up after all, their end is told again.
    given_up: VecDeque<(ClientOrderId, Option<FillCost>)>,
    meter: CostMeter,
    report: CostReport,
    is_new: bool,
}

impl Account {
    /// The account of a segment, which goes on with that of the session's segment before.
    fn under(header: SegmentHeader, before: Option<Self>, listed: usize) -> Self {
        let is_new = before.is_none();
        let is_paper = header.is_paper();
        let SegmentHeader {
            deployment,
            line,
            timeframe,
            config,
            symbol,
            venue,
            start,
            started_at: since,
            ..
        } = header;
        let line = line.to_string();
        if let Some(before) = before {
            return Self { deployment, line, timeframe, config, is_paper, ..before };
        }
        let report = CostReport {
            symbol,
            venue,
            since,
            is_whole: start == SegmentStart::New,
            order_count: 0,
            unfilled_orders: 0,
            liquidations: 0,
            total: CostTotals::default(),
            recent_ratio: None,
            is_beyond_model: false,
            orders: VecDeque::new(),
        };
        let (stops, given_up, meter) = (VecDeque::new(), VecDeque::new(), CostMeter::default());
        let (close, pending) = (None, None);
        Self {
            deployment,
            line,
            timeframe,
            config,
            is_paper,
            listed,
            close,
            pending,
            stops,
            given_up,
            meter,
            report,
            is_new,
        }
    }

    fn take(&mut self, record: JournalRecord) -> Result<(), LiveError> {
        match record {
            JournalRecord::Checkpoint(checkpoint) => self.take_checkpoint(&checkpoint),
            JournalRecord::History { bars } => {
                self.close = bars.last().map(walkforward_core::Bar::close).or(self.close);
            }
            JournalRecord::Bar(bar) => return self.take_bar(&bar),
            JournalRecord::Again(bar) => self.pending = bar.order,
            JournalRecord::Order(order) => self.take_order(*order),
            JournalRecord::Header(_) | JournalRecord::Event(_) | JournalRecord::End(_) => {}
        }
        Ok(())
    }

    /// What stands where a segment begins: an order in flight may come from a segment that is not kept any more.
    fn take_checkpoint(&mut self, checkpoint: &Checkpoint) {
        let session = &checkpoint.desk.session;
        self.pending = session.pending;
        if session.mark > 0.0 {
            self.close = Some(session.mark);
        }
        if let Some(orders) = checkpoint.orders.as_deref().filter(|_| self.is_new) {
            self.meter = orders.costs().clone();
        }
        self.is_new = false;
    }

    fn take_bar(&mut self, bar: &BarRecord) -> Result<(), LiveError> {
        if self.is_paper
            && let Some(order) = self.pending.take()
        {
            match self.filled_on_paper(&order, bar)? {
                Some(cost) => self.push(cost),
                None => self.report.unfilled_orders += 1,
            }
        }
        self.report.liquidations += u64::from(bar.liquidation.is_some());
        self.pending = bar.order;
        self.close = Some(bar.close);
        Ok(())
    }

    /// What the order of the bar before came to on this one.
    fn filled_on_paper(&self, order: &Order, bar: &BarRecord) -> Result<Option<FillCost>, LiveError> {
        let (Some(first), Some(last), Some(decision_price)) =
            (bar.fills.first(), bar.fills.last(), self.close)
        else {
            return Ok(None);
        };
        let bar_open = order.decided_at.plus_millis(-self.timeframe.millis());
        let id = order_id(&self.deployment, &self.line, bar_open, OrderPurpose::Decision, 0);
        let id = id.map_err(|error| LiveError::Option {
            name: "deployment",
            value: self.deployment.clone(),
            expected: error.to_string(),
        })?;
        let mut executed = Executed {
            id,
            side: order.side,
            quantity: Quantity::ZERO,
            notional: 0.0,
            decision_price,
            fee_cash: 0.0,
            fee_quantity: Quantity::ZERO,
            is_fee_estimated: false,
            decided_at: order.decided_at,
            sent_at: None,
            placed_at: None,
            first_fill_at: Some(first.time),
            last_fill_at: Some(last.time),
        };
        for fill in &bar.fills {
            executed.quantity = executed.quantity + fill.quantity;
            executed.notional += fill.notional();
            executed.fee_cash += fill.fee_cash.get();
            executed.fee_quantity = executed.fee_quantity + fill.fee_quantity;
        }
        Ok(FillCost::priced(executed, self.config.fee_bps, self.config.slippage_bps))
    }

    fn take_order(&mut self, record: OrderRecord) {
        match record {
            OrderRecord::Intent(intent) if intent.purpose == OrderPurpose::Stop => {
                remember(&mut self.stops, intent.id.clone());
            }
            OrderRecord::Closed { id, cost, outcome, .. } => {
                self.take_back(&id);
                let cost = cost.map(|cost| *cost);
                let has_left = !matches!(outcome, OrderOutcome::Void(_) | OrderOutcome::Observed);
                let is_unfilled = cost.is_none() && has_left && !self.stops.contains(&id);
                self.report.unfilled_orders += u64::from(is_unfilled);
                if outcome == OrderOutcome::GivenUp && !self.stops.contains(&id) {
                    remember(&mut self.given_up, (id, cost.clone()));
                }
                if let Some(cost) = cost {
                    self.push(cost);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, cost: FillCost) {
        self.meter.push(&cost);
        self.report.order_count += 1;
        self.report.total.add(&cost, 1.0);
        if self.listed == 0 {
            return;
        }
        if self.report.orders.len() == self.listed {
            self.report.orders.pop_front();
        }
        let bar_open = cost.decided_at.plus_millis(-self.timeframe.millis());
        self.report.orders.push_back(OrderCost { bar_open, cost });
    }

    /// Forgets the first end of an order that was given up and turned up after all.
    fn take_back(&mut self, id: &ClientOrderId) {
        let at = self.given_up.iter().position(|(given_up, _)| given_up == id);
        match at.and_then(|at| self.given_up.remove(at)) {
            None => {}
            Some((_, None)) => self.report.unfilled_orders -= 1,
            Some((_, Some(cost))) => {
                self.report.order_count -= 1;
                self.report.total.add(&cost, -1.0);
                self.meter.forget(&cost);
                self.report.orders.retain(|order| order.cost.id != cost.id);
            }
        }
    }

    fn finish(mut self) -> CostReport {
        self.report.recent_ratio = self.meter.ratio();
        self.report.is_beyond_model = self.meter.is_beyond();
        self.report
    }
}

/// Adds to a list that forgets its oldest.
fn remember<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == MAX_REMEMBERED {
        list.pop_front();
    }
    list.push_back(item);
}
