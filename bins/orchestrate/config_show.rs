//! `orchestrate config show`.

use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Binary, Settings};

use crate::table::{Align, Table};

/// Prints every setting with its value and its origin, after a check of all of them.
pub(crate) fn print(settings: &Settings, json: bool) -> Result<(), Failure> {
    let config = OrchestrateConfig::from_settings(settings, false)?;
    let rows = rows(settings, &config)?;
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(key, value, origin)| serde_json::json!({ "key": key, "value": value, "origin": origin }))
            .collect();
        return say(&format!("{}\n", serde_json::Value::from(rows)));
    }
    let mut table = Table::new(&[("setting", Align::Left), ("value", Align::Left), ("origin", Align::Left)]);
    for (key, value, origin) in rows {
        table.row(vec![key, value.unwrap_or_else(|| "-".to_owned()), origin]);
    }
    say(&table.to_string())
}

type Row = (String, Option<String>, String);

/// Every setting and every hyperparameter: name, value, origin.
fn rows(settings: &Settings, config: &OrchestrateConfig) -> Result<Vec<Row>, Failure> {
    let listed = settings.rows(Binary::Orchestrate).into_iter();
    let mut rows: Vec<Row> = listed
        .map(|(key, value, origin)| (key.to_owned(), value.map(str::to_owned), origin.to_string()))
        .collect();
    let pack = config.trainer.pack()?;
    for (key, value) in pack.as_object().into_iter().flatten() {
        let from_file = settings.pack().contains_key(key).then(|| settings.file()).flatten();
        let mut origin =
            from_file.map_or_else(|| "default".to_owned(), |path| format!("file {}", path.display()));
        if key == "iterations" && settings.is_set("training.iterations") {
            "training.iterations".clone_into(&mut origin);
        }
        rows.push((format!("pack.{key}"), (!value.is_null()).then(|| value.to_string()), origin));
    }
    let features = serde_json::to_string(&config.dataset.features);
    let features = features.map_err(|error| Failure::stage(error.to_string()))?;
    let from_file = settings.features().and(settings.file());
    let origin = from_file.map_or_else(|| "default".to_owned(), |path| format!("file {}", path.display()));
    rows.push(("features".to_owned(), Some(features), origin));
    Ok(rows)
}
