//! The files of a journal: what is written, what a failing disk leaves, what is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use walkforward_core::{Action, Bar, Quantity, Timeframe, Timestamp};
use walkforward_durable::{Files, PlannedFault};
use walkforward_engine::SessionConfig;
use walkforward_live::{
    BarRecord, Checkpoint, ClosedBar, DecisionJournal, Desk, EventRecord, JournalBounds, JournalRecord,
    LiveError, ModelStamp, PAPER, SegmentHead, SegmentHeader, SessionLimits, StampedEvent, SwapRule,
    TraderOptions, read_journal, recover,
};

use crate::common::{at, hour, walk};

/// The file of a segment.
pub(crate) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.journal"))
}

fn desk() -> Desk {
    Desk::new(SessionConfig::default(), SessionLimits::default(), 4).unwrap()
}

fn header(started_at: Timestamp) -> SegmentHeader {
    let mut options = TraderOptions::new("BTC/USD".parse().unwrap(), hour(), PathBuf::new());
    options.swap = SwapRule::WaitFlat { max_bars: 3 };
    SegmentHeader::new(&options, Timeframe::MINUTE, PAPER, started_at)
}

fn begin(journal: &mut DecisionJournal, started_at: Timestamp, history: &[Bar]) -> Result<(), LiveError> {
    let checkpoint = Checkpoint::new(desk().checkpoint());
    let header = header(started_at);
    journal.begin(SegmentHead { header, checkpoint, history: Box::new(history.iter()) })
}

fn open(folder: &Path) -> DecisionJournal {
    DecisionJournal::open(folder, JournalBounds::default(), at(0), Duration::ZERO).unwrap()
}

fn event(number: usize) -> JournalRecord {
    JournalRecord::Event(StampedEvent { at: at(number), event: EventRecord::FeedUp })
}

fn records(folder: &Path) -> Vec<JournalRecord> {
    read_journal(folder).unwrap().map(Result::unwrap).collect()
}

fn bar_record(observation: Vec<f32>, equity: f64) -> BarRecord {
    let bar = walk(3, 1).bar(0);
    let closed = ClosedBar { bar, present: true, base_bars: 60, expected_base_bars: 60 };
    BarRecord {
        model: Some(ModelStamp {
            model_id: "model-2024-01-01T00-00-00-000Z".parse().unwrap(),
            sha256: "ab".repeat(32),
            model_version: 3,
            grade: Some(walkforward_core::Grade::Screened),
        }),
        observation: Some(observation),
        action: Some(Action(1)),
        position: Quantity::from_nanos(7),
        ..BarRecord::of(&closed, at(1), equity)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn records_read_back_to_the_bit(
        observation in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL, 0..40),
        equity in prop::num::f64::NORMAL,
        history in 0usize..2_100,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path());
        let history: Vec<Bar> = walk(5, history).iter().collect();
        begin(&mut journal, at(0), &history).unwrap();
        let written = [event(1), JournalRecord::Bar(Box::new(bar_record(observation, equity)))];
        for record in &written {
            journal.append(record).unwrap();
        }
        journal.sync().unwrap();
        let read = records(folder.path());
        prop_assert_eq!(&read[read.len() - 2..], &written[..]);
        let kept: Vec<Bar> = read.iter().flat_map(|record| match record {
            JournalRecord::History { bars } => bars.clone(),
            _ => Vec::new(),
        }).collect();
        prop_assert_eq!(kept, history);
    }
}

#[test]
fn a_step_that_fails_loses_no_record_that_was_synced() {
    let mut completed = 0;
    for step in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(PlannedFault::once(step, std::io::ErrorKind::StorageFull));
        let mut synced = 0;
        let written = (|| {
            let files = Files::with_faults(faults);
            let bounds = JournalBounds { segment_bytes: 4_096, keep_segments: 2 };
            let folder = folder.path().join("journal");
            let mut journal = DecisionJournal::open_with(files, &folder, bounds, at(0), Duration::ZERO)?;
            for number in 0..3 {
                begin(&mut journal, at(number), &[])?;
                journal.append(&event(number))?;
                journal.sync()?;
                synced += 1;
            }
            Ok::<_, LiveError>(())
        })();
        completed += usize::from(written.is_ok());
        let folder = folder.path().join("journal");
        if synced == 0 {
            continue;
        }
        drop(open(&folder));
        let events: Vec<Timestamp> = records(&folder)
            .into_iter()
            .filter_map(|record| match record {
                JournalRecord::Event(event) => Some(event.at),
                _ => None,
            })
            .collect();
        let last = at(synced - 1);
        assert!(events.contains(&last), "step {step}: {events:?}");
        recover(&folder).unwrap().unwrap();
    }
    assert!((1..40).contains(&completed), "{completed}");
}

