//! `orchestrate serve`: runs the schedules of a data folder until it is asked to stop.

use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward::mlflow::tracking_server;
use walkforward::scheduling::waits_for_server;
use walkforward::settings::{Output, Settings};
use walkforward_orchestrator::{
    Announcer, ContinuousParts, ContinuousTrainer, RunError, Scheduler, SchedulerOptions, SchedulerParts,
    SchedulerService, schedule::Announcement,
};
use walkforward_store::{RunLock, ScheduleStatus, StoreError};

use crate::control::Listener;
use crate::home::{Home, Reach};
use crate::run::conclude;
use crate::stoppable::stop_requested;

mod api;
mod desk;
mod events;
mod mirror;
mod notices;
mod operator;
mod own_settings;
mod paper;
mod sessions;
mod tokens;
mod trainings;
mod upkeep;

use api::{ApiConfig, Listening};
use desk::ServerDesk;
pub(crate) use desk::failure;
use events::{Follower, Wake};
use mirror::Mirroring;
use notices::Notices;
use trainings::Trainings;
use upkeep::Upkeep;

const MAX_CONCURRENT: &str = "max-concurrent-trainings";
/// More than a machine has cores for, and few enough for the threads that wait for them.
const MOST_CONCURRENT: u64 = 64;
/// How long running cycles get to end when the server is asked to stop: longer than a worker's grace, shorter than
/// what service managers wait.
const STOP_GRACE: Duration = Duration::from_secs(8);
/// A test or a service manager waits for this event to know that commands are heard.
const STARTED: &str = "serve_started";
const STOPPED: &str = "serve_stopped";

const ABOUT: &str = "Runs the schedules of the data folder until SIGINT or SIGTERM, and takes commands of \
`orchestrate schedules` and `orchestrate experiments` meanwhile. Prints a line for each event.";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("serve").about(ABOUT).arg(
        Arg::new(MAX_CONCURRENT)
            .long(MAX_CONCURRENT)
            .value_name("N")
            .default_value("1")
            .value_parser(value_parser!(u64).range(1..=MOST_CONCURRENT))
            .help("Trainings that may run at once: cycles of all schedules, and experiments"),
    )
}

/// Serves until a signal. A second server in the same folder is skipped.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let home = Home::open(settings, output)?;
    let api = ApiConfig::from_settings(settings)?;
    tracking_server(settings)?;
    let Some(lock) = lock(&home)? else { return Ok(()) };
    let at_once = matches.get_one::<u64>(MAX_CONCURRENT).copied().unwrap_or(1);
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let at_once = usize::try_from(at_once).unwrap_or(1);
    let result = runtime.block_on(serve(&home, &api, Arc::new(lock), at_once));
    runtime.shutdown_background();
    result
}

/// The run lock; none when another process has it, which is said.
fn lock(home: &Home) -> Result<Option<RunLock>, Failure> {
    let held = match home.reach()? {
        Reach::Alone(lock) => return Ok(Some(lock)),
        Reach::Held(held) => held,
        Reach::Server(_) => match home.store.run_lock() {
            // It has just stopped.
            Ok(lock) => return Ok(Some(lock)),
            Err(StoreError::RunLockHeld(held)) => held,
            Err(error) => return Err(Failure::from(&error)),
        },
    };
    conclude(Err(RunError::Busy(held)), None, home.output).map(|()| None)
}

async fn serve(home: &Home, api: &ApiConfig, lock: Arc<RunLock>, at_once: usize) -> Result<(), Failure> {
    let stop = stop_requested()?;
    let upkeep = Upkeep::new(home)?;
    let notices = Notices::start(home)?;
    let listener = Listener::bind(&home.socket())?;
    let pid = std::process::id();
    let first = record(home, STARTED, &json!({ "pid": pid, "max_concurrent_trainings": at_once }))?;
    let wake = Wake::default();
    let follower = Follower::start(Arc::clone(&home.store), first, home.output, wake.clone());
    let _upkeep = upkeep.start();
    let _mirroring = Mirroring::start(home)?;
    let trainings = Arc::new(Trainings::new(wake.clone(), |progress| {
        ContinuousTrainer::new(ContinuousParts {
            store: Arc::clone(&home.store),
            lock,
            planner: Arc::new(home.planner()),
            clock: Arc::clone(&home.clock),
            progress,
            work_dir: home.folders.data_dir.clone(),
        })
    }));
    let parts = SchedulerParts {
        ledger: home.store.clone(),
        runner: Arc::<Trainings>::clone(&trainings),
        clock: Arc::clone(&home.clock),
        announcer: Arc::new(wake),
    };
    let options = SchedulerOptions {
        max_concurrent_trainings: at_once,
        stop_grace: STOP_GRACE,
        ..SchedulerOptions::default()
    };
    let (service, scheduler) = SchedulerService::new(parts, options);
    let desk = Arc::new(ServerDesk::new(home, scheduler.clone(), Arc::clone(&trainings)));
    let page = Listening::start(home, api, &desk, scheduler.clone()).await?;
    let listening = tokio::spawn(listener.serve(desk));
    let asked = async {
        stop.await;
        trainings.cancel_all();
    };
    let (ended, ()) = tokio::join!(service.run(asked), start_waiting(home, &scheduler));
    page.end().await;
    listening.abort();
    let _ = listening.await;
    trainings.stop(STOP_GRACE).await;
    record(home, STOPPED, &json!({ "pid": pid }))?;
    notices.end().await;
    follower.finish().await?;
    ended.map_err(|error| Failure::stage(error.to_string()))
}

fn record(home: &Home, kind: &str, details: &serde_json::Value) -> Result<i64, Failure> {
    home.store.record_event(kind, details).map_err(|error| Failure::from(&error))
}

/// Starts the schedules that were made while no server ran. One that can't be started does not hold up the others.
async fn start_waiting(home: &Home, scheduler: &Scheduler) {
    let schedules = match home.store.schedules() {
        Ok(schedules) => schedules,
        Err(error) => return tracing::error!(%error, "the schedules that wait for a server can't be read"),
    };
    let waiting = schedules.iter().filter(|it| it.status == ScheduleStatus::Idle && waits_for_server(it));
    for schedule in waiting {
        if let Err(error) = scheduler.start(&schedule.id).await {
            tracing::error!(schedule = %schedule.id, %error, "the schedule could not be started");
        }
    }
}

impl Announcer for Wake {
    fn announce(&self, _number: i64, _announcement: &Announcement) {
        self.wake();
    }
}
