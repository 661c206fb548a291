//! Continuous training in six routes: start, stop, pause, resume, status, history. With one schedule nobody has to name it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_store::ScheduleId;

use super::query::{limit, parsed, tagged};
use super::schedules::{Verb, cycles_of, tell, with_verb};
use crate::NewContinuous;
use crate::app::{App, Json, MayRead, MayTrade, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::{CycleView, ScheduleStatusView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(status))
        .routes(routes!(history))
}

/// Which schedule.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its id; it may be left out while there is only one.
    schedule_id: Option<String>,
}

/// Which schedule.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichQuery {
    /// Its id; it may be left out while there is only one.
    schedule_id: Option<String>,
}

/// Which cycles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Id of the schedule; it may be left out while there is only one.
    schedule_id: Option<String>,
    /// Most cycles, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only cycles with a smaller number.
    before: Option<u64>,
}

/// Cycles of a schedule.
#[derive(Serialize, ToSchema)]
struct History {
    /// Id of the schedule.
    schedule_id: String,
    /// The cycles, newest first.
    cycles: Vec<CycleView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<u64>,
}

/// Makes a schedule and starts it: its first cycle is due at once. Everything that a cycle would need is checked first.
#[utoipa::path(
    post,
    path = "/api/continuous/start",
    tag = "continuous",
    request_body = NewContinuous,
    responses((status = 201, description = "It was made and started", body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn start(
    State(app): State<App>,
    _may: MayTrade,
    Json(wanted): Json<NewContinuous>,
) -> Result<(StatusCode, Json<ScheduleStatusView>), Problem> {
    let record = app.parts.operator.create(wanted).await?;
    Ok((StatusCode::CREATED, Json(tell(&app, record))))
}

/// Leaves the due times and cancels what runs.
#[utoipa::path(
    post,
    path = "/api/continuous/stop",
    tag = "continuous",
    request_body = Which,
    responses((status = 200, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn stop(
    State(app): State<App>,
    _may: MayTrade,
    Json(which): Json<Which>,
) -> Result<Json<ScheduleStatusView>, Problem> {
    obey(&app, which.schedule_id, Verb::Stop).await
}

/// Starts nothing new for a while; a running cycle goes on.
#[utoipa::path(
    post,
    path = "/api/continuous/pause",
    tag = "continuous",
    request_body = Which,
    responses((status = 200, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn pause(
    State(app): State<App>,
    _may: MayTrade,
    Json(which): Json<Which>,
) -> Result<Json<ScheduleStatusView>, Problem> {
    obey(&app, which.schedule_id, Verb::Pause).await
}

/// Ends a pause.
#[utoipa::path(
    post,
    path = "/api/continuous/resume",
    tag = "continuous",
    request_body = Which,
    responses((status = 200, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn resume(
    State(app): State<App>,
    _may: MayTrade,
    Json(which): Json<Which>,
) -> Result<Json<ScheduleStatusView>, Problem> {
    obey(&app, which.schedule_id, Verb::Resume).await
}

/// A schedule as it is now.
#[utoipa::path(
    get,
    path = "/api/continuous/status",
    tag = "continuous",
    params(WhichQuery),
    responses((status = 200, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn status(
    State(app): State<App>,
    _may: MayRead,
    Query(which): Query<WhichQuery>,
) -> Result<Json<ScheduleStatusView>, Problem> {
    let id = chosen(&app, which.schedule_id).await?;
    let record = app.read(move |store| store.schedule(&id)).await?;
    Ok(Json(tell(&app, record)))
}

/// The cycles of a schedule with what they measured, newest first.
#[utoipa::path(
    get,
    path = "/api/continuous/history",
    tag = "continuous",
    params(HistoryQuery),
    responses(
        (status = 200, body = History),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn history(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let id = chosen(&app, query.schedule_id).await?;
    let schedule_id = id.to_string();
    let (cycles, next_before) = cycles_of(&app, id, query.before, limit).await?;
    tagged(&headers, &History { schedule_id, cycles, next_before })
}

async fn obey(app: &App, named: Option<String>, verb: Verb) -> Result<Json<ScheduleStatusView>, Problem> {
    let id = chosen(app, named).await?;
    with_verb(app, &id, verb).await.map(Json)
}

/// The schedule that was named, or the only one.
async fn chosen(app: &App, named: Option<String>) -> Result<ScheduleId, Problem> {
    if let Some(named) = named {
        return parsed("schedule_id", &named);
    }
    match app.read(walkforward_store::Store::first_schedule).await? {
        (1, Some(only)) => Ok(only),
        (_, None) => {
            Err(Problem::unknown("there is no schedule yet: POST /api/continuous/start makes and starts one"))
        }
        (count, Some(_)) => {
            Err(Problem::conflict(format!("there are {count} schedules: name one with schedule_id")))
        }
    }
}
