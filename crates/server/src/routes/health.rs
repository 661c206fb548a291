//! Whether the server lives, and whether it can do its work.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Json};
use crate::openapi::Problems;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
}

/// That the server answers.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Whether the process answers. No token is needed.
#[utoipa::path(get, path = "/api/health", tag = "health", responses((status = 200, body = Health), Problems))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Whether the database can be read and schedules can be moved. No token is needed, and no state is told.
#[utoipa::path(
    get,
    path = "/api/ready",
    tag = "health",
    responses((status = 200, description = "It can work", body = Health), Problems)
)]
async fn ready(State(app): State<App>) -> Response {
    let read = app.read(|store| store.events_after(i64::MAX, 1)).await;
    let blocked = app.parts.scheduler.overview().not_recorded.is_some();
    match (read, blocked) {
        (Ok(_), false) => health().await.into_response(),
        (Ok(_), true) => Problem::unavailable("nothing can be recorded at present").into_response(),
        (Err(problem), _) => problem.into_response(),
    }
}
