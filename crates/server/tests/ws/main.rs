//! `/ws` as a client sees it: a real server, a real socket.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod connections;
mod joining;
mod listener;
mod many;
mod resuming;
mod told;
mod traders;
mod world;

use std::sync::Arc;

use walkforward_core::{ManualClock, Timestamp};
use walkforward_server::HubOptions;

use crate::world::World;

/// A server with tokens.
async fn world(options: HubOptions) -> World {
    World::start(options, true, Arc::new(ManualClock::at(start()))).await
}

fn start() -> Timestamp {
    "2024-03-01T00:00:00Z".parse().unwrap()
}
