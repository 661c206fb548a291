//! A year of a six-hour schedule, and what may happen in it.

use super::*;

/// Due times of a year.
const DUE_TIMES: usize = 1_460;
const SIX_HOURS: i64 = 360;

/// Fewer wake-ups than the half minute of a real scheduler, which would take most of the test's time.
fn patient_world() -> World {
    let mut world = World::new(Cycle::Takes(10 * MINUTE));
    world.options.longest_sleep = Duration::from_secs(HOUR);
    world
}

fn six_hourly(on_missed: &str) -> serde_json::Value {
    json!({ "interval_hours": 6, "on_missed": on_missed })
}

#[tokio::test(start_paused = true)]
async fn each_of_a_years_due_times_has_exactly_one_outcome() {
    let world = patient_world();
    let running = world.with(&["btc"], six_hourly("run_once")).await;
    pass(365 * DAY - HOUR).await;
    running.stop().await.unwrap();
    assert_eq!(due_minutes(&world, "btc", SIX_HOURS).len(), DUE_TIMES);
    assert_eq!(count(&world, "btc", CycleTrigger::Due, CycleStatus::Rejected), DUE_TIMES);
    assert_eq!(world.ledger.rows("btc").len(), DUE_TIMES);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_three_days_is_twelve_missed_due_times() {
    for (on_missed, catch_ups) in [("run_once", 1), ("skip", 0)] {
        let world = patient_world();
        let running = world.with(&["btc"], six_hourly(on_missed)).await;
        pass(100 * DAY + 3 * HOUR).await;
        running.kill().await;
        pass(3 * DAY).await;
        let running = world.run();
        pass(262 * DAY - 4 * HOUR).await;
        running.stop().await.unwrap();
        assert_eq!(due_minutes(&world, "btc", SIX_HOURS).len(), DUE_TIMES, "{on_missed}");
        assert_eq!(count(&world, "btc", CycleTrigger::Due, CycleStatus::Missed), 12, "{on_missed}");
        assert_eq!(
            count(&world, "btc", CycleTrigger::CatchUp, CycleStatus::Rejected),
            catch_ups,
            "{on_missed}"
        );
        assert_eq!(world.ledger.rows("btc").len(), DUE_TIMES + catch_ups, "{on_missed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_a_day_both_ways_doubles_and_loses_no_due_time() {
    let world = World::new(Cycle::Takes(10 * MINUTE));
    let running = world.with(&["btc"], six_hourly("run_once")).await;
    pass(10 * DAY + 3 * HOUR).await;
    world.clock.set_ahead(86_400);
    pass(MINUTE).await;
    // A jump is noticed within one sleep: four due times have passed unseen.
    assert_eq!(count(&world, "btc", CycleTrigger::Due, CycleStatus::Missed), 4);
    pass(20 * DAY).await;
    world.clock.set_ahead(-86_400);
    pass(2 * DAY).await;
    running.stop().await.unwrap();
    let due = due_minutes(&world, "btc", SIX_HOURS);
    // By the clock 32 days have passed, and no due time before its last reading came twice.
    assert_eq!((due.len(), due[0]), (32 * 4 + 1, 0));
    assert_eq!(count(&world, "btc", CycleTrigger::Due, CycleStatus::Missed), 4);
    assert_eq!(count(&world, "btc", CycleTrigger::CatchUp, CycleStatus::Rejected), 1);
}
