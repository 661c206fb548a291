//! The driver under paused time.

use std::sync::atomic::Ordering;

use serde_json::json;
use walkforward_store::{CycleStatus, CycleTrigger};

use super::*;

mod fixture;
mod stored;
mod year;

use fixture::{Cycle, DAY, HOUR, MINUTE, World, hourly, id, pass};

#[tokio::test(start_paused = true)]
async fn cycles_run_at_once_and_at_every_interval_from_the_first_start() {
    let world = World::new(Cycle::Takes(10 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(150 * MINUTE).await;
    running.stop().await.unwrap();
    assert_eq!(world.ledger.text("btc"), ["due 1 rejected@0", "due 2 rejected@60", "due 3 rejected@120"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_cycle_makes_the_next_due_times_skip_and_a_stop_cancels() {
    let world = World::new(Cycle::Takes(130 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(200 * MINUTE).await;
    running.stop().await.unwrap();
    let expected = ["due 1 rejected@0", "due 2 skipped@60", "due 3 skipped@120", "due 4 cancelled@180"];
    assert_eq!(world.ledger.text("btc"), expected);
    assert_eq!(world.ledger.row("btc", 2).reason, "cycle 1 of this schedule is still running");
}

#[tokio::test(start_paused = true)]
async fn what_was_persisted_is_announced_in_order() {
    let world = World::new(Cycle::Takes(90 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(70 * MINUTE).await;
    running.stop().await.unwrap();
    let told = world.told.0.lock().unwrap().clone();
    let kinds = ["status_change", "cycle_start", "cycle_skipped", "cycle_failed"]
        .map(|kind| format!("continuous_{kind}"));
    assert_eq!(told.iter().map(|(_, kind)| (*kind).to_owned()).collect::<Vec<_>>(), kinds);
    assert!(told.is_sorted_by(|(a, _), (b, _)| a < b), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_panics_has_failed_and_the_schedule_goes_on() {
    let world = World::new(Cycle::Panics);
    let running = world.with(&["btc"], hourly()).await;
    pass(70 * MINUTE).await;
    running.stop().await.unwrap();
    assert_eq!(world.ledger.text("btc"), ["due 1 failed@0", "due 2 failed@60"]);
    assert_eq!(world.ledger.row("btc", 1).reason, "a bug: the cycle panicked: the cycle has a bug");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_before_it_is_persisted_and_the_due_time_is_not_lost() {
    let world = World::new(Cycle::Takes(MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(30 * MINUTE).await;
    let told = world.told.0.lock().unwrap().len();
    world.ledger.is_locked.store(true, Ordering::SeqCst);
    pass(50 * MINUTE).await;
    assert_eq!(running.scheduler.overview().not_recorded.as_deref(), Some("database is locked"));
    assert_eq!(running.scheduler.status(&id("btc")).unwrap().current_cycle, 1);
    let refused = running.scheduler.pause(&id("btc")).await.unwrap_err().to_string();
    assert!(
        refused.contains("no command is taken at present") && refused.contains("database is locked"),
        "{refused}"
    );
    assert_eq!((world.ledger.rows("btc").len(), world.told.0.lock().unwrap().len()), (1, told));
    world.ledger.is_locked.store(false, Ordering::SeqCst);
    pass(MINUTE).await;
    assert_eq!(running.scheduler.overview().not_recorded, None);
    assert_eq!(running.scheduler.status(&id("btc")).unwrap().running_cycle, Some(2));
    running.stop().await.unwrap();
    assert_eq!(world.ledger.text("btc"), ["due 1 rejected@0", "due 2 cancelled@60"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_cycle_is_recorded_when_that_is_possible_again() {
    let world = World::new(Cycle::Takes(10 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(5 * MINUTE).await;
    world.ledger.is_locked.store(true, Ordering::SeqCst);
    pass(20 * MINUTE).await;
    assert_eq!(world.ledger.text("btc"), ["due 1 running@0"]);
    world.ledger.is_locked.store(false, Ordering::SeqCst);
    pass(MINUTE).await;
    assert_eq!(world.ledger.text("btc"), ["due 1 rejected@0"]);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_command_that_cannot_be_persisted_is_not_carried_out() {
    let world = World::new(Cycle::Takes(10 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(30 * MINUTE).await;
    world.ledger.is_locked.store(true, Ordering::SeqCst);
    let refused = running.scheduler.stop(&id("btc")).await.unwrap_err().to_string();
    assert!(refused.contains("nothing was done about schedule 'btc'"), "{refused}");
    world.ledger.is_locked.store(false, Ordering::SeqCst);
    pass(40 * MINUTE).await;
    running.stop().await.unwrap();
    assert_eq!(world.ledger.text("btc"), ["due 1 rejected@0", "due 2 rejected@60"]);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_whose_rows_were_changed_by_others_stops_nobody_else() {
    for is_silent in [false, true] {
        let world = World::new(Cycle::Takes(MINUTE));
        world.ledger.is_silent.store(is_silent, Ordering::SeqCst);
        let running =
            world.with(&["ada", "btc", "eth"], json!({ "interval_hours": 1, "on_busy": "queue" })).await;
        pass(30 * MINUTE).await;
        world.ledger.refused.lock().unwrap().insert(id("btc"));
        pass(60 * MINUTE).await;
        for name in ["ada", "eth"] {
            assert_eq!(
                world.ledger.text(name),
                ["due 1 rejected@0", "due 2 rejected@60"],
                "{name} {is_silent}"
            );
        }
        assert_eq!(
            running.scheduler.status(&id("btc")).unwrap().fault.as_deref(),
            Some("btc is tampered with")
        );
        running.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_does_not_end_in_time_is_left_to_the_next_start() {
    let world = World::new(Cycle::Stubborn);
    let queue = json!({ "interval_hours": 1, "on_busy": "queue" });
    let running = world.with(&["btc", "eth"], queue).await;
    pass(30 * MINUTE).await;
    running.stop().await.unwrap();
    // It may yet promote its model.
    assert_eq!(world.ledger.text("btc"), ["due 1 running@0"]);
    assert_eq!(world.ledger.text("eth"), ["due 1 interrupted@0"]);
    assert_eq!(world.ledger.row("eth", 1).reason, "the scheduler stopped before it started");
    world.run().stop().await.unwrap();
    assert_eq!(world.ledger.text("btc"), ["due 1 interrupted@0"]);
}

#[tokio::test(start_paused = true)]
async fn a_slot_keeps_cycles_of_its_line_waiting_until_it_is_dropped() {
    let world = World::new(Cycle::Takes(10 * MINUTE));
    let queue = json!({ "interval_hours": 1, "on_busy": "queue" });
    let running = world.with(&["btc"], queue).await;
    pass(30 * MINUTE).await;
    let line = running.scheduler.status(&id("btc")).unwrap().line;
    let slot = running.scheduler.reserve(&line, "experiment 'e'").await.unwrap();
    let busy = running.scheduler.reserve(&line, "experiment 'f'").await.unwrap_err().to_string();
    assert!(busy.contains("is busy with experiment 'e'; try again"), "{busy}");
    pass(60 * MINUTE).await;
    assert_eq!(running.scheduler.status(&id("btc")).unwrap().queued_cycle, Some(2));
    let overview = running.scheduler.overview();
    assert_eq!((overview.trainings, overview.running, overview.queued), (1, 0, 1));
    drop(slot);
    pass(MINUTE).await;
    assert_eq!(running.scheduler.status(&id("btc")).unwrap().running_cycle, Some(2));
    // Nobody waits for this one's answer.
    drop(running.scheduler.reserve(&"other".parse().unwrap(), "experiment 'g'"));
    pass(HOUR).await;
    running.stop().await.unwrap();
    assert_eq!(world.ledger.text("btc")[1], "due 2 rejected@60");
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_set_aside_can_be_removed_and_keeps_its_line_while_its_cycle_ends() {
    let world = World::new(Cycle::Takes(90 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    pass(30 * MINUTE).await;
    world.ledger.refused.lock().unwrap().insert(id("btc"));
    pass(31 * MINUTE).await;
    let view = running.scheduler.status(&id("btc")).unwrap();
    assert_eq!(view.fault.as_deref(), Some("btc is tampered with"));
    world.ledger.refused.lock().unwrap().clear();
    pass(MINUTE).await;
    let slot = running.scheduler.reserve(&view.line, "experiment 'e'").await.unwrap();
    let removed = running.scheduler.remove(&id("btc")).await.unwrap();
    assert_eq!(removed.status, ScheduleStatus::Removed);
    assert_eq!(world.ledger.text("btc"), ["due 1 interrupted@0"]);
    assert_eq!(running.scheduler.list(), []);
    drop(slot);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_kill_open_cycles_are_interrupted_and_the_due_times_go_on() {
    let mut world = World::new(Cycle::Stubborn);
    let queue = json!({ "interval_hours": 1, "on_busy": "queue" });
    let running = world.with(&["btc", "eth"], queue).await;
    pass(10 * MINUTE).await;
    running.kill().await;
    assert_eq!(world.ledger.text("eth"), ["due 1 queued@0"]);
    world.cycle = Cycle::Takes(MINUTE);
    pass(20 * MINUTE).await;
    let running = world.run();
    pass(40 * MINUTE).await;
    running.stop().await.unwrap();
    for name in ["btc", "eth"] {
        assert_eq!(world.ledger.text(name), ["due 1 interrupted@0", "due 2 rejected@60"]);
    }
    assert_eq!(world.ledger.row("btc", 1).reason, "the process ended while it ran");
}

#[tokio::test(start_paused = true)]
async fn the_handle_answers_with_the_schedule_as_it_then_is() {
    let world = World::new(Cycle::Takes(10 * MINUTE));
    let running = world.with(&["btc"], hourly()).await;
    let scheduler = running.scheduler.clone();
    pass(30 * MINUTE).await;
    assert_eq!(scheduler.trigger(&id("btc")).await.unwrap().running_cycle, Some(2));
    let paused = scheduler.pause(&id("btc")).await.unwrap();
    assert_eq!(
        (paused.status, paused.next_cycle_at),
        (ScheduleStatus::Paused, Some(Timestamp::EPOCH.plus_millis(3_600_000)))
    );
    assert_eq!(scheduler.list(), [scheduler.status(&id("btc")).unwrap()]);
    assert_eq!(scheduler.resume(&id("btc")).await.unwrap().status, ScheduleStatus::Active);
    let unknown = scheduler.stop(&id("eth")).await.unwrap_err().to_string();
    assert!(unknown.contains("schedule 'eth' can't be stopped: there is no such schedule"), "{unknown}");
    assert!(scheduler.status(&id("eth")).unwrap_err().to_string().contains("there is no schedule 'eth'"));
    let bad =
        scheduler.add(world.record("ada", &json!({ "interval_hours": 0 }))).await.unwrap_err().to_string();
    assert!(bad.contains("schedule 'ada' can't be used: the interval is 0 minutes"), "{bad}");
    let faster =
        scheduler.reconfigure(world.record("btc", &json!({ "interval_minutes": 20 }))).await.unwrap();
    assert_eq!(faster.recurrence.as_deref(), Some("every 20m"));
    assert_eq!(scheduler.remove(&id("btc")).await.unwrap().status, ScheduleStatus::Removed);
    pass(HOUR).await;
    assert_eq!((scheduler.list().len(), scheduler.overview().schedules), (0, 0));
    running.stop().await.unwrap();
    assert!(matches!(scheduler.start(&id("btc")).await, Err(SchedulerError::NotRunning)));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_cannot_be_read_is_shown_with_its_fault() {
    let world = World::new(Cycle::Takes(MINUTE));
    world.record("btc", &json!({ "interval_hours": "six" }));
    let running = world.with(&["eth"], hourly()).await;
    let fault = running.scheduler.status(&id("btc")).unwrap().fault.unwrap();
    assert!(fault.contains("invalid type"), "{fault}");
    pass(DAY + MINUTE).await;
    assert_eq!(world.ledger.rows("eth").len(), 25);
    running.stop().await.unwrap();
}

/// Due times of a schedule, in order; panics where one has two outcomes or none.
fn due_minutes(world: &World, name: &str, every: i64) -> Vec<i64> {
    let rows = world.ledger.rows(name);
    let due: Vec<i64> =
        rows.iter().filter(|row| row.trigger == CycleTrigger::Due).map(|row| row.due_minute).collect();
    assert!(due.windows(2).all(|pair| pair[1] - pair[0] == every), "{due:?}");
    assert!(rows.iter().all(|row| row.status.is_final()));
    due
}

fn count(world: &World, name: &str, trigger: CycleTrigger, status: CycleStatus) -> usize {
    world.ledger.rows(name).iter().filter(|row| (row.trigger, row.status) == (trigger, status)).count()
}
