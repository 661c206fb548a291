//! Every route, asked over a real connection of a real server, over a real store and a real scheduler.
//!
//! The client of these tests holds each answer against the description: a status that the description does not list for its
//! route, or an error without a problem document, fails whichever test got it.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod audit;
mod client;
mod data;
mod described;
mod guarded;
mod lines;
mod live;
mod made;
mod models;
mod packed;
mod recipes;
mod rest;
mod schedules;
mod sessions;
mod training;
mod world;
