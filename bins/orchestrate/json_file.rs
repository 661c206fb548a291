//! Records that people write as JSON files.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde::de::DeserializeOwned;
use walkforward::failure::{Failure, chain};
use walkforward_durable::read_bounded;

const FILE: &str = "file";
const REPLACE: &str = "replace";
const ID: &str = "id";
/// Longest file, bytes: a record's JSON may have 64 KiB, with room for white space.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The subcommands of records that are kept by id: list, show, add, remove.
pub(crate) fn command(name: &'static str, about: &'static str, one: &str, example: &'static str) -> Command {
    let id = || Arg::new(ID).value_name("ID").required(true).help(format!("The id of a {one}"));
    Command::new(name)
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("list").about("Lists them"))
        .subcommand(Command::new("show").about(format!("Prints a {one} as JSON")).arg(id()))
        .subcommand(
            Command::new("add")
                .about(format!("Checks and keeps a {one} from a JSON file"))
                .after_help(example)
                .arg(
                    Arg::new(FILE)
                        .value_name("FILE")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .help("The JSON file"),
                )
                .arg(
                    Arg::new(REPLACE)
                        .long(REPLACE)
                        .action(ArgAction::SetTrue)
                        .help("Change the one that is there; trainings that begin later take it"),
                ),
        )
        .subcommand(Command::new("remove").about(format!("Deletes a {one} that no schedule uses")).arg(id()))
}

/// The id that `matches` hold.
pub(crate) fn id<T>(matches: &ArgMatches) -> Result<T, Failure>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = matches.get_one::<String>(ID).cloned().unwrap_or_default();
    text.parse().map_err(|error| Failure::input(format!("{error}")))
}

/// The record in the file that `matches` name, and whether it replaces another.
pub(crate) fn record<T: DeserializeOwned>(matches: &ArgMatches) -> Result<(T, bool), Failure> {
    let path = matches.get_one::<PathBuf>(FILE).cloned().unwrap_or_default();
    Ok((read(&path)?, matches.get_flag(REPLACE)))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let bytes = read_bounded(path, MAX_FILE_BYTES).map_err(|error| Failure::input(chain(&error)))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::input(format!("'{}' can't be used: {error}", path.display())))
}
