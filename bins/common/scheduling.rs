//! What schedules and experiments run: their records, read against the settings of this process.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use walkforward_core::{Clock, ErrorKind, LineName, Stage, StageError, Timestamp};
use walkforward_orchestrator::schedule::Timing;
use walkforward_orchestrator::{CyclePlan, CyclePlanner, MARKET, Market, RunRequest};
use walkforward_store::{DatasetConfigId, PackId, ScheduleRecord, Store};

use crate::config::OrchestrateConfig;
use crate::evidence::{Cadence, choose_for_cycles};
use crate::failure::{BAD_INPUT, Failure};
use crate::frozen::{FrozenSettings, Layers};
use crate::settings::Settings;
use crate::source::SourceConfig;
use crate::wiring;

mod check;

pub use check::{WantedSchedule, check_base};

/// Key of a schedule's configuration: it was made or started while no server ran, and waits for one.
pub const START_WITH_SERVER: &str = "start_with_server";

/// Due times among which the longest wait of a schedule is looked for: more than two months of workdays.
const GAPS: usize = 64;

/// What a training is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Whose it is, for errors: `schedule 'btc'`.
    pub name: String,
    /// The line of its models.
    pub line: LineName,
    /// What was set for it.
    pub frozen: FrozenSettings,
    /// Its dataset configuration.
    pub dataset: Option<DatasetConfigId>,
    /// Its hyperparameter pack.
    pub pack: Option<PackId>,
}

impl Recipe {
    /// What a schedule's record says.
    ///
    /// # Errors
    /// Its configuration can't be read.
    pub fn of_schedule(record: &ScheduleRecord) -> Result<Self, Failure> {
        let name = format!("schedule '{}'", record.id);
        let frozen = FrozenSettings::deserialize(&record.config)
            .map_err(|error| Failure::input(format!("{name}: its configuration can't be read: {error}")))?;
        let (dataset, pack) = (record.dataset_id.clone(), record.hp_pack_id.clone());
        Ok(Self { name, line: record.line.clone(), frozen, dataset, pack })
    }

    /// The recipe as a record's configuration.
    pub fn config(&self) -> Result<Value, Failure> {
        serde_json::to_value(&self.frozen).map_err(|error| Failure::stage(error.to_string()))
    }
}

/// Whether a schedule waits for a server to start it: one that never ran, and was to.
pub fn waits_for_server(record: &ScheduleRecord) -> bool {
    record.config.get(START_WITH_SERVER) == Some(&Value::Bool(true))
}

/// The configuration of a schedule's record.
fn schedule_config(
    recipe: &Recipe,
    timing: &Timing,
    market: &Market,
    start_with_server: bool,
) -> Result<Value, Failure> {
    let fail = |error: serde_json::Error| Failure::stage(error.to_string());
    let mut config = serde_json::to_value(timing).map_err(fail)?;
    if let (Some(config), Value::Object(frozen)) = (config.as_object_mut(), recipe.config()?) {
        config.extend(frozen);
        config.insert(MARKET.to_owned(), serde_json::to_value(market).map_err(fail)?);
        config.insert(START_WITH_SERVER.to_owned(), json!(start_with_server));
    }
    Ok(config)
}

/// How often a schedule makes a model, from `now` on.
fn cadence_of(schedule: &ScheduleRecord, now: Timestamp) -> Result<Cadence, Failure> {
    let timing = Timing::from_config(&schedule.config)
        .map_err(|error| Failure::input(format!("schedule '{}': {error}", schedule.id)))?;
    let every = timing.recurrence.longest_gap(now, GAPS);
    Ok(Cadence { text: timing.recurrence.to_string(), every })
}

/// Turns recipes into stages and requests, with the folders and secrets of this process.
#[derive(Clone)]
pub struct Planner {
    process: Settings,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

impl Planner {
    /// A planner over the rows of `store`.
    pub fn new(process: Settings, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self { process, store, clock }
    }

    /// The rows.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The settings of `recipe`.
    ///
    /// # Errors
    /// Its dataset configuration or its pack is not there, or a key can't be used.
    pub fn settings(&self, recipe: &Recipe) -> Result<Settings, Failure> {
        let refuse = |error: walkforward_store::StoreError| Failure::from(&error);
        let dataset = recipe.dataset.as_ref().map(|id| self.store.dataset_config(id)).transpose();
        let pack = recipe.pack.as_ref().map(|id| self.store.pack(id)).transpose();
        self.process.with_layers(&Layers {
            name: &recipe.name,
            frozen: &recipe.frozen,
            dataset: dataset.map_err(refuse)?.as_ref(),
            pack: pack.map_err(refuse)?.as_ref(),
        })
    }

