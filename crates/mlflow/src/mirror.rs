//! What is to be mirrored, looked at again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use walkforward_core::{LineName, ModelId};
use walkforward_store::{
    ExperimentFilter, ExperimentId, ExperimentRecord, ModelRecord, PromotionState, Store, StoreError,
};

use crate::client::Client;
use crate::cursor::Cursor;
use crate::describe::{self, Described};
use crate::registry::{self, NewVersion};
use crate::tracking::KnownRun;
use crate::{MirrorOptions, MlflowError, TrackingServer, tracking};

/// Newest trainings and models that are looked at: older ones that the server does not have by then, it does not get.
pub const MAX_LOOKED_AT: u32 = 1_000;
/// The alias of the version that the line's pointer names.
pub const CHAMPION_ALIAS: &str = "champion";
/// Iterations that are read at once.
const ITERATION_PAGE: u32 = 500;

/// Copies what the store says to a tracking server.
pub struct Mirror {
    pub(crate) store: Arc<Store>,
    client: Client,
    pub(crate) options: MirrorOptions,
    prefix: String,
    cursor: Cursor,
    /// The ids of the server's experiments, by line.
    experiments: BTreeMap<LineName, String>,
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Some training goes on.
    pub(crate) is_open: bool,
}

impl Mirror {
    /// A mirror of `store` at `server`. Nothing is asked yet.
    ///
    /// # Errors
    /// The system gives no HTTP client.
    pub fn new(
        store: Arc<Store>,
        server: &TrackingServer,
        options: MirrorOptions,
    ) -> Result<Self, MlflowError> {
        let cursor = Cursor::open(&options.folder, server);
        let (client, prefix) = (Client::new(server)?, server.prefix.clone());
        Ok(Self { store, client, options, prefix, cursor, experiments: BTreeMap::new() })
    }

    /// Brings the server up to what the store says now. One training that the server refuses does not hold up the others.
    pub(crate) async fn look(&mut self) -> Result<Looked, MlflowError> {
        let filter = ExperimentFilter::default();
        let experiments: Vec<ExperimentId> =
            self.store.experiments(&filter, MAX_LOOKED_AT)?.into_iter().map(|record| record.id).collect();
        let models: Vec<ModelId> =
            self.store.model_summaries(None, MAX_LOOKED_AT)?.into_iter().map(|it| it.model).collect();
        let names = experiments.iter().map(experiment_name).chain(models.iter().map(model_name));
        let listed: BTreeSet<String> = names.collect();
        self.cursor.keep(|name| listed.contains(name));
        let mut is_open = false;
        for id in experiments.iter().rev() {
            let name = experiment_name(id);
            if !self.cursor.is_done(&name) {
                let went = self.experiment(id).await;
                is_open |= !self.settle(&name, went)?;
            }
        }
        for id in models.iter().rev() {
            let name = model_name(id);
            if !self.cursor.is_done(&name) {
                let went = self.model(id).await;
                is_open |= !self.settle(&name, went)?;
            }
        }
        for line in self.store.lines()? {
            self.champion(&line).await?;
        }
        Ok(Looked { is_open })
    }

    /// Keeps that something is done, also where the server will never take it; whether it is.
    fn settle(&mut self, name: &str, went: Result<bool, MlflowError>) -> Result<bool, MlflowError> {
        match went {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(error) if error.is_about_one() => {
                tracing::warn!(name, %error, "MLflow does not get this one");
            }
            Err(error) => return Err(error),
        }
        self.cursor.note_done(name)?;
        Ok(true)
    }

