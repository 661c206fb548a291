//! What nobody announces: cycles that don't come, champions that nobody confirms, disks that fill.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use walkforward::notify::{NotifyConfig, ServerChecks};
use walkforward_core::{LineName, Timestamp};
use walkforward_notify::{MAX_AGE, Notice, NoticeKind};
use walkforward_orchestrator::schedule::Timing;
use walkforward_store::{
    ConfirmationReader, CycleRecord, CycleStatus, ScheduleId, ScheduleRecord, ScheduleStatus, Store,
    StoreError,
};

use crate::home::Home;
use crate::text::bytes;

/// Cycles that are looked through for the last one with an outcome.
const CYCLES: u32 = 50;
/// Due times among which the longest interval of a cron expression is looked for: a week of hours.
const DUE_TIMES: usize = 168;
/// Intervals without a cycle until one is overdue.
const INTERVALS: u32 = 2;
const HOUR_MS: i64 = 3_600_000;

/// Looks at schedules, champions and disks.
pub(super) struct Checks {
    pub(super) store: Arc<Store>,
    pub(super) data_dir: PathBuf,
    models_dir: PathBuf,
    limits: ServerChecks,
    config: NotifyConfig,
    /// Since when each schedule has been seen at work, without a pause: it owes nothing for the time before.
    active_since: BTreeMap<ScheduleId, Timestamp>,
}

/// A schedule without a cycle.
pub(super) struct Overdue {
    pub(super) schedule: ScheduleId,
    since: Timestamp,
    hours: i64,
}

impl Overdue {
    pub(super) fn words(&self) -> String {
        format!("no cycle has come to an outcome for {} hours, more than two intervals", self.hours)
    }
}

impl Checks {
    pub(super) fn new(home: &Home, limits: ServerChecks, config: NotifyConfig) -> Self {
        Self {
            store: Arc::clone(&home.store),
            data_dir: home.folders.data_dir.clone(),
            models_dir: home.folders.models_dir.clone(),
            limits,
            config,
            active_since: BTreeMap::new(),
        }
    }

    /// What is wrong now; each of it is told once a day while it lasts.
    pub(super) fn look(&mut self, now: Timestamp) -> Result<Vec<Notice>, StoreError> {
        let mut notices: Vec<Notice> =
            self.overdue(now)?.iter().map(|late| self.of_overdue(late, now)).collect();
        for line in self.active_lines()? {
            notices.extend(self.of_expiry(&line, now));
        }
        notices.extend(self.of_disks(now));
        Ok(notices.into_iter().map(|notice| notice.repeated_after(MAX_AGE)).collect())
    }

    fn active(&self) -> Result<Vec<ScheduleRecord>, StoreError> {
        let schedules = self.store.schedules()?;
        Ok(schedules.into_iter().filter(|it| it.status == ScheduleStatus::Active).collect())
    }

    fn active_lines(&self) -> Result<Vec<LineName>, StoreError> {
        let mut lines: Vec<LineName> = self.active()?.into_iter().map(|schedule| schedule.line).collect();
        lines.sort();
        lines.dedup();
        Ok(lines)
    }

    /// Schedules that have come to nothing for more than two intervals.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Result<Vec<Overdue>, StoreError> {
        let active = self.active()?;
        self.active_since.retain(|id, _| active.iter().any(|schedule| schedule.id == *id));
        let mut overdue = Vec::new();
        for schedule in &active {
            let began = *self.active_since.entry(schedule.id.clone()).or_insert(now);
            let Some(interval) = interval(schedule, now) else { continue };
            let last = self.last_outcome(&schedule.id)?.unwrap_or(began).max(began);
            let late_ms = now.millis_since(last);
            if u128::try_from(late_ms).unwrap_or(0) > (interval * INTERVALS).as_millis() {
                let hours = late_ms / HOUR_MS;
                overdue.push(Overdue { schedule: schedule.id.clone(), since: last, hours });
            }
        }
        Ok(overdue)
    }

    /// When a cycle last came to an outcome: one that failed, was missed or was cut off did not.
    fn last_outcome(&self, id: &ScheduleId) -> Result<Option<Timestamp>, StoreError> {
        let has_outcome = |cycle: &CycleRecord| {
            matches!(
                cycle.status,
                CycleStatus::Promoted
                    | CycleStatus::Rejected
                    | CycleStatus::Inconclusive
                    | CycleStatus::Held
                    | CycleStatus::Skipped
            )
        };
        let cycles = self.store.cycles(id, None, CYCLES)?;
        let last = cycles.into_iter().find(has_outcome);
        Ok(last.map(|cycle| cycle.finished_at.unwrap_or(cycle.due_at)))
    }

    fn of_overdue(&self, late: &Overdue, now: Timestamp) -> Notice {
        let subject = format!("schedule {}", late.schedule);
        let notice = Notice::new(NoticeKind::CycleOverdue, &subject, &late.words(), now);
        notice.with_link(self.config.link("/continuous")).caused_by(&late.since.to_string())
    }

    /// A champion that nobody has confirmed for long. A line without one, or with files that can't be read, has its own
    /// troubles.
    fn of_expiry(&self, line: &LineName, now: Timestamp) -> Option<Notice> {
        let reader = ConfirmationReader::new(self.models_dir.clone(), line.clone());
        let confirmation = reader.read().ok().flatten()?;
        let age_ms = now.millis_since(confirmation.since());
        if u128::try_from(age_ms).unwrap_or(0) < self.limits.expiry.as_millis() {
            return None;
        }
        let (model, hours) = (&confirmation.model_id, age_ms / HOUR_MS);
        let text =
            format!("no cycle has confirmed champion {model} for {hours} hours: traders let it expire");
        let notice = Notice::new(NoticeKind::ExpiryNear, &format!("line {line}"), &text, now);
        Some(notice.with_link(self.config.link("/models")).caused_by(model.as_str()))
    }

    fn of_disks(&self, now: Timestamp) -> Vec<Notice> {
        let folders = [("data", &self.data_dir), ("models", &self.models_dir)];
        let mut notices: Vec<Notice> = Vec::new();
        for (name, folder) in folders {
            let Ok(disk) = rustix::fs::statvfs(folder.as_path()) else { continue };
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            // Two folders of one disk are told of once.
            if free >= self.limits.disk_low_bytes || !notices.is_empty() {
                continue;
            }
            let text = format!("the disk of the {name} folder has {} left: remove something", bytes(free));
            notices.push(Notice::new(NoticeKind::DiskLow, name, &text, now).caused_by("low"));
        }
        notices
    }
}

/// The longest time between two cycles of a schedule.
fn interval(schedule: &ScheduleRecord, now: Timestamp) -> Option<Duration> {
    let recurrence = Timing::from_config(&schedule.config).ok()?.recurrence;
    recurrence.interval().or_else(|| recurrence.longest_gap(now, DUE_TIMES))
}

#[cfg(test)]
pub(super) mod tests;
