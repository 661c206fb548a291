//! Shows trainings, models and champions in MLflow.
//!
//! A [`Mirror`] copies what the store says to a tracking server, one way: an MLflow experiment per line, a run per training,
//! a registered model per line with a version per bundle, and the alias `champion` on the version that the line's pointer
//! names. It reads, sleeps and asks; nobody waits for it, and what it can't do now it does later.
//!
//! What is there already is found again by its tag `walkforward.id` (runs) or `walkforward.model_id` (versions), and how
//! many iterations a run has stands in a tag that is written with them. So neither a restart nor a lost answer doubles
//! anything; the small file of what is done only saves questions.
//!
//! It talks REST, version 2.0 of the interface, which servers of MLflow 2 and 3 have.
#![forbid(unsafe_code)]

mod client;
mod config;
mod cursor;
mod describe;
mod error;
mod mirror;
mod names;
mod registry;
mod service;
mod tracking;

pub use config::{Credentials, MirrorOptions, TrackingServer};
pub use error::MlflowError;
pub use mirror::{CHAMPION_ALIAS, MAX_LOOKED_AT, Mirror};
