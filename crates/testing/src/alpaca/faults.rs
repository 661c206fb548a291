//! What goes wrong on the way.

use std::collections::VecDeque;
use std::time::Duration;

/// Faults that may wait to happen.
const MAX_FAULTS: usize = 10_000;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `GET /v2/account`.
    Account,
    /// `GET /v2/positions`.
    Positions,
    /// `GET /v2/assets/..`.
    Asset,
    /// `POST /v2/orders`.
    Submit,
    /// `GET /v2/orders:by_client_order_id`.
    Order,
    /// `GET /v2/orders`.
    Orders,
    /// `DELETE /v2/orders/..`.
    Cancel,
    /// `GET /v1beta3/crypto/us/bars`.
    Bars,
    /// A connection to the stream of bars.
    MarketStream,
    /// A connection to the stream of updates.
    UpdateStream,
    /// Anything else.
    Other,
}

/// What happens to one request instead of an answer.
#[derive(Debug, Clone)]
pub enum RestFault {
    /// Nothing is done and this is answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// Header lines.
        headers: Vec<String>,
        /// Body: JSON, HTML, anything.
        body: String,
    },
    /// Nothing is done, and the connection is closed without an answer.
    LoseRequest,
    /// It is done, and the connection is closed without an answer.
    LoseAnswer,
    /// It is done, and the answer breaks off in the middle of its body.
    CutAnswer,
    /// It is done, and answered after so long.
    Slow(Duration),
}

impl RestFault {
    /// An error as the trading service writes it.
    pub fn error(status: u16, code: u64, message: &str) -> Self {
        let body = serde_json::json!({"code": code, "message": message}).to_string();
        Self::Answer { status, headers: Vec::new(), body }
    }

    /// A page of a proxy.
    pub fn html(status: u16) -> Self {
        let body = format!("<html><body><h1>{status} from a proxy</h1></body></html>");
        Self::Answer { status, headers: vec!["content-type: text/html".to_owned()], body }
    }
}

/// Faults that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: VecDeque<(Route, RestFault)>,
}

impl Faults {
    pub(super) fn add(&mut self, route: Route, fault: &RestFault, times: usize) {
        assert!(self.waiting.len() + times <= MAX_FAULTS, "more than {MAX_FAULTS} faults");
        self.waiting.extend(std::iter::repeat_n((route, fault.clone()), times));
    }

    /// The next fault of `route`.
    pub(super) fn take(&mut self, route: Route) -> Option<RestFault> {
        let at = self.waiting.iter().position(|(it, _)| *it == route)?;
        self.waiting.remove(at).map(|(_, fault)| fault)
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
