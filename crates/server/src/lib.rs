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
mod audit;
mod browser;
mod dashboard;
mod openapi;
mod parts;
mod problem;
mod routes;
mod server;
mod views;
mod ws;

pub use access::{AccessToken, BadToken, Scope, Tokens};
pub use dashboard::has_dashboard;
pub use openapi::description;
pub use parts::{
    Gates, LaunchTraining, NewContinuous, Operator, Refusal, RefusalKind, RunningSessions, ServerParts,
    StartPaper, TrainingProgress,
};
pub use server::{BindError, Server, ServerOptions};
pub use ws::{Hub, HubOptions};
