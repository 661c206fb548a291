//! Continuing from a parent model.

use serde::{Deserialize, Serialize};
use walkforward_core::{MarketCalendar, ModelRef, NetworkSpec, Normaliser, TrainingJob};
use walkforward_policy::{BundleError, PolicySpec, load_bundle, load_optimizer};

use crate::backend::Origin;
use crate::{PpoConfig, TrainerError};

/// Which normaliser a training has that continues from a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormaliserPolicy {
    /// The parent's, bit for bit: an input keeps its meaning to the inherited weights.
    #[default]
    Frozen,
    /// One fitted on the child's own training rows: inputs stay centred as the market moves on.
    Refit,
}

/// How a training starts.
pub(crate) enum Start {
    /// From a parent.
    Warm(Inheritance),
    /// From fresh weights.
    Cold {
        /// Why not from the job's parent; none when the job has none.
        reason: Option<String>,
    },
}

/// What a parent leaves to its child.
pub(crate) struct Inheritance {
    pub(crate) origin: Origin,
    /// None where the child fits its own.
    pub(crate) normaliser: Option<Normaliser>,
}

/// Loads the parent of `job`; one that was made for something else leaves nothing. A parent without an optimiser file
/// gives a fresh optimiser.
pub(crate) fn inherit(
    job: &TrainingJob,
    config: &PpoConfig,
    network: &NetworkSpec,
) -> Result<Start, TrainerError> {
    let Some(ModelRef { dir, sha256, .. }) = &job.parent else { return Ok(Start::Cold { reason: None }) };
    let bundle = load_bundle(dir, sha256)?;
    let spec = walkforward_core::Policy::spec(&bundle.policy);
    if let Some(reason) = difference(spec, job, config, network) {
        return Ok(Start::Cold { reason: Some(reason) });
    }
    let optimizer = match load_optimizer(dir, sha256) {
        Ok(state) => Some(state),
        Err(BundleError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let normaliser = (config.normaliser == NormaliserPolicy::Frozen).then(|| spec.normaliser.clone());
    match Origin::from_tensors(network.clone(), &bundle.tensors, optimizer.as_ref()) {
        Ok(origin) => Ok(Start::Warm(Inheritance { origin, normaliser })),
        Err(error) => Ok(Start::Cold { reason: Some(error.to_string()) }),
    }
}

fn difference(
    spec: &PolicySpec,
    job: &TrainingJob,
    config: &PpoConfig,
    network: &NetworkSpec,
) -> Option<String> {
    let dataset = &job.dataset;
    if spec.symbol != dataset.symbol || spec.timeframe != dataset.timeframe() {
        let (symbol, timeframe) = (&dataset.symbol, dataset.timeframe());
        return Some(format!("it trades {} {}, this is {symbol} {timeframe}", spec.symbol, spec.timeframe));
    }
    if spec.sessions != (dataset.calendar != MarketCalendar::Continuous) {
        let markets = ["never closes", "has sessions"];
        let [its, this] = [spec.sessions, !spec.sessions].map(|sessions| markets[usize::from(sessions)]);
        return Some(format!("its market {its}, this one {this}"));
    }
    if spec.features != dataset.feature_spec {
        return Some("it sees other features".to_owned());
    }
    if spec.actions != config.actions {
        return Some("its actions mean something else".to_owned());
    }
    let is_same = spec.lookback == config.lookback && &spec.network == network;
    (!is_same).then(|| "it has another lookback or another network".to_owned())
}
