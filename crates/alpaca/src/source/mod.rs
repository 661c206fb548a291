//! Alpaca as a source of bars.

mod figures;

use async_trait::async_trait;
use walkforward_core::{
    AbsentMeans, AggregateRule, Bar, BarRequest, BarSeries, DataSource, LongerBars, MarketCalendar,
    SourceBars, SourceError, Symbol, Timeframe, Timestamp, aggregate,
};

use crate::{AlpacaClient, AlpacaConfig, AlpacaError, BarsQuery, Market, RawBar, timeframes};

/// Bars that are asked for before the first one wanted, so that a hole there can be filled from the past.
const LEAD_BARS: usize = 60;

/// Bars of crypto and stocks from Alpaca.
///
/// A currency pair is asked of the crypto market, a ticker of the stock market, unless the client's settings say
/// otherwise. Lengths that the service doesn't have, or counts from where we don't (45 minutes, a week; for stocks
/// everything from 31 minutes to a day, in which the service mixes trades of a session with those before it), are made
/// of shorter bars by [`aggregate`]. Bars that have not closed by "now" are left out, and where the request's "now" lies
/// ahead of the clock those that have not closed by the clock. A bar that is no bar is an error: nothing is repaired.
///
/// An absent bar of crypto is missing: the service gives bars of quotes for minutes without trades. An absent bar of a
/// stock means that nothing traded. A day of a stock, which the service dates from midnight in New York, is dated from
/// midnight UTC of the same date and closes at the next one, after the session's end.
///
/// Some bars more than were asked for may come, from before the first.
pub struct AlpacaSource {
    client: AlpacaClient,
}

/// What is asked of the service for a request.
struct Plan {
    market: Market,
    /// Length of the bars asked for.
    base: Timeframe,
    /// Length of the bars answered with.
    timeframe: Timeframe,
    /// The request's "now".
    as_of: Timestamp,
    /// Until when bars count as closed: the request's "now", or the clock's where that is earlier.
    closed_by: Timestamp,
    query: BarsQuery,
}

impl AlpacaSource {
    /// A source that asks through `client`.
    pub fn new(client: AlpacaClient) -> Self {
        Self { client }
    }

    /// The client.
    pub fn client(&self) -> &AlpacaClient {
        &self.client
    }

    /// What distinguishes the bars of `symbol` from those of other sources, such as `alpaca-crypto-us` or
    /// `alpaca-stocks-sip-split`: the key under which they may be kept.
    pub fn id(&self, symbol: &Symbol) -> String {
        let config = self.client.config();
        match self.market(symbol) {
            Market::Crypto => format!("alpaca-crypto-{}", config.crypto_location),
            Market::Stocks => format!("alpaca-stocks-{}-{}", config.stock_feed, config.adjustment),
        }
    }

    /// Length of the bars that the service is asked for where bars of `timeframe` are wanted: the same, or shorter ones
    /// that they are made of.
    pub fn base(config: &AlpacaConfig, symbol: &Symbol, timeframe: Timeframe) -> Timeframe {
        timeframes::base(config.market.unwrap_or_else(|| Market::of(symbol)), timeframe)
    }

    fn market(&self, symbol: &Symbol) -> Market {
        self.client.config().market.unwrap_or_else(|| Market::of(symbol))
    }

    /// The bars that `request` asks for.
    ///
    /// # Errors
    /// When the request can't be asked (no timeframe, a stock without sessions or keys), the service doesn't answer or
    /// what it answers is no series of bars.
    pub async fn read(&self, request: &BarRequest) -> Result<SourceBars, AlpacaError> {
        let plan = self.plan(request)?;
        let mut fetched = self.client.bars(&plan.query).await?;
        let raw = fetched.bars.remove(&request.symbol).unwrap_or_default();
        let bars = series(&request.symbol, &plan, raw)?;
        let absent = match plan.market {
            Market::Crypto => AbsentMeans::Missing,
            Market::Stocks => AbsentMeans::NoTrade,
        };
        let file = figures::received(&bars, &fetched.figures, &request.calendar, absent);
        let answer = SourceBars {
            absent,
            file: Some(file),
            ..SourceBars::new(bars, plan.as_of, self.origin(request))
        };
        if plan.base == plan.timeframe {
            return Ok(answer);
        }
        let rule = AggregateRule { calendar: request.calendar.clone(), absent };
        let LongerBars { bars, base } = aggregate(&answer.bars, plan.timeframe, &rule, plan.closed_by)
            .map_err(|source| AlpacaError::Aggregate { symbol: request.symbol.clone(), source })?;
        Ok(SourceBars { bars, base: Some(base), ..answer })
    }

