//! `orchestrate report`: one HTML page about a model or the run that made it.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use walkforward::config::OrchestrateConfig;
use walkforward::failure::{Failure, chain};
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::ModelId;
use walkforward_durable::{read_bounded, write_atomic};
use walkforward_report::{
    Ancestor, GapCounts, GapStretch, ModelReport, PriceSeries, Provenance, Role, Subject, html,
};
use walkforward_store::{EtlRecord, EvaluationRecord, ModelRecord, read_evaluation, read_model};

use crate::evaluate::find_model;

const MODEL: &str = "model";
const TO: &str = "to";
/// Generations on a page.
const MAX_ANCESTORS: usize = 1_000;
/// Longest record of an ETL, bytes.
const MAX_ETL_BYTES: u64 = 16 << 20;

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("report")
        .about("Writes one HTML page about a model: equity, trades, gates, data, lineage")
        .arg(
            Arg::new(MODEL)
                .value_name("RUN|MODEL")
                .default_value("champion")
                .help("Id of a run or a model, or champion"),
        )
        .arg(
            Arg::new(TO)
                .long(TO)
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("File that is written; default: report-<model>.html here"),
        )
}

/// Writes the page of the model that `matches` name.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let config = OrchestrateConfig::from_settings(settings, true)?;
    let name = matches.get_one::<String>(MODEL).map_or("champion", String::as_str);
    let name = if name == "champion" || name.starts_with("model-") {
        name.to_owned()
    } else {
        format!("model-{name}")
    };
    let id = find_model(&config.models_dir, &config.line, &name)?;
    let page = html(&about(&config, &id)?);
    let path =
        matches.get_one::<PathBuf>(TO).cloned().unwrap_or_else(|| PathBuf::from(format!("report-{id}.html")));
    write_atomic(&path, page.as_bytes()).map_err(|error| Failure::from_error(&error))?;
    match output {
        Output::Human => say(&format!("{}: {} kB about {id}\n", path.display(), page.len().div_ceil(1_000))),
        Output::Json => say(&format!("{}\n", serde_json::json!({ "path": path, "modelId": id }))),
        Output::Quiet => Ok(()),
    }
}

/// Everything that the records say about a model.
fn about(config: &OrchestrateConfig, id: &ModelId) -> Result<ModelReport, Failure> {
    let models_dir = &config.models_dir;
    let (record, _) = read_model(models_dir, id).map_err(|error| Failure::from(&error))?;
    let evaluation = read_evaluation(models_dir, id).map_err(|error| Failure::from(&error))?;
    let etl = etl_record(&config.data_dir, Path::new(&record.etl_path))?;
    let mut report = ModelReport::new(id.as_str(), id.clone(), record.symbol.clone(), record.timeframe);
    report.line = Some(record.line.clone());
    report.status = record.status.to_string();
    report.verdict.clone_from(&record.verdict);
    report.lineage = lineage(models_dir, &record);
    report.training = Some(record.training.clone());
    report.settings = record.pack.clone();
    report.provenance = provenance(&record, etl.as_ref());
    report.warnings.extend(record.parent_choice.as_ref().and_then(|choice| choice.reason.clone()));
    if let Some(etl) = etl {
        let window = &etl.quality.window;
        let counts = GapCounts {
            present: window.present_bars as u64,
            no_trade: window.no_trade_bars as u64,
            revised: window.revised_bars as u64,
            missing: window.missing_bars as u64,
        };
        report.gaps = vec![GapStretch { name: "window".to_owned(), counts }];
        report.quality = Some(etl.quality);
    }
    match evaluation {
        Some(evaluation) => measured(&mut report, &evaluation),
        None => {
            report.warnings.push("The model has not been measured: its run ended before that.".to_owned())
        }
    }
    Ok(report)
}

fn measured(report: &mut ModelReport, evaluation: &EvaluationRecord) {
    report.judged_span = evaluation.candidate.judged_span;
    let subjects = std::iter::once((Role::Candidate, &evaluation.candidate))
        .chain(evaluation.champion.iter().map(|champion| (Role::Champion, champion)))
        .chain(evaluation.baselines.iter().map(|baseline| (Role::Baseline, baseline)));
    report.subjects = subjects.map(|(role, measured)| Subject::of(role, measured)).collect();
    report.bars =
        PriceSeries { close_times: evaluation.candidate.bar_close.clone(), closes: evaluation.close.clone() };
    if evaluation.series_left_out {
        let most = EvaluationRecord::MAX_BARS;
        report.warnings.push(format!(
            "What was measured bar by bar was not kept: the judged span has more than {most} bars, or retention took it."
        ));
    }
}

/// The record of the run's ETL: the one of its name in the data folder, which may have moved, else the one at `written`;
/// none when it was removed.
fn etl_record(data_dir: &Path, written: &Path) -> Result<Option<EtlRecord>, Failure> {
    let moved = written.file_name().map(|name| data_dir.join("etl").join(name));
    let path = moved.filter(|path| path.is_file()).unwrap_or_else(|| written.to_owned());
    let bytes = match read_bounded(&path, MAX_ETL_BYTES) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes.map_err(|error| Failure::from_error(&error))?,
    };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|error| Failure::input(format!("{}: {}", path.display(), chain(&error))))
}

/// The model and its ancestors, oldest first. A parent that is no longer there ends the line.
fn lineage(models_dir: &Path, record: &ModelRecord) -> Vec<Ancestor> {
    let mut records = vec![record.clone()];
    while let Some(parent) = records.last().and_then(|record| record.parent_id.clone())
        && records.len() < MAX_ANCESTORS
        && let Ok((parent, _)) = read_model(models_dir, &parent)
    {
        records.push(parent);
    }
    let ancestor = |record: ModelRecord| Ancestor {
        id: record.model_id,
        parent: record.parent_id,
        trained_until: record.trained_until,
        seed: record.seed,
        trainer: record.training.trainer,
        status: record.status.to_string(),
    };
    records.into_iter().rev().map(ancestor).collect()
}

fn provenance(record: &ModelRecord, etl: Option<&EtlRecord>) -> Provenance {
    Provenance {
        run_id: Some(record.run_id.clone()),
        created_at: Some(record.created_at),
        origin: etl.map(|etl| etl.source.clone()),
        as_of: etl.map(|etl| etl.as_of),
        window: etl.map(|etl| etl.window),
        split: etl.map(|etl| etl.split),
        lineage_until: Some(record.lineage_until),
        seed: Some(record.seed),
        dataset_hash: Some(record.dataset_hash.clone()),
        sha256: Some(record.sha256.clone()),
        code_version: Some(record.code_version.clone()),
    }
}