    /// Brings the run of an experiment up to date; whether it is complete.
    async fn experiment(&mut self, id: &ExperimentId) -> Result<bool, MlflowError> {
        let record = match self.store.experiment(id) {
            Ok(record) => record,
            // Somebody has deleted it meanwhile.
            Err(StoreError::UnknownRow { .. }) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        if record.started_at.is_none() && !record.status.is_final() {
            return Ok(false);
        }
        let model = record.model_id.as_ref().and_then(|id| self.record(id));
        let described = describe::experiment(&record, model.as_ref());
        self.mirror(&described, Some(id), model.as_ref()).await
    }

    /// Brings the run of a model that no experiment made up to date; whether it is complete.
    async fn model(&mut self, id: &ModelId) -> Result<bool, MlflowError> {
        let Some(record) = self.record(id) else { return Ok(true) };
        if self.experiment_of(&record)?.is_some() {
            return Ok(true);
        }
        if !describe::is_judged(record.status) {
            return Ok(false);
        }
        let run = self.store.run(&record.run_id)?;
        self.mirror(&describe::model(&record, run.as_ref()), None, Some(&record)).await
    }

    /// Writes what a run has not yet; whether it is complete.
    async fn mirror(
        &mut self,
        described: &Described,
        iterations_of: Option<&ExperimentId>,
        model: Option<&ModelRecord>,
    ) -> Result<bool, MlflowError> {
        let run = self.run_of(described).await?;
        if run.is_deleted || run.is_ended {
            return Ok(true);
        }
        if !run.has_params {
            tracking::log_params(&self.client, &run.run_id, &described.params).await?;
            tracking::log_tags(&self.client, &run.run_id, &described.tags).await?;
            tracking::log_begin(&self.client, &run.run_id).await?;
        }
        if let Some(id) = iterations_of {
            self.iterations(&run, id).await?;
        }
        let Some((status, at)) = described.ended else { return Ok(false) };
        // What the record of the model added since.
        tracking::log_params(&self.client, &run.run_id, &described.params).await?;
        tracking::log_last(&self.client, &run.run_id, described, at).await?;
        tracking::log_tags(&self.client, &run.run_id, &described.tags).await?;
        if let Some(record) = model {
            self.version(record, &run.run_id).await?;
        }
        tracking::end(&self.client, &run.run_id, (status, at)).await?;
        Ok(true)
    }

    async fn iterations(&self, run: &KnownRun, id: &ExperimentId) -> Result<(), MlflowError> {
        let mut until = run.until;
        loop {
            let page = self.store.iterations(id, until, ITERATION_PAGE)?;
            let Some(last) = page.last().map(|one| one.iteration) else { return Ok(()) };
            tracking::log_iterations(&self.client, &run.run_id, &page).await?;
            until = Some(last);
        }
    }

    /// Puts the alias on the version that trades, where that has changed.
    async fn champion(&mut self, line: &LineName) -> Result<(), MlflowError> {
        let rows = self.store.promotions(line)?;
        let Some(last) = rows.iter().rev().find(|row| row.state == PromotionState::Committed) else {
            return Ok(());
        };
        if self.cursor.champion(line) == Some(last.sequence) {
            return Ok(());
        }
        let name = self.registered(line);
        let went = match &last.to {
            None => registry::delete_alias(&self.client, &name, CHAMPION_ALIAS).await,
            Some(model) => self.crown(&name, model).await,
        };
        match went {
            Err(error) if error.is_about_one() => {
                tracing::warn!(%line, %error, "MLflow does not learn who trades");
            }
            went => went?,
        }
        self.cursor.note_champion(line, last.sequence)
    }

    async fn crown(&mut self, name: &str, model: &ModelId) -> Result<(), MlflowError> {
        let version = match registry::find_version(&self.client, name, model).await? {
            Some(version) => version,
            None => {
                let Some(record) = self.record(model) else { return Ok(()) };
                let run = self.run_of(&self.description(&record)?).await?;
                self.version(&record, &run.run_id).await?
            }
        };
        registry::set_alias(&self.client, name, CHAMPION_ALIAS, &version).await
    }

    /// The training that made a model.
    fn description(&self, record: &ModelRecord) -> Result<Described, MlflowError> {
        Ok(match self.experiment_of(record)? {
            Some(experiment) => describe::experiment(&experiment, Some(record)),
            None => describe::model(record, self.store.run(&record.run_id)?.as_ref()),
        })
    }

    /// The experiment that made a model, where there is one still.
    fn experiment_of(&self, record: &ModelRecord) -> Result<Option<ExperimentRecord>, MlflowError> {
        let Some(id) = record.made_for.as_ref().and_then(|made| made.experiment_id.as_ref()) else {
            return Ok(None);
        };
        match self.store.experiment(id) {
            Ok(experiment) => Ok(Some(experiment)),
            Err(StoreError::UnknownRow { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A model's record; none where that can't be read, which others tell of.
    fn record(&self, id: &ModelId) -> Option<ModelRecord> {
        let read = self.store.model(id);
        read.inspect_err(|error| tracing::debug!(%id, %error, "a model is mirrored without its record")).ok()
    }

    async fn run_of(&mut self, described: &Described) -> Result<KnownRun, MlflowError> {
        let experiment = match self.experiments.get(&described.line) {
            Some(id) => id.clone(),
            None => {
                let name = format!("{}/{}", self.prefix, described.line);
                let id = tracking::experiment(&self.client, &name).await?;
                self.experiments.insert(described.line.clone(), id.clone());
                id
            }
        };
        tracking::run(&self.client, &experiment, described).await
    }

    async fn version(&self, record: &ModelRecord, run_id: &str) -> Result<String, MlflowError> {
        let name = self.registered(&record.line);
        let tags = describe::version_tags(record);
        let description = describe::reasons(record).unwrap_or_default();
        let new = NewVersion { name: &name, model: &record.model_id, run_id, tags, description };
        registry::version(&self.client, &new).await
    }

    fn registered(&self, line: &LineName) -> String {
        format!("{}-{line}", self.prefix)
    }
}

fn experiment_name(id: &ExperimentId) -> String {
    format!("experiment:{id}")
}

fn model_name(id: &ModelId) -> String {
    format!("model:{id}")
}
