//! Figures for Prometheus.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use walkforward_orchestrator::Overview;
use walkforward_store::{Store, StoreError};

use crate::app::{App, MayRead};
use crate::openapi::Problems;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Schedules whose newest cycle is looked at: the rest would make each scrape slow.
const MAX_LOOKED_AT: usize = 1_000;
/// The text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Figures of the server in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "metrics",
    responses((status = 200, description = "The figures", body = String, content_type = "text/plain"), Problems),
    security(("token" = ["read"]))
)]
async fn metrics(State(app): State<App>, _may: MayRead) -> Result<impl IntoResponse, Problem> {
    let counts = app.read(Counts::of).await?;
    let experiments = app.parts.operator.running().len();
    let text = page(&counts, &app.parts.scheduler.overview(), experiments);
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], text))
}

/// What the database says.
#[derive(Default)]
struct Counts {
    schedules: BTreeMap<String, usize>,
    newest_cycles: BTreeMap<String, usize>,
    failing: usize,
    last_event: i64,
}

impl Counts {
    fn of(store: &Store) -> Result<Self, StoreError> {
        let mut counts = Self { last_event: store.last_event()?, ..Self::default() };
        for (index, schedule) in store.schedules()?.into_iter().enumerate() {
            *counts.schedules.entry(schedule.status.to_string()).or_default() += 1;
            counts.failing += usize::from(schedule.consecutive_failures > 0);
            if index >= MAX_LOOKED_AT {
                continue;
            }
            for cycle in store.cycles(&schedule.id, None, 1)? {
                *counts.newest_cycles.entry(cycle.status.to_string()).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

fn page(counts: &Counts, overview: &Overview, experiments: usize) -> String {
    let mut page = Page::default();
    let version = env!("CARGO_PKG_VERSION");
    page.family("walkforward_build_info", "Version of the program", [(format!("version=\"{version}\""), 1)]);
    let by_status = |counts: &BTreeMap<String, usize>| {
        let rows = counts.iter().map(|(status, count)| (format!("status=\"{status}\""), *count));
        rows.collect::<Vec<_>>()
    };
    page.family("walkforward_schedules", "Schedules by what they do", by_status(&counts.schedules));
    page.family(
        "walkforward_newest_cycles",
        "Schedules by the status of their newest cycle, of the first 1000",
        by_status(&counts.newest_cycles),
    );
    page.one("walkforward_schedules_failing", "Schedules whose last cycle failed", counts.failing);
    page.one("walkforward_cycles_running", "Cycles that run", overview.running);
    page.one("walkforward_cycles_queued", "Cycles that wait for a slot", overview.queued);
    page.one("walkforward_trainings_running", "Slots that are taken", overview.trainings);
    page.one("walkforward_experiments_running", "Trainings without a schedule that run", experiments);
    let recorded = u8::from(overview.not_recorded.is_none());
    page.one("walkforward_can_record", "1 while changes of schedules can be recorded", recorded);
    page.one("walkforward_last_event", "Number of the newest event", counts.last_event);
    page.text
}

/// Lines of the text format.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family<V: Display>(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (String, V)>) {
        // Nothing fails when a text is written to.
        let _ = writeln!(self.text, "# HELP {name} {help}.\n# TYPE {name} gauge");
        for (labels, value) in rows {
            let _ = writeln!(self.text, "{name}{{{labels}}} {value}");
        }
    }

    fn one(&mut self, name: &str, help: &str, value: impl Display) {
        let _ = writeln!(self.text, "# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}");
    }
}
