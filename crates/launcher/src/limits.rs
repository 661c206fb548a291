//! What a worker limits itself to, so that a training never starves a trader.

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};

use crate::Error;

const BYTES_PER_MIB: u64 = 1 << 20;

/// Limits of a worker and of everything that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerLimits {
    /// How much the worker yields to other processes: 0 not at all, 19 always.
    pub niceness: u8,
    /// Most address space, MiB; none is no limit. A worker that needs more fails to allocate and dies.
    pub memory_limit_mib: Option<u64>,
}

impl Default for WorkerLimits {
    /// Niceness 10, no memory limit.
    fn default() -> Self {
        Self { niceness: 10, memory_limit_mib: None }
    }
}

impl WorkerLimits {
    /// Limits this process and those that it starts from now on.
    ///
    /// # Errors
    /// The system refuses the memory limit. A niceness that it refuses is passed over: the training is right without.
    pub(crate) fn apply(self) -> Result<(), Error> {
        if let Err(error) = nice(i32::from(self.niceness)) {
            tracing::warn!(niceness = self.niceness, %error, "the worker keeps its priority");
        }
        let Some(mib) = self.memory_limit_mib else { return Ok(()) };
        let limit = mib.saturating_mul(BYTES_PER_MIB);
        let maximum = getrlimit(Resource::As).maximum.map_or(limit, |maximum| maximum.min(limit));
        let limits = Rlimit { current: Some(maximum), maximum: Some(maximum) };
        let what = format!("limit the worker's memory to {mib} MiB");
        setrlimit(Resource::As, limits).map_err(|error| Error::process(what)(error.into()))
    }
}

/// Variables by which numerical libraries learn how many threads they may start.
pub(crate) const THREAD_VARIABLES: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
];
