//! What a model has from its parent, and whether it can be made again from its record alone.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use walkforward_core::{BarRequest, Timestamp};

use crate::support::bars_service::BarsService;
use crate::support::server::eventually;
use crate::support::{GOOD_METRICS, Ran, World};

/// Cycles of the chain, every six hours.
const CYCLES: usize = 20;
const SIX_HOURS_MS: i64 = 6 * 3_600_000;

/// A training that takes a few milliseconds.
const PACK: &str =
    "iterations = 2\nnum_envs = 4\nnum_steps = 32\nhidden = [8]\nlookback = 2\nepisode_bars = 64\n";

/// A folder with a small pack and runs in it.
struct Line {
    world: World,
}

impl Line {
    fn new() -> Self {
        let world = World::new();
        world.file("settings.toml", format!("[pack]\n{PACK}"));
        Self { world }
    }

    /// One small run over 700 hours with more arguments; gives the metadata of its model.
    fn run(&self, args: &[&str]) -> Value {
        let base = ["--once", "--json", "--config", "settings.toml", "--window-bars", "700"];
        let all = [&base[..], &["--holdout-bars", "300", "--seed", "7"], args].concat();
        let report = self.world.orchestrate(&all, GOOD_METRICS).expect_code(0).json();
        self.metadata(report["modelId"].as_str().unwrap())
    }

    /// A chain of models, each continued from the one before.
    fn chain(&self, length: usize) -> Vec<Value> {
        let start: Timestamp = "2023-12-01T00:00:00Z".parse().unwrap();
        let run = |cycle: usize| {
            let as_of = start.plus_millis(cycle as i64 * SIX_HOURS_MS).to_string();
            // With every model promoted, both are the model before.
            let parent = if cycle.is_multiple_of(2) { "champion" } else { "latest" };
            let launcher = if cycle % 4 == 3 { "subprocess" } else { "in_process" };
            self.run(&["--parent", parent, "--as-of", &as_of, "--launcher", launcher])
        };
        (0..length).map(run).collect()
    }

    fn metadata(&self, id: &str) -> Value {
        self.world.read_json(&format!("models/{id}/metadata.json"))
    }

    fn edit(&self, id: &str, edit: impl FnOnce(&mut Value)) {
        let mut metadata = self.metadata(id);
        edit(&mut metadata);
        self.world.file(&format!("models/{id}/metadata.json"), metadata.to_string());
    }

    fn reproduce(&self, id: &str) -> Ran {
        self.world.orchestrate(&["models", "reproduce", id, "--json"], &[])
    }

    /// Reproducing `id` ends as not comparable, for a reason with `parts` in it.
    fn expect_not_comparable(&self, id: &str, parts: &[&str]) {
        let ran = self.reproduce(id).expect_code(2);
        let found = ran.json();
        assert_eq!((&found["outcome"], &found["files"]), (&json!("not_comparable"), &json!([])));
        for part in parts {
            let reason = found["reason"].as_str().unwrap();
            assert!(reason.contains(part) && ran.stderr.contains(part), "no '{part}' in: {ran:?}");
        }
    }

    /// Every file below data and models, with its bytes.
    fn files(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        let mut open = vec![self.world.path("data"), self.world.path("models")];
        let mut files = BTreeSet::new();
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    files.insert((path, bytes));
                }
            }
        }
        files
    }
}

fn id(metadata: &Value) -> &str {
    metadata["modelId"].as_str().unwrap()
}

#[test]
fn every_model_of_a_warm_started_chain_is_made_again_with_the_same_bytes() {
    let line = Line::new();
    let chain = line.chain(CYCLES);
    let hashes: BTreeSet<&str> = chain.iter().map(|model| model["sha256"].as_str().unwrap()).collect();
    assert_eq!(hashes.len(), CYCLES, "two models of the chain are the same");
    let before = line.files();
    for (cycle, model) in chain.iter().enumerate() {
        let parent = cycle.checked_sub(1).map_or(Value::Null, |before| chain[before]["modelId"].clone());
        assert_eq!(model["parentId"], parent, "cycle {cycle}");
        let found = line.reproduce(id(model)).expect_code(0).json();
        assert_eq!((&found["outcome"], &found["parentId"]), (&json!("identical"), &parent));
        let expected = [
            json!({ "file": "policy.safetensors", "recorded": model["sha256"], "made": model["sha256"] }),
            json!({
                "file": "optimizer.safetensors",
                "recorded": model["optimizerSha256"],
                "made": model["optimizerSha256"],
            }),
        ];
        assert_eq!(found["files"], json!(expected), "cycle {cycle}");
    }
    assert!(before == line.files(), "reproducing changed the folders");
}

