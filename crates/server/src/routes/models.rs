//! Models: what they were made from, what became of them, and a person's decisions about them.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::{LineName, ModelId, Reason, SuppliedBy};
use walkforward_store::{ModelRecord, ModelSummary, PromotionState, Store, StoreError};

use super::query::{MAX_LIMIT, is_full, limit, parsed, parsed_if, tagged};
use crate::app::{App, Json, MayRead, MayTrade, Path, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::{ModelContext, ModelDetailView, ModelView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(decide))
}

/// Ancestors that are followed.
const MAX_ANCESTORS: usize = 1_000;

/// Which models.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModelsQuery {
    /// Only those of this line.
    line: Option<String>,
    /// Most models, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only those that are older than the model of this id.
    before: Option<String>,
}

/// Models.
#[derive(Serialize, ToSchema)]
struct Models {
    /// Newest first.
    models: Vec<ModelView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<String>,
}

/// What can be decided about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Decision {
    /// Make a model that waits for approval the champion of its line.
    Approve,
    /// Say no to a model that waits for approval.
    Reject,
    /// Keep its weights until it is unpinned.
    Pin,
    /// Let retention have it again.
    Unpin,
}

/// Why it is decided so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhyDecided {
    /// Why, for the history: a line of 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Of an approval: against the model's verdict, or before it was held. Its grade stays what its arm has earned.
    #[serde(default)]
    overrule: bool,
}

