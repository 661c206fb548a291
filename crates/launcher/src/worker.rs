//! The worker: one training in a process of its own.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use walkforward_core::{CancelToken, Clock, StageContext, StageError, Trainer, TrainingOutcome};

use crate::protocol::{FailureMessage, Message, OutcomeMessage};
use crate::speak::{Speaker, shortened};
use crate::{Error, JobFile, watchdog};

/// Exit status of a worker that said its outcome.
const DONE: u8 = 0;
/// Exit status of a worker that said its failure.
const FAILED: u8 = 1;

/// Works on the job at `job_file` with the trainer that `choose` finds in it, says how it goes on standard output, and
/// gives the exit status.
///
/// The process leads a group of its own; when standard input closes, the whole group ends by force. SIGTERM asks the
/// trainer to stop. Niceness and memory limit of the job are in force before the dataset is read.
pub fn run_worker(
    job_file: &Path,
    clock: Arc<dyn Clock>,
    choose: impl FnOnce(&JobFile) -> Result<Box<dyn Trainer>, StageError>,
) -> u8 {
    let cancel = CancelToken::default();
    let speaker = Arc::new(Speaker::new(Arc::clone(&clock), cancel.clone()));
    let ctx = |work_dir| StageContext { clock, progress: speaker.clone(), cancel, work_dir };
    let (message, status) = match work(job_file, ctx, choose) {
        Ok((attempt, outcome)) => (Message::Outcome(OutcomeMessage::of(&attempt, outcome)), DONE),
        Err(error) => {
            let message = shortened(chain(&*error.source));
            (Message::Error(FailureMessage { kind: error.kind, message }), FAILED)
        }
    };
    if speaker.say(&message) { status } else { FAILED }
}

fn work(
    job_file: &Path,
    ctx: impl FnOnce(std::path::PathBuf) -> StageContext,
    choose: impl FnOnce(&JobFile) -> Result<Box<dyn Trainer>, StageError>,
) -> Result<(String, TrainingOutcome), StageError> {
    watchdog::start()?;
    let file = JobFile::read(job_file)?;
    file.limits.apply()?;
    let trainer = choose(&file)?;
    let ctx = ctx(file.work_dir.clone());
    cancel_at_sigterm(ctx.cancel.clone())?;
    let job = file.load()?;
    let outcome = trainer.train(&job, &ctx)?;
    Ok((job.attempt, outcome))
}

/// Sets `cancel` at the first SIGTERM. The handler is in place when this returns.
fn cancel_at_sigterm(cancel: CancelToken) -> Result<(), Error> {
    let what = || Error::process("listen for SIGTERM");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(what())?;
    let mut terminate = {
        let _entered = runtime.enter();
        signal(SignalKind::terminate()).map_err(what())?
    };
    let listen = move || {
        if runtime.block_on(terminate.recv()).is_some() {
            cancel.cancel();
        }
    };
    thread::Builder::new().name("sigterm".to_owned()).spawn(listen).map(drop).map_err(what())
}

/// The causes of `error`, outermost first, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    causes.fold(String::new(), |text, cause| match (text.is_empty(), text.contains(&cause)) {
        (true, _) => cause,
        (false, true) => text,
        (false, false) => format!("{text}: {cause}"),
    })
}