    /// The checked configuration of `recipe`.
    ///
    /// # Errors
    /// A value can't be used, or the trainer does not take the pack.
    pub fn config(&self, recipe: &Recipe) -> Result<OrchestrateConfig, Failure> {
        let named = |failure: Failure| Failure {
            code: failure.code,
            message: match failure.message.contains(&recipe.name) {
                true => failure.message,
                false => format!("{}: {}", recipe.name, failure.message),
            },
        };
        let settings = self.settings(recipe)?;
        let mut config = OrchestrateConfig::from_settings(&settings, false).map_err(named)?;
        config.line = recipe.line.clone();
        if matches!(config.source, SourceConfig::Synthetic) {
            // Made-up bars go on with the clock.
            config.dataset.as_of.get_or_insert(self.clock.now());
        }
        Ok(config)
    }

    /// The plan of a training without a schedule: it runs whether or not there are new bars.
    ///
    /// # Errors
    /// As [`config`](Self::config), or its worker's program is not there.
    pub fn experiment(&self, recipe: &Recipe) -> Result<CyclePlan, Failure> {
        let config = self.config(recipe)?;
        Ok(CyclePlan {
            stages: wiring::stages(&config, &self.clock)?,
            request: wiring::run_request(&config, &Cadence::default())?,
        })
    }

    fn cycle(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, Failure> {
        let (config, request) = self.of_schedule(schedule)?;
        Ok(CyclePlan { stages: wiring::stages(&config, &self.clock)?, request })
    }

    /// The configuration of a schedule's cycles, and what they are asked to do.
    ///
    /// # Errors
    /// The schedule's configuration can't be used any more.
    pub fn of_schedule(&self, schedule: &ScheduleRecord) -> Result<(OrchestrateConfig, RunRequest), Failure> {
        let recipe = Recipe::of_schedule(schedule)?;
        let mut config = self.config(&recipe)?;
        choose_for_cycles(&mut config, &self.settings(&recipe)?);
        let mut request = wiring::run_request(&config, &cadence_of(schedule, self.clock.now())?)?;
        request.on_no_new_bars = config.on_no_new_bars;
        self.keep_market(schedule, &mut request)?;
        Ok((config, request))
    }

    /// A schedule keeps its market, whatever becomes of its dataset configuration.
    fn keep_market(&self, schedule: &ScheduleRecord, request: &mut RunRequest) -> Result<(), Failure> {
        let Some(Market { symbol, timeframe }) = Market::of_schedule(schedule) else { return Ok(()) };
        let found = request.dataset.timeframe.unwrap_or(timeframe);
        if request.dataset.symbol != symbol || found != timeframe {
            return Err(Failure::input(format!(
                "schedule '{}' trades {symbol} {timeframe}, and its dataset configuration says {} {found} now: another \
                 market needs a schedule of its own",
                schedule.id, request.dataset.symbol
            )));
        }
        request.dataset.timeframe = Some(timeframe);
        Ok(())
    }
}

impl CyclePlanner for Planner {
    fn plan(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, StageError> {
        self.cycle(schedule).map_err(|failure| {
            let kind = if failure.code == BAD_INPUT { ErrorKind::BadInput } else { ErrorKind::Retry };
            StageError::new(Stage::Etl, kind, failure.message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_promises_its_longest_wait() {
        let now = "2024-07-02T00:00:00Z".parse().unwrap();
        let promised = |config: Value| {
            let id = "btc".parse().unwrap();
            let schedule = ScheduleRecord::idle(id, LineName::default(), config, now);
            let Cadence { text, every } = cadence_of(&schedule, now).unwrap();
            (text, every.unwrap().as_secs() / 3_600)
        };
        assert_eq!(promised(json!({ "interval_hours": 6 })), ("every 6h".to_owned(), 6));
        let weekdays = promised(json!({ "cron": "30 9 * * 1-5" }));
        assert_eq!(weekdays, ("cron 30 9 * * 1-5 UTC".to_owned(), 72), "over the weekend");
    }
}
