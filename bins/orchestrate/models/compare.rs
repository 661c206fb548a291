//! `orchestrate models compare`: several models on the same bars, and what choosing the best of them is worth.

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward_core::{Dataset, EvaluationReport, FeatureSpec, LineName, Timestamp, Window};

use super::MODEL;
use crate::evaluate::{Bench, Loaded, seen_bars};
use crate::home::Home;
use selection::Selection;

mod print;
mod selection;

const SEEN: &str = "seen";
/// Models of one comparison.
const MAX_MODELS: usize = 200;

const ABOUT: &str = "Runs models over the same bars, side by side, and says what choosing the best of them is worth: \
its deflated Sharpe ratio, and the probability of overfitting of four models and more. Reported only: nothing is \
promoted by it";

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("compare")
        .about(ABOUT)
        .arg(
            Arg::new(MODEL)
                .value_name("MODEL")
                .required(true)
                .num_args(2..=MAX_MODELS)
                .help("Ids of models, or champion"),
        )
        .arg(Arg::new(SEEN).long(SEEN).action(ArgAction::SetTrue).help(
            "Compare on the whole window, also where a model or an ancestor has learned from it: that flatters it",
        ))
}

/// What the models came to.
struct Comparison {
    bars: Bars,
    models: Vec<Compared>,
    baselines: Vec<EvaluationReport>,
    /// None where a model has seen some of the bars, or none has a Sharpe ratio.
    selection: Option<Selection>,
}

/// The bars that all are compared on.
struct Bars {
    judged: Window,
    /// How many.
    count: usize,
    /// The whole window; what is compared is its end.
    window: Window,
    symbol: String,
    origin: String,
    bars_per_year: f64,
}

/// A model with what it came to.
struct Compared {
    loaded: Loaded,
    /// Bars of the window that it or an ancestor has seen.
    seen_in_window: usize,
    /// Those of them that it is compared on.
    seen: usize,
    report: EvaluationReport,
}

/// Compares the models that `matches` name, on the bars and with the costs of the settings.
pub(super) fn run(home: &Home, matches: &ArgMatches) -> Result<(), Failure> {
    let bench = Bench::open(&home.settings, home.output)?;
    let names = matches.get_many::<String>(MODEL).into_iter().flatten();
    let loaded = load(&bench, names.map(String::as_str))?;
    let datasets = Datasets::of(&bench, &loaded)?;
    let judged = judged(&datasets, &loaded, matches.get_flag(SEEN))?;
    let mut comparison = measure(&bench, datasets, loaded, judged)?;
    drop(bench);
    // In sample the best is no finding: learning looks like skill there.
    if comparison.models.iter().all(|model| model.seen == 0) {
        let trials = trials(home, &comparison.models)?;
        comparison.selection = Selection::of(&comparison.models, comparison.bars.bars_per_year, trials)?;
    }
    home.print(|| print::json(&comparison), || print::text(&comparison))
}

/// The models called `names`; each once, all for bars of one length.
fn load<'a>(bench: &Bench, names: impl Iterator<Item = &'a str>) -> Result<Vec<Loaded>, Failure> {
    let mut loaded: Vec<Loaded> = Vec::new();
    for name in names {
        let model = bench.model(name)?;
        let id = &model.record.model_id;
        if loaded.iter().any(|other| other.record.model_id == *id) {
            return Err(Failure::input(format!("{id} is named twice: name each model once")));
        }
        if let Some(other) = loaded.first().filter(|other| other.spec.timeframe != model.spec.timeframe) {
            return Err(Failure::input(format!(
                "{id} decides on {} bars, {} on {}: compare models for bars of one length",
                model.spec.timeframe, other.record.model_id, other.spec.timeframe
            )));
        }
        loaded.push(model);
    }
    Ok(loaded)
}

/// A dataset for each set of features; all have the same window.
struct Datasets(Vec<(FeatureSpec, Dataset)>);

