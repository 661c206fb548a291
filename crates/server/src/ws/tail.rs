//! Follows the table of events, which other processes write as well.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use walkforward_store::{Store, StoreError};

use super::Hub;
use super::hub::Change;
use super::message::change_of;

/// Events of other processes are seen after this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events that are read at once.
pub(super) const CHUNK: u32 = 500;

/// Tells what is recorded from now on, for ever.
pub(super) async fn follow(hub: Hub, store: Arc<Store>) {
    let mut seen = loop {
        match ask(&store, Store::last_event).await {
            Some(seen) => break seen,
            None => sleep(LOOK_EVERY).await,
        }
    };
    hub.open(seen);
    loop {
        // A word that came while this read is kept by the hub.
        let _ = timeout(LOOK_EVERY, hub.recorded()).await;
        while let Some(changes) = ask(&store, move |store| changes_after(store, seen)).await {
            let is_all = (changes.len() as u64) < u64::from(CHUNK);
            if let Some(last) = changes.last() {
                seen = last.seq;
                hub.take_in(changes);
            }
            if is_all {
                break;
            }
        }
    }
}

/// The next events after number `seq`, as they are told.
pub(super) fn changes_after(store: &Store, seq: i64) -> Result<Vec<Change>, StoreError> {
    let events = store.events_after(seq, CHUNK)?;
    Ok(events.into_iter().map(|event| change_of(store, event)).collect())
}

/// Asks the store away from the tasks that answer; none when it can't say, which is logged.
pub(super) async fn ask<T: Send + 'static>(
    store: &Arc<Store>,
    question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Option<T> {
    let store = Arc::clone(store);
    match tokio::task::spawn_blocking(move || question(&store)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the events can't be read at present");
            None
        }
        Err(error) => {
            tracing::error!(%error, "reading the events broke off");
            None
        }
    }
}
