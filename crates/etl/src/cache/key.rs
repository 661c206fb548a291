//! What a cache keeps apart.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkforward_core::{Symbol, Timeframe};

use crate::Error;

/// Longest name of a source, in bytes: it is the name of a folder.
const MAX_SOURCE_BYTES: usize = 64;

/// Bars of one timeframe of one symbol from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheKey {
    source: String,
    symbol: Symbol,
    timeframe: Timeframe,
}

impl CacheKey {
    /// The key of `source`, a name such as `alpaca-crypto-us`.
    ///
    /// # Errors
    /// When the name is empty, longer than 64 bytes or has other characters than lower-case letters, digits, `-` and
    /// `_`.
    pub fn new(source: &str, symbol: Symbol, timeframe: Timeframe) -> Result<Self, Error> {
        let is_name =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if source.is_empty() || source.len() > MAX_SOURCE_BYTES || !source.bytes().all(is_name) {
            let expected = format!("1 to {MAX_SOURCE_BYTES} of a-z, 0-9, - and _").to_string();
            return Err(Error::Setting {
                name: "the cache's name of the source",
                value: source.to_owned(),
                expected,
            });
        }
        Ok(Self { source: source.to_owned(), symbol, timeframe })
    }

    /// Name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What is traded.
    pub fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// Length of the bars.
    pub fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// The folder of these bars below `root`.
    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        let symbol = self.symbol.to_string().replace('/', "-");
        root.join(&self.source).join(symbol).join(self.timeframe.to_string())
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} from {}", self.symbol, self.timeframe, self.source)
    }
}
