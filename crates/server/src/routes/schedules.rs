//! Schedules: list, make, look at, move, take away; and their cycles.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_store::{CycleRecord, ScheduleId, ScheduleRecord, ScheduleStatus, Store};

use super::query::{limit, parsed, tagged};
use crate::NewContinuous;
use crate::app::{App, Json, MayRead, MayTrade, Path, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::{CycleView, ScheduleStatusView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(show, remove))
        .routes(routes!(command))
        .routes(routes!(cycles))
        .routes(routes!(cycle))
}

/// What can be done with a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verb {
    /// Begin with its due times; the first cycle is due at once.
    Start,
    /// Start nothing new for a while.
    Pause,
    /// End the pause.
    Resume,
    /// Leave the due times and cancel what runs.
    Stop,
    /// Run a cycle now.
    Trigger,
}

/// All schedules.
#[derive(Serialize, ToSchema)]
struct Schedules {
    /// In the order of their ids.
    schedules: Vec<ScheduleStatusView>,
}

/// Which cycles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CyclesQuery {
    /// Most cycles, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only cycles with a smaller number.
    before: Option<u64>,
}

/// Cycles of a schedule.
#[derive(Serialize, ToSchema)]
struct Cycles {
    /// Newest first.
    cycles: Vec<CycleView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<u64>,
}

/// Every schedule as it is now.
#[utoipa::path(
    get,
    path = "/api/schedules",
    tag = "schedules",
    responses((status = 200, body = Schedules), Problems),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<App>, _may: MayRead) -> Result<Json<Schedules>, Problem> {
    let records = app.read(Store::schedules).await?;
    let schedules = records.into_iter().map(|record| tell(&app, record)).collect();
    Ok(Json(Schedules { schedules }))
}

