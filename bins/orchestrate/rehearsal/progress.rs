//! How far a rehearsal has come, on a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use walkforward::settings::Output;
use walkforward_core::Timestamp;
use walkforward_orchestrator::replay::ReplayProgress;
use walkforward_store::RunOutcome;

/// Counts trainings, whoever makes them. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Trainings(ProgressBar);

impl Trainings {
    /// A bar that is full after `total` trainings.
    pub(crate) fn new(output: Output, total: u64) -> Self {
        let is_shown = output == Output::Human && std::io::stderr().is_terminal();
        let bar = if is_shown { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let style = "   trainings [{bar:20}] {pos:>4}/{len:<4} {elapsed:>4}, {eta:>3} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    /// One more.
    pub(crate) fn add(&self) {
        self.0.inc(1);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl ReplayProgress for Trainings {
    fn cycle(&self, _done: usize, _total: usize, _due: Timestamp, _outcome: RunOutcome) {
        self.add();
    }
}
