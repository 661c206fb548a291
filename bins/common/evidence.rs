//! The preset `evidence`: its rules, and the arm that it judges.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use walkforward_core::Gate;
use walkforward_orchestrator::{AnytimeLevel, ArmRequest, Parent, TestPlan};
use walkforward_promoter::{EvidenceGate, EvidenceRules, EvidenceSettings, ExplicitRails};
use walkforward_stats::ELond;
use walkforward_trainer::TRAINING_SEMANTICS;

use crate::config::OrchestrateConfig;
use crate::failure::Failure;
use crate::settings::{SETTINGS, Settings};

const PREFIX: &str = "evidence.";
const PARENT: &str = "training.parent";
const PRESET: &str = "gate.preset";
const DAYS_PER_YEAR: f64 = 365.0;

/// Which rules judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Three metrics of the hold-out against fixed bounds.
    Thresholds,
    /// The stream of the model's arm.
    Evidence,
}

impl FromStr for Preset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "thresholds" => Ok(Self::Thresholds),
            "evidence" => Ok(Self::Evidence),
            _ => Err("expected thresholds or evidence"),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thresholds => "thresholds",
            Self::Evidence => "evidence",
        })
    }
}

/// The rules that `settings` describe under `[evidence]`.
///
/// # Errors
/// A value is no number, or out of range, by its key.
pub fn rules(settings: &Settings) -> Result<EvidenceRules, Failure> {
    let mut values = Map::new();
    for setting in SETTINGS.iter().filter(|setting| setting.key.starts_with(PREFIX)) {
        let name = setting.key.trim_start_matches(PREFIX).to_owned();
        let value = match settings.get::<u64>(setting.key) {
            Ok(count) => json!(count),
            Err(_) => json!(settings.require::<f64>(setting.key)?),
        };
        values.insert(name, value);
    }
    let refuse = |error: &dyn fmt::Display| Failure::input(format!("[evidence]: {error}"));
    let read: EvidenceSettings =
        serde_json::from_value(Value::Object(values)).map_err(|error| refuse(&error))?;
    EvidenceRules::new(read).map_err(|error| refuse(&error))
}

/// The gate of the preset. The bounds of `[gate]` hold where they were set in so many words.
///
/// # Errors
/// As [`rules`], or a bound is out of range.
pub fn gate(settings: &Settings) -> Result<EvidenceGate, Failure> {
    let explicit = |key| match settings.is_explicit(key) {
        true => settings.get::<f64>(key),
        false => Ok(None),
    };
    let explicit = ExplicitRails {
        min_win_rate: explicit("gate.min_win_rate")?,
        max_drawdown: explicit("gate.max_drawdown")?,
        min_pnl_per_trade: explicit("gate.min_pnl_per_trade")?,
    };
    let explicit = explicit.checked().map_err(|error| Failure::input(error.to_string()))?;
    Ok(EvidenceGate { rules: rules(settings)?, explicit })
}

/// The gate that `config` chooses.
pub fn chosen_gate(config: &OrchestrateConfig) -> Arc<dyn Gate> {
    match config.preset {
        Preset::Thresholds => Arc::new(config.thresholds.clone()),
        Preset::Evidence => Arc::new(config.evidence.clone()),
    }
}

/// How often an arm makes a snapshot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cadence {
    /// In words, for the arm's specification; two cadences are two arms.
    pub text: String,
    /// Longest time from one snapshot to the next; none where nobody planned any.
    pub every: Option<Duration>,
}

/// Chooses what models that come again and again are judged by and continue from, where `settings` don't say: their
/// arm's stream, and the arm's own newest model.
///
/// The newest and not the champion: what an arm makes is then a function of the bars alone. With the champion as parent
/// its models would depend on verdicts and on other arms of the line, and while the line has no champion every cycle
/// would begin with fresh weights, another procedure than the one that goes on afterwards.
pub fn choose_for_cycles(config: &mut OrchestrateConfig, settings: &Settings) {
    if !settings.is_set(PRESET) && config.supplied.is_none() {
        config.preset = Preset::Evidence;
    }
    if !settings.is_set(PARENT) {
        config.parent = match config.preset {
            Preset::Evidence => Parent::Latest,
            Preset::Thresholds => Parent::Champion,
        };
    }
}

