//! Models at a glance, without reading their records.

use rusqlite::{Row, params};
use serde::Serialize;
use walkforward_core::{LineName, ModelId, Timestamp};

use crate::held::IS_HELD;
use crate::pins::MODELS;
use crate::rows::{parse, parse_optional};
use crate::{MAX_LISTED_ROWS, Store, StoreError, WeightsRemoved};

/// What the database knows of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelSummary {
    /// Its name.
    pub model: ModelId,
    /// Its line.
    pub line: LineName,
    /// How far it has come, one of the words of [`ModelStatus`](crate::ModelStatus).
    pub status: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last became champion.
    pub promoted_at: Option<Timestamp>,
    /// The model that its training continued from.
    pub parent: Option<ModelId>,
    /// When and why its weights were taken away; none while they are kept.
    pub weights_removed: Option<WeightsRemoved>,
    /// Why it is pinned; none when it is not.
    pub pinned: Option<String>,
    /// Whether it waits for approval.
    pub held: bool,
}

impl Store {
    /// The newest models, newest first, at most `limit` and [`MAX_LISTED_ROWS`]; of `line` alone when it is given.
    pub fn model_summaries(
        &self,
        line: Option<&LineName>,
        limit: u32,
    ) -> Result<Vec<ModelSummary>, StoreError> {
        self.database.read(|db| {
            let sql = newest_models(line);
            let values = params![line.map(LineName::as_str), limit.min(MAX_LISTED_ROWS)];
            db.prepare_cached(&sql)?.query_map(values, summary_row)?.collect()
        })
    }

    /// As [`model_summaries`](Self::model_summaries), those that are older than `before`.
    ///
    /// # Errors
    /// There is no model `before`.
    pub fn model_summaries_before(
        &self,
        line: Option<&LineName>,
        before: &ModelId,
        limit: u32,
    ) -> Result<Vec<ModelSummary>, StoreError> {
        self.database.read_checked(|db| {
            MODELS.require(db, before.as_str())?;
            let sql = older_models(line);
            let limit = limit.min(MAX_LISTED_ROWS);
            let values = params![line.map(LineName::as_str), limit, before.as_str()];
            let rows = db.prepare_cached(&sql)?.query_map(values, summary_row)?.collect::<Result<_, _>>()?;
            Ok(rows)
        })
    }

    /// One model at a glance.
    ///
    /// # Errors
    /// There is no such model.
    pub fn model_summary(&self, id: &ModelId) -> Result<ModelSummary, StoreError> {
        self.database.read_checked(|db| MODELS.get(db, &summary_columns(), id.as_str(), summary_row))
    }

    /// Lines that have a pointer or a history, by name.
    pub fn lines(&self) -> Result<Vec<LineName>, StoreError> {
        Ok(self.known_lines()?.into_iter().collect())
    }
}

/// The query of a list of models. Each has an index of its own, in the list's order.
fn newest_models(line: Option<&LineName>) -> String {
    let (columns, filter) = (summary_columns(), of_line(line));
    format!("SELECT {columns} FROM models WHERE {filter} ORDER BY created_at DESC, id DESC LIMIT ?2")
}

/// As [`newest_models`], of those that are older than the model ?3.
fn older_models(line: Option<&LineName>) -> String {
    let (columns, filter) = (summary_columns(), of_line(line));
    format!(
        "SELECT {columns} FROM models WHERE {filter} \
         AND (created_at, id) < (SELECT created_at, id FROM models WHERE id = ?3) \
         ORDER BY created_at DESC, id DESC LIMIT ?2"
    )
}

/// The condition that a row is of `line`, which is ?1, if one is given. With both in one condition SQLite would look at
/// every row.
pub(crate) fn of_line(line: Option<&LineName>) -> &'static str {
    match line {
        Some(_) => "line = ?1",
        None => "?1 IS NULL",
    }
}

/// What [`summary_row`] reads.
fn summary_columns() -> String {
    format!(
        "id, line, status, created_at, promoted_at, parent_id, weights_removed_at, weights_removed_by, \
         (SELECT reason FROM model_pins WHERE model = models.id), ({IS_HELD})"
    )
}

fn summary_row(row: &Row<'_>) -> rusqlite::Result<ModelSummary> {
    Ok(ModelSummary {
        model: parse(row, 0)?,
        line: parse(row, 1)?,
        status: row.get(2)?,
        created_at: parse(row, 3)?,
        promoted_at: parse_optional(row, 4)?,
        parent: parse_optional(row, 5)?,
        weights_removed: removed_columns(row, 6)?,
        pinned: row.get(8)?,
        held: row.get(9)?,
    })
}

/// `weights_removed_at` and `weights_removed_by`, from column `first` on.
pub(crate) fn removed_columns(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<WeightsRemoved>> {
    let (at, by) = (parse_optional(row, first)?, parse_optional(row, first + 1)?);
    Ok(at.zip(by).map(|(at, by)| WeightsRemoved { at, by }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use walkforward_core::ManualClock;

    use super::*;
    use crate::held::held_query;

    #[test]
    fn every_list_of_models_is_read_along_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock).unwrap();
        let line = LineName::default();
        for sql in [newest_models(Some(&line)), older_models(Some(&line)), held_query(Some(&line))] {
            let plan = store.database.plan(&sql);
            assert!(plan.contains("models_of_a_line (line=?") && !plan.contains("SCAN"), "{plan}");
        }
        for sql in [newest_models(None), older_models(None)] {
            let plan = store.database.plan(&sql);
            assert!(plan.contains("models_by_time") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
