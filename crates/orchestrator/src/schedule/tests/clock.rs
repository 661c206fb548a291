//! Clocks that were set, long outages, and what their rows say.

use serde_json::{Value, json};
use walkforward_store::ScheduleRecord;

use super::*;
use crate::recurrence::MAX_COUNTED;

/// Six years ahead of the test's other times, and on the hour.
const AHEAD: i64 = 6 * 365 * 24 * 60;
const DAY: i64 = 24 * 60;

/// What a schedule has come to, with all that it had persisted on the way.
#[derive(Clone)]
struct Story {
    state: State,
    rows: Vec<walkforward_store::NewCycle>,
    events: Vec<(String, Value)>,
}

impl Story {
    fn of(state: State) -> Self {
        Self { state, rows: Vec::new(), events: Vec::new() }
    }

    fn then(&mut self, input: Input) -> &mut Self {
        loop {
            let (state, effects) = step(self.state.clone(), input.clone()).unwrap();
            self.state = state;
            for change in effects.iter().flat_map(persisted) {
                match change {
                    ScheduleChange::Cycle(cycle) => self.rows.push(cycle.clone()),
                    ScheduleChange::Event { kind, payload } => {
                        self.events.push((kind.clone(), payload.clone()))
                    }
                    _ => {}
                }
            }
            if !effects.contains(&Effect::Repeat) {
                return self;
            }
        }
    }

    /// The timer comes as often as it is asked for, and the cycle that it starts ends at once.
    fn at(&mut self, now: Timestamp) -> &mut Self {
        while self.state.wake_at().is_some_and(|wake| wake <= now) {
            self.then(Input::Timer { now, room: Room::Free });
        }
        if let Some(number) = self.state.running() {
            self.then(done(number));
        }
        self
    }

    fn started(state: State) -> Self {
        let mut story = Self::of(state);
        story.then(Input::Start { now: at(0) }).at(at(0));
        story
    }

    fn next_minute(&self) -> Option<i64> {
        self.state.next_cycle_at().map(minutes)
    }

    fn reasons(&self) -> Vec<&str> {
        self.rows.iter().filter_map(|row| row.reason.as_deref()).collect()
    }

    /// Due times of the rows, in minutes.
    fn due(&self) -> Vec<i64> {
        self.rows
            .iter()
            .filter(|row| row.trigger == CycleTrigger::Due)
            .map(|row| minutes(row.due_at))
            .collect()
    }
}

fn persisted(effect: &Effect) -> &[ScheduleChange] {
    match effect {
        Effect::Persist(changes) => changes,
        _ => &[],
    }
}

fn every(minutes: f64) -> Recurrence {
    Recurrence::every_minutes(minutes).unwrap()
}

/// An hourly schedule whose clock was six years ahead for a while; now it is 00:30 of the first day.
fn after_a_clock_ahead() -> Story {
    let mut story = Story::started(idle(plan(|timing| timing.recurrence = every(60.0 * 24.0))));
    story.at(at(AHEAD)).at(at(30));
    story
}

#[test]
fn a_clock_that_was_years_ahead_leaves_the_next_due_time_there() {
    let story = after_a_clock_ahead();
    assert_eq!(story.next_minute(), Some(AHEAD + DAY));
    assert_eq!(story.state.wake_at(), story.state.next_cycle_at());
    assert_eq!(story.state.due_if_counted_from(at(30)), Some(at(DAY)));
    // In its own time nothing is wrong with it.
    assert_eq!(story.state.due_if_counted_from(at(AHEAD)), None);
}

#[test]
fn a_start_after_a_stop_counts_from_the_present_again_and_the_rows_stay() {
    let mut story = after_a_clock_ahead();
    let rows = story.rows.len();
    story.then(Input::Stop { now: at(30) }).then(Input::Start { now: at(31) });
    assert_eq!((story.rows.len(), story.next_minute()), (rows, Some(DAY)));
    assert_eq!(story.state.persisted().last_cycle_at, Some(at(31)));
    let [.., (kind, payload), (last, _)] = story.events.as_slice() else { panic!("no events") };
    assert_eq!((kind.as_str(), last.as_str()), ("continuous_clock_went_back", "continuous_status_change"));
    let expected = json!({
        "schedule_id": "btc", "now": at(31), "next_cycle_at": at(DAY),
        "before": { "next_cycle_at": at(AHEAD + DAY), "last_cycle_at": at(AHEAD) },
    });
    assert_eq!(*payload, expected);
    // Due times that come again get a row of their own.
    story.at(at(DAY)).at(at(2 * DAY));
    assert_eq!(story.due()[rows..], [DAY, 2 * DAY]);
    assert!(story.due()[..rows].contains(&DAY));
    assert!(story.rows.iter().map(|row| row.number).eq(1..=rows as u64 + 2));
}

