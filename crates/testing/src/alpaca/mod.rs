//! The broker on this machine: how a test starts it, drives it and reads what came of it.

mod bars;
mod drive;
mod faults;
mod http;
mod ledger;
mod order_json;
mod routes;
mod streams;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle};
use walkforward_core::Symbol;

pub use faults::{RestFault, Route};
pub use http::SeenRequest;
pub use ledger::{FakeKind, FakeOrder, FillMode, Holdings};
pub use streams::{AuthSpelling, StreamKind, StreamRecord};

/// Requests that are remembered; a test that sends more has lost its way.
const MAX_SEEN: usize = 100_000;
/// Connections that are served at once.
const MAX_CONNECTIONS: usize = 256;
/// Longest that a test waits for something to happen.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at whether it has.
const STEP: Duration = Duration::from_millis(2);

/// Alpaca on this machine, for one currency pair. It ends when it is dropped.
///
/// It starts with 10,000 dollars and no position, at a price of 40,000; market orders fill at once, at the last price. Its
/// clock stands until a test moves it. Its tasks run on the test's runtime, or on a thread of their own; everything that
/// drives it can be called from anywhere.
pub struct FakeAlpaca {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: AbortHandle,
}

/// What the fake's tasks and the test share.
struct Shared {
    state: Mutex<State>,
}

/// Everything that the fake knows.
struct State {
    symbol: Symbol,
    ledger: ledger::Ledger,
    bars: bars::Bars,
    faults: faults::Faults,
    streams: streams::Streams,
    seen: Vec<SeenRequest>,
    /// The date of its answers; none has none.
    date: Option<String>,
    /// Whether the symbol can't be traded.
    is_halted: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeAlpaca {
    /// The key id that it takes.
    pub const KEY_ID: &str = "PKFAKEKEYID";
    /// The secret that it takes.
    pub const SECRET: &str = "fakesecretvalue";

    /// A fake for `BTC/USD`.
    pub async fn start() -> Self {
        Self::of("BTC/USD").await
    }

    /// A fake for another currency pair.
    pub async fn of(symbol: &str) -> Self {
        Self::listen(symbol).await.0
    }

    /// A fake on a thread of its own, for tests without a runtime and for traders in processes of their own.
    pub fn in_background(symbol: &str) -> Self {
        let (sender, receiver) = mpsc::channel();
        let symbol = symbol.to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (fake, server) = Self::listen(&symbol).await;
                sender.send(fake).unwrap();
                // It ends by being dropped, which is no failure.
                drop(server.await);
            });
        });
        receiver.recv().unwrap()
    }

    async fn listen(symbol: &str) -> (Self, JoinHandle<()>) {
        let symbol: Symbol = symbol.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            symbol,
            ledger: ledger::Ledger::default(),
            bars: bars::Bars::default(),
            faults: faults::Faults::default(),
            streams: streams::Streams::default(),
            seen: Vec::new(),
            date: None,
            is_halted: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let server = tokio::spawn(serve(listener, shared.clone()));
        (Self { shared, address, server: server.abort_handle() }, server)
    }

    /// Where its REST services are, market data and trading alike.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its stream of bars is.
    pub fn market_url(&self) -> String {
        format!("ws://{}/v1beta3/crypto/us", self.address)
    }

    /// Where its stream of order updates is.
    pub fn updates_url(&self) -> String {
        format!("ws://{}/stream", self.address)
    }

    /// Waits until `is_there` holds, ten seconds at most.
    ///
    /// # Panics
    /// When it does not come true.
    pub async fn wait_until(&self, what: &str, mut is_there: impl FnMut(&Self) -> bool) {
        for _ in 0..MAX_WAIT.as_millis() / STEP.as_millis() {
            if is_there(self) {
                return;
            }
            tokio::time::sleep(STEP).await;
        }
        panic!("waited in vain: {what}");
    }

    /// As [`FakeAlpaca::wait_until`], for tests without a runtime.
    ///
    /// # Panics
    /// When it does not come true.
    pub fn block_until(&self, what: &str, mut is_there: impl FnMut(&Self) -> bool) {
        for _ in 0..MAX_WAIT.as_millis() / STEP.as_millis() {
            if is_there(self) {
                return;
            }
            std::thread::sleep(STEP);
        }
        panic!("waited in vain: {what}");
    }
}

impl Drop for FakeAlpaca {
    fn drop(&mut self) {
        self.server.abort();
        self.shared.state().streams.cut(None);
    }
}

/// Takes connections until it is ended; those that stand end with it.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        assert!(connections.len() < MAX_CONNECTIONS, "more than {MAX_CONNECTIONS} connections at once");
        connections.spawn(http::connection(socket, shared.clone()));
    }
}
