//! Telling people what happens on the server: from the store's list of events, and from what it looks at itself.

mod checks;
mod events;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use walkforward::failure::Failure;
use walkforward::notify::{NotifyConfig, ServerChecks, Teller};
use walkforward_core::{Clock, Timestamp};
use walkforward_notify::{Batch, Heartbeat, MAX_AGE, Notice, Notifier, NotifyService};
use walkforward_store::{Store, StoreError};

use crate::home::Home;
use checks::Checks;
use summary::Summary;

/// The outbox, in the data folder.
const FILE: &str = "notices.json";
/// Between two looks at the events.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at schedules, disks and champions.
const CHECK: Duration = Duration::from_secs(60);
/// Events that are read at once.
const EVENTS: u32 = 200;
/// Events after which the place is kept although nothing was told.
const KEEP_AFTER: i64 = 1_000;
/// How long the last notices may be on their way when the server stops. What is left the next start sends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Those who tell, until they are ended.
pub(super) struct Notices(Option<Working>);

struct Working {
    stop: Arc<Notify>,
    watch: JoinHandle<()>,
    service: JoinHandle<()>,
}

impl Notices {
    /// Tells what happens in `home` from now on, where the settings say to whom; after a restart, from where the process
    /// before had come to.
    ///
    /// # Errors
    /// A setting or an address can't be used, or the store can't be read.
    pub(super) fn start(home: &Home) -> Result<Self, Failure> {
        let config = NotifyConfig::from_settings(&home.settings, Teller::Server)?;
        let checks = ServerChecks::from_settings(&home.settings)?;
        let summary = Summary::new(&checks)?;
        if !config.is_on() {
            return Ok(Self(None));
        }
        let file = home.folders.data_dir.join(FILE);
        let (service, notifier) = NotifyService::open(config.options(file), Arc::clone(&home.clock));
        let known = service.cursor().and_then(|cursor| serde_json::from_value(cursor.clone()).ok());
        let place = match known {
            Some(place) => place,
            // What happened before anybody wanted to know is not told.
            None => Place {
                event: home.store.last_event().map_err(|error| Failure::from(&error))?,
                summary: None,
            },
        };
        let watch = Watch {
            checks: Checks::new(home, checks, config.clone()),
            heartbeat: config.heartbeat()?,
            store: Arc::clone(&home.store),
            clock: Arc::clone(&home.clock),
            started_at: home.clock.now(),
            config,
            summary,
            kept: place.event,
            place,
            checked_at: None,
            fails: false,
        };
        let stop = Arc::new(Notify::new());
        let watch = tokio::spawn(watch.run(notifier, Arc::clone(&stop)));
        Ok(Self(Some(Working { stop, watch, service: tokio::spawn(service.run()) })))
    }

    /// Tells what has happened by now, as far as that does not take long.
    pub(super) async fn end(self) {
        let Some(Working { stop, watch, mut service }) = self.0 else { return };
        stop.notify_one();
        let ended = tokio::time::timeout(LAST_WORDS, async {
            let _ = watch.await;
            let _ = (&mut service).await;
        });
        if ended.await.is_err() {
            tracing::warn!("the last notices are not with everybody: the next start sends them");
            service.abort();
        }
    }
}

/// Up to where it has told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Number of the last event.
    event: i64,
    /// When the next summary is due.
    summary: Option<Timestamp>,
}

/// Looks at everything that is told.
struct Watch {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    config: NotifyConfig,
    checks: Checks,
    summary: Option<Summary>,
    heartbeat: Option<Heartbeat>,
    started_at: Timestamp,
    place: Place,
    /// The last event of which the outbox knows.
    kept: i64,
    /// By the clock's monotonic time.
    checked_at: Option<Duration>,
    /// Whether the log has it that the store can't be read.
    fails: bool,
}

impl Watch {
    async fn run(mut self, notifier: Notifier, stop: Arc<Notify>) {
        let mut is_last = false;
        loop {
            let looking = tokio::task::spawn_blocking(move || {
                let batch = self.look();
                (self, batch)
            });
            let Ok((watch, batch)) = looking.await else {
                return tracing::error!(
                    "nobody tells what happens any more: the look at the store broke off"
                );
            };
            self = watch;
            if let Some(batch) = batch
                && notifier.offer(batch).await.is_err()
            {
                return;
            }
            if is_last {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.notified() => is_last = true,
            }
        }
    }

    /// What is to be told now, if anything. It blocks.
    fn look(&mut self) -> Option<Batch> {
        let before = self.place.clone();
        let mut notices = Vec::new();
        if let Err(error) = self.read(&mut notices) {
            if !std::mem::replace(&mut self.fails, true) {
                tracing::error!(%error, "what happens can't be read, and so is not told");
            }
            // What was found comes again with the rest.
            self.place = before;
            return None;
        }
        self.fails = false;
        let is_due = !notices.is_empty()
            || self.place.summary != before.summary
            || self.place.event - self.kept >= KEEP_AFTER;
        if !is_due {
            return None;
        }
        self.kept = self.place.event;
        Some(Batch { notices, cursor: serde_json::to_value(&self.place).ok() })
    }

    fn read(&mut self, notices: &mut Vec<Notice>) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.read_events(now, notices)?;
        let monotonic = self.clock.monotonic();
        if self.checked_at.is_none_or(|at| monotonic.saturating_sub(at) >= CHECK) {
            notices.extend(self.checks.look(now)?);
            self.checked_at = Some(monotonic);
        }
        if let Some(summary) = &self.summary {
            notices.extend(summary.look(&mut self.place.summary, &mut self.checks, now)?);
        }
        Ok(())
    }

    fn read_events(&mut self, now: Timestamp, notices: &mut Vec<Notice>) -> Result<(), StoreError> {
        loop {
            let events = self.store.events_after(self.place.event, EVENTS)?;
            for event in &events {
                self.place.event = event.seq;
                if u128::try_from(now.millis_since(event.time)).unwrap_or(0) >= MAX_AGE.as_millis() {
                    continue;
                }
                if events::ends_a_cycle(&event.kind) && event.time >= self.started_at {
                    self.heartbeat.iter().for_each(Heartbeat::ping);
                }
                notices.extend(events::notice_of(event, &self.config));
            }
            if events.is_empty() {
                return Ok(());
            }
        }
    }
}
