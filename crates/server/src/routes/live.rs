//! Sessions of traders: those that run, those that have ended, and what is said to them.

mod control;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::{ControlCommand, LineName, SessionControl, SessionId, SessionStatus};
use walkforward_store::{LiveSession, Store};

use super::query::{is_full, limit, parsed, parsed_if, tagged};
use crate::StartPaper;
use crate::app::{App, Json, MayRead, MayTrade, Path, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::views::SessionView;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(start))
        .merge(rows::routes())
        .merge(control::routes())
}

/// How long a session may take to say how it is.
const STATUS_WAIT: Duration = Duration::from_secs(2);

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SessionsQuery {
    /// Only those that trade this line.
    line: Option<String>,
    /// Most sessions that do not run, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only sessions that do not run and have a smaller number.
    before: Option<u64>,
}

/// Sessions.
#[derive(Serialize, ToSchema)]
struct Sessions {
    /// On the first page those that run, by name; then the others, newest first.
    sessions: Vec<SessionView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<u64>,
}

/// A trader that was started.
#[derive(Serialize, ToSchema)]
struct Started {
    /// Its session.
    session_id: String,
}

/// The sessions of this machine: those that run, and those whose journals were carried over.
#[utoipa::path(
    get,
    path = "/api/live/sessions",
    tag = "live",
    params(SessionsQuery),
    responses(
        (status = 200, body = Sessions),
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
    Query(query): Query<SessionsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let line: Option<LineName> = parsed_if("line", query.line.as_deref())?;
    let running = running(&app).await;
    let (before, names) = (query.before, running.keys().cloned().collect::<BTreeSet<_>>());
    let read = move |store: &Store| {
        let rows = store.live_sessions(line.as_ref(), before, limit)?;
        let of_running: Vec<(SessionId, Option<LiveSession>)> = match before {
            Some(_) => Vec::new(),
            None => names
                .into_iter()
                .map(|id| Ok((id.clone(), store.find_live_session(&id)?)))
                .collect::<Result<_, walkforward_store::StoreError>>()?,
        };
        Ok((rows, of_running, line))
    };
    let (rows, of_running, line) = app.read(read).await?;
    let last = rows.last().map(|row| row.number);
    let next_before = last.filter(|&number| is_full(rows.len(), limit) && number > 1);
    let is_wanted = |row_line: &LineName| line.as_ref().is_none_or(|line| line == row_line);
    let first = of_running.into_iter().filter_map(|(id, row)| {
        let status = running.get(&id).and_then(Option::as_ref);
        match (row, status) {
            (Some(row), _) if is_wanted(&row.began.line) => Some(SessionView::new(row, true, status)),
            (None, Some(status)) if is_wanted(&status.line) => Some(SessionView::only_running(&id, status)),
            _ => None,
        }
    });
    let ended = rows.into_iter().filter(|row| !running.contains_key(&row.began.id));
    let ended = ended.map(|row| SessionView::new(row, false, None));
    tagged(&headers, &Sessions { sessions: first.chain(ended).collect(), next_before })
}

/// One session.
#[utoipa::path(
    get,
    path = "/api/live/sessions/{id}",
    tag = "live",
    params(("id" = String, Path, description = "Name of the session")),
    responses((status = 200, body = SessionView), Problems, ChangeProblems),
    security(("token" = ["read"]))
)]
async fn show(
    State(app): State<App>,
    _may: MayRead,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, Problem> {
    let id: SessionId = parsed("id", &id)?;
    let wanted = id.clone();
    let row = app.read(move |store| store.find_live_session(&wanted)).await?;
    let control = app.parts.sessions.find(&id).await;
    let is_running = control.is_some();
    let status = match control {
        Some(control) => status_of(control).await,
        None => None,
    };
    match (row, status) {
        (Some(row), status) => Ok(Json(SessionView::new(row, is_running, status.as_ref()))),
        (None, Some(status)) => Ok(Json(SessionView::only_running(&id, &status))),
        (None, None) if is_running => {
            Err(Problem::unavailable(format!("session '{id}' has begun and does not answer yet")))
        }
        (None, None) => Err(unknown(&id)),
    }
}

/// Starts a trader on paper in a process of its own, which outlives this server. An account, on paper or with real money,
/// is traded by `live-trader` alone.
#[utoipa::path(
    post,
    path = "/api/live/start",
    tag = "live",
    request_body = StartPaper,
    responses((status = 201, description = "It can be talked to", body = Started), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn start(
    State(app): State<App>,
    _may: MayTrade,
    Json(wanted): Json<StartPaper>,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let id = app.parts.sessions.start(wanted).await?;
    Ok((StatusCode::CREATED, Json(Started { session_id: id.to_string() })))
}

/// The sessions that run, with what those say that answer in time.
async fn running(app: &App) -> BTreeMap<SessionId, Option<SessionStatus>> {
    let mut asked = JoinSet::new();
    for (id, control) in app.parts.sessions.list().await {
        asked.spawn(async move { (id, status_of(control).await) });
    }
    let mut running = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        running.extend(answer.ok());
    }
    running
}

/// How a session is; none when it does not say so in time.
async fn status_of(control: Arc<dyn SessionControl>) -> Option<SessionStatus> {
    tokio::time::timeout(STATUS_WAIT, control.ask(ControlCommand::Status {})).await.ok()?.ok()
}

fn unknown(id: &SessionId) -> Problem {
    Problem::unknown(format!("there is no session '{id}': GET /api/live/sessions lists them"))
}
