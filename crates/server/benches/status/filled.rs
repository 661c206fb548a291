//! A store with a long history.

use std::path::Path;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use walkforward_core::Timestamp;
use walkforward_store::{NewSchedule, Store};

use crate::made::{champion, line};

/// Lines that the schedules are on, each with a champion.
pub(crate) const LINES: usize = 50;
/// Models in all: those that retention has left.
const MODELS: usize = 5_000;
/// Time between two cycles.
const INTERVAL_MS: i64 = 6 * 3_600_000;

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) schedules: usize,
    pub(crate) cycles: usize,
}

impl Size {
    /// Cycles of the first schedule: a fifth of all.
    pub(crate) fn of_the_longest(self) -> usize {
        (self.cycles / 5).max(1_000)
    }

    /// Cycles of each of the others.
    fn of_the_others(self) -> usize {
        (self.cycles - self.of_the_longest().min(self.cycles)) / (self.schedules - 1).max(1)
    }
}

pub(crate) fn schedule_id(number: usize) -> String {
    format!("s-{number:03}")
}

pub(crate) fn line_name(number: usize) -> String {
    format!("line-{number:02}")
}

pub(crate) fn experiment_id(schedule: &str, cycle: usize) -> String {
    format!("{schedule}-{cycle}")
}

/// Makes schedules that are active, their cycles with verdicts, experiments with metrics, and models; the database's size
/// in MiB.
pub(crate) fn fill(store: &Store, database: &Path, size: Size, now: Timestamp) -> u64 {
    for number in 0..LINES {
        champion(store, &line(&line_name(number)));
    }
    for number in 0..size.schedules {
        make_schedule(store, number);
    }
    let mut db = Connection::open(database).expect("a database");
    db.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
    let tx = db.transaction().expect("a transaction");
    for number in 0..size.schedules {
        let cycles = if number == 0 { size.of_the_longest() } else { size.of_the_others() };
        // No two schedules make a model in the same millisecond.
        let last = now.plus_millis(-i64::try_from(number).expect("a small number"));
        fill_schedule(&tx, &schedule_id(number), &line_name(number % LINES), cycles, last);
    }
    fill_models(&tx, now);
    tx.commit().expect("it is kept");
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a smaller log");
    drop(db);
    std::fs::metadata(database).expect("a file").len() >> 20
}

fn make_schedule(store: &Store, number: usize) {
    let name = schedule_id(number);
    let settings = json!({
        "interval_hours": 6, "symbol": "BTC/USD", "timeframe": "1h", "window_candles": 8760,
        "iterations_per_cycle": 10, "fine_tune_lr_multiplier": 0.2, "auto_deploy": true, "preset": "evidence",
        "settings": { "data.source": "alpaca", "training.seed": "7", "market.calendar": "continuous" },
    });
    let schedule = NewSchedule {
        id: name.parse().expect("an id"),
        line: line(&line_name(number % LINES)),
        name,
        base_experiment_id: None,
        dataset_id: Some("btc-hourly".parse().expect("an id")),
        hp_pack_id: Some("default".parse().expect("an id")),
        config: settings,
    };
    store.create_schedule(&schedule).expect("a schedule");
}

