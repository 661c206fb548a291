//! Writes pages about invented models, arms and a demonstration: `cargo run -p walkforward-report --example sample -- FOLDER`.

mod arms;
mod data;

use std::fs;
use std::path::PathBuf;

use walkforward_core::Grade;
use walkforward_report::{demo_html, evidence_html, html};

/// Three months of hours.
const HOURS: usize = 2_016;
/// A year of minutes.
const MINUTES: usize = 525_600;

fn main() -> std::io::Result<()> {
    let folder =
        std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/sample-report"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let mut promoted = data::sample(HOURS, 60, 7);
    if let Some(verdict) = &mut promoted.verdict {
        verdict.grading = Some(arms::grading(0xa1b2_c3d4, Some(Grade::Provisional), 0.07));
    }
    fs::write(folder.join("promoted.html"), html(&promoted))?;
    fs::write(folder.join("arms.html"), evidence_html(&arms::arms()))?;
    fs::write(folder.join("demo.html"), demo_html(&arms::demo()))?;
    fs::write(folder.join("broken.html"), html(&data::broken(HOURS)))?;
    fs::write(folder.join("minutes.html"), html(&data::sample(MINUTES, 1, 7)))
}
