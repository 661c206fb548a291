//! `orchestrate data export`.

use std::path::Path;

use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::BarSeries;
use walkforward_etl::{write_csv, write_parquet};

use super::Desk;
use super::show::grouped;

/// Writes the bars of the window that the source gave; holes stay holes.
pub(super) async fn run(desk: &Desk, path: &Path, replace: bool) -> Result<(), Failure> {
    let write = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => write_csv,
        Some("parquet") => write_parquet,
        _ => {
            let named = path.display();
            return Err(Failure::input(format!(
                "--to {named}: expected a name that ends in .csv or .parquet"
            )));
        }
    };
    if path.exists() && !replace {
        return Err(Failure::input(format!(
            "{} is there already: name another file, or pass --force to replace it",
            path.display()
        )));
    }
    let dataset = desk.dataset().await?;
    let mut bars = BarSeries::new(dataset.timeframe());
    for index in dataset.history_bars..dataset.bars.len() {
        if dataset.can_fill(index) {
            bars.push(dataset.bars.bar(index)).map_err(|error| Failure::from_error(&error))?;
        }
    }
    write(&bars, path).map_err(|error| Failure::from_error(&error))?;
    let (count, path) = (bars.len(), path.display().to_string());
    match desk.output {
        Output::Human => say(&format!("{path}: {} bars of {}\n", grouped(count), dataset.window)),
        Output::Json => say(&format!("{}\n", serde_json::json!({ "path": path, "bars": count }))),
        Output::Quiet => Ok(()),
    }
}
