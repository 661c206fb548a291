//! What the model was made of, so that it can be made again.

use serde_json::Value;
use walkforward_core::Timestamp;

use crate::bounds::{MAX_ROWS, bounded};
use crate::dates;
use crate::markup::{Element, el, header, left_out, table};
use crate::page::{Section, View};

/// Levels of nested settings that become rows of their own.
const MAX_DEPTH: usize = 8;

/// Hashes, times, versions, and the settings.
pub(crate) fn provenance(view: &View<'_>) -> Section {
    let facts = facts(view).into_iter().filter_map(|(name, value, is_code)| {
        let value = value?;
        let value = if is_code { el("dd").add(el("code").text(value)) } else { el("dd").text(value) };
        Some(el("div").add(el("dt").text(name)).add(value))
    });
    let mut content = vec![el("dl").class("facts").all(facts)];
    content.extend(settings(&view.report.settings));
    Section { id: "provenance", title: "How it was made", content }
}

/// Name, value, and whether the value is to be copied rather than read.
fn facts(view: &View<'_>) -> [(&'static str, Option<String>, bool); 13] {
    let (report, made) = (view.report, &view.report.provenance);
    let time = |time: Option<Timestamp>| time.map(|time| format!("{} UTC", dates::minute(time)));
    let champion = view.champion().map(|champion| champion.subject.name.clone());
    [
        ("Model", Some(report.model_id.to_string()), true),
        ("Run", made.run_id.as_ref().map(ToString::to_string), true),
        ("Compared with", champion, true),
        ("Made", time(made.created_at), false),
        ("Bars from", made.origin.clone(), false),
        ("As of", time(made.as_of), false),
        ("Window", made.window.map(|window| format!("{} UTC", dates::span(window))), false),
        ("Hold-out from", time(made.split), false),
        ("Seen until", time(made.lineage_until), false),
        ("Seed", made.seed.map(|seed| seed.to_string()), true),
        ("Weights, SHA-256", made.sha256.clone(), true),
        ("Dataset, SHA-256", made.dataset_hash.clone(), true),
        ("Program", made.code_version.clone(), true),
    ]
}

fn settings(settings: &Value) -> Vec<Element> {
    let mut rows = Vec::new();
    flatten(String::new(), settings, 0, &mut rows);
    if rows.is_empty() {
        return Vec::new();
    }
    let (shown, rest) = bounded(&rows, MAX_ROWS);
    let row = |(name, value): &(String, String)| {
        let name = el("th").attr("scope", "row").add(el("code").text(name));
        el("tr").add(name).add(el("td").add(el("code").text(value)))
    };
    let columns = [("Setting", false), ("Value", false)];
    let list = table("Settings", header(&columns), shown.iter().map(row)).attr("data-narrow", "");
    [el("h3").text("Settings"), list].into_iter().chain(left_out(rest, "settings are")).collect()
}

/// One row for each value, named by its path.
fn flatten(path: String, value: &Value, depth: usize, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Null if depth == 0 => {}
        Value::Object(keys) if depth < MAX_DEPTH => {
            for (key, value) in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(path, value, depth + 1, rows);
            }
        }
        Value::String(text) => rows.push((path, text.clone())),
        other => rows.push((path, other.to_string())),
    }
}
