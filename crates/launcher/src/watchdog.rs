//! A worker ends with the process that started it.

use std::io::{ErrorKind, Read};
use std::thread;

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, setpgid};

use crate::Error;

/// Watches standard input, which the launcher holds open, and ends this process group by force when it closes.
///
/// # Errors
/// This process can't lead a group of its own, or the thread does not start.
pub(crate) fn start() -> Result<(), Error> {
    if getpgrp() != getpid() {
        let what = "make a process group of the worker's own";
        setpgid(None, None).map_err(|error| Error::process(what)(error.into()))?;
    }
    let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(watch);
    thread.map(drop).map_err(Error::process("start the watchdog"))
}

fn watch() {
    let mut stdin = std::io::stdin().lock();
    let mut buffer = [0; 256];
    loop {
        match stdin.read(&mut buffer) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The launcher is gone, and with it everybody who would take the outcome.
            Ok(0) | Err(_) => {
                let _ = kill_current_process_group(Signal::KILL);
                std::process::abort();
            }
        }
    }
}
