//! The bars that runs were made from: what there is, where it has holes, and what else is wrong with it.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::RunId;

use super::query::{parsed, tagged};
use crate::app::{App, Json, MayRead, Path};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::{DataDetailView, DataView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// What there is.
#[derive(Serialize, ToSchema)]
struct AllData {
    /// The newest window of each source, symbol and timeframe, newest first; at most 100.
    data: Vec<DataView>,
    /// Records of runs that were looked at, the newest.
    looked_at: usize,
    /// How many of them can't be read.
    unreadable: usize,
    /// Whether there are older ones that were not looked at.
    has_older: bool,
}

/// The bars that runs were made from: of each source, symbol and timeframe the newest window, with its figures.
#[utoipa::path(
    get,
    path = "/api/data",
    tag = "data",
    responses(
        (status = 200, body = AllData),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems
    ),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<App>, _may: MayRead, headers: HeaderMap) -> Result<Response, Problem> {
    let overview = app.read(|store| store.etl_overview()).await?;
    let data = overview.newest.iter().map(DataView::from).collect();
    let (looked_at, unreadable) = (overview.looked_at, overview.unreadable);
    tagged(&headers, &AllData { data, looked_at, unreadable, has_older: overview.has_older })
}

/// The window of bars that a run was made from: its coverage, its holes, and the rows that were refused.
#[utoipa::path(
    get,
    path = "/api/data/{id}",
    tag = "data",
    params(("id" = String, Path, description = "Id of the run that the bars were read for")),
    responses((status = 200, body = DataDetailView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<DataDetailView>, Problem> {
    let run: RunId = parsed("id", &id)?;
    let found = app.read(move |store| store.find_etl(&run)).await?;
    let none = || {
        Problem::unknown(format!("nothing is kept of the bars of run '{id}': GET /api/data lists what is"))
    };
    found.map(|record| Json(record.into())).ok_or_else(none)
}
