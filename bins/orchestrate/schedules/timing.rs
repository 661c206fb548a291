//! When cycles are due, as flags say it and as people read it.

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::settings::Settings;
use walkforward_orchestrator::recurrence::{Interval, Recurrence};
use walkforward_orchestrator::schedule::Timing;

const EVERY: &str = "every";
const CRON: &str = "cron";
const ZONE: &str = "zone";
const ON_MISSED: &str = "on-missed";
const ON_BUSY: &str = "on-busy";
const JITTER: &str = "jitter";
const GRACE: &str = "misfire-grace";

const SECONDS_PER_MINUTE: f64 = 60.0;
const UNITS: [(char, f64); 4] = [('s', 1.0), ('m', 60.0), ('h', 3_600.0), ('d', 86_400.0)];

/// The flags.
pub(super) fn arguments(command: Command) -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(flag(EVERY, "TIME", "Time between cycles: 30s, 90m, 6h, 1d [default: --interval-minutes]"))
        .arg(
            flag(CRON, "EXPR", "Due times instead: minute hour day-of-month month day-of-week")
                .conflicts_with(EVERY),
        )
        .arg(
            flag(ZONE, "ZONE", "Time zone of --cron, such as America/New_York [default: UTC]").requires(CRON),
        )
        .arg(
            flag(
                ON_MISSED,
                "POLICY",
                "After due times that nobody noticed: run once for all of them, or go on",
            )
            .value_parser(["run_once", "skip"])
            .default_value("run_once"),
        )
        .arg(
            flag(
                ON_BUSY,
                "POLICY",
                "When something else trains at a due time: skip the cycle, or let it wait",
            )
            .value_parser(["skip", "queue"])
            .default_value("skip"),
        )
        .arg(flag(
            JITTER,
            "TIME",
            "Start cycles up to so long after they are due, so that not all start together",
        ))
        .arg(flag(GRACE, "TIME", "A due time that is noticed later than this is missed [default: 60s]"))
}

/// What the flags say; without `--every` and `--cron` the interval of the settings.
pub(super) fn of(settings: &Settings, matches: &ArgMatches) -> Result<Timing, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let recurrence = match (text(EVERY), text(CRON)) {
        (Some(every), _) => {
            let seconds = seconds(EVERY, &every)?;
            Recurrence::every_minutes(seconds / SECONDS_PER_MINUTE)
                .map_err(|error| Failure::input(format!("--{EVERY} {every}: {error}")))?
        }
        (None, Some(cron)) => Recurrence::cron(&cron, text(ZONE).as_deref().unwrap_or("UTC"))
            .map_err(|error| Failure::input(format!("--{CRON}: {error}")))?,
        (None, None) => {
            let minutes: f64 = settings.require("schedule.interval_minutes")?;
            let interval = Interval::from_minutes(minutes);
            Recurrence::Every(
                interval.map_err(|error| settings.refuse("schedule.interval_minutes", &error.to_string()))?,
            )
        }
    };
    let mut config =
        json!({ "recurrence": recurrence, "on_missed": text(ON_MISSED), "on_busy": text(ON_BUSY) });
    for (flag, key) in [(JITTER, "jitter_seconds"), (GRACE, "misfire_grace_seconds")] {
        if let Some(text) = text(flag) {
            config[key] = whole_seconds(flag, &text)?;
        }
    }
    Timing::from_config(&config).map_err(|error| Failure::input(error.to_string()))
}

fn whole_seconds(flag: &str, text: &str) -> Result<Value, Failure> {
    let seconds = seconds(flag, text)?;
    match seconds.fract() == 0.0 {
        true => Ok(json!(seconds as u64)),
        false => Err(Failure::input(format!("--{flag} {text}: expected whole seconds"))),
    }
}

/// `30s`, `90m`, `6h` or `1d`; a bare number is seconds.
pub(crate) fn seconds(flag: &str, text: &str) -> Result<f64, Failure> {
    let trimmed = text.trim();
    let unit = UNITS.iter().find(|(unit, _)| trimmed.ends_with(*unit));
    let (number, factor) =
        unit.map_or((trimmed, 1.0), |(unit, factor)| (trimmed.trim_end_matches(*unit), *factor));
    let seconds = number.parse::<f64>().ok().map(|number| number * factor);
    seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0).ok_or_else(|| {
        Failure::input(format!("--{flag} {text}: expected a length of time such as 30s, 90m, 6h or 1d"))
    })
}

/// A recurrence in few characters: `6h`, `90m`, `2s`, `cron 0 6 * * *`.
pub(super) fn short(config: &Value) -> String {
    const MS_PER_SECOND: i64 = 1_000;
    const MS: [(&str, i64); 3] =
        [("d", 86_400 * MS_PER_SECOND), ("h", 3_600 * MS_PER_SECOND), ("m", 60 * MS_PER_SECOND)];
    match Timing::from_config(config).map(|timing| timing.recurrence) {
        Ok(Recurrence::Every(interval)) => {
            let ms = interval.as_millis();
            let whole = MS.iter().find(|(_, unit)| ms % unit == 0);
            whole.map_or_else(
                || format!("{}s", ms as f64 / MS_PER_SECOND as f64),
                |(name, unit)| format!("{}{name}", ms / unit),
            )
        }
        Ok(Recurrence::Cron(cron)) => format!("cron {}", cron.expression()),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_with_their_unit() {
        for (text, expected) in
            [("30s", 30.0), ("1.5m", 90.0), ("6h", 21_600.0), ("1d", 86_400.0), ("7", 7.0)]
        {
            assert_eq!(seconds("every", text).unwrap(), expected, "{text}");
        }
        for text in ["", "h", "6 weeks", "-1h", "NaN", "infs"] {
            let error = seconds("every", text).unwrap_err().message;
            assert!(error.contains(&format!("--every {text}:")), "{error}");
        }
    }

    #[test]
    fn due_times_read_back_as_they_were_asked_for() {
        for (recurrence, expected) in [
            (Recurrence::every_minutes(2.0 / 60.0).unwrap(), "2s"),
            (Recurrence::every_minutes(90.0).unwrap(), "90m"),
            (Recurrence::every_hours(6.0).unwrap(), "6h"),
            (Recurrence::every_hours(48.0).unwrap(), "2d"),
            (Recurrence::cron("0 6 * * *", "UTC").unwrap(), "cron 0 6 * * *"),
        ] {
            let config = serde_json::to_value(Timing::new(recurrence)).unwrap();
            assert_eq!(short(&config), expected);
        }
        assert_eq!(short(&json!({})), "?");
    }
}
