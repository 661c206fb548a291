//! REST, WebSocket and the dashboard of a running orchestrator.
//!
//! [`Server::bind`] takes a place to listen, [`Server::run`] answers there until it is asked to stop. What is told comes
//! from the [`store`](walkforward_store) and the [`Scheduler`](walkforward_orchestrator::Scheduler); what is done goes through
//! the ports in [`ServerParts`], which whoever embeds the server implements.
//!
//! It is safe by default: it listens on loopback, every route under `/api` and `/ws` asks for a bearer token with the
//! scope that the route needs, and a request whose `Host` or `Origin` is another site's is refused before anything reads it.
//! Whatever goes wrong is answered with its status and a problem document (RFC 9457) that says what to do.

#![forbid(unsafe_code)]

mod access;
mod app;
mod browser;
mod openapi;
mod parts;
mod problem;
mod routes;
mod server;
mod views;

pub use access::{AccessToken, BadToken, Scope, Tokens};
pub use openapi::description;
pub use parts::{
    LaunchTraining, NewContinuous, Operator, Refusal, RefusalKind, RunningSessions, ServerParts,
    TrainingProgress,
};
pub use server::{BindError, Server, ServerOptions};