#[test]
fn a_parent_whose_weights_are_gone_is_named() {
    let line = Line::new();
    let chain = line.chain(4);
    let folder = format!("models/{}", id(&chain[1]));
    std::fs::remove_file(line.world.path(&format!("{folder}/policy.safetensors"))).unwrap();
    line.expect_not_comparable(id(&chain[2]), &[id(&chain[1]), "policy.safetensors", "gone"]);
    // What continues from another, and what lost its own weights, are compared with the record all the same.
    for model in [&chain[0], &chain[1], &chain[3]] {
        assert_eq!(line.reproduce(id(model)).expect_code(0).json()["outcome"], "identical");
    }
    std::fs::remove_file(line.world.path(&format!("models/{}/optimizer.safetensors", id(&chain[2]))))
        .unwrap();
    line.expect_not_comparable(id(&chain[3]), &[id(&chain[2]), "optimizer.safetensors", "gone"]);
    line.edit(id(&chain[1]), |metadata| {
        metadata["weightsRemoved"] = json!({ "at": "2024-02-01T00:00:00Z", "by": "retention" });
    });
    line.expect_not_comparable(id(&chain[2]), &[id(&chain[1]), "2024-02-01", "retention"]);
    std::fs::remove_dir_all(line.world.path(&folder)).unwrap();
    line.expect_not_comparable(id(&chain[2]), &[id(&chain[1]), "gone"]);
}

/// Nothing but use keeps weights.
const KEEP_NOTHING: &[(&str, &str)] =
    &[("WALKFORWARD_KEEP_LAST", "0"), ("WALKFORWARD_KEEP_DAYS", "0"), ("WALKFORWARD_REPRODUCIBLE_DAYS", "0")];

#[test]
fn retention_leaves_a_parent_alone_while_a_model_is_made_again_from_it() {
    let line = Line::new();
    let world = &line.world;
    line.run(&[]);
    let run = |args: &[&str]| {
        let base =
            ["--once", "--json", "--config", "settings.toml", "--window-bars", "700", "--holdout-bars"];
        let all = [&base[..], &["300", "--parent", "latest"], args].concat();
        let report = world.orchestrate(&all, &[("EVAL_WIN_RATE", "0.1")]).expect_code(0).json();
        report["modelId"].as_str().unwrap().to_owned()
    };
    let parent = run(&["--as-of", "2023-12-01T00:00:00Z"]);
    let child = run(&["--as-of", "2023-12-02T00:00:00Z"]);
    assert_eq!(line.metadata(&child)["parentId"], parent);
    // Long enough to be looked at in the middle; that the bytes are others then does not matter here.
    line.edit(&child, |metadata| metadata["pack"]["iterations"] = json!(1_000_000));
    let why = || {
        let dry = world.orchestrate(&["models", "prune", "--dry-run", "--json"], KEEP_NOTHING);
        let dry = dry.expect_code(0).json();
        let kept = dry["kept"].as_array().unwrap().iter().find(|kept| kept["model"] == parent);
        kept.map(|kept| kept["why"].as_str().unwrap().to_owned())
    };
    assert_eq!(why(), None);
    let mut command = world.command("orchestrate");
    let mut again = command.args(["models", "reproduce", &child, "--quiet"]).spawn().unwrap();
    eventually("the parent is loaded", || why().is_some());
    assert_eq!(why().as_deref(), Some("loaded by a trader or a training"));
    world.orchestrate(&["models", "prune"], KEEP_NOTHING).expect_code(0);
    assert!(world.path(&format!("models/{parent}/policy.safetensors")).exists());
    again.kill().unwrap();
    again.wait().unwrap();
    world.orchestrate(&["models", "prune"], KEEP_NOTHING).expect_code(0);
    assert!(!world.path(&format!("models/{parent}/policy.safetensors")).exists());
}

