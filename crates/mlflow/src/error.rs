//! What can go wrong.

use walkforward_store::StoreError;

/// Why something could not be mirrored. No text has a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum MlflowError {
    /// A setting can't be used.
    #[error("{name}: '{value}' is {problem}: expected {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it was; empty where it is a secret.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The proxy's address can't be used; it may hold a password.
    #[error("the proxy of HTTPS_PROXY can't be used: expected an address such as http://proxy:3128")]
    Proxy,
    /// The server can't be reached, or answers that it can't work now.
    #[error("the MLflow server does not answer as it should: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// It wants other credentials.
    #[error(
        "the MLflow server refuses these credentials (status {status}): set MLFLOW_TRACKING_TOKEN, or \
         MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, in the environment of `orchestrate serve`"
    )]
    Denied {
        /// The HTTP status.
        status: u16,
    },
    /// It refuses one request.
    #[error("the MLflow server refuses {what} ({code}): {message}")]
    Refused {
        /// The path of the request.
        what: &'static str,
        /// MLflow's own word for it, or the HTTP status.
        code: String,
        /// Its words.
        message: String,
    },
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of what is done can't be written.
    #[error(transparent)]
    Durable(#[from] walkforward_durable::Error),
}

impl MlflowError {
    /// Whether it is about one run or model, and the next may go well.
    pub(crate) fn is_about_one(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Store(_))
    }

    /// Whether the server says with this word of its own that something is not there, or there already.
    pub(crate) fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}
