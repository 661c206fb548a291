//! Orders of one currency pair in one account.

mod account;
mod config;
mod order;
mod submit;
mod updates;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use walkforward_core::{
    ClientOrderId, Clock, Instrument, OrderState, SubmitError, Symbol, Venue, VenueAccount, VenueError,
    VenueOrder, VenuePosition, VenueUpdates,
};

use crate::http::{BodyError, Http};
use crate::stream::{Connection, Driver, StreamCounters};
use crate::{AlpacaError, StreamFigures};

pub use config::{LiveConfirmation, TimeInForce, TradingAccount, TradingConfig};
pub use order::{OrderError, parse_order};
pub use updates::{TradeMessage, parse_trade_frame};

/// Most open orders that the service lists at once. A list as long as this may lack some.
const MAX_ORDERS: usize = 500;
/// HTTP status of what is not there.
const NOT_FOUND: u16 = 404;
/// The service's code for it: a 404 without it comes from somewhere else, and says nothing about an order.
const CODE_NOT_FOUND: u64 = 40_410_000;
/// HTTP status of what can't be done to an order any more.
const UNPROCESSABLE: u16 = 422;

/// Alpaca as a venue for one currency pair.
///
/// Questions are asked again while that may help; an order is sent once, and [`SubmitError`] says what became of it.
/// The service spells symbols in two ways; both are ours at this border.
pub struct AlpacaVenue {
    http: Http,
    rest_url: Url,
    stream_url: Url,
    config: TradingConfig,
    counters: Arc<StreamCounters>,
}

impl AlpacaVenue {
    /// A venue that waits by `clock`.
    ///
    /// # Errors
    /// When a setting is out of range, the symbol is a stock, or a paper account is given a real one's address.
    pub fn new(config: TradingConfig, clock: Arc<dyn Clock>) -> Result<Self, AlpacaError> {
        let (rest_url, stream_url) = config.check()?;
        let http = Http::new(&config.http(), &rest_url, clock)?;
        Ok(Self { http, rest_url, stream_url, config, counters: Arc::default() })
    }

    /// The settings.
    pub fn config(&self) -> &TradingConfig {
        &self.config
    }

    /// What the updates have been through.
    pub fn figures(&self) -> StreamFigures {
        self.counters.figures()
    }

    fn symbol(&self) -> &Symbol {
        &self.config.symbol
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.rest_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v2").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn get<T>(
        &self,
        url: Url,
        parse: impl Fn(&[u8]) -> Result<T, BodyError>,
    ) -> Result<T, AlpacaError> {
        self.http.get(&url, parse, &mut self.http.begin()).await
    }

    async fn find(&self, id: &ClientOrderId) -> Result<Option<OrderState>, AlpacaError> {
        let url = self.url(&["orders:by_client_order_id"], &[("client_order_id", id.as_str())]);
        match self.get(url.clone(), |body| Ok(parse_order(body, self.symbol())?)).await {
            Ok(state) if state.origin.id() == Some(id) => Ok(Some(state)),
            Ok(state) => Err(AlpacaError::Answer {
                request: format!("GET {url}"),
                reason: format!("the answer is about the order of {:?}", state.origin),
            }),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn end(&self, id: &ClientOrderId) -> Result<Option<OrderState>, AlpacaError> {
        let Some(state) = self.find(id).await? else { return Ok(None) };
        if state.status.is_final() {
            return Ok(Some(state));
        }
        let url = self.url(&["orders", &state.venue_id], &[]);
        match self.http.delete(&url, &mut self.http.begin()).await {
            // It was final by the time the request came.
            Err(AlpacaError::Refused { status: UNPROCESSABLE, .. }) | Ok(()) => self.find(id).await,
            Err(error) if is_not_found(&error) => self.find(id).await,
            Err(error) => Err(error),
        }
    }

    async fn list_open(&self) -> Result<Vec<OrderState>, AlpacaError> {
        let limit = MAX_ORDERS.to_string();
        // Of all symbols: a filter in the wrong spelling would hide what is looked for.
        let query =
            [("status", "open"), ("limit", limit.as_str()), ("direction", "asc"), ("nested", "false")];
        let url = self.url(&["orders"], &query);
        let parse = |body: &[u8]| Ok(order::parse_orders(body, self.symbol())?);
        let (orders, listed) = self.get(url.clone(), parse).await?;
        match listed < MAX_ORDERS {
            true => Ok(orders),
            false => Err(AlpacaError::TooLong {
                request: format!("GET {url}"),
                what: "the account has more open orders",
                limit: MAX_ORDERS - 1,
                advice: "end some of them",
            }),
        }
    }
}

fn is_not_found(error: &AlpacaError) -> bool {
    matches!(error, AlpacaError::Refused { status: NOT_FOUND, code: Some(CODE_NOT_FOUND), .. })
}

impl From<AlpacaError> for VenueError {
    fn from(error: AlpacaError) -> Self {
        Self { kind: error.kind(), message: format!("Alpaca: {error}") }
    }
}

#[async_trait]
impl Venue for AlpacaVenue {
    async fn submit(&self, order: &VenueOrder) -> Result<OrderState, SubmitError> {
        let body = order::request(order, self.symbol(), self.config.time_in_force);
        let url = self.url(&["orders"], &[]);
        let answer = self.http.post(&url, body, self.config.submit_wait).await;
        submit::outcome(answer, order.id(), self.symbol(), &self.config.keys)
    }

    async fn order(&self, id: &ClientOrderId) -> Result<Option<OrderState>, VenueError> {
        Ok(self.find(id).await?)
    }

    async fn cancel(&self, id: &ClientOrderId) -> Result<Option<OrderState>, VenueError> {
        Ok(self.end(id).await?)
    }

    async fn open_orders(&self) -> Result<Vec<OrderState>, VenueError> {
        Ok(self.list_open().await?)
    }

    async fn position(&self) -> Result<VenuePosition, VenueError> {
        let url = self.url(&["positions"], &[]);
        Ok(self.get(url, |body| account::position(body, self.symbol())).await?)
    }

    async fn account(&self) -> Result<VenueAccount, VenueError> {
        Ok(self.get(self.url(&["account"], &[]), account::account).await?)
    }

    async fn instrument(&self) -> Result<Instrument, VenueError> {
        let url = self.url(&["assets", &self.symbol().to_string()], &[]);
        Ok(self.get(url, |body| account::instrument(body, self.symbol())).await?)
    }

    fn updates(&self) -> Box<dyn VenueUpdates> {
        let (symbol, keys) = (self.symbol().clone(), self.config.keys.clone());
        let driver = Driver {
            url: self.stream_url.clone(),
            settings: self.config.stream,
            protocol: updates::UpdateSession::new(symbol, keys, self.counters.clone()),
            counters: self.counters.clone(),
        };
        Box::new(updates::AlpacaUpdates(Connection::new(driver)))
    }
}
