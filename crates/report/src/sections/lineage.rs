//! Where the model comes from.

use crate::bounds::{MAX_ROWS, bounded};
use crate::dates;
use crate::markup::{Element, el, left_out};
use crate::model::{Ancestor, ModelReport};
use crate::numbers;
use crate::page::{Section, View};
use crate::sections::note;

/// The chain of ancestors, the model itself first.
pub(crate) fn lineage(view: &View<'_>) -> Section {
    let report = view.report;
    let newest_first: Vec<&Ancestor> = report.lineage.iter().rev().collect();
    let (shown, rest) = bounded(&newest_first, MAX_ROWS);
    let content = if shown.is_empty() {
        vec![note("No ancestors were recorded.")]
    } else {
        let items = shown.iter().map(|ancestor| item(ancestor, report));
        let chain = el("ol").class("chain").all(items);
        [note(summary(report)), chain].into_iter().chain(left_out(rest, "older ancestors are")).collect()
    };
    Section { id: "lineage", title: "Lineage", content }
}

fn summary(report: &ModelReport) -> String {
    let until = report.provenance.lineage_until.map(dates::minute);
    let until = until.map(|until| format!(" The model and its ancestors have seen bars until {until} UTC."));
    let generations = report.lineage.len().saturating_sub(1);
    let start = match generations {
        0 => "It was trained from fresh weights or its ancestors are unknown.".to_owned(),
        1 => "It continues one earlier model.".to_owned(),
        many => format!("It continues a chain of {} earlier models.", numbers::whole(many as u64)),
    };
    start + &until.unwrap_or_default()
}

fn item(ancestor: &Ancestor, report: &ModelReport) -> Element {
    let is_own = ancestor.id == report.model_id;
    let mut heading = el("p").class("id").add(el("code").text(ancestor.id.as_str()));
    if is_own {
        heading = heading.add(el("span").class("pill own").text("this model"));
    }
    if !ancestor.status.is_empty() {
        heading = heading.add(el("span").class("pill").text(&ancestor.status));
    }
    let from = match &ancestor.parent {
        Some(parent) => format!("continues {parent}"),
        None => "from fresh weights".to_owned(),
    };
    let facts = format!(
        "Trained until {} UTC by {}, seed {}, {from}",
        dates::minute(ancestor.trained_until),
        ancestor.trainer,
        ancestor.seed
    );
    let item = el("li").add(heading).add(note(facts));
    if is_own { item.class("own") } else { item }
}