impl Datasets {
    fn of(bench: &Bench, models: &[Loaded]) -> Result<Self, Failure> {
        let mut datasets: Vec<(FeatureSpec, Dataset)> = Vec::new();
        for model in models {
            if datasets.iter().any(|(features, _)| *features == model.spec.features) {
                continue;
            }
            let dataset = bench.dataset(&model.spec)?;
            if let Some((_, first)) = datasets.first()
                && first.window != dataset.window
            {
                return Err(Failure::input(format!(
                    "{} needs so much history for its features that its window differs from the others': give more \
                     bars, or a shorter --window-bars",
                    model.record.model_id
                )));
            }
            datasets.push((model.spec.features.clone(), dataset));
        }
        Ok(Self(datasets))
    }

    fn first(&self) -> Result<&Dataset, Failure> {
        let none = || Failure::input("there is no model to compare");
        self.0.first().map(|(_, dataset)| dataset).ok_or_else(none)
    }

    fn of_model(&self, model: &Loaded) -> Result<&Dataset, Failure> {
        let of = self.0.iter().find(|(features, _)| *features == model.spec.features);
        of.map_or_else(|| self.first(), |(_, dataset)| Ok(dataset))
    }

    /// What lies before `judged` is what training could use.
    fn split_at(&mut self, judged: Window) {
        for (_, dataset) in self.0.iter_mut().filter(|(_, dataset)| dataset.window != judged) {
            dataset.split = judged.start();
            dataset.embargo_bars = 0;
        }
    }
}

/// The bars after everything that any of `models` has seen; with `also_seen` the whole window.
fn judged(datasets: &Datasets, models: &[Loaded], also_seen: bool) -> Result<Window, Failure> {
    let dataset = datasets.first()?;
    let window = dataset.window;
    let until = |model: &&Loaded| model.record.lineage_until;
    let Some(last) = models.iter().max_by_key(until).filter(|_| !also_seen) else { return Ok(window) };
    let seen: Timestamp = last.record.lineage_until;
    let first = dataset.bars.index_at_or_after(seen).max(dataset.history_bars);
    match dataset.bars.open_times().get(first) {
        Some(start) => Window::new(*start, window.end()).map_err(|error| Failure::stage(error.to_string())),
        None => Err(Failure::input(format!(
            "no bar of the window is unseen by all: it ends {}, and {} or an ancestor has seen bars until {seen}; give \
             later bars, or --{SEEN} to compare on bars that flatter it",
            window.end(),
            last.record.model_id
        ))),
    }
}

fn measure(
    bench: &Bench,
    mut datasets: Datasets,
    models: Vec<Loaded>,
    judged: Window,
) -> Result<Comparison, Failure> {
    datasets.split_at(judged);
    let compare = |loaded: Loaded| {
        let dataset = datasets.of_model(&loaded)?;
        let report = bench.evaluate(&loaded.reference, dataset, judged)?;
        let seen_in_window = seen_bars(&loaded.record, dataset);
        let before = dataset.bars.index_at_or_after(judged.start()).saturating_sub(dataset.history_bars);
        Ok(Compared { seen: seen_in_window.saturating_sub(before), seen_in_window, loaded, report })
    };
    let models = models.into_iter().map(compare).collect::<Result<Vec<_>, Failure>>()?;
    let dataset = datasets.first()?;
    let bars = Bars {
        judged,
        count: models.first().map_or(0, |model| model.report.net_return.len()),
        window: dataset.window,
        symbol: format!("{} {}", dataset.symbol, dataset.timeframe()),
        origin: dataset.origin.clone(),
        bars_per_year: bench.config.calendar.bars_per_year(dataset.timeframe()),
    };
    let baselines = bench.baselines(dataset, judged)?;
    Ok(Comparison { bars, models, baselines, selection: None })
}

/// How often luck had its chance: the models of the line when all are of one, else those that are compared.
fn trials(home: &Home, models: &[Compared]) -> Result<(usize, Option<LineName>), Failure> {
    let line = models.first().map(|model| model.loaded.record.line.clone());
    let line = line.filter(|line| models.iter().all(|model| model.loaded.record.line == *line));
    let of_line = line.as_ref().map(|line| home.store.models(line)).transpose();
    let of_line = of_line.map_err(|error| Failure::from(&error))?.map_or(0, |ids| ids.len());
    Ok((of_line.max(models.len()), line))
}
