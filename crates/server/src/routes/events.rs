//! What happened, in order.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::Timestamp;
use walkforward_store::Event;

use super::query::{is_full, limit, tagged};
use crate::app::{App, MayRead, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Only events with a larger number; default: from the oldest that is kept.
    after: Option<u64>,
    /// Most events, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Events.
#[derive(Serialize, ToSchema)]
struct Events {
    /// In order. The newest 10,000 are kept; a first number that is not the one behind `after` means that some are gone.
    events: Vec<EventView>,
    /// What `after` has to be for the next page; none when there is no more yet.
    next_after: Option<i64>,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
struct EventView {
    /// Its number; later events have larger ones.
    seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// What, in one word.
    #[schema(example = "model_promoted")]
    r#type: String,
    /// More about it, by name.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let Event { seq, time, kind, payload } = event;
        Self { seq, time, r#type: kind, data: payload }
    }
}

/// What happened, in order.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "events",
    params(EventsQuery),
    responses(
        (status = 200, body = Events),
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
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let after = i64::try_from(query.after.unwrap_or(0)).unwrap_or(i64::MAX);
    let events = app.read(move |store| store.events_after(after, limit)).await?;
    let next_after = events.last().filter(|_| is_full(events.len(), limit)).map(|last| last.seq);
    let events = events.into_iter().map(EventView::from).collect();
    tagged(&headers, &Events { events, next_after })
}
