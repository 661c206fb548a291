//! Cycles: the history of schedules, and what a run learns on its way.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};
use walkforward_core::{ModelId, RunId, Timestamp, Verdict, Window};

use crate::database::Refusal;
use crate::experiments::EXPERIMENTS;
use crate::rows::{MAX_LISTED_ROWS, conversion, count, json_column, parse, parse_optional, time, to_sql};
use crate::schedules::SCHEDULES;
use crate::{CycleRecord, CycleStatus, ExperimentId, ScheduleId, Store, StoreError};

/// What a run has learned about its cycle. What is none stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleUpdate {
    /// The cycle's schedule.
    pub schedule_id: ScheduleId,
    /// The cycle's number.
    pub number: u64,
    /// The run.
    pub run_id: Option<RunId>,
    /// The record of its training.
    pub experiment_id: Option<ExperimentId>,
    /// The bars that it trains on, hold-out included.
    pub window: Option<Window>,
    /// The model that its training continues from.
    pub parent_id: Option<ModelId>,
    /// The model that it made.
    pub model_id: Option<ModelId>,
    /// What the gate said.
    pub verdict: Option<Verdict>,
    /// The model that it made champion.
    pub deployed_model_id: Option<ModelId>,
    /// When it began, if not when the store was told.
    pub started_at: Option<Timestamp>,
}

impl CycleUpdate {
    /// An update that says nothing yet.
    pub fn of(schedule_id: ScheduleId, number: u64) -> Self {
        Self {
            schedule_id,
            number,
            run_id: None,
            experiment_id: None,
            window: None,
            parent_id: None,
            model_id: None,
            verdict: None,
            deployed_model_id: None,
            started_at: None,
        }
    }

    /// Whether it says no more than which model was deployed.
    fn is_deployment_alone(&self) -> bool {
        let bare = Self {
            deployed_model_id: self.deployed_model_id.clone(),
            ..Self::of(self.schedule_id.clone(), self.number)
        };
        *self == bare
    }
}

impl Store {
    /// Records what a run has learned. Once a cycle's status is final only its deployed model can be recorded.
    ///
    /// # Errors
    /// There is no such schedule, cycle or experiment, or the cycle's status is final.
    pub fn update_cycle(&self, update: &CycleUpdate) -> Result<(), StoreError> {
        let (id, number) = (&update.schedule_id, update.number);
        let verdict = update
            .verdict
            .as_ref()
            .map(|verdict| SCHEDULES.json(id.as_str(), "verdict", &json!(verdict)))
            .transpose()?;
        self.database.write_checked("record what a cycle has learned in", |tx| {
            let status = cycle_status(tx, id, number)?;
            if status.is_final() && !update.is_deployment_alone() {
                let reason = format!("it is {status}: only its deployed model can be recorded now");
                return Err(refuse_cycle(id, number, reason));
            }
            if let Some(experiment) = &update.experiment_id {
                EXPERIMENTS.require(tx, experiment.as_str())?;
            }
            tx.prepare_cached(UPDATE_CYCLE)?.execute(params![
                id.as_str(),
                to_sql(number),
                update.run_id.as_ref().map(RunId::as_str),
                update.experiment_id.as_ref().map(ExperimentId::as_str),
                time(update.window.map(|window| window.start())),
                time(update.window.map(|window| window.end())),
                update.parent_id.as_ref().map(ModelId::as_str),
                update.model_id.as_ref().map(ModelId::as_str),
                verdict,
                update.deployed_model_id.as_ref().map(ModelId::as_str),
                time(update.started_at),
            ])?;
            Ok(())
        })
    }

    /// One cycle.
    ///
    /// # Errors
    /// There is no such schedule or no such cycle.
    pub fn cycle(&self, id: &ScheduleId, number: u64) -> Result<CycleRecord, StoreError> {
        self.database.read_checked(|db| {
            let mut query = db.prepare_cached(ONE_CYCLE)?;
            let found = query.query_row(params![id.as_str(), to_sql(number)], cycle_row).optional()?;
            found.map_or_else(|| Err(unknown_cycle(db, id, number)), Ok)
        })
    }

