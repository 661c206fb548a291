//! The shadow and the guard at work, in a task of their own: they follow the journal, and what they find goes into the
//! store and back to the session.
//!
//! A [`Watchman`] lets the [`Shadow`](crate::Shadow) have each bar that is on the disk, holds the [`Guard`](crate::Guard)
//! against what that comes to, and takes a champion back whose guard has broken a rule. It persists, then acts, then
//! announces: the verdict is in its file before the store is asked, and what became of it before the session is told. The
//! file says how far in the journal it is, so that a start goes on to the same bits; where it can't, it begins anew and says
//! why.

mod act;
mod beside;
mod lookup;
mod pending;
mod rollback;
mod session;
mod state;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use walkforward_core::{LineName, ModelId, Timestamp};
use walkforward_durable::Files;
use walkforward_store::{JournalPosition, LiveWatch, RollbackRequest};

use crate::follow::{Advance, FollowError, Follower, JournalTail, StoreAccess, Tailed, read_header};
use crate::journal::{BarRecord, EventRecord, JournalRecord, SegmentHeader, StampedEvent};
use crate::{Command, MAX_CHALLENGERS, RuleStanding, ShadowBar};

pub use act::{Notice, Notify};
pub use state::WATCH_FILE;

use pending::Pending;
use session::WatchedSession;

/// Records that are taken between two looks at what waits.
const BATCH: usize = 512;
/// Most things that are remembered as told.
const MAX_TOLD: usize = 256;

/// What a watchman goes by.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// The journal's folder; its file lies there too.
    pub journal: PathBuf,
    /// The line whose champion trades.
    pub line: LineName,
    /// For how long no model of an arm is promoted whose champion was taken back.
    pub quarantine: Duration,
    /// Challengers that decide in the shadow, at most [`MAX_CHALLENGERS`]; 0 for none.
    pub challengers: usize,
}

impl WatchOptions {
    /// The defaults for a journal and a line.
    pub fn new(journal: PathBuf, line: LineName) -> Self {
        Self { journal, line, quarantine: RollbackRequest::DEFAULT_QUARANTINE, challengers: MAX_CHALLENGERS }
    }
}

/// Where a watchman is, for people.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WatchReport {
    /// Close of the last bar that it has taken.
    pub close: Option<Timestamp>,
    /// The champion that is watched; none where there is none, or it can't be run.
    pub champion: Option<ModelId>,
    /// What it is measured against; none is flat.
    pub anchor: Option<ModelId>,
    /// Bars of the guard so far.
    pub guard_bars: u64,
    /// Where its rules stand.
    pub standing: Vec<RuleStanding>,
    /// What the last bar came to for each model in the shadow.
    pub ledgers: Vec<ShadowBar>,
}

/// Watches over the champion of a session; see the module's words.
pub struct Watchman {
    options: WatchOptions,
    store: StoreAccess,
    notify: Notify,
    files: Files,
    report: watch::Sender<WatchReport>,
    told: BTreeSet<String>,
    /// What the store last took of it.
    shown: Option<LiveWatch>,
    /// Whether this process has held the session back.
    has_told_hold: bool,
    work: Option<Work>,
}

/// What it has come to.
struct Work {
    tail: JournalTail,
    /// The record that could not be taken yet.
    held: Option<(JournalPosition, Box<JournalRecord>)>,
    /// Up to here a process before has taken the records: their bars warm features up, and nothing else.
    known: JournalPosition,
    at: JournalPosition,
    /// Where the journal was when this process began.
    begun_until: JournalPosition,
    session: Option<WatchedSession>,
    /// Whether the bars of the head that comes feed the features.
    is_warming: bool,
    pending: Option<Pending>,
    /// Whether the journal shows that the watch holds the session back.
    is_held: bool,
    /// Whether its file lags behind.
    is_dirty: bool,
}

impl Watchman {
    /// A watchman that tells the session through `notify` what it did.
    pub fn new(options: WatchOptions, store: StoreAccess, notify: Notify) -> Self {
        Self::with_files(Files::default(), options, store, notify)
    }

    /// As [`new`](Self::new), with steps that `files` may fail.
    pub fn with_files(files: Files, options: WatchOptions, store: StoreAccess, notify: Notify) -> Self {
        let report = watch::Sender::new(WatchReport::default());
        Self {
            options,
            store,
            notify,
            files,
            report,
            told: BTreeSet::new(),
            shown: None,
            has_told_hold: false,
            work: None,
        }
    }

