//! `orchestrate evaluate`: any model on any bars.

use std::path::Path;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use walkforward::clock::SystemClock;
use walkforward::config::OrchestrateConfig;
use walkforward::failure::{Failure, chain};
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward::wiring;
use walkforward_core::{
    CancelToken, Clock, Dataset, DatasetBuilder, EvaluationReport, EvaluationWarning, Evaluator, LineName,
    Metrics, ModelId, ModelRef, PolicySpec, SampleFigures, StageContext, Window,
};
use walkforward_etl::EtlPipeline;
use walkforward_evaluator::BacktestEvaluator;
use walkforward_policy::{Policy, load_policy};
use walkforward_report::{Warned, cautions};
use walkforward_store::{ModelRecord, PointerReader, read_model};

use crate::text::{self, minute};
use crate::{figures, progress};

const MODEL: &str = "model";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("evaluate")
        .about("Runs a model over the bars of the window, with the costs of the settings, beside flat and buy-and-hold")
        .arg(
            Arg::new(MODEL)
                .value_name("MODEL")
                .default_value("champion")
                .help("Id of a model in the models folder, or champion"),
        )
}

/// Evaluates the model that `matches` name. Nothing is written.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let bench = Bench::open(settings, output)?;
    let model = bench.model(matches.get_one::<String>(MODEL).map_or("champion", String::as_str))?;
    let mut dataset = bench.dataset(&model.spec)?;
    let measured = measure(&bench, &model, &mut dataset)?;
    drop(bench);
    let record = &model.record;
    match output {
        Output::Human => say(&human(record, &dataset, &measured)),
        Output::Json => say(&format!("{}\n", json(record, &dataset, &measured))),
        Output::Quiet => Ok(()),
    }
}

/// Where models are measured: the settings of a command, and what a stage is handed. Nothing is written.
pub(crate) struct Bench {
    pub(crate) config: OrchestrateConfig,
    clock: Arc<dyn Clock>,
    ctx: StageContext,
    runtime: tokio::runtime::Runtime,
}

/// A model whose weights are what its record says.
pub(crate) struct Loaded {
    pub(crate) record: ModelRecord,
    pub(crate) reference: ModelRef,
    pub(crate) spec: PolicySpec,
}

impl Bench {
    /// A place with the bars and costs of `settings`.
    pub(crate) fn open(settings: &Settings, output: Output) -> Result<Self, Failure> {
        let config = OrchestrateConfig::from_settings(settings, true)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let progress = progress::on_terminal(output == Output::Human);
        let ctx = wiring::stage_context(&clock, progress, CancelToken::default(), config.data_dir.clone());
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
        Ok(Self { config, clock, ctx, runtime })
    }

    /// The model called `name`: an id, or the champion of the line.
    pub(crate) fn model(&self, name: &str) -> Result<Loaded, Failure> {
        let models_dir = &self.config.models_dir;
        let id = find_model(models_dir, &self.config.line, name)?;
        let (record, reference) = read_model(models_dir, &id).map_err(|error| Failure::from(&error))?;
        let policy =
            load_policy(&reference.dir, &reference.sha256).map_err(|error| Failure::input(chain(&error)))?;
        Ok(Loaded { record, reference, spec: policy.spec().clone() })
    }

    /// The window with the history that the features of `spec` need.
    pub(crate) fn dataset(&self, spec: &PolicySpec) -> Result<Dataset, Failure> {
        let config = &self.config;
        let mut request = config.dataset.clone();
        request.features = spec.features.clone();
        request.timeframe.get_or_insert(spec.timeframe);
        let source = config.source.open(&request.symbol, config.seed, &self.clock)?;
        let pipeline = EtlPipeline::new(source, config.etl).with_calendar(config.calendar.clone());
        let built = self.runtime.block_on(pipeline.build(&request, &self.ctx));
        built.map_err(|error| Failure::from(&error))
    }

    /// The model on the bars of `judged`, which lie in `dataset`; refused when it can't run there.
    pub(crate) fn evaluate(
        &self,
        model: &ModelRef,
        dataset: &Dataset,
        judged: Window,
    ) -> Result<EvaluationReport, Failure> {
        let report = self.evaluator().evaluate(model, dataset, judged, &self.ctx);
        let report = report.map_err(|error| Failure::from(&error))?;
        if !report.mechanical.loads {
            let problems = report.mechanical.problems.join("; ");
            return Err(Failure::input(format!("{} can't be evaluated on these bars: {problems}", model.id)));
        }
        Ok(report)
    }

    /// The baselines on the bars of `judged`.
    pub(crate) fn baselines(
        &self,
        dataset: &Dataset,
        judged: Window,
    ) -> Result<Vec<EvaluationReport>, Failure> {
        self.evaluator().baselines(dataset, judged, &self.ctx).map_err(|error| Failure::from(&error))
    }

    fn evaluator(&self) -> BacktestEvaluator {
        BacktestEvaluator::new(self.config.session)
    }
}

/// What a model and the baselines came to.
struct Measured {
    /// Of the model and of each baseline over all bars.
    reports: Vec<EvaluationReport>,
    /// The model on the bars that it or an ancestor has seen; none when there are none.
    in_sample: Option<SampleFigures>,
    /// The model on the other bars, starting flat there; none when there are none.
    out_of_sample: Option<SampleFigures>,
    /// What has to be known about both.
    warnings: Vec<EvaluationWarning>,
}

