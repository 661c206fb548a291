//! At what price and fee a market order fills.

use walkforward_core::{ApprovedOrder, Cash, Fill, OrderSize, Price, Quantity, Side, Timestamp};

use crate::SessionConfig;

/// Fills market orders at a bar's open, worse by the slippage, with a fee in what is received.
///
/// A purchase spends its notional: the quantity is `notional / price` rounded down to 1e-9, the fee is taken in the
/// asset and rounded up to 1e-9. A sale, short or not, pays its fee in cash. So does a purchase by quantity, which
/// covers a short position: nothing is received that a fee could be taken from, and the position ends where it was
/// meant to. Fee rates count in whole billionths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FillModel {
    fee_rate: f64,
    fee_billionths: i128,
    slippage_rate: f64,
}

const BILLION: i128 = 1_000_000_000;
const BPS_PER_UNIT: f64 = 10_000.0;
const BILLIONTHS_PER_BPS: f64 = 100_000.0;

impl FillModel {
    /// The model of `config`, whose rates are taken as they are: see [`SessionConfig::validate`].
    pub fn new(config: &SessionConfig) -> Self {
        Self {
            fee_rate: config.fee_bps / BPS_PER_UNIT,
            fee_billionths: (config.fee_bps * BILLIONTHS_PER_BPS).round() as i128,
            slippage_rate: config.slippage_bps / BPS_PER_UNIT,
        }
    }

    /// What `order` comes to when it meets a bar that opens at `open` at the time `time`. `None` when it comes to
    /// nothing: the amount is below 1e-9 of the asset after the fee, or beyond what a quantity can hold.
    pub fn fill(&self, order: &ApprovedOrder, open: f64, time: Timestamp) -> Option<Fill> {
        match (order.order().side, order.order().size) {
            (Side::Buy, OrderSize::Notional(notional)) => self.buy(notional.get(), open, time),
            (side, OrderSize::Quantity(quantity)) => self.exchange(side, quantity, open, time),
            // The risk checks don't approve it.
            (Side::Sell, OrderSize::Notional(_)) => None,
        }
    }

    fn buy(&self, notional: f64, open: f64, time: Timestamp) -> Option<Fill> {
        let price = Price::new(open * (1.0 + self.slippage_rate)).ok()?;
        let mut quantity = Quantity::from_units_towards_zero(notional / price.get()).ok()?;
        // The division may have rounded up: never spend more than the order names.
        while quantity.units() * price.get() > notional {
            quantity = next_below(quantity);
        }
        let fee_quantity = self.fee_in_asset(quantity);
        if fee_quantity >= quantity {
            return None;
        }
        Some(Fill { time, side: Side::Buy, quantity, price, fee_quantity, fee_cash: Cash::ZERO })
    }

    fn exchange(&self, side: Side, quantity: Quantity, open: f64, time: Timestamp) -> Option<Fill> {
        let slipped = match side {
            Side::Buy => 1.0 + self.slippage_rate,
            Side::Sell => 1.0 - self.slippage_rate,
        };
        let price = Price::new(open * slipped).ok()?;
        if quantity <= Quantity::ZERO {
            return None;
        }
        let fee_cash = self.fee_in_cash(quantity, price)?;
        Some(Fill { time, side, quantity, price, fee_quantity: Quantity::ZERO, fee_cash })
    }

    /// Fee on a sale or a cover, in quote currency; none where that is no amount.
    pub fn fee_in_cash(&self, quantity: Quantity, price: Price) -> Option<Cash> {
        Cash::new(quantity.units() * price.get() * self.fee_rate).ok()
    }

