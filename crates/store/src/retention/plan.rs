//! Who may go and who stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rusqlite::{OptionalExtension, Row, params};
use walkforward_core::{ArmId, LineName, ModelId, Timestamp};
use walkforward_durable::{Error, Step};

use super::work::bytes_of;
use super::{KeepReason, KeptModel, MAX_LISTED_MODELS, Prunable, Retention, RetentionPolicy};
use crate::listing::removed_columns;
use crate::pointer::parse_pointer;
use crate::rows::{count, parse, parse_optional};
use crate::{PromotionState, ScheduleId, Store, StoreError, StreamKey, WeightsRemoved};

pub(super) const DAY_MS: i64 = 86_400_000;
/// An arm without a schedule that has published nothing for so many days is not gone on with: as many as its evidence looks
/// back.
const ARM_DAYS: i64 = 84;

/// What the database knows of a model that has weights.
struct Facts {
    model: ModelId,
    line: LineName,
    created_at: Timestamp,
    pinned: Option<String>,
    newest_child: Option<Timestamp>,
    run_goes_on: bool,
    cycle_of: Option<ScheduleId>,
    /// How many models of its line are newer.
    newer: usize,
}

/// Champions that are kept, by line, with why; or why a line's can't be told.
type Champions = BTreeMap<LineName, Result<BTreeMap<ModelId, KeepReason>, String>>;

impl Store {
    /// The models of `line`, or of all lines, that have weights: which of them `policy` lets go, and why the others
    /// stay. Nothing is changed.
    pub fn prunable(
        &self,
        line: Option<&LineName>,
        policy: &RetentionPolicy,
    ) -> Result<Retention, StoreError> {
        let champions = self.kept_champions(line, policy)?;
        let (parents, held) = (self.next_parents()?, self.kept_held(line)?);
        let deciding = self.deciding_snapshots(line)?;
        let mut found = Retention::default();
        for facts in self.models_with_weights(line)? {
            let bytes = self.weights_bytes(&facts.model)?;
            if bytes == 0 {
                continue;
            }
            let Facts { model, line, created_at, .. } = &facts;
            let (model, line, created_at) = (model.clone(), line.clone(), *created_at);
            let held = held.contains(&model).then_some(KeepReason::Held);
            let ahead = held
                .or_else(|| parents.get(&model).cloned().map(KeepReason::NextParent))
                .or_else(|| deciding.get(&model).cloned().map(KeepReason::Deciding));
            match self.keep_reason(&facts, policy, &champions, ahead)? {
                Some(why) => {
                    found.kept_models += 1;
                    found.kept_bytes += bytes;
                    if found.kept.len() < MAX_LISTED_MODELS {
                        found.kept.push(KeptModel { model, line, bytes, why });
                    }
                }
                None => {
                    let why = format!(
                        "{} days old, {} models of its line are newer",
                        self.age_days(created_at),
                        facts.newer
                    );
                    found.prunable.push(Prunable { model, line, created_at, bytes, why });
                }
            }
        }
        found.prunable.sort_by(|a, b| (a.created_at, &a.model).cmp(&(b.created_at, &b.model)));
        found.prunable.truncate(MAX_LISTED_MODELS);
        Ok(found)
    }

    fn keep_reason(
        &self,
        facts: &Facts,
        policy: &RetentionPolicy,
        champions: &Champions,
        ahead: Option<KeepReason>,
    ) -> Result<Option<KeepReason>, StoreError> {
        let champion = match champions.get(&facts.line) {
            Some(Ok(kept)) => kept.get(&facts.model).cloned(),
            Some(Err(problem)) => Some(KeepReason::UnknownChampion(problem.clone())),
            None => None,
        };
        // What was made at a later time by a clock that was set back since is young, but nothing is so for 0 days.
        let within =
            |at: Timestamp, days: u32| days > 0 && self.now().millis_since(at) < i64::from(days) * DAY_MS;
        let reason = champion
            .or_else(|| facts.pinned.clone().map(KeepReason::Pinned))
            .or_else(|| facts.run_goes_on.then_some(KeepReason::RunGoesOn))
            .or_else(|| facts.cycle_of.clone().map(KeepReason::InCycle))
            .or(ahead)
            .or_else(|| (facts.newer < policy.keep_last).then_some(KeepReason::Newest))
            .or_else(|| {
                let days = policy.keep_days;
                within(facts.created_at, days).then_some(KeepReason::Young { days })
            })
            .or_else(|| {
                let days = policy.reproducible_days;
                let is_needed = facts.newest_child.is_some_and(|made| within(made, days));
                is_needed.then_some(KeepReason::Parent { days })
            });
        match reason {
            Some(reason) => Ok(Some(reason)),
            None => Ok(self.is_bundle_loaded(&facts.model)?.then_some(KeepReason::Loaded)),
        }
    }

    fn age_days(&self, created_at: Timestamp) -> i64 {
        self.now().millis_since(created_at).max(0) / DAY_MS
    }

