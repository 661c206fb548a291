//! Settings that a schedule or an experiment keeps, and how they become settings again.
//!
//! Settings of its own win over those of its dataset configuration, those over the defaults; its own `[pack]` wins key
//! by key over its hyperparameter pack. Folders and secrets are always those of the process.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use walkforward_store::{DatasetConfigRecord, PackRecord};

use crate::failure::Failure;
use crate::program::UserProgram;
use crate::settings::{Origin, SETTINGS, Setting, Settings};

/// Section of the settings that say where things lie.
const FOLDERS: &str = "paths.";
/// Settings that say how a process runs, not what a training is.
const OF_THE_PROCESS: [&str; 6] =
    ["paths.", "live.", "api.", "retention.", "schedule.mode", "schedule.interval_minutes"];
/// The line is a part of the record.
const LINE: &str = "line.name";
/// What a dataset configuration calls `source_type`.
const SOURCE: &str = "data.source";
/// Section whose keys `split_config` has.
const DATA: &str = "data";
/// Sections that a dataset configuration may have.
const DATASET_SECTIONS: [&str; 4] = [DATA, "market", "alpaca", "costs"];
/// Settings whose values may name a file.
const FILES: [&str; 3] = ["data.path", "market.calendar", "evaluation.metrics_path"];

/// What somebody set for a schedule or an experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FrozenSettings {
    /// Values by key; files by absolute paths.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Hyperparameters, if any were set.
    #[serde(default)]
    pub pack: Option<Map<String, Value>>,
    /// What policies see of the bars, if it was set.
    #[serde(default)]
    pub features: Option<Value>,
}

/// What a record's settings are made of.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// Whose settings they are, for errors: `schedule 'btc'`.
    pub name: &'a str,
    /// The record's own.
    pub frozen: &'a FrozenSettings,
    /// Its dataset configuration.
    pub dataset: Option<&'a DatasetConfigRecord>,
    /// Its hyperparameter pack.
    pub pack: Option<&'a PackRecord>,
}

impl Settings {
    /// What was set here in so many words ([`Settings::is_explicit`]).
    pub fn freeze(&self) -> Result<FrozenSettings, Failure> {
        let is_kept = |key: &'static str| {
            let is_of_the_process = OF_THE_PROCESS.iter().any(|start| key.starts_with(start));
            !is_of_the_process && key != LINE && self.is_explicit(key)
        };
        let kept = self.values.iter().filter(|(key, _)| is_kept(key));
        let refuse = |error: serde_json::Error| Failure::input(format!("[pack] or [[features]]: {error}"));
        let pack = match serde_json::to_value(&self.pack).map_err(refuse)? {
            Value::Object(pack) if !pack.is_empty() => Some(pack),
            _ => None,
        };
        let mut settings: BTreeMap<String, String> =
            kept.map(|(key, (text, _))| ((*key).to_owned(), absolute(key, text.trim()))).collect();
        settings.extend(self.pinned_program()?);
        Ok(FrozenSettings {
            settings,
            pack,
            features: self.features.as_ref().map(serde_json::to_value).transpose().map_err(refuse)?,
        })
    }

    /// What has to be kept of a program of one's own, so that it is the same one in any folder; nothing without one.
    pub(crate) fn pinned_program(&self) -> Result<Vec<(String, String)>, Failure> {
        let program = UserProgram::from_settings(self)?;
        let pinned = program.map(|program| program.pinned()).transpose()?;
        Ok(pinned.into_iter().flatten().map(|(key, text)| (key.to_owned(), text)).collect())
    }

    /// The settings of a record, with the folders and the secrets of these.
    ///
    /// # Errors
    /// A key is none that this version knows, or a value is no text, number or truth.
    pub fn with_layers(&self, layers: &Layers<'_>) -> Result<Self, Failure> {
        let own = Origin::Record(layers.name.to_owned());
        let from_dataset = layers.dataset.map(dataset_values).transpose()?.unwrap_or_default();
        for key in layers.frozen.settings.keys() {
            known(key).ok_or_else(|| unknown(layers.name, key))?;
        }
        let value = |setting: &Setting| {
            let key = setting.key;
            if key.starts_with(FOLDERS) {
                return self.values.get(key).cloned();
            }
            let frozen = layers.frozen.settings.get(key).map(|text| (text.clone(), own.clone()));
            let default = || setting.default.map(|text| (text.to_owned(), Origin::Default));
            frozen.or_else(|| from_dataset.get(key).cloned()).or_else(default)
        };
        let values = SETTINGS.iter().filter_map(|setting| Some((setting.key, value(setting)?)));
        Ok(Self {
            values: values.collect(),
            pack: pack(layers)?,
            features: features(layers)?,
            file: None,
            secrets: self.secrets.clone(),
        })
    }
}