/// The id of the model called `name`: an id, or the champion of `line`.
pub(crate) fn find_model(models_dir: &Path, line: &LineName, name: &str) -> Result<ModelId, Failure> {
    if name != "champion" {
        return name.parse().map_err(|error| Failure::input(format!("{name}: {error}")));
    }
    let pointer =
        PointerReader::new(models_dir, line.clone()).read().map_err(|error| Failure::from(&error))?;
    let none = || Failure::input(format!("the line {line} has no champion: name a model, or promote one"));
    Ok(pointer.ok_or_else(none)?.0.model_id)
}

/// The model and the baselines over all bars of `dataset`, and its figures on those that it has seen beside those on
/// the others.
fn measure(bench: &Bench, model: &Loaded, dataset: &mut Dataset) -> Result<Measured, Failure> {
    let window = dataset.window;
    let own = bench.evaluate(&model.reference, dataset, window)?;
    let baselines = bench.baselines(dataset, window)?;
    let (seen, all) = (seen_bars(&model.record, dataset), window_bars(dataset));
    let (in_sample, out_of_sample, warnings) = if seen > 0 && seen < all {
        // The evaluator measures what lies before the split beside what is judged.
        dataset.split = dataset.bars.open_times()[dataset.history_bars + seen];
        dataset.embargo_bars = 0;
        let unseen = Window::new(dataset.split, window.end());
        let unseen = unseen.map_err(|error| Failure::stage(error.to_string()))?;
        let apart = bench.evaluate(&model.reference, dataset, unseen)?;
        (apart.in_sample, apart.out_of_sample, apart.warnings)
    } else {
        (own.in_sample.clone(), own.out_of_sample.clone(), own.warnings.clone())
    };
    let reports = std::iter::once(own).chain(baselines).collect();
    Ok(Measured { reports, in_sample, out_of_sample, warnings })
}

/// Bars of the window, without the history before it.
pub(crate) fn window_bars(dataset: &Dataset) -> usize {
    dataset.bars.len() - dataset.history_bars
}

/// Bars of the window that the model or an ancestor has seen: on these it is flattered.
pub(crate) fn seen_bars(record: &ModelRecord, dataset: &Dataset) -> usize {
    let seen = dataset.bars.index_at_or_after(record.lineage_until);
    seen.saturating_sub(dataset.history_bars)
}

fn json(record: &ModelRecord, dataset: &Dataset, measured: &Measured) -> serde_json::Value {
    serde_json::json!({
        "modelId": record.model_id,
        "sha256": record.sha256,
        "origin": dataset.origin,
        "datasetHash": dataset.hash,
        "window": dataset.window,
        "lineageUntil": record.lineage_until,
        "seenBars": seen_bars(record, dataset),
        "inSample": measured.in_sample,
        "outOfSample": measured.out_of_sample,
        "warnings": measured.warnings,
        "reports": measured.reports,
    })
}

fn human(record: &ModelRecord, dataset: &Dataset, measured: &Measured) -> String {
    let name = |report: &EvaluationReport| match report.subject == record.model_id.as_str() {
        true => "model".to_owned(),
        false => report.subject.clone(),
    };
    let names: Vec<String> = measured.reports.iter().map(name).collect();
    let metrics = measured.reports.iter().map(|report| &report.metrics);
    let subjects: Vec<(&str, &Metrics)> = names.iter().map(String::as_str).zip(metrics).collect();
    let heading = format!("on {} bars", window_bars(dataset));
    let table = figures::table(&heading, Some(dataset.window), &subjects);
    let samples = figures::samples(measured.in_sample.as_ref(), measured.out_of_sample.as_ref());
    let samples = samples.map(|samples| format!("\n{samples}")).unwrap_or_default();
    format!("{}\n{}\n{table}{samples}", record.model_id, about(record, dataset, measured))
}

/// Which bars, whether the model has seen them, and what has to be known.
fn about(record: &ModelRecord, dataset: &Dataset, measured: &Measured) -> String {
    let Dataset { symbol, origin, window, .. } = dataset;
    let (from, to) = (minute(window.start()), minute(window.end()));
    let bars = format!("{symbol} {} from {origin}, {from} to {to}", dataset.timeframe());
    let seen = match seen_bars(record, dataset) {
        0 => "none of these bars was seen by the model or an ancestor".to_owned(),
        seen => format!(
            "in sample: the model or an ancestor has seen {seen} of these bars (until {}), so the figures flatter it",
            minute(record.lineage_until)
        ),
    };
    let own = measured.reports.first();
    let decisions = own.and_then(|own| figures::decisions(own.action_map, &own.action_share));
    let problems = measured.reports.iter().flat_map(|report| &report.mechanical.problems);
    let warned = Warned { label: "model", subject: record.model_id.as_str(), warnings: &measured.warnings };
    let lines = [("bars", bars), ("seen", seen)]
        .into_iter()
        .chain(decisions.map(|text| ("decisions", text)))
        .chain(problems.map(|text| ("problem", text.clone())))
        .chain(cautions(None, &[warned]).into_iter().map(|text| ("warning", text)));
    lines.map(|(label, sentence)| text::labelled(label, &sentence)).collect()
}
