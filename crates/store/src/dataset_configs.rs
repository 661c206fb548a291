//! Dataset configurations: where a training's bars come from and what is made of them. The store keeps them as they
//! are; whoever builds the dataset checks them.

use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkforward_core::Timestamp;

use crate::rows::{Table, bounded, parse};
use crate::{DatasetConfigId, Store, StoreError};

/// Most dataset configurations.
pub const MAX_DATASET_CONFIGS: u32 = 1_000;
/// Longest name of a kind of source, bytes.
const MAX_SOURCE_TYPE_BYTES: usize = 64;

pub(crate) const DATASETS: Table =
    Table { what: "dataset configuration", name: "dataset_configs", command: "datasets" };

/// What a person says of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewDatasetConfig {
    /// Its id.
    pub id: DatasetConfigId,
    /// Its name for people; no other configuration has it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Kind of its source, as the setting `data.source` names it.
    pub source_type: String,
    /// Settings by section (`{"data": {"symbol": ..}, "market": {..}}`), an object.
    pub source_config: Value,
    /// The features, a list as in the settings; empty for the default ones.
    #[serde(default = "no_features")]
    pub features: Value,
    /// How the window is cut, an object with keys of the section `data`.
    #[serde(default = "no_split")]
    pub split_config: Value,
}

fn no_features() -> Value {
    Value::Array(Vec::new())
}

fn no_split() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A dataset configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetConfigRecord {
    /// Its id.
    pub id: DatasetConfigId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Kind of its source.
    pub source_type: String,
    /// Settings by section, an object.
    pub source_config: Value,
    /// The features, a list; empty for the default ones.
    pub features: Value,
    /// How the window is cut, an object.
    pub split_config: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The checked JSON texts of a configuration.
struct Texts {
    source: String,
    features: String,
    split: String,
}

impl NewDatasetConfig {
    fn texts(&self) -> Result<Texts, StoreError> {
        let id = self.id.as_str();
        if !(1..=MAX_SOURCE_TYPE_BYTES).contains(&self.source_type.len()) {
            let reason = format!("its source_type has to have 1 to {MAX_SOURCE_TYPE_BYTES} bytes");
            return Err(DATASETS.refuse(id, reason));
        }
        if !self.features.is_array() {
            return Err(DATASETS.refuse(id, "its features are no JSON list"));
        }
        Ok(Texts {
            source: DATASETS.object(id, "source_config", &self.source_config)?,
            features: DATASETS.json(id, "features", &self.features)?,
            split: DATASETS.object(id, "split_config", &self.split_config)?,
        })
    }

    /// Runs `sql` with its columns as ?1 to ?7 and the time as ?8.
    fn write(&self, tx: &Transaction<'_>, sql: &str, texts: &Texts, now: &str) -> rusqlite::Result<usize> {
        let description = bounded(&self.description);
        let Texts { source, features, split } = texts;
        let (id, name, source_type) = (self.id.as_str(), &self.name, &self.source_type);
        tx.execute(sql, params![id, name, description, source_type, source, features, split, now])
    }
}

impl Store {
    /// Makes a dataset configuration.
    ///
    /// # Errors
    /// Its id or its name is taken, a JSON value has another form or is too long, or there are
    /// [`MAX_DATASET_CONFIGS`].
    pub fn create_dataset_config(
        &self,
        dataset: &NewDatasetConfig,
    ) -> Result<DatasetConfigRecord, StoreError> {
        let id = dataset.id.as_str();
        let (texts, now) = (dataset.texts()?, self.now().to_string());
        self.database.write_checked("make a dataset configuration in", |tx| {
            DATASETS.check_free(tx, id)?;
            DATASETS.check_room(tx, id, "true", MAX_DATASET_CONFIGS)?;
            DATASETS.check_unique_name(tx, id, &dataset.name)?;
            dataset.write(
                tx,
                "INSERT INTO dataset_configs (id, name, description, source_type, source_config, features, \
                 split_config, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                &texts,
                &now,
            )?;
            DATASETS.get(tx, DATASET_COLUMNS, id, dataset_row)
        })
    }

    /// One dataset configuration.
    ///
    /// # Errors
    /// There is no such configuration.
    pub fn dataset_config(&self, id: &DatasetConfigId) -> Result<DatasetConfigRecord, StoreError> {
        self.database.read_checked(|db| DATASETS.get(db, DATASET_COLUMNS, id.as_str(), dataset_row))
    }

    /// All dataset configurations, at most [`MAX_DATASET_CONFIGS`], by id. A new database has four.
    pub fn dataset_configs(&self) -> Result<Vec<DatasetConfigRecord>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(&format!(
                "SELECT {DATASET_COLUMNS} FROM dataset_configs ORDER BY id LIMIT {MAX_DATASET_CONFIGS}"
            ))?;
            query.query_map([], dataset_row)?.collect()
        })
    }

    /// Gives the configuration `dataset.id` another content. Trainings that begin from now on take it.
    ///
    /// # Errors
    /// There is no such configuration, another has its name, or a JSON value has another form or is too long.
    pub fn update_dataset_config(
        &self,
        dataset: &NewDatasetConfig,
    ) -> Result<DatasetConfigRecord, StoreError> {
        let id = dataset.id.as_str();
        let (texts, now) = (dataset.texts()?, self.now().to_string());
        self.database.write_checked("change a dataset configuration in", |tx| {
            DATASETS.require(tx, id)?;
            DATASETS.check_unique_name(tx, id, &dataset.name)?;
            dataset.write(
                tx,
                "UPDATE dataset_configs SET name = ?2, description = ?3, source_type = ?4, source_config = ?5, \
                 features = ?6, split_config = ?7, updated_at = ?8 WHERE id = ?1",
                &texts,
                &now,
            )?;
            DATASETS.get(tx, DATASET_COLUMNS, id, dataset_row)
        })
    }

    /// Deletes a dataset configuration. What was trained from it keeps its description.
    ///
    /// # Errors
    /// There is no such configuration, or a schedule that is not removed uses it.
    pub fn delete_dataset_config(&self, id: &DatasetConfigId) -> Result<(), StoreError> {
        let users =
            "SELECT id FROM continuous_training_schedules WHERE dataset_id = ?1 AND status <> 'removed'";
        self.database.write_checked("delete a dataset configuration in", |tx| {
            DATASETS.require(tx, id.as_str())?;
            DATASETS.check_unused(tx, id.as_str(), &[("schedule", users)])?;
            tx.execute(
                "UPDATE continuous_training_schedules SET dataset_id = NULL WHERE dataset_id = ?1",
                [id.as_str()],
            )?;
            tx.execute("DELETE FROM dataset_configs WHERE id = ?1", [id.as_str()])?;
            Ok(())
        })
    }
}

const DATASET_COLUMNS: &str =
    "id, name, description, source_type, source_config, features, split_config, created_at, updated_at";

fn dataset_row(row: &Row<'_>) -> rusqlite::Result<DatasetConfigRecord> {
    Ok(DatasetConfigRecord {
        id: parse(row, 0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        source_type: row.get(3)?,
        source_config: parse(row, 4)?,
        features: parse(row, 5)?,
        split_config: parse(row, 6)?,
        created_at: parse(row, 7)?,
        updated_at: parse(row, 8)?,
    })
}
