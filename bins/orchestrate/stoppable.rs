//! Work that a signal stops, whatever it is busy with.

use std::time::Duration;

use tokio::runtime::Handle;
use walkforward::failure::Failure;
use walkforward::signals;
use walkforward_core::CancelToken;

/// How long work that was asked to stop may take before it is left behind. Every write survives that.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(4);

/// Runs `work` on a thread of its own, because reading a large file or waiting for a lock would not let a signal
/// through; a signal asks it to stop.
pub(crate) async fn stoppable<F>(work: impl FnOnce(CancelToken) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let stop = stop_requested()?;
    let cancel = CancelToken::default();
    let (work, runtime) = (work(cancel.clone()), Handle::current());
    let mut work = tokio::task::spawn_blocking(move || runtime.block_on(work));
    tokio::pin!(stop);
    let ended = tokio::select! {
        ended = &mut work => Ok(ended),
        () = &mut stop => {
            cancel.cancel();
            tokio::time::timeout(STOP_GRACE, work).await
        }
    };
    match ended {
        Ok(result) => result.unwrap_or_else(|panic| Err(Failure::stage(panic.to_string()))),
        Err(_) => Err(Failure::stage("stopped in the middle of its work: nothing unfinished is kept")),
    }
}

/// Resolves when this process is asked to stop.
pub(crate) fn stop_requested() -> Result<impl Future<Output = ()> + Send, Failure> {
    signals::stop_requested().map_err(|error| Failure::stage(format!("{error:#}")))
}
