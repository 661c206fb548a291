//! What is traded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A currency pair, written `BTC/USD` and read in both spellings (`BTC/USD`, `BTCUSD`), or a stock's ticker (`AAPL`,
/// `BRK.B`).
///
/// A spelling without slash is a pair when it ends with a known quote currency after a base of at least two letters;
/// so `GBTC` is a ticker, and a pair with a shorter base is written with its slash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol {
    base: String,
    quote: Option<String>,
}

/// A text that is neither a currency pair nor a ticker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a symbol: expected base and quote such as BTC/USD (letters and digits, up to {MAX_PART} each), or a ticker such as AAPL or BRK.B"
)]
pub struct SymbolError {
    text: String,
}

const MAX_PART: usize = 12;
/// Shortest base of a pair that is spelled without slash.
const MIN_COMPACT_BASE: usize = 2;
/// What a ticker's prices are in.
const TICKER_QUOTE: &str = "USD";
/// Quote currencies by which a spelling without a slash is cut, longest first.
const KNOWN_QUOTES: [&str; 7] = ["USDT", "USDC", "USD", "EUR", "GBP", "BTC", "ETH"];

impl Symbol {
    /// What is bought and sold (`BTC`, `AAPL`).
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it is paid in (`USD`, also for a ticker).
    pub fn quote(&self) -> &str {
        self.quote.as_deref().unwrap_or(TICKER_QUOTE)
    }

    /// Whether this is a currency pair; else it is a ticker.
    pub fn is_pair(&self) -> bool {
        self.quote.is_some()
    }

    /// The spelling without a slash (`BTCUSD`, `AAPL`).
    pub fn compact(&self) -> String {
        format!("{}{}", self.base, self.quote.as_deref().unwrap_or_default())
    }
}

fn is_part(part: &str) -> bool {
    (1..=MAX_PART).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Letters and digits, the first a letter, at most one class after a dot.
fn is_ticker(text: &str) -> bool {
    let (name, class) = text.split_once('.').unwrap_or((text, "A"));
    let is_named = name.starts_with(|first: char| first.is_ascii_alphabetic());
    text.len() <= MAX_PART && is_named && is_part(name) && is_part(class)
}

fn compact_pair(text: &str) -> Option<(&str, &str)> {
    let pair = KNOWN_QUOTES.iter().find_map(|quote| text.strip_suffix(quote).map(|base| (base, *quote)));
    pair.filter(|(base, _)| base.len() >= MIN_COMPACT_BASE && is_part(base))
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let upper = text.trim().to_ascii_uppercase();
        let (base, quote) = match upper.split_once('/') {
            Some((base, quote)) if is_part(base) && is_part(quote) => (base, Some(quote)),
            Some(_) => return Err(SymbolError { text: text.to_owned() }),
            None => match compact_pair(&upper) {
                Some((base, quote)) => (base, Some(quote)),
                None if is_ticker(&upper) => (upper.as_str(), None),
                None => return Err(SymbolError { text: text.to_owned() }),
            },
        };
        Ok(Self { base: base.to_owned(), quote: quote.map(str::to_owned) })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.quote {
            Some(quote) => write!(f, "{}/{quote}", self.base),
            None => f.write_str(&self.base),
        }
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
    fn a_text_without_quote_currency_is_a_ticker() {
        for text in ["AAPL", "brk.b", "GBTC", "ETH", "F"] {
            let symbol: Symbol = text.parse().unwrap();
            assert!(!symbol.is_pair());
            assert_eq!((symbol.to_string(), symbol.quote()), (text.to_uppercase(), "USD"));
            assert_eq!(symbol.compact(), text.to_uppercase());
        }
        assert!("BTCUSD".parse::<Symbol>().unwrap().is_pair());
        assert!("A/USD".parse::<Symbol>().unwrap().is_pair());
    }

    #[test]
    fn paths_and_nonsense_are_refused() {
        for text in
            ["", "/", "BTC/", "/USD", "../etc", "BTC/USD/EUR", ".", "A.", ".A", "A..B", "A.B.C", "1A", "A B"]
        {
            assert!(text.parse::<Symbol>().is_err(), "{text}");
        }
    }
}
