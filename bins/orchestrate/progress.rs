//! A bar per stage while standard error is a terminal; nothing otherwise.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use walkforward_core::{NoProgress, Progress, ProgressUpdate, Stage};

/// Bars on the terminal.
struct TerminalProgress {
    current: Mutex<Option<(Stage, ProgressBar)>>,
}

/// Bars if `wanted` and standard error is a terminal.
pub(crate) fn on_terminal(wanted: bool) -> Arc<dyn Progress> {
    if wanted && std::io::stderr().is_terminal() {
        return Arc::new(TerminalProgress { current: Mutex::new(None) });
    }
    Arc::new(NoProgress)
}

impl Progress for TerminalProgress {
    fn report(&self, update: ProgressUpdate) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|(stage, _)| *stage != update.stage) {
            if let Some((_, bar)) = current.take() {
                bar.finish();
            }
            *current = Some((update.stage, new_bar(update.stage)));
        }
        if let Some((_, bar)) = &*current {
            bar.set_length(update.total.max(1));
            bar.set_position(update.done);
            bar.set_message(update.message);
        }
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        let current = self.current.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = current.take() {
            bar.finish();
        }
    }
}

fn new_bar(stage: Stage) -> ProgressBar {
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template(
        "{prefix:>9} [{bar:20}] {pos:>4}/{len:<4} {elapsed:>4}, {eta:>3} left  {wide_msg}",
    );
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(stage.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
