//! `orchestrate schedules list|show`.

use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::scheduling::{market_of, waits_for_server};
use walkforward_store::{CycleRecord, ScheduleId, ScheduleRecord, ScheduleStatus, StoreError};

use super::timing;
use crate::control::Request;
use crate::home::Home;
use crate::table::{Align, Table};
use crate::text::{cut, labelled, minute};

/// Columns of an id and of due times that a table of 80 has room for.
const ID_COLUMNS: usize = 13;
const EVERY_COLUMNS: usize = 8;

/// Prints all schedules.
pub(super) fn list(home: &Home) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    let records = home.store.schedules().map_err(refuse)?;
    let server = home.server()?.map(|mut server| server.ask(&Request::Status)).transpose()?;
    let rows = records.into_iter().map(|record| {
        let last = home.store.cycles(&record.id, None, 1)?.pop();
        Ok((record, last))
    });
    let rows: Vec<(ScheduleRecord, Option<CycleRecord>)> = rows.collect::<Result<_, _>>().map_err(refuse)?;
    let faults = server.as_ref().and_then(|it| it["faults"].as_array()).cloned().unwrap_or_default();
    let as_json = || {
        let schedules: Vec<Value> = rows.iter().map(|(record, last)| json(record, last.as_ref())).collect();
        json!({ "schedules": schedules, "server": server })
    };
    home.print(as_json, || words(&rows, server.is_some(), &faults))
}

fn words(rows: &[(ScheduleRecord, Option<CycleRecord>)], has_server: bool, faults: &[Value]) -> String {
    if rows.is_empty() {
        return "there are no schedules; `orchestrate schedules add --help` shows how to make one\n"
            .to_owned();
    }
    let mut table = Table::new(&[
        ("schedule", Align::Left),
        ("market", Align::Left),
        ("every", Align::Left),
        ("status", Align::Left),
        ("next due (UTC)", Align::Left),
        ("newest cycle", Align::Left),
    ]);
    for (record, last) in rows {
        table.row(vec![
            cut(record.id.as_str(), ID_COLUMNS),
            market(record),
            cut(&timing::short(&record.config), EVERY_COLUMNS),
            record.status.to_string(),
            next(record),
            last.as_ref().map_or_else(|| "-".to_owned(), newest),
        ]);
    }
    let faults: String = faults
        .iter()
        .map(|fault| {
            let (id, fault) = (fault["id"].as_str().unwrap_or("?"), fault["fault"].as_str().unwrap_or("?"));
            labelled(
                "problem",
                &format!("schedule '{id}' is set aside until the server starts again: {fault}"),
            )
        })
        .collect();
    let server = match has_server {
        true => "",
        false => "no server runs; `orchestrate serve` runs the schedules\n",
    };
    format!("{table}{faults}{server}")
}

fn market(record: &ScheduleRecord) -> String {
    market_of(record)
        .map_or_else(|| "-".to_owned(), |market| format!("{} {}", market.symbol, market.timeframe))
}

fn next(record: &ScheduleRecord) -> String {
    match (record.status, record.next_cycle_at) {
        (ScheduleStatus::Idle, _) if waits_for_server(record) => "with a server".to_owned(),
        (_, Some(next)) => minute(next),
        (_, None) => "-".to_owned(),
    }
}

fn newest(cycle: &CycleRecord) -> String {
    format!("{} {}", cycle.number, cycle.status)
}

/// A schedule with its newest cycle, as one object.
pub(super) fn json(record: &ScheduleRecord, last: Option<&CycleRecord>) -> Value {
    json!({ "schedule": record, "market": market_of(record), "newest_cycle": last })
}

/// Prints one schedule.
pub(super) fn show(home: &Home, id: &ScheduleId) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    let record = home.store.schedule(id).map_err(refuse)?;
    let last = home.store.cycles(id, None, 1).map_err(refuse)?.pop();
    let live =
        home.server()?.map(|mut server| server.ask(&Request::Show { schedule: id.clone() })).transpose()?;
    let as_json = || {
        let mut all = json(&record, last.as_ref());
        all["live"] = json!(live);
        all
    };
    let progress = live.as_ref().map_or(&Value::Null, |live| &live["progress"]);
    home.print(as_json, || about(&record, last.as_ref(), progress))
}

fn about(record: &ScheduleRecord, last: Option<&CycleRecord>, progress: &Value) -> String {
    let mut lines = vec![
        ("line", record.line.to_string()),
        ("market", market(record)),
        ("due", due(record)),
        ("status", status(record)),
    ];
    if let Some(last) = last {
        let reason = last.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(("newest", format!("cycle {} {}{reason}", last.number, last.status)));
    }
    if !progress.is_null() {
        let update = &progress["update"];
        let of = format!("{} of {}", update["done"], update["total"]);
        let stage = update["stage"].as_str().unwrap_or("?");
        lines.push(("progress", format!("cycle {}: {stage}, {of}", progress["cycle"])));
    }
    let references = [
        ("dataset", record.dataset_id.as_ref().map(ToString::to_string)),
        ("pack", record.hp_pack_id.as_ref().map(ToString::to_string)),
        ("base", record.base_experiment_id.as_ref().map(ToString::to_string)),
        ("parent", record.current_checkpoint_path.clone()),
    ];
    lines.extend(references.into_iter().filter_map(|(label, text)| Some((label, text?))));
    for key in ["settings", "pack", "features"] {
        let value = &record.config[key];
        if !value.is_null() && *value != json!({}) {
            lines.push((if key == "pack" { "own pack" } else { key }, value.to_string()));
        }
    }
    let lines: String = lines.into_iter().map(|(label, text)| labelled(label, &text)).collect();
    format!("{} ({})\n{lines}", record.id, record.name)
}

fn due(record: &ScheduleRecord) -> String {
    let text = |key: &str| record.config[key].as_str().unwrap_or("-").to_owned();
    let zone = record.config["recurrence"].as_str().filter(|text| text.starts_with("cron"));
    let zone =
        zone.and_then(|text| text.rsplit(' ').next()).map(|zone| format!(" {zone}")).unwrap_or_default();
    format!(
        "{}{zone}; missed: {}, busy: {}, grace {} s, jitter {} s",
        timing::short(&record.config),
        text("on_missed"),
        text("on_busy"),
        record.config["misfire_grace_seconds"],
        record.config["jitter_seconds"],
    )
}

fn status(record: &ScheduleRecord) -> String {
    let next = match (waits_for_server(record) && record.status == ScheduleStatus::Idle, record.next_cycle_at)
    {
        (true, _) => ", starts with the next server".to_owned(),
        (false, Some(next)) => format!(", next due {} UTC", minute(next)),
        (false, None) => String::new(),
    };
    let failures = match record.consecutive_failures {
        0 => String::new(),
        failures => format!(", {failures} failures in a row"),
    };
    format!("{}{next}{failures}", record.status)
}
