//! Requests to the tracking server.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use walkforward_http::{client_for, reason};

use crate::{Credentials, MlflowError, TrackingServer};

const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// A whole request with its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// Longest answer that is read, bytes: one run with its thousand parameters is a tenth of it.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// Characters of the server's words that are kept.
const MAX_MESSAGE_CHARS: usize = 500;

/// A client of one server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
}

impl Client {
    /// A client; nothing is asked yet.
    pub(crate) fn new(server: &TrackingServer) -> Result<Self, MlflowError> {
        let builder = client_for(&server.uri, server.proxy.as_ref()).map_err(|_| MlflowError::Proxy)?;
        let built = builder.connect_timeout(CONNECT_WAIT).timeout(ANSWER_WAIT).build();
        let http = built.map_err(unavailable)?;
        Ok(Self { http, base: server.uri.clone(), credentials: server.credentials.clone() })
    }

    /// `POST` of a body, and the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        what: &'static str,
        body: &Value,
    ) -> Result<T, MlflowError> {
        let request = self.http.post(self.address(what, &[]));
        self.send(what, with_body(request, body)).await
    }

    /// `DELETE` with a body, and the answer.
    pub(crate) async fn delete<T: DeserializeOwned>(
        &self,
        what: &'static str,
        body: &Value,
    ) -> Result<T, MlflowError> {
        let request = self.http.delete(self.address(what, &[]));
        self.send(what, with_body(request, body)).await
    }

    /// `GET`, and the answer.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        query: &[(&str, &str)],
    ) -> Result<T, MlflowError> {
        self.send(what, self.http.get(self.address(what, query))).await
    }

    fn address(&self, what: &str, query: &[(&str, &str)]) -> Url {
        let mut address = self.base.clone();
        let path = format!("{}/api/2.0/mlflow/{what}", self.base.path().trim_end_matches('/'));
        address.set_path(&path);
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        address
    }

    async fn send<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<T, MlflowError> {
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Token(token) => request.bearer_auth(token.expose_secret()),
            Credentials::Password { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
        };
        let response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let body = body(response).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| MlflowError::Unavailable {
                reason: format!("its answer to {what} is none of MLflow's: {error}"),
            });
        }
        Err(refusal(what, status, &body))
    }
}

fn with_body(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.to_string())
}

async fn body(mut response: Response) -> Result<Vec<u8>, MlflowError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
            let reason = format!("its answer is longer than {MAX_ANSWER_BYTES} bytes");
            return Err(MlflowError::Unavailable { reason });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The error of an answer that is no success. What the server can't do now is not the fault of what was asked.
fn refusal(what: &'static str, status: StatusCode, body: &[u8]) -> MlflowError {
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return MlflowError::Denied { status: status.as_u16() };
    }
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |key: &str| said[key].as_str().map(|text| text.chars().take(MAX_MESSAGE_CHARS).collect());
    let is_request_s = status.is_client_error()
        && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    // What is no answer of MLflow's is that of something before it.
    match word("error_code") {
        Some(code) if is_request_s => {
            MlflowError::Refused { what, code, message: word("message").unwrap_or_default() }
        }
        _ => MlflowError::Unavailable { reason: format!("it answers {what} with status {status}") },
    }
}

fn unavailable(error: reqwest::Error) -> MlflowError {
    MlflowError::Unavailable { reason: reason(error).chars().take(MAX_MESSAGE_CHARS).collect() }
}
