//! The two markets: made up, with an edge and without; or a user's own, and a copy with its days in random order.

use std::sync::Arc;

use walkforward::clock::SystemClock;
use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward_core::{
    AbsentMeans, BarRequest, BarSeries, Clock, DataSource, SourceBars, Timeframe, Timestamp,
};
use walkforward_etl::SyntheticSource;

use super::request::Asked;
use super::{LIVE_BARS, is_synthetic};
use crate::rehearsal::DAY_MS;
use crate::rehearsal::shuffle::shuffle_days;

const WITH_EDGE: &str = "Made-up bars of a market whose trends last a day or two and then turn, so that the past tells \
what comes next; no real market is that easy";
const WITHOUT_EDGE: &str = "The same made-up market with a drift of 0: its price is a random walk, from which nothing can \
be learned, and whoever trades it loses the costs in the mean";
const SHUFFLED: &str = "The same bars with whole days in random order: what one day says about the next is gone; their mean \
rise and what happens within a day are still there";

/// Bars that are replayed and then traded.
#[derive(Debug, Clone)]
pub(super) struct Market {
    /// Its name for people.
    pub(super) name: &'static str,
    /// What it is made of, in a sentence.
    pub(super) explanation: String,
    pub(super) bars: BarSeries,
    pub(super) absent: AbsentMeans,
    /// Close of the last bar.
    pub(super) end: Timestamp,
}

/// The markets of `asked`, the one with an edge, or the user's own, first.
///
/// # Errors
/// The bars can't be read, or are too few.
pub(super) async fn pair(asked: &Asked) -> Result<Vec<Market>, Failure> {
    let config = &asked.config;
    if is_synthetic(config) {
        let [with, without] =
            [SyntheticSource::new(config.seed), SyntheticSource::without_edge(config.seed)].map(Arc::new);
        let with = market("With an edge", WITH_EDGE.to_owned(), answer(asked, with).await?)?;
        let without = market("Without an edge", WITHOUT_EDGE.to_owned(), answer(asked, without).await?)?;
        return Ok(vec![with, without]);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let source = config.source.open(&config.dataset.symbol, config.seed, &clock)?;
    let answer = answer(asked, source).await?;
    let shuffled = SourceBars { bars: shuffle_days(&answer.bars, config.seed)?, ..answer.clone() };
    let own = format!("{}, bar by bar", answer.origin);
    Ok(vec![
        market("Your bars", own, answer)?,
        market("Your bars, days shuffled", SHUFFLED.to_owned(), shuffled)?,
    ])
}

fn market(name: &'static str, explanation: String, answer: SourceBars) -> Result<Market, Failure> {
    let SourceBars { bars, absent, origin, .. } = answer;
    let end = bars.last_close_time();
    let end = end.ok_or_else(|| Failure::input(format!("{origin} has no bars")))?;
    Ok(Market { name, explanation, bars, absent, end })
}

/// The newest bars of `source`, as many as it takes.
async fn answer(asked: &Asked, source: Arc<dyn DataSource>) -> Result<SourceBars, Failure> {
    let dataset = &asked.config.dataset;
    let timeframe = match dataset.timeframe {
        Some(timeframe) => timeframe,
        None => {
            let one = request(&asked.config, None, 1);
            source.bars(&one).await.map_err(|error| Failure::of_source(&error))?.bars.timeframe()
        }
    };
    let needed = needed_bars(asked, timeframe);
    let answer = source.bars(&request(&asked.config, Some(timeframe), needed)).await;
    let answer = answer.map_err(|error| Failure::of_source(&error))?;
    let there = bars_between(&answer.bars);
    if there >= needed {
        let bars = &answer.bars;
        let first = bars.last_close_time().map(|end| end.plus_millis(-timeframe.millis() * needed as i64));
        let from = first.map_or(0, |first| bars.index_at_or_after(first));
        // The bar before a hole at the beginning closes it.
        let bars = bars.slice(from.saturating_sub(1)..bars.len());
        return Ok(SourceBars { bars, ..answer });
    }
    Err(Failure::input(format!(
        "{} has {there} bars of {timeframe}, a demonstration of {} days needs {needed}: a window of {}, {} before it for \
         the features, {} to replay, {LIVE_BARS} to trade. Take fewer --days or a shorter --window-bars",
        answer.origin,
        asked.days,
        dataset.window_bars,
        dataset.features.history_bars(),
        replayed_bars(asked, timeframe)
    )))
}

fn request(config: &OrchestrateConfig, timeframe: Option<Timeframe>, bars: usize) -> BarRequest {
    let all = BarRequest::new(config.dataset.symbol.clone(), bars);
    BarRequest { timeframe, as_of: config.dataset.as_of, ..all }
}

fn replayed_bars(asked: &Asked, timeframe: Timeframe) -> usize {
    let span_ms = DAY_MS.saturating_mul(i64::try_from(asked.days).unwrap_or(i64::MAX));
    usize::try_from(span_ms / timeframe.millis()).unwrap_or(usize::MAX)
}

fn needed_bars(asked: &Asked, timeframe: Timeframe) -> usize {
    let dataset = &asked.config.dataset;
    let of_window = dataset.window_bars + dataset.features.history_bars();
    of_window.saturating_add(replayed_bars(asked, timeframe)).saturating_add(LIVE_BARS)
}

/// Bars from the first to the last, holes included.
fn bars_between(bars: &BarSeries) -> usize {
    let (Some(first), Some(end)) = (bars.first_open_time(), bars.last_close_time()) else { return 0 };
    usize::try_from(end.millis_since(first) / bars.timeframe().millis()).unwrap_or(0)
}
