//! The two streams.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::faults::Route;
use super::{FakeAlpaca, Shared};

/// Frames that may wait for one connection; one that lets more pile up is cut.
const MAX_WAITING: usize = 100_000;

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// Bars.
    Market,
    /// Order updates.
    Updates,
}

/// How the stream of updates wants its keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthSpelling {
    /// Either way.
    #[default]
    Both,
    /// `{"action":"authenticate","data":{"key_id","secret_key"}}`.
    Authenticate,
    /// `{"action":"auth","key","secret"}`.
    Auth,
}

/// What has become of the connections to one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamRecord {
    /// Connections that stood, in all.
    pub opened: usize,
    /// Those that stand now, frozen ones left out.
    pub open: usize,
    /// Most that ever stood at once, frozen ones left out.
    pub most_open: usize,
    /// Those that are subscribed now, frozen ones left out.
    pub subscribed: usize,
    /// Pings that have come.
    pub pings: usize,
}

/// What a connection's task is told.
enum Order {
    Send(Message),
    /// Says goodbye.
    Close,
    /// Goes without a word.
    Cut,
    /// Stays, and neither reads nor writes any more.
    Freeze,
}

struct Link {
    number: u64,
    kind: StreamKind,
    orders: mpsc::Sender<Order>,
    is_subscribed: bool,
    is_frozen: bool,
}

/// All connections.
#[derive(Default)]
pub(super) struct Streams {
    links: Vec<Link>,
    next_number: u64,
    /// Errors that wait to answer the keys, and the subscription.
    pub(super) auth_errors: VecDeque<u64>,
    pub(super) subscribe_errors: VecDeque<u64>,
    pub(super) spelling: AuthSpelling,
    /// Whether keys are taken without a word, for ever.
    pub(super) is_mute: bool,
    market: StreamRecord,
    updates: StreamRecord,
    last_update: Vec<u8>,
}

impl Streams {
    pub(super) fn record(&self, kind: StreamKind) -> StreamRecord {
        let awake = || self.links.iter().filter(|it| it.kind == kind && !it.is_frozen);
        let subscribed = awake().filter(|it| it.is_subscribed).count();
        let base = match kind {
            StreamKind::Market => self.market,
            StreamKind::Updates => self.updates,
        };
        StreamRecord { open: awake().count(), subscribed, ..base }
    }

    fn base(&mut self, kind: StreamKind) -> &mut StreamRecord {
        match kind {
            StreamKind::Market => &mut self.market,
            StreamKind::Updates => &mut self.updates,
        }
    }

    fn open(&mut self, kind: StreamKind) -> (u64, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(MAX_WAITING);
        self.next_number += 1;
        let number = self.next_number;
        self.links.push(Link { number, kind, orders, is_subscribed: false, is_frozen: false });
        let open = self.record(kind).open;
        let base = self.base(kind);
        base.opened += 1;
        base.most_open = base.most_open.max(open);
        (number, receiver)
    }

    fn close(&mut self, number: u64) {
        self.links.retain(|link| link.number != number);
    }

    fn subscribe(&mut self, number: u64) {
        if let Some(link) = self.links.iter_mut().find(|link| link.number == number) {
            link.is_subscribed = true;
        }
    }

    fn each(&mut self, kind: Option<StreamKind>, is_for_all: bool, order: impl Fn() -> Order) {
        self.links.retain(|link| {
            let is_meant = kind.is_none_or(|kind| kind == link.kind) && (is_for_all || link.is_subscribed);
            // A connection whose queue is full or whose task has gone is none.
            !is_meant || link.orders.try_send(order()).is_ok()
        });
    }

    pub(super) fn send_market(&mut self, text: &str) {
        self.each(Some(StreamKind::Market), false, || Order::Send(Message::text(text)));
    }

    /// To whoever listens, in binary frames, as the paper service does.
    pub(super) fn send_update(&mut self, bytes: Vec<u8>) {
        self.each(Some(StreamKind::Updates), false, || Order::Send(Message::binary(bytes.clone())));
        self.last_update = bytes;
    }

    pub(super) fn repeat_update(&mut self) {
        self.send_update(self.last_update.clone());
    }

    pub(super) fn cut(&mut self, kind: Option<StreamKind>) {
        self.each(kind, true, || Order::Cut);
    }

    pub(super) fn say_goodbye(&mut self, kind: StreamKind) {
        self.each(Some(kind), true, || Order::Close);
    }

