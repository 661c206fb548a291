//! What a client is asked, and the address that it becomes.

use reqwest::Url;
use walkforward_core::{Symbol, Timeframe, Timestamp};
use walkforward_http::is_local;

use crate::{AlpacaConfig, AlpacaError, Market, timeframes};

/// A request for all bars of some symbols in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarsQuery {
    /// What is traded: 1 to 200 symbols of one market.
    pub symbols: Vec<Symbol>,
    /// Length of the bars: minutes up to 59, whole hours up to 23, a day or a week.
    pub timeframe: Timeframe,
    /// Start of the first bar that is wanted, not before [`Self::earliest`].
    pub start: Timestamp,
    /// Start of the last bar that is wanted. It belongs to the span: to ask for closed bars alone, take the start of
    /// the last one that has closed.
    pub end: Timestamp,
}

impl BarsQuery {
    /// Most symbols of a query: more would make the address too long.
    pub const MAX_SYMBOLS: usize = 200;
    /// 2015-01-01: no bars of the service are older (stocks begin in 2016, crypto in 2021). A start that lies absurdly
    /// far back makes the service answer with today's bar alone, so none is sent.
    pub fn earliest() -> Timestamp {
        Timestamp::EPOCH.plus_millis(1_420_070_400_000)
    }

    /// The market of all symbols, which `config` may declare.
    pub(crate) fn market(&self, config: &AlpacaConfig) -> Result<Market, AlpacaError> {
        let count = self.symbols.len();
        if !(1..=Self::MAX_SYMBOLS).contains(&count) {
            let expected = format!("1 to {} symbols", Self::MAX_SYMBOLS);
            return Err(AlpacaError::query(format!("a query for {count} symbols"), expected));
        }
        let market = config.market.unwrap_or_else(|| Market::of(&self.symbols[0]));
        let foreign = self.symbols.iter().find(|&symbol| Market::of(symbol) != market);
        if let Some(symbol) = foreign {
            let expected = match market {
                Market::Crypto => "currency pairs such as BTC/USD",
                Market::Stocks => "tickers such as AAPL",
            };
            return Err(AlpacaError::query(format!("{symbol} is asked of the {market} market"), expected));
        }
        if market == Market::Stocks && config.keys.is_none() {
            return Err(AlpacaError::KeysMissing { symbol: self.symbols[0].clone() });
        }
        Ok(market)
    }

    /// The address of the first page.
    pub(crate) fn url(&self, base: &Url, config: &AlpacaConfig, market: Market) -> Result<Url, AlpacaError> {
        let timeframe = timeframes::name(self.timeframe).ok_or_else(|| {
            let what = format!("bars of {}", self.timeframe);
            AlpacaError::query(what, "1m to 59m, 1h to 23h, 1d or 1w, of which longer ones can be made")
        })?;
        let (start, end) = (self.start, self.end);
        if start > end || start < Self::earliest() {
            let expected = format!("a start from {} on that is not after the end", Self::earliest());
            return Err(AlpacaError::query(format!("bars from {start} to {end}"), expected));
        }
        let mut url = base.clone();
        let path: &[&str] = match market {
            Market::Crypto => &["v1beta3", "crypto", &config.crypto_location, "bars"],
            Market::Stocks => &["v2", "stocks", "bars"],
        };
        match url.path_segments_mut() {
            Ok(mut segments) => drop(segments.pop_if_empty().extend(path)),
            Err(()) => return Err(AlpacaError::setting("base_url", base.as_str(), "an https address")),
        }
        let symbols: Vec<String> = self.symbols.iter().map(Symbol::to_string).collect();
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("symbols", &symbols.join(",")).append_pair("timeframe", &timeframe);
        // With times, always: a date alone would end the window at midnight.
        pairs.append_pair("start", &start.to_string()).append_pair("end", &end.to_string());
        pairs.append_pair("limit", &config.page_bars.to_string()).append_pair("sort", "asc");
        if market == Market::Stocks {
            pairs.append_pair("feed", &config.stock_feed.to_string());
            pairs.append_pair("adjustment", &config.adjustment.to_string());
        }
        drop(pairs);
        Ok(url)
    }
}

/// `url` with the token of the page that is wanted.
pub(crate) fn page_url(url: &Url, token: Option<&str>) -> Url {
    let mut url = url.clone();
    if let Some(token) = token {
        url.query_pairs_mut().append_pair("page_token", token);
    }
    url
}

