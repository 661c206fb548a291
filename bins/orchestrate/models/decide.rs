//! `orchestrate models approve|reject`: what becomes of a model that a gate let through and that was held.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward_core::{ModelId, SuppliedBy};
use walkforward_store::ModelRecord;

use super::{REASON, refuse, text};
use crate::home::Home;

const REUSE: &str = "evaluation.allow_reused_metrics";
const OVERRULE: &str = "overrule";

/// The subcommand that says yes.
pub(super) fn approve_command(model: Arg, reason: Arg) -> Command {
    Command::new("approve")
        .about("Makes a model that waits for approval the champion of its line; traders take it between two bars")
        .after_help(
            "A verdict holds against the champion that the model was compared with: once another one trades, the \
             approval is refused, and a new cycle has to judge. With --overrule a model trades that no gate let through; \
             the history says who answers for it, and its grade stays what its arm has earned.",
        )
        .arg(model)
        .arg(reason)
        .arg(
            Arg::new(OVERRULE)
                .long(OVERRULE)
                .action(ArgAction::SetTrue)
                .help("Against its verdict: for a model that was rejected or is inconclusive"),
        )
}

/// The subcommand that says no.
pub(super) fn reject_command(model: Arg, reason: Arg) -> Command {
    Command::new("reject")
        .about("Says no to a model that waits for approval; it is never promoted")
        .arg(model)
        .arg(reason)
}

/// Puts a held model on its line.
pub(super) fn approve(home: &Home, id: &ModelId, matches: &ArgMatches) -> Result<(), Failure> {
    let reason = text(matches, REASON);
    refuse_reused_metrics(home, &home.store.model(id).map_err(refuse)?)?;
    let done = match matches.get_flag(OVERRULE) {
        true => home.store.overrule(id, reason),
        false => home.store.approve(id, reason),
    };
    let done = done.map_err(refuse)?;
    let line = &done.pointer().line;
    let json = || {
        json!({
            "done": "approved", "line": line, "from": done.from(), "to": done.to(), "sequence": done.sequence(),
            "reason": reason.trim(),
        })
    };
    home.print(json, || {
        let from = done.from().map_or("nobody", ModelId::as_str);
        format!("line '{line}': {from} -> {}\n", done.to())
    })
}

/// Says no to a held model.
pub(super) fn reject(home: &Home, id: &ModelId, reason: &str) -> Result<(), Failure> {
    let record = home.store.decline(id, reason).map_err(refuse)?;
    home.print(
        || json!({ "done": "rejected", "line": record.line, "model": id, "declined": record.declined }),
        || format!("{id} is rejected: {}\n", reason.trim()),
    )
}

/// A metrics file promotes one model, unless that was allowed; it may have done so since the model was held.
fn refuse_reused_metrics(home: &Home, record: &ModelRecord) -> Result<(), Failure> {
    let Some(SuppliedBy::File { sha256, .. }) = &record.supplied_by else { return Ok(()) };
    if home.settings.require::<bool>(REUSE)? || !home.store.file_hash_promoted(sha256).map_err(refuse)? {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{}: the metrics file that it was judged by has promoted a model since: measure it anew, or allow that with \
         --allow-reused-metrics",
        record.model_id
    )))
}
