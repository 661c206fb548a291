//! `orchestrate audit`: what people did, and whether that record is as it was written.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_store::{Act, AuditCheck, StoreError};

use crate::home::Home;
use crate::table::{Align, Table};
use crate::text::{cut, minute};

const LIMIT: &str = "limit";
const AFTER: &str = "after";
const MOST: i64 = 1_000;
/// Acts that are read at once.
const BATCH: u32 = 500;
/// Columns that a reason has in a table of 80.
const REASON_COLUMNS: usize = 28;

const ABOUT: &str = "What people did: approvals, rollbacks, pins, changes of schedules, packs and datasets, trainings, and what \
traders were told. Each row has the hash of the one before it, so that a row that was changed, put between or taken out is \
found. Acts are written down before they are done; one that was refused is there too. What a trader was told by its own \
commands, signals and files comes from its journal.";

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    Command::new("audit")
        .about(ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("list").about("Lists acts, newest first").arg(
                Arg::new(LIMIT)
                    .long(LIMIT)
                    .value_name("N")
                    .default_value("20")
                    .value_parser(value_parser!(u32).range(1..=MOST))
                    .help("Acts that are listed"),
            ),
        )
        .subcommand(
            Command::new("export")
                .about("Prints all acts as JSON lines, oldest first: keep them where nobody here can change them")
                .arg(
                    Arg::new(AFTER)
                        .long(AFTER)
                        .value_name("SEQ")
                        .default_value("0")
                        .value_parser(value_parser!(i64).range(0..))
                        .help("Only acts with a larger number: what is new since the last export"),
                ),
        )
        .subcommand(Command::new("verify").about("Follows the chain of hashes from the first act to the last"))
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let home = Home::open(settings, output)?;
    match matches.subcommand() {
        Some(("export", inner)) => export(&home, inner.get_one(AFTER).copied().unwrap_or(0)),
        Some(("verify", _)) => verify(&home),
        Some((_, inner)) => list(&home, inner.get_one(LIMIT).copied().unwrap_or(BATCH)),
        None => Ok(()),
    }
}

fn refuse(error: StoreError) -> Failure {
    Failure::from(&error)
}

fn list(home: &Home, limit: u32) -> Result<(), Failure> {
    let acts = home.store.acts_before(None, limit).map_err(refuse)?;
    home.print(
        || json!(acts),
        || if acts.is_empty() { "nobody has done anything yet\n".to_owned() } else { table(&acts) },
    )
}

fn table(acts: &[Act]) -> String {
    let columns = ["act", "when (UTC)", "who", "what", "to what", "why"];
    let mut table =
        Table::new(&columns.map(|name| (name, if name == "act" { Align::Right } else { Align::Left })));
    for act in acts {
        table.row(vec![
            act.seq.to_string(),
            minute(act.time),
            act.actor.clone(),
            act.act.clone(),
            act.subject.clone(),
            cut(&act.reason, REASON_COLUMNS),
        ]);
    }
    table.to_string()
}

fn export(home: &Home, mut after: i64) -> Result<(), Failure> {
    loop {
        let acts = home.store.acts_after(after, BATCH).map_err(refuse)?;
        let Some(last) = acts.last() else { return Ok(()) };
        after = last.seq;
        let lines: String = acts.iter().map(|act| format!("{}\n", json!(act))).collect();
        say(&lines)?;
    }
}

fn verify(home: &Home) -> Result<(), Failure> {
    let AuditCheck { acts, broken, last_hash } = home.store.check_acts().map_err(refuse)?;
    if let Some(seq) = broken {
        return Err(Failure::stage(format!(
            "act {seq} of {acts} is not as it was written, or one before it is gone: compare with an earlier `orchestrate \
             audit export`"
        )));
    }
    home.print(
        || json!({ "acts": acts, "last_hash": last_hash, "is_whole": true }),
        || format!("{acts} acts, each as it was written; the last one's hash is {last_hash}\n"),
    )
}
