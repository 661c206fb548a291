//! The store from outside: its files, its pointers, its database, and what it makes of crashes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod arms;
mod audit;
mod backup;
mod confirmation;
mod contracts;
mod database;
mod dead_work;
mod etl_records;
mod evidence;
mod experiments;
mod fixture;
mod guarded;
mod held;
mod live;
mod live_acts;
mod live_retention;
mod machine;
mod migrations;
mod owner;
mod packs;
mod pointers;
mod promised;
mod recovery;
mod registered;
mod replays;
mod retention;
mod schedules;
