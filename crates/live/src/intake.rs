//! From what a feed tells to the bars that a session runs on, in the time of the bars or of the clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use walkforward_core::{Backfill, Bar, ErrorKind, SourceError, Timeframe, Timestamp, Window};

use crate::{
    Assembly, ClosedBar, ClosingRules, Due, FeedTime, LiveError, MAX_HOLE_BARS, SessionSummary, Taken,
};

/// Attempts to get missing bars; with the waits between them they fill the time that the assembly allows.
const FETCH_ATTEMPTS: u32 = 6;
/// Wait before the second attempt; it doubles with each further one.
const FETCH_WAIT: Duration = Duration::from_secs(1);

/// Intervals of the feed without a bar after which its clock is believed no more: what ends later waits until bars come,
/// or the service has some. A clock that jumps ahead closes no more bars than that.
const MAX_SILENT_BARS: i64 = 60;

/// Bars on their way in.
pub(crate) struct Intake {
    assembly: Option<Assembly>,
    time: FeedTime,
    base: Timeframe,
    to: Timeframe,
    rules: ClosingRules,
    /// The last price before the first bar.
    last_close: Option<f64>,
    /// The time of the bars; none before the first.
    now: Option<Timestamp>,
    backfill: Option<Arc<dyn Backfill>>,
    fetch: Option<Fetch>,
    /// End of the newest short bar.
    newest_end: Option<Timestamp>,
    /// Whether bars wait because nothing shows that the clock is right.
    waits: bool,
}

struct Fetch {
    span: Window,
    task: JoinHandle<Result<Vec<Bar>, SourceError>>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a question for missing bars came to.
pub(crate) struct Answer {
    pub(crate) span: Window,
    pub(crate) bars: Result<Vec<Bar>, SourceError>,
}

/// What the session that bars are for is like.
pub(crate) struct IntakeOptions {
    pub(crate) time: FeedTime,
    pub(crate) base: Timeframe,
    pub(crate) to: Timeframe,
    pub(crate) rules: ClosingRules,
    pub(crate) backfill: Option<Arc<dyn Backfill>>,
}

impl Intake {
    /// An intake whose first bar follows on `last`, the last bar before it; without one the first that comes, or in the
    /// clock's time the first that begins after `now`.
    pub(crate) fn new(options: IntakeOptions, last: Option<&Bar>, now: Timestamp) -> Result<Self, LiveError> {
        let IntakeOptions { time, base, to, rules, backfill } = options;
        let mut intake = Self {
            assembly: None,
            time,
            base,
            to,
            rules,
            last_close: last.map(Bar::close),
            now: last.map(|last| last.close_time(to)),
            backfill,
            fetch: None,
            newest_end: last.map(|last| last.close_time(to)),
            waits: false,
        };
        match (last, time) {
            (Some(last), _) => intake.start(last.close_time(to))?,
            (None, FeedTime::Clock) => {
                intake.newest_end = Some(now);
                intake.start(now)?;
            }
            (None, FeedTime::Bars) => {}
        }
        Ok(intake)
    }

    fn start(&mut self, at: Timestamp) -> Result<(), LiveError> {
        self.assembly = Some(Assembly::new(self.base, self.to, self.rules, at, self.last_close)?);
        Ok(())
    }

    pub(crate) fn time(&self) -> FeedTime {
        self.time
    }

    /// The time of the newest bar, where it is the bars' time that counts.
    pub(crate) fn bar_time(&self) -> Option<Timestamp> {
        self.now
    }

    /// End of the newest short bar that came, or of the last bar before the session, or else its begin.
    pub(crate) fn newest_end(&self) -> Option<Timestamp> {
        self.newest_end
    }

    /// When something may be due by the clock; none where that is the bars' to say.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let by_clock = self.assembly.as_ref().filter(|_| self.time == FeedTime::Clock);
        by_clock.map(|assembly| assembly.deadline_until(self.credible()))
    }

    /// Until when the clock is believed.
    fn credible(&self) -> Option<Timestamp> {
        self.newest_end.map(|end| end.plus_millis(MAX_SILENT_BARS * self.base.millis()))
    }

    /// Whether bars wait because nothing shows that the clock is right, and whether that is new since the last call.
    pub(crate) fn waits(&mut self, now: Timestamp) -> (bool, bool) {
        let credible = self.credible();
        let waits = self.assembly.as_ref().is_some_and(|assembly| assembly.waits(now, credible));
        (waits, std::mem::replace(&mut self.waits, waits) != waits)
    }