fn known(key: &str) -> Option<&'static str> {
    SETTINGS.iter().find(|setting| setting.key == key).map(|setting| setting.key)
}

fn unknown(name: &str, key: &str) -> Failure {
    Failure::input(format!(
        "{name}: there is no setting '{key}': `orchestrate config show` lists them; was it made by another version?"
    ))
}

/// The pack's keys with the record's own over them.
fn pack(layers: &Layers<'_>) -> Result<toml::Table, Failure> {
    let mut pack = layers.pack.and_then(|record| record.config.as_object().cloned()).unwrap_or_default();
    pack.extend(layers.frozen.pack.clone().unwrap_or_default());
    let set = pack.into_iter().filter(|(_, value)| !value.is_null());
    set.map(|(key, value)| {
        let value = toml_value(layers.name, &format!("pack.{key}"), value)?;
        Ok((key, value))
    })
    .collect()
}

fn features(layers: &Layers<'_>) -> Result<Option<toml::Value>, Failure> {
    let of_dataset = layers.dataset.map(|dataset| &dataset.features);
    let listed = of_dataset.filter(|features| features.as_array().is_some_and(|list| !list.is_empty()));
    let features = layers.frozen.features.as_ref().or(listed);
    features.map(|features| toml_value(layers.name, "features", features.clone())).transpose()
}

