//! The built-in backtest: the session of training and live, with a frozen policy.

use std::ops::Range;
use std::sync::Arc;

use walkforward_core::{
    Action, CancelToken, Dataset, EvaluationReport, Evaluator, MechanicalCheck, Metrics, ModelRef,
    Observation, Policy, PolicyError, PolicySpec, Stage, StageContext, StageError, SuppliedBy, Window,
};
use walkforward_engine::{EngineError, SessionConfig, SessionRecord, feature_matrix, run_policy, run_target};

use crate::Error;
use crate::metrics::measure;

/// Name of the baseline without a position.
pub const FLAT: &str = "flat";
/// Name of the baseline that puts all equity into the asset at the second judged bar's open, and keeps it there.
pub const BUY_AND_HOLD: &str = "buy_and_hold";

/// Measures models by running them over bars, with the costs of a [`SessionConfig`].
///
/// The session starts flat at the first judged bar and decides at its close; features are computed from the dataset's
/// first bar on, so the bars before the judged span are their history. A model that does not load, was made for
/// another market, or does not answer is reported with `mechanical.loads = false` and undefined metrics: a verdict on
/// it is a rejection, not a failed run. The same model and dataset give the same report, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BacktestEvaluator {
    session: SessionConfig,
}

impl BacktestEvaluator {
    /// An evaluator whose sessions have this cash and these costs. Settings out of range are an error of each
    /// evaluation.
    pub fn new(session: SessionConfig) -> Self {
        Self { session }
    }

    fn run(
        &self,
        policy: Arc<dyn Policy>,
        dataset: &Dataset,
        range: Range<usize>,
        cancel: &CancelToken,
    ) -> Result<Result<SessionRecord, String>, StageError> {
        if let Err(problem) = made_for(policy.spec(), dataset) {
            return Ok(Err(problem));
        }
        let raw = feature_matrix(&policy.spec().features, &dataset.bars).map_err(Error::from)?;
        cancel.check(Stage::Evaluate)?;
        let features = match raw.normalised(&policy.spec().normaliser) {
            Ok(features) => features,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let policy = Cancellable { policy, cancel };
        let record = run_policy(&policy, &dataset.bars, &present(dataset), &features, range, &self.session);
        cancel.check(Stage::Evaluate)?;
        match record {
            Ok(record) => Ok(Ok(record)),
            Err(error @ (EngineError::Policy { .. } | EngineError::UnknownAction { .. })) => {
                Ok(Err(error.to_string()))
            }
            Err(error) => Err(Error::from(error).into()),
        }
    }

    fn baseline(
        &self,
        name: &str,
        target: f64,
        dataset: &Dataset,
        judged: Window,
    ) -> Result<EvaluationReport, Error> {
        let range = judged_range(dataset, judged)?;
        let record = run_target(|_| target, &dataset.bars, &present(dataset), range, &self.session)?;
        report(name.to_owned(), judged, record, MechanicalCheck::passed(), dataset)
    }
}

impl Evaluator for BacktestEvaluator {
    fn evaluate(
        &self,
        model: &ModelRef,
        dataset: &Dataset,
        judged: Window,
        ctx: &StageContext,
    ) -> Result<EvaluationReport, StageError> {
        ctx.cancel.check(Stage::Evaluate)?;
        let subject = model.id.to_string();
        let range = judged_range(dataset, judged)?;
        let policy = match walkforward_policy::load(&model.dir, &model.sha256) {
            Ok(policy) => policy,
            Err(error) => return Ok(broken(subject, judged, error.to_string())),
        };
        match self.run(policy, dataset, range, &ctx.cancel)? {
            Ok(record) => {
                let mechanical = mechanical(&record.actions);
                Ok(report(subject, judged, record, mechanical, dataset)?)
            }
            Err(problem) => Ok(broken(subject, judged, problem)),
        }
    }

    fn baselines(
        &self,
        dataset: &Dataset,
        judged: Window,
        ctx: &StageContext,
    ) -> Result<Vec<EvaluationReport>, StageError> {
        let mut reports = Vec::new();
        for (name, target) in [(FLAT, 0.0), (BUY_AND_HOLD, 1.0)] {
            ctx.cancel.check(Stage::Evaluate)?;
            reports.push(self.baseline(name, target, dataset, judged)?);
        }
        Ok(reports)
    }
}

/// A policy that stops answering once somebody asked the stage to stop.
struct Cancellable<'a> {
    policy: Arc<dyn Policy>,
    cancel: &'a CancelToken,
}

impl Policy for Cancellable<'_> {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        if self.cancel.is_cancelled() {
            return Err(PolicyError::Failed("cancelled".to_owned()));
        }
        self.policy.act(observation)
    }

    fn spec(&self) -> &PolicySpec {
        self.policy.spec()
    }
}

/// Indices of the bars that start inside `judged`.
fn judged_range(dataset: &Dataset, judged: Window) -> Result<Range<usize>, Error> {
    let index = |time| dataset.bars.index_at_or_after(time);
    let range = index(judged.start())..index(judged.end());
    if range.is_empty() { Err(Error::NoBars { judged }) } else { Ok(range) }
}

fn present(dataset: &Dataset) -> Vec<bool> {
    (0..dataset.bars.len()).map(|index| dataset.is_present(index)).collect()
}

fn made_for(spec: &PolicySpec, dataset: &Dataset) -> Result<(), String> {
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

/// Whether the policy did more than one thing.
fn mechanical(actions: &[Option<Action>]) -> MechanicalCheck {
    let mut taken: Vec<Action> = actions.iter().flatten().copied().collect();
    let decisions = taken.len();
    taken.sort_unstable();
    taken.dedup();
    let problem = match taken.as_slice() {
        [] => "it had no full row of features on any judged bar: fetch more history".to_owned(),
        [only] => format!("it took action {} at each of its {decisions} decisions", only.0),
        _ => return MechanicalCheck::passed(),
    };
    MechanicalCheck { loads: true, varies: false, problems: vec![problem] }
}

fn report(
    subject: String,
    judged: Window,
    record: SessionRecord,
    mechanical: MechanicalCheck,
    dataset: &Dataset,
) -> Result<EvaluationReport, Error> {
    let (metrics, trades) = measure(&record, dataset.timeframe())?;
    Ok(EvaluationReport {
        subject,
        judged_span: Some(judged),
        bar_close: record.bar_close,
        net_return: record.net_return,
        position: record.position,
        fills: record.fills,
        trades,
        metrics,
        mechanical,
        supplied_by: SuppliedBy::Backtest,
    })
}

/// The report of a model that can't be run, with every metric undefined.
fn broken(subject: String, judged: Window, problem: String) -> EvaluationReport {
    EvaluationReport {
        subject,
        judged_span: Some(judged),
        bar_close: Vec::new(),
        net_return: Vec::new(),
        position: Vec::new(),
        fills: Vec::new(),
        trades: Vec::new(),
        metrics: Metrics::default(),
        mechanical: MechanicalCheck { loads: false, varies: false, problems: vec![problem] },
        supplied_by: SuppliedBy::Backtest,
    }
}
