//! Why there are no bars.

use std::time::Duration;

use walkforward_core::{
    AggregateError, BarError, ErrorKind, SeriesError, SourceError, Symbol, Timeframe, Timestamp,
};

/// Why there are no bars. No text holds a key.
#[derive(Debug, thiserror::Error)]
pub enum AlpacaError {
    /// A setting is out of range.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// Stocks need keys.
    #[error(
        "bars of {symbol} need keys: set APCA_API_KEY_ID and APCA_API_SECRET_KEY (or ALPACA_API_KEY and \
         ALPACA_SECRET_KEY); only crypto, such as BTC/USD, comes without"
    )]
    KeysMissing {
        /// What was asked for.
        symbol: Symbol,
    },
    /// What is asked for can't be asked.
    #[error("{what}: expected {expected}")]
    Query {
        /// What is wrong with it.
        what: String,
        /// What it may be.
        expected: String,
    },
    /// The service refuses the request for good.
    #[error("{request}: the service answers {status}, '{message}': {advice}")]
    Refused {
        /// Method, address and query.
        request: String,
        /// HTTP status.
        status: u16,
        /// The service's own code, where it gives one.
        code: Option<u64>,
        /// What the service says, shortened.
        message: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// It did not work in all attempts, or the service asks for a longer wait than is allowed.
    #[error(
        "{request}: no answer after {attempts} attempt(s) and {:.1} s of waiting: {reason}; try again later",
        waited.as_secs_f64()
    )]
    Unavailable {
        /// Method, address and query.
        request: String,
        /// Attempts for this page.
        attempts: u32,
        /// Waits of the whole query.
        waited: Duration,
        /// The last failure.
        reason: String,
    },
    /// The pages did not come in the time that a query may take.
    #[error(
        "{request}: the query would take longer than the {:.0} s that it may ({requests} request(s) so far): try again \
         later, ask for fewer bars, or raise max_query",
        limit.as_secs_f64()
    )]
    TooSlow {
        /// Method, address and query of the page that was asked for last.
        request: String,
        /// Requests of the whole query.
        requests: u64,
        /// What it may take.
        limit: Duration,
    },
    /// The answer is no page of bars, or none of this query.
    #[error("{request}: {reason}")]
    Answer {
        /// Method, address and query.
        request: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer is longer than is taken.
    #[error("{request}: {what} than the limit of {limit}: {advice}")]
    TooLong {
        /// Method, address and query.
        request: String,
        /// What is too long.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// What to do about it.
        advice: &'static str,
    },
    /// The only bar lies far from the start that was asked for: so the service answers a start that it can't use.
    #[error(
        "{symbol}: asked for bars of {timeframe} from {start}, and the only bar is that of {first}: the service has \
         ignored the start; ask for a later one"
    )]
    FarFromStart {
        /// What was asked for.
        symbol: Symbol,
        /// Length of the bars.
        timeframe: Timeframe,
        /// The start that was asked for.
        start: Timestamp,
        /// The bar that came.
        first: Timestamp,
    },
    /// The numbers of a bar are none.
    #[error("{symbol}, the bar of {open_time}: {source}")]
    Bar {
        /// What was asked for.
        symbol: Symbol,
        /// Start of the bar.
        open_time: Timestamp,
        /// What is wrong with it.
        source: BarError,
    },
    /// A bar does not stand where bars of its length do.
    #[error(
        "{symbol}, the bar of {open_time}: bars of {timeframe} start on full {timeframe} of the clock, in UTC"
    )]
    OffClock {
        /// What was asked for.
        symbol: Symbol,
        /// Start of the bar.
        open_time: Timestamp,
        /// Length of the bars.
        timeframe: Timeframe,
    },
    /// The bars make no series.
    #[error("{symbol}: {source}")]
    Series {
        /// What was asked for.
        symbol: Symbol,
        /// What is wrong with them.
        source: SeriesError,
    },
    /// The bars make no longer bars.
    #[error("{symbol}: {source}")]
    Aggregate {
        /// What was asked for.
        symbol: Symbol,
        /// What is wrong with them.
        source: AggregateError,
    },
    /// Real money without the words that ask for it, or other words.
    #[error("trading with real money has to be confirmed by the words '{expected}'")]
    NotConfirmed {
        /// The words.
        expected: &'static str,
    },
    /// What is asked for is data and research only.
    #[error(
        "{symbol} is a stock: orders are for currency pairs such as BTC/USD; stocks are data and research only"
    )]
    Stock {
        /// What was asked for.
        symbol: Symbol,
    },
    /// The client can't be made.
    #[error("the HTTP client can't be made: {reason}; are there certificates on this machine?")]
    Client {
        /// What is wrong.
        reason: String,
    },
}

impl AlpacaError {
    pub(crate) fn setting(name: &'static str, value: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Setting { name, value: value.into(), expected: expected.into() }
    }

    pub(crate) fn query(what: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Query { what: what.into(), expected: expected.into() }
    }

    /// What to do about it: only what may go away by itself is tried again.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } | Self::TooSlow { .. } => ErrorKind::Retry,
            _ => ErrorKind::BadInput,
        }
    }
}

impl From<AlpacaError> for SourceError {
    fn from(error: AlpacaError) -> Self {
        Self { kind: error.kind(), message: format!("Alpaca: {error}") }
    }
}
