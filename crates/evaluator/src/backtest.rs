//! The built-in backtest: the session of training and live, with a frozen policy.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use walkforward_core::{
    CancelToken, Continued, Dataset, EvaluationReport, Evaluator, Execution, FillRule, MechanicalCheck,
    Metrics, ModelRef, Policy, SampleFigures, Stage, StageContext, StageError, StreamRequest, SuppliedBy,
    TradeRecord, Window,
};
use walkforward_engine::{
    EngineError, NormalisedRows, SessionConfig, SessionRecord, feature_matrix, run_policy, run_target,
};

use crate::cancellable::Cancellable;
use crate::metrics::measure;
use crate::{Error, mechanical, sample, stream};

/// Name of the baseline without a position.
pub const FLAT: &str = "flat";
/// Name of the baseline that puts all equity into the asset at the second judged bar's open, and keeps it there.
pub const BUY_AND_HOLD: &str = "buy_and_hold";

/// Measures models by running them over bars, with the costs of a [`SessionConfig`].
///
/// The session starts flat at the first judged bar and decides at its close; features are computed from the dataset's
/// first bar on, so the bars before the judged span are their history. A model that does not load, was made for
/// another market, or does not answer is reported with `mechanical.loads = false` and undefined metrics: a verdict on
/// it is a rejection, not a failed run. One that the system does not let be read is an error that may pass. The bars that training could use are measured beside the judged ones. The same
/// model and dataset give the same report, bit for bit; only a decision time at the budget's edge may turn out otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BacktestEvaluator {
    session: SessionConfig,
    latency_budget: Duration,
}

/// What a model works on: its policy, and what it sees of the dataset.
struct Subject {
    policy: Arc<dyn Policy>,
    features: NormalisedRows,
}

impl BacktestEvaluator {
    /// Longest mean time of a decision, unless set otherwise: far more than any network of ours takes, and far less
    /// than a bar.
    pub const LATENCY_BUDGET: Duration = Duration::from_millis(10);

    /// An evaluator whose sessions have this cash and these costs. Settings out of range are an error of each
    /// evaluation.
    pub fn new(session: SessionConfig) -> Self {
        Self { session, latency_budget: Self::LATENCY_BUDGET }
    }

    /// The same with another longest mean time of a decision.
    pub fn with_latency_budget(self, latency_budget: Duration) -> Self {
        Self { latency_budget, ..self }
    }

    /// The model ready to run; else what keeps it from it.
    fn prepare(&self, model: &ModelRef, dataset: &Dataset) -> Result<Result<Subject, String>, Error> {
        let policy = match mechanical::load(model, dataset)? {
            Ok(policy) => policy,
            Err(problem) => return Ok(Err(problem)),
        };
        let raw = feature_matrix(&policy.spec().features, &dataset.bars)?;
        let features = raw.normalised(&policy.spec().normaliser);
        Ok(features.map(|features| Subject { policy, features }).map_err(|error| error.to_string()))
    }

    /// A session over the bars in `range`; else what the policy failed at.
    fn run(
        &self,
        subject: &Subject,
        dataset: &Dataset,
        range: Range<usize>,
        cancel: &CancelToken,
    ) -> Result<Result<SessionRecord, String>, StageError> {
        let policy = Cancellable { policy: subject.policy.as_ref(), cancel };
        let (bars, features) = (&dataset.bars, &subject.features);
        let present = can_fill(dataset, 0..bars.len());
        let record = run_policy(&policy, bars, &present, features, range, &self.session);
        cancel.check(Stage::Evaluate)?;
        match record {
            Ok(record) => Ok(Ok(record)),
            Err(error @ (EngineError::Policy { .. } | EngineError::UnknownAction { .. })) => {
                Ok(Err(error.to_string()))
            }
            Err(error) => Err(Error::from(error).into()),
        }
    }

    /// What the model came to on the bars before the judged ones that training could use; none without such bars, or
    /// with what it failed at.
    fn in_sample(
        &self,
        subject: &Subject,
        dataset: &Dataset,
        judged: &Range<usize>,
        cancel: &CancelToken,
    ) -> Result<Result<Option<SampleFigures>, String>, StageError> {
        let end = dataset.bars.index_at_or_after(dataset.training_end()).min(judged.start);
        if dataset.history_bars >= end {
            return Ok(Ok(None));
        }
        let range = dataset.history_bars..end;
        let record = match self.run(subject, dataset, range.clone(), cancel)? {
            Ok(record) => record,
            Err(problem) => return Ok(Err(problem)),
        };
        let (metrics, _) = measure(&record, bars_per_year(dataset))?;
        Ok(Ok(sample::figures(&record, &metrics, &dataset.bars, range, self.session.initial_cash)))
    }

    fn baseline(
        &self,
        name: &str,
        target: f64,
        dataset: &Dataset,
        judged: Window,
    ) -> Result<EvaluationReport, Error> {
        let range = judged_range(dataset, judged)?;
        let present = can_fill(dataset, 0..dataset.bars.len());
        // How long a position may last is a rule of the models that are measured: to hold is to hold.
        let session = SessionConfig { max_bars_in_position: None, ..self.session };
        let record = run_target(|_| target, &dataset.bars, &present, range, &session)?;
        let measured = measure(&record, bars_per_year(dataset))?;
        Ok(self.report(name.to_owned(), dataset, judged, record, measured))
    }

