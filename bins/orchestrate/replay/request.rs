//! What `orchestrate replay` is asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use walkforward::config::OrchestrateConfig;
use walkforward::evidence::{Cadence, Preset, choose_for_cycles};
use walkforward::failure::Failure;
use walkforward::scheduling::Planner;
use walkforward::settings::Settings;
use walkforward::wiring;
use walkforward_core::Clock;
use walkforward_orchestrator::recurrence::Recurrence;
use walkforward_orchestrator::schedule::Timing;
use walkforward_orchestrator::{RunRequest, base_model};
use walkforward_store::{MadeFor, ScheduleId, ScheduleRecord, Store};

use crate::schedules::timing::seconds;

const SCHEDULE: &str = "schedule";
const DAYS: &str = "days";
const EVERY: &str = "every";
const DELAY: &str = "publish-delay";
const REPORT: &str = "report";

const DAY_MS: i64 = 86_400_000;
const MS_PER_SECOND: f64 = 1_000.0;
const SECONDS_PER_MINUTE: f64 = 60.0;
/// Time between cycles when neither a schedule nor a flag says it.
const DEFAULT_EVERY: &str = "24h";
/// Longest replay: ten years.
const MAX_DAYS: i64 = 3_650;
/// Longest delay: a day, in seconds.
const MAX_DELAY_S: f64 = 86_400.0;

const ABOUT: &str = "Makes the cycles that a schedule would have made in the past: trains, judges and promotes under a \
simulated clock, each time on the bars that had closed by then";

const MORE: &str = "\
The line gets the models, verdicts and promotions; it has to be one without a champion. Scored bars are marked as replayed: \
they count for the grades provisional and screened, never for qualified. A replay that was stopped or killed goes on when it \
is called again with the same settings, and ends as if it had not been. Live cycles of the same schedule go on with its \
stream. The last bars are those of --as-of, else the newest.

Examples:
  orchestrate replay --path bars.csv --symbol BTC/USD --line trial
  orchestrate replay --schedule btc --days 365          with the schedule's settings, cadence and line
  orchestrate replay --line trial --every 6h --report replay.html";

/// The subcommand.
pub(super) fn command() -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("replay")
        .about(ABOUT)
        .after_help(MORE)
        .arg(flag(SCHEDULE, "SCHEDULE_ID", "A schedule whose settings, cadence and line are replayed"))
        .arg(
            flag(DAYS, "N", "Days before the last bar at which it begins")
                .value_parser(value_parser!(i64).range(1..=MAX_DAYS))
                .default_value("84"),
        )
        .arg(flag(EVERY, "TIME", "Time between cycles: 90m, 6h, 1d [default: the schedule's, else 24h]"))
        .arg(
            flag(DELAY, "TIME", "How long after its due time a cycle's model decides: 30s, 10m, 2h")
                .default_value("10m"),
        )
        .arg(flag(REPORT, "FILE", "Writes an HTML page about it too").value_parser(value_parser!(PathBuf)))
}

/// The request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) schedule: Option<ScheduleId>,
    pub(super) report: Option<PathBuf>,
    days: i64,
    every: Option<Recurrence>,
    delay: Duration,
}

impl Asked {
    /// What `matches` ask for.
    pub(super) fn of(settings: &Settings, matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name);
        let schedule = text(SCHEDULE).map(|id| id.parse()).transpose();
        let schedule: Option<ScheduleId> =
            schedule.map_err(|error| Failure::input(format!("--{SCHEDULE}: {error}")))?;
        if schedule.is_none() && settings.get::<Preset>("gate.preset")? == Some(Preset::Thresholds) {
            return Err(settings.refuse("gate.preset", "a replay is judged by its stream: expected evidence"));
        }
        Ok(Self {
            schedule,
            report: matches.get_one::<PathBuf>(REPORT).cloned(),
            days: matches.get_one::<i64>(DAYS).copied().unwrap_or_default(),
            every: text(EVERY).map(|every| recurrence(every)).transpose()?,
            delay: delay(text(DELAY).map_or("", String::as_str))?,
        })
    }

    /// Time from the first due time to the last bar.
    pub(super) fn span_ms(&self) -> i64 {
        self.days * DAY_MS
    }

    /// When cycles are due.
    pub(super) fn recurrence(&self, store: &Store) -> Result<Recurrence, Failure> {
        let Some(schedule) = self.record(store)? else {
            return self.every.clone().map_or_else(|| recurrence(DEFAULT_EVERY), Ok);
        };
        let timing = Timing::from_config(&schedule.config)
            .map_err(|error| Failure::input(format!("schedule '{}': {error}", schedule.id)))?;
        match &self.every {
            Some(every) if *every != timing.recurrence => Err(Failure::input(format!(
                "--{EVERY}: schedule '{}' is due {}, and that is a part of what is judged; leave --{EVERY} out, or replay \
                 other settings on a line of their own",
                schedule.id, timing.recurrence
            ))),
            _ => Ok(timing.recurrence),
        }
    }

    /// The configuration of the cycles, and what each is asked to do.
    pub(super) fn cycles(
        &self,
        settings: &Settings,
        store: &Arc<Store>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(OrchestrateConfig, RunRequest), Failure> {
        let (config, mut request) = match self.record(store)? {
            Some(schedule) => {
                let planner = Planner::new(settings.clone(), Arc::clone(store), Arc::clone(clock));
                let (config, mut request) = planner.of_schedule(&schedule)?;
                request.base = base_model(store, &schedule).map_err(|error| Failure::from(&error))?;
                let schedule_id = Some(schedule.id);
                request.made_for = Some(MadeFor { experiment_id: None, schedule_id, cycle: None });
                (config, request)
            }
            None => {
                let mut config = OrchestrateConfig::from_settings(settings, true)?;
                choose_for_cycles(&mut config, settings);
                let due = self.recurrence(store)?;
                let cadence = Cadence { text: due.to_string(), every: due.interval() };
                let mut request = wiring::run_request(&config, &cadence)?;
                request.on_no_new_bars = config.on_no_new_bars;
                (config, request)
            }
        };
        if config.supplied.is_some() {
            return Err(Failure::input(
                "metrics that somebody supplied say nothing about past cycles: unset them",
            ));
        }
        if let Some(arm) = &mut request.arm {
            arm.publish_delay = self.delay;
        }
        Ok((config, request))
    }

    fn record(&self, store: &Store) -> Result<Option<ScheduleRecord>, Failure> {
        let record = self.schedule.as_ref().map(|id| store.schedule(id)).transpose();
        record.map_err(|error| Failure::from(&error))
    }
}

/// Due times that lie `every` apart.
pub(crate) fn recurrence(every: &str) -> Result<Recurrence, Failure> {
    let minutes = seconds(EVERY, every)? / SECONDS_PER_MINUTE;
    Recurrence::every_minutes(minutes).map_err(|error| Failure::input(format!("--{EVERY} {every}: {error}")))
}

fn delay(text: &str) -> Result<Duration, Failure> {
    let ms = (seconds(DELAY, text)? * MS_PER_SECOND).round();
    if (1.0..=MAX_DELAY_S * MS_PER_SECOND).contains(&ms) {
        return Ok(Duration::from_millis(ms as u64));
    }
    Err(Failure::input(format!(
        "--{DELAY} {text}: expected a time above 0 and at most a day: a model can't decide at the close that it was made at"
    )))
}
