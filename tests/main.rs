//! End-to-end tests through the real binaries, in reading order: the shape of the code, one run, its contracts, its
//! files, bad input, determinism, crashes, the loop, the trader.

mod support;

mod architecture;
mod contracts;
mod settings;
mod shared_files;
mod bad_input;
mod determinism;
mod crash;
mod interval_loop;
mod live_trader;
mod documents;
mod disks;
