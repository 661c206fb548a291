//! A source that asks another one for what it doesn't know yet.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    BarRequest, BarSeries, Clock, DataSource, MarketCalendar, QualityFigures, SourceBars, SourceError,
    Timeframe, Timestamp, Window,
};

use super::key::CacheKey;
use super::segment::SourceNote;
use super::store::{BarCache, Learned, State};
use super::versions::Which;
use crate::Error;

/// Bars before the first unknown one that are asked for again: venues revise recent bars.
pub const DEFAULT_OVERLAP_BARS: usize = 60;
/// Fewest of them: a source that has nothing new has something to answer with, and the last bar may still change.
pub const MIN_OVERLAP_BARS: usize = 2;
/// Unknown spans of a window that are asked for one by one; with more, the whole of them is asked for at once.
const MAX_REQUESTS: usize = 4;
/// Bars before a window that are read with it: where the window's first bar is absent, the last one before it fills
/// the hole. Most of a week of minutes.
const LOOK_BACK_BARS: i64 = 10_000;

/// Answers from a [`BarCache`], and asks `inner` only for what the cache doesn't know: what has closed since the last
/// time, with an overlap, or bars before those that are there. A window that was asked for before makes no request,
/// also where the source had no bars; but bars after the newest known one are asked for again each time, because a
/// source may have them later.
///
/// A bar that has not closed by the clock is neither asked for nor kept. A bar that `inner` gives with other values
/// than before is given as revised; one that it no longer gives stays. A request for a past time gets the values that
/// were known then, and of bars that were not known yet the first ones that were learnt: what is learnt later changes
/// no bar that was given. Figures about the file are those of the newest answer of `inner`, none where it was not
/// asked. Files are read and written on the calling thread.
pub struct Cached<S> {
    inner: S,
    cache: BarCache,
    source: String,
    clock: Arc<dyn Clock>,
    overlap_bars: usize,
}

impl<S: DataSource> Cached<S> {
    /// `inner` under the name `source`, kept in `cache`. The clock tells when a bar was learnt.
    pub fn new(inner: S, source: impl Into<String>, cache: BarCache, clock: Arc<dyn Clock>) -> Self {
        Self { inner, cache, source: source.into(), clock, overlap_bars: DEFAULT_OVERLAP_BARS }
    }

    /// Asks again for the last `overlap_bars` known bars, at least [`MIN_OVERLAP_BARS`], whenever new ones are asked
    /// for.
    pub fn with_overlap_bars(self, overlap_bars: usize) -> Self {
        Self { overlap_bars: overlap_bars.max(MIN_OVERLAP_BARS), ..self }
    }

    fn wanted(&self, request: &BarRequest) -> Result<Wanted, Error> {
        let Some(timeframe) = request.timeframe else {
            let (name, value) = ("timeframe of a request to the bar cache", "not given".to_owned());
            return Err(Error::Setting { name, value, expected: "such as 1m or 1h".to_owned() });
        };
        let now = self.clock.now();
        let as_of = request.as_of.unwrap_or(now);
        let end = timeframe.floor(as_of.min(now));
        let start = match request.calendar.bars_before(end, request.bars.max(1), timeframe) {
            Some(start) => start,
            None => first_bar(&request.calendar, timeframe),
        };
        let span = Window::new(start, end).map_err(|_| {
            let reason = format!("no bar of {timeframe} has closed between {start} and {end}");
            Error::Source { origin: self.source.clone(), reason }
        })?;
        let look_back_ms = timeframe.millis().saturating_mul(LOOK_BACK_BARS);
        let loaded = Window::new(span.start().plus_millis(-look_back_ms), span.end()).unwrap_or(span);
        let key = CacheKey::new(&self.source, request.symbol.clone(), timeframe)?;
        Ok(Wanted { key, as_of, now, span, loaded })
    }

    /// The state of the cache; what is damaged in it is set aside first.
    fn load(&self, wanted: &Wanted) -> Result<State, Error> {
        match self.cache.load(&wanted.key, wanted.loaded) {
            Err(Error::CacheDamaged { .. }) => {
                self.cache.repair(&wanted.key, wanted.now)?;
                self.cache.load(&wanted.key, wanted.loaded)
            }
            loaded => loaded,
        }
    }

    /// The spans to ask for: the unknown parts, each with an overlap over its known neighbours.
    fn asks(&self, wanted: &Wanted, state: &State, calendar: &MarketCalendar) -> Vec<Window> {
        let covered = state.covered();
        let timeframe = wanted.key.timeframe();
        let mut missing = covered.missing_from(wanted.span);
        // While the market is closed there is nothing to ask for.
        missing.retain(|&part| calendar.expected_count(part, timeframe) > 0);
        if missing.len() > MAX_REQUESTS
            && let (Some(first), Some(last)) = (missing.first(), missing.last())
        {
            missing = Window::new(first.start(), last.end()).into_iter().collect();
        }
        let with_overlap = |part: Window| {
            let is_known = |time: Timestamp| covered.as_slice().iter().any(|known| known.contains(time));
            let mut ask = part;
            if is_known(part.start().plus_millis(-1)) {
                let start = calendar.bars_before(part.start(), self.overlap_bars, timeframe);
                ask = start.and_then(|start| Window::new(start, ask.end()).ok()).unwrap_or(ask);
            }
            if is_known(part.end()) {
                // As far as a known bar: a source that has nothing so early has something to answer with.
                let overlap_ms = timeframe.millis().saturating_mul(self.overlap_bars as i64);
                let known = state.first_start(part.end()).map(|start| start.plus_millis(timeframe.millis()));
                let end = part.end().plus_millis(overlap_ms).max(known.unwrap_or(part.end()));
                ask = Window::new(ask.start(), end.min(wanted.span.end())).unwrap_or(ask);
            }
            ask
        };
        missing.into_iter().map(with_overlap).collect()
    }

