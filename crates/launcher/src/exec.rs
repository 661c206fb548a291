//! The stage between a worker and somebody's own program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::Error;

/// Exit status by which a stage says, as shells do, that a program could not be run.
pub const NOT_RUN: u8 = 127;

/// Becomes `program`, which dies with the process `parent` that started this one: the worker. Returns only when that
/// can't be.
///
/// The request to die is the process's own and outlives the change of program; a child can't be given it from outside
/// without code between fork and exec.
///
/// # Errors
/// The parent is gone already, or the program can't be run.
pub fn exec_with_parent(parent: i32, program: &OsString, arguments: &[OsString]) -> Error {
    if let Err(error) = die_with(parent) {
        return error;
    }
    let source = Command::new(program).args(arguments).exec();
    let path = program.into();
    Error::Program { path, reason: source.to_string() }
}

#[cfg(target_os = "linux")]
fn die_with(parent: i32) -> Result<(), Error> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    let what = "ask to end with the worker";
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Error::process(what)(error.into()))?;
    // Asked after the request: a parent that died before it sends no signal any more.
    match getppid().map(|pid| pid.as_raw_nonzero().get()) == Some(parent) {
        true => Ok(()),
        false => Err(Error::process(what)(std::io::Error::other("the worker is gone"))),
    }
}

/// Without such a request the program ends with its process group, when the launcher or the worker's watchdog ends it.
#[cfg(not(target_os = "linux"))]
fn die_with(_parent: i32) -> Result<(), Error> {
    Ok(())
}
