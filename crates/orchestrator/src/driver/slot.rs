//! Room for trainings that are no cycles.

use std::fmt;

use tokio::sync::mpsc;
use walkforward_core::LineName;

use super::{Driver, Input, SchedulerError};

/// A slot and a line, for a training that is no cycle. Dropping it gives both back.
pub struct Slot {
    held: Option<(LineName, mpsc::OwnedPermit<LineName>)>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((line, give_back)) = self.held.take() {
            give_back.send(line);
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("line", &self.held.as_ref().map(|(line, _)| line)).finish()
    }
}

impl Driver {
    /// Makes room for a training on `line`.
    pub(super) fn reserve(&mut self, line: LineName, who: &str) -> Result<Slot, SchedulerError> {
        if let Some(error) = self.refusal() {
            return Err(error);
        }
        self.fleet.reserve(&line, who).map_err(|reason| SchedulerError::Busy { reason })?;
        // There are as many permits as slots, and each slot that is taken holds one.
        let Ok(give_back) = self.give_back.clone().try_reserve_owned() else {
            self.fleet.release(&line);
            return Err(SchedulerError::Busy { reason: "all slots are taken".to_owned() });
        };
        self.show_overview();
        Ok(Slot { held: Some((line, give_back)) })
    }

    /// A slot was given back; the next in the queue starts.
    pub(super) async fn release(&mut self, line: LineName) {
        self.carry_out(Input::Released { line }).await;
        self.show_overview();
    }
}
