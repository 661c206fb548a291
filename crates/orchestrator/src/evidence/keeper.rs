//! Extends streams.

use std::ops::Range;

use serde_json::Value;
use walkforward_core::{
    Continued, Dataset, ErrorKind, Evaluator, ModelId, ModelRef, Stage, StageContext, StageError,
    StreamRequest, StreamStretch, Timestamp, Window,
};
use walkforward_store::{ScoredBar, Snapshot, Store, StreamHead, StreamKey, StreamPart};

use super::turns::{Turn, close_of, turns};
use crate::run_error::RunError;

/// Scores the bars of one dataset.
pub(crate) struct Keeper<'a> {
    pub(crate) store: &'a Store,
    pub(crate) evaluator: &'a dyn Evaluator,
    pub(crate) dataset: &'a Dataset,
    pub(crate) ctx: &'a StageContext,
    /// Bars that close by then are marked as replayed.
    pub(crate) replayed_until: Option<Timestamp>,
}

/// What has been scored and is not in the store yet.
pub(crate) struct Scored {
    pub(crate) bars: Vec<ScoredBar>,
    deciders: Vec<(Timestamp, Option<ModelId>)>,
    session: Option<Value>,
    /// Who decided last.
    decider: Option<Option<ModelId>>,
}

impl Keeper<'_> {
    /// Scores the bars after the stream's head, each with the position that the newest of `snapshots` had decided on, and
    /// keeps them.
    pub(crate) fn extend(
        &self,
        key: &StreamKey,
        head: Option<StreamHead>,
        snapshots: Vec<Snapshot>,
    ) -> Result<(), RunError> {
        let Some(range) = self.new_bars(head.as_ref(), &snapshots) else { return Ok(()) };
        let after = head.as_ref().map(|head| head.last_close);
        let scored = self.follow(Scored::after(self.goes_on(head, range.start)), range, snapshots)?;
        let Some(session) = scored.session else { return Ok(()) };
        let part = StreamPart { bars: scored.bars, deciders: scored.deciders, session };
        Ok(self.store.extend_stream(key, after, &part)?)
    }

    /// Scores the bars of `range` after what `scored` holds. A snapshot that does not work leaves its bars to the one
    /// before it.
    pub(crate) fn follow(
        &self,
        mut scored: Scored,
        range: Range<usize>,
        mut snapshots: Vec<Snapshot>,
    ) -> Result<Scored, RunError> {
        let mut next = range.start;
        while next < range.end {
            let turn = turns(&self.dataset.bars, next..range.end, &snapshots).into_iter().next();
            let Some(Turn { bars, snapshot }) = turn else { break };
            match self.score(&bars, snapshot, scored.session.as_ref())? {
                Continued::Scored(stretch) => {
                    scored.take(&bars, snapshot, stretch, self);
                    next = bars.end;
                }
                Continued::Broken(problem) => {
                    let Some(broken) = snapshot.map(|snapshot| snapshot.model.clone()) else {
                        return Err(bug("holding no position does not work", &problem));
                    };
                    tracing::warn!(model = %broken, problem, "a snapshot does not work, and decides nothing");
                    snapshots.retain(|snapshot| snapshot.model != broken);
                }
            }
        }
        Ok(scored)
    }

    /// The bars that have no score yet: all after the head, or from the first on at which a snapshot could decide.
    fn new_bars(&self, head: Option<&StreamHead>, snapshots: &[Snapshot]) -> Option<Range<usize>> {
        let bars = &self.dataset.bars;
        let length_ms = bars.timeframe().millis();
        let first_close = match head {
            Some(head) => head.last_close.plus_millis(1),
            None => snapshots.first()?.published_at,
        };
        let mut start = bars.index_at_or_after(first_close.plus_millis(-length_ms));
        if start <= self.dataset.history_bars {
            // Earlier bars are out of reach. The hold-out's start has all the history that a policy may want.
            start = self.dataset.split_index();
        }
        (start < bars.len()).then_some(start..bars.len())
    }

    /// The head, unless bars between it and `start` are out of reach: then the stream begins anew, without a position.
    fn goes_on(&self, head: Option<StreamHead>, start: usize) -> Option<StreamHead> {
        let bars = &self.dataset.bars;
        let follows = |head: &StreamHead| start > 0 && close_of(bars, start - 1) <= head.last_close;
        let is_reached = head.as_ref().is_none_or(follows);
        if !is_reached {
            tracing::warn!(from = %bars.open_times()[start], "bars of a stream were not scored in time and are left out");
        }
        head.filter(|_| is_reached)
    }

    fn score(
        &self,
        bars: &Range<usize>,
        snapshot: Option<&Snapshot>,
        session: Option<&Value>,
    ) -> Result<Continued, RunError> {
        self.ctx.cancel.check(Stage::Evaluate)?;
        let series = &self.dataset.bars;
        let span = Window::new(series.open_times()[bars.start], close_of(series, bars.end - 1))
            .map_err(|error| bug("a turn is no window", &error.to_string()))?;
        let model = match snapshot {
            None => None,
            Some(snapshot) => match self.reference(snapshot) {
                Ok(model) => Some(model),
                Err(problem) => return Ok(Continued::Broken(problem)),
            },
        };
        let request = StreamRequest { model: model.as_ref(), dataset: self.dataset, span, session };
        Ok(self.evaluator.continue_stream(&request, self.ctx)?)
    }

    /// Where a snapshot is; else why it is not there.
    fn reference(&self, snapshot: &Snapshot) -> Result<ModelRef, String> {
        let record = self.store.model(&snapshot.model).map_err(|error| error.to_string())?;
        Ok(ModelRef {
            dir: self.store.model_dir(&record.model_id),
            id: record.model_id,
            sha256: record.sha256,
            lineage_until: record.lineage_until,
        })
    }
}

impl Scored {
    /// Nothing yet, after the last bar of `head`; without any it begins flat.
    pub(crate) fn after(head: Option<StreamHead>) -> Self {
        let (session, decider) = match head {
            Some(head) => (Some(head.session), Some(head.decider)),
            None => (None, None),
        };
        Self { bars: Vec::new(), deciders: Vec::new(), session, decider }
    }

    fn take(
        &mut self,
        bars: &Range<usize>,
        snapshot: Option<&Snapshot>,
        stretch: StreamStretch,
        keeper: &Keeper<'_>,
    ) {
        let decider = snapshot.map(|snapshot| snapshot.model.clone());
        if self.decider.as_ref() != Some(&decider) {
            self.deciders.push((close_of(&keeper.dataset.bars, bars.start), decider.clone()));
            self.decider = Some(decider);
        }
        let figures = stretch.bar_close.iter().zip(&stretch.net_return).zip(&stretch.position);
        for (index, ((close, net_return), position)) in bars.clone().zip(figures) {
            let is_replayed = keeper.replayed_until.is_some_and(|until| *close <= until);
            self.bars.push(ScoredBar {
                close: *close,
                net_return: *net_return,
                position: *position,
                is_known: keeper.dataset.is_known(index),
                is_replayed,
            });
        }
        self.session = Some(stretch.session);
    }
}

fn bug(what: &str, problem: &str) -> RunError {
    StageError::new(Stage::Evaluate, ErrorKind::Bug, format!("{what}: {problem}")).into()
}
