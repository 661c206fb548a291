//! Lines: who trades, who waits for approval, what changed, and how far the evidence has come.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::{LineName, ModelId, Reason};
use walkforward_store::{ScheduleRecord, Store, StoreError};

use super::models::refused;
use super::query::{is_full, limit, parsed, parsed_if, tagged};
use crate::Gates;
use crate::app::{App, Json, MayRead, MayTrade, Path, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::{ChampionView, HeldView, LineView, PromotedView, PromotionView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(promotions))
        .routes(routes!(rollback))
        .routes(routes!(evidence))
        .routes(routes!(gates))
}

/// Most lines that are listed.
const MAX_LINES: usize = 1_000;

/// All lines.
#[derive(Serialize, ToSchema)]
struct Lines {
    /// By name, at most 1000.
    lines: Vec<LineView>,
}

/// Which changes of champion.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PromotionsQuery {
    /// Most changes, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only changes with a smaller number.
    before: Option<u64>,
}

/// Changes of a line's champion.
#[derive(Serialize, ToSchema)]
struct Promotions {
    /// Newest first.
    promotions: Vec<PromotionView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<u64>,
}

/// Where to go back to, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedRollback {
    /// An earlier champion of the line; default: the one before the present one.
    to_model_id: Option<String>,
    /// Why, for the history: a line of 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// How far the evidence of a line has come.
#[derive(Serialize, ToSchema)]
struct Evidence {
    /// Its arms, newest first: `arm` (its id), `line`, `trades` (whether it has the champion), `grade`, `reachedByLuck`
    /// (what the grade is worth, in words), `sentence`, `tests`, `snapshots`, `registeredAt`, `quarantine` (`until`,
    /// `sentence`; left out outside), `lineTests` and `judged`: the newest verdict with `model`, `publishedAt`, `sentence` and
    /// `grading`, whose `meter` has each figure beside its limit.
    #[schema(value_type = Vec<Object>)]
    arms: Vec<Value>,
}

/// Every line with its champion, the models that wait, and its schedules.
#[utoipa::path(
    get,
    path = "/api/lines",
    tag = "lines",
    responses(
        (status = 200, body = Lines),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems
    ),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<App>, _may: MayRead, headers: HeaderMap) -> Result<Response, Problem> {
    let lines = app.read(|store| {
        let schedules = store.schedules()?;
        let names = names(store, &schedules)?.into_iter().take(MAX_LINES);
        names.map(|line| about(store, line, &schedules)).collect::<Result<Vec<LineView>, StoreError>>()
    });
    tagged(&headers, &Lines { lines: lines.await? })
}

/// The changes of a line's champion, newest first.
#[utoipa::path(
    get,
    path = "/api/lines/{line}/promotions",
    tag = "lines",
    params(("line" = String, Path, description = "Name of the line"), PromotionsQuery),
    responses(
        (status = 200, body = Promotions),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn promotions(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(line): Path<String>,
    Query(query): Query<PromotionsQuery>,
) -> Result<Response, Problem> {
    let (line, limit) = (parsed::<LineName>("line", &line)?, limit(query.limit)?);
    let before = query.before.unwrap_or(u64::MAX);
    let rows = app.change(move |app| {
        require(&app.parts.store, &line)?;
        let mut rows = app.parts.store.promotions(&line)?;
        rows.retain(|row| row.sequence < before);
        rows.reverse();
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows)
    });
    let rows = rows.await?;
    let last = rows.last().map(|row| row.sequence);
    let next_before = last.filter(|&number| is_full(rows.len(), limit) && number > 1);
    let promotions = rows.into_iter().map(PromotionView::from).collect();
    tagged(&headers, &Promotions { promotions, next_before })
}

/// Makes an earlier champion of a line its champion again. Traders take it between two bars.
#[utoipa::path(
    post,
    path = "/api/lines/{line}/rollback",
    tag = "lines",
    params(("line" = String, Path, description = "Name of the line")),
    request_body = WantedRollback,
    responses((status = 200, description = "It is done", body = PromotedView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn rollback(
    State(app): State<App>,
    _may: MayTrade,
    Path(line): Path<String>,
    Json(wanted): Json<WantedRollback>,
) -> Result<Json<PromotedView>, Problem> {
    let line: LineName = parsed("line", &line)?;
    let reason: Reason = parsed("reason", &wanted.reason)?;
    let to: Option<ModelId> = parsed_if("to_model_id", wanted.to_model_id.as_deref())?;
    let done = app.change(move |app| {
        let store = &app.parts.store;
        require(store, &line)?;
        if let Some(to) = &to {
            store.model_summary(to)?;
        }
        store.rollback(&line, to.as_ref(), reason.as_str()).map_err(refused)
    });
    Ok(Json(done.await?.into()))
}

/// How far the evidence for each arm of a line has come, with the meter of its newest verdict.
#[utoipa::path(
    get,
    path = "/api/lines/{line}/evidence",
    tag = "lines",
    params(("line" = String, Path, description = "Name of the line")),
    responses(
        (status = 200, body = Evidence),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn evidence(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(line): Path<String>,
) -> Result<Response, Problem> {
    let line: LineName = parsed("line", &line)?;
    let arms = app.change(move |app| {
        require(&app.parts.store, &line)?;
        Ok(app.parts.operator.evidence(&line)?)
    });
    tagged(&headers, &Evidence { arms: arms.await? })
}

/// The rules by which models are judged, as the server's settings say. A schedule may have others of its own.
#[utoipa::path(
    get,
    path = "/api/gates",
    tag = "lines",
    responses((status = 200, body = Gates), Problems),
    security(("token" = ["read"]))
)]
async fn gates(State(app): State<App>, _may: MayRead) -> Result<Json<Gates>, Problem> {
    Ok(Json(app.parts.operator.gates()?))
}

/// Lines that have a champion, a history, arms or a schedule.
fn names(store: &Store, schedules: &[ScheduleRecord]) -> Result<BTreeSet<LineName>, StoreError> {
    let mut names: BTreeSet<LineName> = store.lines()?.into_iter().collect();
    names.extend(store.lines_with_arms()?);
    names.extend(schedules.iter().map(|schedule| schedule.line.clone()));
    Ok(names)
}

/// Refuses a line that nothing is known of.
fn require(store: &Store, line: &LineName) -> Result<(), Problem> {
    match names(store, &store.schedules()?)?.contains(line) {
        true => Ok(()),
        false => Err(Problem::unknown(format!("there is no line '{line}': GET /api/lines lists them"))),
    }
}

fn about(store: &Store, line: LineName, schedules: &[ScheduleRecord]) -> Result<LineView, StoreError> {
    let (champion, pointer_damaged) = match store.champion(&line) {
        Ok(champion) => (champion.map(ChampionView::from), false),
        Err(error @ (StoreError::Pointer { .. } | StoreError::BadModel { .. })) => {
            tracing::warn!(%line, %error, "the champion of a line can't be told");
            (None, true)
        }
        Err(error) => return Err(error),
    };
    let held = match store.held_models(Some(&line)) {
        Ok(held) => held.into_iter().map(HeldView::from).collect(),
        Err(error @ (StoreError::Pointer { .. } | StoreError::BadModel { .. })) => {
            tracing::warn!(%line, %error, "which models of a line can be approved can't be told");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let of_line = schedules.iter().filter(|schedule| schedule.line == line);
    let schedules = of_line.map(|schedule| schedule.id.to_string()).collect();
    Ok(LineView { line: line.to_string(), champion, pointer_damaged, held, schedules })
}
