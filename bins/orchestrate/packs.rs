//! `orchestrate packs`: hyperparameter packs.

use clap::{ArgMatches, Command};
use serde_json::json;
use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::frozen::{FrozenSettings, Layers};
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_store::{NewPack, PackId, PackRecord, StoreError};

use crate::home::Home;
use crate::json_file;
use crate::table::{Align, Table};
use crate::text::cut;

/// Columns of a description in a table of 80.
const ABOUT_COLUMNS: usize = 44;
const ABOUT: &str = "Hyperparameters under a name: a schedule that uses a pack reads it at each cycle";
const EXAMPLE: &str = "\
The file: {\"id\": \"mine\", \"name\": \"Mine\", \"description\": \"..\", \"config\": {\"iterations\": 40, ..}}
The trainer checks the settings; --trainer and --launcher say which one that is.";

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    json_file::command("packs", ABOUT, "pack", EXAMPLE)
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    match matches.subcommand() {
        Some(("add", matches)) => add(settings, output, matches),
        Some(("remove", matches)) => {
            let (id, home) = (json_file::id::<PackId>(matches)?, Home::open(settings, output)?);
            home.write_down("packs.remove", id.as_str(), "")?;
            home.store.delete_pack(&id).map_err(refuse)?;
            home.print(|| json!({ "removed": id }), || format!("pack '{id}' removed\n"))
        }
        Some(("show", matches)) => {
            let (id, home) = (json_file::id::<PackId>(matches)?, Home::open(settings, output)?);
            let pack = home.store.pack(&id).map_err(refuse)?;
            home.print(|| json!(pack), || format!("{:#}\n", json!(pack)))
        }
        _ => {
            let home = Home::open(settings, output)?;
            let packs = home.store.packs().map_err(refuse)?;
            home.print(|| json!(packs), || table(&packs))
        }
    }
}

fn add(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let (pack, is_changed): (NewPack, bool) = json_file::record(matches)?;
    check(settings, &pack)?;
    let home = Home::open(settings, output)?;
    home.write_down(if is_changed { "packs.change" } else { "packs.add" }, pack.id.as_str(), "")?;
    let kept = match is_changed {
        true => home.store.update_pack(&pack),
        false => home.store.create_pack(&pack),
    };
    let kept = kept.map_err(|error| Failure::from(&error))?;
    let done = if is_changed { "changed" } else { "added" };
    match home.output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!("{}\n", json!(kept))),
        Output::Human => say(&format!("pack '{}' {done}; --pack {} uses it\n", kept.id, kept.id)),
    }
}

/// The trainer that the settings name takes the pack.
pub(crate) fn check(settings: &Settings, pack: &NewPack) -> Result<(), Failure> {
    let name = format!("pack '{}'", pack.id);
    let frozen = FrozenSettings { pack: pack.config.as_object().cloned(), ..settings.freeze()? };
    let layers = Layers { name: &name, frozen: &frozen, dataset: None, pack: None };
    let checked = OrchestrateConfig::from_settings(&settings.with_layers(&layers)?, false);
    checked
        .map(drop)
        .map_err(|failure| Failure { message: format!("{name}: {}", failure.message), ..failure })
}

fn table(packs: &[PackRecord]) -> String {
    let mut table =
        Table::new(&[("pack", Align::Left), ("name", Align::Left), ("what it is for", Align::Left)]);
    for pack in packs {
        table.row(vec![pack.id.to_string(), pack.name.clone(), cut(&pack.description, ABOUT_COLUMNS)]);
    }
    table.to_string()
}
