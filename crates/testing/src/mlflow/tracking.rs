//! Experiments and runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Refusal, Texts, rules};

/// A run as it was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FakeRun {
    /// Its id.
    pub run_id: String,
    /// The experiment's name.
    pub experiment: String,
    /// Its name.
    pub name: String,
    /// `RUNNING`, `FINISHED`, `FAILED`, `KILLED`.
    pub status: String,
    /// Milliseconds since 1970.
    pub start_time: i64,
    /// The same, of its end.
    pub end_time: Option<i64>,
    /// Parameters.
    pub params: Texts,
    /// Tags.
    pub tags: Texts,
    /// Points in the order in which they came: key, step, value, time. The same one twice is one, as in MLflow's database.
    pub metrics: Vec<(String, i64, f64, i64)>,
    /// Whether somebody deleted it.
    pub is_deleted: bool,
}

impl FakeRun {
    /// The values of a metric with their steps, by step.
    pub fn metric(&self, key: &str) -> Vec<(i64, f64)> {
        let mut points: Vec<(i64, f64)> =
            self.metrics.iter().filter(|it| it.0 == key).map(|it| (it.1, it.2)).collect();
        points.sort_by_key(|(step, _)| *step);
        points
    }

    fn json(&self, experiment_id: usize) -> Value {
        let tags: Vec<Value> =
            self.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let stage = if self.is_deleted { "deleted" } else { "active" };
        json!({
            "info": {
                "run_id": self.run_id, "experiment_id": experiment_id.to_string(), "status": self.status,
                "start_time": self.start_time, "lifecycle_stage": stage,
            },
            "data": { "tags": tags },
        })
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    /// Names; an experiment's id is its place.
    pub(super) experiments: Vec<String>,
    pub(super) runs: Vec<FakeRun>,
}

impl Tracking {
    pub(super) fn experiment_by_name(&self, query: &Texts) -> Result<Value, Refusal> {
        let name = query.get("experiment_name").cloned().unwrap_or_default();
        let place = self.experiments.iter().position(|it| *it == name);
        let place = place.ok_or_else(|| Refusal::missing(format!("no experiment '{name}'")))?;
        let experiment =
            json!({ "experiment_id": place.to_string(), "name": name, "lifecycle_stage": "active" });
        Ok(json!({ "experiment": experiment }))
    }

    pub(super) fn create_experiment(&mut self, body: &Value) -> Result<Value, Refusal> {
        let name = rules::text(body, "name")?;
        if name.len() > 500 {
            return Err(Refusal::invalid("the name is longer than 500"));
        }
        if self.experiments.iter().any(|it| it == name) {
            return Err(Refusal::exists(format!("Experiment(name={name}) already exists")));
        }
        self.experiments.push(name.to_owned());
        Ok(json!({ "experiment_id": (self.experiments.len() - 1).to_string() }))
    }

    fn experiment(&self, id: &Value) -> Result<(usize, String), Refusal> {
        let place = id.as_str().and_then(|id| id.parse::<usize>().ok());
        let place = place.filter(|place| *place < self.experiments.len());
        let place = place.ok_or_else(|| Refusal::missing(format!("No Experiment with id={id} exists")))?;
        Ok((place, self.experiments[place].clone()))
    }

    pub(super) fn search(&self, body: &Value) -> Result<Value, Refusal> {
        rules::number(body, "max_results")?;
        let view = body["run_view_type"].as_str().unwrap_or("ACTIVE_ONLY");
        let wanted = rules::filter(rules::text(body, "filter")?)?;
        let mut found = Vec::new();
        for id in rules::list(body, "experiment_ids")? {
            let (place, name) = self.experiment(id)?;
            let fits = |run: &&FakeRun| {
                run.experiment == name
                    && (view == "ALL" || !run.is_deleted)
                    && wanted.iter().all(|(tag, value)| run.tags.get(tag) == Some(value))
            };
            found.extend(self.runs.iter().filter(fits).map(|run| run.json(place)));
        }
        // An empty list is left out.
        Ok(if found.is_empty() { json!({}) } else { json!({ "runs": found }) })
    }

    pub(super) fn create(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (place, experiment) = self.experiment(&body["experiment_id"])?;
        let run = FakeRun {
            run_id: format!("{:032x}", self.runs.len() + 1),
            experiment,
            name: rules::text(body, "run_name")?.to_owned(),
            status: "RUNNING".to_owned(),
            start_time: rules::number(body, "start_time")?,
            tags: rules::tags(body)?,
            ..FakeRun::default()
        };
        let answer = json!({ "run": run.json(place) });
        self.runs.push(run);
        Ok(answer)
    }

    fn run(&mut self, body: &Value) -> Result<&mut FakeRun, Refusal> {
        let id = rules::text(body, "run_id")?;
        let run = self.runs.iter_mut().find(|run| run.run_id == id);
        let run = run.ok_or_else(|| Refusal::missing(format!("Run with id={id} not found")))?;
        match run.is_deleted {
            true => Err(Refusal::invalid(format!("The run {id} must be in the 'active' state."))),
            false => Ok(run),
        }
    }

    pub(super) fn update(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (status, end) = (rules::text(body, "status")?.to_owned(), rules::number(body, "end_time")?);
        if !["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"].contains(&status.as_str()) {
            return Err(Refusal::invalid(format!("no status: {status}")));
        }
        let run = self.run(body)?;
        (run.status, run.end_time) = (status, Some(end));
        Ok(json!({ "run_info": { "run_id": run.run_id, "status": run.status } }))
    }

    pub(super) fn log_batch(&mut self, body: &Value) -> Result<Value, Refusal> {
        rules::batch(body)?;
        let (tags, params) = (rules::tags(body)?, rules::params(body)?);
        let mut points = Vec::new();
        for metric in rules::list(body, "metrics")? {
            let key = rules::text(metric, "key")?;
            rules::key(key)?;
            let value =
                metric["value"].as_f64().ok_or_else(|| Refusal::invalid(format!("no number: {metric}")))?;
            let (step, at) = (rules::number(metric, "step")?, rules::number(metric, "timestamp")?);
            if at < 0 {
                return Err(Refusal::invalid(format!("a time before 1970: {metric}")));
            }
            points.push((key.to_owned(), step, value, at));
        }
        let run = self.run(body)?;
        let is_changed = |(key, value): (&String, &String)| run.params.get(key).is_some_and(|it| it != value);
        if params.iter().any(is_changed) {
            return Err(Refusal::invalid("Changing param values is not allowed."));
        }
        let known: BTreeSet<String> = run.metrics.iter().map(|point| format!("{point:?}")).collect();
        run.metrics.extend(points.into_iter().filter(|point| !known.contains(&format!("{point:?}"))));
        run.params.extend(params);
        run.tags.extend(tags);
        Ok(json!({}))
    }

    pub(super) fn delete(&mut self, run_id: &str) {
        self.runs.iter_mut().filter(|run| run.run_id == run_id).for_each(|run| run.is_deleted = true);
    }
}
