//! Continuing from a parent model.

use walkforward_core::{MarketCalendar, ModelRef, NetworkSpec, Normaliser, TrainingJob};
use walkforward_policy::{BundleError, PolicySpec, load_bundle, load_optimizer};

use crate::backend::Origin;
use crate::{PpoConfig, TrainerError};

/// What a parent leaves to its child.
pub(crate) struct Inheritance {
    pub(crate) origin: Origin,
    /// Kept, so that an input keeps its meaning to the inherited weights.
    pub(crate) normaliser: Normaliser,
}

/// Loads `parent`, refused when it was made for something else than `job`. A parent without an optimiser file gives
/// a fresh optimiser.
pub(crate) fn inherit(
    parent: &ModelRef,
    job: &TrainingJob,
    config: &PpoConfig,
    network: &NetworkSpec,
) -> Result<Inheritance, TrainerError> {
    let bundle = load_bundle(&parent.dir, &parent.sha256)?;
    let spec = walkforward_core::Policy::spec(&bundle.policy);
    if let Some(reason) = difference(spec, job, config, network) {
        return Err(TrainerError::Parent { reason });
    }
    let normaliser = spec.normaliser.clone();
    let optimizer = match load_optimizer(&parent.dir, &parent.sha256) {
        Ok(state) => Some(state),
        Err(BundleError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let origin = Origin::from_tensors(network.clone(), &bundle.tensors, optimizer.as_ref());
    let origin = origin.map_err(|error| TrainerError::Parent { reason: error.to_string() })?;
    Ok(Inheritance { origin, normaliser })
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
    if spec.lookback != config.lookback || &spec.network != network {
        return Some("it has another lookback or another network".to_owned());
    }
    (spec.actions != config.actions).then(|| "its actions mean something else".to_owned())
}
