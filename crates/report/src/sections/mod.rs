//! The parts of the page in reading order.

mod actions;
mod data;
mod equity;
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
pub(crate) use equity::{Curve, charts, equity};
pub(crate) use gate::gate;
pub(crate) use lineage::lineage;
pub(crate) use metrics::metrics;
pub(crate) use provenance::provenance;
pub(crate) use samples::samples;
pub(crate) use trades::trades;
pub(crate) use trading::trading;
pub(crate) use training::training;
pub(crate) use verdict::verdict;

use crate::markup::{Element, el};

/// A sentence about a figure.
pub(crate) fn note(text: impl AsRef<str>) -> Element {
    el("p").class("note").text(text)
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
