//! The end of the scheduler.

use walkforward_store::{CycleStatus, ScheduleId};

use super::{Driver, Ended, Input, LedgerError, SchedulerError, after, sleep};
use crate::schedule::CycleEnd;

impl Driver {
    /// Asks every cycle to stop, waits for them for a while, and records how they ended. Schedules keep their status
    /// and their next due time, so that the next start goes on with them.
    pub(super) async fn stop(mut self) -> Result<(), SchedulerError> {
        self.cycles.cancel_all();
        self.retry().await;
        if let Some(waiting) = self.waiting.take() {
            self.let_cycles_end().await;
            return Err(SchedulerError::EndsNotRecorded(waiting.error));
        }
        let mut last_error = self.record_end(Input::ShutDown).await.err();
        let deadline = after(self.parts.clock.now(), self.options.stop_grace);
        while !self.cycles.is_empty() {
            let ended = tokio::select! {
                ended = self.cycles.next() => Some(ended),
                () = sleep(&*self.parts.clock, Some(deadline)) => None,
            };
            let ends = ended.map_or_else(|| self.abandon(), |ended| vec![ended]);
            for Ended { id, number, end } in ends {
                let recorded = self.record_end(Input::Finished { id, number, end }).await;
                last_error = recorded.err().or(last_error);
            }
        }
        last_error.map_or(Ok(()), |error| Err(SchedulerError::EndsNotRecorded(error)))
    }

    /// What is not recorded here is recorded by the next start.
    async fn record_end(&mut self, input: Input) -> Result<(), LedgerError> {
        let Ok(step) = self.fleet.step(input) else { return Ok(()) };
        let numbers = self.commit_soon(&step).await?;
        self.act(&step, &numbers);
        Ok(())
    }

    async fn let_cycles_end(&mut self) {
        let deadline = after(self.parts.clock.now(), self.options.stop_grace);
        while !self.cycles.is_empty() {
            tokio::select! {
                _ = self.cycles.next() => {}
                () = sleep(&*self.parts.clock, Some(deadline)) => drop(self.abandon()),
            }
        }
    }

    fn abandon(&mut self) -> Vec<Ended> {
        let interrupted = |(id, number): (ScheduleId, u64)| {
            let reason = "the scheduler stopped, and the cycle did not end in time".to_owned();
            Ended { id, number, end: CycleEnd::new(CycleStatus::Interrupted, Some(reason)) }
        };
        self.cycles.abandon().into_iter().map(interrupted).collect()
    }
}
