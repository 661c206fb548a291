//! The routes, by what they are about.

mod continuous;
mod health;
mod query;
mod schedules;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::openapi;

/// Every route, with its description.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::head())
        .merge(health::routes())
        .merge(continuous::routes())
        .merge(schedules::routes())
        .merge(openapi::routes())
}
