//! `orchestrate config show`.

use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::settings::{Binary, Settings};

use crate::table::{Align, Table};

/// Prints every setting with its value and its origin, after a check of all of them.
#[expect(clippy::print_stdout, reason = "this is the command's output")]
pub(crate) fn print(settings: &Settings, json: bool) -> Result<(), Failure> {
    OrchestrateConfig::from_settings(settings, false)?;
    let rows = settings.rows(Binary::Orchestrate);
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(key, value, origin)| {
                serde_json::json!({ "key": key, "value": value, "origin": origin.to_string() })
            })
            .collect();
        println!("{}", serde_json::Value::from(rows));
        return Ok(());
    }
    let mut table = Table::new(&[("setting", Align::Left), ("value", Align::Left), ("origin", Align::Left)]);
    for (key, value, origin) in rows {
        table.row(vec![key.to_owned(), value.unwrap_or("-").to_owned(), origin.to_string()]);
    }
    for (key, value) in settings.pack() {
        let file = settings.file().map(|path| path.display().to_string()).unwrap_or_default();
        table.row(vec![format!("pack.{key}"), value.to_string(), format!("file {file}")]);
    }
    print!("{table}");
    Ok(())
}
