//! Schedules: what trains a line again and again. Their state changes through
//! [`Store::commit_schedule_changes`] alone.

mod changes;
mod ids;
mod records;

use rusqlite::{Connection, Row, Transaction, params};
use serde_json::Value;
use walkforward_core::LineName;

use crate::database::Refusal;
use crate::dataset_configs::DATASETS;
use crate::experiments::EXPERIMENTS;
use crate::packs::PACKS;
use crate::rows::{Table, count, parse, parse_optional};
use crate::{Store, StoreError};

pub use changes::MAX_SCHEDULE_CHANGES;
pub use ids::{DatasetConfigId, ExperimentId, PackId, RowIdError, ScheduleId};
pub use records::{
    CycleRecord, CycleStatus, CycleTrigger, NewCycle, ScheduleChange, ScheduleRecord, ScheduleState,
    ScheduleStatus,
};

/// Most schedules that are not removed.
pub const MAX_SCHEDULES: u32 = 10_000;
/// Longest path of a checkpoint, bytes.
const MAX_PATH_BYTES: usize = 4_096;

pub(crate) const SCHEDULES: Table =
    Table { what: "schedule", name: "continuous_training_schedules", command: "schedules" };

/// What a person says of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// Its id; that of a removed schedule is not given again.
    pub id: ScheduleId,
    /// Its name for people.
    pub name: String,
    /// The line that its models belong to.
    pub line: LineName,
    /// The training that its first cycle continues from; none: one is trained first.
    pub base_experiment_id: Option<ExperimentId>,
    /// Where its bars come from; none: as the program's settings say.
    pub dataset_id: Option<DatasetConfigId>,
    /// Its hyperparameters; none: as the program's settings say.
    pub hp_pack_id: Option<PackId>,
    /// Its settings, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES).
    pub config: Value,
}

impl NewSchedule {
    /// Refuses references to rows that are not there.
    fn check_references(&self, tx: &Transaction<'_>) -> Result<(), Refusal> {
        if let Some(base) = &self.base_experiment_id {
            EXPERIMENTS.require(tx, base.as_str())?;
        }
        if let Some(dataset) = &self.dataset_id {
            DATASETS.require(tx, dataset.as_str())?;
        }
        if let Some(pack) = &self.hp_pack_id {
            PACKS.require(tx, pack.as_str())?;
        }
        Ok(())
    }

    /// Runs `sql` with its columns as ?1 to ?7 and the time as ?8.
    fn write(&self, tx: &Transaction<'_>, sql: &str, config: &str, now: &str) -> rusqlite::Result<usize> {
        let base = self.base_experiment_id.as_ref().map(ExperimentId::as_str);
        let dataset = self.dataset_id.as_ref().map(DatasetConfigId::as_str);
        let pack = self.hp_pack_id.as_ref().map(PackId::as_str);
        let (id, line) = (self.id.as_str(), self.line.as_str());
        tx.execute(sql, params![id, self.name, line, base, dataset, pack, config, now])
    }
}

impl Store {
    /// Makes a schedule; it is `idle`.
    ///
    /// # Errors
    /// Its id is taken, it refers to something that is not there, its name is empty, its settings are no object or
    /// too long, or there are [`MAX_SCHEDULES`].
    pub fn create_schedule(&self, schedule: &NewSchedule) -> Result<ScheduleRecord, StoreError> {
        let id = schedule.id.as_str();
        SCHEDULES.check_name(id, &schedule.name)?;
        let config = SCHEDULES.object(id, "config", &schedule.config)?;
        let now = self.now().to_string();
        self.database.write_checked("make a schedule in", |tx| {
            SCHEDULES.check_free(tx, id)?;
            SCHEDULES.check_room(tx, id, "status <> 'removed'", MAX_SCHEDULES)?;
            schedule.check_references(tx)?;
            let sql = "INSERT INTO continuous_training_schedules (id, name, line, base_experiment_id, dataset_id, \
                       hp_pack_id, config, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)";
            schedule.write(tx, sql, &config, &now)?;
            get(tx, &schedule.id)
        })
    }