    /// Where it is, as it gets on.
    pub fn report(&self) -> watch::Receiver<WatchReport> {
        self.report.subscribe()
    }

    fn try_advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError> {
        if self.work.is_none() {
            self.work = Some(self.begin(until)?);
        }
        self.try_again();
        self.settle(until)?;
        for _ in 0..BATCH {
            let Some((at, record)) = self.next(until)? else {
                self.hold_while_moved();
                self.save()?;
                self.tell_hold(true);
                self.tell_where();
                return Ok(Advance::UpToDate);
            };
            if let Err(error) = self.take(at, &record) {
                if let Some(work) = &mut self.work {
                    work.held = Some((at, record));
                }
                return Err(error);
            }
            self.settle(until)?;
        }
        self.save()?;
        self.tell_where();
        Ok(Advance::More)
    }

    /// Goes on from its file; anew, from the newest segment on, where it can't.
    fn begin(&mut self, until: JournalPosition) -> Result<Work, FollowError> {
        let folder = self.options.journal.clone();
        let (mut pending, mut resumed) = (None, None);
        match state::read(&folder) {
            Ok(None) => {}
            Ok(Some(state)) => {
                pending = state.pending.clone().map(Pending::of_before);
                resumed = self.resume(&folder, until, state)?;
            }
            Err(problem) => self.warn(&format!("the watch begins anew: {problem}")),
        }
        let work = |at: JournalPosition, session| Work {
            tail: JournalTail::at_segment(&folder, at.segment),
            held: None,
            known: at,
            at,
            begun_until: until,
            session,
            is_warming: true,
            pending,
            is_held: false,
            is_dirty: false,
        };
        Ok(match resumed {
            Some((at, session)) => work(at, Some(session)),
            None => {
                let mut fresh = work(until, None);
                fresh.known = JournalPosition::before(until.segment);
                fresh.at = fresh.known;
                fresh
            }
        })
    }

    /// The session of `state`, if that is the one that the journal goes on with.
    fn resume(
        &mut self,
        folder: &std::path::Path,
        until: JournalPosition,
        state: state::WatchState,
    ) -> Result<Option<(JournalPosition, WatchedSession)>, FollowError> {
        let Some(now) = read_header(folder, until.segment)? else { return Ok(None) };
        let id = now.session_id().map_err(|error| FollowError::Other(error.to_string()))?;
        if id != state.session {
            return Ok(None);
        }
        let at = state.at;
        let then = read_header(folder, at.segment)?.filter(|then| then.session_id().is_ok_and(|it| it == id));
        let Some(then) = then.filter(|_| at <= until) else {
            self.warn("the watch begins anew: the journal does not hold any more where it was");
            return Ok(None);
        };
        let models = lookup::Models { folder: self.store.models_dir() };
        match WatchedSession::resume(&then, &state, &models) {
            Ok((session, left_out)) => {
                for model in left_out {
                    self.warn(&format!("{model} is not in the shadow any more: its bundle can't be loaded"));
                }
                Ok(Some((at, session)))
            }
            Err(problem) => {
                self.warn(&format!("the watch begins anew: {problem}"));
                Ok(None)
            }
        }
    }

    fn next(
        &mut self,
        until: JournalPosition,
    ) -> Result<Option<(JournalPosition, Box<JournalRecord>)>, FollowError> {
        loop {
            let Some(work) = &mut self.work else { return Ok(None) };
            if let Some(held) = work.held.take() {
                return Ok(Some(held));
            }
            match work.tail.next(Some(until))? {
                None => return Ok(None),
                Some(Tailed::Record(at, record)) => return Ok(Some((at, record))),
                Some(Tailed::Gap { after, segment }) => {
                    work.session = None;
                    self.warn(&format!(
                        "the watch begins anew: what the journal held between segments {} and {segment} was removed before \
                         it was read",
                        after.segment
                    ));
                }
            }
        }
    }

    fn take(&mut self, at: JournalPosition, record: &JournalRecord) -> Result<(), FollowError> {
        match record {
            JournalRecord::Header(header) => self.on_header(at, header)?,
            JournalRecord::History { bars } => {
                if let Some(work) = &mut self.work
                    && work.is_warming
                    && let Some(session) = &mut work.session
                {
                    bars.iter().for_each(|bar| session.shadow.warm_up(bar));
                }
            }
            JournalRecord::Bar(record) => self.on_bar(at, record)?,
            JournalRecord::Event(event) => self.on_event(at, event),
            _ => {}
        }
        if let Some(work) = &mut self.work {
            work.sees(record);
            work.at = work.at.max(at);
        }
        Ok(())
    }

