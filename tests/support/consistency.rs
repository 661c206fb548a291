//! What has to hold of a data folder and its models folder at rest, whatever was killed in them before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use walkforward::clock::SystemClock;
use walkforward_core::{LineName, ModelId, RunId};
use walkforward_store::{
    CycleRecord, CycleStatus, Event, ExperimentFilter, ExperimentRecord, ExperimentStatus, ModelStatus,
    PromotionKind, PromotionRow, PromotionState, RecoveryReport, RunOutcome, RunRow, ScheduleRecord, Store,
};

use super::World;

/// More than any test makes.
const MOST: u32 = 1_000;

/// Everything that is recorded in a world.
struct Records {
    store: Store,
    schedules: Vec<ScheduleRecord>,
    cycles: Vec<CycleRecord>,
    runs: BTreeMap<RunId, RunRow>,
    experiments: Vec<ExperimentRecord>,
    /// Committed promotions by line, oldest first.
    promotions: BTreeMap<LineName, Vec<PromotionRow>>,
    events: Vec<Event>,
}

/// Nothing is open, and rows, pointers, folders and events tell the same story. Gives the cycles, oldest first. Nobody
/// else is at work in the world.
pub(crate) fn expect_agreement(world: &World) -> Vec<CycleRecord> {
    let records = Records::read(world);
    records.cycles.iter().for_each(|cycle| records.expect_cycle(cycle));
    records.schedules.iter().for_each(|schedule| records.expect_schedule(schedule));
    records.runs.values().for_each(|run| records.expect_run(run));
    records.experiments.iter().for_each(|experiment| records.expect_experiment(experiment));
    records.promotions.keys().for_each(|line| records.expect_line(line));
    expect_folders(world, &records);
    records.cycles
}

impl Records {
    fn read(world: &World) -> Self {
        let clock = Arc::new(SystemClock::start());
        let store = Store::open(&world.path("data"), &world.path("models"), clock).unwrap();
        assert_eq!(store.recovery(), &RecoveryReport::default(), "the last start left something to repair");
        let schedules = store.schedules().unwrap();
        let mut cycles = Vec::new();
        for schedule in &schedules {
            let mut newest_first = store.cycles(&schedule.id, None, MOST).unwrap();
            newest_first.reverse();
            cycles.extend(newest_first);
        }
        let lines: BTreeSet<LineName> =
            schedules.iter().map(|it| it.line.clone()).chain([LineName::default()]).collect();
        let promotions = lines.into_iter().map(|line| {
            let rows = store.promotions(&line).unwrap();
            assert!(rows.iter().all(|row| row.state != PromotionState::Pending), "{rows:#?}");
            let committed = rows.into_iter().filter(|row| row.state == PromotionState::Committed);
            (line, committed.collect())
        });
        Self {
            promotions: promotions.collect(),
            runs: store.runs(MOST).unwrap().into_iter().map(|run| (run.id.clone(), run)).collect(),
            experiments: store.experiments(&ExperimentFilter::default(), MOST).unwrap(),
            events: store.events_after(0, u32::MAX).unwrap(),
            schedules,
            cycles,
            store,
        }
    }

    /// It has ended as its run did, and that was told once.
    fn expect_cycle(&self, cycle: &CycleRecord) {
        assert!(cycle.status.is_final() && cycle.finished_at.is_some(), "{cycle:#?}");
        let is_promoted = cycle.status == CycleStatus::Promoted;
        assert_eq!(cycle.deployed_model_id.is_some(), is_promoted, "{cycle:#?}");
        if let Some(run) = &cycle.run_id {
            let outcome = self.runs[run].outcome.unwrap();
            assert_eq!(outcome.as_str(), cycle.status.as_str(), "{cycle:#?}");
            assert!(!outcome.is_verdict() || cycle.verdict.is_some(), "{cycle:#?}");
            let has_model = self.store.model(&ModelId::of_run(run)).is_ok();
            assert_eq!(cycle.model_id, has_model.then(|| ModelId::of_run(run)), "{cycle:#?}");
        }
        let ends = ["continuous_cycle_complete", "continuous_cycle_failed", "continuous_cycle_skipped"];
        let told = self.events.iter().filter(|event| {
            ends.contains(&event.kind.as_str())
                && event.payload["schedule_id"] == cycle.schedule_id.as_str()
                && event.payload["cycle_number"] == cycle.number
        });
        let told: Vec<&Value> = told.map(|event| &event.payload["status"]).collect();
        if cycle.status != CycleStatus::Missed {
            assert_eq!(told, [cycle.status.as_str()], "{cycle:#?}");
        }
    }

    /// Its cycles have no gap, and it continues from the newest model that they promoted.
    fn expect_schedule(&self, schedule: &ScheduleRecord) {
        let cycles: Vec<&CycleRecord> =
            self.cycles.iter().filter(|it| it.schedule_id == schedule.id).collect();
        let numbers: Vec<u64> = cycles.iter().map(|cycle| cycle.number).collect();
        assert_eq!(numbers, (1..=cycles.len() as u64).collect::<Vec<_>>());
        assert_eq!(schedule.current_cycle, cycles.len() as u64);
        let promoted: Vec<&&CycleRecord> =
            cycles.iter().filter(|it| it.status == CycleStatus::Promoted).collect();
        let newest = promoted.last().and_then(|cycle| cycle.model_id.clone());
        let path = schedule.current_checkpoint_path.as_deref().map(Path::new);
        let checkpoint = path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        assert_eq!(checkpoint, newest.map(|model| model.to_string()), "{schedule:#?}");
        let first = promoted.first().and_then(|cycle| cycle.experiment_id.clone());
        assert_eq!(schedule.base_experiment_id, first, "{schedule:#?}");
    }

