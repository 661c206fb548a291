//! Hyperparameter packs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_store::{NewPack, PackId, PackRecord, Store};

use super::query::parsed;
use crate::app::{App, Json, MayRead, MayTrade, Path};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::PackView;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(show, replace, remove))
}

/// All packs.
#[derive(Serialize, ToSchema)]
struct Packs {
    /// In the order of their ids, at most 1000.
    packs: Vec<PackView>,
}

/// A pack that somebody wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedPack {
    /// Its id: lower-case letters, digits, `.`, `_`, `-`, at most 64.
    #[schema(example = "mine")]
    id: String,
    /// Its name for people; no other pack has it.
    #[schema(example = "Mine")]
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// The hyperparameters by name, as the trainer knows them.
    #[schema(value_type = Object, example = json!({"iterations": 40}))]
    config: Value,
}

/// What a pack is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PackContent {
    /// Its name for people; no other pack has it.
    #[schema(example = "Mine")]
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// The hyperparameters by name, as the trainer knows them.
    #[schema(value_type = Object, example = json!({"iterations": 40}))]
    config: Value,
}

/// Every pack.
#[utoipa::path(
    get,
    path = "/api/packs",
    tag = "packs",
    responses((status = 200, body = Packs), Problems),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<App>, _may: MayRead) -> Result<Json<Packs>, Problem> {
    let records = app.read(Store::packs).await?;
    Ok(Json(Packs { packs: records.into_iter().map(PackView::from).collect() }))
}

/// Makes a pack. The trainer of the server's settings has to take it.
#[utoipa::path(
    post,
    path = "/api/packs",
    tag = "packs",
    request_body = WantedPack,
    responses((status = 201, description = "It was made", body = PackView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn make(
    State(app): State<App>,
    _may: MayTrade,
    Json(wanted): Json<WantedPack>,
) -> Result<(StatusCode, Json<PackView>), Problem> {
    let WantedPack { id, name, description, config } = wanted;
    let pack = NewPack { id: parsed("id", &id)?, name, description, config };
    let made = app.change(move |app| {
        let store = &app.parts.store;
        if store.pack(&pack.id).is_ok() {
            return Err(Problem::conflict(format!(
                "there is a pack '{}' already: choose another id",
                pack.id
            )));
        }
        refuse_name(store, &pack)?;
        app.parts.operator.check_pack(&pack)?;
        Ok(store.create_pack(&pack)?)
    });
    Ok((StatusCode::CREATED, Json(made.await?.into())))
}

/// One pack.
#[utoipa::path(
    get,
    path = "/api/packs/{id}",
    tag = "packs",
    params(("id" = String, Path, description = "Id of the pack")),
    responses((status = 200, body = PackView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<PackView>, Problem> {
    let id: PackId = parsed("id", &id)?;
    let record = app.read(move |store| store.pack(&id)).await?;
    Ok(Json(record.into()))
}

/// Gives a pack another content. Trainings that begin from now on take it.
#[utoipa::path(
    put,
    path = "/api/packs/{id}",
    tag = "packs",
    params(("id" = String, Path, description = "Id of the pack")),
    request_body = PackContent,
    responses((status = 200, body = PackView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn replace(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
    Json(content): Json<PackContent>,
) -> Result<Json<PackView>, Problem> {
    let PackContent { name, description, config } = content;
    let pack = NewPack { id: parsed("id", &id)?, name, description, config };
    let changed = app.change(move |app| {
        let store = &app.parts.store;
        store.pack(&pack.id)?;
        refuse_name(store, &pack)?;
        app.parts.operator.check_pack(&pack)?;
        Ok(store.update_pack(&pack)?)
    });
    Ok(Json(changed.await?.into()))
}

/// Deletes a pack that no schedule uses. What was trained with it keeps its hyperparameters.
#[utoipa::path(
    delete,
    path = "/api/packs/{id}",
    tag = "packs",
    params(("id" = String, Path, description = "Id of the pack")),
    responses((status = 204, description = "It is gone"), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn remove(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: PackId = parsed("id", &id)?;
    app.read(move |store| store.delete_pack(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a name that another pack has.
fn refuse_name(store: &Arc<Store>, pack: &NewPack) -> Result<(), Problem> {
    let is_same = |other: &PackRecord| other.name == pack.name && other.id != pack.id;
    match store.packs()?.iter().find(|other| is_same(other)) {
        None => Ok(()),
        Some(other) => Err(Problem::conflict(format!("pack '{}' has this name: choose another", other.id))),
    }
}
