//! What the traders of this machine do, as it happens.
//!
//! Each running session is subscribed to by one task, however many clients there are. That a trader has put another model
//! in place is a state change: the trader records it in the table of events, from where it is told with a number, and so
//! it is not told here as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use walkforward_core::{
    Bar, Fill, NumberedEvent, Order, OrderSize, Reason, SessionControl, SessionEvent, SessionId,
    SessionStatus, Timestamp,
};

use super::Hub;
use crate::RunningSessions;

/// Sessions that begin are seen after this.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Most sessions that are followed at once.
const MAX_SESSIONS: usize = 256;

/// Follows the sessions that run, for ever.
pub(super) async fn watch(hub: Hub, sessions: Arc<dyn RunningSessions>) {
    let mut watched = Watched { hub, tasks: JoinSet::new(), sessions: BTreeMap::new() };
    loop {
        watched.look(sessions.list().await);
        sleep(LOOK_EVERY).await;
    }
}

struct Watched {
    hub: Hub,
    /// They end with this.
    tasks: JoinSet<()>,
    sessions: BTreeMap<String, Followed>,
}

struct Followed {
    task: AbortHandle,
    mark: Arc<Mark>,
}

/// How far a session was followed.
#[derive(Debug, Default)]
struct Mark {
    last_event: AtomicU64,
    has_ended: AtomicBool,
}

impl Watched {
    fn look(&mut self, listed: Vec<(SessionId, Arc<dyn SessionControl>)>) {
        while self.tasks.try_join_next().is_some() {}
        let hub = &self.hub;
        self.sessions.retain(|id, followed| {
            let is_listed = listed.iter().any(|(listed, _)| listed.as_str() == id);
            let has_ended = followed.mark.has_ended.load(Ordering::Relaxed);
            if is_listed || !followed.task.is_finished() {
                return true;
            }
            if !has_ended {
                let fields = json!({ "session_id": id, "reason": "its process does not answer any more" });
                hub.publish_volatile("live_ended", fields);
            }
            false
        });
        for (id, control) in listed {
            self.follow(id, control);
        }
    }

    fn follow(&mut self, id: SessionId, control: Arc<dyn SessionControl>) {
        let known = self.sessions.get(id.as_str());
        let is_done = |it: &Followed| !it.task.is_finished() || it.mark.has_ended.load(Ordering::Relaxed);
        let is_new = known.is_none();
        if known.is_some_and(is_done) || (is_new && self.sessions.len() >= MAX_SESSIONS) {
            return;
        }
        let mark = known.map_or_else(Arc::default, |followed| Arc::clone(&followed.mark));
        let teller = Teller { hub: self.hub.clone(), mark: Arc::clone(&mark), standing: Standing::default() };
        let key = id.as_str().to_owned();
        let task = self.tasks.spawn(teller.follow(id, control));
        self.sessions.insert(key, Followed { task, mark });
    }
}

/// How a session stands, as far as it is told.
#[derive(Debug, Default)]
struct Standing {
    session_id: String,
    fields: Value,
}

/// Tells what one session does.
struct Teller {
    hub: Hub,
    mark: Arc<Mark>,
    standing: Standing,
}

impl Teller {
    async fn follow(mut self, id: SessionId, control: Arc<dyn SessionControl>) {
        let after = Some(self.mark.last_event.load(Ordering::Relaxed)).filter(|&number| number > 0);
        let (status, mut events) = match control.subscribe(after).await {
            Ok(subscribed) => subscribed,
            Err(error) => return tracing::debug!(session = %id, %error, "a session can't be followed"),
        };
        self.standing = Standing::of(&status);
        self.tell_standing(status.last_event, None);
        if after.is_none() {
            self.mark.last_event.store(status.last_event, Ordering::Relaxed);
        }
        loop {
            match events.next().await {
                Ok(Some(event)) => self.tell(event),
                Ok(None) => return,
                Err(error) => {
                    return tracing::debug!(session = %id, %error, "a session can't be followed further");
                }
            }
        }
    }

