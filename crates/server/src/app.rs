//! The state of a server, how its routes read a request, and what every request passes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use walkforward_store::{Store, StoreError};

use crate::access::{Scope, require};
use crate::browser::{Hosts, harden};
use crate::problem::Problem;
use crate::server::limits::Limiter;
use crate::{ServerParts, Tokens};

/// An answer that takes longer is given up: a command may wait for the database as long as the scheduler tries to record.
const ANSWER_WAIT: Duration = Duration::from_secs(65);

/// What every route can reach. Clones share it.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) parts: ServerParts,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) hosts: Hosts,
    pub(crate) limiter: Limiter,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Asks the store away from the tasks that answer.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = Arc::clone(&self.parts.store);
        let asked = tokio::task::spawn_blocking(move || ask(&store)).await;
        asked.map_err(|error| Problem::internal(&error))?.map_err(Problem::from)
    }

    /// As [`read`](Self::read), for what is looked at and changed in one go, and may be refused in between.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        let worked = tokio::task::spawn_blocking(move || work(&app)).await;
        worked.map_err(|error| Problem::internal(&error))?
    }

    /// What whoever sends these headers may do.
    pub(crate) fn scope(&self, headers: &HeaderMap) -> Result<Scope, Problem> {
        let Some(tokens) = &self.tokens else { return Ok(Scope::Trade) };
        tokens.scope_of(headers)
    }
}

/// Whoever asks may see everything.
pub(crate) struct MayRead;

/// Whoever asks may change everything.
pub(crate) struct MayTrade;

impl FromRequestParts<App> for MayRead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        require(app.scope(&parts.headers)?, Scope::Read).map(|()| Self)
    }
}

impl FromRequestParts<App> for MayTrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        require(app.scope(&parts.headers)?, Scope::Trade).map(|()| Self)
    }
}

/// JSON in and out; what is no JSON is answered with a [`Problem`].
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The part of the address behind the question mark.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// The parts of the address that a route names.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub(crate) T);

/// What every request passes before its route, and every answer behind it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let admitted = app.limiter.admit().and_then(|()| app.hosts.check(request.uri(), request.headers()));
    let mut response = match admitted {
        Ok(()) => answer(request, next).await,
        Err(problem) => problem.into_response(),
    };
    if response.status() == StatusCode::UNAUTHORIZED
        && let Err(problem) = app.limiter.admit_stranger()
    {
        response = problem.into_response();
    }
    harden(&mut response);
    response
}

async fn answer(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WAIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable(
            "no answer came in time; what was asked may or may not be done: look at its state before you ask again",
        )
        .into_response(),
    }
}

/// Where nothing is.
pub(crate) async fn nowhere(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(120).collect();
    Problem::unknown(format!("there is nothing at '{path}': /api/openapi.json lists what there is"))
}

/// A place that does not do what was asked of it.
pub(crate) async fn wrong_method(request: Request) -> Problem {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    Problem::wrong_method(format!("{path} does not take {method}: /api/openapi.json says what it takes"))
}