    /// It has ended, and as promoted exactly when the history says so of its model.
    fn expect_run(&self, run: &RunRow) {
        let outcome = run.outcome.unwrap();
        assert!(run.finished_at.is_some(), "{run:?}");
        let model = ModelId::of_run(&run.id);
        let promotions = self.promotions[&run.line].iter().filter(|it| it.to.as_ref() == Some(&model));
        let promotions = promotions.filter(|it| it.kind == PromotionKind::Promote).count();
        assert_eq!(promotions, usize::from(outcome == RunOutcome::Promoted), "{run:?}");
        if let Ok(record) = self.store.model(&model) {
            assert_eq!(record.status == ModelStatus::Promoted, promotions == 1, "{record:#?}");
            assert!(RunOutcome::of_model(&record).is_none_or(|told| told == outcome), "{run:?} {record:#?}");
        }
    }

    /// It has ended as its run did, and the cycle that made it knows it.
    fn expect_experiment(&self, experiment: &ExperimentRecord) {
        assert!(experiment.status.is_final(), "{experiment:#?}");
        let outcome = experiment.run_id.as_ref().map(|run| self.runs[run].outcome.unwrap());
        let is_judged = outcome.is_some_and(RunOutcome::is_verdict);
        assert_eq!(experiment.status == ExperimentStatus::Completed, is_judged, "{experiment:#?}");
        if is_judged {
            assert_eq!(experiment.model_id, experiment.run_id.as_ref().map(ModelId::of_run));
            assert_eq!(experiment.final_metrics["outcome"], outcome.unwrap().as_str());
        } else {
            let says_why = experiment.error.is_some() || experiment.status == ExperimentStatus::Cancelled;
            assert!(experiment.model_id.is_none() && says_why, "{experiment:#?}");
        }
        let tag = |start: &str| experiment.tags.iter().find_map(|tag| tag.strip_prefix(start));
        if let (Some(schedule), Some(number)) = (tag("schedule:"), tag("cycle:")) {
            let cycle = self.store.cycle(&schedule.parse().unwrap(), number.parse().unwrap()).unwrap();
            assert_eq!(cycle.experiment_id.as_ref(), Some(&experiment.id), "{cycle:#?}");
        }
    }

    /// The pointer names the last model of the history, and each promotion was told once.
    fn expect_line(&self, line: &LineName) {
        let promotions = &self.promotions[line];
        let champion = self.store.champion(line).unwrap();
        assert!(champion.as_ref().is_none_or(|champion| champion.damage.is_none()), "{champion:#?}");
        let champion = champion.map(|champion| champion.record.model_id);
        assert_eq!(champion, promotions.last().and_then(|row| row.to.clone()));
        for row in promotions {
            let is_of = |event: &&Event| {
                event.payload["line"] == line.as_str() && event.payload["sequence"] == row.sequence
            };
            let told = self.events.iter().filter(is_of).filter(|event| event.kind == "model_promoted");
            assert_eq!(told.count(), usize::from(row.kind == PromotionKind::Promote), "{row:#?}");
        }
    }
}

/// Every model is whole and known, and nothing is left of what was cut short.
fn expect_folders(world: &World, records: &Records) {
    expect_whole_models(world);
    let known = records.promotions.keys().flat_map(|line| records.store.models(line).unwrap());
    let known: BTreeSet<String> = known.map(|model| model.to_string()).collect();
    let names = names_in(&world.path("models")).into_iter().filter(|name| name.starts_with("model-"));
    assert_eq!(known, names.collect());
    assert_eq!(names_in(&world.path("models/.staging")), Vec::<String>::new());
    assert_eq!(walkforward_launcher::find_orphans(&world.path("data")), []);
    expect_no_leftovers(world);
}

/// Every model is whole: weights and record, or neither.
pub(crate) fn expect_whole_models(world: &World) {
    for name in names_in(&world.path("models")) {
        if name.starts_with("model-") {
            let has = |file: &str| world.path(&format!("models/{name}/{file}")).is_file();
            assert!(has("metadata.json") && has("policy.safetensors"), "{name} is half a model");
        }
    }
}

/// No temporary file. Folders of jobs are tidied by the next training.
fn expect_no_leftovers(world: &World) {
    let jobs = world.path("data/jobs");
    let mut open = vec![world.path("data"), world.path("models")];
    while let Some(folder) = open.pop() {
        for name in names_in(&folder) {
            let path = folder.join(&name);
            assert!(!name.ends_with(".wf-tmp"), "{}", path.display());
            if path.is_dir() && path != jobs {
                open.push(path);
            }
        }
    }
}

/// Of trainings nothing is kept but what they were asked and what they said. A training has come to its end since the
/// last kill.
pub(crate) fn expect_tidy_jobs(world: &World) {
    for job in names_in(&world.path("data/jobs")) {
        let left = names_in(&world.path(&format!("data/jobs/{job}")));
        assert!(!left.iter().any(|name| name == "dataset"), "{job}: {left:?}");
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
