//! Where the session stands, for those who ask.

use std::sync::Arc;

use walkforward_core::{IdError, LoadedModel, SessionStatus, Timestamp};

use super::{BarLoop, Executing};
use crate::control::{Standing, loaded_model};
use crate::{ConditionSource, DeployedPolicy, SessionCounts, SwapRule};

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
        let next = self.next_policy()?;
        let confirmed = self.confirmed.borrow();
        let of_it = [confirmed.as_ref(), self.fresh.as_ref()].into_iter().flatten();
        let confirmed_at = of_it.filter(|it| it.model_id == next.model_id).map(|it| it.at).next();
        Some(loaded_model(&next, confirmed_at))
    }

    /// The policy that decides on the next bar, as far as that is known now.
    pub(crate) fn next_policy(&self) -> Option<Arc<DeployedPolicy>> {
        let offered = self.slot.load()?;
        match self.has_to_wait(&offered) {
            true => self.current.clone(),
            false => Some(offered),
        }
    }

    /// Whether the position is being closed for the model that comes: nobody waits for it to end by itself.
    pub(super) fn closes_for_next(&self) -> bool {
        self.desk.risk().conditions().get(ConditionSource::Swap).is_some()
    }

    /// Whether `offered` waits until the position of the model before has ended.
    pub(super) fn has_to_wait(&self, offered: &Arc<DeployedPolicy>) -> bool {
        let SwapRule::WaitFlat { max_bars } = self.header.swap else { return false };
        let is_other = |current: &Arc<DeployedPolicy>| current.model_version != offered.model_version;
        self.current.as_ref().is_some_and(is_other)
            && !self.desk.session().position().is_zero()
            && self.waited < max_bars
            && !self.closes_for_next()
    }

    /// Orders that are on their way.
    pub(crate) fn open_orders(&self) -> usize {
        match &self.execution {
            Executing::Broker(_) => usize::from(self.desk.session().pending().is_some()),
            Executing::Venue(at) => at.orders.unfinished().len(),
        }
    }
}
