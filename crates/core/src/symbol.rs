//! What is traded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A currency pair, base and quote: written `BTC/USD`, read in both spellings (`BTC/USD`, `BTCUSD`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol {
    base: String,
    quote: String,
}

/// A text that is no currency pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a symbol: expected base and quote such as BTC/USD (letters and digits, up to {MAX_PART} each)"
)]
pub struct SymbolError {
    text: String,
}

const MAX_PART: usize = 12;
/// Quote currencies by which a spelling without a slash is cut, longest first.
const KNOWN_QUOTES: [&str; 7] = ["USDT", "USDC", "USD", "EUR", "GBP", "BTC", "ETH"];

impl Symbol {
    /// What is bought and sold (`BTC`).
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it is paid in (`USD`).
    pub fn quote(&self) -> &str {
        &self.quote
    }

    /// The spelling without a slash (`BTCUSD`).
    pub fn compact(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let upper = text.trim().to_ascii_uppercase();
        let parts = match upper.split_once('/') {
            Some(parts) => Some(parts),
            None => {
                KNOWN_QUOTES.iter().find_map(|quote| upper.strip_suffix(quote).map(|base| (base, *quote)))
            }
        };
        let is_part = |part: &str| {
            (1..=MAX_PART).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        match parts {
            Some((base, quote)) if is_part(base) && is_part(quote) => {
                Ok(Self { base: base.to_owned(), quote: quote.to_owned() })
            }
            _ => Err(SymbolError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.quote)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_pair() {
        for (text, expected) in [("BTC/USD", "BTC/USD"), ("btcusd", "BTC/USD"), ("ETHUSDT", "ETH/USDT")] {
            assert_eq!(text.parse::<Symbol>().unwrap().to_string(), expected);
        }
        assert_eq!("ETH/USDT".parse::<Symbol>().unwrap().compact(), "ETHUSDT");
    }

    #[test]
    fn paths_and_nonsense_are_refused() {
        for text in ["", "/", "BTC/", "USD", "../etc", "BTC/USD/EUR", "AAPL"] {
            assert!(text.parse::<Symbol>().is_err(), "{text}");
        }
    }
}
