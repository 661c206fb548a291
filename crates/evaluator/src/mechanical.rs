//! Whether a model works at all.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use walkforward_core::{
    Action, Clock, Dataset, MarketCalendar, MechanicalCheck, ModelRef, Observation, Policy, PolicySpec,
};
use walkforward_engine::{NormalisedRows, PortfolioView, write_observation};
use walkforward_policy::BundleError;

use crate::Error;

/// Decisions whose mean time is held against the budget.
const TIMED_DECISIONS: u32 = 64;

/// The model's policy; else what is wrong with it: it does not load, or was made for another market.
///
/// # Errors
/// The system does not let its file be read now: that says nothing about the model.
pub(crate) fn load(model: &ModelRef, dataset: &Dataset) -> Result<Result<Arc<dyn Policy>, String>, Error> {
    let policy = match walkforward_policy::load(&model.dir, &model.sha256) {
        Err(BundleError::Read { path, source }) if source.raw_os_error().is_some() => {
            let (model, reason) = (model.id.clone(), source.to_string());
            return Err(Error::Unreadable { model, path, reason });
        }
        policy => policy.map_err(|error| error.to_string()),
    };
    Ok(policy.and_then(|policy| made_for(policy.spec(), dataset).map(|()| policy)))
}

/// Refuses a policy that was made for another market.
fn made_for(spec: &PolicySpec, dataset: &Dataset) -> Result<(), String> {
    let has_sessions = dataset.calendar != MarketCalendar::Continuous;
    if spec.sessions != has_sessions {
        let kind = |sessions| if sessions { "a market with sessions" } else { "a market that never closes" };
        let (made, given) = (kind(spec.sessions), kind(has_sessions));
        return Err(format!(
            "the policy was made for {made}, the dataset is of {given}: set the calendar it was trained with"
        ));
    }
    if spec.symbol == dataset.symbol && spec.timeframe == dataset.timeframe() {
        return Ok(());
    }
    Err(format!(
        "the policy was made for {} bars of {}, the dataset has {} bars of {}",
        spec.timeframe,
        spec.symbol,
        dataset.timeframe(),
        dataset.symbol
    ))
}

/// What is wrong with a policy that loads and took `actions`, of which `late` says whether they took too long.
pub(crate) fn check(actions: &[Option<Action>], late: Option<String>) -> MechanicalCheck {
    let constant = constant(actions);
    let varies = constant.is_none();
    MechanicalCheck { loads: true, varies, problems: constant.into_iter().chain(late).collect() }
}

/// What is wrong with a policy that did at most one thing.
fn constant(actions: &[Option<Action>]) -> Option<String> {
    let mut taken = actions.iter().flatten();
    let Some(first) = taken.next() else {
        return Some("it had no full row of features on any judged bar: fetch more history".to_owned());
    };
    if taken.any(|action| action != first) {
        return None;
    }
    let decisions = actions.iter().flatten().count();
    Some(format!("it took action {} at each of its {decisions} decisions", first.0))
}

/// Share of each action among the decisions, `[n_actions]`; empty without a decision.
pub(crate) fn action_share(actions: &[Option<Action>], available: usize) -> Vec<f64> {
    let mut counts = vec![0_u64; available];
    for action in actions.iter().flatten() {
        if let Some(count) = counts.get_mut(usize::from(action.0)) {
            *count += 1;
        }
    }
    let decisions: u64 = counts.iter().sum();
    if decisions == 0 {
        return Vec::new();
    }
    counts.into_iter().map(|count| count as f64 / decisions as f64).collect()
}

/// What is wrong with a policy whose decisions, one at a time, take more than `budget` in the mean. The time itself is
/// not said: it is another one each time, and two evaluations have to say the same.
pub(crate) fn lateness(
    policy: &dyn Policy,
    features: &NormalisedRows,
    mut bars: Range<usize>,
    budget: Duration,
    clock: &dyn Clock,
) -> Option<String> {
    let spec = policy.spec();
    let rows = bars.find_map(|bar| features.window(bar, spec.lookback))?;
    let mut observation = vec![0.0; spec.obs_dim()];
    write_observation(rows, PortfolioView::default(), &mut observation).ok()?;
    let start = clock.monotonic();
    for _ in 0..TIMED_DECISIONS {
        // One that fails says so in the backtest.
        policy.act(Observation(&observation)).ok()?;
    }
    let mean = clock.monotonic().saturating_sub(start) / TIMED_DECISIONS;
    let is_late = mean > budget;
    is_late.then(|| format!("a decision takes more than {budget:?}, the latency budget"))
}
