//! The rules, without a clock or a network.

use proptest::prelude::*;

use super::*;
use crate::Severity;

const SINK: &str = "slack";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    time("2024-01-01T12:00:00Z")
}

fn sinks() -> Vec<String> {
    vec![SINK.to_owned()]
}

fn notice(kind: NoticeKind, cause: &str, at: Timestamp) -> Notice {
    Notice::new(kind, "default", "it happened", at).caused_by(cause)
}

/// An outbox under rules that a test moves through time.
struct Bench {
    outbox: Outbox,
    rules: Rules,
    now: Timestamp,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        Self { outbox: Outbox::default(), rules, now: start() }
    }

    fn take(&mut self, notice: Notice) {
        self.outbox.take(notice, self.now, &self.rules, &sinks());
    }

    fn at(&mut self, text: &str) -> &mut Self {
        self.now = time(text);
        self
    }

    /// What is sent now, as it would be to a sink that works.
    fn sent(&mut self) -> Vec<Notice> {
        let mut sent = Vec::new();
        self.outbox.settle(self.now, &self.rules, &sinks());
        while let Some((number, notice)) = self.outbox.next_for(SINK) {
            sent.push(notice.clone());
            self.outbox.delivered(number, SINK);
        }
        sent
    }

    fn kinds(&mut self) -> Vec<NoticeKind> {
        self.sent().iter().map(|notice| notice.kind).collect()
    }
}

#[test]
fn a_cause_is_told_once_within_its_time_and_again_after_it() {
    let mut bench = Bench::new(Rules::default());
    bench.take(notice(NoticeKind::DataGap, "feed", start()));
    bench.take(notice(NoticeKind::DataGap, "feed", start()));
    bench.take(notice(NoticeKind::DataGap, "hole", start()));
    assert_eq!(bench.sent().len(), 2);
    bench.at("2024-01-01T12:59:59Z").take(notice(NoticeKind::DataGap, "feed", start()));
    assert_eq!(bench.sent(), []);
    bench.at("2024-01-01T13:00:00Z").take(notice(NoticeKind::DataGap, "feed", start()));
    assert_eq!(bench.sent().len(), 1);
    let daily = notice(NoticeKind::DiskLow, "disk", start()).repeated_after(MAX_AGE);
    bench.take(daily.clone());
    bench.at("2024-01-02T12:00:00Z").take(daily.clone());
    assert_eq!(bench.kinds(), [NoticeKind::DiskLow]);
    bench.at("2024-01-02T13:00:00Z").take(daily);
    assert_eq!(bench.kinds(), [NoticeKind::DiskLow]);
}

#[test]
fn kinds_that_nobody_wants_are_not_sent() {
    let kinds = [NoticeKind::Halted].into_iter().collect();
    let mut bench = Bench::new(Rules { kinds, ..Rules::default() });
    bench.take(notice(NoticeKind::Promoted, "a", start()));
    bench.take(notice(NoticeKind::Halted, "a", start()));
    assert_eq!(bench.kinds(), [NoticeKind::Halted]);
}

#[test]
fn what_is_too_much_for_an_hour_is_counted_and_told_when_it_is_over() {
    let mut bench = Bench::new(Rules { max_per_hour: 2, ..Rules::default() });
    for cause in ["a", "b", "c", "d"] {
        bench.take(notice(NoticeKind::OrderRejected, cause, start()));
    }
    bench.take(notice(NoticeKind::CycleFailed, "e", start()));
    bench.take(notice(NoticeKind::Halted, "f", start()));
    let sent = bench.kinds();
    assert_eq!(sent, [NoticeKind::Halted, NoticeKind::OrderRejected, NoticeKind::OrderRejected]);
    assert_eq!(bench.outbox.wakes_at(bench.now, &bench.rules), Some(time("2024-01-01T13:00:00Z")));
    assert_eq!(bench.at("2024-01-01T12:59:59Z").sent(), []);
    let sent = bench.at("2024-01-01T13:00:00Z").sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text, "3 more notices were not sent: 2 order_rejected, 1 cycle_failed");
    assert_eq!(bench.outbox.wakes_at(bench.now, &bench.rules), None);
    assert_eq!(bench.at("2024-01-01T15:00:00Z").sent(), []);
}

