//! Taking weights away: announced in the database, then removed, then written into the model's record.

use std::collections::BTreeMap;
use std::fs;

use walkforward_core::{LineName, ModelId};
use walkforward_durable::FileLock;

use super::plan::weight_files;
use super::{KeepReason, Prunable, RetentionPolicy};
use crate::listing::removed_columns;
use crate::recovery::note;
use crate::rows::parse;
use crate::{RecoveryReport, RemovedBy, Store, StoreError, WeightsRemoved};

/// Models that are pruned under one hold of their line's lock: some hundred writes, well within what others wait.
const MAX_PRUNE_BATCH: usize = 16;

/// What a prune came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// The models whose weights are gone.
    pub removed: Vec<Prunable>,
    /// What they took, bytes.
    pub freed_bytes: u64,
    /// Models that were to go and stayed after all.
    pub stayed: Vec<(ModelId, KeepReason)>,
}

impl Store {
    /// Removes weights and optimizer state of the models that [`prunable`](Self::prunable) finds. Each is looked at
    /// again under its line's lock and its own before it goes; what became champion, was pinned or is loaded meanwhile
    /// stays. Records, evaluations and all rows are kept.
    ///
    /// A crash at any moment is made up for by the next start: weights that were announced as removed are removed then.
    ///
    /// # Errors
    /// A file or the database fails. What was removed until then stays removed, and is recorded.
    pub fn prune(
        &self,
        line: Option<&LineName>,
        policy: &RetentionPolicy,
    ) -> Result<PruneReport, StoreError> {
        let mut by_line: BTreeMap<LineName, Vec<Prunable>> = BTreeMap::new();
        for model in self.prunable(line, policy)?.prunable {
            by_line.entry(model.line.clone()).or_default().push(model);
        }
        let mut report = PruneReport::default();
        for (line, models) in by_line {
            for batch in models.chunks(MAX_PRUNE_BATCH) {
                let _line = self.line_lock(&line)?;
                let champions = self.champions_to_keep(&line, policy)?;
                for model in batch {
                    match self.prune_one(&model.model, policy, &champions)? {
                        Some(reason) => report.stayed.push((model.model.clone(), reason)),
                        None => {
                            report.freed_bytes += model.bytes;
                            report.removed.push(model.clone());
                        }
                    }
                }
            }
        }
        Ok(report)
    }

    /// Takes one model's weights away, or says why they stay. The caller holds the line's lock.
    fn prune_one(
        &self,
        id: &ModelId,
        policy: &RetentionPolicy,
        champions: &BTreeMap<ModelId, KeepReason>,
    ) -> Result<Option<KeepReason>, StoreError> {
        if let Some(reason) = champions.get(id) {
            return Ok(Some(reason.clone()));
        }
        let Some(lock) = self.try_own_bundle(id)? else { return Ok(Some(KeepReason::Loaded)) };
        let removed = WeightsRemoved { at: self.now(), by: RemovedBy::Retention };
        if !self.announce_removal(id, removed, policy)? {
            return Ok(Some(KeepReason::Changed));
        }
        self.remove_weights(id, removed, &lock)?;
        Ok(None)
    }

    /// Removes the files of an announced removal and records that they are gone. The caller holds the line's lock.
    fn remove_weights(
        &self,
        id: &ModelId,
        removed: WeightsRemoved,
        lock: &FileLock,
    ) -> Result<(), StoreError> {
        let dir = self.layout.model_dir(id);
        if dir.is_dir() {
            for file in weight_files(&dir)? {
                self.files.remove_file(&file)?;
            }
            self.files.sync_dir(&dir)?;
            let mut record = self.model(id)?;
            record.weights_removed = Some(removed);
            self.write_record(&record)?;
        }
        self.database.write("record the end of a removal in", |tx| {
            tx.execute("UPDATE models SET removal_open = 0 WHERE id = ?1", [id.as_str()])
        })?;
        // Nobody will load it again; who has the file open already finds no weights.
        let _ = fs::remove_file(lock.path());
        Ok(())
    }

    /// Ends the removals that a killed process had announced, except of models that somebody has loaded since.
    pub(crate) fn finish_open_removals(&self, report: &mut RecoveryReport) -> Result<(), StoreError> {
        let open = self.database.read(|db| {
            db.prepare(
                "SELECT id, line, weights_removed_at, weights_removed_by FROM models WHERE removal_open = 1 \
                 ORDER BY id",
            )?
            .query_map([], |row| Ok((parse(row, 0)?, parse(row, 1)?, removed_columns(row, 2)?)))?
            .collect::<rusqlite::Result<Vec<(ModelId, LineName, Option<WeightsRemoved>)>>>()
        })?;
        for (id, line, removed) in open {
            let Some(removed) = removed else { continue };
            match self.finish_removal(&id, &line, removed) {
                Ok(is_finished) => report.finished_removals += usize::from(is_finished),
                Err(error) => note(report, error)?,
            }
        }
        Ok(())
    }

    fn finish_removal(
        &self,
        id: &ModelId,
        line: &LineName,
        removed: WeightsRemoved,
    ) -> Result<bool, StoreError> {
        let _line = self.line_lock(line)?;
        let policy = RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };
        let champion = self.champions_to_keep(line, &policy)?.remove(id);
        if matches!(champion, Some(KeepReason::Champion(_))) {
            let problem = format!("its weights were to be removed on {}, and it is champion now", removed.at);
            return Err(StoreError::bad_model(&self.layout.model_dir(id), problem));
        }
        let Some(lock) = self.try_own_bundle(id)? else { return Ok(false) };
        // Another process may have ended it meanwhile.
        if self.open_removal(id)?.is_none() {
            return Ok(false);
        }
        self.remove_weights(id, removed, &lock)?;
        Ok(true)
    }
}
