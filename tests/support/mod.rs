//! A folder of its own for each test, and the real binaries in it.

pub(crate) mod bars_service;
pub(crate) mod consistency;
pub(crate) mod http;
pub(crate) mod scrape;
pub(crate) mod server;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod tracer;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A workload small enough for a test: 1,500 hourly bars, the last 300 held out, two iterations.
pub(crate) const SMALL: &[&str] =
    &["--window-bars", "1500", "--holdout-bars", "300", "--iterations", "2", "--seed", "7"];

/// Variables that would change what the binaries do; no test inherits them.
const AMBIENT: &[&str] = &[
    "MIN_WIN_RATE",
    "MAX_DRAWDOWN",
    "MIN_PNL_PER_TRADE",
    "EVAL_METRICS_PATH",
    "EVAL_WIN_RATE",
    "EVAL_MAX_DRAWDOWN",
    "EVAL_PNL_PER_TRADE",
    "ORCHESTRATION_MODE",
    "ORCHESTRATION_INTERVAL_MINUTES",
    "RUST_LOG",
    "APCA_API_DATA_URL",
    "APCA_API_BASE_URL",
    "APCA_API_STREAM_URL",
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "ALPACA_API_KEY",
    "ALPACA_SECRET_KEY",
    "HTTPS_PROXY",
    "https_proxy",
];

/// Supplied metrics that pass every default threshold.
pub(crate) const GOOD_METRICS: &[(&str, &str)] =
    &[("EVAL_WIN_RATE", "0.62"), ("EVAL_MAX_DRAWDOWN", "0.12"), ("EVAL_PNL_PER_TRADE", "0.04")];

/// Thresholds that every working model meets.
pub(crate) const LENIENT: &[(&str, &str)] =
    &[("MIN_WIN_RATE", "0"), ("MAX_DRAWDOWN", "1"), ("MIN_PNL_PER_TRADE", "-1")];

/// An empty folder in which binaries run.
pub(crate) struct World {
    dir: TempDir,
}

/// How a binary ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// The one JSON line on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit code and gives itself back.
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Asserts exit code 2 and that standard error says each of `parts`.
    pub(crate) fn expect_refusal(self, parts: &[&str]) {
        let ran = self.expect_code(2);
        for part in parts {
            assert!(ran.stderr.contains(part), "no '{part}' in: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and gives its path as text.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(crate) fn command(&self, binary: &str) -> Command {
        let path = match binary {
            "orchestrate" => env!("CARGO_BIN_EXE_orchestrate"),
            "live-trader" => env!("CARGO_BIN_EXE_live-trader"),
            _ => panic!("there is no binary {binary}"),
        };
        let mut command = Command::new(path);
        let ambient = std::env::vars_os().map(|(name, _)| name);
        let ours = |name: &std::ffi::OsString| {
            let text = name.to_string_lossy();
            AMBIENT.contains(&text.as_ref()) || text.starts_with("WALKFORWARD_")
        };
        for name in ambient.filter(ours) {
            command.env_remove(name);
        }
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs `orchestrate` with these arguments and variables.
    pub(crate) fn orchestrate(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        self.command("orchestrate").args(args).envs(env.iter().copied()).output().unwrap().into()
    }

    /// One small run with `--json`, more arguments and variables.
    pub(crate) fn once(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        self.orchestrate(&[&["--once", "--json"], SMALL, args].concat(), env)
    }

    /// One small run that has to promote its model.
    pub(crate) fn promote(&self) -> Value {
        let report = self.once(&[], GOOD_METRICS).expect_code(0).json();
        assert_eq!(report["outcome"], "promoted", "{report}");
        report
    }

    pub(crate) fn live_trader(&self, args: &[&str]) -> Ran {
        self.command("live-trader").args(args).output().unwrap().into()
    }

    pub(crate) fn read_json(&self, name: &str) -> Value {
        let bytes = std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The whole records of a trader's journal in the folder `name`, oldest first; none where there is no journal.
    pub(crate) fn journal(&self, name: &str) -> Vec<Value> {
        let Ok(entries) = std::fs::read_dir(self.path(name)) else { return Vec::new() };
        let mut segments: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "journal"));
        segments.sort();
        let texts = segments.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default());
        let lines = |text: String| {
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>()
        };
        texts.flat_map(lines).collect()
    }

    /// Asserts that neither `data` nor `models` came to be.
    pub(crate) fn expect_untouched(&self) {
        for folder in ["data", "models"] {
            assert!(!self.path(folder).exists(), "{folder} was written");
        }
    }
}

/// The folder beside the checkout that holds real bars and goldens; says so and gives none where it is absent.
pub(crate) fn shared_data(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if folder.is_dir() {
        eprintln!("shared data test: {test}");
        return Some(folder);
    }
    eprintln!("skipped: {test} needs ../shared, which is not here");
    None
}
