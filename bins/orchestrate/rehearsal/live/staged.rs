//! A feed that makes something happen before certain bars, and waits until the trader has seen it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use walkforward_core::{Bar, BarFeed, ErrorKind, SourceError, Timestamp};
use walkforward_live::{ChampionError, ChampionLook, ChampionSource};

/// Something that happens; else why it could not.
pub(super) type Event = Box<dyn FnMut() -> Result<(), String> + Send>;

/// Looks at the pointer after which an event has been seen: one may be under way, one sees it, and the next begins when
/// that one has loaded the model.
const LOOKS: u64 = 3;
/// Time between two questions whether that many have been taken.
const WAIT: Duration = Duration::from_millis(1);
/// After so long the trader does not look any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bars one by one, with events before some of them.
pub(super) struct StagedFeed {
    bars: VecDeque<Bar>,
    events: VecDeque<(Timestamp, Event)>,
    looks: Arc<AtomicU64>,
}

impl StagedFeed {
    /// `bars`, with each of `events` before the first bar that does not start earlier; `looks` are counted by whoever
    /// looks at the pointer.
    pub(super) fn new(bars: Vec<Bar>, events: Vec<(Timestamp, Event)>, looks: Arc<AtomicU64>) -> Self {
        Self { bars: bars.into(), events: events.into(), looks }
    }

    async fn happen(&mut self, mut event: Event) -> Result<(), SourceError> {
        let failed = |message: String| SourceError { kind: ErrorKind::Bug, message };
        event().map_err(failed)?;
        let seen = self.looks.load(Ordering::SeqCst) + LOOKS;
        let looked = async {
            while self.looks.load(Ordering::SeqCst) < seen {
                tokio::time::sleep(WAIT).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, looked).await;
        waited.map_err(|_| failed("the trader does not look at its pointer any more".to_owned()))
    }
}

#[async_trait]
impl BarFeed for StagedFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        let Some(bar) = self.bars.pop_front() else { return Ok(None) };
        while self.events.front().is_some_and(|(at, _)| *at <= bar.open_time()) {
            if let Some((_, event)) = self.events.pop_front() {
                self.happen(event).await?;
            }
        }
        Ok(Some(bar))
    }
}

/// Counts the looks at a champion.
pub(super) struct Counted<S> {
    pub(super) source: S,
    pub(super) looks: Arc<AtomicU64>,
}

impl<S: ChampionSource> ChampionSource for Counted<S> {
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.source.look(again)
    }
}
