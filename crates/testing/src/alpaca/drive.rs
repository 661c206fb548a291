//! What a test can do with the fake, and read from it.

use serde_json::json;
use walkforward_core::{Bar, Quantity, Side, Timeframe, Timestamp};

use super::bars::frame;
use super::faults::{RestFault, Route};
use super::http::SeenRequest;
use super::ledger::{FakeOrder, FillMode, Holdings};
use super::streams::{AuthSpelling, StreamKind, StreamRecord};
use super::{FakeAlpaca, State};

/// Decimal text of a test.
fn decimal(text: &str) -> Quantity {
    text.parse().unwrap()
}

impl State {
    /// The clock is never behind the last bar's end.
    fn close(&mut self, bar: &Bar) {
        self.bars.put(*bar);
        self.ledger.now = self.ledger.now.max(bar.close_time(Timeframe::MINUTE));
        self.set_price(bar.close());
    }

    fn set_price(&mut self, price: f64) {
        self.ledger.price = decimal(&price.to_string());
        self.fill_due();
    }
}

/// The market.
impl FakeAlpaca {
    /// A minute closes: it is in the history, and on the stream.
    pub fn push_bar(&self, bar: Bar) {
        let mut state = self.shared.state();
        state.close(&bar);
        let text = frame("b", &state.symbol, &bar);
        state.streams.send_market(&text);
    }

    /// A minute closes that the stream loses: it is in the history alone.
    pub fn lose_bar(&self, bar: Bar) {
        self.shared.state().close(&bar);
    }

    /// A minute changes: in the history, and as a correction on the stream.
    pub fn revise_bar(&self, bar: Bar) {
        let mut state = self.shared.state();
        state.bars.put(bar);
        let text = frame("u", &state.symbol, &bar);
        state.streams.send_market(&text);
    }

    /// A minute goes over the stream and changes nothing else: again, late, out of order.
    pub fn send_bar(&self, bar: Bar) {
        let mut state = self.shared.state();
        let text = frame("b", &state.symbol, &bar);
        state.streams.send_market(&text);
    }

    /// This text goes to everybody who is subscribed to bars.
    pub fn send_market_text(&self, text: &str) {
        self.shared.state().streams.send_market(text);
    }

    /// The last price. Orders that it fills fill.
    pub fn set_price(&self, price: f64) {
        self.shared.state().set_price(price);
    }

    /// Moves the fake's clock, from which orders have their times.
    pub fn set_now(&self, now: Timestamp) {
        self.shared.state().ledger.now = now;
    }
}

/// The account and its orders.
impl FakeAlpaca {
    /// When market orders fill from now on.
    pub fn set_fill_mode(&self, mode: FillMode) {
        self.shared.state().ledger.mode = mode;
    }

    /// Fills an order: so much of it, or all that is left, at a price.
    ///
    /// # Panics
    /// When there is no such order or it can't fill that much.
    pub fn fill(&self, client_id: &str, quantity: Option<&str>, price: f64) {
        let mut state = self.shared.state();
        let at = state.ledger.find(client_id).unwrap();
        state.fill(at, quantity.map(decimal), decimal(&price.to_string()));
    }

    /// Ends an order: `canceled`, `expired`, `rejected`, `replaced`.
    ///
    /// # Panics
    /// When there is no such order or it has ended.
    pub fn end_order(&self, client_id: &str, status: &'static str) {
        let mut state = self.shared.state();
        let at = state.ledger.find(client_id).unwrap();
        state.end(at, status);
    }

    /// Somebody else places a market order in the same account, under a name of the venue's making or theirs.
    ///
    /// # Panics
    /// When the account does not allow it.
    pub fn place_external(&self, side: Side, quantity: &str, client_id: &str) {
        let mut state = self.shared.state();
        let symbol = state.symbol.clone();
        let side = if side == Side::Buy { "buy" } else { "sell" };
        let body = json!({"symbol": symbol.to_string(), "side": side, "type": "market", "qty": quantity,
            "time_in_force": "gtc", "client_order_id": client_id});
        let at = state.ledger.place(&body, &symbol).unwrap();
        state.ledger.orders[at].status = "new";
        let update = super::order_json::update("new", &state.ledger.orders[at], &symbol);
        state.tell(&update);
        state.fill_due();
    }

    /// Money comes in, or goes out when it is negative.
    pub fn deposit(&self, dollars: &str) {
        let mut state = self.shared.state();
        state.ledger.cash = state.ledger.cash + decimal(dollars);
    }

