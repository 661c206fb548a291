//! Waiting for the locks between processes, never without end.

use std::path::Path;
use std::time::Duration;

use walkforward_core::{Clock, Timestamp};
use walkforward_durable::{Error, FileLock, Holder};

use crate::{RunLockHeld, StoreError};

/// How long an operation waits for another process. Whoever holds a lock of the store holds it for a few writes, or
/// while it recovers.
pub(crate) const MAX_LOCK_WAIT: Duration = Duration::from_secs(30);

/// Takes the lock at `path`, waiting at most `longest` for it.
pub(crate) fn exclusive(path: &Path, clock: &dyn Clock, longest: Duration) -> Result<FileLock, StoreError> {
    match FileLock::exclusive_within(path, clock.now().as_millis(), longest) {
        Err(Error::Held { path, holder }) => {
            Err(StoreError::LockHeld { path, holder: held_by(holder, clock.now()), waited: longest })
        }
        result => Ok(result?),
    }
}

/// Who holds a lock, and for how long at `now`.
pub(crate) fn held_by(holder: Option<Holder>, now: Timestamp) -> RunLockHeld {
    let age = |since_ms: i64| u64::try_from(now.as_millis().saturating_sub(since_ms)).unwrap_or(0);
    RunLockHeld {
        pid: holder.map(|holder| holder.pid),
        age: holder.map(|holder| Duration::from_millis(age(holder.since_ms))),
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::ManualClock;

    use super::*;

    #[test]
    fn who_waits_in_vain_learns_who_holds_the_lock_and_for_how_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.lock");
        let clock = ManualClock::at("2024-01-01T00:00:00Z".parse().unwrap());
        let _lock = exclusive(&path, &clock, Duration::ZERO).unwrap();
        clock.set("2024-01-01T00:00:45Z".parse().unwrap());
        let error = exclusive(&path, &clock, Duration::from_millis(40)).unwrap_err();
        let text = error.to_string();
        let expected = format!("held by process {} for 45 s", std::process::id());
        assert!(text.contains("store.lock") && text.contains(&expected), "{text}");
        assert_eq!(error.kind(), walkforward_core::ErrorKind::Retry);
    }
}