/// The arm of `config`, when its preset judges arms.
///
/// # Errors
/// The trainer's pack can't be written down.
pub fn arm(config: &OrchestrateConfig, cadence: &Cadence) -> Result<Option<ArmRequest>, Failure> {
    if config.preset == Preset::Thresholds {
        return Ok(None);
    }
    let rules = &config.evidence.rules;
    let test = TestPlan {
        days: rules.horizon_years * DAYS_PER_YEAR,
        line_alpha: rules.qualified_alpha,
        max_arms: rules.max_arms,
        rules: rules.test_text(),
        anytime: AnytimeLevel(anytime_level),
    };
    Ok(Some(ArmRequest {
        spec: spec(config, cadence)?,
        cadence: cadence.every,
        publish_delay: Duration::ZERO,
        is_replayed: false,
        test,
    }))
}

/// The level of the next test at any time: that of e-LOND, under which tests may depend on each other in any way. 0, which
/// no test may have, where the numbers make no sense.
fn anytime_level(alpha: f64, tested: u32, crossed: u32) -> f64 {
    ELond::after(alpha, tested, crossed).map_or(0.0, |sequence| sequence.level())
}

/// Everything that decides which models the arm makes and what they cost.
fn spec(config: &OrchestrateConfig, cadence: &Cadence) -> Result<Value, Failure> {
    let OrchestrateConfig { dataset, session, .. } = config;
    let mut spec = json!({
        "line": config.line,
        "symbol": dataset.symbol,
        "timeframe": dataset.timeframe,
        "source": config.source.kind(),
        "window_bars": dataset.window_bars,
        "holdout_bars": dataset.holdout_bars,
        "embargo_bars": dataset.embargo_bars,
        "features": dataset.features,
        "trainer": config.trainer.name(),
        "pack": pack_of(config)?,
        "parent": config.parent.as_str(),
        "seed": config.seed,
        "cadence": cadence.text,
        "fee_bps": session.fee_bps,
        "slippage_bps": session.slippage_bps,
        "initial_cash": session.initial_cash,
        "shorting": session.market.shorting,
        "settings": settings_of(config),
        "training_semantics": TRAINING_SEMANTICS,
    });
    // Arms without the limit keep the name that they had before there was one.
    if let Some(bars) = session.max_bars_in_position {
        spec["max_bars_in_position"] = bars.into();
    }
    Ok(spec)
}

/// The settings that decide which bars come in and which program trains, as far as they are others than the defaults: a
/// setting that comes with a later version makes no other arm.
fn settings_of(config: &OrchestrateConfig) -> Map<String, Value> {
    let is_of_the_source = |key: &str| !key.starts_with("alpaca.") || config.source.is_service();
    let decides = |key: &str| {
        let is_in = ["data.", "alpaca.", "market.", "training.command", "training.program"]
            .iter()
            .any(|part| key.starts_with(part));
        let says_where_or_when = [
            "data.source",
            "data.path",
            "data.cache",
            "data.max_stale_bars",
            "alpaca.requests_per_minute",
            "alpaca.data_url",
        ];
        is_in && !says_where_or_when.iter().any(|part| key.starts_with(part))
    };
    let is_default = |key: &str, value: &str| {
        SETTINGS.iter().any(|setting| setting.key == key && setting.default == Some(value))
    };
    let kept = config.recipe.iter().filter(|(key, value)| decides(key) && !is_default(key, value));
    kept.filter(|(key, _)| is_of_the_source(key)).map(|(key, value)| (key.clone(), json!(value))).collect()
}

