//! A year of a six-hour schedule, and what may happen in it.

use super::*;
use crate::schedule::MAX_MISSED_ROWS;

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

/// Seconds from now, which is 1970 in these tests, to 2030.
const TO_2030: i64 = 60 * 365 * 86_400;

#[tokio::test(start_paused = true)]
async fn a_clock_that_shows_2030_for_a_minute_is_got_over_by_a_stop_and_a_start() {
    let world = World::new(Cycle::Takes(10));
    let running = world.with(&["btc"], six_hourly("run_once")).await;
    pass(DAY + HOUR).await;
    world.clock.set_ahead(TO_2030);
    pass(2 * MINUTE).await;
    world.clock.set_ahead(-TO_2030);
    let rows = world.ledger.rows("btc").len();
    // Five have run, then the misses of sixty years, then the cycle that makes up for them.
    assert_eq!(rows, 5 + MAX_MISSED_ROWS as usize + 1 + 1);
    pass(2 * DAY).await;
    assert_eq!(world.ledger.rows("btc").len(), rows, "nothing goes back by itself");
    let scheduler = &running.scheduler;
    scheduler.stop(&id("btc")).await.unwrap();
    let next = scheduler.start(&id("btc")).await.unwrap().next_cycle_at.unwrap();
    assert_eq!(next.as_millis() / 60_000, 3 * 1_440 + SIX_HOURS);
    let told = world.told.0.lock().unwrap().clone();
    let went_back = told.iter().filter(|(_, kind)| *kind == "continuous_clock_went_back");
    assert_eq!(went_back.count(), 1);
    pass(DAY).await;
    running.stop().await.unwrap();
    let after = &world.ledger.rows("btc")[rows..];
    assert!(after.iter().all(|row| (row.trigger, row.status) == (CycleTrigger::Due, CycleStatus::Rejected)));
    let due: Vec<i64> = after.iter().map(|row| row.due_minute).collect();
    assert_eq!(due, [1, 2, 3, 4].map(|step| 3 * 1_440 + step * SIX_HOURS));
}

#[tokio::test(start_paused = true)]
async fn a_year_of_days_has_one_cycle_a_day_also_when_the_clocks_are_set() {
    // New York, 1970: 2 o'clock became 3 on 26 April, and 1 o'clock came twice on 25 October.
    for (cron, first) in [("30 1 * * *", 6 * 60 + 30), ("30 2 * * *", 7 * 60 + 30), ("0 2 * * *", 7 * 60)] {
        let world = patient_world();
        let config = json!({ "cron": cron, "zone": "America/New_York" });
        let running = world.with(&["btc"], config).await;
        pass(365 * DAY).await;
        running.stop().await.unwrap();
        assert_eq!(count(&world, "btc", CycleTrigger::Due, CycleStatus::Rejected), 365, "{cron}");
        let rows = world.ledger.rows("btc");
        assert_eq!((rows.len(), rows[0].due_minute), (365, first), "{cron}");
        let gaps: Vec<i64> = rows.windows(2).map(|pair| pair[1].due_minute - pair[0].due_minute).collect();
        assert!(gaps.iter().all(|gap| (gap - 1_440).abs() <= 60), "{cron}: {gaps:?}");
    }
}
