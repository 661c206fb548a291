//! Those who follow the session's journal: its projection into the store, and the watch over the champion.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use walkforward::live::LiveConfig;
use walkforward_core::Clock;
use walkforward_live::{
    FollowOptions, Follower, KeepStep, Notice, Projector, StoreAccess, Trader, TraderHandle, TraderMetrics,
    WatchOptions, WatchReport, Watchman, follow,
};
use walkforward_store::JournalPosition;

/// Bars that a replay may be ahead of the watch: a rollback takes effect within so many bars of its verdict.
const GUARD_STEP_BARS: u64 = 24;

/// Those who follow a session. They work for as long as it does, and a little longer.
pub(crate) struct Followers {
    tasks: Vec<(&'static str, JoinHandle<bool>)>,
    /// Those that have ended and have not taken all.
    left: Vec<&'static str>,
    /// Where the watch is; none where nobody watches.
    report: Option<watch::Receiver<WatchReport>>,
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
        let (mut tasks, mut report) = (Vec::new(), None);
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
            report = Some(watchman.report());
            let reached = watch::Sender::new(None);
            trader = trader.in_step_with(KeepStep::new(reached.subscribe(), GUARD_STEP_BARS));
            tasks.push(beside.begin(Box::new(watchman), reached));
        } else {
            let reason = "nobody watches over the champion in this session".to_owned();
            tell(&beside.handle, Notice::Lifted { reason });
        }
        (trader, Self { tasks, left: Vec::new(), report })
    }

    /// Waits until they have taken what the session left, or have tried for long enough. Cancel safe.
    pub(crate) async fn end(&mut self) {
        while let Some((name, task)) = self.tasks.first_mut() {
            match task.await {
                Ok(true) => {}
                _ => self.left.push(name),
            }
            self.tasks.remove(0);
        }
    }

    /// Where the watch over the champion is.
    pub(crate) fn watched(&self) -> Option<WatchReport> {
        self.report.as_ref().map(|report| report.borrow().clone())
    }

    /// Says who has not taken all of it. What is left, the next session's take.
    pub(crate) fn tell_what_is_left(&self) {
        for name in self.left.iter().chain(self.tasks.iter().map(|(name, _)| name)) {
            tracing::warn!("the {name} has not taken all of the journal: the next session's takes the rest");
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
    ) -> (&'static str, JoinHandle<bool>) {
        let (name, telling) = (follower.name(), self.handle.clone());
        let warn = Box::new(move |words: &str| tell(&telling, Notice::Warning { reason: words.to_owned() }));
        let options = FollowOptions { metrics: self.metrics.clone(), ..FollowOptions::default() };
        (name, tokio::spawn(follow(follower, self.handle.synced(), reached, options, warn)))
    }
}

fn tell(handle: &TraderHandle, notice: Notice) {
    if let Err(error) = handle.notify(notice) {
        tracing::warn!(%error, "the session was not told what its watch found");
    }
}
