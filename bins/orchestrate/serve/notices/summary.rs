//! What the day brought, in a few lines.

use std::collections::BTreeMap;

use walkforward::failure::Failure;
use walkforward::notify::ServerChecks;
use walkforward_core::{LineName, Timestamp};
use walkforward_live::socket_path;
use walkforward_notify::{Notice, NoticeKind};
use walkforward_orchestrator::recurrence::Recurrence;
use walkforward_store::{LiveSession, ScheduleStatus, Store, StoreError};

use super::checks::Checks;
use crate::serve::sessions::answers;

/// Lines, schedules and sessions that are named; the rest are counted.
const MAX_NAMED: usize = 8;
/// Sessions that are looked at for those that run.
const SESSIONS: u32 = 100;
/// Cycles, fills and events of one day that are counted; more are told as so many.
const MOST: u32 = 1_000;
const DAY_MS: i64 = 86_400_000;

/// When summaries are due.
pub(super) struct Summary {
    due: Recurrence,
}

impl Summary {
    /// As the settings say; none for never.
    ///
    /// # Errors
    /// The zone can't be used.
    pub(super) fn new(checks: &ServerChecks) -> Result<Option<Self>, Failure> {
        let Some((hour, minute, zone)) = &checks.summary else { return Ok(None) };
        let due = Recurrence::cron(&format!("{minute} {hour} * * *"), zone);
        let due = due.map_err(|error| Failure::input(format!("notify.daily_summary: {error}")))?;
        Ok(Some(Self { due }))
    }

    /// The summary, where it is due; `next` is when the next one is. One that was due while no server ran comes late, and
    /// once.
    pub(super) fn look(
        &self,
        next: &mut Option<Timestamp>,
        checks: &mut Checks,
        now: Timestamp,
    ) -> Result<Option<Notice>, StoreError> {
        let due = *next.get_or_insert(self.due.next_after(now, now).unwrap_or(now.plus_millis(DAY_MS)));
        if now < due {
            return Ok(None);
        }
        let text = text(checks, now)?;
        *next = self.due.next_after(now, now);
        let notice = Notice::new(NoticeKind::DailySummary, "the last 24 hours", &text, now);
        Ok(Some(notice.caused_by(&due.to_string())))
    }
}

fn text(checks: &mut Checks, now: Timestamp) -> Result<String, StoreError> {
    let since = now.plus_millis(-DAY_MS);
    let mut lines = champions(&checks.store)?;
    lines.extend(cycles(&checks.store, since)?);
    lines.extend(sessions(checks, since)?);
    let overdue = checks.overdue(now)?;
    lines.extend(
        overdue.iter().take(MAX_NAMED).map(|late| format!("overdue: {}: {}", late.schedule, late.words())),
    );
    Ok(match lines.is_empty() {
        true => "nothing happened: there are no models, no schedules and no sessions".to_owned(),
        false => lines.join("\n"),
    })
}

/// `named`, and how many more there are.
fn cut(mut named: Vec<String>, what: &str) -> Vec<String> {
    let more = named.len().saturating_sub(MAX_NAMED);
    named.truncate(MAX_NAMED);
    named.extend((more > 0).then(|| format!("and {more} more {what}")));
    named
}

fn champions(store: &Store) -> Result<Vec<String>, StoreError> {
    let of_line = |line: LineName| {
        // A pointer that can't be read is a trouble of its own, which the log has.
        let champion = store.pointer(&line).ok().flatten();
        let champion = champion.map_or("nobody".to_owned(), |pointer| pointer.model_id.to_string());
        format!("line {line}: champion {champion}")
    };
    Ok(cut(store.lines()?.into_iter().map(of_line).collect(), "lines"))
}

/// How the cycles of the time since ended, by schedule.
fn cycles(store: &Store, since: Timestamp) -> Result<Vec<String>, StoreError> {
    let mut named = Vec::new();
    for schedule in store.schedules()?.iter().filter(|it| it.status != ScheduleStatus::Removed) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let cycles = store.cycles(&schedule.id, None, MOST)?;
        for cycle in cycles.iter().take_while(|cycle| cycle.due_at >= since) {
            *counts.entry(cycle.status.to_string()).or_default() += 1;
        }
        if counts.is_empty() {
            continue;
        }
        let total: usize = counts.values().sum();
        let parts: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
        let cycles = if total == 1 { "cycle" } else { "cycles" };
        named.push(format!("schedule {}: {total} {cycles}: {}", schedule.id, parts.join(", ")));
    }
    Ok(cut(named, "schedules"))
}

