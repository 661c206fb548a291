//! How a session ends that somebody stops.

use std::time::Duration;

use walkforward_core::CancelToken;

/// How long a session waits for its orders to end where nobody says otherwise.
const ORDERS_WAIT: Duration = Duration::from_secs(10);

/// What the end of a session may take. Its journal gets its last record in any case.
#[derive(Debug, Clone)]
pub struct EndRules {
    /// How long it waits for its orders at a venue to end. What is left then, the next start looks up.
    pub orders: Duration,
    /// Ends that wait too, for somebody who asks a second time.
    pub at_once: CancelToken,
}

impl Default for EndRules {
    /// Waits for ten seconds.
    fn default() -> Self {
        Self { orders: ORDERS_WAIT, at_once: CancelToken::default() }
    }
}