#[test]
fn a_head_that_was_cut_anywhere_never_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    begin(&mut journal, at(0), &[]).unwrap();
    journal.append(&event(1)).unwrap();
    let history: Vec<Bar> = walk(5, 30).iter().collect();
    begin(&mut journal, at(1), &history).unwrap();
    drop(journal);
    let path = segment(folder.path(), 2);
    let head = std::fs::read(&path).unwrap();
    for cut in (0..head.len()).step_by(97) {
        std::fs::write(&path, &head[..cut]).unwrap();
        assert!(recover(folder.path()).unwrap().unwrap().header.segment == 1, "{cut}");
        drop(open(folder.path()));
        assert!(!path.exists(), "{cut}");
        assert_eq!(records(folder.path()).last(), Some(&event(1)));
    }
}

#[test]
fn records_reach_the_disk_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    // The steps of opening and of the head, then one for the record; the next one is the sync.
    let fails_at = |step| {
        let files = Files::with_faults(Arc::new(PlannedFault::once(step, std::io::ErrorKind::StorageFull)));
        let folder = folder.path().join(step.to_string());
        let bounds = JournalBounds::default();
        let mut journal = DecisionJournal::open_with(files, &folder, bounds, at(0), Duration::ZERO).ok()?;
        begin(&mut journal, at(0), &[]).ok()?;
        journal.append(&event(1)).ok()?;
        let early = journal.sync_if_due(Duration::from_millis(999));
        let due = journal.sync_if_due(Duration::from_millis(1_000));
        Some((early.is_err(), due.is_err()))
    };
    let outcomes: Vec<_> = (0..40).filter_map(fails_at).collect();
    assert_eq!(outcomes.first(), Some(&(false, true)));
    assert!(outcomes.len() > 1 && outcomes[1..].iter().all(|outcome| *outcome == (false, false)));
}

#[test]
fn a_segment_ends_when_it_is_long_or_a_day_old_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = JournalBounds { segment_bytes: 20_000, keep_segments: 3 };
    let mut journal = DecisionJournal::open(folder.path(), bounds, at(0), Duration::ZERO).unwrap();
    begin(&mut journal, at(0), &[]).unwrap();
    let (mut by_size, mut by_day) = (0, 0);
    for number in 0..2_000 {
        journal.append(&event(number)).unwrap();
        // Hours at first, then the clock stands.
        let now = at(number.min(400));
        if journal.is_full(now) {
            *if number <= 400 { &mut by_day } else { &mut by_size } += 1;
            begin(&mut journal, now, &[]).unwrap();
        }
    }
    assert!(by_day > 2 && by_day <= 9 && by_size > 2, "{by_day} {by_size}");
    assert_eq!(journal.segment(), Some(1 + by_day + by_size));
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".journal"))
        .collect();
    files.sort();
    let newest = 1 + by_day + by_size;
    assert_eq!(files, (newest - 2..=newest).map(|number| format!("{number:08}.journal")).collect::<Vec<_>>());
}

#[test]
fn two_processes_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let _journal = open(folder.path());
    let other = DecisionJournal::open(folder.path(), JournalBounds::default(), at(0), Duration::ZERO);
    assert!(matches!(other, Err(LiveError::Journal(walkforward_durable::Error::Held { .. }))));
}

#[test]
fn a_record_says_whose_and_which() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    begin(&mut journal, at(0), &[]).unwrap();
    // A bar that no session came to: its equity is not that of the ledger.
    journal.append(&JournalRecord::Bar(Box::new(bar_record(Vec::new(), 1.0)))).unwrap();
    drop(journal);
    let error = recover(folder.path()).err().unwrap().to_string();
    assert!(error.contains("00000001.journal: record 3") && error.contains("equity is 1.0"), "{error}");
}