    fn on_event(&mut self, at: JournalPosition, event: &StampedEvent) {
        let Some(work) = self.work.as_mut().filter(|work| at > work.known) else { return };
        let words = match &event.event {
            EventRecord::Guard { model_id, .. } => {
                work.hears_of(model_id);
                None
            }
            EventRecord::Command { command: Command::Acknowledge { .. }, .. } => work.acknowledged(event.at),
            _ => None,
        };
        if let Some(words) = words {
            self.warn(&words);
        }
    }

    /// A segment begins: a session that is known goes on, another one begins anew.
    fn on_header(&mut self, at: JournalPosition, header: &SegmentHeader) -> Result<(), FollowError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        if at <= work.known {
            return Ok(());
        }
        let id = header.session_id().map_err(|error| FollowError::Other(error.to_string()))?;
        let same = work.session.as_ref().filter(|session| session.id == id);
        let goes_on = same.is_some_and(|session| session.goes_on_under(header));
        let is_changed = same.is_some() && !goes_on;
        work.is_warming = !goes_on;
        if !goes_on {
            let session = WatchedSession::new(id, header).map_err(FollowError::Other)?;
            work.session = Some(session);
            work.is_dirty = true;
        }
        if is_changed {
            self.warn("the watch begins anew: the session goes on with other costs or limits of its market");
        }
        Ok(())
    }

    fn on_bar(&mut self, at: JournalPosition, record: &BarRecord) -> Result<(), FollowError> {
        let bar = record.bar().map_err(|error| FollowError::Other(error.to_string()))?;
        let Some(work) = &mut self.work else { return Ok(()) };
        let Some(session) = &mut work.session else { return Ok(()) };
        if at <= work.known {
            session.shadow.warm_up(&bar);
            return Ok(());
        }
        let store = self.store.store()?;
        let look = lookup::Lookup { store, line: &self.options.line };
        let mut words = session.follow_champion(record.model.as_ref(), &bar, &look)?;
        if session.is_new_day(&bar) {
            words.extend(session.follow_arms(&bar, self.options.challengers, &look)?);
        }
        let (verdict, problem) = session.on_bar(&bar, record.present);
        let closed_at = bar.close_time(session.timeframe);
        words.extend(problem);
        work.decided(record, at);
        if let Some((model, verdict)) = verdict {
            work.pending = Some(Pending::new(model, verdict, closed_at));
        }
        work.is_dirty = true;
        work.at = at;
        words.iter().for_each(|words| self.warn(words));
        Ok(())
    }

    /// Tells a person something once.
    fn warn(&mut self, words: &str) {
        if self.told.len() == MAX_TOLD {
            self.told.clear();
        }
        if self.told.insert(words.to_owned()) {
            tracing::warn!("{words}");
            (self.notify)(Notice::Warning { reason: words.to_owned() });
        }
    }

    /// Brings what it has come to into its file.
    fn save(&mut self) -> Result<(), FollowError> {
        let Some(work) = self.work.as_mut().filter(|work| work.is_dirty) else { return Ok(()) };
        let Some(session) = &work.session else { return Ok(()) };
        let state = session.state(work.at, work.pending.clone());
        state::write(&self.files, &self.options.journal, &state)?;
        work.is_dirty = false;
        Ok(())
    }

    /// Says where it is: to this process, and in the store.
    fn tell_where(&mut self) {
        let Some(session) = self.work.as_ref().and_then(|work| work.session.as_ref()) else { return };
        self.report.send_replace(session.report());
        let watch = session.told();
        // A start knows of no bar before the next one: what was told before is newer.
        if watch.close.is_none() || self.shown.as_ref() == Some(&watch) {
            return;
        }
        // It is for people alone: where it can't be written now, the next look writes it.
        let store = self.store.store().ok();
        let is_shown = store.and_then(|store| store.tell_live_watch(&session.id, &watch).ok());
        self.shown = Some(watch).filter(|_| is_shown == Some(true));
    }
}

impl Follower for Watchman {
    fn name(&self) -> &'static str {
        "watchman"
    }

    fn advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError> {
        let went = self.try_advance(until);
        match &went {
            Err(FollowError::Store(_)) => self.store.let_go(),
            Err(FollowError::NoDatabase { .. }) => {
                self.warn("nobody watches over the champion until there is a database to take it back in");
            }
            _ => {}
        }
        if let Err(error) = &went {
            let is_over = self.hold_after(error, until);
            self.tell_hold(is_over);
        }
        went
    }
}
