//! The description of all routes, made from the routes themselves.

mod names;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::IntoResponses;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Problem;
use crate::routes::all;

/// The security scheme's name in the description.
const TOKEN: &str = "token";

/// What any route may answer instead.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it is read by the description alone")]
pub(crate) enum Problems {
    /// The request can't be understood.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(#[to_schema] Problem),
    /// A token is needed.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] Problem),
    /// The token's scope is not enough, or a page of another origin asks.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// It does not exist.
    #[response(status = 404, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// The request names another host.
    #[response(status = 421, content_type = "application/problem+json")]
    Misdirected(#[to_schema] Problem),
    /// Too many requests.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] Problem),
    /// It should not have happened.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(#[to_schema] Problem),
    /// It may work later.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// What a route that changes something may answer besides.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it is read by the description alone")]
pub(crate) enum ChangeProblems {
    /// The body did not come in time.
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(#[to_schema] Problem),
    /// It can't be done as things are.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// The body is too long.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is no JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// A value can't be used.
    #[response(status = 422, content_type = "application/problem+json")]
    Unusable(#[to_schema] Problem),
}

/// What the description says before the first route.
pub(crate) fn head() -> OpenApi {
    let license =
        LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("walkforward")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(TOKENS)).build();
    let components = ComponentsBuilder::new().security_scheme(TOKEN, SecurityScheme::Http(scheme)).build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

const ABOUT: &str = "Keeps a trading model fresh: schedules that retrain it, the evidence on which a new one replaces the \
one that trades, and the traders. Times are UTC, RFC 3339 with milliseconds. Lists are newest first, bounded by `limit`, \
and go on with `before`. What can't be done is answered with a problem document (RFC 9457).";

const TOKENS: &str = "A token of scope `read` sees everything; one of scope `trade` changes it as well. `orchestrate \
serve` prints a link with the token when it makes one, and keeps both in the file `api-tokens.json` of its data folder.";

/// The description of every route, as `/api/openapi.json` serves it.
pub fn description() -> OpenApi {
    let mut described = all().split_for_parts().1;
    for (path, item) in &mut described.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(method, path));
                for parameter in operation.parameters.iter_mut().flatten() {
                    if let RefOr::T(parameter) = parameter {
                        names::constrain(path, parameter);
                    }
                }
            }
        }
    }
    described
}

/// A name that no other operation has, as programs that are made from the description need one.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// This description.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "description",
    responses((status = 200, description = "The description, OpenAPI 3.1", body = Object), Problems)
)]
async fn openapi() -> impl IntoResponse {
    // It is the same for everybody, tells no state, and costs some milliseconds.
    static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let text = TEXT.get_or_init(|| description().to_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_has_a_name_of_its_own_and_every_reference_leads_somewhere() {
        let text = serde_json::to_value(description()).unwrap();
        let methods = text["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
        let ids: Vec<&str> = methods.filter_map(|(_, route)| route["operationId"].as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        let mut rest = vec![&text];
        while let Some(value) = rest.pop() {
            if let Some(reference) = value["$ref"].as_str() {
                assert!(text.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
            }
            rest.extend(value.as_object().into_iter().flat_map(serde_json::Map::values));
            rest.extend(value.as_array().into_iter().flatten());
        }
    }
}
