//! The store from outside: its files, its pointers, its database, and what it makes of crashes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod contracts;
mod database;
mod fixture;
mod machine;
mod pointers;
mod recovery;
