//! A source that makes longer bars of another one's.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    AggregateRule, Aggregator, BarRequest, Clock, DataSource, LongerBars, MarketCalendar, SourceBars,
    SourceError, Symbol, Timeframe, Timestamp, Window, aggregate,
};

use crate::Error;
use crate::file_bars::last_bars;

/// Longer bars before the first one wanted that are made too, so that a hole there can be filled from the past.
const LEAD_BARS: usize = 60;

/// Which shorter bars those of a timeframe are made of.
type BaseOf = dyn Fn(&Symbol, Timeframe) -> Timeframe + Send + Sync;

/// Makes bars of timeframes that `inner` doesn't have by [`aggregate`], of shorter ones that it has. Stands before a
/// [`Cached`](crate::Cached) source, which keeps the shorter bars.
///
/// A longer bar that has not closed by the clock, or by the answer's own "now", is not given. One of which `inner` has
/// changed a shorter bar is given as revised.
pub struct Longer<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    base_of: Box<BaseOf>,
}

impl<S: DataSource> Longer<S> {
    /// `inner`, asked for bars of `base_of(symbol, timeframe)`: the timeframe itself where `inner` has it, otherwise a
    /// shorter one that divides it.
    pub fn new(
        inner: S,
        clock: Arc<dyn Clock>,
        base_of: impl Fn(&Symbol, Timeframe) -> Timeframe + Send + Sync + 'static,
    ) -> Self {
        Self { inner, clock, base_of: Box::new(base_of) }
    }

    async fn made(
        &self,
        request: &BarRequest,
        base: Timeframe,
        timeframe: Timeframe,
    ) -> Result<SourceBars, SourceError> {
        let now = self.clock.now();
        let until = request.as_of.map_or(now, |as_of| as_of.min(now));
        // Refused before anything is asked for.
        let is_made = Aggregator::new(base, timeframe, AggregateRule::default());
        is_made.map_err(|error| broken(&request.symbol, error))?;
        let bars = base_bars(request, base, timeframe, until);
        let ask = BarRequest { timeframe: Some(base), bars, ..request.clone() };
        let answer = self.inner.bars(&ask).await?;
        Ok(longer(answer, request, base, timeframe, now)?)
    }
}

#[async_trait]
impl<S: DataSource> DataSource for Longer<S> {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let base = request.timeframe.map(|timeframe| (timeframe, (self.base_of)(&request.symbol, timeframe)));
        match base {
            Some((timeframe, base)) if base != timeframe => self.made(request, base, timeframe).await,
            _ => self.inner.bars(request).await,
        }
    }
}

fn broken(origin: impl ToString, reason: impl ToString) -> Error {
    Error::Source { origin: origin.to_string(), reason: reason.to_string() }
}

/// How many bars of `base` those that `request` asks for are made of, from the start of the first one to `until`.
fn base_bars(request: &BarRequest, base: Timeframe, timeframe: Timeframe, until: Timestamp) -> usize {
    let wanted = request.bars.max(1).saturating_add(LEAD_BARS);
    let calendar = &request.calendar;
    let grid_end = match calendar {
        MarketCalendar::Continuous => timeframe.floor(until),
        MarketCalendar::Sessions(_) => until,
    };
    let start = match (calendar.bars_before(grid_end, wanted, timeframe), calendar) {
        (Some(start), _) => start,
        (None, MarketCalendar::Continuous) => timeframe.floor(Timestamp::EPOCH),
        (None, MarketCalendar::Sessions(sessions)) => {
            sessions.sessions().first().map_or(until, |session| timeframe.floor(session.start()))
        }
    };
    let window = Window::new(start, base.floor(until));
    window.map_or(1, |window| calendar.expected_count(window, base).max(1))
}

/// The bars of `timeframe` that `answer` makes and that have closed by `now`.
fn longer(
    answer: SourceBars,
    request: &BarRequest,
    base: Timeframe,
    timeframe: Timeframe,
    now: Timestamp,
) -> Result<SourceBars, Error> {
    if answer.base.is_some() || answer.bars.timeframe() != base {
        let reason = format!("bars of {base} were asked for, and it has to make them or gives others");
        return Err(broken(answer.origin, reason));
    }
    let until = answer.as_of.min(now);
    let rule = AggregateRule { calendar: request.calendar.clone(), absent: answer.absent };
    let made = aggregate(&answer.bars, timeframe, &rule, until);
    let LongerBars { bars, base: made_of } = made.map_err(|error| broken(&answer.origin, error))?;
    if bars.is_empty() {
        let reason = format!("no interval of {timeframe} up to {until} has half of its bars of {base}");
        return Err(broken(answer.origin, reason));
    }
    let bars = last_bars(bars, request.bars, &request.calendar);
    let mut revised: Vec<Timestamp> = answer.revised.iter().map(|&start| timeframe.floor(start)).collect();
    revised.dedup();
    revised.retain(|start| bars.open_times().binary_search(start).is_ok());
    Ok(SourceBars { bars, base: Some(made_of), revised, ..answer })
}
