//! When cycles run, as a pure function.
//!
//! A schedule fires at once when it starts and then at every whole interval after that first start, however long a
//! cycle takes. A due time that finds a cycle still running is skipped; due times that passed while nobody was
//! looking are missed, and one run makes up for all of them. Each due time has exactly one outcome.

use walkforward_core::Timestamp;

/// Longest interval between cycles: a year of minutes.
pub const MAX_INTERVAL_MINUTES: f64 = 525_600.0;
const MS_PER_MINUTE: f64 = 60_000.0;
/// Shortest interval: a second, so that a loop does not spin.
const MIN_INTERVAL_MS: f64 = 1_000.0;

/// An interval that no schedule can have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the interval is {minutes} minutes: expected a number above 0 (at least a second) and at most {MAX_INTERVAL_MINUTES}"
)]
pub struct IntervalError {
    minutes: f64,
}

/// What a schedule is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Made, not started: waits for [`Input::Start`].
    Idle,
    /// No cycle runs: the next one is due at `due`.
    Waiting {
        /// Next due time.
        due: Timestamp,
    },
    /// A cycle runs: the next one is due at `due`, and is skipped if this one still runs then.
    Running {
        /// Next due time.
        due: Timestamp,
    },
    /// A stop was asked for while a cycle ran: over when that cycle ends.
    Stopping,
    /// Over: nothing happens any more.
    Stopped,
}

/// The state of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval_ms: i64,
    last_cycle: u64,
    phase: Phase,
}

/// What happens to a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Somebody starts it.
    Start {
        /// The time.
        now: Timestamp,
    },
    /// The time that it waited for has come.
    Tick {
        /// The time.
        now: Timestamp,
    },
    /// The running cycle has ended, however.
    Finished,
    /// Somebody stops it.
    Stop,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Run this cycle now.
    Run {
        /// Its number, from 1.
        cycle: u64,
        /// When it was due.
        due: Timestamp,
    },
    /// Record that this cycle did not run, because the one before still does.
    Skip {
        /// Its number.
        cycle: u64,
        /// When it was due.
        due: Timestamp,
    },
    /// Record that this cycle did not run, because nobody was there when it was due.
    Miss {
        /// Its number.
        cycle: u64,
        /// When it was due.
        due: Timestamp,
    },
    /// Send [`Input::Tick`] at this time.
    WakeAt(Timestamp),
    /// Ask the running cycle to stop.
    Cancel,
    /// Leave the loop.
    Exit,
}

impl Schedule {
    /// A schedule that fires every `minutes` minutes; fractions are allowed.
    pub fn every_minutes(minutes: f64) -> Result<Self, IntervalError> {
        let interval_ms = (minutes * MS_PER_MINUTE).round();
        if !interval_ms.is_finite() || interval_ms < MIN_INTERVAL_MS || minutes > MAX_INTERVAL_MINUTES {
            return Err(IntervalError { minutes });
        }
        Ok(Self { interval_ms: interval_ms as i64, last_cycle: 0, phase: Phase::Idle })
    }

    /// Time between two cycles, milliseconds.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Number of the last due time that has an outcome.
    pub fn last_cycle(&self) -> u64 {
        self.last_cycle
    }

    fn next_cycle(&mut self) -> u64 {
        self.last_cycle += 1;
        self.last_cycle
    }
}

/// Moves `schedule` by `input`. Inputs that mean nothing in the present phase change nothing.
pub fn step(mut schedule: Schedule, input: Input) -> (Schedule, Vec<Effect>) {
    let effects = match (schedule.phase, input) {
        (Phase::Idle, Input::Start { now }) => {
            let due = now.plus_millis(schedule.interval_ms);
            schedule.phase = Phase::Running { due };
            vec![Effect::Run { cycle: schedule.next_cycle(), due: now }, Effect::WakeAt(due)]
        }
        (Phase::Waiting { due }, Input::Tick { now }) => fire(&mut schedule, due, now),
        (Phase::Running { due }, Input::Tick { now }) => skip(&mut schedule, due, now),
        (Phase::Running { due }, Input::Finished) => {
            schedule.phase = Phase::Waiting { due };
            vec![Effect::WakeAt(due)]
        }
        (Phase::Idle | Phase::Waiting { .. }, Input::Stop) | (Phase::Stopping, Input::Finished) => {
            schedule.phase = Phase::Stopped;
            vec![Effect::Exit]
        }
        (Phase::Running { .. }, Input::Stop) => {
            schedule.phase = Phase::Stopping;
            vec![Effect::Cancel]
        }
        _ => Vec::new(),
    };
    (schedule, effects)
}

/// The wait is over: all due times but the last that have passed are missed, the last one runs.
fn fire(schedule: &mut Schedule, due: Timestamp, now: Timestamp) -> Vec<Effect> {
    if now < due {
        return vec![Effect::WakeAt(due)];
    }
    let mut due = due;
    let mut effects = Vec::new();
    while now.millis_since(due) >= schedule.interval_ms {
        effects.push(Effect::Miss { cycle: schedule.next_cycle(), due });
        due = due.plus_millis(schedule.interval_ms);
    }
    effects.push(Effect::Run { cycle: schedule.next_cycle(), due });
    let next = due.plus_millis(schedule.interval_ms);
    schedule.phase = Phase::Running { due: next };
    effects.push(Effect::WakeAt(next));
    effects
}

