//! What a client is told: where the service is, who asks, and how much of anything is allowed.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::page::MAX_BARS_PER_PAGE;
use crate::{Adjustment, AlpacaError, Market, StockFeed};

/// The keys of an account. They are read by the caller and shown nowhere.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The key's id, from `APCA_API_KEY_ID` or `ALPACA_API_KEY`.
    pub id: SecretString,
    /// The secret, from `APCA_API_SECRET_KEY` or `ALPACA_SECRET_KEY`.
    pub secret: SecretString,
}

impl Keys {
    /// `text` without the keys, should the other side have sent them back.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for key in [self.id.expose_secret(), self.secret.expose_secret()] {
            if !key.is_empty() && text.contains(key) {
                text = text.replace(key, "[key]");
            }
        }
        text
    }
}

/// Settings of a client.
#[derive(Debug, Clone)]
pub struct AlpacaConfig {
    /// Where the data service is; `http` only for addresses of this machine.
    pub base_url: String,
    /// Keys: needed for stocks; for crypto they raise the service's rate limit.
    pub keys: Option<Keys>,
    /// The market of every symbol; none takes it from the symbol.
    pub market: Option<Market>,
    /// Which venue's crypto bars: `us`, `us-1`, `us-2`, `eu-1`, `bs-1`.
    pub crypto_location: String,
    /// Where the trades of stock bars come from.
    pub stock_feed: StockFeed,
    /// What stock prices are adjusted for.
    pub adjustment: Adjustment,
    /// Bars asked for in a page, 1 to 10,000.
    pub page_bars: usize,
    /// Requests in a minute, 1 to 10,000; the service's free plan has 200.
    pub requests_per_minute: u32,
    /// How long one request may take.
    pub timeouts: Timeouts,
    /// How often and how long it is tried again.
    pub retry: RetryPolicy,
    /// Bounds of an answer.
    pub limits: Limits,
    /// Seed of the jitter in the waits between attempts. Processes that share an account take different ones.
    pub jitter_seed: u64,
    /// A proxy such as `http://proxy:3128`, for an `https` service on another machine alone: what goes to an `http`
    /// address or to this machine goes there directly, so that no proxy reads the keys. It may hold a password.
    pub proxy: Option<SecretString>,
}

/// How long one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Between two pieces of the answer.
    pub read: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), read: seconds(20), total: seconds(60) }
    }
}

/// How a request that may work next time is tried again.
///
/// The wait is what the service says (`Retry-After`, else `X-RateLimit-Reset` on 429); otherwise it doubles from
/// `base_wait` to `max_wait`, and a random part of up to half is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts for one page, the first included; 1 tries nothing again.
    pub max_attempts: u32,
    /// Wait before the second attempt.
    pub base_wait: Duration,
    /// Longest wait that is not the service's own.
    pub max_wait: Duration,
    /// Waits of one query together, the service's own included. A longer one is an error at once.
    pub max_total_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { max_attempts: 6, base_wait: seconds(1), max_wait: seconds(30), max_total_wait: seconds(300) }
    }
}

/// Bounds of one query's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pages, empty ones too.
    pub max_pages: usize,
    /// Bytes of a page after decompression. A full page has about 1.3 MB.
    pub max_page_bytes: usize,
    /// Bars of all symbols together, 72 bytes each.
    pub max_bars: usize,
    /// Time from the first request to the last page: requests, waits between attempts and those of the rate limit. A
    /// wait that would go past it is an error at once.
    pub max_query: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pages: 2_000,
            max_page_bytes: 16 * 1024 * 1024,
            max_bars: 5_000_000,
            max_query: Duration::from_secs(30 * 60),
        }
    }
}

impl AlpacaConfig {
    /// Where the service is.
    pub const DATA_URL: &str = "https://data.alpaca.markets";
    /// Requests in a minute by default: with the first ones, which go out together, the 200 of the free plan.
    pub const REQUESTS_PER_MINUTE: u32 = 190;

    /// Refuses settings out of range. The base URL is checked where it is taken apart.
    pub(crate) fn check(&self) -> Result<(), AlpacaError> {
        let range = |name, value: u64, max: u64| match value {
            value if (1..=max).contains(&value) => Ok(()),
            value => Err(AlpacaError::setting(name, value.to_string(), format!("1 to {max}"))),
        };
        range("page_bars", self.page_bars as u64, MAX_BARS_PER_PAGE as u64)?;
        range("requests_per_minute", self.requests_per_minute.into(), 10_000)?;
        range("max_attempts", self.retry.max_attempts.into(), 100)?;
        range("max_pages", self.limits.max_pages as u64, 100_000)?;
        range("max_page_bytes", self.limits.max_page_bytes as u64, 1 << 30)?;
        range("max_bars", self.limits.max_bars as u64, 50_000_000)?;
        let day_ms = Duration::from_secs(86_400).as_millis() as u64;
        let Timeouts { connect, read, total } = self.timeouts;
        let RetryPolicy { base_wait, max_wait, max_total_wait, .. } = self.retry;
        for (name, duration) in [
            ("connect timeout in ms", connect),
            ("read timeout in ms", read),
            ("total timeout in ms", total),
            ("base_wait in ms", base_wait),
            ("max_wait in ms", max_wait),
            ("max_total_wait in ms", max_total_wait),
            ("max_query in ms", self.limits.max_query),
        ] {
            range(name, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), day_ms)?;
        }
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let location = &self.crypto_location;
        if !(1..=16).contains(&location.len()) || !location.bytes().all(is_name) {
            let expected = "a venue such as us, us-1, us-2, eu-1 or bs-1";
            return Err(AlpacaError::setting("crypto_location", location.clone(), expected));
        }
        Ok(())
    }
}

impl Default for AlpacaConfig {
    fn default() -> Self {
        Self {
            base_url: Self::DATA_URL.to_owned(),
            keys: None,
            market: None,
            crypto_location: "us".to_owned(),
            stock_feed: StockFeed::default(),
            adjustment: Adjustment::default(),
            page_bars: MAX_BARS_PER_PAGE,
            requests_per_minute: Self::REQUESTS_PER_MINUTE,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            jitter_seed: 0,
            proxy: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut AlpacaConfig), expected: &str) {
        let mut config = AlpacaConfig::default();
        change(&mut config);
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        AlpacaConfig::default().check().unwrap();
        check(|config| config.page_bars = 10_001, "page_bars is 10001: expected 1 to 10000");
        check(|config| config.requests_per_minute = 0, "requests_per_minute is 0");
        check(|config| config.retry.max_attempts = 0, "max_attempts is 0");
        check(|config| config.timeouts.read = Duration::ZERO, "read timeout in ms is 0");
        check(|config| config.crypto_location = "../v2".to_owned(), "crypto_location is ../v2");
    }

    #[test]
    fn keys_are_shown_nowhere() {
        let keys = Keys { id: "PKSECRETID".into(), secret: "verysecret".into() };
        let config = AlpacaConfig {
            keys: Some(keys),
            proxy: Some("http://user:hidden@proxy".into()),
            ..AlpacaConfig::default()
        };
        let shown = format!("{config:?}");
        for secret in ["PKSECRETID", "verysecret", "hidden"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