#[test]
fn quiet_hours_hold_back_all_but_what_is_critical() {
    let quiet = QuietHours::parse("22:00-07:00", "UTC").ok();
    let mut bench = Bench::new(Rules { quiet, max_per_hour: 1, ..Rules::default() });
    bench.at("2024-01-01T23:00:00Z");
    bench.take(notice(NoticeKind::Promoted, "a", bench.now));
    bench.take(notice(NoticeKind::CycleFailed, "b", bench.now));
    bench.take(notice(NoticeKind::Halted, "c", bench.now));
    let urgent = notice(NoticeKind::RolledBack, "d", bench.now).with_severity(Severity::Critical);
    bench.take(urgent);
    assert_eq!(bench.kinds(), [NoticeKind::Halted, NoticeKind::RolledBack]);
    let end = time("2024-01-02T07:00:00Z");
    assert_eq!(bench.outbox.wakes_at(bench.now, &bench.rules), Some(end));
    assert_eq!(bench.at("2024-01-02T06:59:59Z").sent(), []);
    assert_eq!(bench.at("2024-01-02T07:00:00Z").kinds(), [NoticeKind::Promoted]);
    let closing = bench.at("2024-01-02T08:00:00Z").sent();
    assert_eq!(closing[0].text, "1 more notice was not sent: 1 cycle_failed");
}

#[test]
fn a_closing_notice_waits_for_the_end_of_quiet_hours() {
    let quiet = QuietHours::parse("22:00-07:00", "UTC").ok();
    let mut bench = Bench::new(Rules { quiet, max_per_hour: 1, ..Rules::default() });
    bench.at("2024-01-01T21:30:00Z");
    bench.take(notice(NoticeKind::Promoted, "a", bench.now));
    bench.take(notice(NoticeKind::Promoted, "b", bench.now));
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.outbox.wakes_at(bench.now, &bench.rules), Some(time("2024-01-02T07:00:00Z")));
    assert_eq!(bench.at("2024-01-01T22:30:00Z").sent(), []);
    assert_eq!(bench.at("2024-01-02T07:00:00Z").kinds(), [NoticeKind::NotSent]);
}

#[test]
fn a_full_outbox_gives_the_place_of_a_lesser_notice_to_a_newer_one() {
    let quiet = QuietHours::parse("00:00-23:59", "UTC").ok();
    let mut bench = Bench::new(Rules { quiet, ..Rules::default() });
    for number in 0..MAX_WAITING {
        bench.take(notice(NoticeKind::Promoted, &number.to_string(), start()));
    }
    bench.take(notice(NoticeKind::Halted, "halt", start()));
    assert_eq!(bench.outbox.waiting(), MAX_WAITING);
    assert_eq!(bench.kinds(), [NoticeKind::Halted]);
    for number in 0..2 * MAX_WAITING {
        bench.take(notice(NoticeKind::Halted, &number.to_string(), start()));
    }
    bench.take(notice(NoticeKind::Promoted, "late", start()));
    assert_eq!(bench.outbox.waiting(), MAX_WAITING);
    let sent = bench.sent();
    assert!(sent.iter().all(Notice::is_critical) && sent.len() == MAX_WAITING);
    assert!(sent.last().unwrap().key.ends_with(&format!(":{}", 2 * MAX_WAITING - 1)), "the newest stay");
    let told: u64 = bench.outbox.not_sent.values().sum();
    assert_eq!(told as usize, MAX_WAITING + 1 + MAX_WAITING);
}

