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
use walkforward_store::{Act, Store};

use super::query::{is_full, limit, tagged};
use crate::app::{App, Json, MayRead, Query};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(check))
}

/// Longest words that acts are looked through for, bytes.
const MAX_SEARCH_BYTES: usize = 200;

/// Which acts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ActsQuery {
    /// Only acts with a smaller number.
    before: Option<i64>,
    /// Only acts with this in who acted, what, to what or why, whatever its case; 1 to 200 bytes.
    #[param(min_length = 1, max_length = 200)]
    search: Option<String>,
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

/// Whether the record of acts is as it was written.
#[derive(Serialize, ToSchema)]
struct Chain {
    /// Acts that were looked at: all of them.
    acts: u64,
    /// Whether each has the hash of the one before it, and its own.
    whole: bool,
    /// The first act that was changed, put between, or stands behind one that was taken out; none where all is well.
    broken_at: Option<i64>,
    /// The newest act's hash: kept elsewhere, it shows whether the end was cut off.
    last_hash: String,
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
    let search = searched(query.search)?;
    let read = move |store: &Store| match &search {
        None => store.acts_before(query.before, limit),
        Some(words) => store.acts_with(words, query.before, limit),
    };
    let acts = app.read(read).await?;
    let last = acts.last().map(|act| act.seq);
    let next_before = last.filter(|&seq| is_full(acts.len(), limit) && seq > 1);
    tagged(&headers, &Acts { acts: acts.into_iter().map(ActView::from).collect(), next_before })
}

fn searched(words: Option<String>) -> Result<Option<String>, Problem> {
    match words {
        Some(words) if words.is_empty() || words.len() > MAX_SEARCH_BYTES => {
            let bytes = words.len();
            Err(Problem::unusable(format!("search has {bytes} bytes: expected 1 to {MAX_SEARCH_BYTES}")))
        }
        words => Ok(words),
    }
}

/// Follows the chain of hashes from the first act to the last.
#[utoipa::path(
    get,
    path = "/api/audit/check",
    tag = "audit",
    responses((status = 200, body = Chain), Problems),
    security(("token" = ["read"]))
)]
async fn check(State(app): State<App>, _may: MayRead) -> Result<Json<Chain>, Problem> {
    let check = app.read(Store::check_acts).await?;
    let (acts, broken_at, last_hash) = (check.acts, check.broken, check.last_hash);
    Ok(Json(Chain { acts, whole: broken_at.is_none(), broken_at, last_hash }))
}