/// Makes a schedule and starts it, as `POST /api/continuous/start`.
#[utoipa::path(
    post,
    path = "/api/schedules",
    tag = "schedules",
    request_body = NewContinuous,
    responses((status = 201, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn make(
    State(app): State<App>,
    _may: MayTrade,
    Json(wanted): Json<NewContinuous>,
) -> Result<(StatusCode, Json<ScheduleStatusView>), Problem> {
    let record = app.parts.operator.create(wanted).await?;
    Ok((StatusCode::CREATED, Json(tell(&app, record))))
}

/// A schedule as it is now.
#[utoipa::path(
    get,
    path = "/api/schedules/{id}",
    tag = "schedules",
    params(("id" = String, Path, description = "Id of the schedule")),
    responses((status = 200, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<ScheduleStatusView>, Problem> {
    let id: ScheduleId = parsed("id", &id)?;
    let record = app.read(move |store| store.schedule(&id)).await?;
    Ok(Json(tell(&app, record)))
}

/// Takes a schedule away. Its history is kept, and its id is not given again.
#[utoipa::path(
    delete,
    path = "/api/schedules/{id}",
    tag = "schedules",
    params(("id" = String, Path, description = "Id of the schedule")),
    responses((status = 204, description = "It is gone"), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn remove(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: ScheduleId = parsed("id", &id)?;
    know(&app, &id).await?;
    app.parts.scheduler.remove(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves a schedule: start, pause, resume, stop, or trigger a cycle now.
#[utoipa::path(
    post,
    path = "/api/schedules/{id}/{verb}",
    tag = "schedules",
    params(
        ("id" = String, Path, description = "Id of the schedule"),
        ("verb" = inline(Verb), Path, description = "What to do")
    ),
    responses((status = 200, body = ScheduleStatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn command(
    State(app): State<App>,
    _may: MayTrade,
    Path((id, verb)): Path<(String, Verb)>,
) -> Result<Json<ScheduleStatusView>, Problem> {
    with_verb(&app, &parsed("id", &id)?, verb).await.map(Json)
}

/// The cycles of a schedule with what they measured, newest first.
#[utoipa::path(
    get,
    path = "/api/schedules/{id}/cycles",
    tag = "schedules",
    params(("id" = String, Path, description = "Id of the schedule"), CyclesQuery),
    responses(
        (status = 200, body = Cycles),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn cycles(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<CyclesQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let (cycles, next_before) = cycles_of(&app, parsed("id", &id)?, query.before, limit).await?;
    tagged(&headers, &Cycles { cycles, next_before })
}

/// One cycle.
#[utoipa::path(
    get,
    path = "/api/schedules/{id}/cycles/{number}",
    tag = "schedules",
    params(
        ("id" = String, Path, description = "Id of the schedule"),
        ("number" = u64, Path, description = "Number of the cycle, from 1")
    ),
    responses((status = 200, body = CycleView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn cycle(
    State(app): State<App>,
    _may: MayRead,
    Path((id, number)): Path<(String, u64)>,
) -> Result<Json<CycleView>, Problem> {
    let id: ScheduleId = parsed("id", &id)?;
    let read = move |app: &App| {
        let store = &app.parts.store;
        let newest = store.cycles(&id, Some(number.saturating_add(1)), 1)?.pop();
        let cycle = newest.filter(|cycle| cycle.number == number).ok_or_else(|| {
            Problem::unknown(format!(
                "schedule '{id}' has no cycle {number}: GET /api/schedules/{id}/cycles lists them"
            ))
        })?;
        let metrics = metrics_of(store, &cycle);
        Ok(CycleView::new(cycle, metrics))
    };
    app.change(read).await.map(Json)
}

/// A schedule as its row, the scheduler and its running training say.
pub(super) fn tell(app: &App, record: ScheduleRecord) -> ScheduleStatusView {
    let view = app.parts.scheduler.status(&record.id).ok();
    let progress = app.parts.operator.progress(&record.id);
    ScheduleStatusView::new(record, view, progress, app.parts.clock.now())
}

/// Moves a schedule, and tells how it is then.
pub(super) async fn with_verb(app: &App, id: &ScheduleId, verb: Verb) -> Result<ScheduleStatusView, Problem> {
    know(app, id).await?;
    let scheduler = &app.parts.scheduler;
    match verb {
        Verb::Start => scheduler.start(id).await,
        Verb::Pause => scheduler.pause(id).await,
        Verb::Resume => scheduler.resume(id).await,
        Verb::Stop => scheduler.stop(id).await,
        Verb::Trigger => scheduler.trigger(id).await,
    }?;
    let id = id.clone();
    let record = app.read(move |store| store.schedule(&id)).await?;
    Ok(tell(app, record))
}

/// Sees to it that the scheduler knows a schedule, which a command may have made meanwhile.
async fn know(app: &App, id: &ScheduleId) -> Result<(), Problem> {
    if app.parts.scheduler.status(id).is_ok() {
        return Ok(());
    }
    let wanted = id.clone();
    if app.read(move |store| store.schedule(&wanted)).await?.status == ScheduleStatus::Removed {
        return Err(Problem::conflict(format!("schedule '{id}' was removed: only its history is left")));
    }
    Ok(app.parts.operator.take_in(id).await?)
}

/// At most `limit` cycles before number `before`, newest first, and where the next page begins.
pub(super) async fn cycles_of(
    app: &App,
    id: ScheduleId,
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<CycleView>, Option<u64>), Problem> {
    app.read(move |store| {
        let cycles = store.measured_cycles(&id, before, limit)?;
        let last = cycles.last().map(|(cycle, _)| cycle.number);
        let is_full = cycles.len() as u64 == u64::from(limit);
        let next = last.filter(|&number| is_full && number > 1);
        let view = |(cycle, metrics)| CycleView::new(cycle, told(metrics));
        Ok((cycles.into_iter().map(view).collect(), next))
    })
    .await
}

/// What a cycle's experiment measured; none where nothing was, or where its record is gone.
fn metrics_of(store: &Store, cycle: &CycleRecord) -> Option<Value> {
    told(store.experiment(cycle.experiment_id.as_ref()?).ok()?.final_metrics)
}

/// What was measured; none where nothing was.
fn told(metrics: Value) -> Option<Value> {
    Some(metrics).filter(|metrics| metrics.as_object().is_some_and(|object| !object.is_empty()))
}
