//! Supplied metrics in the place of a backtest.

use walkforward_core::{
    Dataset, EvaluationReport, Evaluator, MechanicalCheck, Metrics, ModelId, ModelRef, Stage, StageContext,
    StageError, SuppliedBy, Window,
};

use super::SuppliedMetrics;
use crate::Error;

impl Evaluator for SuppliedMetrics {
    /// Metrics that name another model are refused.
    fn admit(&self, candidate: &ModelId) -> Result<(), StageError> {
        Ok(self.check_model(candidate)?)
    }

    fn needs_unseen_bars(&self) -> bool {
        false
    }

    /// The supplied metrics, once the bundle of `model` loads; dataset and span are not looked at. Whether its
    /// decisions vary was for the supplier to see.
    fn evaluate(
        &self,
        model: &ModelRef,
        _dataset: &Dataset,
        _judged: Window,
        ctx: &StageContext,
    ) -> Result<EvaluationReport, StageError> {
        ctx.cancel.check(Stage::Evaluate)?;
        self.check_model(&model.id)?;
        let (mechanical, metrics) = match walkforward_policy::load(&model.dir, &model.sha256) {
            Ok(_) => (MechanicalCheck::passed(), self.metrics()),
            Err(error) => {
                let problems = vec![error.to_string()];
                (MechanicalCheck { loads: false, varies: false, problems }, Metrics::default())
            }
        };
        let unmeasured = EvaluationReport::without_figures(model.id.to_string(), self.origin.clone());
        Ok(EvaluationReport { metrics, mechanical, ..unmeasured })
    }
}

impl SuppliedMetrics {
    fn metrics(&self) -> Metrics {
        Metrics {
            win_rate: Some(self.win_rate),
            max_drawdown: Some(self.max_drawdown),
            pnl_per_trade: Some(self.pnl_per_trade),
            ..Metrics::default()
        }
    }

    fn check_model(&self, model: &ModelId) -> Result<(), Error> {
        match &self.model_id {
            Some(named) if named != model => {
                let origin = match &self.origin {
                    SuppliedBy::File { path, .. } => path.clone(),
                    SuppliedBy::Environment | SuppliedBy::Backtest => "the environment".to_owned(),
                };
                Err(Error::OtherModel { origin, named: named.clone(), judged: model.clone() })
            }
            _ => Ok(()),
        }
    }
}