/// A key without a value is one that is not there.
fn toml_value(name: &str, what: &str, mut value: Value) -> Result<toml::Value, Failure> {
    drop_nulls(&mut value);
    toml::Value::try_from(value).map_err(|error| Failure::input(format!("{name}: its {what}: {error}")))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

type Values = BTreeMap<&'static str, (String, Origin)>;

/// The settings that a dataset configuration says.
fn dataset_values(dataset: &DatasetConfigRecord) -> Result<Values, Failure> {
    let name = format!("dataset configuration '{}'", dataset.id);
    let origin = Origin::Record(name.clone());
    let mut values = Values::from([(SOURCE, (dataset.source_type.clone(), origin.clone()))]);
    let mut take = |section: &str, content: &Value| {
        let content = content.as_object().filter(|_| DATASET_SECTIONS.contains(&section));
        let expected = DATASET_SECTIONS.join(", ");
        let content = content.ok_or_else(|| {
            Failure::input(format!("{name}: '{section}' is no section: expected objects named {expected}"))
        })?;
        for (key, value) in content.iter().filter(|(_, value)| !value.is_null()) {
            let key = format!("{section}.{key}");
            let known = known(&key).ok_or_else(|| unknown(&name, &key))?;
            let text = text_of(value).ok_or_else(|| {
                Failure::input(format!("{name}: '{key}' has to be a text, a number or true/false"))
            })?;
            if known != SOURCE {
                values.insert(known, (text, origin.clone()));
            }
        }
        Ok::<(), Failure>(())
    };
    for (section, content) in dataset.source_config.as_object().into_iter().flatten() {
        take(section, content)?;
    }
    take(DATA, &dataset.split_config)?;
    Ok(values)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A setting's value; the path of a file is made absolute, so that a process in another folder reads the same one.
pub(crate) fn absolute(key: &str, text: &str) -> String {
    let path = Path::new(text);
    if !FILES.contains(&key) || !path.is_file() {
        return text.to_owned();
    }
    // A path that is no UTF-8 could not have been a setting.
    std::path::absolute(path).map_or_else(|_| text.to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use clap::Command;
    use serde_json::json;
    use walkforward_core::Timestamp;

    use super::*;
    use crate::settings::{Binary, arguments};

    fn settings(args: &[&str], env: &[(&str, &str)]) -> Settings {
        let command = arguments(Command::new("test").no_binary_name(true), Binary::Orchestrate);
        let environment = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| std::ffi::OsString::from(*value))
        };
        Settings::collect(Binary::Orchestrate, &command.get_matches_from(args), &environment).unwrap()
    }

    fn dataset(source_config: Value) -> DatasetConfigRecord {
        DatasetConfigRecord {
            id: "hours".parse().unwrap(),
            name: "Hours".to_owned(),
            description: String::new(),
            source_type: "synthetic".to_owned(),
            source_config,
            features: json!([]),
            split_config: json!({ "holdout_bars": 100 }),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        }
    }

    fn layered(frozen: &FrozenSettings, dataset: Option<&DatasetConfigRecord>) -> Result<Settings, Failure> {
        let process = settings(&["--data-dir", "here", "--fee-bps", "99"], &[]);
        process.with_layers(&Layers { name: "schedule 's'", frozen, dataset, pack: None })
    }

    #[test]
    fn what_was_set_is_kept_but_folders_line_and_interval() {
        let args = ["--data-dir", "a", "--line", "b", "--window-bars", "8760", "--path", "Cargo.toml"];
        let env =
            [("MIN_WIN_RATE", "0.6"), ("WALKFORWARD_SEED", "1"), ("ORCHESTRATION_INTERVAL_MINUTES", "5")];
        let frozen = settings(&args, &env).freeze().unwrap();
        let keys: Vec<&str> = frozen.settings.keys().map(String::as_str).collect();
        assert_eq!(keys, ["data.path", "data.window_bars", "gate.min_win_rate", "training.seed"]);
        assert!(Path::new(&frozen.settings["data.path"]).is_absolute());
        assert_eq!((frozen.pack, frozen.features), (None, None));
    }

    #[test]
    fn own_settings_win_over_the_dataset_and_it_over_the_defaults() {
        let frozen = settings(&["--window-bars", "2000"], &[]).freeze().unwrap();
        let dataset = dataset(json!({ "data": { "window_bars": 3000, "symbol": "ETH/USD" } }));
        let settings = layered(&frozen, Some(&dataset)).unwrap();
        let value = |key| settings.require::<String>(key).unwrap();
        assert_eq!(value("data.window_bars"), "2000");
        assert_eq!((value("data.symbol").as_str(), value("data.holdout_bars").as_str()), ("ETH/USD", "100"));
        // The process gives its folders, and nothing else.
        assert_eq!((value("paths.data_dir").as_str(), value("costs.fee_bps").as_str()), ("here", "25"));
        let refused = settings.refuse("data.symbol", "expected another").message;
        assert!(refused.contains("from the record of dataset configuration 'hours'"), "{refused}");
    }

    #[test]
    fn a_record_of_another_version_is_refused_by_its_key() {
        let frozen = FrozenSettings {
            settings: BTreeMap::from([("data.windows".to_owned(), "1".to_owned())]),
            ..FrozenSettings::default()
        };
        let error = layered(&frozen, None).unwrap_err().message;
        assert!(error.contains("schedule 's'") && error.contains("data.windows"), "{error}");
        for (source_config, part) in [
            (json!({ "data": { "windows": 1 } }), "data.windows"),
            (json!({ "paths": { "data_dir": "x" } }), "'paths' is no section"),
            (json!({ "data": 5 }), "'data' is no section"),
            (json!({ "data": { "symbol": [] } }), "data.symbol"),
        ] {
            let error =
                layered(&FrozenSettings::default(), Some(&dataset(source_config))).unwrap_err().message;
            assert!(error.contains("'hours'") && error.contains(part), "{error}");
        }
    }

    #[test]
    fn own_hyperparameters_go_over_those_of_the_pack() {
        let frozen = FrozenSettings {
            pack: json!({ "gamma": 0.9, "target_kl": null }).as_object().cloned(),
            ..FrozenSettings::default()
        };
        let pack = PackRecord {
            id: "p".parse().unwrap(),
            name: "P".to_owned(),
            description: String::new(),
            config: json!({ "gamma": 0.5, "iterations": 3 }),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        };
        let layers = Layers { name: "s", frozen: &frozen, dataset: None, pack: Some(&pack) };
        let settings = settings(&[], &[]).with_layers(&layers).unwrap();
        assert_eq!(serde_json::to_value(settings.pack()).unwrap(), json!({ "gamma": 0.9, "iterations": 3 }));
    }
}
