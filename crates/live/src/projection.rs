//! Carrying a session's journal into the store, for lists and pages.
//!
//! A [`Projector`] follows the journal and hands the store batches of rows; the store keeps the position with them, so that
//! each record counts once, wherever a process dies. While the store is locked, of another version or full, the trade goes
//! on and the projector tries again.

mod rows;

use std::path::{Path, PathBuf};

use walkforward_core::{Cash, SessionId};
use walkforward_store::{JournalPosition, LiveRecord, LiveRow, MAX_LIVE_BATCH, NewLiveSession};

use crate::follow::{
    Advance, FollowError, Follower, JournalHeaders, JournalSession, JournalTail, StoreAccess, Tailed,
};
use crate::journal::{JournalRecord, SegmentHeader};

use rows::Context;

/// Carries all sessions of a journal's folder into the store.
pub struct Projector {
    folder: PathBuf,
    store: StoreAccess,
    reading: Option<Reading>,
    /// Rows that wait for the store.
    batch: Vec<LiveRecord>,
}

/// Where it is in the journal.
struct Reading {
    tail: JournalTail,
    /// The session that the records are of; none before its header.
    session: Option<SessionId>,
    /// The header that came last, until its checkpoint comes.
    header: Option<Box<SegmentHeader>>,
    context: Option<Context>,
    /// Up to here the tables have everything.
    known: JournalPosition,
}

impl Projector {
    /// A projector of the journal in `folder`.
    pub fn new(folder: &Path, store: StoreAccess) -> Self {
        Self { folder: folder.to_owned(), store, reading: None, batch: Vec::new() }
    }

    fn try_advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError> {
        self.flush()?;
        if self.reading.is_none() {
            let segment = self.first_segment(until)?;
            let tail = JournalTail::at_segment(&self.folder, segment);
            let known = JournalPosition::before(segment);
            self.reading = Some(Reading { tail, session: None, header: None, context: None, known });
        }
        for _ in 0..MAX_LIVE_BATCH {
            let Some(reading) = &mut self.reading else { break };
            let Some(tailed) = reading.tail.next(Some(until))? else {
                self.flush()?;
                return Ok(Advance::UpToDate);
            };
            if let Tailed::Record(at, record) = tailed {
                self.take(at, *record)?;
            }
        }
        self.flush()?;
        Ok(Advance::More)
    }

    /// The segment with which the oldest session begins that the tables don't have all of, from where they have come to.
    fn first_segment(&mut self, until: JournalPosition) -> Result<u64, FollowError> {
        let sessions = JournalHeaders::read(&self.folder)?.sessions;
        let store = self.store.store()?;
        for JournalSession { id, segments: (oldest, newest) } in sessions {
            let Some(known) = store.find_live_session(&id)? else { return Ok(oldest) };
            let at = known.position_in_journal;
            if known.ended_at.is_none() || at.segment < newest {
                return Ok(at.segment.max(oldest));
            }
        }
        Ok(until.segment)
    }

    fn take(&mut self, at: JournalPosition, record: JournalRecord) -> Result<(), FollowError> {
        match record {
            JournalRecord::Header(header) => self.begin(at, header),
            JournalRecord::Checkpoint(checkpoint) => {
                let Some(reading) = &mut self.reading else { return Ok(()) };
                if let Some(header) = reading.header.take() {
                    reading.context = Some(Context::new(*header, &checkpoint));
                }
                self.push(at, LiveRow::Nothing);
                Ok(())
            }
            record => {
                let context = self.reading.as_mut().and_then(|reading| reading.context.as_mut());
                let Some(context) = context else { return Ok(()) };
                let row = context.row(&record).map_err(|error| {
                    let JournalPosition { segment, record } = at;
                    FollowError::Other(format!("record {record} of the journal's segment {segment}: {error}"))
                })?;
                self.push(at, row);
                Ok(())
            }
        }
    }

    /// A segment begins, and perhaps another session.
    fn begin(&mut self, at: JournalPosition, header: Box<SegmentHeader>) -> Result<(), FollowError> {
        let id = header.session_id().map_err(|error| FollowError::Other(error.to_string()))?;
        let is_other = self.reading.as_ref().is_none_or(|reading| reading.session.as_ref() != Some(&id));
        if is_other {
            self.flush()?;
            let known = self.begin_session(&id, &header)?;
            if let Some(reading) = &mut self.reading {
                (reading.session, reading.known) = (Some(id), known);
            }
        }
        self.push(at, Context::begins(&header));
        if let Some(reading) = &mut self.reading {
            reading.header = Some(header);
        }
        Ok(())
    }

    /// Takes a session into the store. What the store knows of its beginning stays, where the journal's is gone.
    fn begin_session(
        &mut self,
        id: &SessionId,
        header: &SegmentHeader,
    ) -> Result<JournalPosition, FollowError> {
        let initial_cash = Cash::new(header.config.initial_cash)
            .map_err(|error| FollowError::Other(format!("the session's cash: {error}")))?;
        let store = self.store.store()?;
        let began = match store.find_live_session(id)? {
            Some(known) => known.began,
            None => NewLiveSession {
                id: id.clone(),
                line: header.line.clone(),
                symbol: header.symbol.clone(),
                timeframe: header.timeframe,
                venue: header.venue.clone(),
                initial_cash,
                started_at: header.session.began_at,
                first_segment: header.session.first_segment,
            },
        };
        Ok(store.begin_live_session(&began)?)
    }

    fn push(&mut self, at: JournalPosition, row: LiveRow) {
        if self.reading.as_ref().is_some_and(|reading| at > reading.known) {
            self.batch.push(LiveRecord { at, row });
        }
    }

    /// Hands the store what waits.
    fn flush(&mut self) -> Result<(), FollowError> {
        let session = self.reading.as_ref().and_then(|reading| reading.session.clone());
        let Some(session) = session.filter(|_| !self.batch.is_empty()) else { return Ok(()) };
        let known = self.store.store()?.project(&session, &self.batch)?;
        self.batch.clear();
        if let Some(reading) = &mut self.reading {
            reading.known = known;
        }
        Ok(())
    }
}

impl Follower for Projector {
    fn name(&self) -> &'static str {
        "projection"
    }

    fn advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError> {
        let went = self.try_advance(until);
        if went.is_err() {
            // The next try opens what is there then, and reads on from what the tables have come to.
            self.store.let_go();
            self.reading = None;
            self.batch.clear();
        }
        went
    }
}
