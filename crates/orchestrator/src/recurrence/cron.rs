//! Cron expressions on the clocks of a time zone.

use std::sync::Arc;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use walkforward_core::Timestamp;

use super::RecurrenceError;

/// Clocks are set forward by at most a day (islands that change the side of the date line).
const MAX_GAP_MINUTES: i64 = 24 * 60 + 1;
/// Wall-clock times that one search may look at before it gives up: all minutes of a day that happens twice.
const MAX_CANDIDATES: u32 = 24 * 60 + 1;
const FIELD_NAMES: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];
const HOURS: usize = 24;

/// A five-field cron expression (minute, hour, day of month, month, day of week) and the time zone of its clocks.
///
/// Clocks that are set forward skip times: a due time among them comes once, when the skipped times are over. Clocks
/// that are set back show times twice: a due time among them comes once, the first time. An expression for every hour
/// (`*`) follows the hours that pass instead: it is due in each of them, the repeated one included.
#[derive(Debug, Clone)]
pub struct CronExpression {
    expression: String,
    zone: Tz,
    cron: Arc<Cron>,
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        (&self.expression, self.zone) == (&other.expression, other.zone)
    }
}

impl CronExpression {
    /// Checks and takes an expression. One that never comes true (30 February) is refused.
    pub fn new(expression: &str, zone: &str) -> Result<Self, RecurrenceError> {
        let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let refuse = |problem: String| RecurrenceError::Cron { expression: expression.clone(), problem };
        let zone: Tz = zone.parse().map_err(|_| RecurrenceError::Zone { zone: zone.to_owned() })?;
        let fields = expression.split(' ').filter(|field| !field.is_empty()).count();
        if fields != FIELD_NAMES.len() {
            return Err(refuse(format!("it has {fields} fields")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron =
            parser.parse(&expression).map_err(|error| refuse(problem_of(&expression, &parser, error)))?;
        if cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, true).is_err() {
            return Err(refuse("no date ever fits it".to_owned()));
        }
        Ok(Self { expression, zone, cron: Arc::new(cron) })
    }

    /// The five fields.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Name of the time zone.
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    pub(super) fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = DateTime::from_timestamp_millis(time.as_millis())?;
        let next = if self.is_for_every_hour() {
            let local = time.with_timezone(&self.zone);
            self.cron.find_next_occurrence(&local, false).ok()?.with_timezone(&Utc)
        } else {
            self.next_on_the_clock(time)?
        };
        Some(Timestamp::from(next))
    }

    fn is_for_every_hour(&self) -> bool {
        self.cron.pattern.hours.values().len() == HOURS
    }

    /// Goes along the wall clock as if it were never set, and asks of each time when it really comes.
    fn next_on_the_clock(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = after.with_timezone(&self.zone).naive_local();
        for _ in 0..MAX_CANDIDATES {
            wall = self.cron.find_next_occurrence(&wall.and_utc(), false).ok()?.naive_utc();
            let instant = instant_of(wall, self.zone)?;
            if instant > after {
                return Some(instant);
            }
        }
        None
    }
}

/// When the wall clock shows `wall` for the first time, or, if it never does, when the skipped times are over.
fn instant_of(wall: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    (0..=MAX_GAP_MINUTES).find_map(|minutes| {
        match zone.from_local_datetime(&(wall + TimeDelta::minutes(minutes))) {
            LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
            LocalResult::None => None,
        }
    })
}

/// Which field the parser does not take, and what it says about it.
fn problem_of(expression: &str, parser: &CronParser, error: CronError) -> String {
    let refused =
        FIELD_NAMES.iter().zip(expression.split(' ')).enumerate().find_map(|(index, (name, field))| {
            let mut alone = ["*"; FIELD_NAMES.len()];
            alone[index] = field;
            let error = parser.parse(&alone.join(" ")).err()?;
            Some(format!("its {name} '{field}' is refused ({})", message_of(error)))
        });
    refused.unwrap_or_else(|| message_of(error))
}

/// What the parser says, without its headings and full stop.
fn message_of(error: CronError) -> String {
    let message = match error {
        CronError::InvalidPattern(text)
        | CronError::IllegalCharacters(text)
        | CronError::ComponentError(text) => text,
        other => other.to_string(),
    };
    message.trim_end_matches('.').to_owned()
}

/// `30 2 * * 1-5` with or without a time zone after it; without one it is UTC.
pub(super) fn parse(text: &str) -> Result<CronExpression, RecurrenceError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.split_last() {
        Some((zone, fields)) if fields.len() == FIELD_NAMES.len() => {
            CronExpression::new(&fields.join(" "), zone)
        }
        _ => CronExpression::new(text, "UTC"),
    }
}
