//! Where the session stands, for those who ask.

use std::sync::Arc;

use walkforward_core::{IdError, LoadedModel, SessionStatus, Timestamp};

use super::{BarLoop, Executing};
use crate::control::{Standing, loaded_model};
use crate::{DeployedPolicy, SessionCounts, SwapRule};

/// Whether bars come, and since when none has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeedState {
    /// Whether they come.
    pub(crate) is_up: bool,
    /// When the newest one came.
    pub(crate) last_data_at: Option<Timestamp>,
}

impl BarLoop {
    /// The session behind its last bar.
    pub(crate) fn session_status(&self, feed: FeedState) -> Result<SessionStatus, IdError> {
        Standing {
            header: &self.header,
            desk: &self.desk,
            model: self.next_model(),
            last_bar: self.last_bar,
            bars: self.bars,
            counts: self.counts(),
            open_orders: self.open_orders(),
            is_feed_up: feed.is_up,
            last_data_at: feed.last_data_at,
        }
        .status()
    }

    /// What the session has counted so far.
    pub(crate) fn counts(&self) -> SessionCounts {
        SessionCounts { missed: self.missed, events: self.recorder.last_event() }
    }

    /// The model that the next bar finds.
    fn next_model(&self) -> Option<LoadedModel> {
        let offered = self.slot.load()?;
        let next = self.current.as_ref().filter(|_| self.has_to_wait(&offered)).unwrap_or(&offered);
        let confirmed = self.confirmed.borrow();
        let of_it = [confirmed.as_ref(), self.fresh.as_ref()].into_iter().flatten();
        let confirmed_at = of_it.filter(|it| it.model_id == next.model_id).map(|it| it.at).next();
        Some(loaded_model(next, confirmed_at))
    }

    /// Whether `offered` waits until the position of the model before has ended.
    pub(super) fn has_to_wait(&self, offered: &Arc<DeployedPolicy>) -> bool {
        let SwapRule::WaitFlat { max_bars } = self.header.swap else { return false };
        let is_other = |current: &Arc<DeployedPolicy>| current.model_version != offered.model_version;
        self.current.as_ref().is_some_and(is_other)
            && !self.desk.session().position().is_zero()
            && self.waited < max_bars
    }

    /// Orders that are on their way.
    pub(crate) fn open_orders(&self) -> usize {
        match &self.execution {
            Executing::Broker(_) => usize::from(self.desk.session().pending().is_some()),
            Executing::Venue(at) => at.orders.unfinished().len(),
        }
    }
}
