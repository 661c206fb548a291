//! What is kept of old models, as the settings say.

use walkforward_store::RetentionPolicy;

use crate::config::count;
use crate::failure::Failure;
use crate::settings::Settings;

/// More models than a line ever has.
const MAX_KEPT: usize = 1_000_000;
/// Most days that anything is kept for: a century.
const MAX_DAYS: usize = 36_500;

/// What is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Whether a server takes away what is old by itself.
    pub prunes: bool,
    /// Which models keep their weights.
    pub policy: RetentionPolicy,
    /// Days after which a model without weights loses the series of its evaluation and its ETL record.
    pub evidence_days: u32,
    /// Sessions of a line, the newest, whose bars, fills and events stay in the database.
    pub keep_sessions: usize,
}

impl RetentionConfig {
    /// Checks `settings`.
    ///
    /// # Errors
    /// A value is no truth or no number in its range.
    pub fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let days =
            |key| count(settings, key, 0..=MAX_DAYS).map(|days| u32::try_from(days).unwrap_or(u32::MAX));
        Ok(Self {
            prunes: settings.require("retention.prune")?,
            policy: RetentionPolicy {
                keep_last: count(settings, "retention.keep_last", 0..=MAX_KEPT)?,
                keep_days: days("retention.keep_days")?,
                reproducible_days: days("retention.reproducible_days")?,
            },
            evidence_days: days("retention.evidence_days")?,
            keep_sessions: count(settings, "retention.keep_sessions", 1..=MAX_KEPT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::settings::{Binary, arguments};

    fn config(env: &[(&str, &str)]) -> Result<RetentionConfig, Failure> {
        let command = arguments(Command::new("test").no_binary_name(true), Binary::Orchestrate);
        let environment = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| std::ffi::OsString::from(*value))
        };
        let none: [&str; 0] = [];
        let settings =
            Settings::collect(Binary::Orchestrate, &command.get_matches_from(none), &environment).unwrap();
        RetentionConfig::from_settings(&settings)
    }

    #[test]
    fn the_defaults_are_those_of_the_store() {
        let config = config(&[]).unwrap();
        assert_eq!((config.prunes, config.policy), (true, RetentionPolicy::default()));
    }

    #[test]
    fn every_key_is_read_and_what_makes_no_sense_is_refused_by_name() {
        let set = config(&[
            ("WALKFORWARD_RETENTION_PRUNE", "false"),
            ("WALKFORWARD_KEEP_LAST", "1"),
            ("WALKFORWARD_KEEP_DAYS", "2"),
            ("WALKFORWARD_REPRODUCIBLE_DAYS", "3"),
            ("WALKFORWARD_EVIDENCE_DAYS", "4"),
            ("WALKFORWARD_KEEP_SESSIONS", "5"),
        ]);
        let policy = RetentionPolicy { keep_last: 1, keep_days: 2, reproducible_days: 3 };
        assert_eq!(
            set.unwrap(),
            RetentionConfig { prunes: false, policy, evidence_days: 4, keep_sessions: 5 }
        );
        for (name, value) in [
            ("WALKFORWARD_RETENTION_PRUNE", "sometimes"),
            ("WALKFORWARD_KEEP_LAST", "-1"),
            ("WALKFORWARD_KEEP_DAYS", "36501"),
            ("WALKFORWARD_EVIDENCE_DAYS", "1e9"),
            ("WALKFORWARD_KEEP_SESSIONS", "0"),
        ] {
            let refused = config(&[(name, value)]).unwrap_err().message;
            assert!(refused.contains(name) && refused.contains(value), "{refused}");
        }
    }
}
