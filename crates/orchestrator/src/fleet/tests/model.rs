//! A fleet beside a simple account of what it did, which checks its promises after every step.

use super::*;
use walkforward_store::CycleStatus;

const HOUR_MS: i64 = 3_600_000;

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute * 60_000).unwrap()
}

pub(super) fn id(name: &str) -> ScheduleId {
    name.parse().unwrap()
}

/// An hourly schedule that was never started.
pub(super) fn record(name: &str, line: &str, on_busy: &str) -> ScheduleRecord {
    let config = serde_json::json!({ "interval_hours": 1, "on_busy": on_busy });
    ScheduleRecord::idle(id(name), line.parse().unwrap(), config, at(0))
}

/// What is known of a schedule from what it had persisted.
#[derive(Default)]
struct Account {
    /// The due time that has to come next, while it has one.
    next_due: Option<Timestamp>,
    /// Its queued cycle, and how many cycles have finished since.
    waiting: Option<(u64, usize)>,
}

pub(super) struct World {
    fleet: Fleet,
    ledger: MemoryLedger,
    accounts: BTreeMap<ScheduleId, Account>,
    running: BTreeMap<ScheduleId, (u64, LineName)>,
    /// Lines that trainings hold that are no cycles.
    guests: BTreeSet<LineName>,
    names: Vec<ScheduleId>,
    max_concurrent: usize,
    /// Whether a line is never the reason to wait while a slot is free, so that the bound on waiting holds exactly.
    lines_are_apart: bool,
    queues: bool,
    undoes: bool,
    now: Timestamp,
    added: usize,
    lines: u8,
}

impl World {
    pub(super) fn new(schedules: u8, lines: u8, max_concurrent: usize, queues: bool, undoes: bool) -> Self {
        let mut world = Self {
            fleet: Fleet::new(max_concurrent),
            ledger: MemoryLedger::default(),
            accounts: BTreeMap::new(),
            running: BTreeMap::new(),
            guests: BTreeSet::new(),
            names: Vec::new(),
            max_concurrent,
            lines_are_apart: max_concurrent == 1,
            queues,
            undoes,
            now: at(1_000_000),
            added: 0,
            lines,
        };
        (0..schedules).for_each(|_| world.add());
        for name in world.names.clone() {
            let now = world.now;
            world.command(&name, Input::Start { id: name.clone(), now });
        }
        world
    }

    fn add(&mut self) {
        let name = format!("s-{}", self.added);
        let line = format!("line-{}", self.added % usize::from(self.lines));
        self.added += 1;
        let record = record(&name, &line, if self.queues { "queue" } else { "skip" });
        let state = State::from_record(&record).unwrap();
        self.names.push(record.id.clone());
        self.accounts.insert(record.id, Account::default());
        self.step(Input::Added { state, open: Vec::new() });
    }

    /// One random move.
    pub(super) fn make(&mut self, what: u8, which: u8, amount: i64) {
        let name = self.names[usize::from(which) % self.names.len()].clone();
        let now = self.now;
        match what {
            0..=4 => self.tick(amount),
            5..=9 => self.finish_one(usize::from(which)),
            10 => self.tick(-amount),
            11 => self.tick(amount * 20),
            12 => self.command(&name, Input::Pause { id: name.clone() }),
            13 => self.command(&name, Input::Resume { id: name.clone(), now }),
            14 => self.command(&name, Input::Stop { id: name.clone(), now }),
            15 | 16 => self.command(&name, Input::Start { id: name.clone(), now }),
            17 => self.command(&name, Input::TriggerNow { id: name.clone(), now }),
            18 => self.replace(&name),
            19 => self.reserve(which),
            20 => self.release(),
            _ => self.reconfigure(&name),
        }
    }

    /// Time goes on, or back, and the timer comes if it is due.
    fn tick(&mut self, minutes: i64) {
        self.now = self.now.plus_millis(minutes * 60_000);
        let (now, mut turns) = (self.now, 0);
        while self.fleet.next_wake().is_some_and(|wake| wake <= now) {
            let at_most = if turns == 0 { 1 } else { usize::MAX };
            self.step(Input::Timer { now, at_most });
            turns += 1;
            assert!(turns < 1_000, "the timer never comes to rest");
        }
    }

