//! Failures on demand: a test hands in a plan and sees what is left behind at each step.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Step;

/// Asked before each step of a durable operation; an error stands for the step's failure, and the step is not taken.
pub trait FaultPlan: Send + Sync {
    /// Whether `step` on `path` may be taken.
    fn before(&self, step: Step, path: &Path) -> io::Result<()>;
}

/// Fails one step by its number, and on request all later ones, as if the process had been killed there.
#[derive(Debug)]
pub struct PlannedFault {
    fail_at: usize,
    is_lasting: bool,
    kind: io::ErrorKind,
    taken: AtomicUsize,
}

impl PlannedFault {
    /// Lets every step pass and counts them.
    pub fn never() -> Self {
        Self::new(usize::MAX, false, io::ErrorKind::Other)
    }

    /// Fails step number `fail_at` (from 0) with `kind`; later steps pass.
    pub fn once(fail_at: usize, kind: io::ErrorKind) -> Self {
        Self::new(fail_at, false, kind)
    }

    /// Fails step number `fail_at` (from 0) and all later ones: not even cleaning up works.
    pub fn crash(fail_at: usize) -> Self {
        Self::new(fail_at, true, io::ErrorKind::Other)
    }

    fn new(fail_at: usize, is_lasting: bool, kind: io::ErrorKind) -> Self {
        Self { fail_at, is_lasting, kind, taken: AtomicUsize::new(0) }
    }

    /// Steps asked for so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl FaultPlan for PlannedFault {
    fn before(&self, step: Step, path: &Path) -> io::Result<()> {
        let number = self.taken.fetch_add(1, Ordering::SeqCst);
        let fails = number == self.fail_at || (self.is_lasting && number > self.fail_at);
        if !fails {
            return Ok(());
        }
        if self.kind != io::ErrorKind::Other {
            return Err(self.kind.into());
        }
        Err(io::Error::other(format!("planned failure of step {number} ({step} {})", path.display())))
    }
}
