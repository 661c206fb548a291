//! What lists have in common: how many rows, and which ones.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;
use utoipa::IntoParams;

use crate::problem::Problem;

/// Rows of a list that names no number.
pub(super) const DEFAULT_LIMIT: u32 = 50;
/// Most rows of a list.
pub(super) const MAX_LIMIT: u32 = 1_000;

/// The number of rows that was asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(Problem::unusable(format!("limit = {other}: expected 1 to {MAX_LIMIT}"))),
    }
}

/// A value of the address, read; what can't be read is named.
pub(super) fn parsed<T>(name: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::unusable(format!("{name}: {error}")))
}

/// A value of the address that may be left out.
pub(super) fn parsed_if<T>(name: &str, text: Option<&str>) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| parsed(name, text)).transpose()
}

/// Whether a page of `rows` has all that it may have, so that there may be another.
pub(super) fn is_full(rows: usize, limit: u32) -> bool {
    rows as u64 == u64::from(limit)
}

/// Which rows of a list that grows at its end.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AfterQuery {
    /// Only rows with a larger number; default: from the first.
    pub(super) after: Option<u64>,
    /// Most rows, 1 to 1000; default 50.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u32>,
}

/// `body` as JSON with a tag of its content; nothing but the tag where the asker has it already.
pub(super) fn tagged(headers: &HeaderMap, body: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    let tag = format!("\"{:016x}\"", XxHash64::oneshot(0, &text));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|it| matches(it.trim(), &tag)));
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    // It may be kept, and has to be asked for each time.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

fn matches(known: &str, tag: &str) -> bool {
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_within_its_bounds_or_refused() {
        assert_eq!(limit(None).unwrap(), DEFAULT_LIMIT);
        assert_eq!(limit(Some(1_000)).unwrap(), 1_000);
        for wrong in [0, 1_001, u32::MAX] {
            assert_eq!(limit(Some(wrong)).unwrap_err().status().as_u16(), 422);
        }
    }

    #[test]
    fn what_the_asker_has_already_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        let first = tagged(&headers, &[1, 2, 3]).unwrap();
        assert_eq!(first.status(), 200);
        let tag = first.headers()[header::ETAG].clone();
        headers.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(tagged(&headers, &[1, 2, 3]).unwrap().status(), 304);
        assert_eq!(tagged(&headers, &[1, 2, 4]).unwrap().status(), 200);
    }
}
