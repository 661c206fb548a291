//! `orchestrate datasets`: dataset configurations.

use clap::{ArgMatches, Command};
use serde_json::json;
use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::frozen::{FrozenSettings, Layers};
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::Clock;
use walkforward_store::{DatasetConfigId, DatasetConfigRecord, NewDatasetConfig, StoreError};

use crate::home::Home;
use crate::json_file;
use crate::table::{Align, Table};
use crate::text::cut;

/// Columns of a description in a table of 80.
const ABOUT_COLUMNS: usize = 36;
const ABOUT: &str =
    "Where bars come from, under a name: a schedule that uses a configuration reads it at each cycle";
const EXAMPLE: &str = "\
The file: {\"id\": \"mine\", \"name\": \"Mine\", \"source_type\": \"csv\",
  \"source_config\": {\"data\": {\"path\": \"bars.csv\", \"symbol\": \"BTC/USD\"}, \"market\": {\"calendar\": \"continuous\"}},
  \"features\": [], \"split_config\": {\"window_bars\": 8760, \"holdout_bars\": 336}}
Keys are those of the settings file; paths are best absolute.";

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    json_file::command("datasets", ABOUT, "dataset configuration", EXAMPLE)
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    match matches.subcommand() {
        Some(("add", matches)) => add(settings, output, matches),
        Some(("remove", matches)) => {
            let (id, home) = (json_file::id::<DatasetConfigId>(matches)?, Home::open(settings, output)?);
            home.write_down("datasets.remove", id.as_str(), "")?;
            home.store.delete_dataset_config(&id).map_err(refuse)?;
            home.print(|| json!({ "removed": id }), || format!("dataset configuration '{id}' removed\n"))
        }
        Some(("show", matches)) => {
            let (id, home) = (json_file::id::<DatasetConfigId>(matches)?, Home::open(settings, output)?);
            let dataset = home.store.dataset_config(&id).map_err(refuse)?;
            home.print(|| json!(dataset), || format!("{:#}\n", json!(dataset)))
        }
        _ => {
            let home = Home::open(settings, output)?;
            let datasets = home.store.dataset_configs().map_err(refuse)?;
            home.print(|| json!(datasets), || table(&datasets))
        }
    }
}

fn add(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let (dataset, is_changed): (NewDatasetConfig, bool) = json_file::record(matches)?;
    check(settings, &dataset)?;
    let home = Home::open(settings, output)?;
    home.write_down(if is_changed { "datasets.change" } else { "datasets.add" }, dataset.id.as_str(), "")?;
    let kept = match is_changed {
        true => home.store.update_dataset_config(&dataset),
        false => home.store.create_dataset_config(&dataset),
    };
    let kept = kept.map_err(|error| Failure::from(&error))?;
    let done = if is_changed { "changed" } else { "added" };
    match home.output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!("{}\n", json!(kept))),
        Output::Human => {
            say(&format!("dataset configuration '{}' {done}; --dataset {} uses it\n", kept.id, kept.id))
        }
    }
}

/// Its settings make sense together, with the defaults for all others.
pub(crate) fn check(settings: &Settings, new: &NewDatasetConfig) -> Result<(), Failure> {
    let now = walkforward::clock::SystemClock::start().now();
    let record = DatasetConfigRecord {
        id: new.id.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        source_type: new.source_type.clone(),
        source_config: new.source_config.clone(),
        features: new.features.clone(),
        split_config: new.split_config.clone(),
        created_at: now,
        updated_at: now,
    };
    let (name, frozen) = (format!("dataset configuration '{}'", new.id), FrozenSettings::default());
    let layers = Layers { name: &name, frozen: &frozen, dataset: Some(&record), pack: None };
    let checked = OrchestrateConfig::from_settings(&settings.with_layers(&layers)?, false);
    checked
        .map(drop)
        .map_err(|failure| Failure { message: format!("{name}: {}", failure.message), ..failure })
}

fn table(datasets: &[DatasetConfigRecord]) -> String {
    let mut table = Table::new(&[
        ("dataset", Align::Left),
        ("source", Align::Left),
        ("symbol", Align::Left),
        ("what it is for", Align::Left),
    ]);
    for dataset in datasets {
        let symbol = dataset.source_config["data"]["symbol"].as_str().unwrap_or("-");
        table.row(vec![
            dataset.id.to_string(),
            dataset.source_type.clone(),
            symbol.to_owned(),
            cut(&dataset.description, ABOUT_COLUMNS),
        ]);
    }
    table.to_string()
}