    fn tell(&mut self, NumberedEvent { seq, at, event }: NumberedEvent) {
        self.mark.last_event.store(seq, Ordering::Relaxed);
        let publish = |kind, fields| self.publish(kind, fields, seq, at);
        match event {
            SessionEvent::Bar { bar, missed, action, order, equity, position } => {
                publish("live_bar", json!({ "bar": bar_fields(&bar), "missed": missed }));
                if let Some(action) = action {
                    let order = order.as_ref().map(order_fields);
                    publish("live_action", json!({ "action": action, "order": order }));
                }
                publish("live_portfolio", json!({ "equity": equity, "position": position.units() }));
            }
            SessionEvent::Fill { fill } => publish("live_trade", json!({ "fill": fill_fields(&fill) })),
            SessionEvent::ModelRefused { model_id, reason } => {
                publish("live_warning", json!({ "model_id": model_id, "reason": reason }));
            }
            SessionEvent::Warning { reason } => publish("live_warning", json!({ "reason": reason })),
            SessionEvent::Ended { reason } => {
                self.mark.has_ended.store(true, Ordering::Relaxed);
                publish("live_ended", json!({ "reason": reason }));
            }
            SessionEvent::ModelLoaded { to, .. } => {
                let fields = [("model_id", json!(to.model_id)), ("model_version", json!(to.model_version))];
                self.stands(seq, None, fields);
                // The trader records it about now.
                self.hub.wake();
            }
            SessionEvent::Mode { mode, reason } => self.stands(seq, Some(&reason), [("mode", json!(mode))]),
            SessionEvent::Feed { is_up, reason } => {
                self.stands(seq, reason.as_ref(), [("is_feed_up", json!(is_up))]);
            }
            SessionEvent::Other => {}
        }
    }

    fn publish(&self, kind: &'static str, mut fields: Value, seq: u64, at: Timestamp) {
        fields["session_id"] = json!(self.standing.session_id);
        fields["event_number"] = json!(seq);
        fields["at"] = json!(at);
        self.hub.publish_volatile(kind, fields);
    }

    /// Some of how it stands is different now.
    fn stands<const N: usize>(&mut self, seq: u64, reason: Option<&Reason>, changed: [(&str, Value); N]) {
        for (key, value) in changed {
            self.standing.fields[key] = value;
        }
        self.tell_standing(seq, reason);
    }

    fn tell_standing(&self, event_number: u64, reason: Option<&Reason>) {
        let mut fields = self.standing.fields.clone();
        fields["event_number"] = json!(event_number);
        fields["reason"] = json!(reason);
        self.hub.publish_volatile("live_status", fields);
    }
}

impl Standing {
    fn of(status: &SessionStatus) -> Self {
        let model = status.model.as_ref();
        let restriction = status.restriction.as_ref().map(|restriction| &restriction.reason);
        let fields = json!({
            "session_id": status.session,
            "line": status.line,
            "symbol": status.symbol,
            "timeframe": status.timeframe,
            "venue": status.venue,
            "mode": status.mode,
            "restriction": restriction,
            "is_feed_up": status.is_feed_up,
            "model_id": model.map(|model| &model.model_id),
            "model_version": model.map(|model| model.model_version),
        });
        Self { session_id: status.session.as_str().to_owned(), fields }
    }
}

/// Prices in quote currency.
fn bar_fields(bar: &Bar) -> Value {
    json!({
        "open_time": bar.open_time(),
        "open": bar.open(),
        "high": bar.high(),
        "low": bar.low(),
        "close": bar.close(),
        "volume": bar.volume(),
    })
}

/// Its size is one of `notional`, quote currency, and `quantity`, units of the asset.
fn order_fields(order: &Order) -> Value {
    let (notional, quantity) = match order.size {
        OrderSize::Notional(cash) => (Some(cash), None),
        OrderSize::Quantity(quantity) => (None, Some(quantity.units())),
    };
    json!({ "side": order.side, "notional": notional, "quantity": quantity, "decided_at": order.decided_at })
}

/// Quantities in units of the asset.
fn fill_fields(fill: &Fill) -> Value {
    json!({
        "time": fill.time,
        "side": fill.side,
        "quantity": fill.quantity.units(),
        "price": fill.price,
        "fee_quantity": fill.fee_quantity.units(),
        "fee_cash": fill.fee_cash,
    })
}
