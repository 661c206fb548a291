//! Answers as gzip for those who take it: the page's files and long lists. No answer has a secret in it, so how long it
//! comes out as tells nobody one.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use tower_http::compression::predicate::{And, NotForContentType, SizeAbove};
use tower_http::compression::{CompressionLayer, Predicate};

/// Answers that are shorter go as they are: they fit one packet. Bytes.
const MIN_BYTES: u16 = 1_024;

/// What is worth it: long, and not packed already. The answer that begins a WebSocket is empty, and stays as it is.
type Worthwhile = And<And<SizeAbove, NotForContentType>, NotForContentType>;

pub(super) fn layer() -> CompressionLayer<Worthwhile> {
    let fonts = NotForContentType::const_new("font/");
    let worthwhile = SizeAbove::new(MIN_BYTES).and(NotForContentType::IMAGES).and(fonts);
    CompressionLayer::new().compress_when(worthwhile)
}

/// Says what a cache has to know: an answer with a tag has two forms, and their bytes differ, so that the tag of the packed
/// one can't be a strong one.
pub(super) async fn settle(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let Some(tag) = headers.get(header::ETAG).cloned() else { return response };
    headers.entry(header::VARY).or_insert(HeaderValue::from_static("accept-encoding"));
    let weak = [b"W/", tag.as_bytes()].concat();
    if headers.contains_key(header::CONTENT_ENCODING)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&weak)
    {
        headers.insert(header::ETAG, weak);
    }
    response
}
