//! The bars of a session: those that warm features up, and the feed.

use std::sync::Arc;

use walkforward::failure::{Failure, chain};
use walkforward::live::LiveConfig;
use walkforward::source::SourceConfig;
use walkforward_alpaca::{
    AlpacaBackfill, AlpacaClient, AlpacaConfig, AlpacaError, AlpacaFeed, FeedConfig, StreamSettings,
};
use walkforward_core::{
    AggregateRule, Backfill, Bar, BarRequest, BarSeries, Clock, MarketFeed, SourceBars, Timeframe, Timestamp,
    aggregate,
};
use walkforward_etl::{ReplayFeed, SyntheticFeed, SyntheticSource};
use walkforward_live::{FeedTime, Recovered, ReplayedBars};

/// Bars of a synthetic session that names no number.
const DEFAULT_SYNTHETIC_BARS: usize = 1_000;

/// What a session trades on.
pub(crate) struct Market {
    /// Length of the session's bars.
    pub(crate) timeframe: Timeframe,
    /// Bars before it.
    pub(crate) warm_up: Vec<Bar>,
    /// Where its bars come from.
    pub(crate) feed: Box<dyn MarketFeed>,
    /// Who is asked for those that do not come.
    pub(crate) backfill: Option<Arc<dyn Backfill>>,
    /// Whose time it is.
    pub(crate) time: FeedTime,
}

/// What the line's champion says of the bars.
#[derive(Clone, Copy)]
pub(crate) struct ChampionBars {
    /// Their length.
    pub(crate) timeframe: Timeframe,
    /// End of the last one that it has seen.
    pub(crate) seen_until: Timestamp,
}

/// The bars that `config` asks for, those of a session that goes on from where `before` left it.
pub(crate) async fn market(
    config: &LiveConfig,
    champion: Option<ChampionBars>,
    before: Option<&Recovered>,
    clock: &Arc<dyn Clock>,
) -> Result<Market, Failure> {
    if let SourceConfig::Alpaca { config: service, .. } = &config.source {
        return alpaca(config, service, champion, before, clock).await;
    }
    let all = BarRequest::new(config.symbol.clone(), usize::MAX);
    let request = BarRequest { timeframe: config.timeframe, ..all };
    match config.source.read_file(&request) {
        Some(answer) => file(config, champion, answer?),
        None => synthetic(config, champion, before),
    }
}

fn file(config: &LiveConfig, champion: Option<ChampionBars>, answer: SourceBars) -> Result<Market, Failure> {
    let SourceBars { bars, origin, absent, .. } = answer;
    let base = bars.timeframe();
    let first = config.from.map_or(0, |from| bars.index_at_or_after(from));
    let last = config.bars.map_or(bars.len(), |count| first.saturating_add(count).min(bars.len()));
    if first >= last {
        let from = config.from.map_or_else(String::new, |from| format!(" at or after --from {from}"));
        return Err(Failure::input(format!("{origin} has no bars{from}")));
    }
    let begins = bars.open_times()[first];
    if base.floor(begins) != begins {
        return Err(Failure::input(format!(
            "{origin}: the bar of {begins} does not begin on a full {base} of the clock, and a trader's bars close by it"
        )));
    }
    // Short bars become the champion's: what a live feed would give.
    let longer =
        champion.map(|champion| champion.timeframe).filter(|it| it.minutes().is_multiple_of(base.minutes()));
    let timeframe = config.timeframe.or(longer).unwrap_or(base);
    let warm_up = longer_bars(config, &bars.slice(0..first), timeframe, absent)?;
    let feed = ReplayedBars::new(Box::new(ReplayFeed::new(bars.slice(first..last))), base);
    Ok(Market { timeframe, warm_up, feed: Box::new(feed), backfill: None, time: FeedTime::Bars })
}

/// The last of `bars` at `timeframe`, as many as a session keeps.
fn longer_bars(
    config: &LiveConfig,
    bars: &BarSeries,
    timeframe: Timeframe,
    absent: walkforward_core::AbsentMeans,
) -> Result<Vec<Bar>, Failure> {
    if bars.timeframe() == timeframe {
        let kept = bars.len().saturating_sub(config.history_bars)..bars.len();
        return Ok(bars.slice(kept).iter().collect());
    }
    let Some(end) = bars.open_times().last() else { return Ok(Vec::new()) };
    let rule = AggregateRule { absent, ..AggregateRule::default() };
    let until = end.plus_millis(bars.timeframe().millis());
    let longer =
        aggregate(bars, timeframe, &rule, until).map_err(|error| Failure::input(error.to_string()))?;
    let kept = longer.bars.len().saturating_sub(config.history_bars)..longer.bars.len();
    Ok(longer.bars.slice(kept).iter().collect())
}

