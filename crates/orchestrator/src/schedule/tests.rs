//! One schedule: what is asked of it and what becomes of its due times.

use walkforward_core::LineName;

use super::*;
use crate::recurrence::Recurrence;

mod clock;
mod random;

const HOUR_MS: i64 = 3_600_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute * 60_000).unwrap()
}

fn minutes(time: Timestamp) -> i64 {
    time.as_millis() / 60_000
}

fn plan(change: impl FnOnce(&mut Timing)) -> Plan {
    let mut timing = Timing::new(Recurrence::every_hours(1.0).unwrap());
    change(&mut timing);
    Plan { id: "btc".parse().unwrap(), line: LineName::default(), timing }
}

fn idle(plan: Plan) -> State {
    State {
        plan: Arc::new(plan),
        status: ScheduleStatus::Idle,
        anchor_at: None,
        current_cycle: 0,
        last_cycle_at: None,
        next_cycle_at: None,
        wake_at: None,
        running: None,
        queued: None,
        missed_in_series: 0,
        resumed_at: None,
    }
}

fn hourly() -> State {
    idle(plan(|_| {}))
}

fn queueing() -> State {
    idle(plan(|timing| timing.on_busy = OnBusy::Queue))
}

fn timer(minute: i64) -> Input {
    Input::Timer { now: at(minute), room: Room::Free }
}

fn busy() -> Room {
    Room::Busy { reason: "cycle 3 of schedule 'eth' is running".to_owned() }
}

fn done(number: u64) -> Input {
    Input::Finished { number, end: CycleEnd::new(CycleStatus::Rejected, None) }
}

/// Applies all inputs and compares the effects of each, one line an input; the state at the end.
fn check(mut state: State, steps: &[(Input, &str)]) -> State {
    for (input, expected) in steps {
        let text = match step(state.clone(), input.clone()) {
            Ok((next, effects)) => {
                state = next;
                render(&effects)
            }
            Err(refused) => format!("refused: {}", refused.problem),
        };
        assert_eq!(&text, expected, "after {input:?}");
    }
    state
}

fn render(effects: &[Effect]) -> String {
    effects.iter().flat_map(render_effect).collect::<Vec<_>>().join(", ")
}

fn render_effect(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Persist(changes) => changes.iter().filter_map(render_change).collect(),
        Effect::Run(cycle) => vec![format!("run {}", cycle.number)],
        Effect::Cancel { number, .. } => vec![format!("cancel {number}")],
        Effect::SetTimer(Some(time)) => vec![format!("wake@{}", minutes(*time))],
        Effect::SetTimer(None) => vec!["no wake".to_owned()],
        Effect::Repeat => vec!["repeat".to_owned()],
        Effect::Announce(all) => all.iter().map(|it| it.kind.replace("continuous_", "tell ")).collect(),
    }
}

fn render_change(change: &ScheduleChange) -> Option<String> {
    match change {
        ScheduleChange::Cycle(cycle) => {
            Some(format!("{} {} {}@{}", cycle.trigger, cycle.number, cycle.status, minutes(cycle.due_at)))
        }
        ScheduleChange::CycleStatus { number, status, .. } => Some(format!("{number} {status}")),
        ScheduleChange::Schedule(state) => Some(format!(
            "{}({})",
            state.status,
            state.next_cycle_at.map_or("-".to_owned(), |t| minutes(t).to_string())
        )),
        ScheduleChange::Event { .. } => None,
    }
}

const START: &str = "active(0), wake@0, tell status_change";
const FIRST: &str = "due 1 running@0, active(60), run 1, wake@60, tell cycle_start";