    /// One schedule, also a removed one.
    ///
    /// # Errors
    /// There is no such schedule.
    pub fn schedule(&self, id: &ScheduleId) -> Result<ScheduleRecord, StoreError> {
        self.database.read_checked(|db| get(db, id))
    }

    /// All schedules that are not removed, at most [`MAX_SCHEDULES`], by id.
    pub fn schedules(&self) -> Result<Vec<ScheduleRecord>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(&format!(
                "SELECT {SCHEDULE_COLUMNS} FROM continuous_training_schedules WHERE status <> 'removed' \
                 ORDER BY id LIMIT {MAX_SCHEDULES}"
            ))?;
            query.query_map([], schedule_row)?.collect()
        })
    }

    /// How many schedules there are that are not removed, and the id of the first; none where there is none.
    pub fn first_schedule(&self) -> Result<(u64, Option<ScheduleId>), StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT count(*), min(id) FROM continuous_training_schedules WHERE status <> 'removed'",
            )?;
            query.query_row([], |row| Ok((count(row, 0)?, parse_optional(row, 1)?)))
        })
    }

    /// Gives a schedule other settings.
    ///
    /// # Errors
    /// There is no such schedule, it is active or removed or has a cycle that waits or runs, or the settings are no
    /// object or too long.
    pub fn update_schedule_config(
        &self,
        id: &ScheduleId,
        config: &Value,
    ) -> Result<ScheduleRecord, StoreError> {
        let config = SCHEDULES.object(id.as_str(), "config", config)?;
        let now = self.now().to_string();
        self.database.write_checked("change the settings of a schedule in", |tx| {
            check_at_rest(tx, id)?;
            tx.execute(
                "UPDATE continuous_training_schedules SET config = ?2, updated_at = ?3 WHERE id = ?1",
                params![id.as_str(), config, now],
            )?;
            get(tx, id)
        })
    }

    /// Gives the schedule `schedule.id` another name, base, dataset, pack and settings. Its line stays.
    ///
    /// # Errors
    /// As [`update_schedule_config`](Self::update_schedule_config), and where it refers to something that is not
    /// there or to another line.
    pub fn update_schedule(&self, schedule: &NewSchedule) -> Result<ScheduleRecord, StoreError> {
        let id = schedule.id.as_str();
        SCHEDULES.check_name(id, &schedule.name)?;
        let config = SCHEDULES.object(id, "config", &schedule.config)?;
        let now = self.now().to_string();
        self.database.write_checked("change a schedule in", |tx| {
            check_at_rest(tx, &schedule.id)?;
            let line = get(tx, &schedule.id)?.line;
            if line != schedule.line {
                let reason = format!("its line is '{line}': another line needs a schedule of its own");
                return Err(SCHEDULES.refuse(id, reason).into());
            }
            schedule.check_references(tx)?;
            let sql = "UPDATE continuous_training_schedules SET name = ?2, line = ?3, base_experiment_id = ?4, \
                       dataset_id = ?5, hp_pack_id = ?6, config = ?7, updated_at = ?8 WHERE id = ?1";
            schedule.write(tx, sql, &config, &now)?;
            get(tx, &schedule.id)
        })
    }

    /// Records the training that a schedule continues from, once it is done.
    ///
    /// # Errors
    /// There is no such schedule or no such experiment.
    pub fn set_base_experiment(&self, id: &ScheduleId, base: &ExperimentId) -> Result<(), StoreError> {
        let now = self.now().to_string();
        self.database.write_checked("record the base of a schedule in", |tx| {
            SCHEDULES.require(tx, id.as_str())?;
            EXPERIMENTS.require(tx, base.as_str())?;
            tx.execute(
                "UPDATE continuous_training_schedules SET base_experiment_id = ?2, updated_at = ?3 WHERE id = ?1",
                params![id.as_str(), base.as_str(), now],
            )?;
            Ok(())
        })
    }

    /// Records what a schedule's next cycle continues from.
    ///
    /// # Errors
    /// There is no such schedule, or the path is longer than 4,096 bytes.
    pub fn set_current_checkpoint(&self, id: &ScheduleId, path: Option<&str>) -> Result<(), StoreError> {
        if path.is_some_and(|path| path.len() > MAX_PATH_BYTES) {
            let reason = format!("the path of its checkpoint has more than {MAX_PATH_BYTES} bytes");
            return Err(SCHEDULES.refuse(id.as_str(), reason));
        }
        let now = self.now().to_string();
        self.database.write_checked("record the checkpoint of a schedule in", |tx| {
            SCHEDULES.require(tx, id.as_str())?;
            tx.execute(
                "UPDATE continuous_training_schedules SET current_checkpoint_path = ?2, updated_at = ?3 \
                 WHERE id = ?1",
                params![id.as_str(), path, now],
            )?;
            Ok(())
        })
    }

    /// Deletes a schedule that never had a cycle. One that had is removed instead (its status says so), because the
    /// history of cycles is kept.
    ///
    /// # Errors
    /// There is no such schedule, it is active, or it has cycles.
    pub fn delete_schedule(&self, id: &ScheduleId) -> Result<(), StoreError> {
        self.database.write_checked("delete a schedule in", |tx| {
            let record = get(tx, id)?;
            if record.status == ScheduleStatus::Active {
                return Err(SCHEDULES.refuse(id.as_str(), "it is active: stop it first").into());
            }
            let cycles = "SELECT schedule_id || '/' || number FROM cycles WHERE schedule_id = ?1";
            SCHEDULES.check_unused(tx, id.as_str(), &[("the kept history: cycle", cycles)])?;
            tx.execute("DELETE FROM continuous_training_schedules WHERE id = ?1", [id.as_str()])?;
            Ok(())
        })
    }
}

