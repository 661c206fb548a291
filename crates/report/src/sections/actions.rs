//! What was decided on how often.

use crate::bounds::{MAX_ROWS, bounded};
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::numbers;
use crate::page::{Named, Section, View, in_words};
use crate::sections::note;

/// Shares of the actions, a column for each model that has any.
pub(crate) fn actions(view: &View<'_>) -> Section {
    let deciders: Vec<&Named<'_>> = view.subjects.iter().filter(|named| has_decided(named)).collect();
    let content =
        if deciders.is_empty() { vec![note("No decisions were recorded.")] } else { distribution(&deciders) };
    Section { id: "actions", title: "Decisions", content }
}

fn has_decided(named: &Named<'_>) -> bool {
    named.subject.actions.iter().any(|action| action.share > 0.0)
}

fn distribution(deciders: &[&Named<'_>]) -> Vec<Element> {
    let mut names: Vec<&str> = Vec::new();
    for action in deciders.iter().flat_map(|named| &named.subject.actions) {
        if names.len() <= MAX_ROWS && !names.contains(&action.action.as_str()) {
            names.push(&action.action);
        }
    }
    let (shown, rest) = bounded(&names, MAX_ROWS);
    let mut columns = vec![("Decision", false)];
    for named in deciders {
        columns.extend([(named.label.as_str(), false), ("Share", true)]);
    }
    let row = |name: &&str| {
        let cells = deciders.iter().flat_map(|named| cells(named, name));
        el("tr").add(row_header(&in_words(name))).all(cells)
    };
    let label = "How often each decision was taken";
    let scroll = table(label, header(&columns), shown.iter().map(row));
    std::iter::once(scroll).chain(left_out(rest, "decisions are")).collect()
}

fn cells(named: &Named<'_>, action: &str) -> [Element; 2] {
    let of_action = named.subject.actions.iter().filter(|it| it.action == action).map(|it| it.share);
    let share = of_action.sum::<f64>();
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let width = format!("width:{}%", (share * 1_000.0).round() / 10.0);
    let bar = el("span").class(format!("bar {}", named.class)).attr("style", width);
    [
        el("td").class("track").add(el("span").class("rail").attr("aria-hidden", "true").add(bar)),
        figure(Some(numbers::percent(share))),
    ]
}