    /// Fee on a purchase by notional, in the asset, rounded up to 1e-9.
    pub fn fee_in_asset(&self, quantity: Quantity) -> Quantity {
        let nanos = share_rounded_up(quantity.nanos(), self.fee_billionths);
        Quantity::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// `amount * billionths / 1e9`, rounded up.
fn share_rounded_up(amount: i64, billionths: i128) -> i128 {
    // Most products fit 64 bits, whose division takes a fraction of the time.
    let narrow = u64::try_from(amount).ok().zip(u64::try_from(billionths).ok());
    match narrow.and_then(|(amount, billionths)| amount.checked_mul(billionths)) {
        Some(product) => i128::from(product.div_ceil(BILLION as u64)),
        None => (i128::from(amount) * billionths + BILLION - 1) / BILLION,
    }
}

/// The largest quantity whose double is below that of `quantity`: large quantities share a double with neighbours.
fn next_below(quantity: Quantity) -> Quantity {
    let step = (quantity.nanos() >> f64::MANTISSA_DIGITS).max(0) + 1;
    Quantity::from_nanos(quantity.nanos() - step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use walkforward_core::{Holdings, MarketRules, Order, RiskLimits};

    fn model(fee_bps: f64, slippage_bps: f64) -> FillModel {
        FillModel::new(&SessionConfig { fee_bps, slippage_bps, ..Default::default() })
    }

    fn time() -> Timestamp {
        Timestamp::from_millis(0).unwrap()
    }

    fn buy(notional: f64) -> ApprovedOrder {
        let cash = Cash::new(notional).unwrap();
        let order = Order { side: Side::Buy, size: OrderSize::Notional(cash), decided_at: time() };
        RiskLimits::default().approve(order, cash, Quantity::ZERO).unwrap()
    }

    fn sell(nanos: i64) -> ApprovedOrder {
        let held = Quantity::from_nanos(nanos);
        let order = Order { side: Side::Sell, size: OrderSize::Quantity(held), decided_at: time() };
        RiskLimits::default().approve(order, Cash::ZERO, held).unwrap()
    }

    #[test]
    fn a_purchase_pays_its_fee_in_the_asset_rounded_against_us() {
        let fill = model(25.0, 0.0).fill(&buy(100.0), 100.0, time()).unwrap();
        assert_eq!(fill.quantity.nanos(), 1_000_000_000);
        assert_eq!(fill.fee_quantity.nanos(), 2_500_000);
        assert_eq!(fill.fee_cash, Cash::ZERO);
        let odd = model(25.0, 0.0).fill(&buy(0.000_000_401), 1.0, time()).unwrap();
        assert_eq!((odd.quantity.nanos(), odd.fee_quantity.nanos()), (401, 2));
    }

    #[test]
    fn a_sale_pays_its_fee_in_cash() {
        let fill = model(25.0, 0.0).fill(&sell(2_000_000_000), 100.0, time()).unwrap();
        assert_eq!(fill.fee_quantity, Quantity::ZERO);
        assert!((fill.fee_cash.get() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_cover_pays_its_fee_in_cash_and_buys_the_whole_quantity() {
        let size = OrderSize::Quantity(Quantity::from_nanos(2_000_000_000));
        let order = Order { side: Side::Buy, size, decided_at: time() };
        let short = Holdings {
            cash: Cash::new(400.0).unwrap(),
            position: Quantity::from_nanos(-2_000_000_000),
            equity: Cash::new(200.0).unwrap(),
            last_price: 100.0,
        };
        let approved = RiskLimits::default().approve_with(order, &short, MarketRules::SHORTING).unwrap();
        let fill = model(25.0, 10.0).fill(&approved, 100.0, time()).unwrap();
        assert_eq!((fill.quantity.nanos(), fill.fee_quantity), (2_000_000_000, Quantity::ZERO));
        assert_eq!(fill.price.get(), 100.0 * 1.001);
        assert!((fill.fee_cash.get() - 0.5005).abs() < 1e-12);
    }

    #[test]
    fn slippage_is_against_us_on_both_sides() {
        assert_eq!(model(0.0, 5.0).fill(&buy(1.0), 100.0, time()).unwrap().price.get(), 100.0 * 1.0005);
        assert_eq!(model(0.0, 5.0).fill(&sell(1), 100.0, time()).unwrap().price.get(), 100.0 * 0.9995);
    }

    #[test]
    fn an_amount_too_small_or_too_large_for_a_quantity_comes_to_nothing() {
        assert_eq!(model(25.0, 0.0).fill(&buy(1e-10), 1.0, time()), None);
        assert_eq!(model(25.0, 0.0).fill(&buy(1e-9), 1.0, time()), None, "all of it would be fee");
        assert_eq!(model(25.0, 0.0).fill(&buy(1e12), 1e-3, time()), None);
        assert_eq!(model(25.0, 5.0).fill(&buy(1.0), f64::MAX, time()), None);
    }

    proptest! {
        #[test]
        fn a_share_is_the_same_in_64_bits_and_in_128(amount in any::<i64>(), billionths in 0..=100_000_000_i128) {
            let wide = (i128::from(amount) * billionths + BILLION - 1) / BILLION;
            prop_assert_eq!(share_rounded_up(amount, billionths), wide);
            let small = (i128::from(amount >> 32) * billionths + BILLION - 1) / BILLION;
            prop_assert_eq!(share_rounded_up(amount >> 32, billionths), small);
        }

        #[test]
        fn a_purchase_never_spends_more_than_its_notional(
            notional in 1e-6..1e9f64, open in 1e-3..1e6f64, fee in 0.0..1000.0f64, slippage in 0.0..1000.0f64,
        ) {
            if let Some(fill) = model(fee, slippage).fill(&buy(notional), open, time()) {
                prop_assert!(fill.notional() <= notional);
                prop_assert!(notional - fill.notional() <= fill.price.get() * 1e-9 + notional * 1e-12);
                prop_assert!(fill.position_change() > Quantity::ZERO);
            }
        }
    }
}
