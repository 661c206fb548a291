//! What is said to a running session.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_core::{Asker, ControlCommand, Reason, SessionId};

use super::unknown;
use crate::app::{App, Json, MayTrade, Path};
use crate::openapi::{ChangeProblems, Problems};
use crate::problem::Problem;
use crate::routes::query::{parsed, parsed_if};
use crate::views::StatusView;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(command))
}

/// What a session can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SessionVerb {
    /// Send no order until it is resumed: bars are decided and journalled, the position stays. It needs a reason.
    Pause,
    /// End a pause or a restriction. What a limit or a kill brought needs an acknowledgement.
    Resume,
    /// Let positions shrink and not grow. It needs a reason.
    ReduceOnly,
    /// End the session behind its bar. The position stays.
    Stop,
    /// Halt at once, over restarts too. It needs a reason.
    Kill,
    /// Look for a new model now.
    Reload,
}

/// What belongs to a command. What the command does not need is left out; `{}` is enough for `stop` and `reload`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Told {
    /// Why, a line of 1 to 500 characters: for `pause`, `reduce_only` and `kill`.
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
    /// Whether `kill` closes the position first; default: it stays.
    flatten: Option<bool>,
    /// What was found out, and why it is safe to go on, a line of 1 to 500 characters: for `resume`.
    #[schema(min_length = 1, max_length = 500)]
    acknowledge: Option<String>,
}

/// Tells a running session something. The answer comes when it is on the session's disk.
#[utoipa::path(
    post,
    path = "/api/live/sessions/{id}/{verb}",
    tag = "live",
    params(
        ("id" = String, Path, description = "Name of the session"),
        ("verb" = inline(SessionVerb), Path, description = "What it is told")
    ),
    request_body = Told,
    responses((status = 200, description = "The session as it is then", body = StatusView), Problems, ChangeProblems),
    security(("token" = ["trade"]))
)]
async fn command(
    State(app): State<App>,
    _may: MayTrade,
    Path((id, verb)): Path<(String, SessionVerb)>,
    Json(told): Json<Told>,
) -> Result<Json<StatusView>, Problem> {
    let id: SessionId = parsed("id", &id)?;
    let command = told.into_command(verb)?;
    let Some(session) = app.parts.sessions.find(&id).await else {
        let wanted = id.clone();
        return Err(match app.read(move |store| store.find_live_session(&wanted)).await? {
            Some(_) => Problem::conflict(format!("session '{id}' does not run: nobody is there to be told")),
            None => unknown(&id),
        });
    };
    let status = session.ask_as(Asker::Interface, command).await?;
    Ok(Json(StatusView::from(&status)))
}

impl Told {
    /// The command; refuses what is missing, and what does not belong to it.
    fn into_command(self, verb: SessionVerb) -> Result<ControlCommand, Problem> {
        let reason: Option<Reason> = parsed_if("reason", self.reason.as_deref())?;
        let acknowledge: Option<Reason> = parsed_if("acknowledge", self.acknowledge.as_deref())?;
        let needed = |reason: Option<Reason>| {
            reason.ok_or_else(|| Problem::unusable("reason: say why, in a line of 1 to 500 characters"))
        };
        if self.flatten.is_some() && verb != SessionVerb::Kill {
            return Err(Problem::unusable("flatten: it belongs to kill"));
        }
        if acknowledge.is_some() && verb != SessionVerb::Resume {
            return Err(Problem::unusable("acknowledge: it belongs to resume"));
        }
        let takes_reason = matches!(verb, SessionVerb::Pause | SessionVerb::ReduceOnly | SessionVerb::Kill);
        if reason.is_some() && !takes_reason {
            return Err(Problem::unusable("reason: it belongs to pause, reduce_only and kill"));
        }
        Ok(match verb {
            SessionVerb::Pause => ControlCommand::Pause { reason: needed(reason)? },
            SessionVerb::Resume => ControlCommand::Resume { acknowledge },
            SessionVerb::ReduceOnly => ControlCommand::ReduceOnly { reason: needed(reason)? },
            SessionVerb::Stop => ControlCommand::Stop {},
            SessionVerb::Kill => {
                ControlCommand::Kill { reason: needed(reason)?, flatten: self.flatten.unwrap_or(false) }
            }
            SessionVerb::Reload => ControlCommand::Reload {},
        })
    }
}
