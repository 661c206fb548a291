//! What a start waits for: its venue. Meanwhile the session can be asked how it is, and stopped.

use std::future::Future;
use std::path::Path;
use std::pin::pin;

use tokio::sync::{mpsc, watch};
use walkforward_core::{CancelToken, Clock, ControlCommand, SessionId, SessionStatus, Timestamp};

use super::MAX_WAITING_COMMANDS;
use super::run::TICK;
use crate::bar_loop::Executing;
use crate::control::{Standing, Told, loaded_stamp};
use crate::execution::{AtVenue, stock};
use crate::journal::{ModelStamp, SegmentHeader};
use crate::{
    Command, Desk, Execution, LiveError, OrderDesk, SessionCounts, Stock, VenueAccess, halt_session,
};

/// Who executes, and what the session was told until that was known.
pub(super) struct Executes {
    pub(super) execution: Executing,
    pub(super) stock: Option<Stock>,
    pub(super) early: Vec<Told>,
}

/// Who reaches a session before it has begun.
pub(super) struct Starting<'a> {
    pub(super) named: &'a watch::Sender<Option<SessionId>>,
    pub(super) commands: &'a mut mpsc::Receiver<Told>,
    pub(super) cancel: &'a CancelToken,
}

/// What a session goes on from.
pub(super) struct Left<'a> {
    pub(super) header: &'a SegmentHeader,
    pub(super) desk: &'a Desk,
    pub(super) model: Option<&'a ModelStamp>,
    pub(super) last_bar: Option<Timestamp>,
    pub(super) bars: u64,
    pub(super) counts: SessionCounts,
}

impl Left<'_> {
    /// How the session is until it has begun.
    fn status(&self, orders: Option<&OrderDesk>) -> Result<SessionStatus, LiveError> {
        let &Self { header, desk, model, last_bar, bars, counts } = self;
        let (model, open_orders) =
            (model.map(loaded_stamp), orders.map_or(0, |orders| orders.unfinished().len()));
        let (is_feed_up, last_data_at) = (false, None);
        Standing { header, desk, model, last_bar, bars, counts, open_orders, is_feed_up, last_data_at }
            .status()
            .map_err(|error| LiveError::Name { error })
    }
}

/// Who executes; at a venue with all that a start has to know of it. None where somebody stops the session before the
/// venue has told.
pub(super) async fn executing(
    execution: Execution,
    left: &Left<'_>,
    orders: Option<OrderDesk>,
    starting: Starting<'_>,
    (clock, folder): (&dyn Clock, &Path),
) -> Result<Option<Executes>, LiveError> {
    let access = match execution {
        Execution::Broker(broker) => {
            let execution = Executing::Broker(broker);
            return Ok(Some(Executes { execution, stock: None, early: Vec::new() }));
        }
        Execution::Venue(access) => access,
    };
    let status = left.status(orders.as_ref())?;
    starting.named.send_replace(Some(status.session.clone()));
    let Starting { commands, cancel, .. } = starting;
    let mut waiting = Waiting { commands, cancel, status, early: Vec::new() };
    let asked = waiting.wait_for(stock(access.venue.as_ref(), orders.as_ref())).await;
    let begun = match asked {
        None => Ok(None),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(stock)) => at_venue(&access, left, orders, stock, clock).map(Some),
    };
    if let Ok(Some((execution, stock))) = begun {
        return Ok(Some(Executes { execution, stock: Some(stock), early: waiting.early }));
    }
    waiting.leave_halts(folder);
    begun.map(|_| None)
}

fn at_venue(
    access: &VenueAccess,
    left: &Left<'_>,
    orders: Option<OrderDesk>,
    stock: Stock,
    clock: &dyn Clock,
) -> Result<(Executing, Stock), LiveError> {
    let at = AtVenue::begin(access, left.header, orders, left.desk, &stock)?;
    at.check(left.header, left.desk, &stock, access.mode, clock.now())?;
    Ok((Executing::Venue(Box::new(at)), stock))
}

/// A start that waits.
struct Waiting<'a> {
    /// What the session is told.
    commands: &'a mut mpsc::Receiver<Told>,
    cancel: &'a CancelToken,
    /// How the session is until it begins.
    status: SessionStatus,
    /// What it was told and does when it has begun.
    early: Vec<Told>,
}

impl Waiting<'_> {
    /// Waits for `future`; none as soon as the session is to stop.
    async fn wait_for<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        loop {
            if self.cancel.is_cancelled() {
                return None;
            }
            tokio::select! {
                biased;
                value = &mut future => return Some(value),
                Some(told) = self.commands.recv(), if self.early.len() < MAX_WAITING_COMMANDS => self.take(told),
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    fn take(&mut self, told: Told) {
        let answer = match told {
            Told::Asked(ControlCommand::Status {}, _, answer) => answer,
            Told::Asked(ControlCommand::Stop {}, _, answer) => {
                self.cancel.cancel();
                answer
            }
            told => return self.early.push(told),
        };
        // Whoever asked may have gone.
        let _ = answer.send(Ok(self.status.clone()));
    }

    /// The session does not begin: a halt that it was told is the next one's, through the files in `folder`.
    fn leave_halts(mut self, folder: &Path) {
        while let Ok(told) = self.commands.try_recv() {
            self.take(told);
        }
        for told in self.early {
            let (reason, flatten, answer) = match told {
                Told::Command(Command::Halt { reason, flatten }) => (reason, flatten, None),
                Told::Asked(ControlCommand::Kill { reason, flatten }, _, answer) => {
                    (String::from(reason), flatten, Some(answer))
                }
                _ => continue,
            };
            match halt_session(folder, &reason, flatten) {
                Ok(()) => {
                    if let Some(answer) = answer {
                        let _ = answer.send(Ok(self.status.clone()));
                    }
                }
                // Who asked by the socket sees that nobody answers, and leaves the file itself.
                Err(error) => tracing::error!(%error, reason, "a halt is not kept for the next start"),
            }
        }
    }
}
