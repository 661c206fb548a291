//! End-to-end tests through the real binaries. In reading order: the shape of the code (`architecture`,
//! `documents`), what a run promises (`contracts`, `settings`, `determinism`), real files and services (`shared_files`, `data_command`), what it
//! refuses (`bad_input`, `disks`), what it survives (`crash`), the loop (`interval_loop`), the trader (`live_trader`).
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking"
)]

mod support;

mod architecture;
mod bad_input;
mod contracts;
mod crash;
mod data_command;
mod determinism;
mod disks;
mod documents;
mod evaluate_command;
mod interval_loop;
mod live_trader;
mod settings;
mod shared_files;