/// Refuses a schedule whose settings somebody may be acting on.
fn check_at_rest(tx: &Transaction<'_>, id: &ScheduleId) -> Result<(), Refusal> {
    let status = get(tx, id)?.status;
    let refuse = |reason: String| Err(SCHEDULES.refuse(id.as_str(), reason).into());
    match status {
        ScheduleStatus::Active => refuse("it is active: pause or stop it to change it".to_owned()),
        ScheduleStatus::Removed => refuse("it is removed".to_owned()),
        ScheduleStatus::Idle | ScheduleStatus::Paused | ScheduleStatus::Stopped => {
            match crate::cycles::open_cycle(tx, id)? {
                Some((number, status)) => {
                    refuse(format!("its cycle {number} is {status}: wait until it is over, or cancel it"))
                }
                None => Ok(()),
            }
        }
    }
}

fn get(db: &Connection, id: &ScheduleId) -> Result<ScheduleRecord, Refusal> {
    SCHEDULES.get(db, SCHEDULE_COLUMNS, id.as_str(), schedule_row)
}

const SCHEDULE_COLUMNS: &str = "id, name, line, status, base_experiment_id, dataset_id, hp_pack_id, config, \
     current_checkpoint_path, anchor_at, current_cycle, last_cycle_at, next_cycle_at, consecutive_failures, \
     created_at, updated_at";

fn schedule_row(row: &Row<'_>) -> rusqlite::Result<ScheduleRecord> {
    Ok(ScheduleRecord {
        id: parse(row, 0)?,
        name: row.get(1)?,
        line: parse(row, 2)?,
        status: parse(row, 3)?,
        base_experiment_id: parse_optional(row, 4)?,
        dataset_id: parse_optional(row, 5)?,
        hp_pack_id: parse_optional(row, 6)?,
        config: parse(row, 7)?,
        current_checkpoint_path: row.get(8)?,
        anchor_at: parse_optional(row, 9)?,
        current_cycle: count(row, 10)?,
        last_cycle_at: parse_optional(row, 11)?,
        next_cycle_at: parse_optional(row, 12)?,
        consecutive_failures: row.get(13)?,
        created_at: parse(row, 14)?,
        updated_at: parse(row, 15)?,
    })
}
