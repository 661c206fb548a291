//! End-to-end tests through the real binaries. In reading order: the shape of the code (`architecture`,
//! `documents`), what a run promises (`contracts`, `settings`, `determinism`, `code_version`), real files and services (`shared_files`, `data_command`), what it
//! refuses (`bad_input`, `disks`), what it survives (`crash`, `backup_command`), what it keeps (`models_command`, `compare_command`, `decisions`, `upkeep`), the loop (`interval_loop`), schedules and
//! trainings of their own (`schedules_command`, `serve`, `serve_crash`, `kill_steps`, `experiments_command`), trainings in processes of their own (`workers`), the trader (`live_trader`, and watched and steered `live_control`, told of `notify_command`, for long `live_soak`), that training, backtest and trader are one (`parity`), the worth of the rules (`gates_command`), how far evidence has come (`evidence_command`), the past (`replay_command`), the whole on made-up markets (`selftest`, `demo`).
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking"
)]

mod support;

mod architecture;
mod audit_command;
mod backup_command;
mod bad_input;
mod code_version;
mod compare_command;
mod contracts;
mod crash;
mod data_command;
mod decisions;
mod demo;
mod determinism;
mod disks;
mod documents;
mod evaluate_command;
mod evidence_command;
mod experiments_command;
mod gates_command;
mod grafana;
mod interface;
mod interval_loop;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kill_steps;
mod lineage;
mod live_control;
mod live_end;
mod live_soak;
mod live_tools;
mod live_trader;
mod live_venue;
mod live_watch;
mod mlflow;
mod models_command;
mod notify_command;
mod parity;
mod quarantine_command;
mod replay_command;
mod schedules_command;
mod selftest;
mod serve;
mod serve_crash;
mod settings;
mod shared_files;
mod upkeep;
mod workers;
