//! Notices at once when a file is replaced.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Watches the folder of one file: a rename puts another file into its place, and the folder is what knows. Where there is
/// nothing to watch, and where the system tells nothing (a file system of the network), polls find what has changed.
pub(super) struct FileChanges {
    file: Option<PathBuf>,
    told: Arc<Told>,
    watcher: Option<RecommendedWatcher>,
    has_failed: bool,
}

#[derive(Default)]
struct Told {
    changed: Notify,
    /// The folder itself is another one now, or gone.
    is_over: AtomicBool,
}

impl FileChanges {
    /// Nothing is watched before [`watch`](Self::watch).
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        Self { file, told: Arc::default(), watcher: None, has_failed: false }
    }

    /// What waits for a change. A change that nobody waits for is kept for the next one who does.
    pub(super) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let told = Arc::clone(&self.told);
        async move { told.changed.notified().await }
    }

    /// Begins to watch where that has not begun: the folder may come later, or come again. It may block. After a failure
    /// only with `retry`, and the failure is told once. Whoever looks at the file after this misses no change of it.
    pub(super) fn watch(&mut self, retry: bool) {
        if self.told.is_over.swap(false, Ordering::SeqCst) {
            self.watcher = None;
        }
        let Some(file) = &self.file else { return };
        let Some((folder, name)) = file.parent().zip(file.file_name()) else { return };
        if self.watcher.is_some() || !folder.is_dir() || (self.has_failed && !retry) {
            return;
        }
        match watched(folder, name, &self.told) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) if !self.has_failed => {
                self.has_failed = true;
                let folder = folder.display();
                tracing::warn!(%folder, %error, "the folder can't be watched: it is looked at from time to time");
            }
            Err(_) => {}
        }
    }
}

fn watched(folder: &Path, name: &OsStr, told: &Arc<Told>) -> notify::Result<RecommendedWatcher> {
    let (name, folder_path, told) = (name.to_owned(), folder.to_owned(), Arc::clone(told));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // What can't be told apart is looked at.
        let Ok(event) = event else { return told.changed.notify_one() };
        let is_of = |path: &PathBuf| path.file_name() == Some(name.as_os_str());
        let is_over = event.kind.is_remove() && event.paths.contains(&folder_path);
        if is_over {
            told.is_over.store(true, Ordering::SeqCst);
        }
        if is_over || event.need_rescan() || (is_change(event.kind) && event.paths.iter().any(is_of)) {
            told.changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Reading the file is none: each look would bring about another.
fn is_change(kind: EventKind) -> bool {
    !kind.is_access()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    /// Longer than the system takes to tell.
    const SHORT: Duration = Duration::from_millis(100);

    fn put(file: &Path, text: &str) {
        walkforward_durable::write_atomic(file, text.as_bytes()).unwrap();
    }

    async fn is_told(changes: &FileChanges, within: Duration) -> bool {
        tokio::time::timeout(within, changes.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_rename_over_the_file_is_told_and_reading_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("latest.json");
        put(&file, "1");
        let mut changes = FileChanges::of(Some(file.clone()));
        changes.watch(false);
        std::fs::read(&file).unwrap();
        put(&folder.path().join("other.json"), "1");
        assert!(!is_told(&changes, SHORT).await);
        put(&file, "2");
        assert!(is_told(&changes, LONG).await);
        while is_told(&changes, SHORT).await {}
        std::fs::remove_file(&file).unwrap();
        assert!(is_told(&changes, LONG).await);
    }

    #[tokio::test]
    async fn a_folder_that_comes_later_or_comes_again_is_watched_from_then_on() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("lines/btc");
        let file = folder.join("latest.json");
        let mut changes = FileChanges::of(Some(file.clone()));
        changes.watch(false);
        for _ in 0..2 {
            std::fs::create_dir_all(&folder).unwrap();
            changes.watch(false);
            put(&file, "1");
            assert!(is_told(&changes, LONG).await);
            std::fs::remove_dir_all(&folder).unwrap();
            assert!(is_told(&changes, LONG).await);
            while is_told(&changes, SHORT).await {}
        }
    }

    #[tokio::test]
    async fn without_a_file_nothing_is_told() {
        let mut changes = FileChanges::of(None);
        changes.watch(true);
        assert!(!is_told(&changes, SHORT).await);
    }
}
