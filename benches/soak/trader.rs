//! The trader as people run it, for long: the real binary with the session in the store's tables, the watch over the
//! champion, the control socket with somebody who listens, and metrics that are read.

#[path = "minutes.rs"]
mod minutes;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};
use tempfile::TempDir;
use walkforward_live::{Recovered, recover};

use minutes::Walk;

use super::process::rss_mib_of;
use super::scrape::{free_port, metric, scrape};

const ORCHESTRATE: &str = env!("CARGO_BIN_EXE_orchestrate");
const LIVE_TRADER: &str = env!("CARGO_BIN_EXE_live-trader");
/// Between two looks at how far the trader is.
const LOOK: Duration = Duration::from_millis(20);
/// So low that a model learns to live from how the prices go.
const SETTINGS: &str = "[costs]\nfee_bps = 0.01\nslippage_bps = 0.0\n";
/// Most that a session may add to the database and its log, MiB.
const DATABASE_MIB: f64 = 48.0;
/// What the process may come to hold in addition.
const MORE_FILES: f64 = 8.0;
const MORE_THREADS: f64 = 2.0;
const MORE_MIB: f64 = 32.0;

/// How long it is, what its model learns from, and what its journal keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Soak {
    pub(crate) months: usize,
    pub(crate) month_bars: usize,
    pub(crate) training_bars: usize,
    pub(crate) iterations: usize,
    pub(crate) segment_mib: usize,
    pub(crate) keep_segments: usize,
}

/// What the trader takes, and how far it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) month: usize,
    pub(crate) rss_mib: f64,
    pub(crate) files: usize,
    pub(crate) threads: usize,
    pub(crate) segments: usize,
    pub(crate) journal_mib: f64,
    pub(crate) database_mib: f64,
}

/// What follows a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    Kill,
}

/// Bars, a champion, and the sessions over them.
pub(crate) struct Place {
    folder: TempDir,
    soak: Soak,
}

impl Place {
    /// Writes the bars and trains the first champion.
    pub(crate) fn new(soak: Soak) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Self { folder, soak };
        let mut walk = Walk::new();
        let mut write =
            |name: &str, bars| fs::write(place.path(name), walk.csv(bars)).expect("a file of bars");
        write("train.csv", soak.training_bars);
        write("bars.csv", soak.months * soak.month_bars);
        fs::write(place.path("soak.toml"), SETTINGS).expect("settings");
        place.promote(1);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn bars(&self) -> usize {
        self.soak.months * self.soak.month_bars
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.args(["--config", "soak.toml", "--json"]);
        command
    }

    /// Trains a model with this seed and makes it champion, whatever it is worth.
    pub(crate) fn promote(&self, seed: usize) {
        let soak = &self.soak;
        let trained = self
            .command(ORCHESTRATE)
            .args(["--once", "--path", "train.csv", "--seed", &seed.to_string()])
            .args(["--window-bars", &soak.training_bars.to_string()])
            .args(["--holdout-bars", &(soak.training_bars / 2).to_string()])
            .args(["--iterations", &soak.iterations.to_string()])
            .envs([("MIN_WIN_RATE", "0"), ("MAX_DRAWDOWN", "1"), ("MIN_PNL_PER_TRADE", "-1")])
            .output()
            .expect("orchestrate");
        let words = String::from_utf8_lossy(&trained.stdout);
        assert!(words.contains("\"outcome\":\"promoted\""), "{trained:?}");
    }

    /// Trades in `journal` from where it is to the last bar; its summary, unless `on_month` lets it be killed.
    pub(crate) fn trade(&self, journal: &str, mut on_month: impl FnMut(&Sample) -> Then) -> Option<Value> {
        let done = self.recovered(journal).map_or(0, |before| before.bars as usize);
        let (port, errors) = (free_port(), self.path("errors"));
        let mut trader = Running(self.trader(journal, done > 0, port, &errors));
        let (mut listener, mut next) = (None, 0);
        loop {
            if let Some(status) = trader.0.try_wait().expect("a child") {
                let said = fs::read_to_string(&errors).unwrap_or_default();
                assert!(status.success(), "{status}: {said}");
                let summary = fs::read(self.path("summary")).expect("a summary");
                return Some(serde_json::from_slice(&summary).expect("a line of JSON"));
            }
            let bars = scrape(port).and_then(|text| metric(&text, "walkforward_bars_total"));
            if let Some(bars) = bars {
                self.listen(journal, &mut listener);
                let month = (done + bars as usize) / self.soak.month_bars;
                if month >= next {
                    next = month + 1;
                    let sample = self.sample(month, trader.0.id(), journal);
                    if sample.is_some_and(|sample| on_month(&sample) == Then::Kill) {
                        return None;
                    }
                }
            }
            std::thread::sleep(LOOK);
        }
    }

