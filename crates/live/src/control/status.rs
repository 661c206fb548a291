//! A session as others see it.

use walkforward_core::{
    Cash, IdError, LoadedModel, Reason, SessionRestriction, SessionStatus, Timestamp, TradingMode,
};

use crate::journal::SegmentHeader;
use crate::{DeployedPolicy, Desk, ModelStamp, Recovered, RiskDesk, SessionCounts};

/// Where a session stands.
pub(crate) struct Standing<'a> {
    pub(crate) header: &'a SegmentHeader,
    pub(crate) desk: &'a Desk,
    pub(crate) model: Option<LoadedModel>,
    pub(crate) last_bar: Option<Timestamp>,
    pub(crate) bars: u64,
    pub(crate) counts: SessionCounts,
    pub(crate) open_orders: usize,
    pub(crate) is_feed_up: bool,
    pub(crate) last_data_at: Option<Timestamp>,
}

impl Standing<'_> {
    /// The same in the words of the port.
    pub(crate) fn status(self) -> Result<SessionStatus, IdError> {
        let Self { header, desk, model, last_bar, bars, counts, open_orders, is_feed_up, last_data_at } =
            self;
        let session = desk.session();
        // A ledger's figures are finite.
        let cash = |value| Cash::new(value).unwrap_or(Cash::ZERO);
        Ok(SessionStatus {
            session: header.session_id()?,
            line: header.line.clone(),
            symbol: header.symbol.clone(),
            timeframe: header.timeframe,
            venue: header.venue.clone(),
            started_at: header.session.began_at,
            mode: desk.risk().mode(),
            restriction: restriction(desk.risk()),
            bars,
            missed: counts.missed,
            last_bar,
            equity: cash(session.equity()),
            cash: cash(session.cash()),
            position: session.position(),
            position_value: cash(session.equity() - session.cash()),
            model,
            open_orders: u32::try_from(open_orders).unwrap_or(u32::MAX),
            is_feed_up,
            last_data_at,
            last_event: counts.events,
        })
    }
}

impl Recovered {
    /// The session as its journal left it: nobody runs it.
    ///
    /// # Errors
    /// The journal's deployment has a name that no session can have.
    pub fn status(&self) -> Result<SessionStatus, IdError> {
        let pending = usize::from(self.desk.session().pending().is_some());
        Standing {
            header: &self.header,
            desk: &self.desk,
            model: self.model.as_ref().map(loaded_stamp),
            last_bar: self.last_bar,
            bars: self.bars,
            counts: self.counts,
            open_orders: self.orders.as_ref().map_or(pending, |orders| orders.unfinished().len()),
            is_feed_up: false,
            last_data_at: None,
        }
        .status()
    }
}

/// What the journal says of a model.
pub(crate) fn loaded_stamp(model: &ModelStamp) -> LoadedModel {
    LoadedModel {
        model_id: model.model_id.clone(),
        sha256: model.sha256.clone(),
        model_version: model.model_version,
        grade: model.grade,
        trained_until: None,
        confirmed_at: None,
    }
}

/// A model that is loaded.
pub(crate) fn loaded_model(deployed: &DeployedPolicy, confirmed_at: Option<Timestamp>) -> LoadedModel {
    let trained_until = Some(deployed.policy.spec().used_until);
    LoadedModel { trained_until, confirmed_at, ..loaded_stamp(&ModelStamp::from(deployed)) }
}

/// What restricts the session most: a limit or a halt, else a condition.
fn restriction(risk: &RiskDesk) -> Option<SessionRestriction> {
    let condition = risk.conditions().strictest();
    let condition_mode = condition.map_or(TradingMode::Active, |condition| condition.behaviour.mode());
    match (risk.restriction(), condition) {
        (Some(it), _) if it.mode >= condition_mode => Some(SessionRestriction {
            reason: Reason::cut(&it.reason),
            since: it.since,
            until: it.until,
            needs_acknowledgement: it.until.is_none(),
        }),
        (_, condition) => condition.map(|it| SessionRestriction {
            reason: Reason::cut(&it.reason),
            since: it.since,
            until: None,
            needs_acknowledgement: false,
        }),
    }
}
