//! Dataset configurations: where a training's bars come from, and what is made of them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_store::{DatasetConfigId, DatasetConfigRecord, NewDatasetConfig, Store};

use super::query::parsed;
use crate::app::{App, Json, MayRead, MayTrade, Path};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::DatasetView;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(show, replace, remove))
}

/// All dataset configurations.
#[derive(Serialize, ToSchema)]
struct Datasets {
    /// In the order of their ids, at most 1000.
    datasets: Vec<DatasetView>,
}

/// A dataset configuration that somebody wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedDataset {
    /// Its id: lower-case letters, digits, `.`, `_`, `-`, at most 64.
    #[schema(example = "mine")]
    id: String,
    /// Its name for people; no other configuration has it.
    #[schema(example = "Mine")]
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Kind of its source, as the setting `data.source`.
    #[schema(example = "synthetic")]
    source_type: String,
    /// Settings by section: `data`, `market`, `alpaca`, `costs`.
    #[serde(default = "object")]
    #[schema(value_type = Object, example = json!({"data": {"symbol": "BTC/USD"}}))]
    source_config: Value,
    /// The features, a list as in the settings; default: the usual ones.
    #[serde(default = "list_of_none")]
    #[schema(value_type = Vec<Object>)]
    features: Value,
    /// How the window is cut, by keys of the section `data`.
    #[serde(default = "object")]
    #[schema(value_type = Object, example = json!({"window_bars": 8760}))]
    split_config: Value,
}

/// What a dataset configuration is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DatasetContent {
    /// Its name for people; no other configuration has it.
    #[schema(example = "Mine")]
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Kind of its source, as the setting `data.source`.
    #[schema(example = "synthetic")]
    source_type: String,
    /// Settings by section: `data`, `market`, `alpaca`, `costs`.
    #[serde(default = "object")]
    #[schema(value_type = Object, example = json!({"data": {"symbol": "BTC/USD"}}))]
    source_config: Value,
    /// The features, a list as in the settings; default: the usual ones.
    #[serde(default = "list_of_none")]
    #[schema(value_type = Vec<Object>)]
    features: Value,
    /// How the window is cut, by keys of the section `data`.
    #[serde(default = "object")]
    #[schema(value_type = Object, example = json!({"window_bars": 8760}))]
    split_config: Value,
}

/// Every dataset configuration.
#[utoipa::path(
    get,
    path = "/api/datasets",
    tag = "datasets",
    responses((status = 200, body = Datasets), Problems),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<App>, _may: MayRead) -> Result<Json<Datasets>, Problem> {
    let records = app.read(Store::dataset_configs).await?;
    Ok(Json(Datasets { datasets: records.into_iter().map(DatasetView::from).collect() }))
}

/// Makes a dataset configuration. It has to make sense with the defaults for all that it leaves out.
#[utoipa::path(
    post,
    path = "/api/datasets",
    tag = "datasets",
    request_body = WantedDataset,
    responses((status = 201, description = "It was made", body = DatasetView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn make(
    State(app): State<App>,
    _may: MayTrade,
    Json(wanted): Json<WantedDataset>,
) -> Result<(StatusCode, Json<DatasetView>), Problem> {
    let WantedDataset { id, name, description, source_type, source_config, features, split_config } = wanted;
    let id = parsed("id", &id)?;
    let dataset =
        NewDatasetConfig { id, name, description, source_type, source_config, features, split_config };
    let made = app.change(move |app| {
        let store = &app.parts.store;
        if store.dataset_config(&dataset.id).is_ok() {
            return Err(Problem::conflict(format!(
                "there is a dataset configuration '{}' already: choose another id",
                dataset.id
            )));
        }
        refuse_name(store, &dataset)?;
        app.parts.operator.check_dataset(&dataset)?;
        Ok(store.create_dataset_config(&dataset)?)
    });
    Ok((StatusCode::CREATED, Json(made.await?.into())))
}

/// One dataset configuration.
#[utoipa::path(
    get,
    path = "/api/datasets/{id}",
    tag = "datasets",
    params(("id" = String, Path, description = "Id of the configuration")),
    responses((status = 200, body = DatasetView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<DatasetView>, Problem> {
    let id: DatasetConfigId = parsed("id", &id)?;
    let record = app.read(move |store| store.dataset_config(&id)).await?;
    Ok(Json(record.into()))
}

/// Gives a dataset configuration another content. Trainings that begin from now on take it.
#[utoipa::path(
    put,
    path = "/api/datasets/{id}",
    tag = "datasets",
    params(("id" = String, Path, description = "Id of the configuration")),
    request_body = DatasetContent,
    responses((status = 200, body = DatasetView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn replace(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
    Json(content): Json<DatasetContent>,
) -> Result<Json<DatasetView>, Problem> {
    let DatasetContent { name, description, source_type, source_config, features, split_config } = content;
    let id = parsed("id", &id)?;
    let dataset =
        NewDatasetConfig { id, name, description, source_type, source_config, features, split_config };
    let changed = app.change(move |app| {
        let store = &app.parts.store;
        store.dataset_config(&dataset.id)?;
        refuse_name(store, &dataset)?;
        app.parts.operator.check_dataset(&dataset)?;
        Ok(store.update_dataset_config(&dataset)?)
    });
    Ok(Json(changed.await?.into()))
}

/// Deletes a dataset configuration that no schedule uses. What was trained from it keeps its description.
#[utoipa::path(
    delete,
    path = "/api/datasets/{id}",
    tag = "datasets",
    params(("id" = String, Path, description = "Id of the configuration")),
    responses((status = 204, description = "It is gone"), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn remove(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: DatasetConfigId = parsed("id", &id)?;
    app.read(move |store| store.delete_dataset_config(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn object() -> Value {
    Value::Object(serde_json::Map::new())
}

fn list_of_none() -> Value {
    Value::Array(Vec::new())
}

/// Refuses a name that another configuration has.
fn refuse_name(store: &Arc<Store>, dataset: &NewDatasetConfig) -> Result<(), Problem> {
    let is_same = |other: &DatasetConfigRecord| other.name == dataset.name && other.id != dataset.id;
    match store.dataset_configs()?.iter().find(|other| is_same(other)) {
        None => Ok(()),
        Some(other) => Err(Problem::conflict(format!(
            "dataset configuration '{}' has this name: choose another",
            other.id
        ))),
    }
}
