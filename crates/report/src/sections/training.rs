//! What the training said about itself.

use walkforward_core::TrainingOutcome;

use crate::bounds::MAX_ROWS;
use crate::dates;
use crate::markup::{Element, el, figure, header, left_out, table};
use crate::numbers;
use crate::page::{Section, View};
use crate::sections::note;

/// What the literature's names mean.
const MEANINGS: [(&str, &str); 13] = [
    ("approx_kl", "how far the last update moved the policy"),
    ("clipfrac", "share of steps whose change was clipped"),
    ("entropy", "how undecided the policy is; 0 is certain"),
    ("explained_variance", "how well the critic predicts; 1 is perfect"),
    ("policy_loss", "what the update of the actor lowers"),
    ("value_loss", "squared error of the critic"),
    ("learning_rate", "step size of the last update"),
    ("loss", "what training lowers"),
    ("accuracy", "share of labels that were hit"),
    ("mean_reward", "per step"),
    ("episode_return", "sum of rewards of an episode"),
    ("grad_norm", "length of the last gradient"),
    ("old_approx_kl", "the same by the plain estimate"),
];

/// Who trained it, on how much, and the last figures.
pub(crate) fn training(view: &View<'_>) -> Section {
    let content = match &view.report.training {
        Some(training) => outcome(training),
        None => vec![note("No training was recorded.")],
    };
    Section { id: "training", title: "Training", content }
}

fn outcome(training: &TrainingOutcome) -> Vec<Element> {
    let set = training.instruction_set.as_ref().map(|set| format!(", with {set} instructions"));
    let summary = format!(
        "Trained by {}: {} iterations, {} steps, on bars until {} UTC{}.",
        training.trainer,
        numbers::whole(training.iterations),
        numbers::whole(training.environment_steps),
        dates::minute(training.used_until),
        set.unwrap_or_default()
    );
    let mut content = vec![note(summary)];
    if !training.metrics.is_empty() {
        let rows = training.metrics.iter().take(MAX_ROWS).map(|(name, value)| row(name, *value));
        let columns = [("Figure", false), ("Last value", true)];
        content.push(table("Last figures of the training", header(&columns), rows).attr("data-narrow", ""));
        content.extend(left_out(training.metrics.len().saturating_sub(MAX_ROWS), "figures are"));
    }
    content
}

fn row(name: &str, value: f64) -> Element {
    let meaning = MEANINGS.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning);
    let meaning = meaning.map(|meaning| el("span").class("sub").text(meaning));
    let value = value.is_finite().then(|| numbers::figure(value));
    el("tr").add(el("th").attr("scope", "row").add(el("code").text(name)).all(meaning)).add(figure(value))
}
