//! A schedule inside somebody else's service: their tokio runtime, their bars, their gate, their clock for stopping.
//!
//! The service gets a market of its own that moves on by a day between two cycles, and a gate that lets through what
//! did not lose much. It runs three cycles a second apart, follows them through the announcements, and stops by itself.

#[allow(dead_code, reason = "this example runs a schedule instead of a single run")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use tokio::sync::mpsc;
use walkforward::clock::SystemClock;
use walkforward_core::{
    Bar, BarRequest, BarSeries, Clock, Comparison, DataSource, Evidence, Gate, GateCheck, Judgement, Outcome,
    SourceBars, SourceError, StageError, Timestamp, Verdict,
};
use walkforward_etl::{EtlConfig, EtlPipeline};
use walkforward_orchestrator::schedule::Announcement;
use walkforward_orchestrator::{
    Announcer, ContinuousParts, ContinuousTrainer, CyclePlan, CyclePlanner, NoCycleProgress, OnNoNewBars,
    Parent, RunRequest, Scheduler, SchedulerOptions, SchedulerParts, SchedulerService, Stages,
};
use walkforward_store::{NewSchedule, ScheduleRecord, Store};

const CYCLES: usize = 3;
const BARS_A_SWING: f64 = 168.0;
const HOURS_BETWEEN_CYCLES: i64 = 24;
const MS_PER_HOUR: i64 = 3_600_000;
/// Longer than three small trainings take anywhere.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bars of a market whose time the service decides.
struct OwnMarket {
    now_ms: AtomicI64,
}

#[async_trait]
impl DataSource for OwnMarket {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let bad = |error: &dyn std::fmt::Display| SourceError::bad_input(error.to_string());
        let hour = "1h".parse().map_err(|error| bad(&error))?;
        let now = Timestamp::from_millis(self.now_ms.load(Ordering::SeqCst));
        let as_of = request.as_of.or(now).ok_or_else(|| bad(&"no time"))?;
        let timeframe = request.timeframe.unwrap_or(hour);
        let end = timeframe.floor(as_of);
        let mut bars = BarSeries::with_capacity(timeframe, request.bars);
        for back in (1..=request.bars as i64).rev() {
            let open_time = end.plus_millis(-back * timeframe.millis());
            let index = open_time.as_millis() / timeframe.millis();
            let price =
                |index: i64| 100.0 + 20.0 * (std::f64::consts::TAU * index as f64 / BARS_A_SWING).sin();
            let (open, close) = (price(index), price(index + 1));
            let bar = Bar::new(open_time, open, open.max(close) + 0.1, open.min(close) - 0.1, close, 1.0);
            bars.push(bar.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
        }
        Ok(SourceBars::new(bars, as_of, "the service's own market".to_owned()))
    }
}

/// Lets through what fell less than `most` from its peak.
struct OwnGate {
    most: f64,
}

impl Gate for OwnGate {
    fn assess(&self, evidence: &Evidence) -> Verdict {
        let drawdown = evidence.candidate.metrics.max_drawdown;
        let passes = drawdown.is_some_and(|drawdown| drawdown <= self.most);
        let sentence = format!("it fell {:.1} % from its peak", 100.0 * drawdown.unwrap_or(f64::NAN));
        Verdict {
            preset: "own_gate".to_owned(),
            outcome: if passes { Outcome::Promote } else { Outcome::Reject },
            reason: (!passes).then(|| "it_fell_too_far".to_owned()),
            sentence: sentence.clone(),
            checks: vec![GateCheck {
                name: "maxDrawdown".to_owned(),
                measured: drawdown,
                comparison: Comparison::AtMost,
                threshold: self.most,
                judgement: if passes { Judgement::Pass } else { Judgement::Fail },
                sentence,
            }],
            warnings: Vec::new(),
            grading: None,
        }
    }
}

/// Every cycle finds the market a day later.
struct OwnPlanner {
    market: Arc<OwnMarket>,
    stages: Stages,
    request: RunRequest,
}

