//! What `orchestrate models compare` prints.

use serde_json::{Value, json};
use walkforward_core::{EvaluationReport, Metrics};
use walkforward_report::annualised;

use super::{Compared, Comparison};
use crate::table::{Align, Table};
use crate::text::{labelled, minute};

/// For a program.
pub(super) fn json(comparison: &Comparison) -> Value {
    let Comparison { bars, models, baselines, selection } = comparison;
    let of_model = |model: &Compared| {
        let record = &model.loaded.record;
        json!({
            "modelId": record.model_id,
            "sha256": record.sha256,
            "line": record.line,
            "lineageUntil": record.lineage_until,
            "seenBars": model.seen,
            "seenBarsOfWindow": model.seen_in_window,
            "metrics": model.report.metrics,
            "warnings": model.report.warnings,
        })
    };
    let selection = selection.as_ref().map(|it| {
        json!({
            "best": it.best,
            "sharpe": it.sharpe,
            "probabilisticSharpe": it.probabilistic,
            "trials": it.trials,
            "trialsOfLine": it.line,
            "deflatedSharpe": it.deflated.map(|deflated| deflated.probability),
            "overfitting": it.overfitting.map(|it| json!({ "probability": it.probability, "splits": it.n_splits })),
            "sentences": it.sentences().into_iter().map(|(_, text)| text).collect::<Vec<_>>(),
        })
    });
    json!({
        "judged": bars.judged,
        "bars": bars.count,
        "window": bars.window,
        "origin": bars.origin,
        "models": models.iter().map(of_model).collect::<Vec<_>>(),
        "baselines": baselines.iter().map(|it| json!({ "name": it.subject, "metrics": it.metrics })).collect::<Vec<_>>(),
        "selection": selection,
    })
}

/// For a person.
pub(super) fn text(comparison: &Comparison) -> String {
    let Comparison { bars, models, baselines, selection } = comparison;
    let judged = format!(
        "{} of {} from {}, {} to {}",
        bars.count,
        bars.symbol,
        bars.origin,
        minute(bars.judged.start()),
        minute(bars.judged.end())
    );
    let seen = seen(comparison);
    let told = match selection {
        Some(selection) => selection.sentences(),
        None if models.iter().any(|model| model.seen > 0) => {
            let why = "not told: on bars that a model has learned from, learning can't be told from skill";
            vec![("best", why.to_owned())]
        }
        None => vec![("best", "none of them has a Sharpe ratio: nobody traded".to_owned())],
    };
    let told: String = told.into_iter().map(|(label, text)| labelled(label, &text)).collect();
    let table = table(comparison, models, baselines);
    format!("{}{}\n{table}\n{told}", labelled("bars", &judged), labelled("seen", &seen))
}

/// Which of the bars somebody has seen.
fn seen(comparison: &Comparison) -> String {
    let flattered: Vec<String> = comparison
        .models
        .iter()
        .filter(|model| model.seen > 0)
        .map(|model| format!("{} {} of these bars", model.loaded.record.model_id, model.seen))
        .collect();
    if flattered.is_empty() {
        return "none of these bars by any of the models or an ancestor".to_owned();
    }
    format!("{}: figures in sample flatter", flattered.join(", "))
}

fn table(comparison: &Comparison, models: &[Compared], baselines: &[EvaluationReport]) -> Table {
    let sharpe = format!("Sharpe, {}", annualised(Some(comparison.bars.judged)));
    let columns = ["return", sharpe.as_str(), "max drawdown", "trades", "seen of window"];
    let header: Vec<(&str, Align)> = std::iter::once(("after costs", Align::Left))
        .chain(columns.map(|name| (name, Align::Right)))
        .collect();
    let mut table = Table::new(&header);
    for model in models {
        let seen = model.seen_in_window.to_string();
        table.row(row(model.loaded.record.model_id.as_str(), &model.report.metrics, seen));
    }
    for baseline in baselines {
        table.row(row(&baseline.subject.replace('_', " "), &baseline.metrics, "-".to_owned()));
    }
    table
}

fn row(name: &str, metrics: &Metrics, seen: String) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let percent = |value: Option<f64>| or_dash(value.map(|value| format!("{:.2} %", 100.0 * value)));
    vec![
        name.to_owned(),
        percent(metrics.total_return),
        or_dash(metrics.sharpe.map(|sharpe| format!("{sharpe:.2}"))),
        percent(metrics.max_drawdown),
        or_dash(metrics.trades.map(|trades| trades.to_string())),
        seen,
    ]
}