    /// Takes a bar of the feed at `now`, which in the bars' time is its end.
    pub(crate) fn push(
        &mut self,
        bar: Bar,
        now: Timestamp,
        summary: &mut SessionSummary,
    ) -> Result<Taken, LiveError> {
        if self.assembly.is_none() {
            self.start(self.base.floor(bar.open_time()))?;
        }
        let Some(assembly) = &mut self.assembly else { return Ok(Taken::Late) };
        if self.time == FeedTime::Bars {
            let (next, far) = (assembly.next_open(), bar.open_time());
            let missing = (far.millis_since(next) / self.to.millis()).max(0).unsigned_abs();
            if missing > MAX_HOLE_BARS {
                let last = next.plus_millis(-self.to.millis());
                return Err(LiveError::Hole { last, next: far, missing });
            }
        }
        let taken = assembly.push(bar, now);
        // Late ones too show how late it is.
        if !matches!(taken, Taken::OffGrid | Taken::Future) {
            self.newest_end = self.newest_end.max(Some(bar.close_time(self.base)));
        }
        summary.count_taken(taken);
        Ok(taken)
    }

    /// The bars that have closed by `until` in the bars' time, each with the time at which it did.
    pub(crate) fn closed_until(
        &mut self,
        until: Timestamp,
    ) -> Result<VecDeque<(ClosedBar, Timestamp)>, LiveError> {
        let mut closed = VecDeque::new();
        let Some(assembly) = &mut self.assembly else { return Ok(closed) };
        while assembly.deadline() <= until {
            let now = assembly.deadline();
            self.now = self.now.max(Some(now));
            loop {
                match assembly.due(now)? {
                    Due::Nothing => break,
                    // A replay has all bars that there are.
                    Due::Fetch(span) => assembly.fetched(span, &[], now),
                    Due::Close(bar) => closed.push_back((bar, now)),
                }
            }
        }
        Ok(closed)
    }

    /// Whether the interval of a short bar has closed already.
    pub(crate) fn is_past(&self, bar: &Bar) -> bool {
        self.assembly.as_ref().is_some_and(|assembly| bar.open_time() < assembly.next_open())
    }

    /// Time until which an interval that ends with a short bar that opened at `open_time` has closed.
    pub(crate) fn settles(&self, bar: &Bar) -> Timestamp {
        bar.close_time(self.base).plus_millis(self.rules.grace_ms)
    }

    /// Length of the feed's bars.
    pub(crate) fn base(&self) -> Timeframe {
        self.base
    }

    /// The next bar that has closed at `now` by the clock. Missing bars are asked for meanwhile.
    pub(crate) fn next_closed(&mut self, now: Timestamp) -> Result<Option<ClosedBar>, LiveError> {
        let credible = self.credible();
        loop {
            let Some(assembly) = &mut self.assembly else { return Ok(None) };
            match assembly.due_until(now, credible)? {
                Due::Nothing => return Ok(None),
                Due::Close(bar) => return Ok(Some(bar)),
                Due::Fetch(span) => match &self.backfill {
                    None => assembly.fetched(span, &[], now),
                    Some(backfill) => self.fetch = Some(ask(Arc::clone(backfill), span)),
                },
            }
        }
    }

    /// The answer to the question that is open; never, when there is none. Cancel safe.
    pub(crate) async fn answer(&mut self) -> Answer {
        let Some(fetch) = &mut self.fetch else { return std::future::pending().await };
        let bars = (&mut fetch.task).await.unwrap_or_else(|error| {
            Err(SourceError { kind: ErrorKind::Bug, message: format!("the task that asked died: {error}") })
        });
        let span = fetch.span;
        self.fetch = None;
        Answer { span, bars }
    }

    /// Hands an answer on; the reason where it is none.
    pub(crate) fn take_answer(&mut self, answer: Answer, now: Timestamp) -> Option<String> {
        match (answer.bars, &mut self.assembly) {
            (Ok(bars), Some(assembly)) => {
                let newest = bars.iter().map(|bar| bar.close_time(self.base)).max();
                self.newest_end = self.newest_end.max(newest);
                assembly.fetched(answer.span, &bars, now);
                None
            }
            (Ok(_), None) => None,
            // The interval closes without them when the assembly's patience ends.
            (Err(error), _) => Some(error.to_string()),
        }
    }
}

/// Asks for the bars of `span` until they come, or asking again does not help.
fn ask(backfill: Arc<dyn Backfill>, span: Window) -> Fetch {
    let task = tokio::spawn(async move {
        let mut wait = FETCH_WAIT;
        for _ in 1..FETCH_ATTEMPTS {
            match backfill.bars(span).await {
                Err(error) if error.kind == ErrorKind::Retry => {
                    tracing::debug!(%span, %error, "missing bars are asked for again");
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                answer => return answer,
            }
        }
        backfill.bars(span).await
    });
    Fetch { span, task }
}
