//! Who executes a session's orders: a broker whose fills come with the bars, or a venue.

mod findings;
mod venue;

use std::fmt;
use std::sync::Arc;

use walkforward_core::{Broker, Venue};

use crate::{DisasterStop, DriverMode, ExternalPosition, OrderTimes, PAPER};

pub use findings::{VenueFindings, venue_findings};
pub(crate) use venue::{AtVenue, Forbidden, Moved, VenueStep, stock};

/// Who executes a session's orders.
pub enum Execution {
    /// A broker that is asked for its fills at each bar, as the paper broker is.
    Broker(Box<dyn Broker>),
    /// A venue, at which orders have lives of their own.
    Venue(VenueAccess),
}

/// A venue, and how orders there are dealt with.
#[derive(Clone)]
pub struct VenueAccess {
    /// Its name, and which of its accounts: a journal keeps to one.
    pub name: String,
    /// The venue.
    pub venue: Arc<dyn Venue>,
    /// Whether orders are handed in, or only decided.
    pub mode: DriverMode,
    /// What becomes of a position that the ledger does not explain.
    pub external: ExternalPosition,
    /// A stop behind every position, if there is to be one.
    pub disaster_stop: Option<DisasterStop>,
    /// How long orders wait for what.
    pub times: OrderTimes,
}

impl Execution {
    /// Where orders go: [`PAPER`], or the venue's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Broker(_) => PAPER,
            Self::Venue(access) => &access.name,
        }
    }
}

impl<B: Broker + 'static> From<Box<B>> for Execution {
    fn from(broker: Box<B>) -> Self {
        Self::Broker(broker)
    }
}

impl fmt::Debug for VenueAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VenueAccess")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .field("external", &self.external)
            .field("disaster_stop", &self.disaster_stop)
            .finish_non_exhaustive()
    }
}