    fn finish_one(&mut self, which: usize) {
        let Some((id, (number, _))) = self.running.iter().nth(which % self.running.len().max(1)) else {
            return;
        };
        let (id, number) = (id.clone(), *number);
        self.step(Input::Finished { id, number, end: CycleEnd::new(CycleStatus::Rejected, None) });
    }

    /// A training that is no cycle wants a line.
    fn reserve(&mut self, which: u8) {
        let line: LineName = format!("line-{}", which % self.lines).parse().unwrap();
        let is_taken = self.guests.contains(&line) || self.running.values().any(|(_, other)| *other == line);
        let has_slot = self.trainings() < self.max_concurrent;
        let reserved = self.fleet.reserve(&line, "experiment 'e'");
        assert_eq!(reserved.is_ok(), has_slot && !is_taken, "{reserved:?}");
        if reserved.is_ok() {
            self.guests.insert(line);
        }
        self.check_fleet();
    }

    fn release(&mut self) {
        if let Some(line) = self.guests.pop_first() {
            self.step(Input::Released { line });
        }
    }

    fn trainings(&self) -> usize {
        self.running.len() + self.guests.len()
    }

    /// A schedule is removed and another one comes.
    fn replace(&mut self, name: &ScheduleId) {
        let now = self.now;
        self.command(name, Input::Removed { id: name.clone(), now });
        self.names.retain(|other| other != name);
        self.add();
        let added = self.names.last().cloned().unwrap();
        self.command(&added, Input::Start { id: added.clone(), now });
    }

    fn reconfigure(&mut self, name: &ScheduleId) {
        let Some(state) = self.fleet.get(name) else { return };
        let mut plan = state.plan().clone();
        plan.timing.misfire_grace_seconds ^= 1;
        let now = self.now;
        self.command(name, Input::Reconfigured { plan: Arc::new(plan), now });
    }

    /// A command, which may be refused; it is repeated while it asks for that.
    fn command(&mut self, name: &ScheduleId, input: Input) {
        let before = self.fleet.get(name).map(|state| (state.status(), state.next_cycle_at()));
        while self.step(input.clone()) {}
        let after = self.fleet.get(name).map(|state| (state.status(), state.next_cycle_at()));
        if let (Input::Pause { .. }, Some((_, next)), Some((ScheduleStatus::Paused, after))) =
            (&input, before, after)
        {
            assert_eq!(after, next, "a pause keeps the next due time");
        }
        let is_active = matches!(after, Some((ScheduleStatus::Active | ScheduleStatus::Paused, _)));
        let account = self.accounts.get_mut(name).unwrap();
        match (account.next_due, is_active) {
            (Some(due), false) => {
                assert!(due > self.now, "every due time up to a stop has its outcome");
                account.next_due = None;
            }
            (None, true) => account.next_due = after.and_then(|(_, next)| next),
            // It may count from the present again.
            (Some(_), true) if matches!(input, Input::Resume { .. }) => {
                account.next_due = after.and_then(|(_, next)| next);
            }
            _ => {}
        }
    }

    /// One step and all checks; whether it wants to be repeated.
    fn step(&mut self, input: Input) -> bool {
        let step = match self.fleet.step(input.clone()) {
            Ok(step) => step,
            Err(_) => return false,
        };
        let can_repeat = !matches!(input, Input::Released { .. });
        let step = if self.undoes && can_repeat { self.undo_and_redo(input.clone(), step) } else { step };
        if let Input::Finished { id, .. } = &input {
            self.running.remove(id);
        }
        if let Input::Finished { .. } | Input::Released { .. } = &input {
            self.accounts
                .values_mut()
                .filter_map(|it| it.waiting.as_mut())
                .for_each(|(_, finished)| *finished += 1);
        }
        check_order(&step.effects);
        for effect in &step.effects {
            match effect {
                Effect::Persist(changes) => self.persist(changes),
                Effect::Run(cycle) => self.run(cycle),
                _ => {}
            }
        }
        self.check_fleet();
        step.effects.contains(&Effect::Repeat)
    }

    /// What was undone leaves no trace, and doing it again gives the same.
    fn undo_and_redo(&mut self, input: Input, step: Step) -> Step {
        let effects = step.effects.clone();
        self.fleet.undo(step);
        self.check_index();
        let again = self.fleet.step(input).unwrap();
        assert_eq!(again.effects, effects);
        again
    }

