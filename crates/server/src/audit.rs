//! Every act over the interface is written down before it is done: who, what, to what, why.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use walkforward_store::{Act, NewAct};

use crate::access::Scope;
use crate::app::App;
use crate::problem::Problem;
use crate::server::MAX_BODY_BYTES;

/// Who acts with a token.
const BEARER: &str = "interface:trade";
/// Who acts where no token is asked for.
const ANYBODY: &str = "interface:anybody";
/// Longest subject that is kept, bytes: the path without its beginning.
const MAX_SUBJECT_BYTES: usize = 200;
/// Longest body that is kept beside its act, bytes: the longest that a row takes, with what is around it.
const MAX_KEPT_BYTES: usize = 60 << 10;
/// A body that takes longer is given up.
const BODY_WAIT: Duration = Duration::from_secs(20);
/// What [`to_bytes`] says of a body above the limit: its error has no kind.
const TOO_LONG: &str = "length limit";
/// The act that says of an earlier one that it was not done.
const REFUSED: &str = "refused";

/// Writes an act down before its route sees it, and behind it that it was refused, if it was. What can't be written down is
/// not done.
pub(crate) async fn record(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) || !may_act(&app, &request) {
        return next.run(request).await;
    }
    let (act, request) = match asked(&app, request).await {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    let act = match app.read(move |store| store.record_act(&act)).await {
        Ok(act) => act,
        Err(problem) => return problem.into_response(),
    };
    let response = next.run(request).await;
    // What it recorded is told at once.
    app.parts.hub.wake();
    if response.status().is_client_error() || response.status().is_server_error() {
        tell_refusal(&app, &act, response.status()).await;
    }
    response
}

/// Nothing is written down for those whose token does not let them act: the route refuses them.
fn may_act(app: &App, request: &Request) -> bool {
    app.scope(request.headers()).is_ok_and(|scope| scope == Scope::Trade)
}

/// What is asked for, and the request as it was.
async fn asked(app: &App, request: Request) -> Result<(NewAct, Request), Problem> {
    let (parts, body) = request.into_parts();
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let too_large = || Problem::too_large(format!("a body has at most {MAX_BODY_BYTES} bytes"));
    if declared.is_some_and(|bytes: usize| bytes > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let bytes = match tokio::time::timeout(BODY_WAIT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if error.to_string().contains(TOO_LONG) => return Err(too_large()),
        Ok(Err(_)) => return Err(Problem::malformed("the body broke off, or is not sent as HTTP wants it")),
        Err(_) => {
            return Err(Problem::slow(format!("the body did not come within {} s", BODY_WAIT.as_secs())));
        }
    };
    let said: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let path = parts.uri.path();
    let mut subject = path.strip_prefix("/api/").unwrap_or(path).to_owned();
    subject.truncate(subject.floor_char_boundary(MAX_SUBJECT_BYTES));
    let act = NewAct {
        actor: if app.tokens.is_some() { BEARER } else { ANYBODY }.to_owned(),
        act: format!("{} {route}", parts.method),
        subject,
        reason: said["reason"].as_str().unwrap_or_default().to_owned(),
        details: match said {
            said @ Value::Object(_) if bytes.len() <= MAX_KEPT_BYTES => json!({ "body": said }),
            _ => json!({ "body_bytes": bytes.len() }),
        },
    };
    Ok((act, Request::from_parts(parts, Body::from(bytes))))
}

async fn tell_refusal(app: &App, act: &Act, status: StatusCode) {
    let refused = NewAct {
        actor: act.actor.clone(),
        act: REFUSED.to_owned(),
        subject: act.subject.clone(),
        reason: String::new(),
        details: json!({ "of": act.seq, "status": status.as_u16() }),
    };
    if let Err(problem) = app.read(move |store| store.record_act(&refused)).await {
        tracing::warn!(?problem, "that an act was refused could not be written down");
    }
}
