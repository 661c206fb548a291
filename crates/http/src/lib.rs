//! How requests that carry secrets travel: the same for every service that is asked.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Error, Proxy, Url};
use rustls::crypto::{CryptoProvider, ring};
use secrecy::{ExposeSecret, SecretString};

/// The address of the proxy can't be used. It may hold a password, so that it is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy is no address, such as http://proxy:3128")]
pub struct BadProxy;

/// A client for `url` whose waits and headers are still to be said. It follows no redirect, which would take what a request
/// carries elsewhere, and makes no attempt by itself: callers count theirs. `proxy` is for an `https` address of another
/// machine alone: what goes to an `http` address or to this machine goes there directly, so that no proxy reads it.
///
/// # Errors
/// The proxy is no address.
pub fn client_for(url: &Url, proxy: Option<&SecretString>) -> Result<ClientBuilder, BadProxy> {
    ensure_tls();
    let mut builder = Client::builder()
        .user_agent(concat!("walkforward/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy();
    if url.scheme() == "http" {
        // Redirects are not followed, so nothing is encrypted and no certificates are needed.
        builder = builder.tls_certs_only([]);
    }
    if let Some(proxy) = proxy.filter(|_| !is_local(url)) {
        builder = builder.proxy(Proxy::https(proxy.expose_secret()).map_err(|_| BadProxy)?);
    }
    Ok(builder)
}

/// Gives the process a TLS provider where it has none; whoever comes second finds it there.
pub fn ensure_tls() {
    if CryptoProvider::get_default().is_none() {
        drop(ring::default_provider().install_default());
    }
}

/// Whether `url` is on this machine.
pub fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error with all its causes, without the address.
pub fn reason(error: Error) -> String {
    let kind = match &error {
        error if error.is_timeout() => "timed out: ",
        error if error.is_connect() => "no connection: ",
        _ => "",
    };
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(format!("{kind}{error}"), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for text in ["http://localhost:1/x", "https://127.0.0.1", "http://127.8.0.1:9", "http://[::1]:80"] {
            assert!(is_local(&url(text)), "{text}");
        }
        for text in
            ["https://example.org", "http://10.0.0.1", "https://localhost.example.org", "http://[::2]"]
        {
            assert!(!is_local(&url(text)), "{text}");
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_without_showing_it_and_only_where_it_is_needed() {
        let proxy = SecretString::from("http://user:hidden@");
        let refused = client_for(&url("https://example.org"), Some(&proxy)).unwrap_err();
        assert!(!refused.to_string().contains("hidden"), "{refused}");
        assert!(client_for(&url("https://127.0.0.1"), Some(&proxy)).is_ok());
    }
}
