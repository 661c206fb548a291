//! Taking up again what an earlier desk left.

use walkforward_core::{
    ClientOrderId, Holdings, Instrument, MarketRules, OrderOrigin, OrderState, Quantity, Timestamp, Venue,
    VenueAccount, VenueError, VenuePosition,
};

use super::desk::OrderDesk;
use super::fees::is_fee_error;
use super::{OrderAct, OrderPurpose};

/// Rounds of questions until two in a row agree; orders that go on filling are then left to the running desk.
const MAX_ROUNDS: usize = 5;

/// What the venue has of a desk's orders and of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Stock {
    /// Every order that the desk has not seen the end of, by its name.
    pub orders: Vec<(ClientOrderId, Option<OrderState>)>,
    /// All open orders of the symbol.
    pub open: Vec<OrderState>,
    /// The position.
    pub position: VenuePosition,
    /// The account.
    pub account: VenueAccount,
    /// What the venue takes of the symbol.
    pub instrument: Instrument,
}

/// Why a session can't start.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StartRefusal {
    /// The account may not trade.
    #[error("the venue has blocked the account: {0}; clear it up with the venue")]
    Account(String),
    /// The symbol can't be traded.
    #[error("the venue does not take orders of the symbol now")]
    Instrument,
    /// Somebody else has orders in the symbol.
    #[error(
        "an open order of the symbol is not this trader's: {origin:?} ({venue_id}); end it, or use another account"
    )]
    ForeignOrder {
        /// Its name.
        origin: OrderOrigin,
        /// The venue's name of it.
        venue_id: String,
    },
    /// The ledger does not explain the position.
    #[error(
        "the venue holds {venue}, the ledger {ledger}: {difference} that no order explains; trade it away by hand, or \
         start with external positions adopted"
    )]
    Position {
        /// By the ledger.
        ledger: Quantity,
        /// By the venue.
        venue: Quantity,
        /// Venue less ledger.
        difference: Quantity,
    },
}

/// Asks the venue for all that [`OrderDesk::reconcile`] needs, of the orders that are [`OrderDesk::unfinished`]; the orders
/// first and again after the position, until nothing has moved in between.
///
/// # Errors
/// The venue does not answer.
pub async fn take_stock(venue: &dyn Venue, names: &[ClientOrderId]) -> Result<Stock, VenueError> {
    let (account, instrument) = (venue.account().await?, venue.instrument().await?);
    let mut rounds = 0;
    let mut orders = look_up(venue, names).await?;
    loop {
        let (position, open) = (venue.position().await?, venue.open_orders().await?);
        let before = std::mem::replace(&mut orders, look_up(venue, names).await?);
        rounds += 1;
        if before == orders || rounds == MAX_ROUNDS {
            return Ok(Stock { orders, open, position, account, instrument });
        }
    }
}

async fn look_up(
    venue: &dyn Venue,
    names: &[ClientOrderId],
) -> Result<Vec<(ClientOrderId, Option<OrderState>)>, VenueError> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push((name.clone(), venue.order(name).await?));
    }
    Ok(found)
}

impl OrderDesk {
    /// Names of the orders whose end is not known: those that are open, and those that were given up.
    pub fn unfinished(&self) -> Vec<ClientOrderId> {
        let open = self.state.open.iter().map(|entry| entry.intent.id.clone());
        open.chain(self.given_up()).collect()
    }

    /// Takes up what an earlier desk left, with what [`take_stock`] found: what has filled is booked, an order that is not
    /// there may leave within its time to live, and what else the venue holds is judged by the rules; for a position to be
    /// taken over, [`mark`](Self::mark) comes first. The acts hold whatever the verdict is.
    ///
    /// # Errors
    /// Everything that stands against a start; nothing may leave then.
    pub fn reconcile(
        &mut self,
        stock: &Stock,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> Result<(), Vec<StartRefusal>> {
        self.rules.instrument = stock.instrument;
        let mut refusals: Vec<StartRefusal> =
            stock.account.blocked.clone().map(StartRefusal::Account).into_iter().collect();
        if !stock.instrument.tradable {
            refusals.push(StartRefusal::Instrument);
        }
        self.approve_again(stock);
        for (id, found) in &stock.orders {
            if let Some(state) = found {
                self.observe(id, state, None, now, acts);
            }
        }
        let is_ours = |origin: &OrderOrigin| origin.id().is_some_and(|id| self.state.entry(id).is_some());
        let foreign = stock.open.iter().filter(|state| !is_ours(&state.origin));
        refusals.extend(foreign.map(|state| StartRefusal::ForeignOrder {
            origin: state.origin.clone(),
            venue_id: state.venue_id.clone(),
        }));
        if self.is_quiet() {
            refusals.extend(self.explain(&stock.position, now, acts));
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        self.tick(now, acts);
        Ok(())
    }

    /// A market order that may still leave has to pass the checks again, against what the venue says there is.
    fn approve_again(&mut self, stock: &Stock) {
        let holdings = Holdings {
            cash: stock.account.spendable,
            position: stock.position.quantity,
            equity: stock.account.equity,
            last_price: self.hand.price.map_or(0.0, |price| price.get()),
        };
        let risk = self.rules.risk;
        let decisions = self.state.open.iter().filter(|entry| entry.intent.purpose == OrderPurpose::Decision);
        for entry in decisions {
            let approved = risk.approve_with(entry.intent.order, &holdings, MarketRules::LONG_ONLY).ok();
            self.hand.pursuits.of(&entry.intent.id).approved = approved;
        }
    }

    /// Compares ledger and venue; what stands against a start, if anything does.
    fn explain(
        &mut self,
        venue: &VenuePosition,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> Option<StartRefusal> {
        let ledger = self.state.position;
        let difference = venue.quantity - ledger;
        let is_fee = is_fee_error(difference, self.state.estimated);
        if difference.is_zero()
            || is_fee && self.correct_fee(difference, now, acts)
            || self.adopt(venue, now, acts)
        {
            self.agree(now, acts);
            return None;
        }
        Some(StartRefusal::Position { ledger, venue: venue.quantity, difference })
    }
}
