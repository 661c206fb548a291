//! Writes pages about invented models: `cargo run -p walkforward-report --example sample -- FOLDER`.

mod data;

use std::fs;
use std::path::PathBuf;

use walkforward_report::html;

/// Three months of hours.
const HOURS: usize = 2_016;
/// A year of minutes.
const MINUTES: usize = 525_600;

fn main() -> std::io::Result<()> {
    let folder =
        std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/sample-report"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("promoted.html"), html(&data::sample(HOURS, 60, 7)))?;
    fs::write(folder.join("broken.html"), html(&data::broken(HOURS)))?;
    fs::write(folder.join("minutes.html"), html(&data::sample(MINUTES, 1, 7)))
}
