//! A running session, watched and steered: in its own process (`commands`, `acts`, `events`), and through its socket
//! (`socket`).

#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "../live/common.rs"]
#[allow(dead_code, reason = "what the tests of the live trader share is more than these need")]
mod common;

mod acts;
mod commands;
mod events;
mod socket;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use walkforward_core::{
    Bar, BarFeed, CancelToken, ControlCommand, ControlError, ModelRef, Reason, SessionControl, SessionStatus,
    SourceError,
};
use walkforward_live::{LiveError, SessionSummary, Trader, TraderHandle, TraderOptions};

use common::{Champion, Walk, Workplace, features, ports, spec, write_inclined_model};

/// Gives the bars that a test hands in, and ends with it.
struct HandFeed(mpsc::Receiver<Bar>);

#[async_trait]
impl BarFeed for HandFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        Ok(self.0.recv().await)
    }
}

/// A running session whose bars come when the test says so.
struct Session {
    handle: TraderHandle,
    champion: Champion,
    walk: Walk,
    bars: mpsc::Sender<Bar>,
    running: JoinHandle<Result<SessionSummary, LiveError>>,
}

/// A model that is long whatever happens.
fn eager(place: &Workplace, number: usize) -> ModelRef {
    write_inclined_model(&place.models_dir(), number, &spec(features()), 100.0)
}

fn reason() -> Reason {
    "a test".parse().unwrap()
}

impl Session {
    async fn start(place: &Workplace) -> Self {
        Self::start_with(place, place.options(), 0).await
    }

    /// Starts behind `bar` bars of the walk.
    async fn start_with(place: &Workplace, options: TraderOptions, bar: usize) -> Self {
        let champion = Champion::of(&eager(place, 1));
        let (bars, feed) = mpsc::channel(16);
        let ports = ports(Box::new(HandFeed(feed)), Box::new(champion.clone()));
        let trader = Trader::new(options, ports, CancelToken::default()).unwrap();
        let handle = trader.handle();
        let running = tokio::spawn(trader.run());
        handle.begun().await.unwrap();
        let mut walk = Walk::new(3);
        while walk.index < bar {
            walk.next_bar();
        }
        Self { handle, champion, walk, bars, running }
    }

    /// Lets `count` bars close.
    async fn bars(&mut self, count: usize) {
        let before = self.handle.status().bars;
        for _ in 0..count {
            self.bars.send(self.walk.next_bar()).await.unwrap();
        }
        while self.handle.status().bars < before + count as u64 {
            tokio::task::yield_now().await;
        }
    }

    async fn ask(&self, command: ControlCommand) -> SessionStatus {
        self.handle.ask(command).await.unwrap()
    }

    async fn refused(&self, command: ControlCommand) -> ControlError {
        self.handle.ask(command).await.unwrap_err()
    }

    async fn status(&self) -> SessionStatus {
        self.ask(ControlCommand::Status {}).await
    }

    async fn pause(&self) -> SessionStatus {
        self.ask(ControlCommand::Pause { reason: reason() }).await
    }

    async fn kill(&self, flatten: bool) -> SessionStatus {
        self.ask(ControlCommand::Kill { reason: reason(), flatten }).await
    }

    async fn resume(&self, acknowledge: Option<Reason>) -> SessionStatus {
        self.ask(ControlCommand::Resume { acknowledge }).await
    }

    /// Lets the feed end.
    async fn end(self) -> SessionSummary {
        drop(self.bars);
        self.running.await.unwrap().unwrap()
    }
}
