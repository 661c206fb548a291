//! Arms and their snapshots.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use walkforward_core::{ArmId, LineName, ModelId, Timestamp};

use crate::pins::MODELS;
use crate::rows::{MAX_LISTED_ROWS, Table, json_column, parse, time};
use crate::{Store, StoreError};

pub(crate) const ARMS: Table = Table { what: "arm", name: "arms", command: "evidence" };

/// What makes models of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The hash of its specification.
    pub id: ArmId,
    /// The line of its models.
    pub line: LineName,
    /// Everything that decides which models it makes, an object.
    pub spec: Value,
    /// When it was first seen.
    pub registered_at: Timestamp,
}

/// A model of an arm, from the time on at which it could decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which model.
    pub model: ModelId,
    /// From this time on.
    pub published_at: Timestamp,
    /// Close of the last bar that it or an ancestor has seen.
    pub lineage_until: Timestamp,
}

/// The id of an arm with this specification: the beginning of the SHA-256 of its JSON text with sorted keys.
pub fn arm_id(spec: &Value) -> ArmId {
    ArmId::of_digest(&Sha256::digest(spec.to_string()).into())
}

impl Store {
    /// Makes an arm known, if it is not; its id.
    ///
    /// # Errors
    /// The specification is no object or too long, or an arm with its hash belongs to another line.
    pub fn register_arm(&self, line: &LineName, spec: &Value) -> Result<ArmId, StoreError> {
        let id = arm_id(spec);
        let text = ARMS.object(id.as_str(), "specification", spec)?;
        let now = self.now();
        self.database.write_checked("register an arm in", |tx| {
            tx.execute(
                "INSERT INTO arms (id, line, spec, registered_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
                params![id.as_str(), line.as_str(), text, now.to_string()],
            )?;
            let owner: LineName = ARMS.get(tx, "line", id.as_str(), |row| parse(row, 0))?;
            match owner == *line {
                true => Ok(()),
                false => Err(ARMS.refuse(id.as_str(), format!("it belongs to line '{owner}'")).into()),
            }
        })?;
        Ok(id)
    }

    /// An arm.
    ///
    /// # Errors
    /// There is none with this id.
    pub fn arm(&self, id: &ArmId) -> Result<Arm, StoreError> {
        self.database.read_checked(|db| ARMS.get(db, ARM, id.as_str(), arm_row))
    }

    /// The lines that have an arm, in alphabetical order, whether they have a champion or not.
    pub fn lines_with_arms(&self) -> Result<Vec<LineName>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare("SELECT DISTINCT line FROM arms ORDER BY line")?;
            query.query_map([], |row| parse(row, 0))?.collect()
        })
    }

    /// The arms of a line, the newest first, at most [`MAX_LISTED_ROWS`].
    pub fn arms(&self, line: &LineName) -> Result<Vec<Arm>, StoreError> {
        self.database.read(|db| {
            let sql = format!(
                "SELECT {ARM} FROM arms WHERE line = ?1 ORDER BY registered_at DESC, id LIMIT {MAX_LISTED_ROWS}"
            );
            db.prepare(&sql)?.query_map([line.as_str()], arm_row)?.collect()
        })
    }

    /// Lets `snapshot` decide for its arm from its time on. Doing it again changes nothing.
    ///
    /// # Errors
    /// There is no such arm or model, or the model is a snapshot of another arm or time.
    pub fn publish_snapshot(&self, arm: &ArmId, snapshot: &Snapshot) -> Result<(), StoreError> {
        let model = snapshot.model.as_str();
        self.database.write_checked("publish a snapshot in", |tx| {
            ARMS.require(tx, arm.as_str())?;
            MODELS.require(tx, model)?;
            tx.execute(
                "INSERT INTO snapshots (model, arm, published_at, lineage_until) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (model) DO NOTHING",
                params![
                    model,
                    arm.as_str(),
                    snapshot.published_at.to_string(),
                    snapshot.lineage_until.to_string()
                ],
            )?;
            let found: (String, Snapshot) = tx.query_row(
                "SELECT arm, model, published_at, lineage_until FROM snapshots WHERE model = ?1",
                [model],
                |row| Ok((row.get(0)?, snapshot_row(row, 1)?)),
            )?;
            match found == (arm.as_str().to_owned(), snapshot.clone()) {
                true => Ok(()),
                false => {
                    Err(MODELS.refuse(model, format!("it was published for arm {} already", found.0)).into())
                }
            }
        })
    }

    /// The arm's snapshots that were published after `after`, and the newest `older` before that, the oldest first.
    pub fn snapshots_around(
        &self,
        arm: &ArmId,
        after: Option<Timestamp>,
        older: u32,
    ) -> Result<Vec<Snapshot>, StoreError> {
        // Every time comes after the empty text.
        let after = time(after).unwrap_or_default();
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT model, published_at, lineage_until FROM snapshots WHERE arm = ?1 AND published_at > ?2 \
                 UNION ALL SELECT * FROM (SELECT model, published_at, lineage_until FROM snapshots \
                 WHERE arm = ?1 AND published_at <= ?2 ORDER BY published_at DESC, model DESC LIMIT ?3) \
                 ORDER BY published_at, model",
            )?;
            query.query_map(params![arm.as_str(), after, older], |row| snapshot_row(row, 0))?.collect()
        })
    }

    /// The arm's snapshots that were published after `after`, and the newest before it, the oldest first.
    pub fn snapshots(&self, arm: &ArmId, after: Option<Timestamp>) -> Result<Vec<Snapshot>, StoreError> {
        self.snapshots_around(arm, after, 1)
    }

    /// The arm of a model that was published for one.
    pub fn arm_of(&self, model: &ModelId) -> Result<Option<ArmId>, StoreError> {
        self.database.read(|db| {
            db.query_row("SELECT arm FROM snapshots WHERE model = ?1", [model.as_str()], |row| parse(row, 0))
                .optional()
        })
    }
}

const ARM: &str = "id, line, spec, registered_at";

fn arm_row(row: &Row<'_>) -> rusqlite::Result<Arm> {
    Ok(Arm {
        id: parse(row, 0)?,
        line: parse(row, 1)?,
        spec: json_column(row, 2)?,
        registered_at: parse(row, 3)?,
    })
}

fn snapshot_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        model: parse(row, first)?,
        published_at: parse(row, first + 1)?,
        lineage_until: parse(row, first + 2)?,
    })
}
