//! A job, a clock that goes, and a launcher whose worker is a shell script.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use walkforward_core::{
    AbsentMeans, BarColumns, BarSeries, CancelToken, Clock, Dataset, FeatureKind, FeatureSpec, GapKind,
    Launcher, MarketCalendar, Progress, ProgressUpdate, QualityFigures, QualityReport, RunId, StageContext,
    StageError, Timeframe, Timestamp, TrainingJob, TrainingOutcome, Window,
};
use walkforward_launcher::{SubprocessConfig, SubprocessLauncher};

/// The attempt of every job here.
pub(crate) const ATTEMPT: &str = "2024-01-01T00-00-00-000Z-1";
/// Longer than any of these tests may take on the slowest machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// The machine's clock.
pub(crate) struct RealClock(Instant);

impl RealClock {
    #[expect(clippy::disallowed_methods, reason = "children run in real time")]
    pub(crate) fn start() -> Arc<dyn Clock> {
        Arc::new(Self(Instant::now()))
    }
}

#[async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, _deadline: Timestamp) {}
}

/// Bars of an hour whose closes are `closes`, all present.
pub(crate) fn dataset(closes: &[f64]) -> Dataset {
    let mut columns = BarColumns::default();
    for (row, &close) in closes.iter().enumerate() {
        columns.open_time.push(Timestamp::EPOCH.plus_millis(row as i64 * 3_600_000));
        columns.open.push(close);
        columns.high.push(close * 1.01);
        columns.low.push(close * 0.99);
        columns.close.push(close);
        columns.volume.push(row as f64 / 3.0);
    }
    let bars = BarSeries::from_columns(Timeframe::HOUR, columns).unwrap();
    let (history_bars, times) = (4, bars.open_times());
    let end = bars.last_close_time().unwrap();
    Dataset {
        symbol: "BTC/USD".parse().unwrap(),
        gap_kinds: vec![GapKind::Present; bars.len()],
        history_bars,
        window: Window::new(times[history_bars], end).unwrap(),
        split: times[bars.len() - 2],
        embargo_bars: 0,
        as_of: end,
        feature_spec: FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1, 3] }]).unwrap(),
        calendar: MarketCalendar::Continuous,
        absent: AbsentMeans::Missing,
        hash: "a fingerprint".to_owned(),
        quality: QualityReport { file: None, window: QualityFigures::default() },
        origin: "a test".to_owned(),
        bars,
    }
}

/// A job over a dozen bars that writes to `out_dir`.
pub(crate) fn job(out_dir: &Path) -> TrainingJob {
    let closes: Vec<f64> = (0..12).map(|bar| 100.0 + f64::from(bar).sin()).collect();
    TrainingJob {
        run_id: RunId::at("2024-01-01T00:00:00Z".parse().unwrap()),
        attempt: ATTEMPT.to_owned(),
        dataset: Arc::new(dataset(&closes)),
        parent: None,
        pack: serde_json::json!({ "iterations": 2 }),
        seed: u64::MAX,
        threads: 2,
        out_dir: out_dir.to_owned(),
    }
}

/// Keeps what is reported; cancels at the first report when it is asked to.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) updates: Mutex<Vec<ProgressUpdate>>,
    pub(crate) metrics: Mutex<Vec<(u64, std::collections::BTreeMap<String, f64>)>>,
    pub(crate) cancel: Option<CancelToken>,
}

impl Progress for Recorder {
    fn report(&self, update: ProgressUpdate) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        self.updates.lock().unwrap().push(update);
    }

    fn metrics(&self, iteration: u64, metrics: &std::collections::BTreeMap<String, f64>) {
        self.metrics.lock().unwrap().push((iteration, metrics.clone()));
    }
}

/// A folder with a job in it, and a worker for the job.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) config: SubprocessConfig,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) cancel: CancelToken,
}

impl World {
    /// A world whose worker is the shell script `script`. In it, `$1` is the job, `bundle` writes a bundle and `outcome`
    /// says the outcome of this attempt.
    pub(crate) fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        let helpers = format!(
            "cd '{}'; bundle() {{ echo weights > out/policy.safetensors; }}; \
             outcome() {{ echo '{{\"type\":\"outcome\",\"attempt\":\"{ATTEMPT}\",\"trainer\":\"sh\",\"iterations\":2}}'; }}; \
             progress() {{ echo '{{\"type\":\"progress\",\"done\":1,\"total\":2}}'; }}; {script}",
            dir.path().display()
        );
        let arguments = ["-c", &helpers, "sh"].map(OsString::from);
        let config = SubprocessConfig {
            arguments: arguments.into(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            time_budget: LONG,
            stall_timeout: LONG,
            cancel_grace: LONG,
            ..SubprocessConfig::new("/bin/sh", serde_json::json!({ "kind": "sh" }))
        };
        Self { dir, config, recorder: Arc::default(), cancel: CancelToken::default() }
    }

    pub(crate) fn with(script: &str, change: impl FnOnce(&mut SubprocessConfig)) -> Self {
        let mut world = Self::new(script);
        change(&mut world.config);
        world
    }

    /// Cancels the training at its first report.
    pub(crate) fn cancelling(mut self) -> Self {
        self.recorder = Arc::new(Recorder { cancel: Some(self.cancel.clone()), ..Recorder::default() });
        self
    }

    pub(crate) fn context(&self) -> StageContext {
        StageContext {
            clock: RealClock::start(),
            progress: self.recorder.clone(),
            cancel: self.cancel.clone(),
            work_dir: self.path("data"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn job(&self) -> TrainingJob {
        job(&self.path("out"))
    }

    pub(crate) fn launcher(&self) -> SubprocessLauncher {
        SubprocessLauncher::new(self.config.clone()).unwrap()
    }

    /// Runs the job to its end.
    pub(crate) fn launch(&self) -> Result<TrainingOutcome, StageError> {
        runtime().block_on(self.launcher().launch(self.job(), &self.context()))
    }

    pub(crate) fn log(&self) -> String {
        let path = self.path("data/jobs").join(ATTEMPT).join("worker.log");
        String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
    }

    /// The process ids that the script wrote to the file `name`.
    pub(crate) fn pids(&self, name: &str) -> Vec<i32> {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Whether the process `pid` runs; one that has ended and is not reaped does not.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Waits until `is_so`, for longer than any machine needs.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let clock = RealClock::start();
    while !is_so() {
        assert!(clock.monotonic() < LONG, "not in {LONG:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
