//! Cycles of the past: the pipeline, ledger and gates of live cycles under a clock that is set to each due time.
//!
//! A [`Replayer`] makes what live cycles would have made had they run then: models, verdicts, promotions, scored bars.
//! Each cycle sees the bars that had closed by its due time and no others. What is simulated is the time alone, and the
//! delay after which a model decides. Rows are marked as replayed: somebody knew the bars when the arm was chosen.
//!
//! A replay that was killed goes on where it was. Each cycle's run has its id before it begins, and a run that was cut
//! short goes on under it, so that the end is the same as without the kill, bit for bit.

use std::path::PathBuf;
use std::sync::Arc;

use walkforward_core::{
    CancelToken, ErrorKind, LineName, ManualClock, ModelId, NoProgress, RunId, StageContext, Timestamp,
};
use walkforward_store::{
    MAX_REPLAY_CYCLES, ModelRecord, NewReplay, Replay, ReplayStatus, RunLock, RunOutcome, Store, StoreError,
    StreamKey, arm_id,
};

use crate::recurrence::Recurrence;
use crate::{ArmRequest, Pipeline, RunError, RunRequest, Stages, records};

mod audit;
mod summary;

pub use audit::{StreamAudit, audit_stream};
pub use summary::{ReplayCurve, ReplaySummary, ReplayedCycle};

/// What a replay works with.
#[derive(Clone)]
pub struct ReplayParts {
    /// The implementations.
    pub stages: Stages,
    /// Where everything is kept, under `clock`.
    pub store: Arc<Store>,
    /// The right to run in its data folder.
    pub lock: Arc<RunLock>,
    /// The clock of the store and of every stage; it is set to each due time.
    pub clock: Arc<ManualClock>,
    /// Ends the replay between two steps.
    pub cancel: CancelToken,
    /// A folder for files that nobody else needs.
    pub work_dir: PathBuf,
}

/// What is replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRequest {
    /// What each cycle does; its arm is the one that is replayed, and the time of its bars is set for each cycle.
    pub run: RunRequest,
    /// When cycles are due.
    pub recurrence: Recurrence,
    /// The first due time.
    pub from: Timestamp,
    /// Due times are before this; bars are scored up to it.
    pub until: Timestamp,
    /// The time by the wall clock.
    pub wall_clock: Timestamp,
}

/// Who follows a replay.
pub trait ReplayProgress: Send + Sync {
    /// The cycle of `due` has ended; `done` of `total` have. It must not wait.
    fn cycle(&self, done: usize, total: usize, due: Timestamp, outcome: RunOutcome);
}

/// Nobody follows.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReplayProgress;

impl ReplayProgress for NoReplayProgress {
    fn cycle(&self, _done: usize, _total: usize, _due: Timestamp, _outcome: RunOutcome) {}
}

/// Why there is no replay, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The line or the request can't be replayed.
    #[error("line '{line}' can't be replayed: {reason}")]
    Refused {
        /// The line.
        line: LineName,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A cycle could not be made; the replay goes on from it when it is called again.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> Self {
        Self::Run(error.into())
    }
}

/// Makes the cycles of a span of the past.
pub struct Replayer {
    parts: ReplayParts,
    pipeline: Pipeline,
    request: ReplayRequest,
    asked: NewReplay,
}

