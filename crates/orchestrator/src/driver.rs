//! The one task that moves a schedule.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{CancelToken, Clock, Timestamp};

use crate::schedule::{Effect, Input, Schedule, step};

/// What happens to each due time of a schedule.
#[async_trait]
pub trait CycleOutcome: Send + Sync {
    /// Runs cycle `cycle`. Its own failures are its own to report; `cancel` asks it to stop soon.
    async fn run(&self, cycle: u64, due: Timestamp, cancel: CancelToken);

    /// Records that cycle `cycle` did not run because the one before still did.
    async fn skipped(&self, cycle: u64, due: Timestamp);

    /// Records that cycle `cycle` did not run because nobody was there.
    async fn missed(&self, cycle: u64, due: Timestamp);
}

/// Runs `schedule` until `stop` resolves, and then until the running cycle has ended.
pub async fn drive(
    schedule: Schedule,
    cycles: Arc<dyn CycleOutcome>,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()> + Send,
) {
    let mut driver = Driver { schedule, cycles, running: None, wake_at: None, done: false };
    driver.apply(Input::Start { now: clock.now() }).await;
    tokio::pin!(stop);
    let mut stopping = false;
    while !driver.done {
        let wake_at = driver.wake_at;
        let input = tokio::select! {
            () = &mut stop, if !stopping => {
                stopping = true;
                Input::Stop
            }
            () = finished(&mut driver.running) => {
                driver.running = None;
                Input::Finished
            }
            () = sleep(&*clock, wake_at) => {
                driver.wake_at = None;
                Input::Tick { now: clock.now() }
            }
        };
        driver.apply(input).await;
    }
}

struct Running {
    cancel: CancelToken,
    task: tokio::task::JoinHandle<()>,
}

struct Driver {
    schedule: Schedule,
    cycles: Arc<dyn CycleOutcome>,
    running: Option<Running>,
    wake_at: Option<Timestamp>,
    done: bool,
}

impl Driver {
    async fn apply(&mut self, input: Input) {
        let (schedule, effects) = step(self.schedule, input);
        self.schedule = schedule;
        for effect in effects {
            match effect {
                Effect::Run { cycle, due } => self.start(cycle, due),
                Effect::Skip { cycle, due } => self.cycles.skipped(cycle, due).await,
                Effect::Miss { cycle, due } => self.cycles.missed(cycle, due).await,
                Effect::WakeAt(time) => self.wake_at = Some(time),
                Effect::Cancel => self.cancel(),
                Effect::Exit => self.done = true,
            }
        }
    }

    fn start(&mut self, cycle: u64, due: Timestamp) {
        let (cycles, cancel) = (Arc::clone(&self.cycles), CancelToken::default());
        let token = cancel.clone();
        let task = tokio::spawn(async move { cycles.run(cycle, due, token).await });
        self.running = Some(Running { cancel, task });
    }

    fn cancel(&self) {
        if let Some(running) = &self.running {
            running.cancel.cancel();
        }
    }
}

async fn finished(running: &mut Option<Running>) {
    match running {
        Some(running) => {
            if let Err(failed) = (&mut running.task).await {
                tracing::error!(%failed, "a cycle ended in a panic");
            }
        }
        None => std::future::pending().await,
    }
}

async fn sleep(clock: &dyn Clock, until: Option<Timestamp>) {
    match until {
        Some(time) => clock.sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    /// A clock that follows tokio's paused time.
    struct PausedClock {
        origin: tokio::time::Instant,
    }

    #[async_trait]
    impl Clock for PausedClock {
        fn now(&self) -> Timestamp {
            let elapsed = self.origin.elapsed().as_millis();
            Timestamp::from_millis(i64::try_from(elapsed).unwrap()).unwrap()
        }

        fn monotonic(&self) -> Duration {
            self.origin.elapsed()
        }

        async fn sleep_until(&self, deadline: Timestamp) {
            let wait_ms = deadline.millis_since(self.now()).max(0);
            tokio::time::sleep(Duration::from_millis(wait_ms as u64)).await;
        }
    }

    #[derive(Default)]
    struct Recorder {
        lines: Mutex<Vec<String>>,
        cycle_minutes: u64,
    }

    impl Recorder {
        fn note(&self, what: &str, cycle: u64, due: Timestamp) {
            self.lines.lock().unwrap().push(format!("{what} {cycle}@{}", due.as_millis() / 60_000));
        }
    }

    #[async_trait]
    impl CycleOutcome for Recorder {
        async fn run(&self, cycle: u64, due: Timestamp, cancel: CancelToken) {
            for _ in 0..self.cycle_minutes {
                tokio::time::sleep(Duration::from_secs(60)).await;
                if cancel.is_cancelled() {
                    return self.note("cancelled", cycle, due);
                }
            }
            self.note("ran", cycle, due);
        }

        async fn skipped(&self, cycle: u64, due: Timestamp) {
            self.note("skipped", cycle, due);
        }

        async fn missed(&self, cycle: u64, due: Timestamp) {
            self.note("missed", cycle, due);
        }
    }

    async fn check(cycle_minutes: u64, stop_after_minutes: u64, expected: &[&str]) {
        let recorder = Arc::new(Recorder { cycle_minutes, ..Recorder::default() });
        let clock = Arc::new(PausedClock { origin: tokio::time::Instant::now() });
        let schedule = Schedule::every_minutes(60.0).unwrap();
        let stop = tokio::time::sleep(Duration::from_secs(stop_after_minutes * 60));
        drive(schedule, Arc::<Recorder>::clone(&recorder), clock, stop).await;
        assert_eq!(*recorder.lines.lock().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn cycles_run_every_interval_from_the_first_start() {
        check(10, 150, &["ran 1@0", "ran 2@60", "ran 3@120"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_cycle_makes_the_next_due_times_skip() {
        check(130, 200, &["skipped 2@60", "skipped 3@120", "ran 1@0", "cancelled 4@180"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_while_waiting_leaves_at_once() {
        check(1, 30, &["ran 1@0"]).await;
    }
}
