//! `GET /ws`: what happens, as it happens, to many pages at once.
//!
//! **Two kinds of messages.** A state change is an event of the store's table; it has that event's number, comes in order,
//! is never left out, and can be asked for again. Everything else (progress, bars, portfolios) is a tick: it carries the
//! number of the last state change and `"volatile": true`, and is not repeated.
//!
//! **One frame for all.** Every 20 ms what has come becomes one [`Batch`](batch::Batch): a text frame with an array of
//! messages, built once. A client is a place in the ring of the newest batches (a [`broadcast`](tokio::sync::broadcast)
//! channel), so memory does not depend on how many there are or how slow they are. A batch has a second form with its
//! state changes alone: a client that is behind gets that one. A client that has fallen out of the ring gets the state
//! changes that it has missed from the table, and where the table has dropped them, a snapshot. One that does not take a
//! frame for 10 s is closed.
//!
//! **No seam.** A batch says which state change it follows. Whatever the reason is that a client's last one is another
//! (it has just come back, it fell behind, the table dropped some), it takes the same way: join at the newest batch, read
//! from the table what is missing up to there, go on. So neither a gap nor a repetition can come from a race.
//!
//! **Who may listen.** `Host` and `Origin` are checked as for every request. A page can't set headers on a WebSocket, and
//! a token in an address ends up in logs; so the token is in the first message.

mod batch;
mod client;
mod hello;
mod hub;
mod message;
mod progress;
mod sessions;
mod tail;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use tokio::task::JoinSet;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ServerParts;
use crate::access::{Scope, require};
use crate::app::App;
use crate::openapi::Problems;
use crate::problem::Problem;
use client::{MAX_MESSAGE_BYTES, attend};
pub use hub::{Hub, HubOptions};

/// Buffers of a connection, bytes. What a client sends fits; what it is sent goes out at once.
const BUFFER_BYTES: usize = 4 << 10;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(listen))
}

/// Begins to tell what happens. The tasks end when the set is dropped.
pub(crate) fn start(parts: &ServerParts) -> JoinSet<()> {
    let (hub, store) = (&parts.hub, &parts.store);
    let mut tasks = JoinSet::new();
    tasks.spawn(batch::beat(hub.clone(), Arc::clone(&parts.clock)));
    tasks.spawn(tail::follow(hub.clone(), Arc::clone(store)));
    tasks.spawn(progress::relay(hub.clone(), Arc::clone(store)));
    tasks.spawn(sessions::watch(hub.clone(), Arc::clone(&parts.sessions)));
    tasks
}

/// What happens, as it happens (WebSocket). The first message of the client is
/// `{"type":"hello","token":TOKEN,"after":NUMBER}`; then it listens. Every frame from the server is an array of messages,
/// objects with `type`, `seq`, `time` and fields of their own. `docs/websocket.md` has them all.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "websocket",
    responses((status = 101, description = "It goes on as a WebSocket"), Problems),
    security((), ("token" = ["read"]))
)]
async fn listen(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    // A browser can't send the header with a WebSocket; then the first message has the token.
    let shows_token = headers.contains_key(header::AUTHORIZATION);
    if let Some(tokens) = &app.tokens
        && (shows_token || upgrade.is_err())
    {
        require(tokens.scope_of(&headers)?, Scope::Read)?;
    }
    let upgrade = upgrade
        .map_err(|rejection| Problem::malformed(format!("this is a WebSocket: {}", rejection.body_text())))?;
    let Some(place) = app.parts.hub.place() else {
        return Err(Problem::unavailable(
            "too many clients listen at present: close a page, or come back later",
        ));
    };
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| attend(socket, app, shows_token, place)))
}
