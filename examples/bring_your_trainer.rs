//! Bring your own trainer: anything that writes a bundle which `walkforward-policy` can load.
//!
//! This one does not learn by trial. It goes through a handful of look-backs, keeps the one on which following the
//! trend paid most over the training bars, and writes that rule down as a network without hidden layers.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use walkforward_core::{
    ActionMap, Activation, Dataset, ErrorKind, FeatureKind, FeatureSpec, NetworkSpec, Normaliser, PolicySpec,
    Probe, Stage, StageContext, StageError, Trainer, TrainingJob, TrainingOutcome,
};
use walkforward_orchestrator::{InProcessLauncher, Stages};
use walkforward_policy::{Tensors, write_bundle};

/// Follows the trend over the look-back that paid most.
struct TrendTrainer;

/// Look-backs that are tried; each is a column of the feature specification.
const PERIODS: [u32; 3] = [4, 12, 24];
/// What a change of position costs, as a share of the price.
const COST: f64 = 0.003;

impl Trainer for TrendTrainer {
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        ctx.cancel.check(Stage::Train)?;
        fit(job).map_err(|error| StageError::new(Stage::Train, ErrorKind::BadInput, error.to_string()))
    }
}

fn fit(job: &TrainingJob) -> Result<TrainingOutcome> {
    let (data, split) = (&job.dataset, job.dataset.split_index());
    let profits =
        (0..PERIODS.len()).map(|column| (column, profit(&data.bars.closes()[..split], PERIODS[column])));
    let (best, profit) = profits.max_by(|a, b| a.1.total_cmp(&b.1)).context("nothing to try")?;
    write_bundle(&job.out_dir, &spec(data), &weights(best), None)?;
    Ok(TrainingOutcome {
        trainer: "trend".to_owned(),
        used_until: data.split,
        iterations: PERIODS.len() as u64,
        environment_steps: (PERIODS.len() * split) as u64,
        metrics: BTreeMap::from([("training_log_return".to_owned(), profit)]),
        instruction_set: None,
        cold_start: job.parent.as_ref().map(|_| "every look-back is tried afresh".to_owned()),
    })
}

/// Log return of being long after a rise over `period` bars and flat otherwise.
fn profit(closes: &[f64], period: u32) -> f64 {
    let (period, mut held, mut sum) = (period as usize, false, 0.0);
    for bar in period..closes.len() - 1 {
        let long = closes[bar] > closes[bar - period];
        sum += if long { (closes[bar + 1] / closes[bar]).ln() } else { 0.0 };
        sum -= if long == held { 0.0 } else { COST };
        held = long;
    }
    sum
}

fn features() -> FeatureSpec {
    let returns = FeatureKind::Returns { periods: PERIODS.to_vec() };
    FeatureSpec::new(vec![returns]).unwrap_or_default()
}

fn spec(data: &Dataset) -> PolicySpec {
    let inputs = PERIODS.len() + PolicySpec::PORTFOLIO_INPUTS;
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: data.symbol.clone(),
        timeframe: data.timeframe(),
        network: NetworkSpec::Mlp { inputs, hidden: vec![], outputs: 2, activation: Activation::Tanh },
        sessions: false,
        features: features(),
        normaliser: Normaliser { mean: vec![0.0; PERIODS.len()], std: vec![1.0; PERIODS.len()], clip: 5.0 },
        lookback: 1,
        actions: ActionMap::LongFlat,
        used_until: data.split,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

/// Two outputs: staying flat is worth nothing, being long as much as the chosen return.
fn weights(column: usize) -> Tensors {
    let inputs = PERIODS.len() + PolicySpec::PORTFOLIO_INPUTS;
    let mut long_on_rise = vec![0.0; 2 * inputs];
    long_on_rise[inputs + column] = 1.0;
    Tensors::from([
        ("actor.0.weight".to_owned(), (vec![2, inputs], long_on_rise)),
        ("actor.0.bias".to_owned(), (vec![2], vec![0.0, 0.0])),
    ])
}

fn main() -> Result<()> {
    let launcher = Arc::new(InProcessLauncher::new(Arc::new(TrendTrainer)));
    let mut request = support::small_request()?;
    request.dataset.features = features();
    let report = support::run(Stages { launcher, ..support::stages() }, &request)?;
    ensure!(report.training.trainer == "trend", "the run did not use the example's trainer");
    let trades = report.candidate.metrics.trades.ok_or_else(|| anyhow!("the model was not judged"))?;
    ensure!(trades > 0, "the model did not trade");
    Ok(())
}
