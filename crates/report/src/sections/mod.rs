//! The parts of the page in reading order.

mod actions;
mod data;
mod equity;
mod evidence;
mod gate;
mod histogram;
mod lineage;
mod marks;
mod metrics;
mod provenance;
mod samples;
mod trades;
mod trading;
mod training;
mod verdict;

pub(crate) use actions::actions;
pub(crate) use data::data;
pub(crate) use equity::{Curve, charts, equity, equity_chart, growth_scale};
pub(crate) use evidence::{evidence, meter, section as evidence_section, worth_notes};
pub(crate) use gate::gate;
pub(crate) use lineage::lineage;
pub(crate) use metrics::metrics;
pub(crate) use provenance::provenance;
pub(crate) use samples::samples;
pub(crate) use trades::trades;
pub(crate) use trading::trading;
pub(crate) use training::training;
pub(crate) use verdict::verdict;

use crate::bounds::{MAX_ROWS, bounded};
use crate::markup::{Element, el, left_out};

/// A sentence about a figure.
pub(crate) fn note(text: impl AsRef<str>) -> Element {
    el("p").class("note").text(text)
}

/// Names with their values, to be copied rather than read; `what` ends the sentence about those left out.
pub(crate) fn facts(facts: &[(String, String)], what: &str) -> Vec<Element> {
    let (shown, rest) = bounded(facts, MAX_ROWS);
    let fact = |(name, value): &(String, String)| {
        el("div").add(el("dt").text(name)).add(el("dd").add(el("code").text(value)))
    };
    let list = el("dl").class("facts").all(shown.iter().map(fact));
    let list = (!shown.is_empty()).then_some(list);
    list.into_iter().chain(left_out(rest, what)).collect()
}

/// What a reader has to know, each text beside a mark; `label` says what they are (`Warnings`).
pub(crate) fn marked(texts: &[String], label: &str) -> Vec<Element> {
    let (shown, rest) = bounded(texts, MAX_ROWS);
    let item = |text: &String| {
        let mark = el("span").class("icon").attr("aria-hidden", "true").text("!");
        el("li").add(mark).add(el("span").text(text))
    };
    let list = el("ul").class("warnings").attr("aria-label", label).all(shown.iter().map(item));
    let list = (!shown.is_empty()).then_some(list);
    list.into_iter().chain(left_out(rest, &format!("{} are", label.to_lowercase()))).collect()
}

/// What a judgement came to, told by a sign, a word and a colour: `class` is `pass`, `fail` or `unknown`.
pub(crate) fn result(class: &str, word: &str) -> Element {
    let icon = match class {
        "pass" => "✓",
        "fail" => "✕",
        _ => "?",
    };
    let icon = el("span").class("icon").attr("aria-hidden", "true").text(icon);
    el("span").class(format!("result {class}")).add(icon).add(el("span").text(word))
}

/// A chart, its legend above and its caption below.
fn graphic(title: Option<&str>, legend: Option<Element>, chart: Element, caption: Option<String>) -> Element {
    let figure = el("figure").all(title.map(|title| el("h3").text(title))).all(legend).add(chart);
    figure.all(caption.map(|caption| el("figcaption").text(caption)))
}

/// `count` with its noun: `1 bar`, `1,234 bars`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", crate::numbers::whole(count), if count == 1 { one } else { many })
}