/// The hyperparameters that are others than the defaults.
fn pack_of(config: &OrchestrateConfig) -> Result<Value, Failure> {
    let (mut pack, defaults) = (config.trainer.pack()?, config.trainer.default_pack()?);
    if let (Some(pack), Some(defaults)) = (pack.as_object_mut(), defaults.as_object()) {
        pack.retain(|key, value| defaults.get(key) != Some(value));
    }
    Ok(pack)
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::settings::{Binary, arguments};

    #[test]
    fn every_pair_that_registers_no_test_spends_less_of_what_they_share() {
        let levels: Vec<f64> = (0..200).map(|tested| anytime_level(0.05, tested, 0)).collect();
        assert_eq!(levels[0], 0.025);
        assert!(levels.windows(2).all(|pair| pair[0] > pair[1]) && levels.iter().sum::<f64>() < 0.05);
        assert_eq!(anytime_level(0.05, 9, 2), 3.0 * anytime_level(0.05, 9, 0));
        assert_eq!(anytime_level(0.05, 1, 2), 0.0);
    }

    fn config_of(args: &[&str], environment: &[(&str, &str)]) -> (Settings, OrchestrateConfig) {
        let read =
            |name: &str| environment.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).into());
        let command = arguments(Command::new("test").no_binary_name(true), Binary::Orchestrate);
        let settings =
            Settings::collect(Binary::Orchestrate, &command.get_matches_from(args), &read).unwrap();
        let config = OrchestrateConfig::from_settings(&settings, true).unwrap();
        (settings, config)
    }

    #[test]
    fn what_nobody_set_is_no_part_of_an_arm() {
        let spec_of = |args: &[&str]| spec(&config_of(args, &[]).1, &Cadence::default()).unwrap();
        let plain = spec_of(&["--path", "Cargo.toml"]);
        let parts = (&plain["settings"], &plain["pack"], &plain["source"]);
        assert_eq!(parts, (&json!({}), &json!({}), &json!("csv")));
        assert_eq!(spec_of(&["--path", "README.md", "--fee-bps", "25"]), plain);
        assert_eq!(
            spec_of(&["--path", "Cargo.toml", "--iterations", "7"])["pack"],
            json!({ "iterations": 7 })
        );
        let lenient = spec_of(&["--path", "Cargo.toml", "--max-rejected-rows", "3"]);
        assert_eq!(lenient["settings"], json!({ "data.max_rejected_rows": "3" }));
    }

    #[test]
    fn rails_that_somebody_set_hold_also_where_they_are_the_defaults() {
        let rail = |environment: &[(&str, &str)]| {
            gate(&config_of(&[], environment).0).unwrap().explicit.max_drawdown
        };
        assert_eq!(rail(&[]), None);
        assert_eq!(rail(&[("MAX_DRAWDOWN", "0.2")]), Some(0.2));
    }

    #[test]
    fn a_limit_on_the_bars_in_a_position_makes_another_arm_and_its_absence_none() {
        let arm_of = |args: &[&str]| {
            let command = arguments(Command::new("test").no_binary_name(true), Binary::Orchestrate);
            let matches = command.get_matches_from(args);
            let settings = Settings::collect(Binary::Orchestrate, &matches, &|_| None).unwrap();
            let config = OrchestrateConfig::from_settings(&settings, true);
            config.map(|config| spec(&config, &Cadence::default()).unwrap())
        };
        let free = arm_of(&[]).unwrap();
        let limited = arm_of(&["--max-bars-in-position", "48"]).unwrap();
        assert_eq!(free.get("max_bars_in_position"), None);
        assert_eq!(limited["max_bars_in_position"], 48);
        for wrong in ["0", "5256001", "many"] {
            let refused = arm_of(&["--max-bars-in-position", wrong]).unwrap_err().message;
            assert!(refused.contains("--max-bars-in-position"), "{refused}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_rules() {
        let mut values = Map::new();
        for setting in SETTINGS.iter().filter(|setting| setting.key.starts_with(PREFIX)) {
            let number: f64 = setting.default.unwrap().parse().unwrap();
            values.insert(setting.key.trim_start_matches(PREFIX).to_owned(), json!(number));
        }
        let Value::Object(expected) = serde_json::to_value(EvidenceSettings::default()).unwrap() else {
            unreachable!("settings are an object")
        };
        let expected: Map<String, Value> =
            expected.into_iter().map(|(key, value)| (key, json!(value.as_f64().unwrap()))).collect();
        assert_eq!(values, expected);
    }
}