    fn persist(&mut self, changes: &[ScheduleChange]) {
        // Refuses gaps in the numbers and changes of final statuses.
        self.ledger.commit(changes).unwrap();
        for change in changes {
            match change {
                ScheduleChange::Cycle(cycle) => self.account_for(cycle),
                ScheduleChange::CycleStatus { schedule_id, number, .. } => {
                    let account = self.accounts.get_mut(schedule_id).unwrap();
                    account.waiting = account.waiting.filter(|(waiting, _)| waiting != number);
                }
                _ => {}
            }
        }
    }

    fn account_for(&mut self, cycle: &NewCycle) {
        let account = self.accounts.get_mut(&cycle.schedule_id).unwrap();
        if cycle.trigger == CycleTrigger::Due {
            assert_eq!(Some(cycle.due_at), account.next_due, "each due time has one outcome, in order");
            account.next_due = Some(cycle.due_at.plus_millis(HOUR_MS));
        }
        if cycle.status == CycleStatus::Queued {
            assert_eq!(account.waiting, None, "at most one cycle of a schedule waits");
            account.waiting = Some((cycle.number, 0));
        }
    }

    /// A cycle starts, after it was persisted as running.
    fn run(&mut self, cycle: &crate::schedule::CycleToRun) {
        let line = self.fleet.get(&cycle.schedule_id).unwrap().plan().line.clone();
        assert!(self.running.values().all(|(_, other)| *other != line), "one cycle of a line at once");
        assert!(!self.guests.contains(&line), "a cycle beside another training of its line");
        let before = self.running.insert(cycle.schedule_id.clone(), (cycle.number, line));
        assert_eq!(before, None, "one cycle of a schedule at once");
        assert!(self.trainings() <= self.max_concurrent);
        let again = ScheduleChange::CycleStatus {
            schedule_id: cycle.schedule_id.clone(),
            number: cycle.number,
            status: CycleStatus::Running,
            reason: None,
        };
        self.ledger.commit(&[again]).expect("a cycle is persisted before it runs");
    }

    fn check_fleet(&self) {
        self.check_index();
        let has_slot = self.trainings() < self.max_concurrent;
        for (name, account) in &self.accounts {
            let Some((number, finished)) = account.waiting else { continue };
            let state = self.fleet.get(name).unwrap();
            assert_eq!(state.queued(), Some(number));
            let line = &state.plan().line;
            let line_is_free =
                self.running.values().all(|(_, other)| other != line) && !self.guests.contains(line);
            assert!(!(has_slot && line_is_free), "{name} waits although it could run");
            if self.lines_are_apart {
                assert!(finished <= self.names.len() + 1, "{name} has waited for {finished} others");
            }
        }
    }

    /// What the fleet finds quickly is what a look at every schedule finds.
    fn check_index(&self) {
        let mut wake = None;
        let mut running = 0;
        for state in self.fleet.states() {
            let is_active = state.status() == ScheduleStatus::Active;
            assert_eq!(
                state.wake_at().is_some(),
                is_active && state.next_cycle_at().is_some(),
                "timers of active ones only"
            );
            wake = [wake, state.wake_at()].into_iter().flatten().min();
            running += usize::from(state.running().is_some());
        }
        assert_eq!(self.fleet.next_wake(), wake);
        assert_eq!((self.fleet.running(), self.fleet.running.len()), (running, running));
        assert_eq!(self.fleet.trainings(), running + self.guests.len());
        let queued = self.fleet.states().filter(|state| state.queued().is_some()).count();
        assert_eq!(self.fleet.queued(), queued);
    }
}

/// Persist, then act, then announce.
fn check_order(effects: &[Effect]) {
    let rank = |effect: &Effect| match effect {
        Effect::Persist(_) => 0,
        Effect::Run(_) | Effect::Cancel { .. } | Effect::SetTimer(_) => 1,
        Effect::Announce(_) => 2,
        Effect::Repeat => 3,
    };
    assert!(effects.is_sorted_by_key(rank), "{effects:?}");
    let persists = effects.iter().filter(|effect| matches!(effect, Effect::Persist(_))).count();
    assert!(persists <= 1);
    assert!(
        persists == 1 || effects.iter().all(|effect| matches!(effect, Effect::SetTimer(_) | Effect::Repeat))
    );
}