    /// The champions that `policy` keeps of `line`, or of all lines.
    fn kept_champions(
        &self,
        line: Option<&LineName>,
        policy: &RetentionPolicy,
    ) -> Result<Champions, StoreError> {
        let lines = match line {
            Some(line) => BTreeSet::from([line.clone()]),
            None => self.known_lines()?,
        };
        let mut kept = Champions::new();
        for line in lines {
            let champions = match self.champions_to_keep(&line, policy) {
                Ok(champions) => Ok(champions),
                Err(error @ StoreError::Pointer { .. }) => Err(error.to_string()),
                Err(error) => return Err(error),
            };
            kept.insert(line, champions);
        }
        Ok(kept)
    }

    /// The champion of `line`, those that can be gone back to, the latest ones, whether or not they were rolled back, and
    /// those that others are measured against.
    pub(super) fn champions_to_keep(
        &self,
        line: &LineName,
        policy: &RetentionPolicy,
    ) -> Result<BTreeMap<ModelId, KeepReason>, StoreError> {
        let present = parse_pointer(self.models_dir(), line)?.map(|pointer| pointer.model_id);
        let earlier = policy.earlier_champions().saturating_add(1);
        let mut latest = Vec::new();
        for row in self.promotions(line)?.into_iter().rev() {
            // A pending promotion may turn out to have happened.
            let model = row.to.filter(|_| row.state != PromotionState::Aborted);
            if let Some(model) = model.filter(|model| !latest.contains(model))
                && latest.len() < earlier
            {
                latest.push(model);
            }
        }
        let champions = self.champions(line)?;
        let of_another_arm = self.newest_of_another_arm(&champions)?;
        let before = champions.into_iter().take(earlier).chain(of_another_arm);
        let anchor = self.anchor(line)?.into_iter();
        let measured = anchor.flat_map(|it| [Some(it.model), it.displaced.map(|(model, _)| model)]).flatten();
        let mut kept: BTreeMap<_, _> =
            measured.map(|model| (model, KeepReason::Reference(line.clone()))).collect();
        let champions = before.chain(latest);
        kept.extend(champions.map(|model| (model, KeepReason::EarlierChampion(line.clone()))));
        kept.extend(present.map(|model| (model, KeepReason::Champion(line.clone()))));
        Ok(kept)
    }