/// Bars after the end of the built-in training window and of what the champion has seen, unless `--from` says
/// otherwise; a session that goes on has those after its last one.
fn synthetic(
    config: &LiveConfig,
    champion: Option<ChampionBars>,
    before: Option<&Recovered>,
) -> Result<Market, Failure> {
    let source = SyntheticSource::new(config.seed);
    let timeframe =
        config.timeframe.or(champion.map(|champion| champion.timeframe)).unwrap_or(Timeframe::HOUR);
    let after_training =
        Some(SyntheticSource::default_as_of()).max(champion.map(|champion| champion.seen_until));
    let next = before.and_then(|before| before.last_bar).map(|last| last.plus_millis(timeframe.millis()));
    let start = next.or(config.from).or(after_training).unwrap_or_else(SyntheticSource::default_as_of);
    let request = BarRequest {
        timeframe: Some(timeframe),
        as_of: Some(start),
        ..BarRequest::new(config.symbol.clone(), config.history_bars)
    };
    let earlier = source.read(&request).map_err(|error| Failure::input(chain(&error)))?.bars;
    let bars = config.bars.unwrap_or(DEFAULT_SYNTHETIC_BARS);
    let span_ms = timeframe.millis().saturating_mul(i64::try_from(bars).unwrap_or(i64::MAX));
    let end = timeframe.floor(start).plus_millis(span_ms);
    let bars = SyntheticFeed::new(&source, timeframe, start, Some(end));
    let feed = Box::new(ReplayedBars::new(Box::new(bars), timeframe));
    let warm_up = earlier.iter().collect();
    Ok(Market { timeframe, warm_up, feed, backfill: None, time: FeedTime::Bars })
}

/// Live bars of Alpaca, and those before them from its history.
async fn alpaca(
    config: &LiveConfig,
    service: &AlpacaConfig,
    champion: Option<ChampionBars>,
    before: Option<&Recovered>,
    clock: &Arc<dyn Clock>,
) -> Result<Market, Failure> {
    let refused = |error: AlpacaError| Failure::input(chain(&error));
    for (name, is_set) in [("--from", config.from.is_some()), ("--bars", config.bars.is_some())] {
        if is_set {
            return Err(Failure::input(format!(
                "{name} says something about a replay: live bars begin now and go on"
            )));
        }
    }
    let keys = config.keys.clone().ok_or_else(|| {
        Failure::input(
            "Alpaca's stream takes nobody without keys: set APCA_API_KEY_ID and APCA_API_SECRET_KEY",
        )
    })?;
    let timeframe =
        config.timeframe.or(champion.map(|champion| champion.timeframe)).unwrap_or(Timeframe::HOUR);
    let stream = StreamSettings { jitter_seed: service.jitter_seed, ..StreamSettings::default() };
    let url = config.stream_url.clone();
    let feed = FeedConfig { url, symbol: config.symbol.clone(), keys, stream };
    let feed = Box::new(AlpacaFeed::new(feed).map_err(refused)?);
    let client = AlpacaClient::new(service.clone(), Arc::clone(clock)).map_err(refused)?;
    let backfill = AlpacaBackfill::new(Arc::new(client), config.symbol.clone()).map_err(refused)?;
    let warm_up = match before {
        Some(_) => Vec::new(),
        None => bars_before_now(config, timeframe, clock).await?,
    };
    Ok(Market { timeframe, warm_up, feed, backfill: Some(Arc::new(backfill)), time: FeedTime::Clock })
}

async fn bars_before_now(
    config: &LiveConfig,
    timeframe: Timeframe,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Bar>, Failure> {
    let request = BarRequest {
        timeframe: Some(timeframe),
        as_of: Some(clock.now()),
        ..BarRequest::new(config.symbol.clone(), config.history_bars)
    };
    let source = config.source.open(&config.symbol, config.seed, clock)?;
    let answer = source.bars(&request).await.map_err(|error| Failure::stage(chain(&error)))?;
    Ok(answer.bars.iter().collect())
}
