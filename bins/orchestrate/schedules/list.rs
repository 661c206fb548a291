//! `orchestrate schedules list|show`.

use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::scheduling::waits_for_server;
use walkforward_core::Timestamp;
use walkforward_orchestrator::Market;
use walkforward_orchestrator::schedule::State;
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
    let now = home.clock.now();
    let as_json = || {
        let schedules: Vec<Value> =
            rows.iter().map(|(record, last)| seen(record, last.as_ref(), now)).collect();
        json!({ "schedules": schedules, "server": server })
    };
    home.print(as_json, || words(&rows, server.is_some(), &faults, now))
}

fn words(
    rows: &[(ScheduleRecord, Option<CycleRecord>)],
    has_server: bool,
    faults: &[Value],
    now: Timestamp,
) -> String {
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
    let ahead: String = rows
        .iter()
        .filter_map(|(record, _)| {
            let problem = ahead_in_words(record, now)?;
            Some(labelled("problem", &format!("schedule '{}': {problem}", record.id)))
        })
        .collect();
    let server = match has_server {
        true => "",
        false => "no server runs; `orchestrate serve` runs the schedules\n",
    };
    format!("{table}{faults}{ahead}{server}")
}

fn market(record: &ScheduleRecord) -> String {
    Market::of_schedule(record)
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
    json!({ "schedule": record, "market": Market::of_schedule(record), "newest_cycle": last })
}

/// As [`json()`], and whether its next due time is that of a clock which was ahead.
fn seen(record: &ScheduleRecord, last: Option<&CycleRecord>, now: Timestamp) -> Value {
    let mut all = json(record, last);
    let ahead = ahead(record, now);
    all["clock_was_ahead"] = json!(ahead.map(|due| json!({ "next_from_now": due })));
    all
}

/// The due time that a start would count from, where the next one is that of a clock which was ahead.
fn ahead(record: &ScheduleRecord, now: Timestamp) -> Option<Timestamp> {
    State::from_record(record).ok()?.due_if_counted_from(now)
}

fn ahead_in_words(record: &ScheduleRecord, now: Timestamp) -> Option<String> {
    let due = minute(ahead(record, now)?);
    let next = match record.next_cycle_at {
        Some(next) => format!("it waits until {} UTC", minute(next)),
        None => "it waits for ever".to_owned(),
    };
    let id = &record.id;
    Some(format!(
        "the clock was ahead when its next due time was recorded: {next}, where {due} UTC would be next from now; \
         `orchestrate schedules stop {id}` and `orchestrate schedules start {id}` count from now"
    ))
}

/// Prints one schedule.
pub(super) fn show(home: &Home, id: &ScheduleId) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    let record = home.store.schedule(id).map_err(refuse)?;
    let last = home.store.cycles(id, None, 1).map_err(refuse)?.pop();
    let live =
        home.server()?.map(|mut server| server.ask(&Request::Show { schedule: id.clone() })).transpose()?;
    let as_json = || {
        let mut all = seen(&record, last.as_ref(), home.clock.now());
        all["live"] = json!(live);
        all
    };
    let progress = live.as_ref().map_or(&Value::Null, |live| &live["progress"]);
    let problem = ahead_in_words(&record, home.clock.now());
    home.print(as_json, || about(&record, last.as_ref(), progress, problem))
}

fn about(
    record: &ScheduleRecord,
    last: Option<&CycleRecord>,
    progress: &Value,
    problem: Option<String>,
) -> String {
    let mut lines = vec![
        ("line", record.line.to_string()),
        ("market", market(record)),
        ("due", due(record)),
        ("status", status(record)),
    ];
    lines.extend(problem.map(|problem| ("problem", problem)));
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
