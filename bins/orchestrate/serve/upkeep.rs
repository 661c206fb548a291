//! Retention by the server: at its start and once a day.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use walkforward::failure::Failure;
use walkforward::retention::RetentionConfig;
use walkforward_core::Clock;
use walkforward_store::{Store, StoreError};

use crate::home::Home;
use crate::models::Removal;

/// Time from one removal to the next.
const EVERY: Duration = Duration::from_secs(86_400);
/// Models and folders that the event of a removal names.
const MAX_NAMED: usize = 100;
/// The event of a removal.
const PRUNED: &str = "retention_pruned";

/// What the server takes away, and when.
pub(super) struct Upkeep {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    config: RetentionConfig,
}

impl Upkeep {
    /// What the settings of `home` say.
    ///
    /// # Errors
    /// A setting can't be used.
    pub(super) fn new(home: &Home) -> Result<Self, Failure> {
        let config = RetentionConfig::from_settings(&home.settings)?;
        Ok(Self { store: Arc::clone(&home.store), clock: Arc::clone(&home.clock), config })
    }

    /// Begins, unless the settings say that nothing is to be taken away.
    pub(super) fn start(self) -> Going {
        let Self { store, clock, config } = self;
        Going(config.prunes.then(|| tokio::spawn(again_and_again(store, clock, config))))
    }
}

/// The task; it ends when this is dropped. A removal that is under way then is finished by the next start.
pub(super) struct Going(Option<JoinHandle<()>>);

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// A removal that fails, say because a lock is held, is tried again on the next day.
async fn again_and_again(store: Arc<Store>, clock: Arc<dyn Clock>, config: RetentionConfig) {
    loop {
        let worker = Arc::clone(&store);
        match tokio::task::spawn_blocking(move || once(&worker, &config)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "old models could not be pruned; tried again in a day"),
            Err(error) => {
                tracing::error!(%error, "the pruning of old models broke off; tried again in a day")
            }
        }
        let next = clock.now().plus_millis(i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX));
        clock.sleep_until(next).await;
    }
}

/// Takes away what is old, and records what that was; nothing is recorded where nothing went.
fn once(store: &Store, config: &RetentionConfig) -> Result<(), StoreError> {
    let removal = Removal::carry_out(store, None, config)?;
    if removal.is_empty() {
        return Ok(());
    }
    store.record_event(PRUNED, &payload(&removal)).map(drop)
}

fn payload(removal: &Removal) -> Value {
    let Removal { weights, work, evidence, sessions } = removal;
    let named = weights.removed.iter().take(MAX_NAMED);
    let named = named.map(|model| json!({ "model": model.model, "line": model.line, "bytes": model.bytes }));
    json!({
        "models": weights.removed.len(),
        "models_named": named.collect::<Vec<_>>(),
        "weights_bytes": weights.freed_bytes,
        "stayed": weights.stayed.len(),
        "work_folders": work.folders.len(),
        "work_bytes": work.bytes,
        "evaluations": evidence.evaluations.len(),
        "etl_records": evidence.etl_records.len(),
        "evidence_bytes": evidence.bytes,
        "sessions": sessions.sessions.len(),
        "session_rows": sessions.rows,
    })
}

#[cfg(test)]
mod tests {
    use walkforward_core::{ManualClock, Timestamp};
    use walkforward_store::RetentionPolicy;

    use super::*;

    fn config() -> RetentionConfig {
        let policy = RetentionPolicy { keep_last: 0, keep_days: 1, reproducible_days: 0 };
        RetentionConfig { prunes: true, policy, evidence_days: 30, keep_sessions: 20 }
    }

    #[test]
    fn what_went_is_one_event_and_where_nothing_went_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let start: Timestamp = "2024-03-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock.clone()).unwrap();
        std::fs::write(dir.path().join("data/etl/etl-2024-03-01T00-00-00-000Z.json"), "{}").unwrap();
        once(&store, &config()).unwrap();
        assert_eq!(store.events_after(0, 10).unwrap(), []);
        clock.set(start.plus_millis(31 * 86_400_000));
        once(&store, &config()).unwrap();
        once(&store, &config()).unwrap();
        let events = store.events_after(0, 10).unwrap();
        assert_eq!((events.len(), events[0].kind.as_str()), (1, PRUNED));
        assert_eq!(
            (&events[0].payload["etl_records"], &events[0].payload["evidence_bytes"]),
            (&1.into(), &2.into())
        );
    }

    /// A clock whose sleeps end at once, as many of them as the test lets pass.
    struct Days {
        inner: ManualClock,
        pass: tokio::sync::Semaphore,
    }

    #[async_trait::async_trait]
    impl Clock for Days {
        fn now(&self) -> Timestamp {
            self.inner.now()
        }

        fn monotonic(&self) -> Duration {
            self.inner.monotonic()
        }

        async fn sleep_until(&self, deadline: Timestamp) {
            self.pass.acquire().await.unwrap().forget();
            self.inner.sleep_until(deadline).await;
        }
    }

    #[tokio::test]
    async fn it_looks_at_the_start_and_once_a_day_and_a_failure_does_not_end_it() {
        let dir = tempfile::tempdir().unwrap();
        let start: Timestamp = "2024-03-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(Days { inner: ManualClock::at(start), pass: tokio::sync::Semaphore::new(5) });
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock.clone()).unwrap();
        let etl = dir.path().join("data/etl");
        std::fs::write(etl.join("etl-2024-03-01T00-00-00-000Z.json"), "{}").unwrap();
        // For a few days nothing can be looked at.
        let hidden = dir.path().join("data/hidden");
        std::fs::rename(&etl, &hidden).unwrap();
        std::fs::write(&etl, "in the way").unwrap();
        let store = Arc::new(store);
        let task = tokio::spawn(again_and_again(Arc::clone(&store), clock.clone(), config()));
        while clock.inner.now() < start.plus_millis(5 * 86_400_000) {
            tokio::task::yield_now().await;
        }
        std::fs::remove_file(&etl).unwrap();
        std::fs::rename(&hidden, &etl).unwrap();
        clock.pass.add_permits(35);
        while store.events_after(0, 10).unwrap().is_empty() {
            assert!(!task.is_finished());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let event = store.events_after(0, 10).unwrap().remove(0);
        let day = event.time.millis_since(start) / 86_400_000;
        assert!((30..=32).contains(&day), "{event:?}");
        task.abort();
    }
}