#[test]
fn bars_come_from_the_service_on_record_whatever_the_settings_of_now_say() {
    let line = Line::new();
    let (recorded, other) = (BarsService::start(200), BarsService::start(200));
    let alpaca = ["--source", "alpaca", "--as-of", "2024-03-01T00:30:00Z"];
    let base =
        ["--once", "--json", "--config", "settings.toml", "--window-bars", "700", "--holdout-bars", "300"];
    let env = [GOOD_METRICS, &[recorded.env()]].concat();
    let report = line.world.orchestrate(&[&base[..], &alpaca].concat(), &env).expect_code(0).json();
    let id = report["modelId"].as_str().unwrap();
    recorded.take_requests();
    let now = [other.env(), ("WALKFORWARD_ALPACA_LOCATION", "eu-1")];
    let reproduce = |world: &World, args: &[&str]| {
        let all = [&["models", "reproduce", id, "--json"], args].concat();
        assert_eq!(world.orchestrate(&all, &now).expect_code(0).json()["outcome"], "identical");
    };
    // The cache of its own data folder has them.
    reproduce(&line.world, &[]);
    assert_eq!((recorded.take_requests(), other.take_requests()), (vec![], vec![]));
    // That of another data folder has bars of the same market from another host, and those are not taken.
    let elsewhere = World::new();
    let fetch = [&["data", "fetch", "--window-bars", "700"], &alpaca[..]].concat();
    elsewhere.orchestrate(&fetch, &now).expect_code(0);
    assert!(!other.take_requests().is_empty());
    let models = line.world.path("models").display().to_string();
    reproduce(&elsewhere, &["--models-dir", &models]);
    let asked = recorded.take_requests();
    assert!(
        !asked.is_empty() && asked.iter().all(|request| request.contains("/crypto/us/bars")),
        "{asked:?}"
    );
    assert_eq!(other.take_requests(), Vec::<String>::new());
}

/// Hours of a walk in CSV; `scale` changes the last price.
fn csv(scale: f64) -> String {
    let source = walkforward_etl::SyntheticSource::new(3);
    let bars = source.read(&BarRequest::new("BTC/USD".parse().unwrap(), 1_000)).unwrap().bars;
    let last = bars.len() - 1;
    let rows = bars.iter().enumerate().map(|(index, bar)| {
        let close = bar.close() * if index == last { scale } else { 1.0 };
        let (high, low) = (bar.high().max(close), bar.low().min(close));
        format!("{},{},{high},{low},{close},{}\n", bar.open_time(), bar.open(), bar.volume())
    });
    std::iter::once("time,open,high,low,close,volume\n".to_owned()).chain(rows).collect()
}

#[test]
fn what_a_model_was_made_from_and_is_no_longer_there_is_said() {
    let line = Line::new();
    line.world.file("bars.csv", csv(1.0));
    let model = line.run(&["--path", "bars.csv", "--fee-bps", "11"]);
    let (id, recipe) = (id(&model), &model["recipe"]);
    assert_eq!(recipe["settings"]["data.path"], line.world.path("bars.csv").display().to_string());
    assert_eq!(recipe["settings"]["costs.fee_bps"], "11");
    // Neither the folder that it is run in nor its settings matter, and a bar that was added does not.
    line.world.file("bars.csv", csv(1.0) + "2024-01-01T00:00:00Z,1,1,1,1,1\n");
    let elsewhere = World::new();
    let models = line.world.path("models").display().to_string();
    let args = ["models", "reproduce", id, "--json", "--models-dir", &models, "--fee-bps", "99"];
    assert_eq!(elsewhere.orchestrate(&args, &[]).expect_code(0).json()["outcome"], "identical");

    line.world.file("bars.csv", csv(1.01));
    line.expect_not_comparable(id, &["bars have changed", model["datasetHash"].as_str().unwrap()]);
    std::fs::remove_file(line.world.path("bars.csv")).unwrap();
    line.expect_not_comparable(id, &["data.path", id, "no regular file"]);
}