    /// The report of a session, of a model with nothing wrong.
    fn report(
        &self,
        subject: String,
        dataset: &Dataset,
        judged: Window,
        record: SessionRecord,
        (metrics, trades): (Metrics, Vec<TradeRecord>),
    ) -> EvaluationReport {
        let unfillable = (0..dataset.bars.len()).filter(|&bar| !dataset.can_fill(bar)).count();
        EvaluationReport {
            judged_span: Some(judged),
            warnings: sample::lapsed(&record, unfillable).into_iter().collect(),
            bar_close: record.bar_close,
            net_return: record.net_return,
            position: record.position,
            fills: record.fills,
            trades,
            metrics,
            execution: Some(self.execution()),
            ..EvaluationReport::without_figures(subject, SuppliedBy::Backtest)
        }
    }

    fn execution(&self) -> Execution {
        let SessionConfig { initial_cash, fee_bps, slippage_bps, .. } = self.session;
        Execution { fill: FillRule::NextOpen, latency_bars: 1, fee_bps, slippage_bps, initial_cash }
    }

    /// The report of a model that ran, with its in-sample figures and warnings.
    fn judge(
        &self,
        subject: &Subject,
        model: &ModelRef,
        dataset: &Dataset,
        judged: Window,
        ctx: &StageContext,
    ) -> Result<Result<EvaluationReport, String>, StageError> {
        let range = judged_range(dataset, judged)?;
        let policy = subject.policy.as_ref();
        let late =
            mechanical::lateness(policy, &subject.features, range.clone(), self.latency_budget, &*ctx.clock);
        let record = match self.run(subject, dataset, range.clone(), &ctx.cancel)? {
            Ok(record) => record,
            Err(problem) => return Ok(Err(problem)),
        };
        let mechanical = mechanical::check(&record.actions, late);
        let action_share = mechanical::action_share(&record.actions, policy.spec().actions.len());
        let measured = measure(&record, bars_per_year(dataset)).map_err(StageError::from)?;
        let cash = self.session.initial_cash;
        let figures = sample::figures(&record, &measured.0, &dataset.bars, range.clone(), cash);
        let (before, unmeasured) = match self.in_sample(subject, dataset, &range, &ctx.cancel)? {
            Ok(figures) => (figures, None),
            Err(problem) => (None, Some(problem)),
        };
        // Bars of which the model or an ancestor has seen one are not out of its sample.
        let is_unseen = judged.start() >= model.lineage_until;
        let (in_sample, out_of_sample) =
            if is_unseen { (before, figures) } else { (before.or(figures), None) };
        let report = self.report(model.id.to_string(), dataset, judged, record, measured);
        let action_map = Some(policy.spec().actions);
        let mut report =
            EvaluationReport { mechanical, action_share, action_map, in_sample, out_of_sample, ..report };
        report.warnings.extend(sample::warnings(&report));
        report.warnings.extend(unmeasured.map(sample::no_in_sample));
        Ok(Ok(report))
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
        let broken = |problem| broken(model.id.to_string(), judged, problem);
        judged_range(dataset, judged)?;
        let subject = match self.prepare(model, dataset)? {
            Ok(subject) => subject,
            Err(problem) => return Ok(broken(problem)),
        };
        ctx.cancel.check(Stage::Evaluate)?;
        Ok(self.judge(&subject, model, dataset, judged, ctx)?.unwrap_or_else(broken))
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

    /// A span that reaches beyond the dataset or begins before the history that the model's features need is an error,
    /// as is a session that can't be taken up: of other bars or another market, or that ended elsewhere than right
    /// before the span. A row depends on the bars of its UTC day and of that history alone, whatever else the dataset
    /// has.
    fn continue_stream(
        &self,
        request: &StreamRequest<'_>,
        ctx: &StageContext,
    ) -> Result<Continued, StageError> {
        stream::continue_stream(self.session, request, &ctx.cancel)
    }
}

/// Indices of the bars that start inside `judged`.
fn judged_range(dataset: &Dataset, judged: Window) -> Result<Range<usize>, Error> {
    let index = |time| dataset.bars.index_at_or_after(time);
    let range = index(judged.start())..index(judged.end());
    if range.is_empty() { Err(Error::NoBars { judged }) } else { Ok(range) }
}

fn bars_per_year(dataset: &Dataset) -> f64 {
    dataset.calendar.bars_per_year(dataset.timeframe())
}

/// Whether an order can fill on each bar of `range`.
pub(crate) fn can_fill(dataset: &Dataset, range: Range<usize>) -> Vec<bool> {
    range.map(|bar| dataset.can_fill(bar)).collect()
}

/// The report of a model that can't be run, with every metric undefined.
fn broken(subject: String, judged: Window, problem: String) -> EvaluationReport {
    EvaluationReport {
        judged_span: Some(judged),
        mechanical: MechanicalCheck { loads: false, varies: false, problems: vec![problem] },
        ..EvaluationReport::without_figures(subject, SuppliedBy::Backtest)
    }
}
