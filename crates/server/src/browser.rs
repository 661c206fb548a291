//! What keeps another site's page out: a browser sends its cookies and reaches loopback for anybody.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::Response;

use crate::problem::Problem;

/// Most names that a server may be reached by.
pub(crate) const MAX_HOSTS: usize = 16;

/// The names and addresses that a server is reached by. A request for another name was led here by somebody else's name
/// server (DNS rebinding), or was meant for somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Lower-case names without a port.
    names: Vec<String>,
}

impl Hosts {
    /// Loopback's names, the address that is listened on, and more names.
    pub(crate) fn of(address: SocketAddr, more: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        if !address.ip().is_unspecified() {
            names.push(match address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            });
        }
        names.extend(more.iter().map(|name| name.to_ascii_lowercase()));
        Self { names }
    }

    fn has(&self, authority: &str) -> bool {
        let name = without_port(authority).to_ascii_lowercase();
        self.names.contains(&name)
    }

    /// Refuses a request that names another host, or comes from a page of another origin.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
        let host = uri.authority().map(|it| it.as_str().to_owned());
        let host = host.or_else(|| headers.get(header::HOST).map(text)).unwrap_or_default();
        if !self.has(&host) {
            return Err(Problem::misdirected(format!(
                "this server is not '{}': use its address, or name the host in the setting api.hosts",
                shown(&host)
            )));
        }
        let Some(origin) = headers.get(header::ORIGIN).map(text) else { return Ok(()) };
        // A page that this server has served has its scheme and authority. A proxy may have added the s.
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        match authority.is_some_and(|authority| authority.eq_ignore_ascii_case(&host)) {
            true => Ok(()),
            false => Err(Problem::forbidden(format!(
                "a page of '{}' may not use this server: open the server's own page",
                shown(&origin)
            ))),
        }
    }
}

/// The beginning of what somebody sent.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    text.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

/// What a browser may do with an answer: run the page's own scripts, and nothing else; nobody frames it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src \
'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds what a browser has to know about every answer.
pub(crate) fn harden(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is told may be nobody else's business, and is out of date at once.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(host: &str, origin: Option<&str>) -> u16 {
        let hosts = Hosts::of("127.0.0.1:8420".parse().unwrap(), &["Box.local".to_owned()]);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let checked = hosts.check(&Uri::from_static("/api/health"), &headers);
        checked.map_or_else(|problem| problem.status().as_u16(), |()| 200)
    }

    #[test]
    fn a_name_that_is_not_the_server_s_is_refused() {
        for own in ["127.0.0.1:8420", "localhost:8420", "localhost", "[::1]:8420", "box.local", "BOX.local:1"]
        {
            assert_eq!(status(own, None), 200, "{own}");
        }
        for other in
            ["", "evil.example", "127.0.0.1.evil.example:8420", "localhost.evil", "[::2]:8420", ":8420"]
        {
            assert_eq!(status(other, None), 421, "{other}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused_also_one_of_another_port() {
        assert_eq!(status("localhost:8420", Some("http://localhost:8420")), 200);
        assert_eq!(status("box.local", Some("https://box.local")), 200);
        for other in [
            "null",
            "http://localhost:3000",
            "http://evil.example",
            "file://localhost:8420",
            "localhost:8420",
        ] {
            assert_eq!(status("localhost:8420", Some(other)), 403, "{other}");
        }
    }
}