#[test]
fn another_version_is_tried_and_other_bytes_are_told_apart() {
    let line = Line::new();
    line.world.file("bars.csv", csv(1.0));
    let model = line.run(&["--path", "bars.csv"]);
    let id = id(&model);
    line.edit(id, |metadata| metadata["codeVersion"] = "0.0.1".into());
    let found = line.reproduce(id).expect_code(0).json();
    assert_eq!(
        (&found["outcome"], &found["codeVersion"]["recorded"]),
        (&json!("identical"), &json!("0.0.1"))
    );
    assert!(found["notes"][0].as_str().unwrap().contains("0.0.1"), "{found}");

    line.edit(id, |metadata| metadata["seed"] = 8.into());
    let ran = line.reproduce(id).expect_code(1);
    assert_eq!(ran.json()["outcome"], "different");
    assert!(ran.stderr.contains("policy.safetensors and optimizer.safetensors differ"), "{}", ran.stderr);
    let human = line.world.orchestrate(&["models", "reproduce", id], &[]).expect_code(1);
    assert!(human.stdout.contains(model["sha256"].as_str().unwrap()), "{human:?}");
}

#[test]
fn a_model_of_other_instructions_or_of_another_program_is_not_comparable() {
    let line = Line::new();
    let model = line.run(&[]);
    let recorded = model["training"].clone();
    line.edit(id(&model), |metadata| metadata["training"]["instructionSet"] = "avx9000".into());
    line.expect_not_comparable(id(&model), &["avx9000", "this machine"]);
    line.edit(id(&model), |metadata| metadata["training"]["instructionSet"] = "portable".into());
    assert_eq!(line.reproduce(id(&model)).expect_code(0).json()["outcome"], "identical");
    line.edit(id(&model), |metadata| {
        metadata["training"] = recorded;
        metadata["training"]["trainer"] = "trend".into();
    });
    line.expect_not_comparable(id(&model), &["trainer trend"]);
    line.edit(id(&model), |metadata| metadata["recipe"] = Value::Null);
    line.expect_not_comparable(id(&model), &["no recipe"]);
    line.world
        .orchestrate(&["models", "reproduce", "model-2020-01-01T00-00-00-000Z"], &[])
        .expect_refusal(&["model-2020-01-01T00-00-00-000Z"]);
}

#[test]
fn a_network_of_candle_is_made_again_on_the_arithmetic_of_its_record_alone() {
    for network in ["network = { gru = { units = 4 } }", "network = \"layer_norm_mlp\""] {
        let line = Line::new();
        line.world.file("settings.toml", format!("[pack]\n{PACK}{network}\n"));
        let model = line.run(&[]);
        let name = model["training"]["instructionSet"].as_str().unwrap().to_owned();
        assert!(name.starts_with("candle-"), "{name}");
        assert_eq!(line.reproduce(id(&model)).expect_code(0).json()["outcome"], "identical");
        line.edit(id(&model), |metadata| metadata["training"]["instructionSet"] = "candle-avx2-0".into());
        line.expect_not_comparable(id(&model), &["candle-avx2-0", "this machine"]);
    }
}

#[test]
fn the_supervised_baseline_and_a_program_of_ones_own_are_made_again_too() {
    let world = World::new();
    let base = ["--once", "--json", "--window-bars", "1500", "--holdout-bars", "300", "--parent", "latest"];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python_trainer/train.py");
    let words = serde_json::to_string(&["python3", script]).unwrap();
    let has_python = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !has_python {
        eprintln!("skipped: a program of one's own needs python3");
    }
    let supervised = ["--trainer", "supervised"];
    let command = ["--launcher", "command", "--command", &words];
    for more in [&supervised[..], &command].iter().take(if has_python { 2 } else { 1 }) {
        let mut models = Vec::new();
        for _ in 0..2 {
            let report = world.orchestrate(&[&base, *more].concat(), &[]).expect_code(0).json();
            models.push(report["modelId"].as_str().unwrap().to_owned());
        }
        let metadata = world.read_json(&format!("models/{}/metadata.json", models[1]));
        assert_eq!(
            (&metadata["parentId"], &metadata["parentChoice"]["asked"]),
            (&Value::Null, &json!(models[0]))
        );
        assert!(metadata["parentChoice"]["reason"].as_str().unwrap().contains("afresh"), "{metadata}");
        let ran = world.orchestrate(&["models", "reproduce", &models[1], "--json"], &[]);
        assert_eq!(ran.expect_code(0).json()["outcome"], "identical");
    }
}

