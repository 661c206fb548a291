//! What is answered when something is not done: a problem document (RFC 9457).

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use walkforward_core::{ControlError, ErrorKind};
use walkforward_orchestrator::SchedulerError;
use walkforward_store::StoreError;

use crate::{Refusal, RefusalKind};

/// The media type of a problem document.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which the limits let some requests through again.
const RETRY_AFTER_S: &str = "1";

/// Why a request was not done. The media type is `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of problem, for programs: `about:blank#` and a word.
    #[schema(example = "about:blank#unknown")]
    r#type: &'static str,
    /// The same for people.
    #[schema(example = "There is no such thing")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What was wrong this time, what was expected, what to do.
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, r#type: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { r#type, title, status: status.as_u16(), detail: detail.into() }
    }

    /// 400: the request can't be understood.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "about:blank#malformed", "The request can't be understood", detail)
    }

    /// 401: nobody knows who asks.
    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "about:blank#unauthorized", "A token is needed", detail)
    }

    /// 403: whoever asks may not do this.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "about:blank#forbidden", "That is not allowed", detail)
    }

    /// 404: it does not exist.
    pub(crate) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "about:blank#unknown", "There is no such thing", detail)
    }

    /// 405: the place exists, and does not do this.
    pub(crate) fn wrong_method(detail: impl Into<String>) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "about:blank#method", "The method is not known here", detail)
    }

    /// 408: the request did not come to its end.
    pub(crate) fn slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "about:blank#slow", "The request took too long", detail)
    }

    /// 409: it can't be done as things are.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "about:blank#conflict", "It can't be done as things are", detail)
    }

    /// 413: the body is too long.
    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "about:blank#too-large", "The body is too long", detail)
    }

    /// 415: the body is no JSON.
    pub(crate) fn not_json(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "about:blank#media-type", "The body has to be JSON", detail)
    }

    /// 421: the request was meant for another site.
    pub(crate) fn misdirected(detail: impl Into<String>) -> Self {
        let status = StatusCode::MISDIRECTED_REQUEST;
        Self::new(status, "about:blank#host", "The request is meant for another site", detail)
    }

    /// 422: the request is understood, and a value can't be used.
    pub(crate) fn unusable(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "about:blank#unusable", "A value can't be used", detail)
    }

    /// 429: too many requests.
    pub(crate) fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "about:blank#too-many", "Too many requests", detail)
    }

    /// 500: it should not have happened. What did is in the log, under the number in `detail`.
    pub(crate) fn internal(what: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %what, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "about:blank#internal",
            "It should not have happened",
            "the server's log says what happened; nothing was lost",
        )
    }

    /// 503: it may work later.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "about:blank#unavailable", "It may work later", detail)
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            _ => {}
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UnknownRow { .. } => Self::unknown(error.to_string()),
            StoreError::UnknownModel { id, .. } => {
                Self::unknown(format!("there is no model {id}: GET /api/models lists them"))
            }
            StoreError::ReferencedRow { .. }
            | StoreError::PointerMoved { .. }
            | StoreError::NoEarlierChampion { .. }
            | StoreError::OtherMarket { .. }
            | StoreError::RefusedPromotion { .. } => Self::conflict(error.to_string()),
            StoreError::RunLockHeld(_) => Self::unavailable(error.to_string()),
            // What these say names places on the server's disk.
            StoreError::LockHeld { .. }
            | StoreError::Pointer { .. }
            | StoreError::BadModel { .. }
            | StoreError::ForeignModels { .. }
            | StoreError::DatabaseNewer { .. }
            | StoreError::DatabaseOlder { .. }
            | StoreError::DatabaseCorrupt { .. }
            | StoreError::Backup { .. } => {
                tracing::warn!(%error, "a request could not be answered");
                Self::unavailable(
                    "a file of the server is in use or can't be trusted: its log says which, and why",
                )
            }
            _ => match error.kind() {
                ErrorKind::BadInput => Self::unusable(error.to_string()),
                ErrorKind::Retry | ErrorKind::Cancelled => {
                    tracing::warn!(%error, "a request could not be answered");
                    Self::unavailable("the database or a file can't be used at present: see the server's log")
                }
                ErrorKind::Bug => Self::internal(&error),
            },
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused { kind: ErrorKind::BadInput, reason } => Self::unusable(reason),
            ControlError::Refused { kind: ErrorKind::Bug, reason } => Self::internal(&reason),
            ControlError::Refused { reason, .. } => Self::conflict(reason),
            ControlError::Gone { .. } => {
                tracing::warn!(%error, "a session did not answer");
                Self::unavailable(
                    "the session does not answer; what was asked may or may not be done: look at it before you ask again",
                )
            }
            ControlError::TooLong { .. } | ControlError::NoMessage { .. } => Self::internal(&error),
        }
    }
}

impl From<SchedulerError> for Problem {
    fn from(error: SchedulerError) -> Self {
        match &error {
            SchedulerError::Unknown { .. } => Self::unknown(error.to_string()),
            SchedulerError::Refused(_) => Self::conflict(error.to_string()),
            SchedulerError::Busy { .. } => Self::conflict(error.to_string()),
            SchedulerError::Unusable { .. } => Self::unusable(error.to_string()),
            SchedulerError::NotRecorded { .. } | SchedulerError::Blocked { .. } => {
                tracing::warn!(%error, "a command could not be recorded");
                Self::unavailable(
                    "nothing can be recorded at present, and so nothing was done: see the server's log",
                )
            }
            SchedulerError::NotRunning => Self::unavailable("the server is stopping"),
            _ => Self::internal(&error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Refusal { kind, detail } = refusal;
        match kind {
            RefusalKind::Unusable => Self::unusable(detail),
            RefusalKind::Unknown => Self::unknown(detail),
            RefusalKind::Conflict => Self::conflict(detail),
            RefusalKind::Unavailable => Self::unavailable(detail),
            RefusalKind::Internal => Self::internal(&detail),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let detail = rejection.body_text();
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(detail),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::not_json("send it with the header 'content-type: application/json'")
            }
            StatusCode::UNPROCESSABLE_ENTITY => Self::unusable(detail),
            _ => Self::malformed(detail),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::malformed(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::unknown(rejection.body_text())
    }
}
