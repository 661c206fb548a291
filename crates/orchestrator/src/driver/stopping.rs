//! The end of the scheduler.

use walkforward_core::Timestamp;

use super::{Driver, Ended, Input, LedgerError, SchedulerError, after, sleep};

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
        while let Some(Ended { id, number, end, .. }) = self.next_end(deadline).await {
            let recorded = self.record_end(Input::Finished { id, number, end }).await;
            last_error = recorded.err().or(last_error);
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
        while self.next_end(deadline).await.is_some() {}
    }

    /// The next cycle that ends before the deadline. One that does not may yet come to its end, so nothing is recorded
    /// about it: the next start finds out what became of it.
    async fn next_end(&mut self, deadline: Timestamp) -> Option<Ended> {
        if self.cycles.is_empty() {
            return None;
        }
        tokio::select! {
            ended = self.cycles.next() => Some(ended),
            () = sleep(&*self.parts.clock, Some(deadline)) => {
                for (schedule, number) in self.cycles.abandon() {
                    tracing::warn!(%schedule, number, "the cycle did not end in time; the next start records its end");
                }
                None
            }
        }
    }
}
