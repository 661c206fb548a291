//! Taking up again what an earlier desk left.

use walkforward_core::{
    ClientOrderId, Holdings, Instrument, MarketRules, OrderOrigin, OrderSize, OrderState, Quantity,
    Timestamp, Venue, VenueAccount, VenueError, VenuePosition,
};

use super::desk::OrderDesk;
use super::fees::is_fee_error;
use super::{OrderAct, OrderPurpose};
use walkforward_policy::sha256_hex;

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
    /// The account has less cash than the ledger counts with.
    #[error(
        "the account may spend {spendable:.2}, the ledger counts with {ledger:.2}: deposit the difference, or begin another \
         journal with a smaller costs.initial_cash"
    )]
    Cash {
        /// By the ledger.
        ledger: f64,
        /// By the venue, with what open purchases hold back.
        spendable: f64,
    },
    /// The journal is that of another account.
    #[error(
        "the journal is that of account {recorded}, and the keys are those of account {found} (by the hashes of their ids): \
         use the account's own keys, or another journal"
    )]
    OtherAccount {
        /// The hash in the journal.
        recorded: String,
        /// The hash of the account that the keys open.
        found: String,
    },
}

/// Hex digits of an account's hash.
const ACCOUNT_DIGITS: usize = 12;
/// Share of the ledger's equity that the account's cash may lack before anybody is told.
const CASH_TOLERANCE: f64 = 0.005;

/// The account's cash beside the ledger's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CashFound {
    ledger: f64,
    /// With what open purchases hold back.
    spendable: f64,
    tolerance: f64,
    /// Fees of the session that were estimated.
    fees: f64,
}

impl CashFound {
    /// Whether the account has so much less that purchases may be refused.
    pub(crate) fn is_short(self) -> bool {
        self.ledger - self.spendable > self.tolerance
    }

    /// What stands against a start: more is lacking than fees may have been wrong by.
    pub(crate) fn refusal(self) -> Option<StartRefusal> {
        let Self { ledger, spendable, tolerance, fees } = self;
        (ledger - spendable > tolerance.max(fees)).then_some(StartRefusal::Cash { ledger, spendable })
    }
}

impl Stock {
    /// What tells the account from others, without its id; none where the venue tells none.
    pub fn account_hash(&self) -> Option<String> {
        let id = self.account.id.as_ref()?;
        Some(sha256_hex(id.as_bytes())[..ACCOUNT_DIGITS].to_owned())
    }

    /// What stands against a start of a journal that was begun in account `recorded`; none where either is not known.
    pub(crate) fn other_account(&self, recorded: Option<&String>) -> Option<StartRefusal> {
        let (recorded, found) = (recorded?.clone(), self.account_hash()?);
        (recorded != found).then_some(StartRefusal::OtherAccount { recorded, found })
    }
}

/// Asks the venue for all that [`OrderDesk::reconcile`] needs, of the orders that are [`OrderDesk::unfinished`]; the orders
/// first and again after the position, until nothing has moved in between.
///
/// # Errors
/// The venue does not answer.
pub async fn take_stock(venue: &dyn Venue, names: &[ClientOrderId]) -> Result<Stock, VenueError> {
    let instrument = venue.instrument().await?;
    let mut rounds = 0;
    let mut orders = look_up(venue, names).await?;
    loop {
        let (position, open) = (venue.position().await?, venue.open_orders().await?);
        let account = venue.account().await?;
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

    /// Compares the account's cash with the ledger's, `cash` of `equity`, after [`reconcile`](Self::reconcile).
    pub(crate) fn compare_cash(&self, stock: &Stock, cash: f64, equity: f64) -> CashFound {
        let purchases = self.state.sent().filter(|entry| entry.placed_at.is_some());
        let held_back = purchases.map(|entry| match entry.handed_in.unwrap_or(entry.intent.order.size) {
            OrderSize::Notional(cash) => (cash.get() - entry.cost).max(0.0),
            OrderSize::Quantity(_) => 0.0,
        });
        let spendable = stock.account.spendable.get() + held_back.sum::<f64>();
        let (tolerance, fees) = (CASH_TOLERANCE * equity.max(0.0), self.state.estimated_fees.unwrap_or(0.0));
        CashFound { ledger: cash, spendable, tolerance, fees }
    }

    /// Names of the orders that have left and have not ended: the venue may have them.
    pub(crate) fn on_their_way(&self) -> Vec<ClientOrderId> {
        self.state.sent().map(|entry| entry.intent.id.clone()).collect()
    }

    /// Whether the position is nothing that the venue would take back.
    pub(crate) fn is_flat(&self) -> bool {
        !self.rules.instrument.sells(self.state.position)
    }

    /// A market order that may still leave has to pass the checks again, against what the venue says there is.
    fn approve_again(&mut self, stock: &Stock) {
        let holdings = Holdings {
            cash: stock.account.spendable,
            position: stock.position.quantity,
            equity: stock.account.equity,
            last_price: self.price().map_or(0.0, |price| price.get()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cash_is_short_beyond_the_tolerance_and_refuses_beyond_the_fees_that_were_estimated() {
        let found = |spendable, fees| {
            let cash = CashFound { ledger: 1_000.0, spendable, tolerance: 5.0, fees };
            (cash.is_short(), cash.refusal().is_some())
        };
        assert_eq!(found(5_000.0, 0.0), (false, false), "an account may have more");
        assert_eq!(found(995.0, 0.0), (false, false));
        assert_eq!(found(994.0, 0.0), (true, true));
        assert_eq!(found(994.0, 6.0), (true, false), "fees may have been twice what was declared");
        assert_eq!(found(993.0, 6.0), (true, true));
    }
}
