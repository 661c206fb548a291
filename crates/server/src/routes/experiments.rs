//! The record of every training.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::{LineName, TradeRecord};
use walkforward_store::{ExperimentFilter, ExperimentId, ExperimentStatus, Store, read_trades};

use super::query::{AfterQuery, is_full, limit, parsed, parsed_if, tagged};
use crate::app::{App, Json, MayRead, MayTrade, Path, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::{ExperimentView, IterationView, TradeView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, remove))
        .routes(routes!(iterations))
        .routes(routes!(trades))
}

/// Which experiments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExperimentsQuery {
    /// Only those with this status: `pending`, `running`, `completed`, `failed`, `cancelled`, `interrupted` or `pruned`.
    status: Option<String>,
    /// Only those of this line.
    line: Option<String>,
    /// Most experiments, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only those that are older than the experiment of this id.
    before: Option<String>,
}

/// Experiments.
#[derive(Serialize, ToSchema)]
struct Experiments {
    /// Newest first.
    experiments: Vec<ExperimentView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<String>,
}

/// Iterations of an experiment.
#[derive(Serialize, ToSchema)]
struct Iterations {
    /// In order.
    iterations: Vec<IterationView>,
    /// What `after` has to be for the next page; none when there is no more yet.
    next_after: Option<u64>,
}

/// Trades of the model that an experiment made.
#[derive(Serialize, ToSchema)]
struct Trades {
    /// The model; none while there is none.
    model_id: Option<String>,
    /// Its trades on the bars that judged it, in order.
    trades: Vec<TradeView>,
    /// What `after` has to be for the next page; none when there is no more.
    next_after: Option<u64>,
    /// Whether its trades were not kept, because the span was too long or retention took them.
    left_out: bool,
}

/// The trainings, newest first.
#[utoipa::path(
    get,
    path = "/api/experiments",
    tag = "experiments",
    params(ExperimentsQuery),
    responses(
        (status = 200, body = Experiments),
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
    Query(query): Query<ExperimentsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let filter = ExperimentFilter {
        status: parsed_if::<ExperimentStatus>("status", query.status.as_deref())?,
        line: parsed_if::<LineName>("line", query.line.as_deref())?,
        before: parsed_if::<ExperimentId>("before", query.before.as_deref())?,
    };
    let records = app.read(move |store| store.experiments(&filter, limit)).await?;
    let next_before =
        records.last().filter(|_| is_full(records.len(), limit)).map(|last| last.id.to_string());
    let experiments = records.into_iter().map(ExperimentView::from).collect();
    tagged(&headers, &Experiments { experiments, next_before })
}

/// One training.
#[utoipa::path(
    get,
    path = "/api/experiments/{id}",
    tag = "experiments",
    params(("id" = String, Path, description = "Id of the experiment")),
    responses((status = 200, body = ExperimentView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<ExperimentView>, Problem> {
    let id: ExperimentId = parsed("id", &id)?;
    let record = app.read(move |store| store.experiment(&id)).await?;
    Ok(Json(record.into()))
}

/// Deletes the record of a training that has ended, with its iterations. One that a schedule or a cycle refers to stays.
#[utoipa::path(
    delete,
    path = "/api/experiments/{id}",
    tag = "experiments",
    params(("id" = String, Path, description = "Id of the experiment")),
    responses((status = 204, description = "It is gone"), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn remove(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: ExperimentId = parsed("id", &id)?;
    app.change(move |app| {
        let store = &app.parts.store;
        let status = store.experiment(&id)?.status;
        if !status.is_final() {
            return Err(Problem::conflict(format!("experiment '{id}' is {status}: cancel it first")));
        }
        Ok(store.delete_experiment(&id)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the iterations of a training measured, in order.
#[utoipa::path(
    get,
    path = "/api/experiments/{id}/iterations",
    tag = "experiments",
    params(("id" = String, Path, description = "Id of the experiment"), AfterQuery),
    responses(
        (status = 200, body = Iterations),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn iterations(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
) -> Result<Response, Problem> {
    let (id, limit) = (parsed::<ExperimentId>("id", &id)?, limit(query.limit)?);
    let records = app.read(move |store| store.iterations(&id, query.after, limit)).await?;
    let iterations: Vec<IterationView> = records.into_iter().map(IterationView::from).collect();
    let full = is_full(iterations.len(), limit);
    let next_after = iterations.last().filter(|_| full).map(IterationView::number);
    tagged(&headers, &Iterations { iterations, next_after })
}

/// The trades of the model that a training made, on the bars that judged it.
#[utoipa::path(
    get,
    path = "/api/experiments/{id}/trades",
    tag = "experiments",
    params(("id" = String, Path, description = "Id of the experiment"), AfterQuery),
    responses(
        (status = 200, body = Trades),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn trades(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
) -> Result<Response, Problem> {
    let (id, limit) = (parsed::<ExperimentId>("id", &id)?, limit(query.limit)?);
    let (after, rows) = (query.after.unwrap_or(0), usize::try_from(limit).unwrap_or(usize::MAX));
    let trades = app
        .change(move |app| {
            let (model_id, all, left_out) = trades_of(&app.parts.store, &id)?;
            let count = all.len() as u64;
            let numbered = (1..).zip(all).filter(|(number, _)| *number > after).take(rows);
            let trades: Vec<TradeView> =
                numbered.map(|(number, trade)| TradeView::new(number, trade)).collect();
            let last = after.saturating_add(trades.len() as u64);
            Ok(Trades { model_id, trades, next_after: Some(last).filter(|&last| last < count), left_out })
        })
        .await?;
    tagged(&headers, &trades)
}

/// The model of an experiment, its trades, and whether they were left out.
fn trades_of(store: &Store, id: &ExperimentId) -> Result<(Option<String>, Vec<TradeRecord>, bool), Problem> {
    let Some(model) = store.experiment(id)?.model_id else { return Ok((None, Vec::new(), false)) };
    let (trades, left_out) = read_trades(store.models_dir(), &model)?.unwrap_or_default();
    Ok((Some(model.to_string()), trades, left_out))
}
