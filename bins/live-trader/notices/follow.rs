//! Reading the journal for what people are told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use walkforward::live::LiveConfig;
use walkforward_core::{Clock, Timestamp};
use walkforward_live::{Advance, FollowError, Follower, JournalRecord, JournalTail, Tailed};
use walkforward_notify::{Batch, Heartbeat, MAX_AGE, Notice, NoticeKind, Notifier};
use walkforward_store::{ConfirmationReader, JournalPosition};

use super::words::{About, notice_of, time_of};

/// Records that are read at once.
const BATCH: usize = 256;
/// Records after which the place is kept although nothing was told: what is read again after a crash tells nothing anew.
const KEEP_AFTER: usize = 4_096;
/// Between two looks at the champion's confirmation.
const FRESHNESS_LOOK: Duration = Duration::from_secs(300);
const HOUR_MS: i64 = 3_600_000;

/// Whether cycles still confirm the champion.
pub(super) struct Freshness {
    confirmation: ConfirmationReader,
    warns_after: Duration,
    looked_at: Option<Duration>,
}

impl Freshness {
    pub(super) fn of(config: &LiveConfig) -> Self {
        let confirmation = ConfirmationReader::new(config.models_dir.clone(), config.line.clone());
        Self { confirmation, warns_after: config.watch.warns_after, looked_at: None }
    }

    /// What is told of it now: once a day while it lasts.
    fn look(&mut self, about: &About, now: Timestamp, monotonic: Duration) -> Option<Notice> {
        if self.looked_at.is_some_and(|at| monotonic.saturating_sub(at) < FRESHNESS_LOOK) {
            return None;
        }
        self.looked_at = Some(monotonic);
        let confirmation = self.confirmation.read().ok().flatten()?;
        let age_ms = now.millis_since(confirmation.since());
        if u128::try_from(age_ms).unwrap_or(0) < self.warns_after.as_millis() {
            return None;
        }
        let hours = age_ms / HOUR_MS;
        let text = format!(
            "no cycle has confirmed model {} for {hours} hours: do cycles run?",
            confirmation.model_id
        );
        let notice = about.notice(NoticeKind::ExpiryNear, &text, now);
        Some(notice.caused_by(confirmation.model_id.as_str()).repeated_after(MAX_AGE))
    }
}

/// Follows the journal.
pub(super) struct Reader {
    folder: PathBuf,
    tail: Option<JournalTail>,
    /// Where the process before had come to.
    cursor: Option<JournalPosition>,
    notifier: Notifier,
    about: About,
    clock: Arc<dyn Clock>,
    /// The last record that was there when it began: what comes up to it is from before.
    before: Option<JournalPosition>,
    /// Whether the records' times are those of the clock: a replay's are not.
    is_live: bool,
    heartbeat: Option<Heartbeat>,
    freshness: Option<Freshness>,
    batch: Vec<Notice>,
    /// Records since the place was kept.
    since_kept: usize,
}

impl Reader {
    pub(super) fn new(
        folder: &Path,
        cursor: Option<Value>,
        notifier: Notifier,
        about: About,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            tail: None,
            cursor: cursor.and_then(|cursor| serde_json::from_value(cursor).ok()),
            notifier,
            about,
            clock,
            before: None,
            is_live: false,
            heartbeat: None,
            freshness: None,
            batch: Vec::new(),
            since_kept: 0,
        }
    }

    pub(super) fn with_heartbeat(self, heartbeat: Option<Heartbeat>) -> Self {
        Self { heartbeat, ..self }
    }

    /// The session is one on live bars.
    pub(super) fn on_live_bars(self, freshness: Freshness) -> Self {
        Self { freshness: Some(freshness), is_live: true, ..self }
    }

    /// Behind the cursor; without one, or where the journal has begun anew, with the segment that is written now.
    fn begin(&self, until: JournalPosition) -> JournalTail {
        match self.cursor {
            Some(cursor) if cursor <= until => JournalTail::behind(&self.folder, cursor),
            _ => JournalTail::at_segment(&self.folder, until.segment),
        }
    }

    fn take(&mut self, at: JournalPosition, record: &JournalRecord) {
        let now = self.clock.now();
        let time = time_of(record).unwrap_or(now);
        let is_from_before = self.before.is_some_and(|before| at <= before);
        if matches!(record, JournalRecord::Bar(_)) && !is_from_before {
            self.heartbeat.iter().for_each(Heartbeat::ping);
        }
        let age_ms = u128::try_from(now.millis_since(time)).unwrap_or(0);
        // Nobody needs to hear any more of what is older.
        if !(is_from_before && self.is_live && age_ms >= MAX_AGE.as_millis()) {
            self.batch.extend(notice_of(record, &self.about, time));
        }
    }

    /// Hands over what was found, with the place up to which it was looked.
    fn hand_over(&mut self, at: JournalPosition) -> Result<(), FollowError> {
        if self.batch.is_empty() && self.since_kept < KEEP_AFTER {
            return Ok(());
        }
        let cursor = serde_json::to_value(at).ok();
        let batch = Batch { notices: std::mem::take(&mut self.batch), cursor };
        self.since_kept = 0;
        self.notifier.offer_blocking(batch).map_err(|gone| FollowError::Other(gone.to_string()))
    }
}

impl Follower for Reader {
    fn name(&self) -> &'static str {
        "notices"
    }

    fn advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError> {
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => {
                self.before = Some(until);
                self.begin(until)
            }
        };
        let advanced = self.read(&mut tail, until);
        let at = tail.position();
        self.tail = Some(tail);
        let advanced = advanced?;
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        if let Some(freshness) = &mut self.freshness {
            self.batch.extend(freshness.look(&self.about, now, monotonic));
        }
        self.hand_over(at)?;
        Ok(advanced)
    }
}

impl Reader {
    fn read(&mut self, tail: &mut JournalTail, until: JournalPosition) -> Result<Advance, FollowError> {
        for _ in 0..BATCH {
            match tail.next(Some(until))? {
                None => return Ok(Advance::UpToDate),
                Some(Tailed::Gap { .. }) => {}
                Some(Tailed::Record(at, record)) => {
                    self.since_kept += 1;
                    self.take(at, &record);
                }
            }
        }
        Ok(Advance::More)
    }
}
