//! A broker that fills from the bars themselves.

use async_trait::async_trait;
use walkforward_core::{ApprovedOrder, Bar, Broker, BrokerError, ErrorKind, Fill};
use walkforward_engine::FillModel;

/// Most orders that wait at once; a session has one.
pub const MAX_PENDING_ORDERS: usize = 16;

/// Fills market orders at the open of the bar that starts where their decision's bar ended, by the engine's fill
/// model: the same rules as in training and backtest. Orders that miss that bar lapse.
#[derive(Debug, Clone)]
pub struct PaperBroker {
    model: FillModel,
    pending: Vec<ApprovedOrder>,
}

impl PaperBroker {
    /// A broker without orders.
    pub fn new(model: FillModel) -> Self {
        Self { model, pending: Vec::new() }
    }
}

#[async_trait]
impl Broker for PaperBroker {
    async fn submit(&mut self, order: ApprovedOrder) -> Result<(), BrokerError> {
        // Older ones have missed their bar: the feed has a hole there.
        self.pending.retain(|waiting| waiting.order().decided_at >= order.order().decided_at);
        if self.pending.len() == MAX_PENDING_ORDERS {
            let message = format!("{MAX_PENDING_ORDERS} orders wait already: no bar has come to fill them");
            return Err(BrokerError { kind: ErrorKind::Bug, message });
        }
        self.pending.push(order);
        Ok(())
    }

    async fn fills(&mut self, bar: &Bar) -> Result<Vec<Fill>, BrokerError> {
        let due = std::mem::take(&mut self.pending);
        let time = bar.open_time();
        let due = due.iter().filter(|order| order.order().decided_at == time);
        Ok(due.filter_map(|order| self.model.fill(order, bar.open(), time)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkforward_core::{Cash, Order, OrderSize, Quantity, RiskLimits, Side, Timestamp};
    use walkforward_engine::SessionConfig;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000).unwrap()
    }

    fn order(minute: i64) -> ApprovedOrder {
        let cash = Cash::new(100.0).unwrap();
        let order = Order { side: Side::Buy, size: OrderSize::Notional(cash), decided_at: at(minute) };
        RiskLimits::default().approve(order, cash, Quantity::ZERO).unwrap()
    }

    #[tokio::test]
    async fn an_order_fills_on_the_next_bar_and_on_no_other() {
        let mut broker = PaperBroker::new(FillModel::new(&SessionConfig::default()));
        broker.submit(order(1)).await.unwrap();
        assert_eq!(broker.fills(&Bar::flat(at(1), 10.0).unwrap()).await.unwrap().len(), 1);
        assert!(broker.fills(&Bar::flat(at(1), 10.0).unwrap()).await.unwrap().is_empty());
        broker.submit(order(1)).await.unwrap();
        assert!(broker.fills(&Bar::flat(at(2), 10.0).unwrap()).await.unwrap().is_empty());
        assert!(broker.fills(&Bar::flat(at(1), 10.0).unwrap()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn orders_that_missed_their_bar_make_room() {
        let mut broker = PaperBroker::new(FillModel::new(&SessionConfig::default()));
        for minute in 1..100 {
            broker.submit(order(minute)).await.unwrap();
        }
        assert_eq!(broker.fills(&Bar::flat(at(99), 10.0).unwrap()).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn waiting_orders_are_bounded() {
        let mut broker = PaperBroker::new(FillModel::new(&SessionConfig::default()));
        for _ in 0..MAX_PENDING_ORDERS {
            broker.submit(order(1)).await.unwrap();
        }
        assert!(broker.submit(order(1)).await.is_err());
    }
}
