//! What the interface asks for, turned into schedules and trainings.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use walkforward::evidence::Preset;
use walkforward::failure::{BAD_INPUT, Failure};
use walkforward::frozen::FrozenSettings;
use walkforward::scheduling::{Recipe, WantedSchedule};
use walkforward::settings::{Binary, Settings};
use walkforward_core::{Clock, LineName, RunId};
use walkforward_orchestrator::SchedulerError;
use walkforward_orchestrator::recurrence::Recurrence;
use walkforward_orchestrator::schedule::Timing;
use walkforward_server::{
    Gates, LaunchTraining, NewContinuous, Operator, Refusal, RefusalKind, TrainingProgress,
};
use walkforward_store::{ExperimentId, NewDatasetConfig, NewExperiment, NewPack, ScheduleId, ScheduleRecord};

use super::desk::{LaunchError, ServerDesk, failure};
use super::own_settings::{keys_of, refuse_own_settings};
use crate::home::Home;
use crate::{datasets, evidence, packs};

/// Most settings of one request.
const MAX_SETTINGS: usize = 128;

/// Does for the interface what commands do over the socket.
pub(super) struct ServerOperator {
    desk: Arc<ServerDesk>,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl ServerOperator {
    pub(super) fn new(home: &Home, desk: Arc<ServerDesk>) -> Self {
        Self { desk, settings: home.settings.clone(), clock: Arc::clone(&home.clock) }
    }

    /// The server's settings with what was asked for over them.
    fn frozen(
        &self,
        asked: BTreeMap<String, String>,
        pack: Map<String, Value>,
    ) -> Result<FrozenSettings, Refusal> {
        if asked.len() > MAX_SETTINGS {
            let found = asked.len();
            return Err(unusable(format!(
                "settings: {found} are too many, at most {MAX_SETTINGS} can be given"
            )));
        }
        refuse_own_settings(asked.keys())?;
        let mut frozen = self.settings.freeze().map_err(refusal)?;
        frozen.settings.extend(asked);
        if !pack.is_empty() {
            frozen.pack.get_or_insert_default().extend(pack);
        }
        Ok(frozen)
    }

    fn line(&self, asked: Option<&str>) -> Result<LineName, Refusal> {
        match asked {
            Some(line) => line.parse().map_err(|error| unusable(format!("line: {error}"))),
            None => self.settings.require("line.name").map_err(refusal),
        }
    }

    fn wanted(&self, asked: NewContinuous) -> Result<WantedSchedule, Refusal> {
        let timing = timing_of(&self.settings, &asked)?;
        let (mut settings, mut pack) = (asked.settings, Map::new());
        let mut set = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                settings.insert(key.to_owned(), value);
            }
        };
        set("data.symbol", asked.symbol);
        set("data.timeframe", asked.timeframe);
        set("data.window_bars", asked.window_candles.map(|bars| bars.to_string()));
        set("training.iterations", asked.iterations_per_cycle.map(|count| count.to_string()));
        set("gate.auto_deploy", asked.auto_deploy.map(|is_wanted| is_wanted.to_string()));
        set("gate.preset", asked.preset);
        if let Some(multiplier) = asked.fine_tune_lr_multiplier {
            pack.insert("fine_tune_lr_multiplier".to_owned(), json!(multiplier));
        }
        let frozen = self.frozen(settings, pack)?;
        let id = match asked.id {
            Some(id) => id,
            None => self.name_for(&frozen)?,
        };
        let recipe = Recipe {
            name: format!("schedule '{id}'"),
            line: self.line(asked.line.as_deref())?,
            frozen,
            dataset: named("dataset_id", asked.dataset_id)?,
            pack: named("hp_pack_id", asked.hp_pack_id)?,
        };
        let name = asked.name.unwrap_or_else(|| id.to_string());
        Ok(WantedSchedule {
            id,
            name,
            base: asked.base_experiment_id,
            timing,
            recipe,
            start_with_server: true,
        })
    }

    /// An id of the symbol that no schedule has.
    fn name_for(&self, frozen: &FrozenSettings) -> Result<ScheduleId, Refusal> {
        let own = frozen.settings.get("data.symbol").cloned();
        let symbol: String = own.map_or_else(|| self.settings.require("data.symbol"), Ok).map_err(refusal)?;
        let is_kept = |c: &char| c.is_ascii_alphanumeric();
        let base: String = symbol.to_ascii_lowercase().chars().filter(is_kept).collect();
        let base = if base.is_empty() { "schedule".to_owned() } else { base };
        let candidates =
            std::iter::once(base.clone()).chain((2..1_000).map(|number| format!("{base}-{number}")));
        let is_free = |id: &ScheduleId| self.desk.store().schedule(id).is_err();
        let free = candidates.filter_map(|text| text.parse::<ScheduleId>().ok()).find(is_free);
        free.ok_or_else(|| unusable("id: every id that could be made from the symbol is taken: give one"))
    }

    fn experiment(&self, asked: LaunchTraining, id: ExperimentId) -> Result<NewExperiment, Refusal> {
        let recipe = Recipe {
            name: format!("experiment '{id}'"),
            line: self.line(asked.line.as_deref())?,
            frozen: self.frozen(asked.settings, Map::new())?,
            dataset: named("dataset_id", asked.dataset_id)?,
            pack: named("hp_pack_id", asked.hp_pack_id)?,
        };
        let mut config = recipe.config().map_err(refusal)?;
        if let Value::Object(config) = &mut config {
            config.insert("dataset_id".to_owned(), json!(recipe.dataset));
            config.insert("hp_pack_id".to_owned(), json!(recipe.pack));
        }
        Ok(NewExperiment {
            name: asked.name.unwrap_or_else(|| id.to_string()),
            script: "api".to_owned(),
            line: recipe.line,
            config,
            tags: asked.tags,
            id,
        })
    }
}

