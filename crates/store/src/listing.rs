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
            let sql = format!(
                "SELECT {} FROM models WHERE ?1 IS NULL OR line = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2",
                summary_columns()
            );
            let values = params![line.map(LineName::as_str), limit.min(MAX_LISTED_ROWS)];
            db.prepare_cached(&sql)?.query_map(values, summary_row)?.collect()
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
