//! Where a tracking server is, and how a mirror works.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use crate::MlflowError;

/// Longest name before a line's own, bytes: MLflow allows 500 for an experiment's whole name, and a line's is short.
const MAX_PREFIX_BYTES: usize = 100;

/// What the server wants to see.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// `MLFLOW_TRACKING_TOKEN`.
    Token(SecretString),
    /// `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.
    Password {
        /// Who.
        username: String,
        /// Their password.
        password: SecretString,
    },
}

/// A tracking server, and the names that things have there.
#[derive(Debug, Clone)]
pub struct TrackingServer {
    pub(crate) uri: Url,
    pub(crate) prefix: String,
    pub(crate) credentials: Credentials,
    pub(crate) proxy: Option<SecretString>,
}

impl TrackingServer {
    /// The server at `uri` (`http://127.0.0.1:5000`); experiments are `<prefix>/<line>`, registered models
    /// `<prefix>-<line>`.
    ///
    /// # Errors
    /// The address is none of a server, has a user or a query in it, or the prefix is empty, longer than 100 bytes, or has
    /// other characters than letters, digits, `-`, `_` and `.`.
    pub fn new(uri: &str, prefix: &str, credentials: Credentials) -> Result<Self, MlflowError> {
        let refuse = |problem, value: &str| MlflowError::Setting {
            name: "mlflow.tracking_uri",
            value: value.to_owned(),
            problem,
            expected: "the address of a tracking server such as http://127.0.0.1:5000",
        };
        let mut parsed = Url::parse(uri).map_err(|_| refuse("no address", uri))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(refuse("not of a server", uri));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refuse("one with a user or a password, which belong into the environment", ""));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse("one with a query", uri));
        }
        let path = parsed.path().trim_end_matches('/').to_owned();
        parsed.set_path(&path);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_prefix = (1..=MAX_PREFIX_BYTES).contains(&prefix.len())
            && prefix.bytes().all(is_name)
            && !prefix.starts_with('.');
        if !is_prefix {
            return Err(MlflowError::Setting {
                name: "mlflow.experiment",
                value: prefix.chars().take(MAX_PREFIX_BYTES).collect(),
                problem: "no name",
                expected: "1 to 100 letters, digits, '-', '_' and '.', not beginning with '.'",
            });
        }
        Ok(Self { uri: parsed, prefix: prefix.to_owned(), credentials, proxy: None })
    }

    /// Reached through `proxy` where it is an `https` server on another machine.
    #[must_use]
    pub fn behind(self, proxy: Option<SecretString>) -> Self {
        Self { proxy, ..self }
    }
}

impl fmt::Display for TrackingServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri.as_str())
    }
}

/// How a mirror works.
#[derive(Debug, Clone)]
pub struct MirrorOptions {
    /// The folder of the file that says what is done.
    pub folder: PathBuf,
    /// Time between two looks at the store.
    pub look: Duration,
    /// Wait behind the first failure; it doubles with each.
    pub first_retry: Duration,
    /// Longest wait.
    pub longest_retry: Duration,
}

impl MirrorOptions {
    /// Looks every 10 s, and tries again after 5 s to 10 min.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            look: Duration::from_secs(10),
            first_retry: Duration::from_secs(5),
            longest_retry: Duration::from_secs(600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_or_has_a_secret_in_it_is_refused_without_showing_that() {
        let of = |uri: &str, prefix: &str| TrackingServer::new(uri, prefix, Credentials::None);
        assert_eq!(of("https://mlflow.example/sub/", "a").unwrap().to_string(), "https://mlflow.example/sub");
        for wrong in ["", "mlflow", "file:///tmp/x", "sqlite:///x.db", "http://h/?a=b", "databricks"] {
            assert!(of(wrong, "a").is_err(), "{wrong}");
        }
        let told = of("http://me:hidden@h/", "a").unwrap_err().to_string();
        assert!(told.contains("environment") && !told.contains("hidden"), "{told}");
        for wrong in ["", "a/b", "a b", ".a", &"x".repeat(101)] {
            assert!(
                of("http://h", wrong).unwrap_err().to_string().starts_with("mlflow.experiment"),
                "{wrong}"
            );
        }
    }
}
