//! Where settings come from, and that the documented file is the table.

use serde_json::Value;
use walkforward::settings::SETTINGS;
use walkforward_trainer::PpoConfig;

use crate::support::{GOOD_METRICS, World};

fn shown(world: &World, args: &[&str], env: &[(&str, &str)], key: &str) -> (String, String) {
    let rows = world.orchestrate(&[&["config", "show", "--json"], args].concat(), env).expect_code(0).json();
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    (text(&row["value"]), text(&row["origin"]))
}

#[test]
fn a_flag_wins_over_the_environment_the_environment_over_the_file_the_file_over_the_default() {
    let world = World::new();
    let file = world.file("settings.toml", "[data]\nwindow_bars = 2000\n");
    let key = "data.window_bars";
    let check = |args: &[&str], env: &[(&str, &str)], expected: (&str, &str)| {
        let (value, origin) = shown(&world, args, env, key);
        assert_eq!((value.as_str(), origin.as_str()), expected);
    };
    let (config, environment) = (["--config", file.as_str()], [("WALKFORWARD_WINDOW_BARS", "3000")]);
    check(&[], &[], ("8760", "default"));
    check(&config, &[], ("2000", &format!("file {file}")));
    check(&config, &environment, ("3000", "environment WALKFORWARD_WINDOW_BARS"));
    let flag = [&config[..], &["--window-bars", "4000"]].concat();
    check(&flag, &environment, ("4000", "flag --window-bars"));
}

#[test]
fn the_commented_file_lists_every_setting_with_its_default() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/walkforward.toml")).unwrap();
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            continue;
        }
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some((name, value)) = bare.split_once(" = ")
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && section != "pack"
        {
            let value = value.trim_matches('"').to_owned();
            found.push((format!("{section}.{name}"), (!line.starts_with('#')).then_some(value)));
        }
    }
    let expected: Vec<_> =
        SETTINGS.iter().map(|it| (it.key.to_owned(), it.default.map(str::to_owned))).collect();
    let by_key = |mut rows: Vec<(String, Option<String>)>| {
        rows.sort();
        rows
    };
    assert_eq!(by_key(found), by_key(expected));
}

#[test]
fn the_commented_file_is_accepted_as_it_is() {
    let world = World::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/walkforward.toml");
    world.orchestrate(&["config", "show", "--config", file], &[]).expect_code(0);
}

#[test]
fn the_commented_file_lists_the_trainers_defaults() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/walkforward.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let defaults = serde_json::to_value(PpoConfig::default()).unwrap();
    let defaults = defaults.as_object().unwrap();
    let listed = serde_json::to_value(&table["pack"]).unwrap();
    for (key, value) in defaults.iter().filter(|(_, value)| !value.is_null()) {
        assert_eq!(&listed[key], value, "{key}");
    }
    let optional = defaults.iter().filter(|(_, value)| value.is_null());
    for (key, _) in optional {
        assert!(text.contains(&format!("# {key} = ")), "{key}");
    }
    assert_eq!(PpoConfig::from_pack(&listed).unwrap(), PpoConfig::default());
}

#[test]
fn an_unknown_key_or_a_broken_file_is_refused_by_name() {
    let world = World::new();
    let check = |content: &str, parts: &[&str]| {
        let file = world.file("settings.toml", content);
        world.orchestrate(&["--once", "--config", &file], &[]).expect_refusal(parts);
        world.expect_untouched();
    };
    check("[data]\nwindow = 5\n", &["data.window", "did you mean 'data.window_bars'"]);
    check("window_bars = 5\n", &["window_bars", "section"]);
    check("[data\n", &["settings.toml"]);
    check("[data]\nwindow_bars = [1]\n", &["data.window_bars"]);
    check("[pack]\nlearning_rat = 1\n", &["learning_rat"]);
    check("[pack]\nlearning_rate = -1\n", &["learning_rate"]);
    world.orchestrate(&["--once", "--config", "absent.toml"], &[]).expect_refusal(&["absent.toml"]);
}

#[test]
fn the_file_chooses_what_a_policy_sees_and_the_bundle_carries_it() {
    let world = World::new();
    let file = world.file(
        "settings.toml",
        "[[features]]\nkind = \"macd\"\nfast = 5\nslow = 10\nsignal = 3\n[[features]]\nkind = \"roc\"\nperiod = 12\n",
    );
    let (value, origin) = shown(&world, &["--config", &file], &[], "features");
    assert!(
        value.contains("\"macd\"") && value.contains("\"roc\"") && origin.contains("settings.toml"),
        "{value}"
    );
    let report = world.once(&["--config", &file], GOOD_METRICS).expect_code(0).json();
    let weights = world.path(&format!("models/{}/policy.safetensors", report["modelId"].as_str().unwrap()));
    let text = String::from_utf8_lossy(&std::fs::read(weights).unwrap()).into_owned();
    assert!(text.contains("macd") && !text.contains("vol_ratio"));
    world.live_trader(&["--bars", "5"]).expect_code(0);
}

#[test]
fn features_that_make_no_sense_are_refused_by_file_and_column() {
    let world = World::new();
    let check = |text: &str, parts: &[&str]| {
        let file = world.file("settings.toml", text);
        world
            .once(&["--config", &file], &[])
            .expect_refusal(&[&["settings.toml", "[[features]]"], parts].concat());
    };
    check("[[features]]\nkind = \"rsi\"\nperiod = 1\n", &["rsi", "period of 1"]);
    check("[[features]]\nkind = \"crystal_ball\"\n", &["crystal_ball"]);
    check(
        "[[features]]\nkind = \"rsi\"\nperiod = 14\n[[features]]\nkind = \"rsi\"\nperiod = 7\n",
        &["'rsi' is made twice"],
    );
    check("features = 3\n", &[]);
    world.expect_untouched();
}
