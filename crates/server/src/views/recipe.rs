//! What trainings are made of: hyperparameter packs and dataset configurations.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use walkforward_core::Timestamp;
use walkforward_store::{DatasetConfigRecord, PackRecord};

/// A hyperparameter pack.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PackView {
    /// Its id.
    id: String,
    /// Its name for people; no other pack has it.
    name: String,
    /// What it is for.
    description: String,
    /// The hyperparameters by name.
    #[schema(value_type = Object)]
    config: Value,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<PackRecord> for PackView {
    fn from(record: PackRecord) -> Self {
        let PackRecord { id, name, description, config, created_at, updated_at } = record;
        Self { id: id.to_string(), name, description, config, created_at, updated_at }
    }
}

/// A dataset configuration: where a training's bars come from, and what is made of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetView {
    /// Its id.
    id: String,
    /// Its name for people; no other configuration has it.
    name: String,
    /// What it is for.
    description: String,
    /// Kind of its source, as the setting `data.source`.
    source_type: String,
    /// Settings by section.
    #[schema(value_type = Object)]
    source_config: Value,
    /// The features, a list as in the settings; empty for the default ones.
    #[schema(value_type = Vec<Object>)]
    features: Value,
    /// How the window is cut, by keys of the section `data`.
    #[schema(value_type = Object)]
    split_config: Value,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<DatasetConfigRecord> for DatasetView {
    fn from(record: DatasetConfigRecord) -> Self {
        Self {
            id: record.id.to_string(),
            name: record.name,
            description: record.description,
            source_type: record.source_type,
            source_config: record.source_config,
            features: record.features,
            split_config: record.split_config,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}