#[test]
fn a_program_that_gives_other_bytes_each_time_is_not_comparable() {
    let world = World::new();
    world.file("count", "0");
    let script = "echo $(($(cat count) + 1)) > count; cp count \
        \"$(sed -n 's/.*\"out_dir\": *\"\\([^\"]*\\)\".*/\\1/p' \"$1\")/policy.safetensors\"; \
        attempt=$(sed -n 's/.*\"attempt\": *\"\\([^\"]*\\)\".*/\\1/p' \"$1\"); \
        echo \"{\\\"type\\\":\\\"outcome\\\",\\\"attempt\\\":\\\"$attempt\\\"}\"";
    let words = serde_json::to_string(&["/bin/sh", "-c", script, "sh"]).unwrap();
    let args = ["--once", "--json", "--window-bars", "700", "--launcher", "command", "--command", &words];
    let report = world.orchestrate(&args, GOOD_METRICS).expect_code(0).json();
    let model = report["modelId"].as_str().unwrap();
    let ran = world.orchestrate(&["models", "reproduce", model, "--json"], &[]).expect_code(2);
    assert_eq!(ran.json()["outcome"], "not_comparable");
    assert!(ran.stderr.contains("policy.safetensors differs") && ran.stderr.contains("twice"), "{ran:?}");
}

#[test]
fn changed_features_network_or_actions_make_a_cold_start_that_is_recorded() {
    let features = "[[features]]\nkind = \"returns\"\nperiods = [1, 4]\n";
    let packs = [
        (format!("{features}[pack]\n{PACK}"), "other features"),
        (format!("[pack]\n{}", PACK.replace("[8]", "[9]")), "another network"),
        (format!("[pack]\n{PACK}actions = \"buy_sell_hold\"\n"), "actions mean something else"),
    ];
    for (settings, expected) in packs {
        let line = Line::new();
        let first = line.run(&["--as-of", "2023-12-01T00:00:00Z"]);
        line.world.file("settings.toml", settings);
        let model = line.run(&["--parent", "champion", "--as-of", "2023-12-02T00:00:00Z"]);
        let choice = &model["parentChoice"];
        assert_eq!((&model["parentId"], &choice["taken"]), (&Value::Null, &Value::Null));
        assert_eq!(choice["asked"], first["modelId"]);
        let reason = choice["reason"].as_str().unwrap();
        assert!(reason.contains(expected) && reason.contains("fresh weights"), "{reason}");
        assert_eq!(model["lineageUntil"], model["usedUntil"]);
        assert_eq!(line.reproduce(id(&model)).expect_code(0).json()["outcome"], "identical");
        assert_eq!(model["training"]["metrics"]["learning_rate"], 5e-4, "a cold start learns at full speed");
    }
}

#[test]
fn the_latest_model_is_a_parent_whatever_its_verdict_and_an_older_one_stands_in_for_it() {
    let line = Line::new();
    let models: Vec<Value> = ["2023-12-01T00:00:00Z", "2023-12-05T00:00:00Z", "2023-12-09T00:00:00Z"]
        .map(|as_of| line.run(&["--parent", "latest", "--as-of", as_of]))
        .into();
    assert_eq!(models[0]["parentChoice"], Value::Null);
    assert_eq!(models[1]["parentId"], models[0]["modelId"]);
    // Training ends four days earlier than that of the latest model.
    let earlier = line.run(&["--parent", "latest", "--as-of", "2023-12-06T00:00:00Z"]);
    assert_eq!(earlier["parentId"], models[1]["modelId"]);
    assert_eq!(earlier["parentChoice"]["asked"], models[2]["modelId"]);
    let reason = earlier["parentChoice"]["reason"].as_str().unwrap();
    assert!(reason.contains("next older model of the line"), "{reason}");
    assert_eq!(earlier["recipe"]["dataset"]["as_of"], "2023-12-06T00:00:00.000Z");
}