    /// Asks for the bars that start in `span` and keeps the answer; gives its figures too.
    async fn learn(
        &self,
        request: &BarRequest,
        wanted: &Wanted,
        state: State,
        span: Window,
    ) -> Result<(State, Option<QualityFigures>), SourceError> {
        let timeframe = wanted.key.timeframe();
        let bars = request.calendar.expected_count(span, timeframe);
        let ask = BarRequest { timeframe: Some(timeframe), as_of: Some(span.end()), bars, ..request.clone() };
        let answer = self.inner.bars(&ask).await?;
        let given = checked(&answer, timeframe, span, wanted.loaded)?;
        let note = SourceNote { origin: answer.origin, absent: answer.absent };
        let learned = Learned { bars: &given, span, at: wanted.now, note: &note };
        Ok((self.keep(wanted, state, &learned)?, answer.file))
    }

    /// Adds to the cache. A damaged file that the request itself doesn't need is set aside too: it would stand in the
    /// way of every later one.
    fn keep(&self, wanted: &Wanted, state: State, learned: &Learned<'_>) -> Result<State, Error> {
        match self.cache.commit(&wanted.key, state, wanted.loaded, learned) {
            Err(Error::CacheDamaged { .. }) => {
                self.cache.repair(&wanted.key, wanted.now)?;
                let state = self.cache.load(&wanted.key, wanted.loaded)?;
                self.cache.commit(&wanted.key, state, wanted.loaded, learned)
            }
            kept => kept,
        }
    }

    fn answer(
        &self,
        wanted: Wanted,
        state: State,
        file: Option<QualityFigures>,
    ) -> Result<SourceBars, Error> {
        let note = state.note().cloned();
        // What a clock that was ahead has stamped with a time to come counts as known now.
        let which = if wanted.as_of < wanted.now { Which::AsOf(wanted.as_of) } else { Which::Newest };
        let known = state.known(&wanted.key, which)?;
        let nothing = || Error::Source {
            origin: self.source.clone(),
            reason: format!("it has no bars of {} from {}", wanted.key, wanted.span),
        };
        let note = note.ok_or_else(nothing)?;
        let bars = with_one_before(known.bars, wanted.span);
        let (Some(first), Some(end)) = (bars.first_open_time(), bars.last_close_time()) else {
            return Err(nothing());
        };
        let given = |start: &Timestamp| (first..end).contains(start);
        let revised = known.revised.into_iter().filter(given).collect();
        let answer = SourceBars::new(bars, wanted.as_of, note.origin);
        Ok(SourceBars { absent: note.absent, revised, file, ..answer })
    }
}

/// What a request comes to.
struct Wanted {
    key: CacheKey,
    as_of: Timestamp,
    now: Timestamp,
    /// Starts of the bars that are asked for; all have closed.
    span: Window,
    /// The span and some time before it.
    loaded: Window,
}

fn first_bar(calendar: &MarketCalendar, timeframe: Timeframe) -> Timestamp {
    match calendar {
        MarketCalendar::Continuous => timeframe.floor(Timestamp::EPOCH),
        MarketCalendar::Sessions(sessions) => {
            sessions.sessions().first().map_or(Timestamp::EPOCH, |session| timeframe.floor(session.start()))
        }
    }
}

/// The given bars that start in `span`, and the last one before it unless it lies before what was `loaded`. A bar that
/// is not closed or not on the clock has no place in a cache.
fn checked(
    answer: &SourceBars,
    timeframe: Timeframe,
    span: Window,
    loaded: Window,
) -> Result<BarSeries, Error> {
    let broken = |reason: String| Err(Error::Source { origin: answer.origin.clone(), reason });
    if answer.bars.timeframe() != timeframe {
        return broken(format!("it gave bars of {}: {timeframe} were asked for", answer.bars.timeframe()));
    }
    if answer.base.is_some() {
        return broken("it makes its bars of shorter ones: cache those instead".to_owned());
    }
    let bars = with_one_before(answer.bars.clone(), span).within(loaded);
    if let Some(off) = bars.open_times().iter().find(|&&start| timeframe.floor(start) != start) {
        return broken(format!("its bar of {off} does not begin on a full {timeframe} of the clock"));
    }
    Ok(bars)
}

/// The bars that start in `span`; where the first of them is not there, the one before it too.
fn with_one_before(bars: BarSeries, span: Window) -> BarSeries {
    let mut from = bars.index_at_or_after(span.start());
    if from > 0 && bars.open_times().get(from) != Some(&span.start()) {
        from -= 1;
    }
    let to = bars.index_at_or_after(span.end()).max(from);
    bars.into_slice(from..to)
}

#[async_trait]
impl<S: DataSource> DataSource for Cached<S> {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let wanted = self.wanted(request)?;
        let mut state = self.load(&wanted)?;
        let mut newest_file = None;
        for span in self.asks(&wanted, &state, &request.calendar) {
            let (learnt, file) = self.learn(request, &wanted, state, span).await?;
            (state, newest_file) = (learnt, file.or(newest_file));
        }
        Ok(self.answer(wanted, state, newest_file)?)
    }
}
