//! Bars as the service writes them, and clients that ask for them.

use std::sync::Arc;
use std::time::Duration;

use walkforward_alpaca::{AlpacaClient, AlpacaConfig, AlpacaError, BarsQuery, FetchedBars, Keys, Timeouts};
use walkforward_core::{Clock, ManualClock, Timeframe, Timestamp};

use crate::server::{Reply, Server};

/// 2024-01-01T00:00:00Z and so many minutes.
pub(crate) fn at(minute: i64) -> Timestamp {
    let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    start.plus_millis(minute * 60_000)
}

/// The bar of a minute; its price says which.
pub(crate) fn bar(minute: i64) -> String {
    let price = price(minute);
    format!(
        r#"{{"t":"{}","o":{price},"h":{},"l":{},"c":{price},"v":0.5,"n":3,"vw":{price}}}"#,
        at(minute).to_string().replace(".000Z", "Z"),
        price + 1.0,
        price - 1.0
    )
}

pub(crate) fn price(minute: i64) -> f64 {
    200_000.0 + minute as f64
}

/// The body of a page with bars of some symbols.
pub(crate) fn body(symbols: &[(&str, &[String])], token: Option<&str>) -> String {
    let of_symbol = |(symbol, bars): &(&str, &[String])| format!(r#""{symbol}":[{}]"#, bars.join(","));
    let bars: Vec<String> = symbols.iter().map(of_symbol).collect();
    let token = token.map_or("null".to_owned(), |token| format!("\"{token}\""));
    format!(r#"{{"bars":{{{}}},"next_page_token":{token}}}"#, bars.join(","))
}

/// The body of a page with these minutes of BTC/USD.
pub(crate) fn btc_body(minutes: &[i64], token: Option<&str>) -> String {
    let bars: Vec<String> = minutes.iter().map(|&minute| bar(minute)).collect();
    body(&[("BTC/USD", &bars)], token)
}

/// A page with these minutes of BTC/USD.
pub(crate) fn btc(minutes: &[i64], token: Option<&str>) -> Reply {
    Reply::ok(btc_body(minutes, token))
}

/// The keys that no text may show.
pub(crate) fn keys() -> Keys {
    Keys { id: "PKTESTKEYID".into(), secret: "verysecretvalue".into() }
}

/// A client of `server` with a clock that stands at 2024-01-02 and moves when somebody waits.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) client: AlpacaClient,
    pub(crate) clock: Arc<ManualClock>,
}

impl Rig {
    pub(crate) fn new(server: Server) -> Self {
        Self::with(server, |_| {})
    }

    pub(crate) fn playing(replies: Vec<Reply>) -> Self {
        Self::new(Server::playing(replies))
    }

    pub(crate) fn with(server: Server, change: impl FnOnce(&mut AlpacaConfig)) -> Self {
        let ms = Duration::from_millis;
        let mut config = AlpacaConfig {
            base_url: server.url(),
            timeouts: Timeouts { connect: ms(2_000), read: ms(2_000), total: ms(5_000) },
            ..AlpacaConfig::default()
        };
        change(&mut config);
        let clock = Arc::new(ManualClock::at(at(24 * 60)));
        let client = AlpacaClient::new(config, clock.clone()).unwrap();
        Self { server, client, clock }
    }

    /// Asks for the minutes 0 to 9 of BTC/USD.
    pub(crate) async fn ask(&self) -> Result<FetchedBars, AlpacaError> {
        self.client.bars(&query(&["BTC/USD"])).await
    }

    /// Asks, and expects these minutes of BTC/USD after so many requests.
    pub(crate) async fn expect(&self, minutes: &[i64], requests: usize) -> FetchedBars {
        let fetched = self.ask().await.unwrap();
        assert_eq!(minutes_of(&fetched, "BTC/USD"), minutes);
        assert_eq!(self.server.requests().len(), requests);
        assert_eq!(fetched.figures.requests, requests as u64);
        assert_eq!(self.waited(), fetched.figures.waited.as_millis());
        fetched
    }

    /// Asks, and expects an error whose text holds all of `parts` after so many requests.
    pub(crate) async fn expect_error(&self, parts: &[&str], requests: usize) -> AlpacaError {
        let error = self.ask().await.unwrap_err();
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{part} in: {text}");
        }
        assert_eq!(self.server.requests().len(), requests, "{text}");
        error
    }

    /// Milliseconds that the client has waited in all.
    pub(crate) fn waited(&self) -> u128 {
        self.clock.monotonic().as_millis()
    }
}

/// The minutes 0 to 9 of some symbols.
pub(crate) fn query(symbols: &[&str]) -> BarsQuery {
    BarsQuery {
        symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(),
        timeframe: Timeframe::MINUTE,
        start: at(0),
        end: at(9),
    }
}

/// Which minutes of `symbol` came. Their prices have to be those of their minutes.
pub(crate) fn minutes_of(fetched: &FetchedBars, symbol: &str) -> Vec<i64> {
    let bars = &fetched.bars[&symbol.parse().unwrap()];
    let minutes = bars.iter().map(|bar| {
        let minute = bar.open_time.millis_since(at(0)) / 60_000;
        assert_eq!(bar.open, price(minute), "the values of another minute");
        minute
    });
    minutes.collect()
}