impl CyclePlanner for OwnPlanner {
    fn plan(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, StageError> {
        self.market.now_ms.fetch_add(HOURS_BETWEEN_CYCLES * MS_PER_HOUR, Ordering::SeqCst);
        let request = RunRequest { line: schedule.line.clone(), ..self.request.clone() };
        Ok(CyclePlan { stages: self.stages.clone(), request })
    }
}

/// Sends what happens to the service.
struct ToService(mpsc::UnboundedSender<Announcement>);

impl Announcer for ToService {
    fn announce(&self, _number: i64, announcement: &Announcement) {
        // A service that has gone needs no news.
        let _ = self.0.send(announcement.clone());
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let store = Arc::new(Store::open(
        &folder.path().join("data"),
        &folder.path().join("models"),
        Arc::clone(&clock),
    )?);
    let schedule = make_schedule(&store)?;
    let (news, mut heard) = mpsc::unbounded_channel();
    let trainer = ContinuousTrainer::new(ContinuousParts {
        lock: Arc::new(store.run_lock()?),
        store: Arc::clone(&store),
        planner: Arc::new(planner()?),
        clock: Arc::clone(&clock),
        progress: Arc::new(NoCycleProgress),
        work_dir: folder.path().to_owned(),
    });
    let parts = SchedulerParts {
        ledger: Arc::<Store>::clone(&store),
        runner: Arc::new(trainer),
        clock,
        announcer: Arc::new(ToService(news)),
    };
    let (service, scheduler) = SchedulerService::new(parts, SchedulerOptions::default());
    // The service decides when the scheduler stops.
    let stopped = async {
        let followed =
            tokio::time::timeout(PATIENCE, follow((&store, &schedule), &scheduler, &mut heard)).await;
        followed.context("the cycles took too long")?
    };
    let (stop, asked) = tokio::sync::oneshot::channel::<()>();
    let running = service.run(async { drop(asked.await) });
    let (ran, followed) = tokio::join!(running, async {
        let followed = stopped.await;
        drop(stop);
        followed
    });
    ran?;
    followed
}

fn planner() -> Result<OwnPlanner> {
    let start: Timestamp = "2024-01-01T00:00:00Z".parse()?;
    let market = Arc::new(OwnMarket { now_ms: AtomicI64::new(start.as_millis()) });
    let source: Arc<dyn DataSource> = Arc::<OwnMarket>::clone(&market);
    let stages = Stages {
        datasets: Arc::new(EtlPipeline::new(source, EtlConfig::default())),
        gate: Arc::new(OwnGate { most: 0.9 }),
        ..support::stages()
    };
    let request = RunRequest {
        parent: Parent::Champion,
        on_no_new_bars: OnNoNewBars::Skip,
        min_judged_bars: 100,
        ..support::small_request()?
    };
    Ok(OwnPlanner { market, stages, request })
}

/// A schedule that the service finds in the store when it begins; one that comes later joins with `Scheduler::add`.
fn make_schedule(store: &Store) -> Result<ScheduleRecord> {
    Ok(store.create_schedule(&NewSchedule {
        id: "embedded".parse()?,
        name: "Embedded".to_owned(),
        line: "default".parse()?,
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: serde_json::json!({ "interval_minutes": 1.0 / 60.0, "on_busy": "queue" }),
    })?)
}

/// Starts the schedule and waits for its cycles.
#[expect(clippy::print_stdout, reason = "an example shows what it did")]
async fn follow(
    (store, schedule): (&Store, &ScheduleRecord),
    scheduler: &Scheduler,
    heard: &mut mpsc::UnboundedReceiver<Announcement>,
) -> Result<()> {
    scheduler.start(&schedule.id).await?;
    let mut promoted = 0;
    while promoted < CYCLES {
        let Announcement { kind, payload } = heard.recv().await.context("the scheduler has gone")?;
        println!("{kind} {}", payload["cycle_number"]);
        ensure!(kind != "continuous_cycle_failed", "a cycle failed: {payload}");
        if kind == "continuous_cycle_complete" {
            ensure!(payload["status"] == "promoted", "the own gate did not promote: {payload}");
            promoted += 1;
        }
    }
    let stopped = scheduler.stop(&schedule.id).await?;
    println!("{} after {} cycles", stopped.status, stopped.current_cycle);
    let pointer = store.pointer(&schedule.line)?.context("no champion")?;
    ensure!(pointer.preset == "own_gate", "the cycles did not use the example's gate");
    Ok(())
}