impl Replayer {
    /// A replay of `request`.
    ///
    /// # Errors
    /// The request keeps no stream, a model would decide at the close that it was made at, or there are no or too many
    /// due times.
    pub fn new(parts: ReplayParts, mut request: ReplayRequest) -> Result<Self, ReplayError> {
        let line = request.run.line.clone();
        let refuse = |reason: String| Err(ReplayError::Refused { line: line.clone(), reason });
        let Some(arm) = &mut request.run.arm else {
            return refuse("its cycles keep no stream; choose the preset evidence".to_owned());
        };
        arm.is_replayed = true;
        let publish_delay_ms = i64::try_from(arm.publish_delay.as_millis()).unwrap_or(i64::MAX);
        if publish_delay_ms == 0 {
            return refuse(
                "a model can't decide at the very close that it was made at; give it a delay".to_owned(),
            );
        }
        let asked = NewReplay {
            line: line.clone(),
            arm: arm_id(&arm.spec),
            every: request.recurrence.to_string(),
            from: request.from,
            until: request.until,
            publish_delay_ms,
        };
        let pipeline = Pipeline::new(parts.stages.clone(), Arc::clone(&parts.store));
        let replayer = Self { parts, pipeline, request, asked };
        match replayer.due_times().take(MAX_REPLAY_CYCLES + 1).count() {
            0 => refuse(format!(
                "no cycle is due from {} to {}",
                replayer.request.from, replayer.request.until
            )),
            count if count > MAX_REPLAY_CYCLES => refuse(format!(
                "more than {MAX_REPLAY_CYCLES} cycles are due: take fewer days, or run less often"
            )),
            _ => Ok(replayer),
        }
    }

    /// When cycles are due.
    pub fn due_times(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let ReplayRequest { from, until, recurrence, .. } = &self.request;
        let before = from.plus_millis(-1);
        let first = recurrence.next_after(*from, before);
        let next = |due: &Timestamp| recurrence.next_after(*from, *due);
        std::iter::successors(first, next).take_while(|due| due < until)
    }

    /// Makes the cycles that are left, then scores the bars that are left. A replay that is over stays as it is.
    ///
    /// # Errors
    /// The line has a champion or live bars, an unfinished replay of it is another one, or a cycle could not be made for
    /// a reason that may pass; the next call goes on with it.
    pub async fn run(&self, progress: &dyn ReplayProgress) -> Result<Replay, ReplayError> {
        let replay = match self.parts.store.replay(&self.asked.line)? {
            Some(replay) => self.take_up(replay)?,
            None => self.begin().await?,
        };
        if replay.status == ReplayStatus::Finished {
            return Ok(replay);
        }
        let due_times: Vec<Timestamp> = self.due_times().collect();
        let left =
            replay.next_due.map_or(due_times.len(), |next| due_times.partition_point(|due| *due < next));
        for (index, due) in due_times.iter().enumerate().skip(left) {
            let outcome = self.cycle(replay.id, *due).await?;
            self.parts.store.end_replay_cycle(replay.id, *due, due_times.get(index + 1).copied())?;
            progress.cycle(index + 1, due_times.len(), *due, outcome);
        }
        self.parts.clock.set(self.asked.until);
        self.pipeline.catch_up(&self.run_request(self.asked.until), &self.context()).await?;
        self.parts.store.finish_replay(replay.id)?;
        let finished = self.parts.store.replay(&self.asked.line)?;
        finished.ok_or_else(|| self.refused("its replay is gone"))
    }

    /// A replay that was there already.
    fn take_up(&self, replay: Replay) -> Result<Replay, ReplayError> {
        if replay.asked != self.asked {
            return Err(self.refused(&format!(
                "it has a replay of other settings or another span: {}. Call that again, or choose another --line",
                in_words(&replay.asked, &self.asked)
            )));
        }
        let live = self.parts.store.stream_bars(&StreamKey::Arm(self.asked.arm.clone()), None)?;
        if replay.status == ReplayStatus::Running {
            if live.iter().any(|bar| !bar.is_replayed) {
                return Err(self.refused("live cycles have gone on with its arm; choose another --line"));
            }
            self.parts.store.continue_replay(replay.id, self.request.wall_clock)?;
        }
        Ok(replay)
    }

    /// A new one. Its first and its last bars are read before anything is written.
    async fn begin(&self) -> Result<Replay, ReplayError> {
        let store = &self.parts.store;
        if let Some(champion) = store.champion(&self.asked.line)? {
            return Err(self.refused(&format!(
                "it has the champion {}: a replay begins with none. Choose another --line, or go on live",
                champion.record.model_id
            )));
        }
        let key = StreamKey::Arm(self.asked.arm.clone());
        if let Some(head) = store.stream_head(&key)? {
            return Err(self.refused(&format!(
                "the arm {} has been scored live until {}: choose another --line, or go on live",
                self.asked.arm, head.last_close
            )));
        }
        for at in [self.asked.until, self.asked.from] {
            let request = self.run_request(at).dataset;
            let built = self.parts.stages.datasets.build(&request, &self.context()).await;
            built.map_err(RunError::from)?;
        }
        if let Some(ArmRequest { spec, .. }) = &self.request.run.arm {
            store.register_arm(&self.asked.line, spec)?;
        }
        Ok(store.create_replay(&self.asked, self.request.wall_clock)?)
    }

