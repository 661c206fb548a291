//! One schedule under random inputs, on a clock that is set far ahead and back.

use proptest::prelude::*;
use walkforward_store::NewCycle;

use super::*;
use crate::driver::{MemoryLedger, ScheduleLedger};

/// What happens, and how much of it.
type Move = (u8, i64);

/// Where the clock is when nobody has set it wrong.
const PRESENT: i64 = 20_000_000;
const MINUTES_PER_YEAR: i64 = 365 * 24 * 60;
const INTERVAL_MS: i64 = 6 * HOUR_MS;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// 48 sequences of 80 inputs; `World` checks every promise after every step.
    #[test]
    fn every_promise_holds_whatever_the_clock_does(
        moves in proptest::collection::vec((0u8..24, 0i64..1_000), 80..81),
        queues in any::<bool>(),
        jitter_seconds in 0u64..10_000,
    ) {
        let mut world = World::new(queues, jitter_seconds);
        for (what, amount) in moves {
            world.make((what, amount));
        }
    }
}

struct World {
    state: State,
    now: Timestamp,
    ledger: MemoryLedger,
    /// The due time that has to come next, while it has one.
    next_due: Option<Timestamp>,
    /// The newest due time with a row, since it last counted from the present.
    newest: Option<Timestamp>,
    running: Option<u64>,
    /// Rows and shared rows of missed due times, of the input that is being followed.
    missed: (u32, u32),
}

impl World {
    fn new(queues: bool, jitter_seconds: u64) -> Self {
        let state = idle(plan(|timing| {
            timing.recurrence = Recurrence::every_hours(6.0).unwrap();
            timing.jitter_seconds = jitter_seconds;
            timing.on_busy = if queues { OnBusy::Queue } else { OnBusy::Skip };
        }));
        let ledger = MemoryLedger::default();
        let mut world = Self {
            state,
            now: at(PRESENT),
            ledger,
            next_due: None,
            newest: None,
            running: None,
            missed: (0, 0),
        };
        world.follow(&Input::Start { now: at(PRESENT) });
        world
    }

    fn make(&mut self, (what, amount): Move) {
        let now = self.now;
        match what {
            0..=6 => self.tick(now.plus_millis(amount * 60_000)),
            7 | 8 => self.tick(now.plus_millis(-amount * 60_000)),
            9 => self.tick(now.plus_millis(amount % 60 * MINUTES_PER_YEAR * 60_000)),
            10 => self.tick(at(PRESENT + amount)),
            11 | 12 => self.follow(&Input::Stop { now }),
            13..=16 => self.follow(&Input::Start { now }),
            17 => self.follow(&Input::Pause),
            18 | 19 => self.follow(&Input::Resume { now }),
            20 => self.follow(&Input::TriggerNow { now, room: room(amount) }),
            21 => self.follow(&Input::Admitted),
            22 => self.restart(),
            _ => self.finish(),
        }
    }