    fn trader(&self, journal: &str, goes_on: bool, port: u16, errors: &Path) -> Child {
        let soak = &self.soak;
        let (port, file) = (port.to_string(), |path: &Path| File::create(path).expect("a file"));
        self.command(LIVE_TRADER)
            .args(["--source", "replay", "--path", "bars.csv", "--speed", "max", "--guard"])
            .args(["--journal", journal, "--metrics", &port])
            .args(goes_on.then_some("--continue"))
            .env("WALKFORWARD_SEGMENT_MIB", soak.segment_mib.to_string())
            .env("WALKFORWARD_KEEP_SEGMENTS", soak.keep_segments.to_string())
            .stdout(file(&self.path("summary")))
            .stderr(file(errors))
            .spawn()
            .expect("a trader")
    }

    /// Somebody who listens to all that happens, as soon as the session has a socket.
    fn listen(&self, journal: &str, listener: &mut Option<Running>) {
        let is_there = |listener: &mut Running| listener.0.try_wait().is_ok_and(|status| status.is_none());
        if !listener.as_mut().is_some_and(is_there) {
            let mut watch = self.command(LIVE_TRADER);
            watch.args(["watch", "--journal", journal]).stdout(Stdio::null()).stderr(Stdio::null());
            *listener = Some(Running(watch.spawn().expect("a listener")));
        }
    }

    /// What the process takes; none when it has ended in the meantime.
    fn sample(&self, month: usize, process: u32, journal: &str) -> Option<Sample> {
        let entries = |of: &str| fs::read_dir(format!("/proc/{process}/{of}")).map_or(0, Iterator::count);
        let segments = self.segments(journal);
        let database =
            ["data/walkforward.db", "data/walkforward.db-wal"].map(|name| size_of_file(self.path(name)));
        let mib = |bytes: &[u64]| bytes.iter().sum::<u64>() as f64 / f64::from(1 << 20);
        let rss_mib = rss_mib_of(process);
        (!rss_mib.is_nan()).then(|| Sample {
            month,
            rss_mib,
            files: entries("fd"),
            threads: entries("task"),
            segments: segments.len(),
            journal_mib: mib(&segments),
            database_mib: mib(&database),
        })
    }

    /// Bytes of each segment of `journal`.
    fn segments(&self, journal: &str) -> Vec<u64> {
        let files = fs::read_dir(self.path(journal)).into_iter().flatten().flatten().map(|file| file.path());
        files.filter(|path| path.extension().is_some_and(|it| it == "journal")).map(size_of_file).collect()
    }

    fn recovered(&self, journal: &str) -> Option<Recovered> {
        recover(&self.path(journal)).expect("a journal")
    }

