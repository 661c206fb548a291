//! The one task that talks to the venue.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::{JoinHandle, JoinSet};
use walkforward_core::{
    ClientOrderId, OrderState, SubmitError, Venue, VenueAccount, VenueError, VenueOrder, VenuePosition,
    VenueUpdate, VenueUpdates,
};

/// Tasks that wait to be begun. A desk has a question an order and two more under way.
const MAX_WAITING_TASKS: usize = 64;
/// Answers that wait to be taken; the driver takes no further task while there are more.
const MAX_WAITING_ANSWERS: usize = 1_024;
/// Questions that are with the venue at once.
const MAX_UNDER_WAY: usize = 16;

/// Something for the venue.
#[derive(Debug, Clone, PartialEq)]
pub enum VenueTask {
    /// Hand an order in.
    Submit(VenueOrder),
    /// Look an order up.
    LookUp(ClientOrderId),
    /// Ask for an order's end.
    Cancel(ClientOrderId),
    /// Ask for the position.
    Position,
    /// Ask for the account.
    Account,
}

/// What came of it, or what the venue tells by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueAnswer {
    /// Of an order that was handed in.
    Submitted {
        /// Which.
        id: ClientOrderId,
        /// What the venue said.
        result: Result<OrderState, SubmitError>,
    },
    /// Of an order that was looked up.
    LookedUp {
        /// Which.
        id: ClientOrderId,
        /// What the venue said.
        result: Result<Option<OrderState>, VenueError>,
    },
    /// Of an order whose end was asked for.
    Canceled {
        /// Which.
        id: ClientOrderId,
        /// What the venue said.
        result: Result<Option<OrderState>, VenueError>,
    },
    /// Of the position.
    Position(Result<VenuePosition, VenueError>),
    /// Of the account.
    Account(Result<VenueAccount, VenueError>),
    /// An update.
    Update(VenueUpdate),
    /// No update comes any more.
    UpdatesOver {
        /// Why.
        reason: String,
    },
    /// An order would have been handed in, but this driver only watches.
    Observed {
        /// Which.
        id: ClientOrderId,
    },
}

/// What a driver does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DriverMode {
    /// Everything.
    #[default]
    Trade,
    /// It asks, and hands in and ends nothing.
    Observe,
}

/// Why a task was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// Too many wait.
    #[error("{MAX_WAITING_TASKS} questions to the venue wait already")]
    Full,
    /// The driver has ended.
    #[error("the task that talks to the venue has ended")]
    Gone,
}

/// Handle of the task that talks to a venue. The task ends when the handle is dropped, and requests under way with it:
/// whether they arrived is then unknown, as after a crash.
#[derive(Debug)]
pub struct VenueDriver {
    tasks: mpsc::Sender<VenueTask>,
    answers: mpsc::Receiver<VenueAnswer>,
    run: JoinHandle<()>,
}

impl VenueDriver {
    /// Starts the task on the present runtime. Updates come from now on.
    pub fn start(venue: Arc<dyn Venue>, mode: DriverMode) -> Self {
        let (tasks, waiting) = mpsc::channel(MAX_WAITING_TASKS);
        let (sender, answers) = mpsc::channel(MAX_WAITING_ANSWERS);
        let run = tokio::spawn(Run { venue, mode, tasks: waiting, answers: sender }.run());
        Self { tasks, answers, run }
    }

    /// Has `task` done. Never waits.
    ///
    /// # Errors
    /// Too many wait, or the driver has ended. The desk takes what is not done for a lost question and asks again.
    pub fn execute(&self, task: VenueTask) -> Result<(), DriverError> {
        self.tasks.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => DriverError::Full,
            TrySendError::Closed(_) => DriverError::Gone,
        })
    }

    /// The next answer; none when the driver has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<VenueAnswer> {
        self.answers.recv().await
    }
}

impl Drop for VenueDriver {
    fn drop(&mut self) {
        self.run.abort();
    }
}

struct Run {
    venue: Arc<dyn Venue>,
    mode: DriverMode,
    tasks: mpsc::Receiver<VenueTask>,
    answers: mpsc::Sender<VenueAnswer>,
}

impl Run {
    async fn run(mut self) {
        let mut updates = Some(self.venue.updates());
        let mut under_way: JoinSet<VenueAnswer> = JoinSet::new();
        loop {
            let answer = tokio::select! {
                task = self.tasks.recv(), if under_way.len() < MAX_UNDER_WAY => {
                    let Some(task) = task else { return };
                    under_way.spawn(ask(self.venue.clone(), self.mode, task));
                    continue;
                }
                Some(done) = under_way.join_next() => match done {
                    Ok(answer) => answer,
                    Err(error) => {
                        tracing::error!(%error, "a question to the venue ended without an answer");
                        continue;
                    }
                },
                update = next_update(updates.as_deref_mut()), if updates.is_some() => {
                    if !matches!(update, VenueAnswer::Update(_)) {
                        updates = None;
                    }
                    update
                }
            };
            if self.answers.send(answer).await.is_err() {
                return;
            }
        }
    }
}

/// The next update, or that there are no more.
async fn next_update(updates: Option<&mut (dyn VenueUpdates + 'static)>) -> VenueAnswer {
    let Some(updates) = updates else { return std::future::pending().await };
    match updates.next().await {
        Ok(Some(update)) => VenueAnswer::Update(update),
        Ok(None) => VenueAnswer::UpdatesOver { reason: "the venue tells no more updates".to_owned() },
        Err(error) => VenueAnswer::UpdatesOver { reason: error.to_string() },
    }
}

async fn ask(venue: Arc<dyn Venue>, mode: DriverMode, task: VenueTask) -> VenueAnswer {
    match (task, mode) {
        (VenueTask::Submit(order), DriverMode::Observe) => VenueAnswer::Observed { id: order.id().clone() },
        (VenueTask::Submit(order), DriverMode::Trade) => {
            let result = venue.submit(&order).await;
            VenueAnswer::Submitted { id: order.id().clone(), result }
        }
        (VenueTask::LookUp(id), _) => VenueAnswer::LookedUp { result: venue.order(&id).await, id },
        (VenueTask::Cancel(id), DriverMode::Trade) => {
            VenueAnswer::Canceled { result: venue.cancel(&id).await, id }
        }
        (VenueTask::Cancel(id), DriverMode::Observe) => {
            VenueAnswer::Canceled { result: venue.order(&id).await, id }
        }
        (VenueTask::Position, _) => VenueAnswer::Position(venue.position().await),
        (VenueTask::Account, _) => VenueAnswer::Account(venue.account().await),
    }
}
