//! Persisting steps, and what happens while that does not work.

use std::collections::BTreeSet;
use std::time::Duration;

use walkforward_core::Timestamp;

use super::{Driver, Effect, Input, LedgerError, ScheduleChange, ScheduleId, SchedulerError, Step, after};

/// First wait before a step is tried again; it doubles each time.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Longest wait before a step is tried again.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Tries of a command before it is taken back and its sender told.
const COMMAND_TRIES: u32 = 3;

/// A step that could not be persisted yet. It is the last step of the fleet: nothing else happens before it.
pub(super) struct Waiting {
    input: Input,
    step: Step,
    pub(super) error: LedgerError,
    pub(super) retry_at: Timestamp,
    wait: Duration,
}

impl Driver {
    /// Moves the fleet by the scheduler's own `input`, persists the step and does it. While that does not work, it is
    /// tried again at growing intervals. A step that is refused for good belongs to a schedule whose rows somebody else
    /// has changed: that one is set aside, and the others go on.
    pub(super) async fn carry_out(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            match self.fleet.step(input.clone()) {
                Ok(step) => next = self.conclude(input, step, FIRST_RETRY).await,
                Err(refused) => tracing::error!(%refused, "a step of the schedules was refused"),
            }
        }
    }

    /// Tries the step that waits once more.
    pub(super) async fn retry(&mut self) {
        let Some(Waiting { input, step, wait, .. }) = self.waiting.take() else { return };
        if let Some(input) = self.conclude(input, step, (wait * 2).min(LONGEST_RETRY)).await {
            self.carry_out(input).await;
        }
    }

    /// Persists and does a step; the input to go on with, when it was refused for good.
    async fn conclude(&mut self, input: Input, step: Step, wait: Duration) -> Option<Input> {
        match self.commit(&step).await {
            Ok(numbers) => self.act(&step, &numbers),
            Err(error) if error.may_pass => {
                let wait_ms = wait.as_millis();
                tracing::error!(%error, wait_ms, "a step of the schedules could not be recorded; it is tried again");
                let retry_at = after(self.parts.clock.now(), wait);
                self.waiting = Some(Waiting { input, step, error, retry_at, wait });
                self.show_overview();
            }
            Err(error) => return self.give_up(input, step, &error),
        }
        None
    }

    /// Takes back a step that will never be persisted and sets the schedule that is to blame aside. When it is not
    /// known which of several that is, their timers are tried one by one.
    fn give_up(&mut self, input: Input, step: Step, error: &LedgerError) -> Option<Input> {
        let touched: BTreeSet<ScheduleId> = step.touched().cloned().collect();
        let first = step.touched().next().cloned();
        self.fleet.undo(step);
        let named = error.schedule.clone().filter(|id| touched.contains(id));
        if let (None, true, Input::Timer { now, at_most }) = (&named, touched.len() > 1, &input)
            && *at_most > 1
        {
            return Some(Input::Timer { now: *now, at_most: 1 });
        }
        let id = named.or(first)?;
        self.set_aside(&id, error);
        let is_new = matches!(&input, Input::Added { state, .. } if *state.id() == id);
        (!is_new).then_some(input)
    }

    /// Persists and does what somebody asked for, or takes it back and says why.
    pub(super) async fn command(&mut self, id: &ScheduleId, input: Input) -> Result<(), SchedulerError> {
        loop {
            let step = self.fleet.step(input.clone())?;
            let numbers = match self.commit_soon(&step).await {
                Ok(numbers) => numbers,
                Err(source) => {
                    self.fleet.undo(step);
                    return Err(SchedulerError::NotRecorded { schedule: id.clone(), source });
                }
            };
            self.act(&step, &numbers);
            if !step.effects.contains(&Effect::Repeat) {
                return Ok(());
            }
        }
    }

    pub(super) async fn commit_soon(&self, step: &Step) -> Result<Vec<i64>, LedgerError> {
        let mut wait = FIRST_RETRY;
        for _ in 1..COMMAND_TRIES {
            match self.commit(step).await {
                Err(error) if error.may_pass => {
                    self.parts.clock.sleep_until(after(self.parts.clock.now(), wait)).await;
                }
                done => return done,
            }
            wait *= 2;
        }
        self.commit(step).await
    }

    /// Persists what a step changes.
    pub(super) async fn commit(&self, step: &Step) -> Result<Vec<i64>, LedgerError> {
        let Some(changes) = changes_of(step) else { return Ok(Vec::new()) };
        let changes = changes.to_vec();
        self.on_ledger(move |ledger| ledger.commit(&changes)).await
    }

    /// Why no command can be taken now, if so.
    pub(super) fn refusal(&self) -> Option<SchedulerError> {
        let waiting = self.waiting.as_ref()?;
        Some(SchedulerError::Blocked { reason: waiting.error.to_string() })
    }
}

fn changes_of(step: &Step) -> Option<&[ScheduleChange]> {
    step.effects.iter().find_map(|effect| match effect {
        Effect::Persist(changes) => Some(changes.as_slice()),
        _ => None,
    })
}
