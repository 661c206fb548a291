//! Extends streams.

use std::ops::Range;

use serde_json::Value;
use walkforward_core::{
    Continued, Dataset, ErrorKind, Evaluator, ModelId, ModelRef, Stage, StageContext, StageError,
    StreamRequest, StreamStretch, Timestamp, Window,
};
use walkforward_store::{
    ModelRecord, ScoredBar, Snapshot, Store, StoreError, StreamHead, StreamKey, StreamPart,
};

use super::turns::{Turn, close_of, turns};
use crate::run_error::RunError;

/// Whose stream it is that is extended: what becomes of bars that its snapshots can't decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// An arm's: they are left to the snapshot before.
    Arm,
    /// Of what arms are measured against: they stay without a score. Another position, none included, would be another
    /// reference.
    Reference,
}

/// Scores the bars of one dataset.
pub(crate) struct Keeper<'a> {
    pub(crate) store: &'a Store,
    pub(crate) evaluator: &'a dyn Evaluator,
    pub(crate) dataset: &'a Dataset,
    pub(crate) ctx: &'a StageContext,
    pub(crate) role: Role,
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
    /// Why the bars after these have no score; none when all have one.
    pub(crate) stopped: Option<RunError>,
}

/// What became of a turn.
enum Turned {
    /// So many of its bars were scored, all or those before one without an answer.
    Scored(usize),
    /// Its snapshot gave no answer at its first bar.
    Silent,
    /// Its snapshot does not load.
    Broken,
    /// It could not be scored.
    Stopped(RunError),
}

