//! Two years of minutes through one trader: `cargo run --release -p walkforward-live --example soak [MONTHS]`, 24 months by
//! default. A JSON line for each month of each run, and one at the end of each.
//!
//! Three runs, each in a process of its own: two from start to end, and one that is killed in its middle and goes on in
//! another process. All three have to come to the same ledger, to the last bit.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]
#![expect(clippy::unwrap_used, reason = "an example that fails has measured nothing")]
#![expect(clippy::disallowed_methods, reason = "how long it takes is wall time")]

#[path = "../../tests/live/common.rs"]
#[allow(dead_code, reason = "the tests use the other parts")]
mod common;
#[path = "../swaps/process.rs"]
mod process;
mod world;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use walkforward_live::{JournalBounds, TraderOptions, verify_journal};

use process::Reading;
use world::{Soak, ledger_hash, segments, trade};

const MONTHS: usize = 24;
/// A twelfth of a year of minutes.
const MONTH_BARS: usize = 43_830;
/// What the journal keeps: less than a month writes.
const BOUNDS: JournalBounds = JournalBounds { segment_bytes: 8 << 20, keep_segments: 4 };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["session", folder, months] => session(Path::new(folder), months.parse()?),
        [months] => runs(months.parse()?),
        _ => runs(MONTHS),
    }
}

/// One process.
fn session(folder: &Path, months: usize) -> Result<(), Box<dyn std::error::Error>> {
    let soak = Soak {
        months,
        month_bars: MONTH_BARS,
        bounds: BOUNDS,
        history_bars: TraderOptions::DEFAULT_HISTORY_BARS,
    };
    let (begin, place) = (Instant::now(), folder.to_owned());
    let on_month = Box::new(move |month: usize| {
        let (reading, (count, bytes)) = (Reading::now(), segments(&place));
        assert!(count <= BOUNDS.keep_segments, "{count} segments");
        tell(&json!({
            "month": month,
            "seconds": begin.elapsed().as_secs_f64(),
            "rss_mib": reading.rss_mib,
            "files": reading.files,
            "segments": count,
            "journal_mib": bytes as f64 / f64::from(1 << 20),
        }));
    });
    let summary = tokio::runtime::Runtime::new()?.block_on(trade(folder, soak, on_month))?;
    let verified = verify_journal(&folder.join("journal"), &folder.join("models"))?;
    assert!(verified.is_identical(), "{verified:?}");
    tell(&json!({
        "bars": summary.bars,
        "decisions": summary.decisions,
        "orders": summary.orders,
        "fills": summary.fills,
        "swaps": summary.swaps,
        "equity": summary.equity,
        "verified_bars": verified.bars,
        "ledger": ledger_hash(folder),
    }));
    Ok(())
}

/// A line that is on its way before anything else happens.
fn tell(line: &Value) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

/// All runs.
fn runs(months: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut ledgers = Vec::new();
    for (name, kill_at) in [("whole", None), ("whole again", None), ("killed", Some(months / 2))] {
        let folder = tempfile::tempdir()?;
        if let Some(month) = kill_at {
            run(name, folder.path(), months, Some(month))?;
        }
        let end = run(name, folder.path(), months, None)?.ok_or("the run has no end")?;
        ledgers.push(end["ledger"].clone());
    }
    let is_same = ledgers.iter().all(|ledger| *ledger == ledgers[0]);
    tell(&json!({ "ledgers": ledgers, "is_same": is_same }));
    if is_same { Ok(()) } else { Err("the same bars came to different ledgers".into()) }
}

/// Runs a session, which is killed a little after `kill_at` has begun; its last line where it came to its end.
fn run(
    name: &str,
    folder: &Path,
    months: usize,
    kill_at: Option<usize>,
) -> Result<Option<Value>, Box<dyn std::error::Error>> {
    let mut child = spawn(folder, months)?;
    let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut last = None;
    for line in lines {
        let line: Value = serde_json::from_str(&line?)?;
        tell(&json!({ "run": name, "is": line }));
        if kill_at.is_some_and(|month| line["month"] == month) {
            std::thread::sleep(std::time::Duration::from_millis(137));
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        last = Some(line);
    }
    match child.wait()?.success() {
        true => Ok(last),
        false => Err(format!("the run '{name}' failed").into()),
    }
}

fn spawn(folder: &Path, months: usize) -> std::io::Result<Child> {
    let program = std::env::current_exe()?;
    let folder = folder.as_os_str();
    Command::new(program)
        .args(["session".as_ref(), folder, months.to_string().as_ref()])
        .stdout(Stdio::piped())
        .spawn()
}
