//! Streams: one session over bars that are scored as they come, stretch by stretch.
//!
//! A feature with an exponential memory has other last digits when it begins at another bar, and each dataset begins at
//! another bar. So that a row does not depend on the dataset that its bar was read from, features begin at a bar that
//! follows from the scored one alone: the first of its UTC day, less as many as the policy needs before it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use walkforward_core::{
    BarSeries, CancelToken, Continued, Dataset, ModelRef, Policy, PolicySpec, Stage, StageError,
    StreamRequest, StreamStretch, Symbol, Timeframe, Timestamp, Window,
};
use walkforward_engine::{
    EngineError, NormalisedRows, SessionCheckpoint, SessionConfig, SessionRecord, TradingSession,
    continue_policy, continue_target, feature_matrix,
};

use crate::backtest::can_fill;
use crate::cancellable::Cancellable;
use crate::{Error, mechanical};

/// A close that is revised by more was adjusted.
const MAX_REVISION: f64 = 0.05;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// How a stretch ended: whose bars, which was the last, and what the session had come to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutAway {
    symbol: Symbol,
    timeframe: Timeframe,
    /// Close of the last bar.
    until: Timestamp,
    session: SessionCheckpoint,
}

/// What [`walkforward_core::Evaluator::continue_stream`] promises, with the costs of `config`.
pub(crate) fn continue_stream(
    config: SessionConfig,
    request: &StreamRequest<'_>,
    cancel: &CancelToken,
) -> Result<Continued, StageError> {
    cancel.check(Stage::Evaluate)?;
    let dataset = request.dataset;
    let range = scored_range(dataset, request.span)?;
    let mut session = take_up(config, request, range.start)?;
    let Followed { record, problem } = match request.model {
        None => Followed { record: stay_flat(&mut session, dataset, range.clone())?, problem: None },
        Some(model) => {
            check_unseen(model, dataset.bars.open_times()[range.start])?;
            match follow(&mut session, model, dataset, range.clone(), cancel)? {
                Ok(followed) => followed,
                Err(problem) => return Ok(Continued::Broken(problem)),
            }
        }
    };
    let scored = match record.bar_close.last() {
        Some(until) => Some(stretch(dataset, *until, &session, record)?),
        None => None,
    };
    Ok(match (problem, scored) {
        (None, Some(stretch)) => Continued::Scored(stretch),
        (None, None) => return Err(Error::NoBars { judged: request.span }.into()),
        (Some(problem), scored) => Continued::Silent { scored, problem },
    })
}

/// How far a model got: what was recorded, and what it failed at then.
struct Followed {
    record: SessionRecord,
    problem: Option<String>,
}

/// Indices of the bars that start inside `span`, all of which the dataset has.
fn scored_range(dataset: &Dataset, span: Window) -> Result<Range<usize>, Error> {
    let bars = &dataset.bars;
    let (Some(first), Some(end)) = (bars.first_open_time(), bars.last_close_time()) else {
        return Err(Error::NoBars { judged: span });
    };
    if span.start() < first || end < span.end() {
        return Err(Error::OutsideDataset { span, first, end });
    }
    let range = bars.index_at_or_after(span.start())..bars.index_at_or_after(span.end());
    if range.is_empty() { Err(Error::NoBars { judged: span }) } else { Ok(range) }
}

/// The session of the stretch before, which ended right before the bar at `first`; a new one without any.
fn take_up(
    config: SessionConfig,
    request: &StreamRequest<'_>,
    first: usize,
) -> Result<TradingSession, Error> {
    let Some(session) = request.session else { return Ok(TradingSession::new(config)?) };
    let put_away =
        PutAway::deserialize(session).map_err(|error| Error::Session { reason: error.to_string() })?;
    check_follows(&put_away, request.dataset, first)?;
    if is_repriced(&put_away.session, request.dataset, first) {
        return Ok(TradingSession::new(config)?);
    }
    TradingSession::resume(config, &put_away.session).map_err(|error| match error {
        EngineError::Checkpoint { .. } | EngineError::PendingOrder(_) => {
            Error::Session { reason: error.to_string() }
        }
        error => error.into(),
    })
}

/// Whether the bar that the session ended with has quite another close by now: prices are adjusted backwards when a stock
/// is split, and a position of before is not one of after.
fn is_repriced(session: &SessionCheckpoint, dataset: &Dataset, first: usize) -> bool {
    let Some(last) = first.checked_sub(1) else { return false };
    let ratio = session.mark / dataset.bars.closes()[last];
    !session.position.is_zero() && !(1.0 - MAX_REVISION..=1.0 + MAX_REVISION).contains(&ratio)
}

/// Refuses a session of other bars, one that has been at this bar already, and one that bars were left out since.
fn check_follows(put_away: &PutAway, dataset: &Dataset, first: usize) -> Result<(), Error> {
    let PutAway { symbol, timeframe, until, .. } = put_away;
    let bars = &dataset.bars;
    if *symbol != dataset.symbol || *timeframe != bars.timeframe() {
        let (given, length) = (&dataset.symbol, bars.timeframe());
        let reason =
            format!("it is of {timeframe} bars of {symbol}, and the dataset has {length} bars of {given}");
        return Err(Error::Session { reason });
    }
    let opens = bars.open_times()[first];
    let before = first.checked_sub(1).map(|bar| close_of(bars, bar));
    if opens == *until || before == Some(*until) {
        return Ok(());
    }
    let reason = format!(
        "it ended at {until}, and the first bar to score opens at {opens}: score each bar once, one after the other"
    );
    Err(Error::Session { reason })
}

