//! What a start at a venue would find, without one.

use walkforward_core::{Quantity, Timestamp};

use super::VenueAccess;
use super::venue::{flow_of, orders_under};
use crate::journal::{Recovered, SegmentHeader};
use crate::{Desk, DriverMode, LiveError, OrderDesk, StartRefusal, Stock, take_stock};

/// What a start at a venue would find.
#[derive(Debug, Clone, PartialEq)]
pub struct VenueFindings {
    /// What the venue has of the account.
    pub stock: Stock,
    /// The position by the ledger, before what the venue tells of its orders.
    pub ledger: Quantity,
    /// Everything that stands against a start.
    pub refusals: Vec<StartRefusal>,
}

/// Asks the venue what a start under `header` would ask, with the session that `recovered` left or none, and judges it as
/// a start does. Nothing is handed in, ended or written.
///
/// # Errors
/// The venue does not answer, or a rule is out of range.
pub async fn venue_findings(
    access: &VenueAccess,
    header: &SegmentHeader,
    recovered: Option<&Recovered>,
    now: Timestamp,
) -> Result<VenueFindings, LiveError> {
    let left = recovered.and_then(|session| session.orders.clone());
    let names = left.as_ref().map(OrderDesk::unfinished).unwrap_or_default();
    let stock = take_stock(access.venue.as_ref(), &names).await?;
    let fresh = Desk::new(header.config, header.limits, header.kept_bars)?;
    let desk = recovered.map_or(&fresh, |session| &session.desk);
    let orders = orders_under(access, header, left, desk, &stock)?;
    let refusals = refusals(&orders, desk, header, &stock, access.mode, now);
    Ok(VenueFindings { stock, ledger: desk.session().position(), refusals })
}

/// Everything that stands against a start of `orders` under `header`, with the ledger of `desk`. What it would do is left
/// undone.
pub(super) fn refusals(
    orders: &OrderDesk,
    desk: &Desk,
    header: &SegmentHeader,
    stock: &Stock,
    mode: DriverMode,
    now: Timestamp,
) -> Vec<StartRefusal> {
    let left = orders.on_their_way();
    let (mut orders, mut acts) = (orders.clone(), Vec::new());
    let mut refusals = orders.reconcile(stock, now, &mut acts).err().unwrap_or_default();
    refusals.extend(stock.other_account(header.account.as_ref()));
    // Whoever holds a position, or has an order that may become one, is better off watched and with smaller purchases than
    // left alone.
    let is_open = orders.on_their_way().iter().any(|id| left.contains(id));
    let is_idle = orders.is_flat() && !is_open && mode == DriverMode::Trade;
    let cash = desk.session().cash() + flow_of(&acts);
    let found = orders.compare_cash(stock, cash, desk.session().equity());
    refusals.extend(found.refusal().filter(|_| is_idle));
    refusals
}
