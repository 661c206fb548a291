//! What waits to be sent, and which notices are sent at all: rules without I/O, as a value that is kept on the disk.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkforward_core::Timestamp;

use crate::{Notice, NoticeKind, QuietHours};

/// Most notices that wait. One that comes when all places are taken takes that of the oldest that is not critical.
pub const MAX_WAITING: usize = 256;
/// Most causes that are remembered, so that they are not told again.
pub const MAX_RECENT: usize = 512;
/// What could not be sent for so long is not sent any more: a day.
pub const MAX_AGE: Duration = Duration::from_secs(86_400);
const HOUR_MS: i64 = 3_600_000;
/// Who a closing notice is about.
const CLOSING_SUBJECT: &str = "notifications";

/// What is sent, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The kinds that are sent.
    pub kinds: BTreeSet<NoticeKind>,
    /// For how long a cause is not told again.
    pub repeat: Duration,
    /// Most notices within an hour; critical ones are sent beyond it.
    pub max_per_hour: u32,
    /// When people are left alone, but for what is critical; none for never.
    pub quiet: Option<QuietHours>,
}

impl Default for Rules {
    fn default() -> Self {
        let kinds = NoticeKind::ALL.into_iter().collect();
        Self { kinds, repeat: Duration::from_secs(3_600), max_per_hour: 20, quiet: None }
    }
}

/// A notice that is not with everybody yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    number: u64,
    notice: Notice,
    /// Before this it is held back.
    not_before: Timestamp,
    /// When it was let through; none while it is held back.
    admitted_at: Option<Timestamp>,
    /// The sinks that don't have it.
    left: Vec<String>,
}

/// A cause that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    key: String,
    /// Until then it is not told again.
    until: Timestamp,
}

/// An hour in which notices are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hour {
    from: Timestamp,
    sent: u32,
}

/// Notices that wait, and what has to be remembered of those that don't.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// Up to where whoever makes the notices has come.
    #[serde(default)]
    cursor: Option<Value>,
    #[serde(default)]
    last_number: u64,
    waiting: VecDeque<Waiting>,
    #[serde(default)]
    recent: VecDeque<Told>,
    #[serde(default)]
    hour: Option<Hour>,
    /// Notices that are not sent and that nobody has been told of, by kind.
    #[serde(default)]
    not_sent: BTreeMap<NoticeKind, u64>,
}

impl Outbox {
    /// Up to where whoever makes the notices has come; none at first.
    pub fn cursor(&self) -> Option<&Value> {
        self.cursor.as_ref()
    }

    /// Notes up to where whoever makes the notices has come.
    pub fn set_cursor(&mut self, cursor: Value) {
        self.cursor = Some(cursor);
    }

    /// How many notices wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a notice at `now`: it waits until [`settle`](Self::settle) lets it through. One of a kind that is not wanted, and
    /// one whose cause was told lately, is passed over.
    pub fn take(&mut self, notice: Notice, now: Timestamp, rules: &Rules, sinks: &[String]) {
        if sinks.is_empty() || !rules.kinds.contains(&notice.kind) || self.is_told(&notice.key, now) {
            return;
        }
        let repeat_ms = notice.repeat_ms.unwrap_or_else(|| millis(rules.repeat));
        self.remember(&notice.key, now.plus_millis(repeat_ms));
        let not_before = match &rules.quiet {
            Some(quiet) if !notice.is_critical() => quiet.ends(now),
            _ => now,
        };
        self.push(notice, not_before, sinks);
    }

    fn is_told(&self, key: &str, now: Timestamp) -> bool {
        self.recent.iter().any(|told| told.key == key && now < told.until)
    }

