//! What a schedule has to stand before it is made.

use std::sync::Arc;

use walkforward_core::{CancelToken, NoProgress, StageContext, Timeframe};
use walkforward_orchestrator::Market;
use walkforward_orchestrator::schedule::Timing;
use walkforward_store::{
    Champion, ExperimentId, ExperimentStatus, NewSchedule, ScheduleId, ScheduleRecord, Store, StoreError,
};

use super::{Planner, Recipe, schedule_config};
use crate::config::OrchestrateConfig;
use crate::failure::Failure;
use crate::wiring;

/// A schedule that somebody wants.
#[derive(Debug, Clone)]
pub struct WantedSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// Its name for people.
    pub name: String,
    /// The training that it continues from.
    pub base: Option<ExperimentId>,
    /// When its cycles are due.
    pub timing: Timing,
    /// What they train.
    pub recipe: Recipe,
    /// Whether it starts when a server does.
    pub start_with_server: bool,
}

impl WantedSchedule {
    /// Tries everything that a cycle would need: settings, pack, worker, bars of a file, base, and that the line trades
    /// this market. Nothing is written.
    ///
    /// # Errors
    /// The first thing that can't be used, in a sentence.
    pub async fn check(&self, planner: &Planner) -> Result<NewSchedule, Failure> {
        let config = planner.config(&self.recipe)?;
        let market = market(planner, &config).await?;
        let store = planner.store();
        if let Some(base) = &self.base {
            check_base(store, base, &market)?;
        }
        self.check_line(store, &market)?;
        Ok(NewSchedule {
            id: self.id.clone(),
            name: self.name.clone(),
            line: self.recipe.line.clone(),
            base_experiment_id: self.base.clone(),
            dataset_id: self.recipe.dataset.clone(),
            hp_pack_id: self.recipe.pack.clone(),
            config: schedule_config(&self.recipe, &self.timing, &market, self.start_with_server)?,
        })
    }

    /// A line has one market: that of its champion and of every schedule that trains it.
    fn check_line(&self, store: &Store, market: &Market) -> Result<(), Failure> {
        let refuse = |error: StoreError| Failure::from(&error);
        let line = &self.recipe.line;
        let other = |what: String, theirs: &Market| {
            Failure::input(format!(
                "schedule '{}' trades {} {}, and line '{line}' trades {} {} ({what}): give it a line of its own with \
                 --line NAME",
                self.id, market.symbol, market.timeframe, theirs.symbol, theirs.timeframe
            ))
        };
        if let Some(Champion { pointer, .. }) = store.champion(line).map_err(refuse)? {
            let theirs = Market { symbol: pointer.symbol, timeframe: pointer.timeframe };
            if theirs != *market {
                return Err(other(format!("its champion {}", pointer.model_id), &theirs));
            }
        }
        let shares = |other: &&ScheduleRecord| other.line == *line && other.id != self.id;
        for schedule in store.schedules().map_err(refuse)?.iter().filter(shares) {
            match Market::of_schedule(schedule) {
                Some(theirs) if theirs != *market => {
                    return Err(other(format!("schedule '{}'", schedule.id), &theirs));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The market that cycles will find. What lies on this machine is read once, so that a window that is too long for its
/// file is refused now; a service is not asked.
async fn market(planner: &Planner, config: &OrchestrateConfig) -> Result<Market, Failure> {
    let stages = wiring::stages(config, &planner.clock)?;
    if config.source.is_service() {
        let timeframe = config.dataset.timeframe.unwrap_or(Timeframe::HOUR);
        return Ok(Market { symbol: config.dataset.symbol.clone(), timeframe });
    }
    let ctx = StageContext {
        clock: planner.clock.clone(),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: config.data_dir.clone(),
    };
    let dataset =
        stages.datasets.build(&config.dataset, &ctx).await.map_err(|error| Failure::from(&error))?;
    Ok(Market { timeframe: dataset.timeframe(), symbol: dataset.symbol })
}

/// Refuses a base that cycles could not continue from.
///
/// # Errors
/// There is no such experiment, it made no model, the model trades another market, or its weights are gone.
pub fn check_base(store: &Store, base: &ExperimentId, market: &Market) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    let no_base = |reason: String| Failure::input(format!("experiment '{base}' can't be a base: {reason}"));
    let experiment = store.experiment(base).map_err(refuse)?;
    let model = match (experiment.status, experiment.model_id) {
        (ExperimentStatus::Completed, Some(model)) => model,
        (status, _) => {
            let reason = format!("it is {status} and has no checkpoint; choose one that is completed");
            return Err(no_base(reason));
        }
    };
    let record = store.model(&model).map_err(|error| no_base(format!("its model {model}: {error}")))?;
    if (&record.symbol, record.timeframe) != (&market.symbol, market.timeframe) {
        let reason = format!("its model trades {} {}", record.symbol, record.timeframe);
        return Err(no_base(format!("{reason}, the schedule {} {}", market.symbol, market.timeframe)));
    }
    match store.weights_problem(&record).map_err(refuse)? {
        Some(problem) => Err(no_base(format!("its model {model} has no checkpoint any more: {problem}"))),
        None => Ok(()),
    }
}