/// An active schedule whose next cycle is due after the bench, with the cycles before it.
fn fill_schedule(db: &Connection, id: &str, line: &str, cycles: usize, now: Timestamp) {
    let at = |number: usize| {
        let before = i64::try_from(cycles - number).expect("a small number");
        now.plus_millis(-before * INTERVAL_MS).to_string()
    };
    let (verdict, metrics, config) = (verdict().to_string(), metrics().to_string(), config(id).to_string());
    let experiment = "INSERT INTO experiments (id, name, script, status, line, run_id, model_id, created_at, started_at, \
         completed_at, config, final_metrics, tags) VALUES (?1, ?1, 'schedule', ?2, ?3, ?4, ?5, ?6, ?6, ?6, ?7, ?8, ?9)";
    let cycle = "INSERT INTO cycles (schedule_id, number, due_at, trigger, status, reason, window_start, window_end, \
         experiment_id, run_id, parent_id, model_id, verdict, started_at, finished_at) \
         VALUES (?1, ?2, ?3, 'due', 'rejected', 'winRate 0.41 is below 0.55', ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?4, ?4)";
    let mut experiments = db.prepare_cached(experiment).expect("a statement");
    let mut rows = db.prepare_cached(cycle).expect("a statement");
    for (number, count) in (1..=cycles).zip(1_i64..) {
        let (due, end) = (at(number - 1), at(number));
        let run = end.replace([':', '.'], "-");
        let (model, experiment) = (format!("model-{run}"), experiment_id(id, number));
        let status = if number % 50 == 0 { "failed" } else { "completed" };
        let tags = json!(["continuous", format!("cycle:{number}"), format!("schedule:{id}")]).to_string();
        experiments
            .execute(params![experiment, status, line, run, model, end, config, metrics, tags])
            .expect("an experiment");
        rows.execute(params![id, count, due, end, experiment, run, model, verdict]).expect("a cycle");
    }
    let next = now.plus_millis(INTERVAL_MS).to_string();
    db.execute(
        "UPDATE continuous_training_schedules SET status = 'active', current_cycle = ?2, anchor_at = ?3, \
         last_cycle_at = ?4, next_cycle_at = ?5, current_checkpoint_path = 'models/model-x' WHERE id = ?1",
        params![id, i64::try_from(cycles).expect("a small number"), at(0), at(cycles), next],
    )
    .expect("a schedule");
}

fn fill_models(db: &Connection, now: Timestamp) {
    let sql = "INSERT INTO models (id, run_id, line, status, created_at, sha256, used_until, lineage_until, metadata_path) \
         VALUES (?1, ?2, ?3, 'evaluated', ?4, ?5, ?4, ?4, ?1 || '/metadata.json')";
    let mut rows = db.prepare_cached(sql).expect("a statement");
    for number in 0..MODELS {
        // The champions were made a moment ago.
        let before = i64::try_from(number + 1).expect("a small number");
        let made = now.plus_millis(-before * 600_001).to_string();
        let run = made.replace([':', '.'], "-");
        let model = format!("model-{run}");
        rows.execute(params![model, run, line_name(number % LINES), made, "ab".repeat(32)]).expect("a model");
    }
}

/// As long as one of the rules by evidence.
fn verdict() -> Value {
    let check = |name: &str| {
        json!({
            "name": name, "measured": 0.41, "comparison": "at_least", "threshold": 0.55, "judgement": "fail",
            "sentence": format!("{name} 0.41 is below 0.55"),
        })
    };
    let names = ["winRate", "maxDrawdown", "pnlPerTrade", "sharpe", "trades", "turnover", "bars", "coverage"];
    json!({
        "preset": "evidence", "outcome": "reject", "reason": "winRate", "checks": names.map(check),
        "sentence": "winRate 0.41 is below 0.55, and seven more conditions are not met at all",
        "warnings": ["the hold-out is short: 336 bars"],
    })
}

fn metrics() -> Value {
    let names = [
        "winRate",
        "maxDrawdown",
        "pnlPerTrade",
        "pnlPerTradeQuote",
        "sharpe",
        "sortino",
        "trades",
        "turnover",
    ];
    names
        .iter()
        .map(|name| ((*name).to_owned(), json!(0.123_456_789)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn config(schedule: &str) -> Value {
    json!({
        "parent_experiment_id": null, "cycle_number": 1, "schedule_id": schedule, "symbol": "BTC/USD",
        "pack": {
            "iterations": 40, "num_envs": 16, "num_steps": 128, "update_epochs": 4, "num_minibatches": 8,
            "learning_rate": 0.001, "lr_schedule": "linear", "gamma": 0.95, "gae_lambda": 0.95, "clip_coef": 0.2,
            "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5, "network": "mlp", "hidden": [64, 64],
        },
    })
}
