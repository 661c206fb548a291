//! What a model was made from and for whom: the keys `recipe` and `madeFor` of `metadata.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use walkforward_core::{DatasetRequest, Timestamp, Window};

use crate::{ExperimentId, ScheduleId};

/// From what a model can be made again, beside the pack, the seed and the parent of its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipe {
    /// Settings of source, market, costs and trainer by key, as texts; no secret is among them. Files are named by
    /// absolute paths.
    pub settings: BTreeMap<String, String>,
    /// The bars that were asked for, with the run's own "now" and timeframe; its own keys are snake_case.
    pub dataset: DatasetRequest,
    /// What they were read from.
    pub source: String,
    /// The window, hold-out included.
    pub window: Window,
    /// Start of the hold-out.
    pub split: Timestamp,
    /// Bars before the window that feed features.
    pub history_bars: usize,
    /// Threads that the training had. The result does not depend on it.
    pub threads: usize,
}

/// Who asked for a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeFor {
    /// The experiment that it is the result of.
    pub experiment_id: Option<ExperimentId>,
    /// The schedule of the cycle that made it.
    pub schedule_id: Option<ScheduleId>,
    /// The cycle's number in its schedule.
    pub cycle: Option<u64>,
}
