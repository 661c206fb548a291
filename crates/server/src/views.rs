//! What is told, as it is written: the records of the store in the form that clients rely on. Times are UTC, RFC 3339.

mod cycle;
mod data;
mod experiment;
mod line;
mod live;
mod live_rows;
mod model;
mod recipe;
mod schedule;
mod shadows;

pub(crate) use cycle::{CycleView, VerdictView};
pub(crate) use data::{DataDetailView, DataView};
pub(crate) use experiment::{ExperimentView, IterationView, TradeView};
pub(crate) use line::{ChampionView, HeldView, LineView, PromotedView};
pub(crate) use live::{SessionView, StatusView};
pub(crate) use live_rows::{LiveBarView, LiveEventView, LiveFillView, LiveSwapView};
pub(crate) use model::{ModelContext, ModelDetailView, ModelView, PromotionView};
pub(crate) use recipe::{DatasetView, PackView};
pub(crate) use schedule::ScheduleStatusView;
pub(crate) use shadows::WatchView;