    /// What the session of `journal` has come to: its ledger, and what the store's tables have of it. Names and times of
    /// processes are left out.
    pub(crate) fn end(&self, journal: &str) -> End {
        assert!(self.segments(journal).len() <= self.soak.keep_segments, "{:?}", self.segments(journal));
        let end = self.recovered(journal).expect("a session");
        let ledger = json!({
            "desk": end.desk.checkpoint(), "model": end.model, "last_bar": end.last_bar, "bars": end.bars,
        });
        let file = self.path("ledger.json");
        fs::write(&file, ledger.to_string()).expect("a ledger");
        let ledger = walkforward_store::sha256_file(&file).expect("a hash");
        let id = end.header.session_id().expect("a session's name");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database =
            Connection::open_with_flags(self.path("data/walkforward.db"), flags).expect("a database");
        let rows = |of: &str| -> Value {
            let text: String = database.query_row(of, params![id.as_str()], |row| row.get(0)).expect("rows");
            serde_json::from_str(&text).expect("JSON")
        };
        End {
            ledger,
            bars: end.bars,
            tables: rows(
                "SELECT json_object('bars', bars, 'missed', missed, 'fills', fills, 'swaps', swaps, 'equity', equity, \
                 'cash', cash, 'position', position_nanos, 'fees', fees, 'max_drawdown', max_drawdown, 'bar_rows', \
                 (SELECT count(*) FROM live_bars WHERE session = number_of.number), 'fill_rows', (SELECT count(*) FROM \
                 live_fills WHERE session = number_of.number)) FROM live_sessions AS number_of WHERE id = ?1",
            ),
            gaps: told(&database, id.as_str(), "journal_gap"),
            verdicts: told(&database, id.as_str(), "guard"),
        }
    }

    /// Runs all kept segments of `journal` again.
    pub(crate) fn verify(&self, journal: &str) -> Value {
        let verified =
            self.command(LIVE_TRADER).args(["verify", "--journal", journal]).output().expect("a check");
        assert!(verified.status.success(), "{verified:?}");
        serde_json::from_slice(&verified.stdout).expect("a line of JSON")
    }
}

fn size_of_file(path: PathBuf) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}

fn told(database: &Connection, id: &str, kind: &str) -> u64 {
    let sql = "SELECT count(*) FROM live_events WHERE kind = ?2 AND session = \
               (SELECT number FROM live_sessions WHERE id = ?1)";
    let count: i64 = database.query_row(sql, params![id, kind], |row| row.get(0)).expect("a count");
    count.unsigned_abs()
}

/// What a session has come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    /// SHA-256 of ledger, model and last bar.
    pub(crate) ledger: String,
    pub(crate) bars: u64,
    /// What the store's tables say of it.
    pub(crate) tables: Value,
    /// How often the journal was gone before it was carried over.
    pub(crate) gaps: u64,
    /// Champions that the guard took back.
    pub(crate) verdicts: u64,
}

impl End {
    /// Checks that the tables have all of the session.
    pub(crate) fn check(&self, bars: usize) {
        assert_eq!(self.bars, bars as u64);
        // A machine whose disk is too slow for the tables says so.
        if self.gaps == 0 {
            assert_eq!(self.tables["bars"], self.bars, "{self:?}");
        }
    }
}

/// Checks that nothing has grown: the least of the last third is not above the most of the first by more than its bound. What
/// happens to be there at the moment of a look, such as a thread or a connection, is no growth.
pub(crate) fn check_is_flat(samples: &[Sample], soak: &Soak) {
    // The oldest segment goes when the head of the next one is on the disk.
    let most_segments = soak.keep_segments + 1;
    for sample in samples {
        assert!(sample.segments <= most_segments, "{sample:?}");
        // A segment ends with the record that passes its bound.
        let most = most_segments as f64 * (soak.segment_mib as f64 + 0.1);
        assert!(sample.journal_mib <= most, "{sample:?}");
    }
    // The first sample of a process is from before all of it is there.
    let settled = samples.get(1..).unwrap_or_default();
    let third = settled.len() / 3;
    if third == 0 {
        return;
    }
    let (early, late) = (&settled[..third], &settled[settled.len() - third..]);
    let grows = |figure: fn(&Sample) -> f64, most: f64| {
        let before = early.iter().map(figure).fold(f64::NEG_INFINITY, f64::max);
        let after = late.iter().map(figure).fold(f64::INFINITY, f64::min);
        after > before + most
    };
    assert!(!grows(|it| it.database_mib, DATABASE_MIB), "the database: {samples:?}");
    assert!(!grows(|it| it.files as f64, MORE_FILES), "files: {samples:?}");
    assert!(!grows(|it| it.threads as f64, MORE_THREADS), "threads: {samples:?}");
    assert!(!grows(|it| it.rss_mib, MORE_MIB), "memory: {samples:?}");
}

/// A process that does not outlive whoever looks at it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
