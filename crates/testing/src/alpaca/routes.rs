//! What each request is answered.

use serde_json::{Value, json};

use super::faults::Route;
use super::http::SeenRequest;
use super::order_json;
use super::{FakeAlpaca, Shared, State};

/// What a request is for.
pub(super) fn route(request: &SeenRequest) -> Route {
    let path = request.path();
    match (request.method.as_str(), path.as_str()) {
        ("GET", "/v2/account") => Route::Account,
        ("GET", "/v2/positions") => Route::Positions,
        ("POST", "/v2/orders") => Route::Submit,
        ("GET", "/v2/orders") => Route::Orders,
        ("GET", "/v2/orders:by_client_order_id") => Route::Order,
        ("DELETE", path) if path.starts_with("/v2/orders/") => Route::Cancel,
        ("GET", path) if path.starts_with("/v2/assets/") => Route::Asset,
        ("GET", "/v1beta3/crypto/us/bars") => Route::Bars,
        ("GET", "/v1beta3/crypto/us") => Route::MarketStream,
        ("GET", "/stream") => Route::UpdateStream,
        _ => Route::Other,
    }
}

/// Status and body. What an order changes is told to the streams before the answer goes out.
pub(super) fn answer(request: &SeenRequest, shared: &Shared) -> (u16, String) {
    let mut state = shared.state();
    let header = |name| request.header(name).unwrap_or_default();
    let is_known = header("apca-api-key-id") == FakeAlpaca::KEY_ID
        && header("apca-api-secret-key") == FakeAlpaca::SECRET;
    if !is_known && request.route != Route::Bars {
        return refused(401, 40_110_000, "request is not authorized");
    }
    let fine = |value: Value| (200, value.to_string());
    match request.route {
        Route::Account => fine(order_json::account(&state.ledger)),
        Route::Positions => fine(order_json::positions(&state.ledger, &state.symbol)),
        Route::Asset => asset(request, &state),
        Route::Orders => fine(orders(&state)),
        Route::Order => match state.ledger.find(&request.query("client_order_id").unwrap_or_default()) {
            Some(at) => fine(order_json::order(&state.ledger.orders[at], &state.symbol)),
            None => refused(404, 40_410_000, "order not found"),
        },
        Route::Submit => submit(request, &mut state),
        Route::Cancel => cancel(request, &mut state),
        Route::Bars => {
            let (status, body) = state.bars.page(&state.symbol, |name| request.query(name));
            (status, body.to_string())
        }
        Route::MarketStream | Route::UpdateStream | Route::Other => {
            refused(404, 40_410_000, "endpoint not found")
        }
    }
}

fn refused(status: u16, code: u64, message: &str) -> (u16, String) {
    (status, json!({"code": code, "message": message}).to_string())
}

fn asset(request: &SeenRequest, state: &State) -> (u16, String) {
    let path = request.path();
    let asked = path.strip_prefix("/v2/assets/").unwrap_or_default();
    match asked == state.symbol.to_string() || asked == state.symbol.compact() {
        true => (200, order_json::asset(&state.symbol, !state.is_halted).to_string()),
        false => refused(404, 40_410_000, &format!("asset not found for {asked}")),
    }
}

fn orders(state: &State) -> Value {
    let open = state.ledger.orders.iter().filter(|order| !order.is_final());
    open.map(|order| order_json::order(order, &state.symbol)).collect()
}

fn submit(request: &SeenRequest, state: &mut State) -> (u16, String) {
    let symbol = state.symbol.clone();
    match state.ledger.place(&request.json(), &symbol) {
        Err((status, code, message)) => refused(status, code, &message),
        Ok(at) => {
            let body = order_json::order(&state.ledger.orders[at], &symbol).to_string();
            state.ledger.orders[at].status = "new";
            state.tell(&order_json::update("new", &state.ledger.orders[at].clone(), &symbol));
            state.fill_due();
            (200, body)
        }
    }
}

fn cancel(request: &SeenRequest, state: &mut State) -> (u16, String) {
    let path = request.path();
    let id = path.strip_prefix("/v2/orders/").unwrap_or_default();
    let Some(at) = state.ledger.orders.iter().position(|order| order.id == id) else {
        return refused(404, 40_410_000, "order not found");
    };
    if state.ledger.orders[at].is_final() {
        let words = format!("order is already in \"{}\" state", state.ledger.orders[at].status);
        return refused(422, 42_210_000, &words);
    }
    state.end(at, "canceled");
    (204, String::new())
}

impl State {
    /// Sends an update to all who listen.
    pub(super) fn tell(&mut self, update: &Value) {
        self.streams.send_update(update.to_string().into_bytes());
    }

    /// Fills what the last price fills.
    pub(super) fn fill_due(&mut self) {
        for at in self.ledger.due() {
            self.fill(at, None, self.ledger.price);
        }
    }

    pub(super) fn fill(
        &mut self,
        at: usize,
        quantity: Option<walkforward_core::Quantity>,
        price: walkforward_core::Quantity,
    ) {
        let execution = self.ledger.fill(at, quantity, price);
        self.tell(&order_json::fill(&execution, &self.symbol));
    }

    pub(super) fn end(&mut self, at: usize, status: &'static str) {
        let order = self.ledger.end(at, status);
        self.tell(&order_json::update(status, &order, &self.symbol));
    }
}