/// How the sessions that run stand.
fn sessions(checks: &Checks, since: Timestamp) -> Result<Vec<String>, StoreError> {
    let sessions = checks.store.live_sessions(None, None, SESSIONS)?;
    let runs =
        |it: &LiveSession| it.ended_at.is_none() && answers(&socket_path(&checks.data_dir, &it.began.id));
    let mut named = Vec::new();
    for session in sessions.iter().filter(|session| runs(session)) {
        named.push(of_session(&checks.store, session, since)?);
    }
    Ok(cut(named, "sessions"))
}

fn of_session(store: &Store, session: &LiveSession, since: Timestamp) -> Result<String, StoreError> {
    let began = &session.began;
    let equity = session.equity.get();
    let bars_a_day = u64::try_from(DAY_MS / began.timeframe.millis().max(1)).unwrap_or(0);
    let before = session.bars.saturating_sub(bars_a_day + 1);
    let first = store.live_bars(&began.id, before, 1)?.pop();
    let first = first.map_or(began.initial_cash, |bar| bar.row.equity).get();
    let fills = store.live_fills(&began.id, session.fills.saturating_sub(MOST.into()), MOST)?;
    let fills = fills.iter().filter(|fill| fill.row.fill.time >= since).count();
    let events = store.live_events(&began.id, session.events.saturating_sub(MOST.into()), MOST)?;
    let is_refused = |kind: &str| kind == "order_ended";
    let rejected = events.iter().filter(|event| is_refused(&event.row.kind) && event.row.at >= since).count();
    Ok(format!(
        "session {} {} on {}: equity {equity:.2}, {:+.2} in the last 24 hours, {:+.2} since its start; {fills} fills, \
         {rejected} orders came to nothing; {}",
        began.line,
        began.symbol,
        began.venue,
        equity - first,
        equity - began.initial_cash.get(),
        session.mode
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use walkforward_core::{Cash, Clock};
    use walkforward_store::{CycleStatus, NewLiveSession};

    use super::super::checks::tests::Bench;
    use super::*;

    fn summary() -> Summary {
        let zone = "Europe/Berlin".to_owned();
        let checks = ServerChecks { summary: Some((1, 5, zone)), disk_low_bytes: 0, expiry: Duration::ZERO };
        Summary::new(&checks).unwrap().unwrap()
    }

    fn session(bench: &Bench) -> UnixListener {
        let id: walkforward_core::SessionId = "trader-1".parse().unwrap();
        let session = NewLiveSession {
            id: id.clone(),
            line: "default".parse().unwrap(),
            symbol: "BTC/USD".parse().unwrap(),
            timeframe: "1h".parse().unwrap(),
            venue: "paper".to_owned(),
            initial_cash: Cash::new(10_000.0).unwrap(),
            started_at: bench.clock.now(),
            first_segment: 1,
        };
        bench.checks.store.begin_live_session(&session).unwrap();
        let socket = socket_path(&bench.checks.data_dir, &id);
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        UnixListener::bind(socket).unwrap()
    }

    #[test]
    fn a_day_is_told_when_it_is_due_and_once() {
        let mut bench = Bench::new("0");
        let (summary, mut next) = (summary(), None);
        let mut look = |bench: &mut Bench, at: &str| {
            bench.clock.set(at.parse().unwrap());
            summary.look(&mut next, &mut bench.checks, bench.clock.now()).unwrap().map(|notice| notice.text)
        };
        assert_eq!(look(&mut bench, "2024-03-01T00:00:00Z"), None);
        let listening = session(&bench);
        bench.cycle(1, CycleStatus::Rejected);
        bench.cycle(2, CycleStatus::Failed);
        bench.cycle(3, CycleStatus::Rejected);
        assert_eq!(look(&mut bench, "2024-03-01T00:04:59Z"), None);
        let text = look(&mut bench, "2024-03-01T00:05:00Z").unwrap();
        let cycles = "line default: champion nobody\nschedule btc: 3 cycles: 1 failed, 2 rejected\n";
        let session = "session default BTC/USD on paper: equity 10000.00, +0.00 in the last 24 hours, +0.00 since its start; \
                       0 fills, 0 orders came to nothing; active";
        assert_eq!(text, format!("{cycles}{session}"));
        assert_eq!(look(&mut bench, "2024-03-01T00:06:00Z"), None);
        drop(listening);
        // Nobody was there for three days: one summary, of the last of them.
        let late = look(&mut bench, "2024-03-04T12:00:00Z").unwrap();
        assert!(!late.contains("3 cycles") && !late.contains("session"), "{late}");
        assert!(late.contains("overdue: btc: no cycle has come to an outcome for 83 hours"), "{late}");
        assert_eq!(look(&mut bench, "2024-03-04T23:00:00Z"), None);
        assert!(look(&mut bench, "2024-03-05T00:05:00Z").is_some());
    }
}
