//! Traders, as clients see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::{Mutex, mpsc};
use walkforward_core::{
    Action, Bar, Cash, ControlCommand, ControlError, Fill, LoadedModel, ModelId, NumberedEvent, Order,
    OrderSize, Price, Quantity, SessionControl, SessionEvent, SessionEvents, SessionId, SessionStatus, Side,
    TradingMode,
};
use walkforward_server::HubOptions;

use crate::listener::Listener;
use crate::{start, world};

/// A trader that says what the test says.
struct Trader {
    events: Mutex<Option<mpsc::Receiver<NumberedEvent>>>,
    subscribed: AtomicU64,
}

struct Script(mpsc::Receiver<NumberedEvent>);

#[async_trait]
impl SessionEvents for Script {
    async fn next(&mut self) -> Result<Option<NumberedEvent>, ControlError> {
        Ok(self.0.recv().await)
    }
}

#[async_trait]
impl SessionControl for Trader {
    async fn ask(&self, _command: ControlCommand) -> Result<SessionStatus, ControlError> {
        Ok(status())
    }

    async fn subscribe(
        &self,
        _after: Option<u64>,
    ) -> Result<(SessionStatus, Box<dyn SessionEvents>), ControlError> {
        self.subscribed.fetch_add(1, Ordering::SeqCst);
        let events = self.events.lock().await.take();
        let events = events.ok_or_else(|| ControlError::Gone { reason: "once".to_owned() })?;
        Ok((status(), Box::new(Script(events))))
    }
}

fn session() -> SessionId {
    "btc-paper".parse().unwrap()
}

fn cash(value: f64) -> Cash {
    Cash::new(value).unwrap()
}

fn status() -> SessionStatus {
    SessionStatus {
        session: session(),
        line: "btc".parse().unwrap(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        started_at: start(),
        mode: TradingMode::Active,
        restriction: None,
        bars: 1,
        missed: 0,
        last_bar: None,
        equity: cash(10_000.0),
        cash: cash(10_000.0),
        position: Quantity::ZERO,
        position_value: cash(0.0),
        model: None,
        open_orders: 0,
        is_feed_up: true,
        last_data_at: None,
        last_event: 4,
    }
}

/// What the trader does in the test, from event 5 on.
fn script() -> Vec<SessionEvent> {
    let bar = Bar::new(start(), 100.0, 110.0, 90.0, 105.0, 3.0).unwrap();
    let fill = Fill {
        time: start(),
        side: Side::Buy,
        quantity: Quantity::ZERO,
        price: Price::new(105.0).unwrap(),
        fee_quantity: Quantity::ZERO,
        fee_cash: cash(0.0),
    };
    let model = LoadedModel {
        model_id: "model-2024-03-01T00-00-00-000Z".parse::<ModelId>().unwrap(),
        sha256: "a".repeat(64),
        model_version: 2,
        grade: None,
        trained_until: None,
        confirmed_at: None,
    };
    let reason = |text: &str| text.parse().unwrap();
    vec![
        SessionEvent::Bar {
            bar,
            missed: false,
            action: Some(Action(1)),
            order: Some(Order {
                side: Side::Buy,
                size: OrderSize::Notional(cash(500.0)),
                decided_at: start(),
            }),
            equity: cash(10_100.0),
            position: Quantity::ZERO,
        },
        SessionEvent::Fill { fill },
        SessionEvent::ModelLoaded { from: None, to: model },
        SessionEvent::Mode { mode: TradingMode::Halted, reason: reason("drawdown") },
        SessionEvent::Feed { is_up: false, reason: None },
        SessionEvent::Warning { reason: reason("look") },
        SessionEvent::Other,
        SessionEvent::Ended { reason: reason("asked") },
    ]
}

#[tokio::test]
async fn what_a_trader_does_is_told_once_and_with_its_own_numbers() {
    let world = world(HubOptions::default()).await;
    let (sender, events) = mpsc::channel(16);
    let trader = Arc::new(Trader { events: Mutex::new(Some(events)), subscribed: AtomicU64::new(0) });
    let mut listeners = [Listener::welcomed(world.address).await, Listener::welcomed(world.address).await];
    world.sessions.set(vec![(session(), Arc::<Trader>::clone(&trader) as Arc<dyn SessionControl>)]);
    for (number, event) in (5..).zip(script()) {
        sender.send(NumberedEvent { seq: number, at: start(), event }).await.unwrap();
    }
    for listener in &mut listeners {
        let status = listener.next().await;
        assert_eq!((&status["type"], &status["event_number"]), (&json!("live_status"), &json!(4)));
        assert_eq!((&status["mode"], &status["model_version"]), (&json!("active"), &json!(null)));
        let mut told = Vec::new();
        for (kind, number) in [
            ("live_bar", 5),
            ("live_action", 5),
            ("live_portfolio", 5),
            ("live_trade", 6),
            ("live_status", 7),
            ("live_status", 8),
            ("live_status", 9),
            ("live_warning", 10),
            ("live_ended", 12),
        ] {
            let message = listener.next().await;
            assert_eq!((&message["type"], &message["event_number"]), (&json!(kind), &json!(number)));
            assert_eq!((&message["session_id"], &message["volatile"]), (&json!("btc-paper"), &json!(true)));
            told.push(message);
        }
        assert_eq!((&told[0]["bar"]["close"], &told[1]["action"]), (&json!(105.0), &json!(1)));
        assert_eq!(told[0]["bar"]["open_time"], "2024-03-01T00:00:00.000Z");
        let order = json!({ "side": "buy", "notional": 500.0, "quantity": null, "decided_at": told[0]["bar"]["open_time"] });
        assert_eq!(told[1]["order"], order);
        assert_eq!((&told[2]["position"], &told[3]["fill"]["quantity"]), (&json!(0.0), &json!(0.0)));
        assert_eq!((&told[2]["equity"], &told[3]["fill"]["price"]), (&json!(10_100.0), &json!(105.0)));
        assert_eq!(told[4]["model_version"], 2);
        assert_eq!((&told[5]["mode"], &told[5]["reason"]), (&json!("halted"), &json!("drawdown")));
        assert_eq!((&told[6]["is_feed_up"], &told[6]["mode"]), (&json!(false), &json!("halted")));
    }
    assert_eq!(trader.subscribed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_trader_that_is_gone_without_a_word_has_ended() {
    let world = world(HubOptions::default()).await;
    let (sender, events) = mpsc::channel(16);
    let trader = Trader { events: Mutex::new(Some(events)), subscribed: AtomicU64::new(0) };
    let mut listener = Listener::welcomed(world.address).await;
    world.sessions.set(vec![(session(), Arc::new(trader))]);
    listener.next_of("live_status").await;
    world.sessions.set(Vec::new());
    drop(sender);
    assert_eq!(listener.next_of("live_ended").await["session_id"], "btc-paper");
}