    fn remember(&mut self, key: &str, until: Timestamp) {
        self.recent.retain(|told| told.key != key);
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Told { key: key.to_owned(), until });
    }

    /// Adds a notice, in the place of a lesser one where there is no other.
    fn push(&mut self, notice: Notice, not_before: Timestamp, sinks: &[String]) {
        if self.waiting.len() >= MAX_WAITING {
            let lesser = self.waiting.iter().position(|waiting| !waiting.notice.is_critical());
            let gone = match lesser {
                Some(place) => self.waiting.remove(place).map(|waiting| waiting.notice.kind),
                None if notice.is_critical() => self.waiting.pop_front().map(|waiting| waiting.notice.kind),
                None => return self.count(notice.kind),
            };
            gone.into_iter().for_each(|kind| self.count(kind));
        }
        self.last_number += 1;
        let left = sinks.to_vec();
        let number = self.last_number;
        self.waiting.push_back(Waiting { number, notice, not_before, admitted_at: None, left });
    }

    fn count(&mut self, kind: NoticeKind) {
        *self.not_sent.entry(kind).or_default() += 1;
    }

    /// Lets through what may be sent at `now`, says how many were not sent where their hour is over, and gives up what has
    /// waited for too long. How many were given up.
    pub fn settle(&mut self, now: Timestamp, rules: &Rules, sinks: &[String]) -> usize {
        self.recent.retain(|told| now < told.until);
        if self.hour.as_ref().is_some_and(|hour| now.millis_since(hour.from) >= HOUR_MS) {
            self.hour = None;
        }
        self.close_hour(now, rules, sinks);
        self.admit(now, rules);
        self.give_up(now, sinks)
    }

    /// Says how many notices the hour before was too short for.
    fn close_hour(&mut self, now: Timestamp, rules: &Rules, sinks: &[String]) {
        let is_quiet = rules.quiet.as_ref().is_some_and(|quiet| quiet.is_quiet(now));
        if self.hour.is_some() || self.not_sent.is_empty() || is_quiet || sinks.is_empty() {
            return;
        }
        let not_sent = std::mem::take(&mut self.not_sent);
        let count: u64 = not_sent.values().sum();
        let by_kind: Vec<String> = not_sent.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let were = if count == 1 { "notice was" } else { "notices were" };
        let text = format!("{count} more {were} not sent: {}", by_kind.join(", "));
        self.push(Notice::new(NoticeKind::NotSent, CLOSING_SUBJECT, &text, now), now, sinks);
    }

    fn admit(&mut self, now: Timestamp, rules: &Rules) {
        let (mut hour, mut too_many) = (self.hour.take(), Vec::new());
        for waiting in self.waiting.iter_mut().filter(|it| it.admitted_at.is_none() && it.not_before <= now) {
            let is_free = waiting.notice.is_critical() || waiting.notice.kind == NoticeKind::NotSent;
            let hour = hour.get_or_insert(Hour { from: now, sent: 0 });
            if is_free || hour.sent < rules.max_per_hour {
                hour.sent += u32::from(!is_free);
                waiting.admitted_at = Some(now);
            } else {
                too_many.push((waiting.number, waiting.notice.kind));
            }
        }
        self.hour = hour;
        self.waiting.retain(|waiting| !too_many.iter().any(|(number, _)| *number == waiting.number));
        too_many.into_iter().for_each(|(_, kind)| self.count(kind));
    }

    /// Removes what is too old, and forgets sinks that are none any more.
    fn give_up(&mut self, now: Timestamp, sinks: &[String]) -> usize {
        let before = self.waiting.len();
        let is_too_old =
            |it: &Waiting| it.admitted_at.is_some_and(|at| now.millis_since(at) >= millis(MAX_AGE));
        self.waiting.retain(|waiting| !is_too_old(waiting));
        let given_up = before - self.waiting.len();
        for waiting in &mut self.waiting {
            waiting.left.retain(|sink| sinks.contains(sink));
        }
        self.waiting.retain(|waiting| !waiting.left.is_empty());
        given_up
    }

    /// What `sink` should have next: the oldest that is critical, else the oldest.
    pub fn next_for(&self, sink: &str) -> Option<(u64, &Notice)> {
        let mut open = self
            .waiting
            .iter()
            .filter(|waiting| waiting.admitted_at.is_some() && waiting.left.iter().any(|left| left == sink));
        let first = open.next()?;
        let critical = std::iter::once(first).chain(open).find(|waiting| waiting.notice.is_critical());
        let chosen = critical.unwrap_or(first);
        Some((chosen.number, &chosen.notice))
    }

    /// `sink` has notice `number`, or will never take it.
    pub fn delivered(&mut self, number: u64, sink: &str) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.number == number) {
            waiting.left.retain(|left| left != sink);
        }
        self.waiting.retain(|waiting| !waiting.left.is_empty());
    }

    /// When [`settle`](Self::settle) has something to do next; none while it has nothing.
    pub fn wakes_at(&self, now: Timestamp, rules: &Rules) -> Option<Timestamp> {
        let held = self.waiting.iter().filter(|it| it.admitted_at.is_none()).map(|it| it.not_before);
        let closing = (!self.not_sent.is_empty()).then(|| {
            let over = self.hour.as_ref().map_or(now, |hour| hour.from.plus_millis(HOUR_MS));
            rules.quiet.as_ref().map_or(over, |quiet| quiet.ends(over))
        });
        held.chain(closing).min()
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
