//! Fees that the venue does not tell, and what corrects them.

use walkforward_core::{Cash, Fill, Price, Quantity, Side, Timestamp, VenueFill};
use walkforward_engine::FillModel;

use super::entry::Part;

/// Share of a purchase, as its divisor, that an estimated fee may have been wrong by.
const TOLERANCE_DIVISOR: i64 = 100;

/// The fill that a part of an order comes to, and whether its fee is the declared one. `told` is the execution where the
/// part is all that happened since `position`.
pub(super) fn fill_of(
    part: &Part,
    side: Side,
    told: Option<&VenueFill>,
    position: Quantity,
    declared: &FillModel,
) -> (Fill, bool) {
    let (quantity, price, time) = (part.quantity, part.price, part.time);
    let fill = Fill { time, side, quantity, price, fee_quantity: Quantity::ZERO, fee_cash: Cash::ZERO };
    match side {
        Side::Buy => {
            let told = told.and_then(|told| told.fee_in_asset(position));
            let fee_quantity = told.unwrap_or_else(|| declared.fee_in_asset(quantity).min(quantity));
            (Fill { fee_quantity, ..fill }, told.is_none())
        }
        Side::Sell => {
            let fee_cash = declared.fee_in_cash(quantity, price).unwrap_or(Cash::ZERO);
            (Fill { fee_cash, ..fill }, true)
        }
    }
}

/// Whether `difference` between the venue's position and the ledger's is what fees of purchases of `estimated`, in all,
/// were wrong by.
pub(super) fn is_fee_error(difference: Quantity, estimated: Quantity) -> bool {
    estimated > Quantity::ZERO
        && difference.nanos().saturating_abs() <= estimated.nanos() / TOLERANCE_DIVISOR + 1
}

/// A fill that moves the position by `difference` and no cash: the fee was less, or more, than was booked.
pub(super) fn correction(difference: Quantity, price: Price, time: Timestamp) -> Option<Fill> {
    let fill = trade(difference, price, time)?;
    let value = fill.notional();
    let fee_cash = Cash::new(if fill.side == Side::Buy { -value } else { value }).ok()?;
    Some(Fill { fee_cash, ..fill })
}

/// A fill that moves the position by `difference` at `price`, without a fee.
pub(super) fn trade(difference: Quantity, price: Price, time: Timestamp) -> Option<Fill> {
    let side = if difference > Quantity::ZERO { Side::Buy } else { Side::Sell };
    let quantity = difference.max(-difference);
    let fill = Fill { time, side, quantity, price, fee_quantity: Quantity::ZERO, fee_cash: Cash::ZERO };
    (quantity > Quantity::ZERO).then_some(fill)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_engine::{Ledger, SessionConfig};

    use super::*;

    fn declared(fee_bps: f64) -> FillModel {
        FillModel::new(&SessionConfig { fee_bps, ..SessionConfig::default() })
    }

    fn nanos(nanos: i64) -> Quantity {
        Quantity::from_nanos(nanos)
    }

    fn bought(ledger: &mut Ledger, quantity: i64) {
        let part = Part {
            quantity: nanos(quantity),
            price: Price::new(100.0).unwrap(),
            time: Timestamp::EPOCH,
            execution_id: None,
        };
        let (fill, is_estimated) = fill_of(&part, Side::Buy, None, ledger.position(), &declared(25.0));
        assert!(is_estimated);
        ledger.apply_fill(&fill).unwrap();
    }

    #[test]
    fn the_declared_fee_is_rounded_against_us() {
        assert_eq!(declared(25.0).fee_in_asset(nanos(1_000_000_000)), nanos(2_500_000));
        assert_eq!(declared(25.0).fee_in_asset(nanos(401)), nanos(2));
        assert_eq!(declared(0.0).fee_in_asset(nanos(1)), Quantity::ZERO);
    }

    proptest! {
        #[test]
        fn a_correction_moves_the_position_and_no_cash(wrong_by in -10_000_000_i64..10_000_000, price in 1.0..1e5f64) {
            let mut ledger = Ledger::new(1e6);
            bought(&mut ledger, 1_000_000_000);
            let (before, cash) = (ledger.position(), ledger.cash());
            prop_assert!(is_fee_error(nanos(wrong_by), nanos(1_000_000_000)));
            if let Some(fill) = correction(nanos(wrong_by), Price::new(price).unwrap(), Timestamp::EPOCH) {
                ledger.apply_fill(&fill).unwrap();
            }
            prop_assert_eq!(ledger.position(), before + nanos(wrong_by));
            prop_assert!((ledger.cash() - cash).abs() < 1e-6);
        }

        #[test]
        fn taking_a_position_over_leaves_equity_as_it_is(difference in -900_000_000_i64..5_000_000_000, price in 1.0..1e5f64) {
            let mut ledger = Ledger::new(1e6);
            bought(&mut ledger, 1_000_000_000);
            ledger.mark(price);
            let equity = ledger.equity();
            if let Some(fill) = trade(nanos(difference), Price::new(price).unwrap(), Timestamp::EPOCH) {
                ledger.apply_fill(&fill).unwrap();
            }
            prop_assert!((ledger.equity() - equity).abs() < 1e-6 * equity.max(1.0));
        }
    }
}