fn started() -> [(Input, &'static str); 3] {
    [
        (Input::Start { now: at(0) }, START),
        (timer(0), FIRST),
        (done(1), "1 rejected, tell cycle_complete, tell cycle_rejected"),
    ]
}

#[test]
fn the_first_cycle_is_due_at_once_and_the_next_ones_keep_to_its_start() {
    let state = check(hourly(), &started());
    check(
        state,
        &[
            (timer(30), ""),
            (timer(61), "due 2 running@60, active(120), run 2, wake@120, tell cycle_start"),
            (done(1), ""),
            (done(2), "2 rejected, tell cycle_complete, tell cycle_rejected"),
        ],
    );
}

#[test]
fn a_due_time_is_skipped_while_something_else_runs() {
    let state = check(hourly(), &[started()[0].clone(), started()[1].clone()]);
    let state = check(
        state,
        &[
            (timer(60), "due 2 skipped@60, active(120), wake@120, tell cycle_skipped"),
            (done(1), "1 rejected, tell cycle_complete, tell cycle_rejected"),
        ],
    );
    check(
        state,
        &[(
            Input::Timer { now: at(120), room: busy() },
            "due 3 skipped@120, active(180), wake@180, tell cycle_skipped",
        )],
    );
}

#[test]
fn a_due_time_waits_where_the_schedule_queues_and_only_one_does() {
    let state = check(queueing(), &[started()[0].clone(), started()[1].clone()]);
    check(
        state,
        &[
            (timer(60), "due 2 queued@60, active(120), wake@120"),
            (timer(120), "due 3 skipped@120, active(180), wake@180, tell cycle_skipped"),
            (Input::Admitted, ""),
            (done(1), "1 rejected, tell cycle_complete, tell cycle_rejected"),
            (Input::Admitted, "2 running, run 2, tell cycle_start"),
            (Input::Admitted, ""),
        ],
    );
}

#[test]
fn due_times_that_nobody_noticed_are_missed_and_one_cycle_makes_up_for_them() {
    let state = check(hourly(), &started());
    check(
        state,
        &[(
            timer(200),
            "due 2 missed@60, due 3 missed@120, due 4 missed@180, catch_up 5 running@200, active(240), run 5, wake@240, \
         tell cycle_missed, tell cycle_start",
        )],
    );
}

#[test]
fn a_due_time_that_runs_now_makes_up_for_those_that_were_missed() {
    let state = check(hourly(), &started());
    check(
        state,
        &[(
            timer(181),
            "due 2 missed@60, due 3 missed@120, due 4 running@180, active(240), run 4, wake@240, tell cycle_missed, \
         tell cycle_start",
        )],
    );
}

#[test]
fn missed_due_times_pass_where_the_policy_says_so() {
    let state = check(idle(plan(|timing| timing.on_missed = OnMissed::Skip)), &started());
    check(
        state,
        &[(timer(130), "due 2 missed@60, due 3 missed@120, active(180), wake@180, tell cycle_missed")],
    );
}

#[test]
fn a_due_time_is_late_after_its_grace_and_not_before() {
    let late = |ms: i64| Input::Timer { now: at(60).plus_millis(ms), room: Room::Free };
    let state = check(hourly(), &started());
    check(
        state.clone(),
        &[(late(60_000), "due 2 running@60, active(120), run 2, wake@120, tell cycle_start")],
    );
    let (_, effects) = step(state, late(60_001)).unwrap();
    assert!(render(&effects).starts_with("due 2 missed@60, catch_up 3 running@61"), "{}", render(&effects));
}

#[test]
fn an_outage_with_many_due_times_is_recorded_in_parts_and_made_up_for_once() {
    let minutely = plan(|timing| timing.recurrence = Recurrence::every_minutes(1.0).unwrap());
    let mut state = check(idle(minutely), &[(Input::Start { now: at(0) }, START)]);
    state = step(state, timer(0)).unwrap().0;
    state = step(state, done(1)).unwrap().0;
    let now = Timestamp::from_millis(1_750 * 60_000 + 45_000).unwrap();
    let (mut missed, mut caught_up, mut steps) = (0, 0, 0);
    while state.wake_at().is_some_and(|wake| wake <= now) {
        let (next, effects) = step(state, Input::Timer { now, room: Room::Free }).unwrap();
        let text = render(&effects);
        missed += text.matches("missed@").count();
        caught_up += text.matches("catch_up").count();
        assert_eq!(text.matches("tell cycle_missed").count(), 1);
        state = next;
        steps += 1;
    }
    assert_eq!((missed, caught_up, steps), (1_750, 1, 4));
}

#[test]
fn a_clock_that_is_set_back_fires_nothing_twice() {
    let state = check(hourly(), &started());
    let state = check(
        state,
        &[
            (timer(60), "due 2 running@60, active(120), run 2, wake@120, tell cycle_start"),
            (done(2), "2 rejected, tell cycle_complete, tell cycle_rejected"),
        ],
    );
    let state = check(state, &[(timer(10), ""), (timer(60), ""), (timer(119), "")]);
    check(
        state,
        &[
            (Input::Stop { now: at(10) }, "stopped(-), no wake, tell status_change"),
            (Input::Start { now: at(20) }, "active(120), wake@120, tell status_change"),
        ],
    );
}

#[test]
fn a_pause_keeps_the_next_due_time_and_the_running_cycle() {
    let state = check(hourly(), &[started()[0].clone(), started()[1].clone()]);
    let state = check(
        state,
        &[
            (Input::Pause, "paused(60), no wake, tell status_change"),
            (timer(70), ""),
            (done(1), "1 rejected, tell cycle_complete, tell cycle_rejected"),
        ],
    );
    check(state.clone(), &[(Input::Resume { now: at(70) }, "active(60), wake@60, tell status_change")]);
    check(
        state,
        &[
            (Input::Resume { now: at(70) }, "active(60), wake@60, tell status_change"),
            (
                timer(130),
                "due 2 missed@60, due 3 missed@120, catch_up 4 running@130, active(180), run 4, wake@180, \
             tell cycle_missed, tell cycle_start",
            ),
        ],
    );
}

#[test]
fn a_pause_cancels_what_waits() {
    let state = check(
        queueing(),
        &[started()[0].clone(), started()[1].clone(), (timer(60), "due 2 queued@60, active(120), wake@120")],
    );
    check(
        state,
        &[(Input::Pause, "2 cancelled, paused(120), no wake, tell cycle_failed, tell status_change")],
    );
}

#[test]
fn a_stop_cancels_what_runs_and_gives_every_due_time_its_outcome() {
    let state = check(hourly(), &[started()[0].clone(), started()[1].clone()]);
    check(
        state,
        &[
            (
                Input::Stop { now: at(130) },
                "due 2 missed@60, due 3 missed@120, stopped(-), cancel 1, no wake, tell cycle_missed, tell status_change",
            ),
            (
                Input::Finished { number: 1, end: CycleEnd::new(CycleStatus::Cancelled, None) },
                "1 cancelled, tell cycle_failed",
            ),
            (timer(180), ""),
            (Input::Start { now: at(185) }, "active(240), wake@240, tell status_change"),
        ],
    );
}

#[test]
fn a_stop_after_a_long_pause_comes_in_parts() {
    let minutely = plan(|timing| timing.recurrence = Recurrence::every_minutes(1.0).unwrap());
    let state = check(
        idle(minutely),
        &[(Input::Start { now: at(0) }, START), (Input::Pause, "paused(0), no wake, tell status_change")],
    );
    let stop = Input::Stop { now: at(700) };
    let (state, effects) = step(state, stop.clone()).unwrap();
    assert!(effects.contains(&Effect::Repeat));
    assert_eq!((state.status(), state.current_cycle()), (ScheduleStatus::Paused, 500));
    let (state, effects) = step(state, stop).unwrap();
    assert!(!effects.contains(&Effect::Repeat));
    assert_eq!((state.status(), state.current_cycle()), (ScheduleStatus::Stopped, 701));
}

#[test]
fn somebody_who_asks_for_a_cycle_gets_one_or_the_reason_why_not() {
    let ask = |room| Input::TriggerNow { now: at(20), room };
    let state = check(hourly(), &started());
    check(
        state.clone(),
        &[
            (
                ask(busy()),
                "refused: cycle 3 of schedule 'eth' is running; try again when that is over, or set on_busy = queue",
            ),
            (ask(Room::Free), "manual 2 running@20, active(60), run 2, tell cycle_start"),
            (
                ask(Room::Free),
                "refused: cycle 2 of this schedule is still running; try again when that is over, or set on_busy = queue",
            ),
            (timer(60), "due 3 skipped@60, active(120), wake@120, tell cycle_skipped"),
        ],
    );
    let state = check(queueing(), &started());
    check(
        state,
        &[
            (ask(busy()), "manual 2 queued@20, active(60)"),
            (
                ask(busy()),
                "refused: cycle 2 of this schedule is still queued; try again when that is over, or set on_busy = queue",
            ),
        ],
    );
}

#[test]
fn a_command_that_makes_no_sense_names_the_state_and_what_can_be_done() {
    let refused = |state: &State, input: Input, expected: &str| {
        assert_eq!(step(state.clone(), input).unwrap_err().to_string(), expected);
    };
    let (idle, active) = (hourly(), check(hourly(), &[started()[0].clone()]));
    let paused = step(active.clone(), Input::Pause).unwrap().0;
    let stopped = step(active.clone(), Input::Stop { now: at(0) }).unwrap().0;
    let removed = step(active.clone(), Input::Remove { now: at(0) }).unwrap().0;
    refused(
        &stopped,
        Input::Resume { now: at(0) },
        "schedule 'btc' can't be resumed: it is stopped; start it",
    );
    refused(&idle, Input::Pause, "schedule 'btc' can't be paused: it was never started; start it");
    refused(
        &idle,
        Input::Stop { now: at(0) },
        "schedule 'btc' can't be stopped: it was never started; start it or remove it",
    );
    refused(&active, Input::Start { now: at(0) }, "schedule 'btc' can't be started: it is active already");
    refused(&paused, Input::Start { now: at(0) }, "schedule 'btc' can't be started: it is paused; resume it");
    let trigger = Input::TriggerNow { now: at(0), room: Room::Free };
    refused(&paused, trigger, "schedule 'btc' can't be triggered: it is paused; resume it");
    refused(
        &removed,
        Input::Start { now: at(0) },
        "schedule 'btc' can't be started: it was removed; add it again under another id",
    );
}

#[test]
fn cycles_of_a_process_that_is_gone_are_interrupted_and_the_schedule_goes_on() {
    let mut state = check(
        queueing(),
        &[started()[0].clone(), started()[1].clone(), (timer(60), "due 2 queued@60, active(120), wake@120")],
    );
    (state.running, state.queued) = (None, None);
    let open = vec![
        OpenCycle { number: 1, status: CycleStatus::Running, ended: None },
        OpenCycle { number: 2, status: CycleStatus::Queued, ended: None },
    ];
    let ended = Some(CycleEnd::new(CycleStatus::Promoted, None));
    let promoted = OpenCycle { number: 1, status: CycleStatus::Running, ended };
    check(state.clone(), &[(Input::Recovered { open: vec![promoted] }, "1 promoted, tell cycle_complete")]);
    check(
        state,
        &[
            (Input::Recovered { open }, "1 interrupted, 2 interrupted, tell cycle_failed, tell cycle_failed"),
            (timer(120), "due 3 running@120, active(180), run 3, wake@180, tell cycle_start"),
        ],
    );
}

#[test]
fn another_recurrence_gives_old_due_times_their_outcome_and_never_goes_back() {
    let state = check(hourly(), &started());
    let faster = |id: &str| {
        let mut plan = plan(|timing| timing.recurrence = Recurrence::every_minutes(20.0).unwrap());
        plan.id = id.parse().unwrap();
        Arc::new(plan)
    };
    check(
        state.clone(),
        &[
            (Input::Reconfigure { now: at(30), plan: faster("btc") }, "active(40), wake@40"),
            (
                Input::Reconfigure { now: at(30), plan: faster("eth") },
                "refused: the new plan is that of schedule 'eth'",
            ),
        ],
    );
    check(
        state,
        &[(
            Input::Reconfigure { now: at(60), plan: faster("btc") },
            "due 2 missed@60, active(80), wake@80, tell cycle_missed",
        )],
    );
}

#[test]
fn a_cycle_keeps_its_line_while_it_runs() {
    let state = check(hourly(), &[started()[0].clone(), started()[1].clone()]);
    let moved = Arc::new(Plan { line: "eth".parse().unwrap(), ..plan(|_| {}) });
    check(
        state,
        &[
            (
                Input::Reconfigure { now: at(1), plan: Arc::clone(&moved) },
                "refused: it can't move to line 'eth' now: cycle 1 of this schedule is still running",
            ),
            (done(1), "1 rejected, tell cycle_complete, tell cycle_rejected"),
            (Input::Reconfigure { now: at(1), plan: moved }, ""),
        ],
    );
}

#[test]
fn a_cycle_that_ends_without_an_end_has_failed() {
    let state = check(hourly(), &[started()[0].clone(), started()[1].clone()]);
    check(
        state,
        &[(
            Input::Finished { number: 1, end: CycleEnd::new(CycleStatus::Running, None) },
            "1 failed, tell cycle_failed",
        )],
    );
}

#[test]
fn jitter_delays_the_start_and_not_the_due_time() {
    let state = check(idle(plan(|timing| timing.jitter_seconds = 600)), &[]);
    let (state, _) = step(state, Input::Start { now: at(0) }).unwrap();
    let wake = state.wake_at().unwrap();
    assert!(wake > at(0) && wake < at(10) && state.next_cycle_at() == Some(at(0)), "{wake}");
    let (state, effects) = step(state, Input::Timer { now: wake, room: Room::Free }).unwrap();
    assert!(render(&effects).starts_with("due 1 running@0"));
    assert_eq!(state.wake_at().unwrap().millis_since(wake), HOUR_MS);
}
