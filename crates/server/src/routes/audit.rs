//! What people did.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::Timestamp;
use walkforward_store::Act;

use super::query::{is_full, limit, tagged};
use crate::app::{App, MayRead, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which acts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ActsQuery {
    /// Only acts with a smaller number.
    before: Option<i64>,
    /// Most acts, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// What people did.
#[derive(Serialize, ToSchema)]
struct Acts {
    /// Newest first.
    acts: Vec<ActView>,
    /// What `before` has to be for the next page; none when there is no more.
    next_before: Option<i64>,
}

/// Something that somebody did, or asked for: an act is written down before it is done, and `refused` behind it when it was
/// not.
#[derive(Serialize, ToSchema)]
struct ActView {
    /// Its number, from 1 without gaps.
    seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Who: `command`, `interface:trade`.
    #[schema(example = "interface:trade")]
    actor: String,
    /// What: a command, or a method and a route.
    #[schema(example = "POST /api/schedules/{id}/{verb}")]
    act: String,
    /// To what.
    #[schema(example = "schedules/btc/stop")]
    subject: String,
    /// Why, as the person said.
    reason: String,
    /// More about it, by name.
    #[schema(value_type = Object)]
    details: Value,
    /// The hash of the act before it; empty of the first.
    previous: String,
    /// SHA-256 over `previous` and all else, lower-case hex.
    hash: String,
}

impl From<Act> for ActView {
    fn from(act: Act) -> Self {
        let Act { seq, time, actor, act, subject, reason, details, previous, hash } = act;
        Self { seq, time, actor, act, subject, reason, details, previous, hash }
    }
}

/// What people did, newest first. Each row has the hash of the one before it.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "audit",
    params(ActsQuery),
    responses(
        (status = 200, body = Acts),
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
    Query(query): Query<ActsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let acts = app.read(move |store| store.acts_before(query.before, limit)).await?;
    let last = acts.last().map(|act| act.seq);
    let next_before = last.filter(|&seq| is_full(acts.len(), limit) && seq > 1);
    tagged(&headers, &Acts { acts: acts.into_iter().map(ActView::from).collect(), next_before })
}
