//! The HTTP client underneath: keys, TLS, proxy.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use rustls::crypto::{CryptoProvider, ring};
use secrecy::{ExposeSecret, SecretString};

use crate::query::is_local;
use crate::{AlpacaConfig, AlpacaError, Keys};

/// Longest rest of a connection that is used again. Services close theirs after a minute or so, and an order that meets
/// a closing connection is one of which nobody knows whether it arrived.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// Gives the process a TLS provider where it has none; whoever comes second finds it there.
pub(crate) fn ensure_tls() {
    if CryptoProvider::get_default().is_none() {
        drop(ring::default_provider().install_default());
    }
}

/// A client that sends keys, follows no redirect and counts no attempt by itself.
pub(super) fn client(config: &AlpacaConfig, base_url: &Url) -> Result<Client, AlpacaError> {
    ensure_tls();
    let mut builder = Client::builder()
        .user_agent(concat!("walkforward/", env!("CARGO_PKG_VERSION")))
        .default_headers(key_headers(config.keys.as_ref())?)
        .redirect(reqwest::redirect::Policy::none())
        // Attempts are counted here.
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_idle_timeout(POOL_IDLE)
        .no_proxy()
        .connect_timeout(config.timeouts.connect)
        .read_timeout(config.timeouts.read);
    if base_url.scheme() == "http" {
        // Redirects are not followed, so nothing is encrypted and no certificates are needed.
        builder = builder.tls_certs_only([]);
    }
    if let Some(proxy) = config.proxy.as_ref().filter(|_| !is_local(base_url)) {
        let expected = "an address such as http://proxy:3128";
        // Not of http: the proxy would read the keys.
        let proxy = reqwest::Proxy::https(proxy.expose_secret())
            .map_err(|_| AlpacaError::setting("proxy", "no address", expected))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| AlpacaError::Client { reason: super::reason(error) })
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
