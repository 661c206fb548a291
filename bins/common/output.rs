//! What the binaries write for those who run them. A reader that went away or a full disk is no panic.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::failure::Failure;

/// Writes `text` to standard output. A reader that has closed its end has seen enough.
///
/// # Errors
/// Standard output can't be written for another reason: whoever waits for the result won't get it.
pub fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::stage(format!("the result can't be written to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line about a failure to standard error, if anybody can read it.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
}

/// The end of a program: says what failed, if anything did, and gives the exit code.
pub fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}