#[async_trait]
impl Operator for ServerOperator {
    async fn create(&self, wanted: NewContinuous) -> Result<ScheduleRecord, Refusal> {
        let wanted = self.wanted(wanted)?;
        if self.desk.store().schedule(&wanted.id).is_ok() {
            let id = &wanted.id;
            return Err(Refusal::new(
                RefusalKind::Conflict,
                format!("there is a schedule '{id}' already: choose another id"),
            ));
        }
        self.desk.make_schedule(wanted).await.map_err(refusal)
    }

    async fn take_in(&self, id: &ScheduleId) -> Result<(), Refusal> {
        self.desk.known(id).await.map_err(|error| refusal_of(&error))
    }

    async fn launch(&self, wanted: LaunchTraining) -> Result<ExperimentId, Refusal> {
        let id = match wanted.id.clone() {
            Some(id) => id,
            None => format!("exp-{}", RunId::at(self.clock.now()).as_str().to_ascii_lowercase())
                .parse()
                .map_err(|error| Refusal::new(RefusalKind::Internal, format!("{error}")))?,
        };
        let experiment = self.experiment(wanted, id.clone())?;
        match self.desk.launch(experiment).await {
            Ok(()) => Ok(id),
            Err(LaunchError::Exists(why)) => Err(Refusal::new(RefusalKind::Conflict, why)),
            Err(LaunchError::NoSlot(error)) => Err(refusal_of(&error)),
            Err(LaunchError::Unusable(failure)) => Err(refusal(failure)),
        }
    }

    async fn cancel(&self, id: &ExperimentId) -> Result<(), Refusal> {
        if self.desk.store().experiment(id).is_err() {
            return Err(Refusal::new(RefusalKind::Unknown, format!("there is no experiment '{id}'")));
        }
        let cancelled = self.desk.cancel_experiment(id);
        cancelled.map(drop).map_err(|failure| Refusal::new(RefusalKind::Conflict, failure.message))
    }

    fn running(&self) -> Vec<ExperimentId> {
        self.desk.trainings().running()
    }

