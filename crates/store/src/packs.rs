//! Hyperparameter packs: named settings for a trainer. The store keeps them as they are; the trainer checks them.

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkforward_core::Timestamp;

use crate::rows::{Table, bounded, parse};
use crate::{PackId, Store, StoreError};

/// Most packs.
pub const MAX_PACKS: u32 = 1_000;

pub(crate) const PACKS: Table = Table { what: "pack", name: "hyperparameter_packs", command: "packs" };

/// What a person says of a pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewPack {
    /// Its id.
    pub id: PackId,
    /// Its name for people; no other pack has it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The settings, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES).
    pub config: Value,
}

/// A hyperparameter pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackRecord {
    /// Its id.
    pub id: PackId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The settings, an object.
    pub config: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Store {
    /// Makes a pack.
    ///
    /// # Errors
    /// Its id or its name is taken, its settings are no object or too long, or there are [`MAX_PACKS`].
    pub fn create_pack(&self, pack: &NewPack) -> Result<PackRecord, StoreError> {
        let config = PACKS.object(pack.id.as_str(), "config", &pack.config)?;
        let now = self.now().to_string();
        self.database.write_checked("make a pack in", |tx| {
            PACKS.check_free(tx, pack.id.as_str())?;
            PACKS.check_room(tx, pack.id.as_str(), "true", MAX_PACKS)?;
            PACKS.check_unique_name(tx, pack.id.as_str(), &pack.name)?;
            tx.execute(
                "INSERT INTO hyperparameter_packs (id, name, description, config, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                params![pack.id.as_str(), pack.name, bounded(&pack.description), config, now],
            )?;
            PACKS.get(tx, PACK_COLUMNS, pack.id.as_str(), pack_row)
        })
    }

    /// One pack.
    ///
    /// # Errors
    /// There is no such pack.
    pub fn pack(&self, id: &PackId) -> Result<PackRecord, StoreError> {
        self.database.read_checked(|db| PACKS.get(db, PACK_COLUMNS, id.as_str(), pack_row))
    }

    /// All packs, at most [`MAX_PACKS`], by id. A new database has six.
    pub fn packs(&self) -> Result<Vec<PackRecord>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(&format!(
                "SELECT {PACK_COLUMNS} FROM hyperparameter_packs ORDER BY id LIMIT {MAX_PACKS}"
            ))?;
            query.query_map([], pack_row)?.collect()
        })
    }

    /// Gives the pack `pack.id` another name, description and settings. Trainings that begin from now on take them.
    ///
    /// # Errors
    /// There is no such pack, another has its name, or its settings are no object or too long.
    pub fn update_pack(&self, pack: &NewPack) -> Result<PackRecord, StoreError> {
        let config = PACKS.object(pack.id.as_str(), "config", &pack.config)?;
        let now = self.now().to_string();
        self.database.write_checked("change a pack in", |tx| {
            PACKS.require(tx, pack.id.as_str())?;
            PACKS.check_unique_name(tx, pack.id.as_str(), &pack.name)?;
            tx.execute(
                "UPDATE hyperparameter_packs SET name = ?2, description = ?3, config = ?4, updated_at = ?5 \
                 WHERE id = ?1",
                params![pack.id.as_str(), pack.name, bounded(&pack.description), config, now],
            )?;
            PACKS.get(tx, PACK_COLUMNS, pack.id.as_str(), pack_row)
        })
    }

    /// Deletes a pack. What was trained with it keeps its settings.
    ///
    /// # Errors
    /// There is no such pack, or a schedule that is not removed uses it.
    pub fn delete_pack(&self, id: &PackId) -> Result<(), StoreError> {
        let users =
            "SELECT id FROM continuous_training_schedules WHERE hp_pack_id = ?1 AND status <> 'removed'";
        self.database.write_checked("delete a pack in", |tx| {
            PACKS.require(tx, id.as_str())?;
            PACKS.check_unused(tx, id.as_str(), &[("schedule", users)])?;
            tx.execute(
                "UPDATE continuous_training_schedules SET hp_pack_id = NULL WHERE hp_pack_id = ?1",
                [id.as_str()],
            )?;
            tx.execute("DELETE FROM hyperparameter_packs WHERE id = ?1", [id.as_str()])?;
            Ok(())
        })
    }
}

const PACK_COLUMNS: &str = "id, name, description, config, created_at, updated_at";

fn pack_row(row: &Row<'_>) -> rusqlite::Result<PackRecord> {
    Ok(PackRecord {
        id: parse(row, 0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        config: parse(row, 3)?,
        created_at: parse(row, 4)?,
        updated_at: parse(row, 5)?,
    })
}