#[test]
fn each_sink_gets_a_notice_once_and_one_that_is_gone_holds_up_nothing() {
    let (rules, both) = (Rules::default(), ["slack".to_owned(), "ntfy".to_owned()]);
    let mut outbox = Outbox::default();
    outbox.take(notice(NoticeKind::Promoted, "a", start()), start(), &rules, &both);
    outbox.settle(start(), &rules, &both);
    let (number, _) = outbox.next_for("slack").unwrap();
    outbox.delivered(number, "slack");
    assert_eq!((outbox.next_for("slack"), outbox.waiting()), (None, 1));
    // It is read again by a process that does not know ntfy.
    let mut read: Outbox = serde_json::from_value(serde_json::to_value(&outbox).unwrap()).unwrap();
    assert_eq!(read, outbox);
    read.settle(start(), &rules, &both[..1]);
    assert_eq!(read.waiting(), 0);
    outbox.delivered(number, "ntfy");
    assert_eq!(outbox.waiting(), 0);
}

#[test]
fn what_could_not_be_sent_for_a_day_is_given_up() {
    let mut bench = Bench::new(Rules::default());
    bench.take(notice(NoticeKind::Halted, "a", start()));
    assert_eq!(bench.outbox.settle(bench.now, &bench.rules, &sinks()), 0);
    bench.at("2024-01-02T11:59:59Z");
    assert_eq!(bench.outbox.settle(bench.now, &bench.rules, &sinks()), 0);
    bench.at("2024-01-02T12:00:00Z");
    assert_eq!(bench.outbox.settle(bench.now, &bench.rules, &sinks()), 1);
    assert_eq!(bench.outbox.waiting(), 0);
}

#[test]
fn without_a_sink_nothing_waits() {
    let mut outbox = Outbox::default();
    outbox.take(notice(NoticeKind::Halted, "a", start()), start(), &Rules::default(), &[]);
    assert_eq!(outbox.waiting(), 0);
}

proptest! {
    /// Whatever comes whenever: bounds hold, critical notices arrive, and every other one arrives or is counted.
    #[test]
    fn nothing_critical_is_lost_and_nothing_vanishes(
        steps in prop::collection::vec((0_i64..90, 0_usize..4, 0_u32..400), 1..120),
        max_per_hour in 1_u32..6,
    ) {
        let quiet = QuietHours::parse("22:00-07:00", "Europe/Berlin").ok();
        let mut bench = Bench::new(Rules { quiet, max_per_hour, ..Rules::default() });
        let (mut given, mut lesser, mut critical) = (0_u64, 0_u64, 0_u64);
        let (mut in_hour, mut hour_from): (u32, Option<Timestamp>) = (0, None);
        let mut not_sent = 0_u64;
        for (minutes, kind, cause) in steps {
            bench.now = bench.now.plus_millis(minutes * 60_000);
            let kind = [NoticeKind::Halted, NoticeKind::Promoted, NoticeKind::DataGap, NoticeKind::CycleFailed][kind];
            let next = notice(kind, &cause.to_string(), bench.now);
            if !bench.outbox.is_told(&next.key, bench.now) {
                given += 1;
            }
            bench.take(next);
            if hour_from.is_some_and(|from| bench.now.millis_since(from) >= HOUR_MS) {
                (in_hour, hour_from) = (0, None);
            }
            for sent in bench.sent() {
                hour_from.get_or_insert(bench.now);
                match sent.kind {
                    NoticeKind::Halted => critical += 1,
                    NoticeKind::NotSent => {
                        let count: u64 = sent.text.split(' ').next().unwrap().parse().unwrap();
                        not_sent += count;
                    }
                    _ => (in_hour, lesser) = (in_hour + 1, lesser + 1),
                }
                prop_assert!(in_hour <= max_per_hour);
                let is_quiet = bench.rules.quiet.as_ref().unwrap().is_quiet(bench.now);
                prop_assert!(!is_quiet || sent.is_critical());
            }
            prop_assert!(bench.outbox.waiting() <= MAX_WAITING && bench.outbox.recent.len() <= MAX_RECENT);
        }
        let counted: u64 = bench.outbox.not_sent.values().sum();
        prop_assert_eq!(given, critical + lesser + not_sent + counted + bench.outbox.waiting() as u64);
        prop_assert!(bench.outbox.waiting.iter().all(|waiting| !waiting.notice.is_critical()));
    }
}
