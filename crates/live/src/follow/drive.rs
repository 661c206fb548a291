//! Letting a follower work beside a session.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use walkforward_store::{JournalPosition, StoreError};

use crate::{LiveError, TraderMetrics};

/// How a batch of a follower went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// It has taken all records that there are.
    UpToDate,
    /// There are more.
    More,
}

/// Why a follower can't go on now.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The journal can't be read.
    #[error(transparent)]
    Journal(#[from] LiveError),
    /// The store failed.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// There is no database.
    #[error("there is no database in '{}' yet", data_dir.display())]
    NoDatabase {
        /// The data folder.
        data_dir: PathBuf,
    },
    /// What it was made of can't be used as it is now.
    #[error("{0}")]
    Other(String),
}

/// Somebody who takes what a journal says.
pub trait Follower: Send + 'static {
    /// What it does, in a word: for logs, and as one of [`FOLLOWERS`](crate::FOLLOWERS) in metrics.
    fn name(&self) -> &'static str;

    /// Takes a bounded batch of the records up to `until`, which are on the disk. May block. After an error it is called
    /// again with all that it has not taken.
    ///
    /// # Errors
    /// It can't go on now.
    fn advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError>;
}

/// How long a follower waits after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first time; twice as long each time after.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
    /// How long it goes on trying when the session has ended.
    pub at_end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let (first, longest) = (Duration::from_millis(250), Duration::from_secs(60));
        Self { first, longest, at_end: Duration::from_secs(5) }
    }
}

/// How a follower is let work.
#[derive(Clone, Default)]
pub struct FollowOptions {
    /// How long it waits after a failure.
    pub patience: Patience,
    /// Who is shown how far it lags behind.
    pub metrics: TraderMetrics,
}

/// Tells a person something, at most once for each time that a follower begins to fail.
pub type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// Lets `follower` take what comes through `synced`, until the session has ended and all is taken, or it has failed for too
/// long after that. What it has come to goes into `reached`. Whether it has taken all.
pub async fn follow(
    follower: Box<dyn Follower>,
    mut synced: watch::Receiver<Option<JournalPosition>>,
    reached: watch::Sender<Option<JournalPosition>>,
    options: FollowOptions,
    tell: Tell,
) -> bool {
    let name = follower.name();
    let FollowOptions { patience, metrics } = options;
    let mut work = Work {
        follower: Some(follower),
        tell,
        patience,
        wait: None,
        has_told: false,
        since_end: Duration::ZERO,
    };
    loop {
        // In this order: what was told before the end is read after it.
        let is_over = synced.has_changed().is_err();
        let until = *synced.borrow_and_update();
        metrics.follower_lag(name, lag(until, *reached.borrow()));
        if let Some(until) = until
            && *reached.borrow() != Some(until)
        {
            match work.advance(until).await {
                Went::UpToDate => {
                    reached.send_replace(Some(until));
                    metrics.follower_lag(name, 0);
                    continue;
                }
                Went::More => continue,
                Went::Failed if work.rest(is_over, &mut synced).await => continue,
                Went::Waits if !is_over && work.rest(is_over, &mut synced).await => continue,
                Went::Failed | Went::Waits | Went::Died => return false,
            }
        }
        if is_over {
            return true;
        }
        // Whether it changed or ended, the next turn sees.
        let _ = synced.changed().await;
    }
}

/// Records up to `synced` that a follower at `reached` has not seen; where it is in an earlier segment, those of the newest.
fn lag(synced: Option<JournalPosition>, reached: Option<JournalPosition>) -> u64 {
    match (synced, reached) {
        (Some(synced), Some(reached)) if synced.segment == reached.segment => {
            synced.record.saturating_sub(reached.record)
        }
        (Some(synced), _) => synced.record,
        (None, _) => 0,
    }
}

enum Went {
    UpToDate,
    More,
    Failed,
    /// There is nothing yet that it could work with.
    Waits,
    Died,
}

struct Work {
    /// None while it works, and when it has panicked.
    follower: Option<Box<dyn Follower>>,
    tell: Tell,
    patience: Patience,
    /// How long it waits now; none while it does not fail.
    wait: Option<Duration>,
    /// Whether a person knows that it fails.
    has_told: bool,
    /// How long it has waited since the session ended.
    since_end: Duration,
}

impl Work {
    async fn advance(&mut self, until: JournalPosition) -> Went {
        let Some(mut follower) = self.follower.take() else { return Went::Died };
        let name = follower.name();
        let worked = tokio::task::spawn_blocking(move || {
            let went = follower.advance(until);
            (follower, went)
        });
        let (follower, went) = match worked.await {
            Ok(worked) => worked,
            Err(error) => {
                tracing::error!(name, %error, "a follower of the session has stopped");
                (self.tell)(&format!("the {name} of the session has stopped for good: {error}"));
                return Went::Died;
            }
        };
        self.follower = Some(follower);
        match went {
            Ok(went) => {
                self.wait = None;
                if std::mem::take(&mut self.has_told) {
                    tracing::info!(name, "gets on again");
                }
                if went == Advance::More { Went::More } else { Went::UpToDate }
            }
            Err(error @ FollowError::NoDatabase { .. }) => {
                tracing::debug!(name, %error, "waits");
                Went::Waits
            }
            Err(error) => {
                self.note(name, &error);
                Went::Failed
            }
        }
    }

    /// Tells a person when failures begin.
    fn note(&mut self, name: &'static str, error: &FollowError) {
        if std::mem::replace(&mut self.has_told, true) {
            tracing::debug!(name, %error, "does not get on still");
            return;
        }
        tracing::warn!(name, %error, "does not get on; the trade goes on, and it tries again");
        (self.tell)(&format!("the {name} of the session does not get on, and tries again: {error}"));
    }

    /// Waits before the next try; whether there is one.
    async fn rest(&mut self, is_over: bool, synced: &mut watch::Receiver<Option<JournalPosition>>) -> bool {
        let wait = self.wait.map_or(self.patience.first, |wait| (wait * 2).min(self.patience.longest));
        self.wait = Some(wait);
        if is_over {
            if self.since_end >= self.patience.at_end {
                return false;
            }
            let wait = wait.min(self.patience.at_end - self.since_end);
            self.since_end += wait;
            tokio::time::sleep(wait).await;
            return true;
        }
        // The end of the session cuts a long wait short.
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = closed(synced) => {}
        }
        true
    }
}

/// Waits until nobody writes the journal any more.
async fn closed(synced: &mut watch::Receiver<Option<JournalPosition>>) {
    while synced.changed().await.is_ok() {}
}
