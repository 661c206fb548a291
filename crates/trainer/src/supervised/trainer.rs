//! The trainer: rows, fit, choice, bundle.

use std::collections::BTreeMap;

use walkforward_core::{
    ActionMap, MarketCalendar, PolicySpec, Probe, Stage, StageContext, StageError, Trainer, TrainingJob,
    TrainingOutcome,
};
use walkforward_engine::SessionConfig;
use walkforward_policy::write_bundle;

use super::choice::{Choice, Validated, choose};
use super::model::Fitted;
use super::rows::Rows;
use super::{SupervisedConfig, SupervisedError};
use crate::TrainerError;
use crate::market::Market;

/// Fits a forecast and trades it when it is worth its costs. It makes `linear` and `trees` networks for
/// [`ActionMap::LongFlat`].
///
/// Nothing is random: the same bars, pack and costs give the same bytes, whatever the seed and the threads. A parent is
/// not continued: every model is fitted afresh. When no forecast is worth its costs, the model that is written never
/// trades, and the metric `has_edge` is 0.
#[derive(Debug, Clone, Copy)]
pub struct SupervisedTrainer {
    session: SessionConfig,
}

/// Steps that are reported: rows, fit, choice, second fit, bundle.
const STEPS: u64 = 5;
/// Why no parent is continued.
const FITTED_AFRESH: &str = "the supervised trainer fits every model afresh";

impl SupervisedTrainer {
    /// Its name in outcomes and configuration.
    pub const NAME: &'static str = "supervised";

    /// A trainer whose sessions start and cost as `session` says.
    pub fn new(session: SessionConfig) -> Self {
        Self { session }
    }

    fn run(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, SupervisedError> {
        let config = SupervisedConfig::from_pack(&job.pack)?;
        let report = |done, what: &str| ctx.report(Stage::Train, done, STEPS, what);
        self.session.admit_prices(job.dataset.bars.lows()).map_err(TrainerError::from)?;
        let market = Market::new(&job.dataset, config.lookback, None, 0)?;
        let rows = Rows::new(&market, &config)?;
        report(1, "rows and labels");
        let (fit, validation) = rows.split(&config);
        let (first, _) = Fitted::new(&rows, fit.clone(), &config, &ctx.cancel)?;
        report(2, "fitted");
        let scores = first.scores(&rows, validation.clone());
        let bars = rows.first_bar + validation.start..rows.first_bar + validation.end;
        let fitted_scores = first.scores(&rows, fit.clone());
        let validated = choose(&market, self.session, bars, &scores, &fitted_scores, &ctx.cancel)?;
        report(3, "validated");
        let (model, iterations) = Fitted::new(&rows, 0..rows.len(), &config, &ctx.cancel)?;
        report(4, "fitted again on all rows");
        let choice = validated.has_edge(&config).then_some(validated.choice);
        self.write(job, &config, &market, (&model, rows.inputs, choice.as_ref()))?;
        report(STEPS, "written");
        let agreeing =
            scores.iter().zip(&rows.labels[validation]).filter(|(s, y)| (**s > 0.0) == (**y > 0.0));
        let hit_rate = agreeing.count() as f64 / scores.len() as f64;
        Ok(TrainingOutcome {
            trainer: Self::NAME.to_owned(),
            used_until: market.used_until().unwrap_or(job.dataset.split),
            iterations,
            environment_steps: 0,
            metrics: metrics(&validated, choice.is_some(), (fit.len(), scores.len()), hit_rate),
            instruction_set: None,
            cold_start: job.parent.as_ref().map(|_| FITTED_AFRESH.to_owned()),
        })
    }

    fn write(
        &self,
        job: &TrainingJob,
        config: &SupervisedConfig,
        market: &Market,
        (model, inputs, choice): (&Fitted, usize, Option<&Choice>),
    ) -> Result<(), TrainerError> {
        let (network, tensors) = model.network(inputs, choice);
        let dataset = &job.dataset;
        let spec = PolicySpec {
            schema: PolicySpec::SCHEMA,
            symbol: dataset.symbol.clone(),
            timeframe: dataset.timeframe(),
            network,
            sessions: dataset.calendar != MarketCalendar::Continuous,
            features: dataset.feature_spec.clone(),
            normaliser: market.normaliser().clone(),
            lookback: config.lookback,
            actions: ActionMap::LongFlat,
            used_until: market.used_until().unwrap_or(dataset.split),
            probe: Probe { observations: Vec::new(), outputs: Vec::new(), tolerance: 0.0 },
        };
        write_bundle(&job.out_dir, &spec, &tensors, None)?;
        Ok(())
    }
}

impl Trainer for SupervisedTrainer {
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        self.run(job, ctx).map_err(StageError::from)
    }
}

fn metrics(
    validated: &Validated,
    has_edge: bool,
    (fit_rows, validation_rows): (usize, usize),
    hit_rate: f64,
) -> BTreeMap<String, f64> {
    [
        ("has_edge", f64::from(u8::from(has_edge))),
        ("fit_rows", fit_rows as f64),
        ("validation_rows", validation_rows as f64),
        ("validation_hit_rate", hit_rate),
        ("validation_log_return", validated.log_return),
        ("validation_t", validated.t),
        ("threshold", validated.choice.threshold),
        ("hysteresis", validated.choice.hysteresis),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