    fn check_pack(&self, pack: &NewPack) -> Result<(), Refusal> {
        packs::check(&self.settings, pack).map_err(refusal)
    }

    fn check_dataset(&self, dataset: &NewDatasetConfig) -> Result<(), Refusal> {
        refuse_own_settings(keys_of(dataset).iter())?;
        datasets::check(&self.settings, dataset).map_err(refusal)
    }

    fn gates(&self) -> Result<Gates, Refusal> {
        let preset = self.settings.get::<Preset>("gate.preset").map_err(refusal)?;
        let is_limit = |key: &str| {
            (key.starts_with("gate.") || key.starts_with("evidence."))
                && !matches!(key, "gate.preset" | "gate.auto_deploy")
        };
        let rows = self.settings.rows(Binary::Orchestrate).into_iter();
        let limits = rows.filter(|(key, ..)| is_limit(key));
        Ok(Gates {
            // What schedules are judged by where nobody says otherwise.
            preset: preset.unwrap_or(Preset::Evidence).to_string(),
            auto_deploy: self.settings.require("gate.auto_deploy").map_err(refusal)?,
            allow_reused_metrics: self
                .settings
                .require("evaluation.allow_reused_metrics")
                .map_err(refusal)?,
            limits: limits.filter_map(|(key, value, _)| Some((key.to_owned(), value?.to_owned()))).collect(),
        })
    }

    fn evidence(&self, line: &LineName) -> Result<Vec<Value>, Refusal> {
        let arms = evidence::arms_json(self.desk.store(), line, self.clock.now());
        arms.map_err(|error| Refusal::new(RefusalKind::Internal, error.to_string()))
    }

    fn progress(&self, id: &ScheduleId) -> Option<TrainingProgress> {
        self.desk.trainings().progress().of(id)
    }
}

fn unusable(detail: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Unusable, detail)
}

/// Whoever gave the values sees what is wrong with them; what the machine did goes to the log.
fn refusal(failure: Failure) -> Refusal {
    match failure.code {
        BAD_INPUT => unusable(failure.message),
        _ => Refusal::new(RefusalKind::Internal, failure.message),
    }
}

/// What the scheduler says.
fn refusal_of(error: &SchedulerError) -> Refusal {
    let kind = match error {
        SchedulerError::Unknown { .. } => RefusalKind::Unknown,
        SchedulerError::Busy { .. } | SchedulerError::Refused(_) => RefusalKind::Conflict,
        SchedulerError::NotRunning | SchedulerError::Blocked { .. } => RefusalKind::Unavailable,
        _ => return refusal(failure(error)),
    };
    Refusal::new(kind, error.to_string())
}

fn named<T>(field: &str, text: Option<String>) -> Result<Option<T>, Refusal>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse().map_err(|error| unusable(format!("{field}: {error}")))).transpose()
}

/// When cycles are due, as the request says it.
fn timing_of(settings: &Settings, asked: &NewContinuous) -> Result<Timing, Refusal> {
    let refuse =
        |field: &'static str| move |error: &dyn std::fmt::Display| unusable(format!("{field}: {error}"));
    let recurrence = match (asked.interval_hours, &asked.cron) {
        (Some(_), Some(_)) => return Err(unusable("interval_hours and cron are both given: choose one")),
        (None, None) => {
            let minutes: f64 = settings.require("schedule.interval_minutes").map_err(refusal)?;
            Recurrence::every_minutes(minutes).map_err(|error| refuse("interval_hours")(&error))?
        }
        (Some(hours), None) => {
            Recurrence::every_hours(hours).map_err(|error| refuse("interval_hours")(&error))?
        }
        (None, Some(cron)) => Recurrence::cron(cron, asked.zone.as_deref().unwrap_or("UTC"))
            .map_err(|error| refuse("cron")(&error))?,
    };
    if asked.cron.is_none() && asked.zone.is_some() {
        return Err(unusable("zone: it belongs to cron, and there is none"));
    }
    Ok(Timing::new(recurrence))
}