impl Keeper<'_> {
    /// Scores the bars after the stream's head, each with the position that the newest of `snapshots` had decided on, and
    /// keeps them. Why the stream stops before the dataset does, where it does.
    ///
    /// # Errors
    /// An arm's bars can't be scored, the run was cancelled, or the store can't be read or written.
    pub(crate) fn extend(
        &self,
        key: &StreamKey,
        head: Option<StreamHead>,
        snapshots: Vec<Snapshot>,
    ) -> Result<Option<RunError>, RunError> {
        let Some(range) = self.new_bars(head.as_ref(), &snapshots) else { return Ok(None) };
        let after = head.as_ref().map(|head| head.last_close);
        let goes_on = self.goes_on(head, range.start);
        let has_begun = goes_on.is_some();
        let mut scored = self.follow(Scored::after(goes_on), range.clone(), snapshots.clone())?;
        if scored.bars.is_empty() && self.role == Role::Arm {
            scored = self.begin_anew(scored, has_begun, range, snapshots)?;
        }
        if let (Some(session), false) = (scored.session, scored.bars.is_empty()) {
            let part = StreamPart { bars: scored.bars, deciders: scored.deciders, session };
            self.store.extend_stream(key, after, &part)?;
        }
        Ok(scored.stopped)
    }

    /// A second try for an arm none of whose bars could be scored: without the position of before, and no earlier than the
    /// hold-out, which has all the history that a policy may want. Else its stream would stand still for ever.
    fn begin_anew(
        &self,
        scored: Scored,
        has_begun: bool,
        range: Range<usize>,
        snapshots: Vec<Snapshot>,
    ) -> Result<Scored, RunError> {
        let Some(problem) = scored.stopped else { return Ok(scored) };
        let start = range.start.max(self.dataset.split_index());
        if start >= range.end || (start == range.start && !has_begun) {
            return Err(problem);
        }
        tracing::warn!(%problem, from = %self.dataset.bars.open_times()[start], "a stream begins anew, without a position");
        let scored = self.follow(Scored::after(None), start..range.end, snapshots)?;
        match scored.stopped {
            Some(problem) if scored.bars.is_empty() => Err(problem),
            _ => Ok(scored),
        }
    }

    /// Scores the bars of `range` after what `scored` holds. In an arm's stream a snapshot that does not load leaves all
    /// bars, and one that gives no answer that bar to the one before it.
    pub(crate) fn follow(
        &self,
        mut scored: Scored,
        range: Range<usize>,
        mut snapshots: Vec<Snapshot>,
    ) -> Result<Scored, RunError> {
        let mut next = range.start;
        let mut silent: Vec<ModelId> = Vec::new();
        while next < range.end {
            let end = if silent.is_empty() { range.end } else { next + 1 };
            let able: Vec<Snapshot> =
                snapshots.iter().filter(|snapshot| !silent.contains(&snapshot.model)).cloned().collect();
            let turn = turns(&self.dataset.bars, next..end, &able).into_iter().next();
            let Some(turn) = turn else { break };
            let decider = turn.snapshot.map(|snapshot| snapshot.model.clone());
            match self.take_turn(&mut scored, &turn)? {
                Turned::Scored(bars) => {
                    next += bars;
                    silent.clear();
                }
                Turned::Silent => silent.extend(decider),
                Turned::Broken => snapshots.retain(|snapshot| Some(&snapshot.model) != decider.as_ref()),
                Turned::Stopped(problem) => {
                    scored.stopped = Some(problem);
                    break;
                }
            }
        }
        Ok(scored)
    }

    fn take_turn(&self, scored: &mut Scored, turn: &Turn<'_>) -> Result<Turned, RunError> {
        let Turn { bars, snapshot } = turn;
        let (turned, problem) = match self.score(bars, *snapshot, scored.session.as_ref()) {
            Ok(Continued::Scored(stretch)) => {
                scored.take(bars, *snapshot, stretch, self);
                return Ok(Turned::Scored(bars.len()));
            }
            Ok(Continued::Silent { scored: Some(stretch), .. }) if !stretch.bar_close.is_empty() => {
                let before = bars.start..bars.start + stretch.bar_close.len();
                scored.take(&before, *snapshot, stretch, self);
                return Ok(Turned::Scored(before.len()));
            }
            Ok(Continued::Silent { problem, .. }) => (Turned::Silent, problem),
            Ok(Continued::Broken(problem)) => (Turned::Broken, problem),
            Err(error) if self.leaves(&error) => return Ok(Turned::Stopped(error)),
            Err(error) => return Err(error),
        };
        match (snapshot, self.role) {
            (None, _) => Err(bug("holding no position does not work", &problem)),
            (Some(_), Role::Reference) => {
                Ok(Turned::Stopped(StageError::new(Stage::Evaluate, ErrorKind::BadInput, problem).into()))
            }
            (Some(snapshot), Role::Arm) => {
                tracing::warn!(model = %snapshot.model, problem, "a snapshot does not work, and decides nothing");
                Ok(turned)
            }
        }
    }

    /// Whether bars stay without a score for `error`, and the run goes on: of a reference whatever is wrong with it alone,
    /// of an arm what the next try would come to as well.
    fn leaves(&self, error: &RunError) -> bool {
        match error {
            RunError::Stage(error) => {
                error.kind == ErrorKind::BadInput
                    || (error.kind == ErrorKind::Retry && self.role == Role::Reference)
            }
            _ => false,
        }
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
            Some(snapshot) => match model_of(self.store, &snapshot.model)? {
                Ok(record) => Some(self.reference(record)),
                Err(problem) => return Ok(Continued::Broken(problem)),
            },
        };
        let request = StreamRequest { model: model.as_ref(), dataset: self.dataset, span, session };
        Ok(self.evaluator.continue_stream(&request, self.ctx)?)
    }

    fn reference(&self, record: ModelRecord) -> ModelRef {
        ModelRef {
            dir: self.store.model_dir(&record.model_id),
            id: record.model_id,
            sha256: record.sha256,
            lineage_until: record.lineage_until,
        }
    }
}

/// The record of a model; else what is wrong with it.
///
/// # Errors
/// It can't be read now, which says nothing about the model.
pub(crate) fn model_of(store: &Store, model: &ModelId) -> Result<Result<ModelRecord, String>, StoreError> {
    match store.model(model) {
        Ok(record) => Ok(Ok(record)),
        Err(error @ (StoreError::UnknownModel { .. } | StoreError::BadModel { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(StoreError::Files(error)) if error.is_not_found() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

impl Scored {
    /// Nothing yet, after the last bar of `head`; without any it begins flat.
    pub(crate) fn after(head: Option<StreamHead>) -> Self {
        let (session, decider) = match head {
            Some(head) => (Some(head.session), Some(head.decider)),
            None => (None, None),
        };
        Self { bars: Vec::new(), deciders: Vec::new(), session, decider, stopped: None }
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