/// A cycle is due while one runs.
fn skip(schedule: &mut Schedule, due: Timestamp, now: Timestamp) -> Vec<Effect> {
    let mut due = due;
    let mut effects = Vec::new();
    while due <= now {
        effects.push(Effect::Skip { cycle: schedule.next_cycle(), due });
        due = due.plus_millis(schedule.interval_ms);
    }
    schedule.phase = Phase::Running { due };
    effects.push(Effect::WakeAt(due));
    effects
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000).unwrap()
    }

    fn hourly() -> Schedule {
        Schedule::every_minutes(60.0).unwrap()
    }

    /// Applies all inputs and renders the effects, one line an input.
    fn check(inputs: &[Input], expected: &[&str]) {
        let mut schedule = hourly();
        for (input, expected) in inputs.iter().zip(expected) {
            let (next, effects) = step(schedule, *input);
            schedule = next;
            let text: Vec<String> = effects.iter().map(render).collect();
            assert_eq!(&text.join(", "), expected, "after {input:?}");
        }
        assert_eq!(inputs.len(), expected.len());
    }

    fn render(effect: &Effect) -> String {
        let minute = |time: &Timestamp| time.as_millis() / 60_000;
        match effect {
            Effect::Run { cycle, due } => format!("run {cycle}@{}", minute(due)),
            Effect::Skip { cycle, due } => format!("skip {cycle}@{}", minute(due)),
            Effect::Miss { cycle, due } => format!("miss {cycle}@{}", minute(due)),
            Effect::WakeAt(time) => format!("wake@{}", minute(time)),
            Effect::Cancel => "cancel".to_owned(),
            Effect::Exit => "exit".to_owned(),
        }
    }

    #[test]
    fn the_first_cycle_runs_at_once_and_the_next_ones_keep_to_its_start() {
        check(
            &[Input::Start { now: at(0) }, Input::Finished, Input::Tick { now: at(61) }, Input::Finished],
            &["run 1@0, wake@60", "wake@60", "run 2@60, wake@120", "wake@120"],
        );
    }

    #[test]
    fn a_due_time_is_skipped_while_a_cycle_runs() {
        check(
            &[Input::Start { now: at(0) }, Input::Tick { now: at(60) }, Input::Finished],
            &["run 1@0, wake@60", "skip 2@60, wake@120", "wake@120"],
        );
    }

    #[test]
    fn one_run_makes_up_for_all_missed_due_times() {
        check(
            &[Input::Start { now: at(0) }, Input::Finished, Input::Tick { now: at(200) }],
            &["run 1@0, wake@60", "wake@60", "miss 2@60, miss 3@120, run 4@180, wake@240"],
        );
    }

    #[test]
    fn a_stop_cancels_the_running_cycle_and_then_leaves() {
        check(
            &[Input::Start { now: at(0) }, Input::Stop, Input::Tick { now: at(60) }, Input::Finished],
            &["run 1@0, wake@60", "cancel", "", "exit"],
        );
        check(
            &[Input::Start { now: at(0) }, Input::Finished, Input::Stop, Input::Tick { now: at(60) }],
            &["run 1@0, wake@60", "wake@60", "exit", ""],
        );
    }

    #[test]
    fn impossible_intervals_are_refused() {
        for minutes in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9, 0.000_01] {
            assert!(Schedule::every_minutes(minutes).is_err(), "{minutes}");
        }
    }

    proptest! {
        #[test]
        fn at_most_one_cycle_runs_and_every_due_time_has_one_outcome(
            moves in proptest::collection::vec((0u8..4, 0i64..400), 1..200),
        ) {
            let mut schedule = hourly();
            let (mut now, mut running, mut outcomes) = (0, 0, Vec::new());
            for (kind, minutes) in moves {
                now += minutes;
                let input = match kind {
                    0 => Input::Start { now: at(now) },
                    1 => Input::Finished,
                    2 | 3 => Input::Tick { now: at(now) },
                    _ => Input::Stop,
                };
                if input == Input::Finished && running == 0 {
                    continue;
                }
                let (next, effects) = step(schedule, input);
                schedule = next;
                running -= i32::from(input == Input::Finished);
                for effect in effects {
                    match effect {
                        Effect::Run { cycle, due } => {
                            running += 1;
                            outcomes.push((cycle, due));
                        }
                        Effect::Skip { cycle, due } | Effect::Miss { cycle, due } => outcomes.push((cycle, due)),
                        Effect::WakeAt(time) => prop_assert!(time > at(0)),
                        Effect::Cancel | Effect::Exit => {}
                    }
                }
                prop_assert!((0..=1).contains(&running));
            }
            for (index, pair) in outcomes.windows(2).enumerate() {
                prop_assert_eq!(pair[1].0, pair[0].0 + 1, "cycle {}", index);
                prop_assert_eq!(pair[1].1.millis_since(pair[0].1), 3_600_000);
            }
        }
    }
}
