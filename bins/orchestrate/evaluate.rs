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
    CancelToken, Clock, Dataset, DatasetBuilder, EvaluationReport, Evaluator, LineName, Metrics, ModelId,
    ModelRef, StageContext,
};
use walkforward_etl::EtlPipeline;
use walkforward_evaluator::BacktestEvaluator;
use walkforward_policy::{Policy, load_policy};
use walkforward_store::{ModelRecord, PointerReader, read_model};

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
    let config = OrchestrateConfig::from_settings(settings, true)?;
    let model = matches.get_one::<String>(MODEL).map_or("champion", String::as_str);
    let id = find_model(&config.models_dir, &config.line, model)?;
    let (record, reference) = read_model(&config.models_dir, &id).map_err(|error| Failure::from(&error))?;
    let policy =
        load_policy(&reference.dir, &reference.sha256).map_err(|error| Failure::input(chain(&error)))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let progress = progress::on_terminal(output == Output::Human);
    let ctx = wiring::stage_context(&clock, progress, CancelToken::default(), config.data_dir.clone());
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let dataset = runtime.block_on(dataset(config.clone(), policy.spec(), &clock, &ctx))?;
    let measured = measure(&config, &reference, &dataset, &ctx)?;
    drop(ctx);
    match output {
        Output::Human => say(&human(&record, &dataset, &measured)),
        Output::Json => say(&format!("{}\n", json(&record, &dataset, &measured))),
        Output::Quiet => Ok(()),
    }
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

/// The window with the history that the model's own features need.
async fn dataset(
    mut config: OrchestrateConfig,
    spec: &walkforward_core::PolicySpec,
    clock: &Arc<dyn Clock>,
    ctx: &StageContext,
) -> Result<Dataset, Failure> {
    let request = &mut config.dataset;
    request.features = spec.features.clone();
    request.timeframe.get_or_insert(spec.timeframe);
    let source = config.source.open(&request.symbol, config.seed, clock)?;
    let pipeline = EtlPipeline::new(source, config.etl).with_calendar(config.calendar.clone());
    pipeline.build(request, ctx).await.map_err(|error| Failure::from(&error))
}

fn measure(
    config: &OrchestrateConfig,
    model: &ModelRef,
    dataset: &Dataset,
    ctx: &StageContext,
) -> Result<Vec<EvaluationReport>, Failure> {
    let evaluator = BacktestEvaluator::new(config.session);
    let mut reports =
        vec![evaluator.evaluate(model, dataset, dataset.window, ctx).map_err(|e| Failure::from(&e))?];
    reports.extend(evaluator.baselines(dataset, dataset.window, ctx).map_err(|e| Failure::from(&e))?);
    Ok(reports)
}

/// Bars of the window that the model or an ancestor has seen: on these it is flattered.
fn seen_bars(record: &ModelRecord, dataset: &Dataset) -> usize {
    let seen = dataset.bars.index_at_or_after(record.lineage_until);
    seen.saturating_sub(dataset.history_bars)
}

fn json(record: &ModelRecord, dataset: &Dataset, reports: &[EvaluationReport]) -> serde_json::Value {
    serde_json::json!({
        "modelId": record.model_id,
        "sha256": record.sha256,
        "origin": dataset.origin,
        "datasetHash": dataset.hash,
        "window": dataset.window,
        "lineageUntil": record.lineage_until,
        "seenBars": seen_bars(record, dataset),
        "reports": reports,
    })
}

fn human(record: &ModelRecord, dataset: &Dataset, reports: &[EvaluationReport]) -> String {
    let bars = dataset.bars.len() - dataset.history_bars;
    let seen = seen_bars(record, dataset);
    let warning = match seen {
        0 => "none of these bars was seen by the model or an ancestor".to_owned(),
        seen => format!(
            "in sample: the model or an ancestor has seen {seen} of these bars (until {}), so the figures flatter it",
            record.lineage_until
        ),
    };
    let name = |report: &EvaluationReport| match report.subject == record.model_id.to_string() {
        true => "model".to_owned(),
        false => report.subject.clone(),
    };
    let names: Vec<String> = reports.iter().map(name).collect();
    let subjects: Vec<(&str, &Metrics)> =
        names.iter().map(String::as_str).zip(reports.iter().map(|report| &report.metrics)).collect();
    let problems: String = reports
        .iter()
        .flat_map(|report| &report.mechanical.problems)
        .map(|p| format!("problem   {p}\n"))
        .collect();
    format!(
        "{}\nbars      {} {} from {}, {} to {}\nseen      {warning}\n{problems}\n{}",
        record.model_id,
        dataset.symbol,
        dataset.timeframe(),
        dataset.origin,
        dataset.window.start(),
        dataset.window.end(),
        figures::table(&format!("on {bars} bars"), &subjects),
    )
}
