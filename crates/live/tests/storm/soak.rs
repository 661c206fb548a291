//! Three days of minutes: what they come to does not depend on who is ended in the middle, and the journal stays small.
//! `cargo run --release -p walkforward-live --example soak` runs two years.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walkforward_live::{JournalBounds, verify_journal};

use crate::alone;
use crate::world::{OnMonth, Soak, ledger_hash, segments, trade};

const SOAK: Soak = Soak {
    months: 6,
    month_bars: 720,
    bounds: JournalBounds { segment_bytes: 200_000, keep_segments: 3 },
    history_bars: 256,
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Trades to the end; segments and bytes of the journal at each month.
fn to_the_end(folder: &Path) -> Vec<(usize, u64)> {
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let (noted, place) = (Arc::clone(&seen), folder.to_owned());
    let on_month: OnMonth = Box::new(move |_| noted.lock().unwrap().push(segments(&place)));
    let summary = runtime().block_on(trade(folder, SOAK, on_month)).unwrap();
    assert_eq!((summary.refused_models, summary.no_model_bars), (0, 0));
    assert!(summary.fills > 50, "{} fills", summary.fills);
    let verified = verify_journal(&folder.join("journal"), &folder.join("models")).unwrap();
    assert!(verified.is_identical(), "{verified:?}");
    seen.lock().unwrap().clone()
}

/// Trades until a month has begun, and a little longer; then the process is gone, and what it wrote last is torn.
fn until(folder: &Path, end: usize) {
    let reached = Arc::new(tokio::sync::Notify::new());
    let notified = Arc::clone(&reached);
    let on_month: OnMonth = Box::new(move |month| {
        if month == end {
            notified.notify_one();
        }
    });
    let (runtime, place) = (runtime(), folder.to_owned());
    runtime.block_on(async {
        let trading = tokio::spawn(async move { trade(&place, SOAK, on_month).await });
        reached.notified().await;
        tokio::time::sleep(Duration::from_millis(3)).await;
        trading.abort();
        assert!(trading.await.is_err_and(|error| error.is_cancelled()), "it was ended in the middle");
    });
    drop(runtime);
    let journal = std::fs::read_dir(folder.join("journal")).unwrap();
    let newest = journal.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).max();
    let mut file = OpenOptions::new().append(true).open(newest.unwrap()).unwrap();
    file.write_all(b"0123456789abcdef {\"record\":\"bar\",\"open_ti").unwrap();
}

#[test]
fn days_of_minutes_come_to_the_same_ledger_whoever_is_ended_in_the_middle_and_the_journal_stays_small() {
    let _alone = alone();
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seen = to_the_end(whole.path());
    assert_eq!(seen.len(), SOAK.months + 1);
    for (count, bytes) in &seen[2..] {
        assert_eq!(*count, SOAK.bounds.keep_segments, "it rotates");
        // A segment ends with the record that passes its bound.
        assert!(*bytes <= 3 * (SOAK.bounds.segment_bytes + 4_096), "{bytes} bytes");
    }
    until(cut.path(), 2);
    until(cut.path(), 5);
    to_the_end(cut.path());
    assert_eq!(ledger_hash(whole.path()), ledger_hash(cut.path()));
}
