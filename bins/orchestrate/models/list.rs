//! `orchestrate models list`.

use std::collections::BTreeSet;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward_core::{LineName, ModelId};
use walkforward_store::{HeldModel, MAX_LISTED_ROWS, ModelSummary, StoreError};

use super::{LINE_COLUMNS, refuse};
use crate::home::Home;
use crate::table::{Align, Table};
use crate::text::{bytes, cut};

const LIMIT: &str = "limit";
const DEFAULT_LIMIT: u32 = 50;

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("list").about("Lists the newest models, of all lines or of --line").arg(
        Arg::new(LIMIT)
            .long(LIMIT)
            .value_name("N")
            .value_parser(value_parser!(u32).range(1..=i64::from(MAX_LISTED_ROWS)))
            .help(format!("How many at most, 1 to {MAX_LISTED_ROWS}; default: {DEFAULT_LIMIT}")),
    )
}

/// A model with what its row does not say.
struct Listed {
    model: ModelSummary,
    weights_bytes: u64,
    is_champion: bool,
    /// Whether it waits for approval, and its verdict holds.
    is_approvable: bool,
}

/// Prints the newest models.
pub(super) fn run(home: &Home, line: Option<&LineName>, matches: &ArgMatches) -> Result<(), Failure> {
    let limit = matches.get_one::<u32>(LIMIT).copied().unwrap_or(DEFAULT_LIMIT);
    let listed = listed(home, line, limit).map_err(refuse)?;
    let is_cut = listed.len() as u64 == u64::from(limit);
    home.print(
        || json!({ "models": listed.iter().map(Listed::json).collect::<Vec<_>>() }),
        || words(&listed, is_cut),
    )
}

fn listed(home: &Home, line: Option<&LineName>, limit: u32) -> Result<Vec<Listed>, StoreError> {
    let champions = champions(home)?;
    let approvable: BTreeSet<ModelId> =
        held(home, line)?.into_iter().filter(HeldModel::is_current).map(|held| held.model).collect();
    let models = home.store.model_summaries(line, limit)?;
    let listed = models.into_iter().map(|model| {
        Ok(Listed {
            weights_bytes: home.store.weights_bytes(&model.model)?,
            is_champion: champions.contains(&model.model),
            is_approvable: approvable.contains(&model.model),
            model,
        })
    });
    listed.collect()
}

/// The champion of every line whose pointer can be read.
pub(super) fn champions(home: &Home) -> Result<BTreeSet<ModelId>, StoreError> {
    let mut champions = BTreeSet::new();
    for line in home.store.lines()? {
        match home.store.champion(&line) {
            Ok(champion) => champions.extend(champion.map(|champion| champion.record.model_id)),
            Err(error) => tracing::warn!(%line, %error, "the champion of a line can't be told"),
        }
    }
    Ok(champions)
}

/// The models that wait; none where a record or a pointer can't be read, which is said.
fn held(home: &Home, line: Option<&LineName>) -> Result<Vec<HeldModel>, StoreError> {
    match home.store.held_models(line) {
        Err(error @ (StoreError::Pointer { .. } | StoreError::BadModel { .. })) => {
            tracing::warn!(%error, "which models can be approved can't be told");
            Ok(Vec::new())
        }
        held => held,
    }
}

impl Listed {
    fn json(&self) -> serde_json::Value {
        let mut json = json!(self.model);
        json["weights_bytes"] = json!(self.weights_bytes);
        json["champion"] = json!(self.is_champion);
        json["approvable"] = json!(self.is_approvable);
        json
    }

    fn weights(&self) -> String {
        match (self.weights_bytes, self.model.weights_removed) {
            (0, Some(_)) => "removed".to_owned(),
            (0, None) => "missing".to_owned(),
            (some, _) => bytes(some),
        }
    }

    /// A model that waits is `held`; `outdated` when its verdict no longer holds.
    fn status(&self) -> &str {
        match (self.model.held, self.is_approvable) {
            (true, true) => "held",
            (true, false) => "outdated",
            (false, _) => &self.model.status,
        }
    }

    fn note(&self) -> &'static str {
        match (self.is_champion, self.model.pinned.is_some()) {
            (true, true) => "champ, pinned",
            (true, false) => "champion",
            (false, true) => "pinned",
            (false, false) => "",
        }
    }
}

fn words(listed: &[Listed], is_cut: bool) -> String {
    if listed.is_empty() {
        return "there are no models; `orchestrate --once` makes one\n".to_owned();
    }
    let mut table = Table::new(&[
        ("model", Align::Left),
        ("line", Align::Left),
        ("status", Align::Left),
        ("weights", Align::Right),
        ("note", Align::Left),
    ]);
    for one in listed {
        table.row(vec![
            one.model.model.to_string(),
            cut(one.model.line.as_str(), LINE_COLUMNS),
            one.status().to_owned(),
            one.weights(),
            one.note().to_owned(),
        ]);
    }
    let more = if is_cut { "the newest ones; --limit N shows more\n" } else { "" };
    let waits = match listed.iter().any(|one| one.is_approvable) {
        true => "held: `orchestrate models approve MODEL` or `reject MODEL` decides\n",
        false => "",
    };
    format!("{table}{more}{waits}")
}
