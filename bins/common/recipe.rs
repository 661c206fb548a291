//! The settings that a model's record keeps, so that it can be made again from the record alone.

use std::collections::BTreeMap;

use crate::frozen::absolute;
use crate::settings::{Origin, SETTINGS, Settings};

/// Sections of the settings that decide which model a training makes.
const SECTIONS: [&str; 6] = ["data.", "alpaca.", "market.", "training.", "costs.", "session."];
/// Keys in them that the record holds under names of its own.
const HELD_ELSEWHERE: [&str; 9] = [
    "data.symbol",
    "data.timeframe",
    "data.as_of",
    "data.window_bars",
    "data.holdout_bars",
    "data.embargo_bars",
    "training.iterations",
    "training.parent",
    "training.threads",
];
/// Section of the settings that say where things lie.
const FOLDERS: &str = "paths.";

/// Whether a record keeps the setting `key`.
fn is_kept(key: &str) -> bool {
    SECTIONS.iter().any(|section| key.starts_with(section)) && !HELD_ELSEWHERE.contains(&key)
}

impl Settings {
    /// The settings that a model's record keeps, by key; files by absolute paths, a program of one's own with its folder.
    pub(crate) fn recipe(&self) -> BTreeMap<String, String> {
        let kept = self.values.iter().filter(|(key, _)| is_kept(key));
        let kept = kept.map(|(key, (text, _))| ((*key).to_owned(), absolute(key, text.trim())));
        // A program that can't be found is refused by who runs it.
        kept.chain(self.pinned_program().unwrap_or_default()).collect()
    }

    /// The settings of a `recipe`, with the folders and the secrets of these; all others are the defaults. `name` is
    /// whose recipe it is. Settings that this version does not know are left out.
    #[must_use]
    pub fn with_recipe(&self, recipe: &BTreeMap<String, String>, name: &str) -> Self {
        let value = |setting: &crate::settings::Setting| {
            let key = setting.key;
            if key.starts_with(FOLDERS) {
                return self.values.get(key).cloned();
            }
            let default = || setting.default.map(|text| (text.to_owned(), Origin::Default));
            let recorded = recipe.get(key).filter(|text| setting.default != Some(text.as_str()));
            recorded.map(|text| (text.clone(), Origin::Record(name.to_owned()))).or_else(default)
        };
        let values = SETTINGS.iter().filter_map(|setting| Some((setting.key, value(setting)?)));
        Self {
            values: values.collect(),
            pack: toml::Table::new(),
            features: None,
            file: None,
            secrets: self.secrets.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Command;

    use super::*;
    use crate::settings::{Binary, arguments};

    fn settings(args: &[&str]) -> Settings {
        let command = arguments(Command::new("test").no_binary_name(true), Binary::Orchestrate);
        let environment = |name: &str| (name == "WALKFORWARD_DATA_DIR").then(|| "elsewhere".into());
        Settings::collect(Binary::Orchestrate, &command.get_matches_from(args), &environment).unwrap()
    }

    #[test]
    fn a_recipe_gives_its_settings_back_and_leaves_the_others() {
        let made =
            settings(&["--fee-bps", "7", "--source", "synthetic", "--models-dir", "first", "--seed", "3"]);
        let recipe = made.recipe();
        assert_eq!(recipe.get("session.max_bars_in_position"), None);
        let limited = settings(&["--max-bars-in-position", "48"]).recipe();
        assert_eq!(limited["session.max_bars_in_position"], "48");
        for (key, expected) in [("costs.fee_bps", "7"), ("costs.slippage_bps", "5"), ("training.seed", "3")] {
            assert_eq!(recipe.get(key).map(String::as_str), Some(expected), "{key}");
        }
        for key in ["paths.models_dir", "data.as_of", "training.threads", "gate.min_win_rate"] {
            assert_eq!(recipe.get(key), None, "{key}");
        }
        let again = settings(&[
            "--fee-bps",
            "99",
            "--models-dir",
            "second",
            "--as-of",
            "2023-01-01T00:00:00Z",
            "--line",
            "other",
        ]);
        let recalled = again.with_recipe(&recipe, "model-1");
        assert_eq!(recalled.recipe(), recipe);
        assert_eq!(recalled.require::<String>("paths.models_dir").unwrap(), "second");
        assert_eq!(recalled.require::<String>("paths.data_dir").unwrap(), "elsewhere");
        assert!(!recalled.is_set("data.as_of") && !recalled.is_set("gate.min_win_rate"));
        let refused = recalled.refuse("costs.fee_bps", "expected another").message;
        assert!(refused.contains("costs.fee_bps: '7' from the record of model-1"), "{refused}");
    }

    #[test]
    fn files_are_kept_by_absolute_paths() {
        let here = Path::new("Cargo.toml");
        let recipe = settings(&["--path", "Cargo.toml", "--calendar", "us_equities"]).recipe();
        assert_eq!(recipe["data.path"], std::path::absolute(here).unwrap().display().to_string());
        assert_eq!(recipe["market.calendar"], "us_equities");
    }
}