    /// At most `limit` cycles of a schedule before number `before` (none: from the newest), newest first; at most
    /// [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    ///
    /// # Errors
    /// There is no such schedule.
    pub fn cycles(
        &self,
        id: &ScheduleId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<CycleRecord>, StoreError> {
        self.database.read_checked(|db| {
            SCHEDULES.require(db, id.as_str())?;
            let mut query = db.prepare_cached(CYCLES_OF_A_SCHEDULE)?;
            let before = before.map_or(i64::MAX, to_sql);
            let rows =
                query.query_map(params![id.as_str(), before, limit.min(MAX_LISTED_ROWS)], cycle_row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// As [`cycles`](Self::cycles), each with what its experiment measured, by name; null where it has no experiment.
    ///
    /// # Errors
    /// There is no such schedule.
    pub fn measured_cycles(
        &self,
        id: &ScheduleId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(CycleRecord, Value)>, StoreError> {
        self.database.read_checked(|db| {
            SCHEDULES.require(db, id.as_str())?;
            let mut query = db.prepare_cached(MEASURED_CYCLES)?;
            let before = before.map_or(i64::MAX, to_sql);
            let measured = |row: &Row<'_>| Ok((cycle_row(row)?, json_column(row, 16)?));
            let rows = query.query_map(params![id.as_str(), before, limit.min(MAX_LISTED_ROWS)], measured)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The cycles that wait or run, of all schedules, by schedule and number.
    pub fn open_cycles(&self) -> Result<Vec<CycleRecord>, StoreError> {
        self.database.read(|db| db.prepare_cached(OPEN_CYCLES)?.query_map([], cycle_row)?.collect())
    }

    /// The cycle that made a model; none when none did.
    pub fn cycle_of_model(&self, model: &ModelId) -> Result<Option<CycleRecord>, StoreError> {
        self.database
            .read(|db| db.prepare_cached(CYCLE_OF_A_MODEL)?.query_row([model.as_str()], cycle_row).optional())
    }
}

/// The first cycle of a schedule that waits or runs.
pub(crate) fn open_cycle(db: &Connection, id: &ScheduleId) -> Result<Option<(u64, CycleStatus)>, Refusal> {
    Ok(db
        .query_row(OPEN_CYCLE_OF_A_SCHEDULE, [id.as_str()], |row| Ok((count(row, 0)?, parse(row, 1)?)))
        .optional()?)
}

pub(crate) fn cycle_status(db: &Connection, id: &ScheduleId, number: u64) -> Result<CycleStatus, Refusal> {
    let mut query = db.prepare_cached("SELECT status FROM cycles WHERE schedule_id = ?1 AND number = ?2")?;
    let status = query.query_row(params![id.as_str(), to_sql(number)], |row| parse(row, 0)).optional()?;
    status.map_or_else(|| Err(unknown_cycle(db, id, number)), Ok)
}

fn unknown_cycle(db: &Connection, id: &ScheduleId, number: u64) -> Refusal {
    match SCHEDULES.require(db, id.as_str()) {
        Ok(()) => {
            let reason = format!("there is no such cycle (`orchestrate schedules history {id}` shows all)");
            refuse_cycle(id, number, reason)
        }
        Err(refusal) => refusal,
    }
}

pub(crate) fn refuse_cycle(id: &ScheduleId, number: u64, reason: String) -> Refusal {
    StoreError::RefusedCycle { schedule: id.clone(), number, reason }.into()
}

macro_rules! select_cycle {
    ($rest:literal) => {
        select_cycle!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT schedule_id, number, due_at, trigger, status, reason, window_start, window_end, ",
            "experiment_id, run_id, parent_id, model_id, deployed_model_id, verdict, started_at, finished_at",
            $more,
            " FROM cycles ",
            $rest
        )
    };
}

const ONE_CYCLE: &str = select_cycle!("WHERE schedule_id = ?1 AND number = ?2");
const CYCLES_OF_A_SCHEDULE: &str =
    select_cycle!("WHERE schedule_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3");
const MEASURED_CYCLES: &str = select_cycle!(
    ", (SELECT final_metrics FROM experiments WHERE experiments.id = cycles.experiment_id)",
    "WHERE schedule_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
);
const OPEN_CYCLES: &str = select_cycle!("WHERE finished_at IS NULL ORDER BY schedule_id, number");
const OPEN_CYCLE_OF_A_SCHEDULE: &str = "SELECT number, status FROM cycles \
     WHERE schedule_id = ?1 AND finished_at IS NULL ORDER BY number LIMIT 1";
const CYCLE_OF_A_MODEL: &str = select_cycle!("WHERE model_id = ?1 LIMIT 1");
const UPDATE_CYCLE: &str = "UPDATE cycles SET run_id = coalesce(?3, run_id), \
     experiment_id = coalesce(?4, experiment_id), window_start = coalesce(?5, window_start), \
     window_end = coalesce(?6, window_end), parent_id = coalesce(?7, parent_id), \
     model_id = coalesce(?8, model_id), verdict = coalesce(?9, verdict), \
     deployed_model_id = coalesce(?10, deployed_model_id), started_at = coalesce(?11, started_at) \
     WHERE schedule_id = ?1 AND number = ?2";

fn cycle_row(row: &Row<'_>) -> rusqlite::Result<CycleRecord> {
    Ok(CycleRecord {
        schedule_id: parse(row, 0)?,
        number: count(row, 1)?,
        due_at: parse(row, 2)?,
        trigger: parse(row, 3)?,
        status: parse(row, 4)?,
        reason: row.get(5)?,
        window: window(row)?,
        experiment_id: parse_optional(row, 8)?,
        run_id: parse_optional(row, 9)?,
        parent_id: parse_optional(row, 10)?,
        model_id: parse_optional(row, 11)?,
        deployed_model_id: parse_optional(row, 12)?,
        verdict: json_column(row, 13)?,
        started_at: parse_optional(row, 14)?,
        finished_at: parse_optional(row, 15)?,
    })
}

fn window(row: &Row<'_>) -> rusqlite::Result<Option<Window>> {
    let bounds: (Option<Timestamp>, Option<Timestamp>) = (parse_optional(row, 6)?, parse_optional(row, 7)?);
    let window = bounds.0.zip(bounds.1).map(|(start, end)| Window::new(start, end));
    window.transpose().map_err(|error| conversion(6, error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use walkforward_core::ManualClock;

    use super::*;

    #[test]
    fn every_question_about_cycles_is_answered_by_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock).unwrap();
        let cases = [
            (ONE_CYCLE, "sqlite_autoindex_cycles_1 (schedule_id=? AND number=?)"),
            (CYCLES_OF_A_SCHEDULE, "sqlite_autoindex_cycles_1 (schedule_id=? AND number<?)"),
            (MEASURED_CYCLES, "sqlite_autoindex_cycles_1 (schedule_id=? AND number<?)"),
            (MEASURED_CYCLES, "sqlite_autoindex_experiments_1 (id=?)"),
            (OPEN_CYCLES, "SCAN cycles USING INDEX open_cycles"),
            (OPEN_CYCLE_OF_A_SCHEDULE, "open_cycles (schedule_id=?)"),
            (CYCLE_OF_A_MODEL, "cycles_by_model (model_id=?)"),
            (UPDATE_CYCLE, "sqlite_autoindex_cycles_1 (schedule_id=? AND number=?)"),
        ];
        for (sql, expected) in cases {
            let plan = store.database.plan(sql);
            assert!(plan.contains(expected) && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