    fn plan(&self, request: &BarRequest) -> Result<Plan, AlpacaError> {
        let symbol = &request.symbol;
        let timeframe = request.timeframe.ok_or_else(|| {
            AlpacaError::query(format!("{symbol} without a timeframe"), "one such as 1m, 15m, 1h or 1d")
        })?;
        let market = self.market(symbol);
        if market == Market::Stocks && request.calendar == MarketCalendar::Continuous {
            let what = format!("{symbol} is a stock, and the market is said never to close");
            return Err(AlpacaError::query(what, "a calendar of its sessions"));
        }
        let now = self.client.clock().now();
        let as_of = request.as_of.unwrap_or(now);
        let closed_by = as_of.min(now);
        let base = timeframes::base(market, timeframe);
        let wanted = request.bars.max(1).saturating_add(LEAD_BARS);
        let start = start(request, timeframe, closed_by, wanted);
        let newest = base.floor(closed_by.plus_millis(-base.millis()));
        // The service's day of a stock begins some hours into ours.
        let into_bar_ms = if is_day_of_stock(market, base) { base.millis() - 1 } else { 0 };
        let end = newest.plus_millis(into_bar_ms);
        if start > end {
            let what = format!("bars of {symbol} up to {closed_by}");
            return Err(AlpacaError::query(what, format!("a time after {}", BarsQuery::earliest())));
        }
        let query = BarsQuery { symbols: vec![symbol.clone()], timeframe: base, start, end };
        let expected = bars_between(&request.calendar, &query);
        let limit = self.client.config().limits.max_bars;
        if expected > limit as i64 {
            let what = format!("{expected} bars of {base}");
            return Err(AlpacaError::query(what, format!("at most {limit}, or a higher max_bars")));
        }
        Ok(Plan { market, base, timeframe, as_of, closed_by, query })
    }

    fn origin(&self, request: &BarRequest) -> String {
        let (url, id) = (self.client.base_url(), self.id(&request.symbol));
        format!("{} of {id} at {}", request.symbol, url.host_str().unwrap_or_default())
    }
}

/// Start of the first bar that is asked for. A market that begins later gives what it has.
fn start(request: &BarRequest, timeframe: Timeframe, closed_by: Timestamp, wanted: usize) -> Timestamp {
    let begin = BarsQuery::earliest();
    let start = match &request.calendar {
        MarketCalendar::Continuous => {
            request.calendar.bars_before(timeframe.floor(closed_by), wanted, timeframe)
        }
        MarketCalendar::Sessions(sessions) => {
            let first = sessions.sessions().first().map(|session| timeframe.floor(session.start()));
            request.calendar.bars_before(closed_by, wanted, timeframe).or(first)
        }
    };
    start.map_or(begin, |start| start.max(begin))
}

/// About how many bars a query asks for.
fn bars_between(calendar: &MarketCalendar, query: &BarsQuery) -> i64 {
    let steps = query.end.millis_since(query.start) / query.timeframe.millis() + 1;
    let open_share = calendar.bars_per_year(query.timeframe) / query.timeframe.bars_per_year();
    (steps as f64 * open_share.min(1.0)) as i64
}

/// Whether the service dates the bars from midnight in New York.
fn is_day_of_stock(market: Market, timeframe: Timeframe) -> bool {
    market == Market::Stocks && timeframe.minutes() == 24 * 60
}

/// The series of `raw`, each bar checked.
fn series(symbol: &Symbol, plan: &Plan, raw: Vec<RawBar>) -> Result<BarSeries, AlpacaError> {
    let timeframe = plan.base;
    let mut bars = BarSeries::with_capacity(timeframe, raw.len());
    for raw in raw {
        let open_time = timeframe.floor(raw.open_time);
        if open_time != raw.open_time && !is_day_of_stock(plan.market, timeframe) {
            return Err(AlpacaError::OffClock {
                symbol: symbol.clone(),
                open_time: raw.open_time,
                timeframe,
            });
        }
        let bar = Bar::new(open_time, raw.open, raw.high, raw.low, raw.close, raw.volume)
            .map_err(|source| AlpacaError::Bar { symbol: symbol.clone(), open_time, source })?;
        bars.push(bar).map_err(|source| AlpacaError::Series { symbol: symbol.clone(), source })?;
    }
    Ok(bars)
}

#[async_trait]
impl DataSource for AlpacaSource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        Ok(self.read(request).await?)
    }
}
