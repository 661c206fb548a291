//! Checks over a store whose clock a test moves.

use serde_json::json;
use walkforward::settings::{Binary, Settings, arguments};
use walkforward_core::{Clock, ManualClock};
use walkforward_store::{CycleTrigger, NewCycle, NewSchedule, ScheduleChange, ScheduleState};

use super::*;

const HOUR: i64 = 3_600_000;

pub(in crate::serve::notices) struct Bench {
    _dir: tempfile::TempDir,
    pub(in crate::serve::notices) clock: Arc<ManualClock>,
    pub(in crate::serve::notices) checks: Checks,
}

fn id() -> ScheduleId {
    "btc".parse().unwrap()
}

impl Bench {
    /// A store with a schedule at work every six hours, and checks that find any disk too full or none.
    pub(in crate::serve::notices) fn new(disk_low_mib: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let command = arguments(clap::Command::new("test"), Binary::Orchestrate);
        let environment =
            |name: &str| (name == "WALKFORWARD_NOTIFY_DISK_LOW_MIB").then(|| disk_low_mib.into());
        let none: [&str; 1] = ["test"];
        let settings =
            Settings::collect(Binary::Orchestrate, &command.get_matches_from(none), &environment).unwrap();
        let clock = Arc::new(ManualClock::at("2024-03-01T00:00:00Z".parse().unwrap()));
        let (data_dir, models_dir) = (dir.path().join("data"), dir.path().join("models"));
        let store = Arc::new(Store::open(&data_dir, &models_dir, clock.clone()).unwrap());
        let schedule = NewSchedule {
            id: id(),
            name: "btc".to_owned(),
            line: "default".parse().unwrap(),
            base_experiment_id: None,
            dataset_id: None,
            hp_pack_id: None,
            config: json!({ "interval_hours": 6 }),
        };
        store.create_schedule(&schedule).unwrap();
        let teller = walkforward::notify::Teller::Server;
        let checks = Checks {
            store,
            data_dir,
            models_dir,
            limits: ServerChecks::from_settings(&settings).unwrap(),
            config: NotifyConfig::from_settings(&settings, teller).unwrap(),
            active_since: BTreeMap::new(),
        };
        let mut bench = Self { _dir: dir, clock, checks };
        bench.status(ScheduleStatus::Active);
        bench
    }

    fn status(&mut self, status: ScheduleStatus) {
        let record = self.checks.store.schedule(&id()).unwrap();
        let state = ScheduleState {
            id: id(),
            status,
            anchor_at: None,
            current_cycle: record.current_cycle,
            last_cycle_at: record.last_cycle_at,
            next_cycle_at: None,
        };
        self.checks.store.commit_schedule_changes(&[ScheduleChange::Schedule(state)]).unwrap();
    }

    pub(in crate::serve::notices) fn cycle(&mut self, number: u64, status: CycleStatus) {
        let cycle = NewCycle {
            schedule_id: id(),
            number,
            due_at: self.clock.now(),
            trigger: CycleTrigger::Manual,
            status,
            reason: None,
        };
        self.checks.store.commit_schedule_changes(&[ScheduleChange::Cycle(cycle)]).unwrap();
    }

    fn after(&mut self, hours: i64) -> Vec<Notice> {
        self.clock.set(self.clock.now().plus_millis(hours * HOUR));
        let now = self.clock.now();
        self.checks.look(now).unwrap()
    }
}

#[test]
fn a_schedule_without_an_outcome_for_more_than_two_intervals_is_overdue() {
    let mut bench = Bench::new("0");
    assert_eq!(bench.after(0), []);
    assert_eq!(bench.after(12), []);
    let late = bench.after(1).remove(0);
    assert_eq!((late.kind, late.subject.as_str()), (NoticeKind::CycleOverdue, "schedule btc"));
    assert!(late.text.contains("for 13 hours"), "{late:?}");
    // What failed is no outcome, and the cause is the same.
    bench.cycle(1, CycleStatus::Failed);
    assert_eq!(bench.after(1)[0].key, late.key);
    bench.cycle(2, CycleStatus::Rejected);
    assert_eq!(bench.after(12), []);
    let again = bench.after(1).remove(0);
    assert_ne!(again.key, late.key);
}

#[test]
fn a_paused_schedule_owes_nothing_and_counts_anew_when_it_goes_on() {
    let mut bench = Bench::new("0");
    assert_eq!(bench.after(0), []);
    bench.status(ScheduleStatus::Paused);
    assert_eq!(bench.after(100), []);
    bench.status(ScheduleStatus::Active);
    assert_eq!(bench.after(100), []);
    assert_eq!(bench.after(12), []);
    assert_eq!(bench.after(1).len(), 1);
}

#[test]
fn a_disk_with_too_little_room_is_told_once_for_both_folders() {
    // No disk has a PiB left.
    let mut bench = Bench::new("1073741824");
    let low = bench.after(0);
    assert_eq!(low.len(), 1);
    assert_eq!((low[0].kind, low[0].is_critical()), (NoticeKind::DiskLow, true));
    assert!(low[0].text.starts_with("the disk of the data folder has "), "{low:?}");
    assert_eq!(low[0].repeat_ms, Some(24 * HOUR));
}