    /// The clock shows `now`, and the timer comes as long as it is asked for.
    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        let mut turns = 0;
        while self.state.wake_at().is_some_and(|wake| wake <= now) {
            let missed = self.missed;
            self.follow(&Input::Timer { now, room: room(turns) });
            self.missed = (self.missed.0 + missed.0, self.missed.1 + missed.1);
            turns += 1;
            assert!(turns < 100, "the timer never comes to rest");
        }
        assert!(self.missed.0 <= MAX_MISSED_ROWS && self.missed.1 <= 1, "{:?}", self.missed);
        self.missed = (0, 0);
    }

    fn finish(&mut self) {
        if let Some(number) = self.running.take() {
            self.follow(&done(number));
        }
    }

    /// The process dies, and another one reads what it had persisted.
    fn restart(&mut self) {
        let persisted = self.state.persisted();
        let open = |number, status| OpenCycle { number, status, ended: None };
        let running = self.state.running().map(|number| open(number, CycleStatus::Running));
        let queued = self.state.queued().map(|number| open(number, CycleStatus::Queued));
        self.running = None;
        self.state = State {
            status: persisted.status,
            anchor_at: persisted.anchor_at,
            current_cycle: persisted.current_cycle,
            last_cycle_at: persisted.last_cycle_at,
            next_cycle_at: persisted.next_cycle_at,
            ..idle(self.state.plan().clone())
        };
        self.state.wake();
        self.follow(&Input::Recovered { open: running.into_iter().chain(queued).collect() });
    }

    /// Sends an input, again while it is asked for.
    fn follow(&mut self, input: &Input) {
        self.missed = (0, 0);
        loop {
            let before = self.state.next_cycle_at();
            let Ok((state, effects)) = step(self.state.clone(), input.clone()) else { return };
            self.state = state;
            assert!(effects.is_sorted_by_key(order), "{effects:?}");
            let has_gone_back = effects.iter().any(|effect| match effect {
                Effect::Announce(all) => all.iter().any(|it| it.kind == "continuous_clock_went_back"),
                _ => false,
            });
            effects.iter().for_each(|effect| self.take(effect));
            self.check(input, before, has_gone_back);
            if !effects.contains(&Effect::Repeat) {
                return;
            }
        }
    }

    fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::Persist(changes) => {
                // Refuses gaps in the numbers and changes of final statuses.
                self.ledger.commit(changes).unwrap();
                for change in changes {
                    if let ScheduleChange::Cycle(cycle) = change {
                        self.account_for(cycle);
                    }
                }
            }
            Effect::Run(cycle) => {
                assert_eq!(self.running.replace(cycle.number), None, "one cycle at once");
                let again = ScheduleChange::CycleStatus {
                    schedule_id: cycle.schedule_id.clone(),
                    number: cycle.number,
                    status: CycleStatus::Running,
                    reason: None,
                };
                self.ledger.commit(&[again]).expect("a cycle is persisted before it runs");
            }
            _ => {}
        }
    }

    /// Each due time has one outcome, in order, also those that share a row.
    fn account_for(&mut self, cycle: &NewCycle) {
        if cycle.trigger != CycleTrigger::Due {
            return;
        }
        assert_eq!(Some(cycle.due_at), self.next_due);
        let reason = cycle.reason.as_deref().unwrap_or("");
        let count: i64 = match reason.contains("share this row") {
            true => reason.split(' ').next().unwrap().parse().unwrap(),
            false => 1,
        };
        if cycle.status == CycleStatus::Missed {
            self.missed.0 += u32::from(count == 1);
            self.missed.1 += u32::from(count > 1);
        }
        self.newest = Some(cycle.due_at.plus_millis((count - 1) * INTERVAL_MS));
        self.next_due = Some(cycle.due_at.plus_millis(count * INTERVAL_MS));
    }

    fn check(&mut self, input: &Input, before: Option<Timestamp>, has_gone_back: bool) {
        let state = &self.state;
        let next = state.next_cycle_at();
        let is_active = state.status() == ScheduleStatus::Active;
        assert_eq!(state.wake_at().is_some(), is_active && next.is_some(), "timers of active ones only");
        assert_eq!(state.running(), self.running);
        match input {
            Input::Start { now } | Input::Resume { now } => {
                assert_eq!(state.due_if_counted_from(*now), None);
                assert!(next.unwrap().millis_since(*now) <= 2 * INTERVAL_MS, "it is due within two periods");
                if matches!(input, Input::Resume { .. }) && !has_gone_back {
                    assert_eq!(next, before, "a resume goes on where the pause began");
                }
                assert!(has_gone_back || next > self.newest, "no due time comes twice");
                self.newest = self.newest.filter(|_| !has_gone_back);
                self.next_due = next;
            }
            _ => assert!(!has_gone_back, "only a person makes it go back"),
        }
        match state.status() {
            ScheduleStatus::Active | ScheduleStatus::Paused => {
                assert_eq!(next, self.next_due);
                assert!(state.persisted().last_cycle_at < next, "the next one is still to come");
            }
            _ => assert_eq!((next, state.queued()), (None, None)),
        }
    }
}

fn room(amount: i64) -> Room {
    if amount % 3 == 0 { busy() } else { Room::Free }
}

/// Persist, then act, then announce.
fn order(effect: &Effect) -> u8 {
    match effect {
        Effect::Persist(_) => 0,
        Effect::Run(_) | Effect::Cancel { .. } | Effect::SetTimer(_) | Effect::Repeat => 1,
        Effect::Announce(_) => 2,
    }
}
