//! `orchestrate schedules history`.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward_store::{CycleRecord, ScheduleId};

use super::id_argument;
use crate::home::Home;
use crate::table::{Align, Table};
use crate::text::{cut, minute};

const LIMIT: &str = "limit";
const BEFORE: &str = "before";
const MOST: i64 = 1_000;
/// Columns that the words about a cycle have in a table of 80.
const WORDS: usize = 24;

pub(super) fn command() -> Command {
    Command::new("history")
        .about("Lists the cycles of a schedule, newest first")
        .arg(id_argument())
        .arg(
            Arg::new(LIMIT)
                .long(LIMIT)
                .value_name("N")
                .default_value("20")
                .value_parser(value_parser!(u32).range(1..=MOST))
                .help("Cycles that are listed"),
        )
        .arg(
            Arg::new(BEFORE)
                .long(BEFORE)
                .value_name("NUMBER")
                .value_parser(value_parser!(u64))
                .help("Only cycles before this one"),
        )
}

/// Prints cycles.
pub(super) fn print(home: &Home, id: &ScheduleId, matches: &ArgMatches) -> Result<(), Failure> {
    let limit = matches.get_one::<u32>(LIMIT).copied().unwrap_or_default();
    let before = matches.get_one::<u64>(BEFORE).copied();
    let cycles = home.store.cycles(id, before, limit).map_err(|error| Failure::from(&error))?;
    home.print(|| json!({ "schedule_id": id, "cycles": cycles }), || words(id, &cycles))
}

fn words(id: &ScheduleId, cycles: &[CycleRecord]) -> String {
    let Some(oldest) = cycles.last() else {
        return format!("schedule '{id}' has had no cycle\n");
    };
    let mut table = Table::new(&[
        ("cycle", Align::Right),
        ("due (UTC)", Align::Left),
        ("why", Align::Left),
        ("came to", Align::Left),
        ("took", Align::Right),
        ("", Align::Left),
    ]);
    for cycle in cycles {
        let because = cycle.verdict.as_ref().map(|verdict| &verdict.sentence).or(cycle.reason.as_ref());
        table.row(vec![
            cycle.number.to_string(),
            minute(cycle.due_at),
            cycle.trigger.to_string(),
            cycle.status.to_string(),
            took(cycle),
            because.map(|text| cut(text, WORDS)).unwrap_or_default(),
        ]);
    }
    let more = match oldest.number {
        0 | 1 => String::new(),
        number => format!("older ones: --before {number}; all that is known of each: --json\n"),
    };
    format!("{table}{more}")
}

/// How long a cycle ran, in few characters.
fn took(cycle: &CycleRecord) -> String {
    let (Some(start), Some(end)) = (cycle.started_at, cycle.finished_at) else { return String::new() };
    let seconds = end.millis_since(start) as f64 / 1_000.0;
    match seconds {
        ..120.0 => format!("{seconds:.1}s"),
        120.0..7_200.0 => format!("{:.0}m", seconds / 60.0),
        _ => format!("{:.1}h", seconds / 3_600.0),
    }
}
