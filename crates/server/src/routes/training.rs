//! Trainings without a schedule: begin one, cancel one, see which run.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_store::ExperimentId;

use super::query::parsed;
use crate::LaunchTraining;
use crate::app::{App, Json, MayRead, MayTrade, Path};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(launch)).routes(routes!(cancel)).routes(routes!(running))
}

/// A training that was asked for something.
#[derive(Serialize, ToSchema)]
struct Training {
    /// Its experiment.
    experiment_id: String,
}

/// What trains now.
#[derive(Serialize, ToSchema)]
struct Running {
    /// Experiments without a schedule that run.
    experiments: Vec<String>,
    /// Cycles of schedules that run.
    cycles: usize,
    /// Cycles that wait for a slot.
    queued: usize,
    /// Slots that are taken, by cycles and by experiments.
    trainings: usize,
}

/// Begins a training on a free slot. The answer comes when it is planned; its experiment tells how it goes, and is there
/// when it has begun.
#[utoipa::path(
    post,
    path = "/api/training/launch",
    tag = "training",
    request_body = LaunchTraining,
    responses((status = 202, description = "It begins", body = Training), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn launch(
    State(app): State<App>,
    _may: MayTrade,
    Json(wanted): Json<LaunchTraining>,
) -> Result<(StatusCode, Json<Training>), Problem> {
    let id = app.parts.operator.launch(wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(Training { experiment_id: id.to_string() })))
}

/// Asks a training without a schedule to stop. Its experiment says when it has.
#[utoipa::path(
    post,
    path = "/api/training/{id}/cancel",
    tag = "training",
    params(("id" = String, Path, description = "Id of the experiment")),
    responses((status = 202, description = "It was asked to stop", body = Training), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn cancel(
    State(app): State<App>,
    _may: MayTrade,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Training>), Problem> {
    let id: ExperimentId = parsed("id", &id)?;
    app.parts.operator.cancel(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(Training { experiment_id: id.to_string() })))
}

/// What trains now.
#[utoipa::path(
    get,
    path = "/api/training/running",
    tag = "training",
    responses((status = 200, body = Running), Problems),
    security(("token" = ["read"]))
)]
async fn running(State(app): State<App>, _may: MayRead) -> Json<Running> {
    let overview = app.parts.scheduler.overview();
    let experiments = app.parts.operator.running().iter().map(ToString::to_string).collect();
    let (cycles, queued, trainings) = (overview.running, overview.queued, overview.trainings);
    Json(Running { experiments, cycles, queued, trainings })
}