/// The service's address: `https`, or `http` where no key can leak on the way.
pub(crate) fn base_url(config: &AlpacaConfig) -> Result<Url, AlpacaError> {
    let expected =
        "an address such as https://data.alpaca.markets (with keys, http is for this machine alone)";
    // Not shown when it may hold a password.
    let refused = |shown: &str| AlpacaError::setting("base_url", shown, expected);
    let url = Url::parse(&config.base_url).map_err(|_| refused("no address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("an address with a user name or password"));
    }
    let host = host(&url);
    let is_safe =
        url.scheme() == "https" || url.scheme() == "http" && (is_local(&url) || config.keys.is_none());
    if !is_safe || host.is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err(refused(&format!("{}://{host}{}", url.scheme(), url.path())));
    }
    Ok(url)
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;

    fn query(symbols: &[&str]) -> BarsQuery {
        BarsQuery {
            symbols: symbols.iter().map(|text| text.parse().unwrap()).collect(),
            timeframe: "1h".parse().unwrap(),
            start: "2024-01-01T00:00:00Z".parse().unwrap(),
            end: "2024-01-02T05:00:00Z".parse().unwrap(),
        }
    }

    fn keys() -> Option<Keys> {
        Some(Keys { id: "id".into(), secret: "secret".into() })
    }

    fn address(query: &BarsQuery, config: &AlpacaConfig) -> Result<String, AlpacaError> {
        let market = query.market(config)?;
        Ok(query.url(&base_url(config)?, config, market)?.to_string())
    }

    #[test]
    fn a_window_is_asked_for_with_times() {
        let address = address(&query(&["BTC/USD", "ETHUSD"]), &AlpacaConfig::default()).unwrap();
        let expected = "https://data.alpaca.markets/v1beta3/crypto/us/bars?symbols=BTC%2FUSD%2CETH%2FUSD&timeframe=1Hour\
            &start=2024-01-01T00%3A00%3A00.000Z&end=2024-01-02T05%3A00%3A00.000Z&limit=10000&sort=asc";
        assert_eq!(address, expected);
    }

    #[test]
    fn stocks_name_their_feed_and_adjustment() {
        let config = AlpacaConfig {
            base_url: "https://mirror.example/alpaca/".to_owned(),
            keys: keys(),
            ..Default::default()
        };
        let address = address(&query(&["AAPL"]), &config).unwrap();
        assert!(
            address.starts_with("https://mirror.example/alpaca/v2/stocks/bars?symbols=AAPL&"),
            "{address}"
        );
        assert!(address.ends_with("&sort=asc&feed=sip&adjustment=split"), "{address}");
    }

    #[test]
    fn what_can_not_be_asked_is_refused_before_it_is() {
        let check = |query: BarsQuery, expected: &str| {
            let error = address(&query, &AlpacaConfig::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(query(&[]), "1 to 200 symbols");
        check(query(&["BTC/USD", "AAPL"]), "AAPL is asked of the crypto market");
        check(query(&["AAPL"]), "APCA_API_KEY_ID");
        check(
            BarsQuery { timeframe: "90m".parse().unwrap(), ..query(&["BTC/USD"]) },
            "bars of 90m: expected 1m to 59m",
        );
        let year_one = BarsQuery { start: "0001-01-01T00:00:00Z".parse().unwrap(), ..query(&["BTC/USD"]) };
        check(year_one, "a start from 2015-01-01T00:00:00.000Z on");
        let backwards = BarsQuery { end: "2023-01-01T00:00:00Z".parse().unwrap(), ..query(&["BTC/USD"]) };
        check(backwards, "not after the end");
    }

    #[test]
    fn keys_travel_encrypted_or_not_at_all() {
        let check = |base_url: &str, keys: Option<Keys>, is_fine: bool| {
            let config = AlpacaConfig { base_url: base_url.to_owned(), keys, ..Default::default() };
            let url = super::base_url(&config);
            assert_eq!(url.is_ok(), is_fine, "{base_url}");
            url.err().map_or(String::new(), |error| error.to_string())
        };
        check("http://127.0.0.1:9000", keys(), true);
        check("http://[::1]:9000", keys(), true);
        check("http://data.alpaca.markets", None, true);
        check("http://data.alpaca.markets", keys(), false);
        check("http://127.0.0.1.example.com", keys(), false);
        check("file:///etc/passwd", None, false);
        check("data.alpaca.markets", None, false);
        check("https://data.alpaca.markets?x=1", None, false);
        let shown = check("https://me:hidden@data.alpaca.markets", None, false);
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
