//! One page of the service's answer: JSON in, bars out.

mod time;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use walkforward_core::Timestamp;

/// Most bars that the service puts on a page.
pub(crate) const MAX_BARS_PER_PAGE: usize = 10_000;

/// One bar as the service gives it; its numbers are not checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct RawBar {
    /// Start of the interval (`t`).
    #[serde(rename = "t", deserialize_with = "time::deserialize")]
    pub open_time: Timestamp,
    /// First price (`o`).
    #[serde(rename = "o")]
    pub open: f64,
    /// Highest price (`h`).
    #[serde(rename = "h")]
    pub high: f64,
    /// Lowest price (`l`).
    #[serde(rename = "l")]
    pub low: f64,
    /// Last price (`c`).
    #[serde(rename = "c")]
    pub close: f64,
    /// Traded amount (`v`): coins of crypto, shares of stocks.
    #[serde(rename = "v")]
    pub volume: f64,
    /// Number of trades (`n`), 0 where the service tells none.
    #[serde(rename = "n", default)]
    pub trades: u64,
    /// Volume-weighted mean price (`vw`).
    #[serde(rename = "vw", default)]
    pub vwap: Option<f64>,
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Bars by the service's spelling of the symbol, in the order of the page. A symbol may be missing, and one may
    /// stand on several pages.
    pub bars: Vec<(String, Vec<RawBar>)>,
    /// What the next page is asked for with; none on the last page, and on that alone.
    pub next_page_token: Option<String>,
}

/// Why bytes are no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// They are no JSON, or end early: the next attempt may give all of it.
    #[error("the body is not JSON or is cut: {reason}")]
    NotJson {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// They are JSON, and no page of bars.
    #[error(
        "the body is no page of bars: {reason}; expected {{\"bars\":{{\"BTC/USD\":[{{\"t\",\"o\",\"h\",\"l\",\"c\",\"v\"}}]}},\"next_page_token\"}}"
    )]
    NotAPage {
        /// What the parser says, with line and column.
        reason: String,
    },
}

/// The page that `body` holds. Unknown keys are ignored; `bars` and `next_page_token` have to be there, so that an
/// error object is never taken for an empty last page.
///
/// ```
/// let page = walkforward_alpaca::parse_page(
///     br#"{"bars":{"BTC/USD":[{"t":"2024-01-01T00:00:00Z","o":1,"h":2,"l":1,"c":2,"v":0.5}]},"next_page_token":null}"#,
/// )?;
/// assert_eq!(page.bars[0].1[0].close, 2.0);
/// assert_eq!(page.next_page_token, None);
/// # Ok::<(), walkforward_alpaca::PageError>(())
/// ```
///
/// # Errors
/// When the bytes are no JSON or no page. What it holds in memory is bounded by the length of `body`.
pub fn parse_page(body: &[u8]) -> Result<Page, PageError> {
    serde_json::from_slice::<RawPage>(body).map_err(page_error).map(|raw| Page {
        bars: raw.bars.map(|BySymbol(bars)| bars).unwrap_or_default(),
        next_page_token: raw.next_page_token,
    })
}

fn page_error(error: serde_json::Error) -> PageError {
    let reason = error.to_string();
    if error.is_data() { PageError::NotAPage { reason } } else { PageError::NotJson { reason } }
}

#[derive(Deserialize)]
struct RawPage {
    // With a function of its own a key is not optional, though its value may be null.
    #[serde(deserialize_with = "Option::deserialize")]
    bars: Option<BySymbol>,
    #[serde(deserialize_with = "Option::deserialize")]
    next_page_token: Option<String>,
}

/// A map as a list: the order of the page is kept, and a symbol that stands there twice loses nothing.
struct BySymbol(Vec<(String, Vec<RawBar>)>);

impl<'de> Deserialize<'de> for BySymbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Symbols;
        impl<'de> Visitor<'de> for Symbols {
            type Value = BySymbol;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from symbols to lists of bars")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BySymbol, A::Error> {
                let mut bars = Vec::new();
                while let Some((symbol, of_symbol)) = map.next_entry::<String, Option<Vec<RawBar>>>()? {
                    if symbol.len() > MAX_SYMBOL_BYTES {
                        return Err(A::Error::custom(format!("a symbol of {} bytes", symbol.len())));
                    }
                    bars.push((symbol, of_symbol.unwrap_or_default()));
                }
                Ok(BySymbol(bars))
            }
        }
        deserializer.deserialize_map(Symbols)
    }
}

