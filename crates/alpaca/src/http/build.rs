//! The HTTP client underneath: keys, TLS, proxy.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use walkforward_http::client_for;

use crate::{AlpacaConfig, AlpacaError, Keys};

/// Longest rest of a connection that is used again. Services close theirs after a minute or so, and an order that meets
/// a closing connection is one of which nobody knows whether it arrived.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// A client that sends keys. Attempts are counted here.
pub(super) fn client(config: &AlpacaConfig, base_url: &Url) -> Result<Client, AlpacaError> {
    let expected = "an address such as http://proxy:3128";
    client_for(base_url, config.proxy.as_ref())
        .map_err(|_| AlpacaError::setting("proxy", "no address", expected))?
        .default_headers(key_headers(config.keys.as_ref())?)
        .pool_idle_timeout(POOL_IDLE)
        .connect_timeout(config.timeouts.connect)
        .read_timeout(config.timeouts.read)
        .build()
        .map_err(|error| AlpacaError::Client { reason: super::reason(error) })
}

fn key_headers(keys: Option<&Keys>) -> Result<HeaderMap, AlpacaError> {
    let mut headers = HeaderMap::new();
    let Some(Keys { id, secret }) = keys else { return Ok(headers) };
    let value = |name, key: &SecretString| {
        let value = HeaderValue::from_str(key.expose_secret()).ok().filter(|value| !value.is_empty());
        let mut value = value.ok_or_else(|| {
            AlpacaError::setting(name, "empty or not printable", "the key as it was given out")
        })?;
        value.set_sensitive(true);
        Ok::<_, AlpacaError>(value)
    };
    headers.insert("apca-api-key-id", value("the key id", id)?);
    headers.insert("apca-api-secret-key", value("the secret key", secret)?);
    Ok(headers)
}
