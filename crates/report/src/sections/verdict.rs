//! The answer, before everything else.

use walkforward_core::{Metrics, Outcome, SuppliedBy};

use crate::annualised::annualised;
use crate::cautions::Warned;
use crate::dates;
use crate::markup::{Element, dash, el};
use crate::numbers;
use crate::page::{Named, View};
use crate::sections::{counted, marked};

type Key = (&'static str, fn(&Metrics) -> Option<f64>, fn(f64) -> String);

const SHARPE: &str = "Sharpe ratio";

/// The figures that say most.
const KEYS: [Key; 5] = [
    ("Total return", |m| m.total_return, numbers::signed_percent),
    ("Largest drawdown", |m| m.max_drawdown, numbers::percent),
    ("Win rate", |m| m.win_rate, numbers::percent),
    ("Closed trades", |m| m.trades.map(|trades| trades as f64), |count| numbers::decimals(count, 0)),
    (SHARPE, |m| m.sharpe, numbers::plain),
];

/// The head of the page: what was asked, the answer, and what to know about it.
pub(crate) fn verdict(view: &View<'_>) -> Element {
    let report = view.report;
    el("header")
        .add(el("p").class("eyebrow").text(subject_line(view)))
        .add(el("h1").text(&report.title))
        .add(answer(view))
        .all(cautions(view))
        .all(view.candidate().map(|candidate| tiles(view, candidate)))
}

fn subject_line(view: &View<'_>) -> String {
    let report = view.report;
    let mut parts = vec![format!("{} {}", report.symbol, report.timeframe)];
    parts.extend(report.line.as_ref().map(|line| format!("line {line}")));
    parts.extend(report.judged_span.map(|span| {
        let bars = view.candidate().and_then(|candidate| candidate.subject.metrics.bars);
        let bars = bars.map(|bars| format!("{}, ", counted(bars, "bar", "bars"))).unwrap_or_default();
        format!("judged on {bars}{} UTC", dates::span(span))
    }));
    parts.join(" · ")
}

fn answer(view: &View<'_>) -> Element {
    let report = view.report;
    let (class, icon, word) = match report.verdict.as_ref().map(|verdict| verdict.outcome) {
        Some(Outcome::Promote) => ("promote", "✓", "Promote"),
        Some(Outcome::Reject) => ("reject", "✕", "Reject"),
        Some(Outcome::Inconclusive) => ("inconclusive", "?", "Inconclusive"),
        None => ("inconclusive", "–", "Not judged"),
    };
    let icon = el("span").class("icon").attr("aria-hidden", "true").text(icon);
    let badge = el("p").class("badge").add(icon).add(el("span").text(word));
    let details = details(view);
    let details = (!details.is_empty()).then(|| el("p").class("note").text(details.join(" · ")));
    let box_ = el("div").class(format!("verdict {class}")).add(badge);
    box_.add(el("p").class("sentence").text(sentence(view))).all(details)
}

/// The gate's sentence; the reader knows which model it is about.
fn sentence(view: &View<'_>) -> String {
    let Some(verdict) = &view.report.verdict else {
        return "The model was measured; no gate has judged it.".to_owned();
    };
    match verdict.sentence.strip_prefix(view.report.model_id.as_str()) {
        Some(rest) => format!("The model{rest}"),
        None => verdict.sentence.clone(),
    }
}

fn details(view: &View<'_>) -> Vec<String> {
    let report = view.report;
    let verdict = report.verdict.as_ref();
    let status = (!report.status.is_empty()).then(|| format!("Status: {}", report.status));
    let rules = verdict.map(|verdict| format!("Rules: {}", verdict.preset));
    let reason =
        verdict.and_then(|verdict| verdict.reason.as_ref()).map(|reason| format!("Reason: {reason}"));
    let supplied = view.candidate().and_then(|candidate| match &candidate.subject.supplied_by {
        SuppliedBy::Backtest => None,
        SuppliedBy::File { path, .. } => Some(format!("Figures supplied by the file {path}")),
        SuppliedBy::Environment => Some("Figures supplied by the environment".to_owned()),
    });
    [status, rules, reason, supplied].into_iter().flatten().collect()
}

/// Warnings about the figures, and what is wrong with who was measured.
fn cautions(view: &View<'_>) -> Vec<Element> {
    let verdict = view.report.verdict.as_ref().map_or("", |verdict| verdict.sentence.as_str());
    let problems = view.subjects.iter().flat_map(|named| {
        let unsaid = named.subject.problems.iter().filter(|problem| !verdict.contains(problem.as_str()));
        unsaid.map(move |problem| format!("{}: {problem}", named.label))
    });
    let warned = |named: &&Named<'_>| !named.subject.warnings.is_empty();
    let measured: Vec<Warned<'_>> = view.subjects.iter().filter(warned).map(Named::warned).collect();
    let known = crate::cautions(view.report.verdict.as_ref(), &measured).into_iter().map(capital);
    let all: Vec<String> = problems.chain(known).chain(view.report.warnings.iter().cloned()).collect();
    marked(&all, "Warnings")
}

/// `text` as a sentence begins.
fn capital(text: String) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Who the key figures are held against: the champion, else the baseline that takes part in the market most.
fn reference<'a>(view: &'a View<'_>) -> Option<&'a Named<'a>> {
    let exposure = |named: &&Named<'_>| named.subject.metrics.exposure.unwrap_or(0.0);
    let baselines = view.subjects.iter().filter(|named| named.class.starts_with("baseline"));
    view.champion().or_else(|| baselines.max_by(|a, b| exposure(a).total_cmp(&exposure(b))))
}

fn tiles(view: &View<'_>, candidate: &Named<'_>) -> Element {
    let reference = reference(view);
    let tile = |(name, value, format): &Key| {
        let shown = value(&candidate.subject.metrics).filter(|value| value.is_finite()).map(format);
        let made_of = (*name == SHARPE && shown.is_some()).then(|| annualised(view.report.judged_span));
        let other = reference.and_then(|reference| {
            let value = value(&reference.subject.metrics).filter(|value| value.is_finite())?;
            Some(format!("{} {}", reference.label, format(value)))
        });
        let figure = el("dd").class("value");
        let figure = match shown {
            Some(shown) => figure.text(shown),
            None => figure.add(dash()),
        };
        let notes = made_of.into_iter().chain(other).map(|text| el("dd").class("note").text(text));
        el("div").add(el("dt").text(*name)).add(figure).all(notes)
    };
    el("dl").class("tiles").all(KEYS.iter().map(tile))
}
