//! Which of the service's markets, and which of its variants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use walkforward_core::Symbol;

use crate::AlpacaError;

/// A market of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Market {
    /// Currency pairs, around the clock, no keys needed.
    Crypto,
    /// Shares, in sessions, with keys.
    Stocks,
}

impl Market {
    /// The market of `symbol`: a currency pair is crypto, a ticker a stock.
    pub fn of(symbol: &Symbol) -> Self {
        if symbol.is_pair() { Self::Crypto } else { Self::Stocks }
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crypto => "crypto",
            Self::Stocks => "stocks",
        })
    }
}

impl FromStr for Market {
    type Err = AlpacaError;

    fn from_str(text: &str) -> Result<Self, AlpacaError> {
        one_of("market", text, &[Self::Crypto, Self::Stocks])
    }
}

/// Where the trades of stock bars come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockFeed {
    /// All exchanges. Without a subscription the last 15 minutes are refused.
    #[default]
    Sip,
    /// One exchange with a few percent of the volume, free at all times.
    Iex,
    /// Trades at night.
    Boats,
    /// Over the counter.
    Otc,
}

impl fmt::Display for StockFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sip => "sip",
            Self::Iex => "iex",
            Self::Boats => "boats",
            Self::Otc => "otc",
        })
    }
}

impl FromStr for StockFeed {
    type Err = AlpacaError;

    fn from_str(text: &str) -> Result<Self, AlpacaError> {
        one_of("stock feed", text, &[Self::Sip, Self::Iex, Self::Boats, Self::Otc])
    }
}

/// What past prices of stocks are adjusted for. The service's own default is raw prices, in which a split looks like
/// a crash; adjusted prices change backwards at each such event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// Nothing.
    Raw,
    /// Splits.
    #[default]
    Split,
    /// Dividends.
    Dividend,
    /// Splits, dividends and the like.
    All,
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Split => "split",
            Self::Dividend => "dividend",
            Self::All => "all",
        })
    }
}

impl FromStr for Adjustment {
    type Err = AlpacaError;

    fn from_str(text: &str) -> Result<Self, AlpacaError> {
        one_of("adjustment", text, &[Self::Raw, Self::Split, Self::Dividend, Self::All])
    }
}

/// The one of `values` that is written `text`.
fn one_of<T: Copy + fmt::Display>(name: &'static str, text: &str, values: &[T]) -> Result<T, AlpacaError> {
    let found = values.iter().copied().find(|value| value.to_string() == text);
    found.ok_or_else(|| {
        let names: Vec<String> = values.iter().map(T::to_string).collect();
        AlpacaError::setting(name, text, format!("one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused_with_the_choice() {
        for feed in ["sip", "iex", "boats", "otc"] {
            assert_eq!(feed.parse::<StockFeed>().unwrap().to_string(), feed);
        }
        let error = "splits".parse::<Adjustment>().unwrap_err().to_string();
        assert!(error.contains("raw, split, dividend, all"), "{error}");
        assert_eq!("stocks".parse::<Market>().unwrap(), Market::Stocks);
    }

    #[test]
    fn a_quote_currency_makes_a_symbol_crypto() {
        assert_eq!(Market::of(&"BTCUSD".parse().unwrap()), Market::Crypto);
        assert_eq!(Market::of(&"AAPL".parse().unwrap()), Market::Stocks);
    }
}
