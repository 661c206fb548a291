//! What a session's journal has told, page by page.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::SessionId;
use walkforward_store::{Numbered, Store, StoreError};

use super::unknown;
use crate::app::{App, MayRead, Path, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::routes::query::{AfterQuery, is_full, limit, parsed, tagged};
use crate::views::{LiveBarView, LiveEventView, LiveFillView, LiveSwapView, WatchView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(bars))
        .routes(routes!(fills))
        .routes(routes!(swaps))
        .routes(routes!(events))
        .routes(routes!(shadows))
}

/// The models beside a session's.
#[derive(Serialize, ToSchema)]
struct Shadows {
    /// What they have come to; none where nobody watches, or before the first word.
    watch: Option<WatchView>,
}

/// Bars of a session.
#[derive(Serialize, ToSchema)]
struct Bars {
    /// In order.
    bars: Vec<LiveBarView>,
    /// What `after` has to be for the next page; none when there is no more yet.
    next_after: Option<u64>,
}

/// Fills of a session.
#[derive(Serialize, ToSchema)]
struct Fills {
    /// In order.
    fills: Vec<LiveFillView>,
    /// What `after` has to be for the next page; none when there is no more yet.
    next_after: Option<u64>,
}

/// Changes of the model of a session.
#[derive(Serialize, ToSchema)]
struct Swaps {
    /// In order.
    swaps: Vec<LiveSwapView>,
    /// What `after` has to be for the next page; none when there is no more yet.
    next_after: Option<u64>,
}

/// Other events of a session.
#[derive(Serialize, ToSchema)]
struct SessionEvents {
    /// In order.
    events: Vec<LiveEventView>,
    /// What `after` has to be for the next page; none when there is no more yet.
    next_after: Option<u64>,
}

/// The bars of a session, in order.
#[utoipa::path(
    get,
    path = "/api/live/sessions/{id}/bars",
    tag = "live",
    params(("id" = String, Path, description = "Name of the session"), AfterQuery),
    responses(
        (status = 200, body = Bars),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn bars(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
) -> Result<Response, Problem> {
    let (bars, next_after) = page(&app, &id, &query, Store::live_bars).await?;
    tagged(&headers, &Bars { bars, next_after })
}

/// The fills of a session, in order.
#[utoipa::path(
    get,
    path = "/api/live/sessions/{id}/fills",
    tag = "live",
    params(("id" = String, Path, description = "Name of the session"), AfterQuery),
    responses(
        (status = 200, body = Fills),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn fills(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
) -> Result<Response, Problem> {
    let (fills, next_after) = page(&app, &id, &query, Store::live_fills).await?;
    tagged(&headers, &Fills { fills, next_after })
}

/// When another model came into a session, in order.
#[utoipa::path(
    get,
    path = "/api/live/sessions/{id}/swaps",
    tag = "live",
    params(("id" = String, Path, description = "Name of the session"), AfterQuery),
    responses(
        (status = 200, body = Swaps),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn swaps(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
) -> Result<Response, Problem> {
    let (swaps, next_after) = page(&app, &id, &query, Store::live_swaps).await?;
    tagged(&headers, &Swaps { swaps, next_after })
}

/// What else happened in a session, in order: pauses, halts, models that were refused, warnings.
#[utoipa::path(
    get,
    path = "/api/live/sessions/{id}/events",
    tag = "live",
    params(("id" = String, Path, description = "Name of the session"), AfterQuery),
    responses(
        (status = 200, body = SessionEvents),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn events(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
) -> Result<Response, Problem> {
    let (events, next_after) = page(&app, &id, &query, Store::live_events).await?;
    tagged(&headers, &SessionEvents { events, next_after })
}

/// The models that decide beside a session's on the same bars: each challenger with its return beside the champion's, and
/// where the rules stand that take the champion back.
#[utoipa::path(
    get,
    path = "/api/live/sessions/{id}/shadows",
    tag = "live",
    params(("id" = String, Path, description = "Name of the session")),
    responses(
        (status = 200, body = Shadows),
        (status = 304, description = "Nothing has changed since the answer with this tag"),
        Problems,
        ChangeProblems
    ),
    security(("token" = ["read"]))
)]
async fn shadows(
    State(app): State<App>,
    _may: MayRead,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed::<SessionId>("id", &id)?;
    let read = move |app: &App| {
        let store = &app.parts.store;
        store.find_live_session(&id)?.ok_or_else(|| unknown(&id))?;
        Ok(store.live_watch(&id)?)
    };
    let watch = app.change(read).await?.map(WatchView::from);
    tagged(&headers, &Shadows { watch })
}

type Rows<T> = Result<Vec<Numbered<T>>, StoreError>;

/// A page of a session's rows, and where the next one begins.
async fn page<T, V>(
    app: &App,
    id: &str,
    query: &AfterQuery,
    rows: fn(&Store, &SessionId, u64, u32) -> Rows<T>,
) -> Result<(Vec<V>, Option<u64>), Problem>
where
    T: Send + 'static,
    V: From<Numbered<T>>,
{
    let (id, limit) = (parsed::<SessionId>("id", id)?, limit(query.limit)?);
    let after = query.after.unwrap_or(0);
    let read = move |app: &App| {
        let store = &app.parts.store;
        store.find_live_session(&id)?.ok_or_else(|| unknown(&id))?;
        Ok(rows(store, &id, after, limit)?)
    };
    let rows = app.change(read).await?;
    let next_after = rows.last().filter(|_| is_full(rows.len(), limit)).map(|last| last.number);
    Ok((rows.into_iter().map(V::from).collect(), next_after))
}
