//! Those who follow the session's journal: its projection into the store, and the watch over the champion.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use walkforward::live::LiveConfig;
use walkforward_core::Clock;
use walkforward_live::{
    FollowOptions, Follower, KeepStep, Notice, Projector, StoreAccess, Trader, TraderHandle, TraderMetrics,
    WatchOptions, Watchman, follow,
};
use walkforward_store::JournalPosition;

/// Bars that a replay may be ahead of the watch: a rollback takes effect within so many bars of its verdict.
const GUARD_STEP_BARS: u64 = 24;

/// How long each of them is waited for when the session has ended: longer than it tries by itself.
const END_WAIT: Duration = Duration::from_secs(10);

/// Those who follow a session. They work for as long as it does, and a little longer.
pub(crate) struct Followers {
    tasks: Vec<JoinHandle<bool>>,
}

impl Followers {
    /// Lets those follow `trader` that `config` asks for.
    pub(crate) fn start(
        config: &LiveConfig,
        mut trader: Trader,
        clock: &Arc<dyn Clock>,
        metrics: &TraderMetrics,
    ) -> (Trader, Self) {
        let beside = Beside { handle: trader.handle(), metrics: metrics.clone() };
        let access =
            || StoreAccess::new(config.data_dir.clone(), config.models_dir.clone(), Arc::clone(clock));
        let mut tasks = Vec::new();
        if config.project {
            let projector = Projector::new(&config.journal, access());
            tasks.push(beside.begin(Box::new(projector), watch::Sender::new(None)));
        }
        if let Some(guard) = config.guard {
            let options = WatchOptions {
                quarantine: guard.quarantine,
                challengers: guard.challengers,
                ..WatchOptions::new(config.journal.clone(), config.line.clone())
            };
            let telling = beside.handle.clone();
            let watchman = Watchman::new(options, access(), Box::new(move |notice| tell(&telling, notice)));
            let reached = watch::Sender::new(None);
            trader = trader.in_step_with(KeepStep::new(reached.subscribe(), GUARD_STEP_BARS));
            tasks.push(beside.begin(Box::new(watchman), reached));
        } else {
            let reason = "nobody watches over the champion in this session".to_owned();
            tell(&beside.handle, Notice::Lifted { reason });
        }
        (trader, Self { tasks })
    }

    /// Waits until they have taken what the session left, or have tried for long enough. What is left then, the next
    /// session's take.
    pub(crate) async fn end(self) {
        for task in self.tasks {
            let _ = tokio::time::timeout(END_WAIT, task).await;
        }
    }
}

/// The session that is followed.
struct Beside {
    handle: TraderHandle,
    metrics: TraderMetrics,
}

impl Beside {
    fn begin(
        &self,
        follower: Box<dyn Follower>,
        reached: watch::Sender<Option<JournalPosition>>,
    ) -> JoinHandle<bool> {
        let telling = self.handle.clone();
        let warn = Box::new(move |words: &str| tell(&telling, Notice::Warning { reason: words.to_owned() }));
        let options = FollowOptions { metrics: self.metrics.clone(), ..FollowOptions::default() };
        tokio::spawn(follow(follower, self.handle.synced(), reached, options, warn))
    }
}

fn tell(handle: &TraderHandle, notice: Notice) {
    if let Err(error) = handle.notify(notice) {
        tracing::warn!(%error, "the session was not told what its watch found");
    }
}