/// Longest symbol that is taken, in bytes; it ends up in error texts.
const MAX_SYMBOL_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str, expected: &str) -> PageError {
        let error = parse_page(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        error
    }

    #[test]
    fn a_page_is_read_with_whole_numbers_unknown_keys_and_in_any_order() {
        let body = r#"{"next_page_token":"QlRD","currency":"USD","bars":{"ETH/USD":[],"BTC/USD":[
            {"vw":42279.2,"n":11,"v":0,"c":42298,"l":42261.02,"h":42298.62,"o":42283,"t":"2024-01-01T00:00:00Z","x":[{}]}]}}"#;
        let page = parse_page(body.as_bytes()).unwrap();
        assert_eq!(page.next_page_token.as_deref(), Some("QlRD"));
        assert_eq!(page.bars[0], ("ETH/USD".to_owned(), vec![]));
        let bar = page.bars[1].1[0];
        assert_eq!(
            (bar.open, bar.high, bar.low, bar.close, bar.volume),
            (42283.0, 42298.62, 42261.02, 42298.0, 0.0)
        );
        assert_eq!((bar.trades, bar.vwap), (11, Some(42279.2)));
        assert_eq!(bar.open_time.to_string(), "2024-01-01T00:00:00.000Z");
    }

    #[test]
    fn no_bars_are_written_as_an_empty_map_or_null() {
        for bars in ["{}", "null", r#"{"BTC/USD":null}"#] {
            let page = parse_page(format!(r#"{{"bars":{bars},"next_page_token":null}}"#).as_bytes()).unwrap();
            assert_eq!(page.bars.iter().map(|(_, bars)| bars.len()).sum::<usize>(), 0);
        }
    }

    #[test]
    fn numbers_keep_their_last_digit() {
        let body = r#"{"bars":{"A":[{"t":"2024-01-01T00:00:00Z","o":0.1,"h":47984.1688165374,"l":1e-8,
            "c":0.30000000000000004,"v":123456789.123456789}]},"next_page_token":null}"#;
        let bar = parse_page(body.as_bytes()).unwrap().bars[0].1[0];
        assert_eq!((bar.open, bar.high, bar.low), (0.1, 47984.1688165374, 1e-8));
        assert_eq!((bar.close, bar.volume), (0.1 + 0.2, "123456789.123456789".parse().unwrap()));
    }

    #[test]
    fn cut_and_foreign_bodies_may_pass_and_other_json_may_not() {
        let whole = r#"{"bars":{"A":[{"t":"2024-01-01T00:00:00Z","o":1,"h":1,"l":1,"c":1,"v":1}]},"next_page_token":null}"#;
        for length in 0..whole.len() {
            let error = parse_page(&whole.as_bytes()[..length]).unwrap_err();
            assert!(matches!(error, PageError::NotJson { .. }), "{length}: {error}");
        }
        for (body, expected) in [
            (r#"{"message":"forbidden"}"#, "missing field `bars`"),
            (r#"{"bars":{}}"#, "missing field `next_page_token`"),
            (r#"{"bars":[],"next_page_token":null}"#, "a map from symbols"),
            (&whole.replace("\"o\":1", "\"o\":\"1\""), "invalid type: string"),
            (&whole.replace("\"o\":1", "\"o\":null"), "invalid type: null"),
            (&whole.replace("\"o\":1,", ""), "missing field `o`"),
            (&whole.replace("T00:00:00Z", ""), "'2024-01-01' is no time"),
        ] {
            assert!(matches!(refused(body, expected), PageError::NotAPage { .. }));
        }
        assert!(matches!(refused("<html>502</html>", "not JSON"), PageError::NotJson { .. }));
        assert!(matches!(refused(&format!("{whole}x"), "trailing"), PageError::NotJson { .. }));
    }
}