    /// The date that its answers carry from now on, as HTTP writes it: `Mon, 01 Jan 2024 00:00:00 GMT`. At first they
    /// carry none.
    pub fn set_date(&self, date: Option<&str>) {
        self.shared.state().date = date.map(str::to_owned);
    }

    /// Makes it another account, as another pair of keys would.
    pub fn set_account_id(&self, id: &str) {
        id.clone_into(&mut self.shared.state().ledger.account_id);
    }

    /// Whether the symbol can't be traded.
    pub fn halt_symbol(&self, is_halted: bool) {
        self.shared.state().is_halted = is_halted;
    }

    /// Whether the account may not trade.
    pub fn block_account(&self, is_blocked: bool) {
        self.shared.state().ledger.is_blocked = is_blocked;
    }

    /// What the account holds.
    pub fn holdings(&self) -> Holdings {
        self.shared.state().ledger.holdings()
    }

    /// All orders, the oldest first.
    pub fn orders(&self) -> Vec<FakeOrder> {
        self.shared.state().ledger.orders.clone()
    }
}

/// Everything that goes wrong.
impl FakeAlpaca {
    /// The next requests of `route` meet `fault`, so many times, after those that wait already.
    pub fn fail(&self, route: Route, fault: RestFault, times: usize) {
        self.shared.state().faults.add(route, &fault, times);
    }

    /// No fault waits any more.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.faults.clear();
        state.streams.auth_errors.clear();
        state.streams.subscribe_errors.clear();
        state.streams.is_mute = false;
    }

    /// Faults of requests that have not happened yet.
    pub fn waiting_faults(&self) -> usize {
        self.shared.state().faults.len()
    }

    /// The next connections to the stream of bars are answered this error when they hand in their keys: 406 so many
    /// times is a dead connection that lingers.
    pub fn refuse_market(&self, code: u64, times: usize) {
        self.shared.state().streams.auth_errors.extend(std::iter::repeat_n(code, times));
    }

    /// The next subscriptions to bars are answered this error.
    pub fn refuse_subscription(&self, code: u64, times: usize) {
        self.shared.state().streams.subscribe_errors.extend(std::iter::repeat_n(code, times));
    }

    /// Keys handed to a stream are not answered from now on, until [`FakeAlpaca::heal`].
    pub fn mute_streams(&self) {
        self.shared.state().streams.is_mute = true;
    }

    /// How the stream of updates wants its keys.
    pub fn set_auth_spelling(&self, spelling: AuthSpelling) {
        self.shared.state().streams.spelling = spelling;
    }

    /// All connections of a stream end without a word.
    pub fn cut_streams(&self, kind: StreamKind) {
        self.shared.state().streams.cut(Some(kind));
    }

    /// All connections of a stream end with a goodbye.
    pub fn close_streams(&self, kind: StreamKind) {
        self.shared.state().streams.say_goodbye(kind);
    }

    /// All connections of a stream become half open: they stay, and nothing is read or answered any more.
    pub fn freeze_streams(&self, kind: StreamKind) {
        self.shared.state().streams.freeze(kind);
    }

    /// These bytes go to everybody who listens to updates.
    pub fn send_update_bytes(&self, bytes: &[u8]) {
        self.shared.state().streams.send_update(bytes.to_vec());
    }

    /// The last update goes out again.
    pub fn repeat_update(&self) {
        self.shared.state().streams.repeat_update();
    }
}

/// What has happened.
impl FakeAlpaca {
    /// All requests so far, those that met a fault and those for streams too.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.state().seen.clone()
    }

    /// All requests since the start or the last call, and forgets them: for tests that go on for long.
    pub fn take_requests(&self) -> Vec<SeenRequest> {
        std::mem::take(&mut self.shared.state().seen)
    }

    /// How many requests of `route` have come and are remembered.
    pub fn count(&self, route: Route) -> usize {
        self.shared.state().seen.iter().filter(|request| request.route == route).count()
    }

    /// How often an order of this name was handed in, and how many orders of this name there are: the second is 1 at
    /// most, and a test says what the first may be.
    pub fn placed(&self, client_id: &str) -> (usize, usize) {
        let state = self.shared.state();
        let is_named = |request: &&SeenRequest| {
            request.route == Route::Submit && request.json()["client_order_id"] == client_id
        };
        let orders = state.ledger.orders.iter().filter(|order| order.client_id == client_id).count();
        (state.seen.iter().filter(is_named).count(), orders)
    }

    /// What has become of the connections to a stream.
    pub fn streams(&self, kind: StreamKind) -> StreamRecord {
        self.shared.state().streams.record(kind)
    }
}