/// The newest models, newest first.
#[utoipa::path(
    get,
    path = "/api/models",
    tag = "models",
    params(ModelsQuery),
    responses(
        (status = 200, body = Models),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn list(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Query(query): Query<ModelsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let line: Option<LineName> = parsed_if("line", query.line.as_deref())?;
    let before: Option<ModelId> = parsed_if("before", query.before.as_deref())?;
    let read = move |store: &Store| {
        let champions = champions(store)?;
        let summaries = match &before {
            None => store.model_summaries(line.as_ref(), limit)?,
            Some(before) => store.model_summaries_before(line.as_ref(), before, limit)?,
        };
        let next_before =
            summaries.last().filter(|_| is_full(summaries.len(), limit)).map(|last| last.model.to_string());
        let view = |summary: ModelSummary| {
            let is_champion = champions.contains(&summary.model);
            ModelView::new(summary, is_champion)
        };
        Ok(Models { models: summaries.into_iter().map(view).collect(), next_before })
    };
    tagged(&headers, &app.read(read).await?)
}

/// All that is known of a model: its lineage, its gate's ledger, its pin, its figures.
#[utoipa::path(
    get,
    path = "/api/models/{id}",
    tag = "models",
    params(("id" = String, Path, description = "Id of the model")),
    responses((status = 200, body = ModelDetailView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<ModelDetailView>, Problem> {
    let id: ModelId = parsed("id", &id)?;
    app.read(move |store| detail(store, &id)).await.map(Json)
}

/// Decides about a model: approve or reject one that waits, pin or unpin one. Traders take a new champion between two
/// bars.
#[utoipa::path(
    post,
    path = "/api/models/{id}/{decision}",
    tag = "models",
    params(
        ("id" = String, Path, description = "Id of the model"),
        ("decision" = inline(Decision), Path, description = "What is decided")
    ),
    request_body = WhyDecided,
    responses((status = 200, description = "It is done", body = ModelDetailView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn decide(
    State(app): State<App>,
    _may: MayTrade,
    Path((id, decision)): Path<(String, Decision)>,
    Json(why): Json<WhyDecided>,
) -> Result<Json<ModelDetailView>, Problem> {
    let id: ModelId = parsed("id", &id)?;
    let reason: Reason = parsed("reason", &why.reason)?;
    if why.overrule && decision != Decision::Approve {
        return Err(Problem::unusable("overrule: it belongs to an approval"));
    }
    let done = app.change(move |app| {
        let store = &app.parts.store;
        store.model_summary(&id)?;
        match (decision, why.overrule) {
            (Decision::Approve, overrule) => approve(app, &id, &reason, overrule)?,
            (Decision::Reject, _) => store.decline(&id, reason.as_str()).map(drop).map_err(refused)?,
            (Decision::Pin, _) => {
                store.pin(&id, reason.as_str()).map_err(refused)?;
                record(store, "model_pinned", &id, &reason)?;
            }
            (Decision::Unpin, _) => {
                store.unpin(&id).map_err(refused)?;
                record(store, "model_unpinned", &id, &reason)?;
            }
        }
        Ok(detail(store, &id)?)
    });
    done.await.map(Json)
}

fn approve(app: &App, id: &ModelId, reason: &Reason, overrule: bool) -> Result<(), Problem> {
    let store = &app.parts.store;
    let allows_reused = app.parts.operator.gates()?.allow_reused_metrics;
    refuse_reused_metrics(store, &store.model(id)?, allows_reused)?;
    let done = match overrule {
        true => store.overrule(id, reason.as_str()),
        false => store.approve(id, reason.as_str()),
    };
    done.map(drop).map_err(refused)
}

/// A metrics file promotes one model, unless the settings allow more; it may have done so since the model was held.
fn refuse_reused_metrics(store: &Store, record: &ModelRecord, is_allowed: bool) -> Result<(), Problem> {
    let Some(SuppliedBy::File { sha256, .. }) = &record.supplied_by else { return Ok(()) };
    if is_allowed || !store.file_hash_promoted(sha256)? {
        return Ok(());
    }
    let id = &record.model_id;
    Err(Problem::conflict(format!(
        "{id}: the metrics file that it was judged by has promoted a model since: measure it anew, or set \
         evaluation.allow_reused_metrics"
    )))
}

/// What is refused of a model that exists, for a reason that is fine, is refused because of how things stand.
pub(super) fn refused(error: StoreError) -> Problem {
    match error {
        StoreError::RefusedRow { .. } => Problem::conflict(error.to_string()),
        error => error.into(),
    }
}

fn record(store: &Store, kind: &str, id: &ModelId, reason: &Reason) -> Result<(), StoreError> {
    let line = store.model_summary(id)?.line;
    store.record_event(kind, &json!({ "line": line, "model": id, "reason": reason })).map(drop)
}

/// The champion of every line whose pointer can be read, without a look at its weights.
fn champions(store: &Store) -> Result<BTreeSet<ModelId>, StoreError> {
    let mut champions = BTreeSet::new();
    for line in store.lines()? {
        champions.extend(store.champions(&line)?.into_iter().next());
    }
    Ok(champions)
}

fn detail(store: &Store, id: &ModelId) -> Result<ModelDetailView, StoreError> {
    let summary = store.model_summary(id)?;
    let record = store.model(id)?;
    let touches =
        |from: &Option<ModelId>, to: &Option<ModelId>| from.as_ref() == Some(id) || to.as_ref() == Some(id);
    let mut promotions = store.promotions(&record.line)?;
    promotions.retain(|row| row.state == PromotionState::Committed && touches(&row.from, &row.to));
    let surplus = promotions.len().saturating_sub(usize::try_from(MAX_LIMIT).unwrap_or(usize::MAX));
    promotions.drain(..surplus);
    let context = ModelContext {
        is_champion: store.champions(&record.line)?.first() == Some(id),
        weights_bytes: store.weights_bytes(id)?,
        weights_sound: store.weights_problem(&record)?.is_none(),
        pin: store.pin_of(id)?,
        cycle: store.cycle_of_model(id)?,
        ancestors: ancestors(store, &record),
        promotions,
        summary,
    };
    Ok(ModelDetailView::new(record, context))
}

/// A model's parent, that one's parent and so on.
fn ancestors(store: &Store, record: &ModelRecord) -> Vec<ModelId> {
    let mut ancestors: Vec<ModelId> = record.parent_id.iter().cloned().collect();
    while let Some(last) = ancestors.last()
        && ancestors.len() < MAX_ANCESTORS
        && let Ok(parent) = store.model_summary(last)
        && let Some(next) = parent.parent
    {
        ancestors.push(next);
    }
    ancestors
}
