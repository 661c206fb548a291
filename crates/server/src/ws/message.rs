//! Events and ticks as messages: JSON objects with `type`, `seq`, `time` and their fields.

use serde::Serialize;
use serde_json::{Map, Value, json};
use walkforward_core::{ModelId, Timestamp};
use walkforward_store::{Event, ScheduleId, Store};

use super::hub::Change;

/// Keys that a message has anyway.
const RESERVED: [&str; 4] = ["type", "seq", "time", "volatile"];
/// A trader has put another model in place.
const MODEL_UPDATED: &str = "live_model_updated";
/// The same, said of the cycle that has made the model.
const MODEL_DEPLOYED: &str = "continuous_model_deployed";
/// A line is back at an earlier champion.
const ROLLED_BACK: &str = "model_rolled_back";
/// The same, said of the cycle that has made the model which is champion no more.
const CYCLE_ROLLED_BACK: &str = "continuous_model_rolled_back";
/// A cycle begins.
const CYCLE_START: &str = "continuous_cycle_start";

/// A message before it is written.
pub(super) struct Told<'a> {
    pub(super) kind: &'a str,
    pub(super) seq: i64,
    pub(super) time: Timestamp,
    /// Whether it has no number of its own: `seq` is that of the last state change then.
    pub(super) is_volatile: bool,
    /// A JSON object; anything else is told as `data`.
    pub(super) fields: Value,
}

#[derive(Serialize)]
struct Written<'a> {
    r#type: &'a str,
    seq: i64,
    time: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    volatile: bool,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Told<'_> {
    /// The message as JSON.
    pub(super) fn text(self) -> Result<String, serde_json::Error> {
        let Self { kind, seq, time, is_volatile: volatile, fields } = self;
        let mut fields = match fields {
            Value::Object(fields) => fields,
            other => Map::from_iter([("data".to_owned(), other)]),
        };
        RESERVED.iter().for_each(|key| drop(fields.remove(*key)));
        serde_json::to_string(&Written { r#type: kind, seq, time, volatile, fields })
    }
}

/// An event as it is told, with what the store knows about it by now.
pub(super) fn change_of(store: &Store, event: Event) -> Change {
    let Event { seq, time, kind, mut payload } = event;
    let mut messages = Vec::with_capacity(1);
    let mut tell =
        |kind: &str, fields: Value| match (Told { kind, seq, time, is_volatile: false, fields }).text() {
            Ok(text) => messages.push(text),
            Err(error) => tracing::error!(seq, kind, %error, "an event can't be written"),
        };
    if kind == CYCLE_START {
        add_cycle(store, &mut payload);
    }
    let of_its_cycle = match kind.as_str() {
        MODEL_UPDATED => deployment(store, &payload).map(|fields| (MODEL_DEPLOYED, fields)),
        ROLLED_BACK => return_of(store, &payload).map(|fields| (CYCLE_ROLLED_BACK, fields)),
        _ => None,
    };
    tell(&kind, payload);
    if let Some((kind, fields)) = of_its_cycle {
        tell(kind, fields);
    }
    Change { seq, messages }
}

/// Adds experiment and window of the cycle that a payload names: null while they are not known.
fn add_cycle(store: &Store, payload: &mut Value) {
    let schedule = payload["schedule_id"].as_str().and_then(|id| id.parse::<ScheduleId>().ok());
    let facts = schedule.zip(payload["cycle_number"].as_u64());
    let facts = facts.map(|(schedule, number)| CycleFacts::of(store, &schedule, number)).unwrap_or_default();
    facts.add_to(payload);
}

/// What a cycle learns soon after its start.
#[derive(Debug, Clone, Default)]
pub(super) struct CycleFacts {
    experiment_id: Option<String>,
    window: Option<(Timestamp, Timestamp)>,
}

impl CycleFacts {
    /// What is known of a cycle; nothing where it can't be read.
    pub(super) fn of(store: &Store, schedule: &ScheduleId, number: u64) -> Self {
        let Ok(cycle) = store.cycle(schedule, number) else { return Self::default() };
        let window = cycle.window.map(|window| (window.start(), window.end()));
        Self { experiment_id: cycle.experiment_id.map(|id| id.to_string()), window }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.experiment_id.is_some() && self.window.is_some()
    }

    pub(super) fn add_to(&self, payload: &mut Value) {
        let Value::Object(fields) = payload else { return };
        let (start, end) = self.window.unzip();
        for (key, value) in [
            ("experiment_id", json!(self.experiment_id)),
            ("window_start", json!(start)),
            ("window_end", json!(end)),
        ] {
            fields.insert(key.to_owned(), value);
        }
    }
}

/// What the load of a model means for the cycle that made it; none for a model without a cycle.
fn deployment(store: &Store, payload: &Value) -> Option<Value> {
    let (model, schedule, number) = made_by(store, &payload["model_id"])?;
    Some(json!({
        "schedule_id": schedule,
        "cycle_number": number,
        "checkpoint_path": store.model_dir(&model).display().to_string(),
        "model_version": payload["model_version"],
        "model_id": model,
        "session_id": payload["session_id"],
        "line": payload["line"],
    }))
}

/// What a rollback means for the cycle whose model is champion no more; none for a model without a cycle.
fn return_of(store: &Store, payload: &Value) -> Option<Value> {
    let (_, schedule, number) = made_by(store, &payload["from"])?;
    let to: Option<ModelId> = payload["to"].as_str().and_then(|id| id.parse().ok());
    Some(json!({
        "schedule_id": schedule,
        "cycle_number": number,
        "checkpoint_path": to.map(|model| store.model_dir(&model).display().to_string()),
        "from": payload["from"],
        "to": payload["to"],
        "reason": payload["reason"],
        "line": payload["line"],
    }))
}

/// A model, and the schedule and the number of the cycle that made it.
fn made_by(store: &Store, model: &Value) -> Option<(ModelId, ScheduleId, u64)> {
    let model: ModelId = model.as_str()?.parse().ok()?;
    let made_for = store.model(&model).ok()?.made_for?;
    let (schedule, number) = made_for.schedule_id.zip(made_for.cycle)?;
    Some((model, schedule, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fields: Value) -> Value {
        let told = Told { kind: "any", seq: 3, time: Timestamp::EPOCH, is_volatile: false, fields };
        serde_json::from_str(&told.text().unwrap()).unwrap()
    }

    #[test]
    fn a_payload_can_take_the_place_of_no_key_that_every_message_has() {
        let told = text(json!({ "type": "other", "seq": 9, "volatile": true, "time": 0, "line": "btc" }));
        let expected = json!({ "type": "any", "seq": 3, "time": "1970-01-01T00:00:00.000Z", "line": "btc" });
        assert_eq!(told, expected);
    }

    #[test]
    fn a_payload_that_is_no_object_is_told_whole() {
        assert_eq!(text(json!([1, 2]))["data"], json!([1, 2]));
        assert_eq!(text(Value::Null)["data"], Value::Null);
    }
}
