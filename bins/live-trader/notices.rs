//! Telling people what happens in the session, from its journal: no server and no database has a part in it, and the bar
//! loop none either.

mod follow;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward::notify::NotifyConfig;
use walkforward_core::Clock;
use walkforward_live::{FollowOptions, Speed, TraderHandle, follow};
use walkforward_notify::NotifyService;

use follow::{Freshness, Reader};
use words::About;

/// The outbox, in the journal's folder.
const FILE: &str = "notices.json";
/// How long the last notices may be on their way when the session has ended. What is left the next start sends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Those who tell. They work for as long as the session does, and a little longer.
pub(crate) struct Notices(Option<Working>);

struct Working {
    reader: JoinHandle<bool>,
    service: JoinHandle<()>,
}

impl Notices {
    /// Tells what happens in the session of `handle`, where `notify` says to whom. A replay at full speed tells nobody: it
    /// is over before anybody could do something about it.
    ///
    /// # Errors
    /// The address of the signs of life can't be used.
    pub(crate) fn start(
        config: &LiveConfig,
        notify: &NotifyConfig,
        handle: &TraderHandle,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let is_live = config.source.is_service();
        if !notify.is_on() || !(is_live || config.speed != Speed::Max) {
            return Ok(Self(None));
        }
        let (service, notifier) =
            NotifyService::open(notify.options(config.journal.join(FILE)), Arc::clone(clock));
        let cursor = service.cursor().cloned();
        let about =
            About { subject: format!("{} {}", config.line, config.symbol), link: notify.link("/paper") };
        let reader = Reader::new(&config.journal, cursor, notifier, about, Arc::clone(clock))
            .with_heartbeat(notify.heartbeat()?);
        let reader = if is_live { reader.on_live_bars(Freshness::of(config)) } else { reader };
        let reached = watch::Sender::new(None);
        let tell = Box::new(|words: &str| tracing::warn!("{words}"));
        let reading = follow(Box::new(reader), handle.synced(), reached, FollowOptions::default(), tell);
        Ok(Self(Some(Working { reader: tokio::spawn(reading), service: tokio::spawn(service.run()) })))
    }

    /// The session has ended: what happened last is told, as far as that does not take long.
    pub(crate) async fn end(self) {
        let Some(Working { reader, service }) = self.0 else { return };
        // With the reader its notifier is gone: the service ends when it has sent what it can.
        let _ = reader.await;
        let mut service = service;
        if tokio::time::timeout(LAST_WORDS, &mut service).await.is_err() {
            tracing::warn!("the last notices are not with everybody: the next start sends them");
            service.abort();
        }
    }
}
