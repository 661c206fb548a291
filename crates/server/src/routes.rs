//! The routes, by what they are about.

mod audit;
mod continuous;
mod data;
mod datasets;
mod events;
mod experiments;
mod health;
mod lines;
mod live;
mod metrics;
mod models;
mod packs;
mod query;
mod schedules;
mod training;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::{openapi, ws};

/// Every route, with its description.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::head())
        .merge(health::routes())
        .merge(continuous::routes())
        .merge(schedules::routes())
        .merge(training::routes())
        .merge(experiments::routes())
        .merge(packs::routes())
        .merge(datasets::routes())
        .merge(data::routes())
        .merge(lines::routes())
        .merge(models::routes())
        .merge(live::routes())
        .merge(events::routes())
        .merge(audit::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
        .merge(ws::routes())
}