    /// What a watch goes back to from the first of `champions`.
    fn newest_of_another_arm(&self, champions: &[ModelId]) -> Result<Option<ModelId>, StoreError> {
        let Some((present, earlier)) = champions.split_first() else { return Ok(None) };
        let Some(arm) = self.arm_of(present)? else { return Ok(None) };
        for id in earlier {
            if self.arm_of(id)?.as_ref() != Some(&arm) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// Of each line the newest model that waits for approval and was compared with the present champion. Those before it
    /// age like rejected ones.
    pub(crate) fn kept_held(&self, line: Option<&LineName>) -> Result<BTreeSet<ModelId>, StoreError> {
        let mut kept: BTreeMap<LineName, ModelId> = BTreeMap::new();
        for (model, line) in self.held_rows(line)? {
            if kept.contains_key(&line) {
                continue;
            }
            let is_current = match self.held_model(model.clone(), line.clone()) {
                Ok(held) => held.is_current(),
                // A line whose champion can't be told keeps everything.
                Err(StoreError::Pointer { .. }) => false,
                // What can't be read is not taken away for that.
                Err(StoreError::BadModel { .. }) => true,
                Err(error) => return Err(error),
            };
            if is_current {
                kept.insert(line, model);
            }
        }
        Ok(kept.into_values().collect())
    }

    /// Models that the next cycle of a schedule continues from: its checkpoint, or its base experiment's model.
    pub(crate) fn next_parents(&self) -> Result<BTreeMap<ModelId, ScheduleId>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(
                "SELECT schedule.id, schedule.current_checkpoint_path, base.model_id \
                 FROM continuous_training_schedules AS schedule \
                 LEFT JOIN experiments AS base ON base.id = schedule.base_experiment_id \
                 WHERE schedule.status <> 'removed'",
            )?;
            let mut parents = BTreeMap::new();
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let schedule: ScheduleId = parse(row, 0)?;
                let checkpoint: Option<String> = row.get(1)?;
                let base: Option<ModelId> = parse_optional(row, 2)?;
                let models = checkpoint.as_deref().and_then(model_in).into_iter().chain(base);
                parents.extend(models.map(|model| (model, schedule.clone())));
            }
            Ok(parents)
        })
    }

    /// Snapshots that the streams of arms go on with, those of `line` or of all lines: the one that decides at the last
    /// scored bar, and those that were published since. Arms of lines without a schedule whose last snapshot is old
    /// have none.
    fn deciding_snapshots(&self, line: Option<&LineName>) -> Result<BTreeMap<ModelId, ArmId>, StoreError> {
        let since = self.now().plus_millis(-ARM_DAYS * DAY_MS).to_string();
        let arms: Vec<ArmId> = self.database.read(|db| {
            let mut query = db.prepare(
                "SELECT id FROM arms WHERE (?1 IS NULL OR line = ?1) AND (EXISTS \
                 (SELECT 1 FROM snapshots WHERE arm = arms.id AND published_at > ?2) OR EXISTS \
                 (SELECT 1 FROM continuous_training_schedules AS schedule \
                 WHERE schedule.line = arms.line AND schedule.status <> 'removed'))",
            )?;
            query.query_map(params![line.map(LineName::as_str), since], |row| parse(row, 0))?.collect()
        })?;
        let mut kept = BTreeMap::new();
        for arm in arms {
            let head = self.stream_head(&StreamKey::Arm(arm.clone()))?;
            let snapshots = self.snapshots(&arm, head.map(|head| head.last_close))?;
            kept.extend(snapshots.into_iter().map(|snapshot| (snapshot.model, arm.clone())));
        }
        Ok(kept)
    }

    fn models_with_weights(&self, line: Option<&LineName>) -> Result<Vec<Facts>, StoreError> {
        self.database.read(|db| {
            db.prepare(
                "SELECT id, line, created_at, (SELECT reason FROM model_pins WHERE model = models.id), \
                 (SELECT max(child.created_at) FROM models AS child WHERE child.parent_id = models.id), \
                 EXISTS (SELECT 1 FROM runs WHERE runs.id = models.run_id AND finished_at IS NULL), \
                 (SELECT schedule_id FROM cycles WHERE model_id = models.id AND finished_at IS NULL LIMIT 1), \
                 row_number() OVER (PARTITION BY line ORDER BY created_at DESC, id DESC) - 1, weights_removed_at \
                 FROM models WHERE ?1 IS NULL OR line = ?1 ORDER BY created_at DESC, id DESC",
            )?
            .query_map([line.map(LineName::as_str)], facts_row)?
            .filter_map(Result::transpose)
            .collect()
        })
    }

    /// What the weights and the optimizer state of a model take on disk, bytes; 0 when they are gone.
    pub fn weights_bytes(&self, id: &ModelId) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for path in weight_files(&self.layout.model_dir(id))? {
            bytes += bytes_of(&path)?;
        }
        Ok(bytes)
    }

    /// The removal of the weights of `id` that is announced and not over.
    pub(crate) fn open_removal(&self, id: &ModelId) -> Result<Option<WeightsRemoved>, StoreError> {
        self.database.read(|db| {
            let sql = "SELECT weights_removed_at, weights_removed_by FROM models WHERE id = ?1 AND removal_open = 1";
            Ok(db.query_row(sql, [id.as_str()], |row| removed_columns(row, 0)).optional()?.flatten())
        })
    }

    /// Announces the removal of a model's weights, unless something came up meanwhile that keeps them. Tells whether
    /// it did.
    pub(super) fn announce_removal(
        &self,
        id: &ModelId,
        removed: WeightsRemoved,
        policy: &RetentionPolicy,
    ) -> Result<bool, StoreError> {
        let children_from = removed.at.plus_millis(-i64::from(policy.reproducible_days) * DAY_MS);
        let marked = self.database.write("announce a removal of weights in", |tx| {
            tx.execute(
                "UPDATE models SET weights_removed_at = ?2, weights_removed_by = ?3, removal_open = 1 \
                 WHERE id = ?1 AND removal_open = 0 \
                 AND NOT EXISTS (SELECT 1 FROM model_pins WHERE model = ?1) \
                 AND NOT EXISTS (SELECT 1 FROM models AS child WHERE child.parent_id = ?1 AND child.created_at > ?4)",
                params![
                    id.as_str(),
                    removed.at.to_string(),
                    removed.by.as_str(),
                    children_from.to_string()
                ],
            )
        })?;
        Ok(marked > 0)
    }
}

/// The model whose folder or file `path` names, if it names one.
fn model_in(path: &str) -> Option<ModelId> {
    Path::new(path).components().find_map(|part| match part {
        Component::Normal(name) => name.to_str()?.parse().ok(),
        _ => None,
    })
}

fn facts_row(row: &Row<'_>) -> rusqlite::Result<Option<Facts>> {
    if row.get::<_, Option<String>>(8)?.is_some() {
        return Ok(None);
    }
    Ok(Some(Facts {
        model: parse(row, 0)?,
        line: parse(row, 1)?,
        created_at: parse(row, 2)?,
        pinned: row.get(3)?,
        newest_child: parse_optional(row, 4)?,
        run_goes_on: row.get(5)?,
        cycle_of: parse_optional(row, 6)?,
        newer: usize::try_from(count(row, 7)?).unwrap_or(usize::MAX),
    }))
}

/// What retention removes of a model's folder: its tensors, and what else training left to go on from.
pub(crate) fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = |source| Error::Io { step: Step::Read, path: dir.to_owned(), source };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(read)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