#[test]
fn a_resume_counts_from_the_present_again() {
    let mut story = after_a_clock_ahead();
    story.then(Input::Pause);
    assert_eq!(story.next_minute(), Some(AHEAD + DAY), "a pause keeps the next due time");
    assert_eq!(story.state.due_if_counted_from(at(40)), Some(at(DAY)));
    story.then(Input::Resume { now: at(40) });
    assert_eq!((story.next_minute(), story.state.wake_at()), (Some(DAY), Some(at(DAY))));
    assert_eq!(story.events.iter().filter(|(kind, _)| kind == "continuous_clock_went_back").count(), 1);
}

#[test]
fn a_schedule_that_was_first_started_by_a_clock_ahead_keeps_its_times_of_day() {
    let mut story = Story::of(hourly());
    story.then(Input::Start { now: at(AHEAD + 17) }).at(at(AHEAD + 17)).at(at(30));
    assert_eq!(story.next_minute(), Some(AHEAD + 77));
    story.then(Input::Stop { now: at(30) }).then(Input::Start { now: at(31) });
    assert_eq!((story.next_minute(), story.state.persisted().anchor_at), (Some(77), Some(at(17))));
    story.at(at(77)).at(at(137));
    assert_eq!(story.due(), [AHEAD + 17, 77, 137]);
}

#[test]
fn a_clock_at_the_end_of_the_calendar_is_mended_too() {
    let end = Timestamp::EPOCH.plus_millis(i64::MAX);
    let mut story = Story::started(hourly());
    story.at(end).at(at(30));
    assert_eq!((story.state.next_cycle_at(), story.state.wake_at()), (None, None));
    assert_eq!(story.state.due_if_counted_from(at(30)), Some(at(60)));
    story.then(Input::Stop { now: at(30) }).then(Input::Start { now: at(31) });
    assert_eq!(story.next_minute(), Some(60));
}

#[test]
fn what_was_read_from_the_database_is_mended_alike() {
    let state = after_a_clock_ahead().state.persisted();
    let config = json!({ "interval_hours": 24 });
    let record = ScheduleRecord {
        status: state.status,
        anchor_at: state.anchor_at,
        current_cycle: state.current_cycle,
        last_cycle_at: state.last_cycle_at,
        next_cycle_at: state.next_cycle_at,
        ..ScheduleRecord::idle(state.id.clone(), LineName::default(), config, at(0))
    };
    let mut story = Story::of(State::from_record(&record).unwrap());
    story.then(Input::Recovered { open: Vec::new() }).at(at(30));
    assert_eq!(story.state.due_if_counted_from(at(30)), Some(at(DAY)));
    story.then(Input::Stop { now: at(30) }).then(Input::Start { now: at(30) });
    assert_eq!(story.next_minute(), Some(DAY));
    let stopped = ScheduleRecord { status: ScheduleStatus::Stopped, next_cycle_at: None, ..record };
    let state = State::from_record(&stopped).unwrap();
    assert_eq!(state.due_if_counted_from(at(30)), None, "a stopped schedule waits for nothing");
    let mut story = Story::of(state);
    story.then(Input::Start { now: at(30) });
    assert_eq!(story.next_minute(), Some(DAY));
}

#[test]
fn a_jump_of_less_than_a_period_is_no_reason_to_fire_twice() {
    for jump in [1, 30, 59] {
        let mut story = Story::started(hourly());
        story.at(at(60 + jump)).at(at(60));
        let next = story.next_minute();
        story.then(Input::Pause).then(Input::Resume { now: at(60) });
        story.then(Input::Stop { now: at(60) }).then(Input::Start { now: at(60) });
        assert_eq!((story.next_minute(), story.state.due_if_counted_from(at(60))), (next, None), "{jump}");
        story.at(at(240));
        let due = story.due();
        assert!(due.is_sorted_by(|a, b| a < b), "{due:?}");
    }
}

#[test]
fn three_days_of_minutes_are_missed_row_by_row() {
    let mut story = Story::started(idle(plan(|timing| timing.recurrence = every(1.0))));
    story.at(at(3 * DAY).plus_millis(30_000));
    assert_eq!(story.due(), (0..=3 * DAY).collect::<Vec<_>>());
    assert!(story.reasons().iter().all(|reason| reason.starts_with("noticed ")), "{:?}", story.reasons());
}