    pub(super) fn freeze(&mut self, kind: StreamKind) {
        self.each(Some(kind), true, || Order::Freeze);
        self.links.iter_mut().filter(|link| link.kind == kind).for_each(|link| link.is_frozen = true);
    }
}

/// One connection to its end.
pub(super) async fn serve(socket: TcpStream, route: Route, shared: Arc<Shared>) {
    let kind = match route {
        Route::MarketStream => StreamKind::Market,
        Route::UpdateStream => StreamKind::Updates,
        _ => return,
    };
    let Ok(mut socket) = accept_async(socket).await else { return };
    let (number, orders) = shared.state().streams.open(kind);
    talk(&mut socket, kind, number, orders, &shared).await;
    shared.state().streams.close(number);
}

async fn talk(
    socket: &mut WebSocketStream<TcpStream>,
    kind: StreamKind,
    number: u64,
    mut orders: mpsc::Receiver<Order>,
    shared: &Shared,
) {
    if kind == StreamKind::Market
        && send(socket, r#"[{"T":"success","msg":"connected"}]"#.into()).await.is_none()
    {
        return;
    }
    loop {
        let message = tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(message)) => match socket.send(message).await {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                Some(Order::Freeze) => return std::future::pending().await,
                Some(Order::Close) => return drop(socket.close(None).await),
                Some(Order::Cut) | None => return,
            },
            message = socket.next() => message,
        };
        let text = match message {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            Some(Ok(Message::Binary(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(Ok(Message::Ping(_))) => {
                shared.state().streams.base(kind).pings += 1;
                continue;
            }
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        };
        let asked = serde_json::from_str(&text).unwrap_or_default();
        let answers = match kind {
            StreamKind::Market => market_answers(&asked, number, shared),
            StreamKind::Updates => update_answers(&asked, number, shared),
        };
        for answer in answers {
            let is_last = answer.contains("\"code\":406");
            if send(socket, answer).await.is_none() || is_last {
                return;
            }
        }
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, text: String) -> Option<()> {
    socket.send(Message::text(text)).await.ok()
}

fn error(code: u64) -> String {
    json!([{"T": "error", "code": code, "msg": format!("error {code}")}]).to_string()
}

fn market_answers(asked: &Value, number: u64, shared: &Shared) -> Vec<String> {
    let mut state = shared.state();
    match asked["action"].as_str() {
        Some("auth") if state.streams.is_mute => Vec::new(),
        Some("auth") => match state.streams.auth_errors.pop_front() {
            Some(code) => vec![error(code)],
            None if asked["key"] == FakeAlpaca::KEY_ID && asked["secret"] == FakeAlpaca::SECRET => {
                vec![json!([{"T": "success", "msg": "authenticated"}]).to_string()]
            }
            None => vec![error(402)],
        },
        Some("subscribe") => match state.streams.subscribe_errors.pop_front() {
            Some(code) => vec![error(code)],
            None => {
                state.streams.subscribe(number);
                let list = |key: &str| asked[key].as_array().cloned().unwrap_or_default();
                vec![
                    json!([{"T": "subscription", "trades": [], "quotes": [], "orderbooks": [],
                        "bars": list("bars"), "updatedBars": list("updatedBars"), "dailyBars": []}])
                    .to_string(),
                ]
            }
        },
        _ => vec![error(400)],
    }
}

fn update_answers(asked: &Value, number: u64, shared: &Shared) -> Vec<String> {
    let mut state = shared.state();
    let spelling = state.streams.spelling;
    let (is_taken, key, secret) = match asked["action"].as_str() {
        Some("authenticate") => {
            (spelling != AuthSpelling::Auth, &asked["data"]["key_id"], &asked["data"]["secret_key"])
        }
        Some("auth") => (spelling != AuthSpelling::Authenticate, &asked["key"], &asked["secret"]),
        Some("listen") => {
            state.streams.subscribe(number);
            let streams = &asked["data"]["streams"];
            return vec![json!({"stream": "listening", "data": {"streams": streams}}).to_string()];
        }
        _ => return Vec::new(),
    };
    if state.streams.is_mute {
        return Vec::new();
    }
    let is_known = is_taken && *key == FakeAlpaca::KEY_ID && *secret == FakeAlpaca::SECRET;
    let data = match is_known {
        true => json!({"status": "authorized", "action": "authenticate"}),
        false => json!({"status": "unauthorized", "action": "authenticate",
            "message": "access key verification failed"}),
    };
    vec![json!({"stream": "authorization", "data": data}).to_string()]
}
