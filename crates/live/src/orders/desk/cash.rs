//! What the account has, beside what the ledger counts with.

use walkforward_core::{Cash, Timestamp, VenueAccount, VenueError};

use super::{OrderDesk, has_passed};
use crate::orders::{OrderAct, OrderRecord, OrderWarning};
use crate::{Restriction, TradingMode};

/// Between two comparisons of what has moved cash.
const COMPARED_EVERY_MS: i64 = 86_400_000;
/// Least difference that a person is told of, in quote currency: a venue rounds its prices.
const LEAST_TOLD: f64 = 0.01;

/// The question for the account's cash.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CashQuestion {
    /// Whether it is compared at all.
    is_watched: bool,
    /// Whether this process has still to compare it for the first time.
    is_due: bool,
    /// Bookings when it was last asked, and when that was.
    asked: Option<(u64, Timestamp)>,
}

impl OrderDesk {
    /// Compares what moves the account's cash with what the ledger books, from now on once a day, and tells what does not
    /// agree: a venue tells no sale's fee, so the ledger books the declared one. `account` was asked after all that has
    /// been booked. What the account had before, and what the ledger began with, does not matter.
    pub fn watch_cash(&mut self, account: &VenueAccount, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.hand.cash = CashQuestion { is_watched: true, is_due: true, asked: None };
        if self.is_settled() && self.is_quiet() {
            self.cash_seen(account.cash, now, acts);
        }
    }

    /// Whether the account is to be asked for the comparison. Only when nothing is under way do the two have the same fills.
    pub(super) fn wants_cash(&self, now: Timestamp) -> bool {
        let CashQuestion { is_watched, is_due, asked } = self.hand.cash;
        let is_old = || self.state.cash.is_none_or(|cash| has_passed(cash.at, COMPARED_EVERY_MS, now));
        let is_free = || asked.is_none_or(|(_, since)| has_passed(since, self.rules.times.patience_ms, now));
        is_watched && (is_due || is_old()) && is_free() && self.is_settled() && self.is_quiet()
    }

    pub(super) fn ask_cash(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        if self.wants_cash(now) {
            self.hand.cash.asked = Some((self.state.bookings, now));
            acts.push(OrderAct::AskAccount);
        }
    }

    fn cash_seen(&mut self, account: Cash, now: Timestamp, acts: &mut Vec<OrderAct>) {
        (self.hand.cash.is_due, self.hand.cash.asked) = (false, None);
        if let Some(before) = self.state.cash {
            let difference = account.get() - before.account - before.flow;
            if difference.abs() >= LEAST_TOLD {
                let (fees, since) = (before.fees, before.at);
                acts.push(OrderAct::Warn(OrderWarning::CashMoved { difference, fees, since }));
            }
        }
        self.note(OrderRecord::CashSeen { account: account.get(), at: now }, acts);
    }

    /// The account was asked for, because it did not have what an order wanted, or to be compared.
    pub(super) fn account_told(
        &mut self,
        result: Result<VenueAccount, VenueError>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let Ok(account) = result else { return };
        // Asked again later where something happened meanwhile.
        let is_compared = self.hand.cash.asked.is_some_and(|(bookings, _)| bookings == self.state.bookings);
        if is_compared && self.is_settled() && self.is_quiet() {
            self.cash_seen(account.cash, now, acts);
        }
        if let Some(words) = &account.blocked {
            let reason = format!("the venue has blocked the account: {words}");
            acts.push(OrderAct::Restrict(Restriction::new(TradingMode::Halted, &reason, now, false)));
        } else if self.hand.is_cash_asked {
            self.cash_is_short(account.spendable, acts);
        }
    }

    /// The account has less than the ledger counts with: from now on no purchase is for more than it may spend.
    pub(crate) fn cash_is_short(&mut self, spendable: Cash, acts: &mut Vec<OrderAct>) {
        (self.hand.spendable, self.hand.is_cash_asked) = (Some(spendable), true);
        if !std::mem::replace(&mut self.hand.is_short_told, true) {
            acts.push(OrderAct::Warn(OrderWarning::CashShort { spendable: spendable.get() }));
        }
    }
}
