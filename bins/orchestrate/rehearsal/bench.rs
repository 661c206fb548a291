//! Where a rehearsal works, and with what.

use std::path::PathBuf;

use clap::ArgMatches;
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward_core::CancelToken;

use super::folder::WorkFolder;
use super::progress::Trainings;
use crate::gates;
use crate::stoppable::stoppable;

/// A folder, threads, and somebody who watches.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    /// The folder, empty at first.
    pub(crate) folder: PathBuf,
    /// Whether somebody wants to look at it afterwards.
    pub(crate) is_kept: bool,
    /// Replays at once.
    pub(crate) width: usize,
    /// Counts trainings.
    pub(crate) trainings: Trainings,
    /// Ends it between two steps.
    pub(crate) cancel: CancelToken,
}

impl Bench {
    /// Does `work`, of so many trainings, where `matches` say, until a signal stops it.
    ///
    /// # Errors
    /// As `work`, or there is no folder to work in.
    pub(crate) fn run<F>(
        settings: &Settings,
        output: Output,
        matches: &ArgMatches,
        trainings: u64,
        work: impl FnOnce(Self) -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (folder, width) = (WorkFolder::of(matches)?, gates::threads(settings)?);
        let trainings = Trainings::new(output, trainings);
        let (path, is_kept) = (folder.path().to_owned(), folder.is_kept());
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
        let bench = |cancel| Self { folder: path, is_kept, width, trainings, cancel };
        let result = runtime.block_on(stoppable(|cancel| work(bench(cancel))));
        runtime.shutdown_background();
        result
    }
}
