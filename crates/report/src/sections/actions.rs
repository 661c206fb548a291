//! What was decided on how often.

use crate::bounds::{MAX_ROWS, bounded};
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::numbers;
use crate::page::{Named, Section, View, in_words};
use crate::sections::note;

/// Shares of the actions, a column for each model that has any.
pub(crate) fn actions(view: &View<'_>) -> Section {
    let deciders: Vec<&Named<'_>> = view.subjects.iter().filter(|named| total(named) > 0).collect();
    let content =
        if deciders.is_empty() { vec![note("No decisions were recorded.")] } else { distribution(&deciders) };
    Section { id: "actions", title: "Decisions", content }
}

fn total(named: &Named<'_>) -> u64 {
    named.subject.actions.iter().fold(0, |sum, action| sum.saturating_add(action.bars))
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
        columns.extend([(named.label.as_str(), false), ("Share", true), ("Bars", true)]);
    }
    let row = |name: &&str| {
        let cells = deciders.iter().flat_map(|named| cells(named, name));
        el("tr").add(row_header(&in_words(name))).all(cells)
    };
    let label = "How often each decision was taken";
    let scroll = table(label, header(&columns), shown.iter().map(row));
    std::iter::once(scroll).chain(left_out(rest, "decisions are")).collect()
}

fn cells(named: &Named<'_>, action: &str) -> [Element; 3] {
    let of_action = named.subject.actions.iter().filter(|count| count.action == action);
    let bars = of_action.fold(0_u64, |sum, count| sum.saturating_add(count.bars));
    let share = bars as f64 / total(named) as f64;
    let width = format!("width:{}%", (share * 1_000.0).round() / 10.0);
    let bar = el("span").class(format!("bar {}", named.class)).attr("style", width);
    [
        el("td").class("track").add(el("span").class("rail").attr("aria-hidden", "true").add(bar)),
        figure(Some(numbers::percent(share))),
        figure(Some(numbers::whole(bars))),
    ]
}
