//! The page: files that the build embedded. They tell nothing of the server's state, and so need no token.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use twox_hash::XxHash64;

use crate::app::nowhere;

include!(concat!(env!("OUT_DIR"), "/dashboard_files.rs"));

/// The page itself, whatever place in it the address names.
const INDEX: &str = "index.html";
/// Files whose name has a hash of their content lie here.
const HASHED: &str = "assets/";
/// Roots of what is no part of the page.
const NOT_PAGES: [&str; 3] = ["api", "ws", "metrics"];
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const ASK_EACH_TIME: &str = "no-cache";

/// Whether the page is embedded; else a notice stands in for it.
pub const fn has_dashboard() -> bool {
    !FILES.is_empty()
}

/// A file of the page, the page itself for an address in it, or that nothing is there.
pub(crate) async fn page(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let root = path.split('/').next().unwrap_or_default();
    if !is_read || NOT_PAGES.contains(&root) {
        return nowhere(request).await.into_response();
    }
    let name = if path.is_empty() { INDEX } else { path };
    match find(name) {
        Some((name, content)) => file(request.headers(), name, content),
        None if path.is_empty() || wants_html(request.headers()) => index(request.headers()),
        None => nowhere(request).await.into_response(),
    }
}

fn find(name: &str) -> Option<(&'static str, &'static [u8])> {
    FILES.iter().find(|(known, _)| *known == name).copied()
}

fn index(headers: &HeaderMap) -> Response {
    match find(INDEX) {
        Some((name, content)) => file(headers, name, content),
        None => (StatusCode::OK, [(header::CONTENT_TYPE, content_type(INDEX))], notice()).into_response(),
    }
}

/// What is shown where the page is not embedded.
fn notice() -> String {
    let why = WITHOUT.unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>walkforward</title><body><h1>walkforward</h1>\
         <p>The server runs. It has no page: {why}.</p><p>Build it in release, or with \
         <code>WALKFORWARD_DASHBOARD=on</code>, and npm installed to have it. The interface works without it: \
         <a href=\"/api/openapi.json\">/api/openapi.json</a> describes it.</p></body></html>\n"
    )
}

fn file(headers: &HeaderMap, name: &str, content: &'static [u8]) -> Response {
    let tag = format!("\"{:016x}\"", XxHash64::oneshot(0, content));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known =
        known.is_some_and(|known| known.split(',').any(|it| it.trim().trim_start_matches("W/") == tag));
    let kept = if name.starts_with(HASHED) { IMMUTABLE } else { ASK_EACH_TIME };
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, content_type(name))], content).into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    async fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(path), |it, (name, value)| it.header(*name, *value));
        page(request.body(Body::empty()).unwrap()).await
    }

    fn header_of<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn an_address_of_the_page_is_answered_with_it_and_any_other_is_not() {
        let html = [("accept", "text/html,application/xhtml+xml")];
        for path in ["/", "/continuous", "/models/model-1"] {
            let response = ask("GET", path, &html).await;
            assert_eq!(response.status(), 200, "{path}");
            assert!(header_of(&response, "content-type").starts_with("text/html"), "{path}");
            let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            assert!(String::from_utf8_lossy(&body).contains("walkforward"), "{path}");
        }
        for path in ["/api", "/api/nothing", "/ws", "/ws/x", "/metrics", "/metrics/x"] {
            assert_eq!(ask("GET", path, &html).await.status(), 404, "{path}");
        }
        assert_eq!(ask("GET", "/assets/gone.js", &[("accept", "*/*")]).await.status(), 404);
        assert_eq!(ask("POST", "/continuous", &html).await.status(), 404);
    }

    #[tokio::test]
    async fn a_file_is_sent_once_and_kept_for_ever_only_where_its_name_changes_with_it() {
        let answer = |name, headers: &HeaderMap| file(headers, name, b"1");
        let first = answer("assets/index-1a2b.js", &HeaderMap::new());
        assert_eq!(header_of(&first, "cache-control"), IMMUTABLE);
        assert_eq!(header_of(&first, "content-type"), "text/javascript; charset=utf-8");
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let again = answer(INDEX, &headers);
        assert_eq!((again.status().as_u16(), header_of(&again, "cache-control")), (304, ASK_EACH_TIME));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"0\""));
        assert_eq!(answer(INDEX, &headers).status(), 200);
    }

    #[tokio::test]
    async fn every_embedded_file_has_a_type_that_a_browser_takes() {
        for (name, content) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}");
            assert!(!content.is_empty(), "{name}");
        }
        assert_eq!(WITHOUT.is_none(), has_dashboard());
    }

    /// The page's types are made from this file.
    #[test]
    fn the_description_that_the_page_is_made_from_is_the_server_s() {
        let kept = include_str!("../../../dashboard/openapi.json");
        let now = crate::description().to_pretty_json().unwrap() + "\n";
        assert!(
            kept == now,
            "dashboard/openapi.json is stale: run `cargo run -p walkforward-server --example openapi > \
             dashboard/openapi.json`, then `npm run types` in dashboard/"
        );
    }
}
