//! Pins: models that somebody wants to keep, with the reason.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use walkforward_core::{ModelId, Timestamp};

use crate::rows::{Table, bounded, parse, parse_optional};
use crate::{Store, StoreError};

/// Most pins.
pub const MAX_PINS: u32 = 1_000;

pub(crate) const MODELS: Table = Table { what: "model", name: "models", command: "models" };

/// That a model is kept, whatever its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPin {
    /// Which model.
    pub model: ModelId,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

impl Store {
    /// Keeps a model's weights until it is unpinned. A model that is pinned gets the new reason.
    ///
    /// # Errors
    /// There is no such model, its weights are gone already, the reason is empty, or there are [`MAX_PINS`].
    pub fn pin(&self, model: &ModelId, reason: &str) -> Result<ModelPin, StoreError> {
        let reason = bounded(reason.trim());
        if reason.is_empty() {
            return Err(MODELS.refuse(model.as_str(), "a pin needs a reason"));
        }
        let at = self.now();
        self.database.write_checked("pin a model in", |tx| {
            let removed: Option<Timestamp> =
                MODELS.get(tx, "weights_removed_at", model.as_str(), |row| parse_optional(row, 0))?;
            if let Some(removed) = removed {
                let problem = format!("its weights are gone since {removed}: there is nothing to keep");
                return Err(MODELS.refuse(model.as_str(), problem).into());
            }
            let others: u32 =
                tx.query_row("SELECT count(*) FROM model_pins WHERE model <> ?1", [model.as_str()], |row| {
                    row.get(0)
                })?;
            if others >= MAX_PINS {
                let problem = format!("{others} models are pinned, and no more can be: unpin some first");
                return Err(MODELS.refuse(model.as_str(), problem).into());
            }
            tx.execute(
                "INSERT INTO model_pins (model, reason, at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (model) DO UPDATE SET reason = excluded.reason",
                params![model.as_str(), reason, at.to_string()],
            )?;
            Ok(tx.query_row(&format!("{SELECT_PIN} WHERE model = ?1"), [model.as_str()], pin_row)?)
        })
    }

    /// Lets retention have a model again.
    ///
    /// # Errors
    /// There is no such model, or it is not pinned.
    pub fn unpin(&self, model: &ModelId) -> Result<(), StoreError> {
        self.database.write_checked("unpin a model in", |tx| {
            MODELS.require(tx, model.as_str())?;
            match tx.execute("DELETE FROM model_pins WHERE model = ?1", [model.as_str()])? {
                0 => Err(MODELS.refuse(model.as_str(), "it is not pinned").into()),
                _ => Ok(()),
            }
        })
    }

    /// The pin of a model; none when it is not pinned.
    pub fn pin_of(&self, model: &ModelId) -> Result<Option<ModelPin>, StoreError> {
        self.database.read(|db| {
            db.query_row(&format!("{SELECT_PIN} WHERE model = ?1"), [model.as_str()], pin_row).optional()
        })
    }

    /// All pins, at most [`MAX_PINS`], by model.
    pub fn pins(&self) -> Result<Vec<ModelPin>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(&format!("{SELECT_PIN} ORDER BY model LIMIT {MAX_PINS}"))?;
            query.query_map([], pin_row)?.collect()
        })
    }
}

const SELECT_PIN: &str = "SELECT model, reason, at FROM model_pins";

fn pin_row(row: &Row<'_>) -> rusqlite::Result<ModelPin> {
    Ok(ModelPin { model: parse(row, 0)?, reason: row.get(1)?, at: parse(row, 2)? })
}