#[test]
fn a_series_that_is_too_long_ends_in_one_row_for_the_rest() {
    for recurrence in [every(1.0), Recurrence::cron("* * * * *", "UTC").unwrap()] {
        let is_counted = matches!(recurrence, Recurrence::Cron(_));
        let (rows, missed) = (i64::from(MAX_MISSED_ROWS), AHEAD - 1);
        let mut story = Story::started(idle(plan(|timing| timing.recurrence = recurrence)));
        story.at(at(AHEAD).plus_millis(30_000));
        // The first ran, then a row each, then one for the rest, then the one that is on time.
        let expected: Vec<i64> = (0..=rows).chain([rows + 1, AHEAD]).collect();
        assert_eq!(story.due(), expected);
        assert_eq!(story.next_minute(), Some(AHEAD + 1));
        let reason = story.reasons().pop().unwrap();
        let count = match is_counted {
            true => format!("more than {MAX_COUNTED} due"),
            false => format!("{} due", missed - rows),
        };
        assert!(reason.starts_with(&count), "{reason}");
        assert!(
            reason.contains(&format!("from {} to {} share this row", at(rows + 1), at(AHEAD - 1))),
            "{reason}"
        );
        let told: u64 = story.events.iter().filter_map(|(_, payload)| payload["due_times"].as_u64()).sum();
        assert!(is_counted || told == missed as u64, "{told}");
    }
}

#[test]
fn a_series_ends_with_what_is_noticed_in_time() {
    let mut story = Story::started(idle(plan(|timing| timing.recurrence = every(1.0))));
    let (first, second) = (8_000, 16_000);
    story.at(at(first).plus_millis(40_000)).at(at(first + 1)).at(at(second).plus_millis(40_000));
    assert!(story.reasons().iter().all(|reason| !reason.contains("share this row")));
    assert_eq!(story.due(), (0..=second).collect::<Vec<_>>());
}

#[test]
fn a_missed_due_time_says_why() {
    let (pause, resume) = (Input::Pause, |minute| Input::Resume { now: at(minute) });
    let stop = |minute| Input::Stop { now: at(minute) };
    let other = Plan { id: "s-9".parse().unwrap(), ..plan(|timing| timing.recurrence = every(7.0)) };
    let reconfigure = Input::Reconfigure { now: at(61), plan: Arc::new(other) };
    let late = "noticed 3600 s after it was due: nothing ran the schedules, the machine slept, the clock was set, or \
                the schedule was paused";
    for (inputs, expected) in [
        (vec![timer(120)], late),
        (vec![stop(61)], "the schedule was stopped 60 s after it was due, before its cycle started"),
        (vec![stop(120)], late),
        (
            vec![Input::Remove { now: at(61) }],
            "the schedule was removed 60 s after it was due, before its cycle started",
        ),
        (
            vec![reconfigure],
            "the schedule was given other due times 60 s after it was due, before its cycle started",
        ),
        (vec![pause.clone(), stop(140)], "the schedule was paused, and stopped 4800 s after it was due"),
        (
            vec![pause.clone(), resume(140), timer(141)],
            "the schedule was paused until 4800 s after it was due",
        ),
        // A pause that was over before it is not its reason.
        (vec![pause, resume(50), timer(120)], late),
    ] {
        let jittery = Plan { id: "s-9".parse().unwrap(), ..plan(|timing| timing.jitter_seconds = 1_700) };
        let mut story = Story::of(idle(jittery));
        story.then(Input::Start { now: at(0) });
        let wake = story.state.wake_at().unwrap();
        story.at(wake);
        assert!(story.state.wake_at().unwrap() > at(61), "its start is put off");
        for input in inputs.clone() {
            story.then(input);
        }
        assert_eq!(story.reasons().first(), Some(&expected), "{inputs:?}");
    }
}

#[test]
fn cron_on_a_day_on_which_the_clocks_are_set_has_one_outcome_each() {
    // New York: 2024-03-10 has no 02:30, 2024-11-03 has 01:30 twice.
    for (expression, day, expected) in [
        ("30 2 * * *", "2024-03-10T05:00:00Z", "2024-03-10T07:00:00Z"),
        ("30 1 * * *", "2024-11-03T04:00:00Z", "2024-11-03T05:30:00Z"),
    ] {
        let recurrence = Recurrence::cron(expression, "America/New_York").unwrap();
        let mut story = Story::of(idle(plan(|timing| timing.recurrence = recurrence.clone())));
        let midnight: Timestamp = day.parse().unwrap();
        story.then(Input::Start { now: midnight });
        for minute in 0..20 * 60 {
            let now = midnight.plus_millis(minute * 60_000);
            story.at(now);
            if minute % 7 == 0 {
                story.then(Input::Stop { now }).then(Input::Start { now: now.plus_millis(1) });
            }
        }
        let due: Vec<Timestamp> = story.rows.iter().map(|row| row.due_at).collect();
        assert_eq!(due, [expected.parse::<Timestamp>().unwrap()], "{expression}");
        assert_eq!(story.rows[0].status, CycleStatus::Running);
    }
}