fn check_unseen(model: &ModelRef, first: Timestamp) -> Result<(), Error> {
    if model.lineage_until <= first {
        return Ok(());
    }
    Err(Error::Seen { model: model.id.clone(), until: model.lineage_until, first })
}

fn stay_flat(
    session: &mut TradingSession,
    dataset: &Dataset,
    range: Range<usize>,
) -> Result<SessionRecord, Error> {
    let present = can_fill(dataset, 0..dataset.bars.len());
    Ok(continue_target(session, |_| 0.0, &dataset.bars, &present, range)?)
}

/// Lets `model` decide at the close of each bar in `range`, up to one at which it gives no answer; else why it does not
/// load. The session is that after the last bar that was scored.
fn follow(
    session: &mut TradingSession,
    model: &ModelRef,
    dataset: &Dataset,
    range: Range<usize>,
    cancel: &CancelToken,
) -> Result<Result<Followed, String>, StageError> {
    let policy = match mechanical::load(model, dataset)? {
        Ok(policy) => policy,
        Err(problem) => return Ok(Err(problem)),
    };
    if let Err(error) = session.config().admit(policy.spec().actions) {
        return Ok(Err(error.to_string()));
    }
    let policy = Cancellable { policy: policy.as_ref(), cancel };
    let mut record = SessionRecord::default();
    for day in days(&dataset.bars, range) {
        let scored = score(session, &policy, dataset, day.clone());
        cancel.check(Stage::Evaluate)?;
        if let Ok(more) = scored? {
            record.append(more);
        } else if let Some(problem) = score_until_silent(session, &policy, dataset, day, &mut record)? {
            cancel.check(Stage::Evaluate)?;
            return Ok(Ok(Followed { record, problem: Some(problem) }));
        }
    }
    Ok(Ok(Followed { record, problem: None }))
}

/// Scores the bars of a day one by one up to that at which the model gives no answer; what it fails at there.
fn score_until_silent(
    session: &mut TradingSession,
    policy: &dyn Policy,
    dataset: &Dataset,
    day: Range<usize>,
    record: &mut SessionRecord,
) -> Result<Option<String>, Error> {
    for bar in day {
        match score(session, policy, dataset, bar..bar + 1)? {
            Ok(more) => record.append(more),
            Err(problem) => return Ok(Some(problem)),
        }
    }
    Ok(None)
}

/// The bars of one UTC day; else what is wrong with the model.
fn score(
    session: &mut TradingSession,
    policy: &dyn Policy,
    dataset: &Dataset,
    day: Range<usize>,
) -> Result<Result<SessionRecord, String>, Error> {
    let Day { first, bars, rows } = Day::new(policy.spec(), &dataset.bars, &day)?;
    let present = can_fill(dataset, first..day.end);
    let scored = day.start - first..bars.len();
    match continue_policy(session, policy, &bars, &present, &rows, scored) {
        Ok(record) => Ok(Ok(record)),
        // Not the index, which depends on where the dataset begins.
        Err(EngineError::Policy { bar, source }) => {
            let opens = bars.open_times()[bar];
            Ok(Err(format!("the policy did not answer at the bar of {opens}: {source}")))
        }
        Err(error @ (EngineError::UnknownAction { .. } | EngineError::Actions(_))) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Bars of one UTC day with what a policy needs before them, and nothing of what comes after.
struct Day {
    /// Index of the first of them in the dataset.
    first: usize,
    bars: BarSeries,
    /// What the policy sees of them.
    rows: NormalisedRows,
}

impl Day {
    /// The bars `day` of a series, for a policy of `spec`.
    fn new(spec: &PolicySpec, bars: &BarSeries, day: &Range<usize>) -> Result<Self, Error> {
        let first = first_needed(spec, bars, day.start)?;
        let bars = bars.slice(first..day.end);
        let rows = feature_matrix(&spec.features, &bars)?.normalised(&spec.normaliser)?;
        Ok(Self { first, bars, rows })
    }
}

/// The bar at which features begin, for a policy of `spec` that decides on the bar at `scored`.
fn first_needed(spec: &PolicySpec, bars: &BarSeries, scored: usize) -> Result<usize, Error> {
    let opens = bars.open_times()[scored];
    let midnight = opens.plus_millis(-opens.as_millis().rem_euclid(DAY_MILLIS));
    let needed = spec.features.history_bars() + spec.lookback.saturating_sub(1);
    let available = bars.index_at_or_after(midnight);
    available.checked_sub(needed).ok_or(Error::TooEarly { opens, midnight, needed, available })
}

/// `range`, cut where a UTC day begins.
fn days(bars: &BarSeries, range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    let day = |time: &Timestamp| time.as_millis().div_euclid(DAY_MILLIS);
    let mut start = range.start;
    bars.open_times()[range].chunk_by(move |a, b| day(a) == day(b)).map(move |chunk| {
        start += chunk.len();
        start - chunk.len()..start
    })
}

/// When the bar with this index closes.
fn close_of(bars: &BarSeries, bar: usize) -> Timestamp {
    bars.open_times()[bar].plus_millis(bars.timeframe().millis())
}

/// What `record` says, and how `session` ended with the bar that closes at `until`.
fn stretch(
    dataset: &Dataset,
    until: Timestamp,
    session: &TradingSession,
    record: SessionRecord,
) -> Result<StreamStretch, Error> {
    let put_away = PutAway {
        symbol: dataset.symbol.clone(),
        timeframe: dataset.timeframe(),
        until,
        session: session.checkpoint(),
    };
    let session =
        serde_json::to_value(put_away).map_err(|error| Error::Session { reason: error.to_string() })?;
    let SessionRecord { bar_close, net_return, position, .. } = record;
    Ok(StreamStretch { bar_close, net_return, position, session })
}

#[cfg(test)]
mod tests;
