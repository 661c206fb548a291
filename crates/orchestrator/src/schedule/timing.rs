//! What a schedule's configuration says about its due times.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::recurrence::{Recurrence, RecurrenceError};

/// Default of [`Timing::misfire_grace_seconds`].
const DEFAULT_GRACE_SECONDS: u64 = 60;
/// Longest misfire grace and jitter: a day.
const MAX_SECONDS: u64 = 86_400;

/// What happens after due times were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissed {
    /// One cycle runs for all of them.
    #[default]
    RunOnce,
    /// Nothing: the next due time is the next cycle.
    Skip,
}

/// What happens to a due time while something else runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBusy {
    /// It is skipped.
    #[default]
    Skip,
    /// Its cycle waits; at most one of a schedule does.
    Queue,
}

/// When the cycles of a schedule are due, and what happens when one can't start then.
///
/// In a configuration these are the keys of an object that may hold others too. The due times are one of `recurrence`
/// (see [`Recurrence`]), `interval_hours`, `interval_minutes`, or `cron` with or without `zone`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TimingKeys")]
pub struct Timing {
    /// When cycles are due.
    pub recurrence: Recurrence,
    /// What happens after missed due times.
    pub on_missed: OnMissed,
    /// What happens while something else runs.
    pub on_busy: OnBusy,
    /// A cycle that is noticed later than this after its start is missed; at most half the time to the next one.
    pub misfire_grace_seconds: u64,
    /// Cycles start up to this long after their due time, by an amount that is fixed for each schedule; at most half
    /// the time to the next one.
    pub jitter_seconds: u64,
}

/// A configuration that says no due times.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TimingError {
    /// The recurrence can't be used.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
    /// There is not exactly one kind of due times.
    #[error(
        "a schedule needs one of recurrence, interval_hours, interval_minutes or cron: {found} are given"
    )]
    Kinds {
        /// How many were there.
        found: usize,
    },
    /// A zone without a cron expression.
    #[error("zone = '{zone}' belongs to a cron expression, and there is none")]
    ZoneAlone {
        /// The zone.
        zone: String,
    },
    /// A time is out of bounds.
    #[error("{key} = {seconds}: expected {least} to {MAX_SECONDS} seconds")]
    Seconds {
        /// Which key.
        key: &'static str,
        /// Its value.
        seconds: u64,
        /// The least value.
        least: u64,
    },
    /// A key has a value of another kind.
    #[error("the configuration of the schedule can't be used: {0}")]
    Shape(String),
}

impl Timing {
    /// Cycles of this recurrence, and the defaults for everything else.
    pub fn new(recurrence: Recurrence) -> Self {
        Self {
            recurrence,
            on_missed: OnMissed::default(),
            on_busy: OnBusy::default(),
            misfire_grace_seconds: DEFAULT_GRACE_SECONDS,
            jitter_seconds: 0,
        }
    }

    /// Reads the keys of a schedule's configuration; keys of others are left alone.
    pub fn from_config(config: &Value) -> Result<Self, TimingError> {
        let keys = TimingKeys::deserialize(config).map_err(|error| TimingError::Shape(error.to_string()))?;
        keys.try_into()
    }
}

/// The keys as they are written.
#[derive(Debug, Deserialize)]
struct TimingKeys {
    recurrence: Option<String>,
    interval_hours: Option<f64>,
    interval_minutes: Option<f64>,
    cron: Option<String>,
    zone: Option<String>,
    #[serde(default)]
    on_missed: OnMissed,
    #[serde(default)]
    on_busy: OnBusy,
    misfire_grace_seconds: Option<u64>,
    jitter_seconds: Option<u64>,
}

impl TryFrom<TimingKeys> for Timing {
    type Error = TimingError;

    fn try_from(keys: TimingKeys) -> Result<Self, TimingError> {
        let grace = keys.misfire_grace_seconds.unwrap_or(DEFAULT_GRACE_SECONDS);
        let jitter = keys.jitter_seconds.unwrap_or(0);
        check_seconds("misfire_grace_seconds", grace, 1)?;
        check_seconds("jitter_seconds", jitter, 0)?;
        Ok(Self {
            recurrence: recurrence(&keys)?,
            on_missed: keys.on_missed,
            on_busy: keys.on_busy,
            misfire_grace_seconds: grace,
            jitter_seconds: jitter,
        })
    }
}

fn check_seconds(key: &'static str, seconds: u64, least: u64) -> Result<(), TimingError> {
    let is_fine = (least..=MAX_SECONDS).contains(&seconds);
    is_fine.then_some(()).ok_or(TimingError::Seconds { key, seconds, least })
}

fn recurrence(keys: &TimingKeys) -> Result<Recurrence, TimingError> {
    let kinds = [
        keys.recurrence.is_some(),
        keys.interval_hours.is_some(),
        keys.interval_minutes.is_some(),
        keys.cron.is_some(),
    ];
    let found = kinds.iter().filter(|given| **given).count();
    if found != 1 {
        return Err(TimingError::Kinds { found });
    }
    if let (None, Some(zone)) = (&keys.cron, &keys.zone) {
        return Err(TimingError::ZoneAlone { zone: zone.clone() });
    }
    let recurrence = match (&keys.recurrence, keys.interval_hours, keys.interval_minutes, &keys.cron) {
        (Some(text), ..) => text.parse(),
        (_, Some(hours), ..) => Recurrence::every_hours(hours),
        (_, _, Some(minutes), _) => Recurrence::every_minutes(minutes),
        (.., cron) => Recurrence::cron(cron.as_deref().unwrap_or(""), keys.zone.as_deref().unwrap_or("UTC")),
    };
    Ok(recurrence?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn due_times_are_read_from_a_configuration_that_holds_other_keys_too() {
        for (config, recurrence) in [
            (json!({ "interval_hours": 6, "window_candles": 8760 }), "every 6h"),
            (json!({ "interval_minutes": 90 }), "every 90m"),
            (json!({ "recurrence": "every 6h" }), "every 6h"),
            (json!({ "cron": "0 6 * * *" }), "cron 0 6 * * * UTC"),
            (json!({ "cron": "0 6 * * *", "zone": "Europe/Berlin" }), "cron 0 6 * * * Europe/Berlin"),
        ] {
            let timing = Timing::from_config(&config).unwrap();
            assert_eq!(timing, Timing::new(recurrence.parse().unwrap()), "{config}");
            let written = serde_json::to_value(&timing).unwrap();
            assert_eq!(Timing::from_config(&written).unwrap(), timing);
        }
    }

    #[test]
    fn a_configuration_without_usable_due_times_is_refused_by_its_key() {
        for (config, part) in [
            (json!({}), "0 are given"),
            (json!({ "interval_hours": 6, "cron": "0 6 * * *" }), "2 are given"),
            (json!({ "interval_hours": 6, "zone": "UTC" }), "zone = 'UTC' belongs to a cron expression"),
            (json!({ "interval_hours": "six" }), "invalid type"),
            (json!({ "interval_hours": -6 }), "the interval is -360 minutes"),
            (json!({ "interval_hours": 6, "on_busy": "wait" }), "unknown variant `wait`"),
            (
                json!({ "interval_hours": 6, "misfire_grace_seconds": 0 }),
                "misfire_grace_seconds = 0: expected 1",
            ),
            (
                json!({ "interval_hours": 6, "jitter_seconds": 100_000 }),
                "jitter_seconds = 100000: expected 0",
            ),
            (json!([]), "can't be used"),
        ] {
            let error = Timing::from_config(&config).unwrap_err().to_string();
            assert!(error.contains(part), "{config}: {error}");
        }
    }
}