    /// The cycle of `due`: a new one, or what is left of one that was killed.
    async fn cycle(&self, replay: i64, due: Timestamp) -> Result<RunOutcome, ReplayError> {
        let ReplayParts { store, lock, clock, .. } = &self.parts;
        clock.set(due);
        let run = store.begin_replay_cycle(replay, due, &store.allocate_run_id()?)?;
        if let Some(outcome) = self.settled(&run)? {
            return Ok(outcome);
        }
        let request = self.run_request(due);
        match self.pipeline.run_again(lock, &run, &request, &self.context()).await {
            Ok(report) => Ok(report.outcome),
            Err(error) if is_the_cycles_own(&error) => Ok(error.outcome().0),
            Err(error) => Err(error.into()),
        }
    }

    /// How a run ended that was killed after its verdict was in effect. Its row says when, as if it had not been.
    fn settled(&self, run: &RunId) -> Result<Option<RunOutcome>, ReplayError> {
        let store = &self.parts.store;
        let record = match store.model(&ModelId::of_run(run)) {
            Err(StoreError::UnknownModel { .. }) => return Ok(None),
            record => record?,
        };
        let Some((outcome, reason)) = end_of(&record) else { return Ok(None) };
        store.begin_run_again(run, &self.asked.line)?;
        store.finish_run(run, outcome, reason.as_deref())?;
        Ok(Some(outcome))
    }

    fn run_request(&self, at: Timestamp) -> RunRequest {
        let mut request = self.request.run.clone();
        request.dataset.as_of = Some(at);
        request
    }

    fn context(&self) -> StageContext {
        StageContext {
            clock: Arc::<ManualClock>::clone(&self.parts.clock),
            progress: Arc::new(NoProgress),
            cancel: self.parts.cancel.clone(),
            work_dir: self.parts.work_dir.clone(),
        }
    }

    fn refused(&self, reason: &str) -> ReplayError {
        ReplayError::Refused { line: self.asked.line.clone(), reason: reason.to_owned() }
    }
}

/// How the run of a model ended whose verdict is in effect.
fn end_of(record: &ModelRecord) -> Option<(RunOutcome, Option<String>)> {
    let outcome = RunOutcome::of_model(record).filter(|_| records::is_settled(record))?;
    Some((outcome, record.verdict.as_ref()?.reason.clone()))
}

/// Whether a live schedule would have gone on with its next cycle in any case: nothing was wrong but the bars.
fn is_the_cycles_own(error: &RunError) -> bool {
    match error {
        RunError::NoNewBars(_) | RunError::Contaminated { .. } => true,
        RunError::Stage(error) => error.kind == ErrorKind::BadInput,
        RunError::Busy(_) | RunError::Store(_) => false,
    }
}

/// What two replays differ in.
fn in_words(there: &NewReplay, asked: &NewReplay) -> String {
    let pairs = [
        ("arm", there.arm.to_string(), asked.arm.to_string()),
        ("cycles", there.every.clone(), asked.every.clone()),
        ("from", there.from.to_string(), asked.from.to_string()),
        ("until", there.until.to_string(), asked.until.to_string()),
        ("publish delay", format!("{} ms", there.publish_delay_ms), format!("{} ms", asked.publish_delay_ms)),
    ];
    let differing = pairs.iter().filter(|(_, there, asked)| there != asked);
    let told =
        differing.map(|(what, there, asked)| format!("its {what} is {there}, and {asked} was asked for"));
    told.collect::<Vec<_>>().join("; ")
}
