//! What other tools rely on: environment variables, files, keys, exit codes.

use serde_json::{Value, json};

use crate::support::{GOOD_METRICS, LENIENT, World};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_run_leaves_the_documented_files_and_keys() {
    let world = World::new();
    let report = world.promote();
    let (run, model) = (report["runId"].as_str().unwrap(), report["modelId"].as_str().unwrap());
    assert_eq!(model, format!("model-{run}"));

    let etl = world.read_json(&format!("data/etl/etl-{run}.json"));
    let metadata = world.read_json(&format!("models/{model}/metadata.json"));
    let pointer = world.read_json("models/latest.json");
    let recipe = &metadata["recipe"];
    for (name, value) in [("etl", &etl), ("metadata", &metadata), ("recipe", recipe), ("pointer", &pointer)] {
        insta::assert_snapshot!(format!("keys_of_{name}"), keys(value).join("\n"));
    }
    assert_eq!(metadata["status"], "promoted");
    assert_eq!(metadata["promoted"], true);
    assert_eq!(metadata["metrics"]["winRate"], 0.62);
    assert!(metadata["training"]["instructionSet"].is_string(), "{metadata}");
    assert_eq!(pointer["modelId"], model);
    assert_eq!(pointer["sha256"], report["sha256"]);
    assert!(world.path(&format!("models/{model}/policy.safetensors")).is_file());
    assert!(world.path(&format!("models/{model}/optimizer.safetensors")).is_file());
}

#[test]
fn a_rejected_model_is_exit_0_and_moves_no_pointer() {
    let world = World::new();
    let ran = world.once(&[], &[("EVAL_WIN_RATE", "0.5")]).expect_code(0);
    let report = ran.json();
    assert_eq!(report["outcome"], "rejected");
    assert!(!world.path("models/latest.json").exists());
    let model = report["modelId"].as_str().unwrap();
    let metadata = world.read_json(&format!("models/{model}/metadata.json"));
    assert_eq!((&metadata["status"], &metadata["promoted"]), (&json!("rejected"), &json!(false)));
}

#[test]
fn thresholds_are_inclusive() {
    let world = World::new();
    let at_the_edge = [("EVAL_WIN_RATE", "0.55"), ("EVAL_MAX_DRAWDOWN", "0.2"), ("EVAL_PNL_PER_TRADE", "0")];
    assert_eq!(world.once(&[], &at_the_edge).expect_code(0).json()["outcome"], "promoted");
    for (name, value) in
        [("EVAL_WIN_RATE", "0.5499"), ("EVAL_MAX_DRAWDOWN", "0.2001"), ("EVAL_PNL_PER_TRADE", "-0.0001")]
    {
        let mut env = at_the_edge.to_vec();
        env.retain(|(other, _)| *other != name);
        env.push((name, value));
        assert_eq!(world.once(&[], &env).expect_code(0).json()["outcome"], "rejected", "{name}");
    }
}

#[test]
fn metrics_that_are_not_supplied_default_to_values_that_fail() {
    let world = World::new();
    for one in GOOD_METRICS {
        let report = world.once(&[], &[*one]).expect_code(0).json();
        let metrics = &report["candidate"]["metrics"];
        assert_eq!(report["outcome"], "rejected", "{one:?}");
        let expected = |name: &str, key: &str, default: f64| {
            let value = if one.0 == name { one.1.parse().unwrap() } else { default };
            assert_eq!(metrics[key], value, "{one:?} {key}");
        };
        expected("EVAL_WIN_RATE", "winRate", 0.0);
        expected("EVAL_MAX_DRAWDOWN", "maxDrawdown", 1.0);
        expected("EVAL_PNL_PER_TRADE", "pnlPerTrade", 0.0);
    }
}

#[test]
fn thresholds_come_from_the_environment() {
    let world = World::new();
    let supplied = [("EVAL_WIN_RATE", "0.3"), ("EVAL_MAX_DRAWDOWN", "0.6"), ("EVAL_PNL_PER_TRADE", "-0.1")];
    let loose = [("MIN_WIN_RATE", "0.3"), ("MAX_DRAWDOWN", "0.6"), ("MIN_PNL_PER_TRADE", "-0.1")];
    let report = world.once(&[], &[supplied, loose].concat()).expect_code(0).json();
    assert_eq!(report["outcome"], "promoted");
    let model = report["modelId"].as_str().unwrap();
    let gate = &world.read_json(&format!("models/{model}/metadata.json"))["promotionGate"];
    assert_eq!(
        (&gate["minWinRate"], &gate["maxDrawdown"], &gate["minPnlPerTrade"]),
        (&json!(0.3), &json!(0.6), &json!(-0.1))
    );
}

#[test]
fn a_metrics_file_replaces_the_backtest_and_promotes_once() {
    let world = World::new();
    let file = world.file("metrics.json", r#"{"winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#);
    let env = [("EVAL_METRICS_PATH", file.as_str())];
    let report = world.once(&[], &env).expect_code(0).json();
    assert_eq!(report["outcome"], "promoted");
    assert_eq!(report["judgedSpan"], Value::Null);
    let model = report["modelId"].as_str().unwrap();
    let metadata = world.read_json(&format!("models/{model}/metadata.json"));
    assert_eq!(metadata["suppliedBy"]["kind"], "file");

    world.once(&[], &env).expect_refusal(&["already promoted", "--allow-reused-metrics"]);
    let again = world.once(&["--allow-reused-metrics"], &env).expect_code(0).json();
    assert_eq!(again["outcome"], "promoted");
}

#[test]
fn a_metrics_file_of_another_model_is_refused_before_anything_is_written() {
    let world = World::new();
    let file = world.file(
        "metrics.json",
        r#"{"modelId": "model-2020-01-01T00-00-00-000Z", "winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#,
    );
    world.once(&[], &[("EVAL_METRICS_PATH", &file)]).expect_refusal(&["model-2020-01-01T00-00-00-000Z"]);
    assert!(!world.path("models/latest.json").exists());
    assert_eq!(std::fs::read_dir(world.path("data/etl")).map_or(0, Iterator::count), 0);
}

#[test]
fn orchestration_mode_once_runs_once() {
    let world = World::new();
    let args = [crate::support::SMALL, &["--json"]].concat();
    let env = [GOOD_METRICS, &[("ORCHESTRATION_MODE", "once")]].concat();
    let report = world.orchestrate(&args, &env).expect_code(0).json();
    assert_eq!(report["outcome"], "promoted");
}

#[test]
fn the_built_in_backtest_judges_without_supplied_metrics() {
    let world = World::new();
    let report = world.once(&[], &[]).expect_code(0).json();
    assert_ne!(report["judgedSpan"], Value::Null);
    assert_eq!(report["candidate"]["metrics"]["bars"], 300);
    let names: Vec<_> = report["baselines"].as_array().unwrap().iter().map(|it| &it["subject"]).collect();
    assert_eq!(names, ["flat", "buy_and_hold"]);
}

#[test]
fn two_champions_in_a_row_are_compared_on_the_same_bars() {
    let world = World::new();
    let first = world.once(&["--iterations", "12"], LENIENT).expect_code(0).json();
    assert_eq!(first["outcome"], "promoted", "{first}");
    assert_eq!(first["champion"], Value::Null);
    let second = world.once(&["--iterations", "12"], LENIENT).expect_code(0).json();
    assert_eq!(second["champion"]["subject"], first["modelId"]);
    assert_eq!(second["champion"]["metrics"]["bars"], second["candidate"]["metrics"]["bars"]);
    // The same seed on the same bars made the same model, so both did the same.
    assert_eq!(second["champion"]["metrics"], second["candidate"]["metrics"]);

    let table = world.orchestrate(&[&["--once"], crate::support::SMALL].concat(), LENIENT).expect_code(0);
    assert!(table.stdout.contains("candidate") && table.stdout.contains("champion"), "{}", table.stdout);
}

#[test]
fn a_second_run_in_the_same_folder_is_skipped_with_the_holder_named() {
    let world = World::new();
    let mut first =
        world.command("orchestrate").args(["--once", "--quiet", "--iterations", "1000000"]).spawn().unwrap();
    let lock = world.path("data/run.lock");
    while std::fs::read_to_string(&lock).map_or(true, |text| text.is_empty()) {
        assert_eq!(first.try_wait().unwrap(), None, "the first run ended");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let second = world.once(&[], &[]).expect_code(0).json();
    assert_eq!(second["outcome"], "skipped");
    assert!(second["reason"].as_str().unwrap().contains(&first.id().to_string()), "{second}");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_training_continues_from_the_champion_on_request_and_records_it() {
    let world = World::new();
    let first = world.promote();
    let report = world.once(&["--parent", "champion"], GOOD_METRICS).expect_code(0).json();
    let model = report["modelId"].as_str().unwrap();
    let metadata = world.read_json(&format!("models/{model}/metadata.json"));
    assert_eq!(metadata["parentId"], first["modelId"]);
    assert_eq!(metadata["parentChoice"]["taken"], first["modelId"]);
    assert_ne!(report["sha256"], first["sha256"]);

    // A week earlier champion and parent have seen the hold-out: the training starts from fresh weights.
    let earlier = ["--parent", "champion", "--as-of", "2023-12-25T00:00:00Z"];
    let cold = world.once(&earlier, GOOD_METRICS).expect_code(0).json();
    let model = cold["modelId"].as_str().unwrap();
    let metadata = world.read_json(&format!("models/{model}/metadata.json"));
    assert_eq!(metadata["parentId"], Value::Null);
    let choice = &metadata["parentChoice"];
    assert_eq!((&choice["asked"], &choice["taken"]), (&report["modelId"], &Value::Null));
    assert!(choice["reason"].as_str().unwrap().contains("fresh weights"), "{choice}");
}

#[test]
fn the_nearest_ancestor_that_has_not_seen_the_hold_out_takes_the_place_of_the_champion() {
    let world = World::new();
    let run = |as_of: &str| {
        let args = ["--parent", "champion", "--as-of", as_of];
        let report = world.once(&args, GOOD_METRICS).expect_code(0).json();
        let model = report["modelId"].as_str().unwrap().to_owned();
        (world.read_json(&format!("models/{model}/metadata.json")), model)
    };
    let (_, grandparent) = run("2023-12-01T00:00:00Z");
    let (second, _) = run("2023-12-28T00:00:00Z");
    assert_eq!(second["parentId"], grandparent.as_str());
    let (third, champion) = run("2023-12-30T00:00:00Z");
    assert_eq!(third["parentId"], second["modelId"]);
    // Trained until 12-15 and 12-17; here training ends at 12-07.
    let (child, _) = run("2023-12-20T00:00:00Z");
    assert_eq!(child["parentId"], grandparent.as_str());
    assert_eq!(child["parentChoice"]["asked"], champion.as_str());
    assert!(child["parentChoice"]["reason"].as_str().unwrap().contains("nearest ancestor"));
}

#[test]
fn a_longer_hold_out_takes_an_older_parent_or_none_and_judges_on_what_is_unseen() {
    let world = World::new();
    let run = |as_of: &str, holdout: &str| {
        let args =
            ["--iterations", "12", "--parent", "champion", "--as-of", as_of, "--holdout-bars", holdout];
        let report = world.once(&args, LENIENT).expect_code(0).json();
        let model = report["modelId"].as_str().unwrap().to_owned();
        (world.read_json(&format!("models/{model}/metadata.json")), report, model)
    };
    let (_, _, grandparent) = run("2023-12-10T00:00:00Z", "300");
    run("2023-12-31T00:00:00Z", "300");
    // Training now ends 300 hours earlier, between the two. The champion leaves the last 300 bars to judge on.
    let (child, report, _) = run("2023-12-31T00:00:00Z", "600");
    assert_eq!(child["parentId"], grandparent.as_str());
    assert!(child["parentChoice"]["reason"].as_str().unwrap().contains("nearest ancestor"), "{child}");
    assert_eq!((&report["holdoutBars"], &report["candidate"]["metrics"]["bars"]), (&600.into(), &300.into()));
    // Nobody is clean for a hold-out that begins before the first training ended.
    let (cold, report, _) = run("2023-12-31T00:00:00Z", "1100");
    assert_eq!((&cold["parentId"], &cold["parentChoice"]["taken"]), (&Value::Null, &Value::Null));
    // The child is the champion by now, and has seen all but the last 600 bars.
    assert_eq!(report["candidate"]["metrics"]["bars"], 600);
}

#[test]
fn an_embargo_keeps_training_away_from_the_hold_out() {
    let used = |args: &[&str]| {
        let report = World::new().once(args, &[]).expect_code(0).json();
        assert_eq!(report["candidate"]["metrics"]["bars"], 300);
        report["training"]["usedUntil"].as_str().unwrap().to_owned()
    };
    assert_eq!(used(&[]), "2023-12-19T12:00:00.000Z");
    assert_eq!(used(&["--embargo-bars", "24"]), "2023-12-18T12:00:00.000Z");
    World::new().once(&["--embargo-bars", "1200"], &[]).expect_refusal(&["--embargo-bars", "1500 bars"]);
}

#[test]
fn a_champion_that_has_seen_the_hold_out_leaves_nothing_to_judge_on() {
    let world = World::new();
    world.promote();
    let models = || std::fs::read_dir(world.path("models")).unwrap().count();
    let before = models();
    // Three weeks earlier, every bar of the hold-out is one that the champion was trained on.
    let report = world.once(&["--as-of", "2023-12-10T00:00:00Z"], &[]).expect_code(0).json();
    assert_eq!(report["outcome"], "skipped", "{report}");
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.contains("no candidate could be judged") && reason.contains("250 more"), "{reason}");
    assert_eq!(models(), before, "a model was trained that nobody could judge");
    // Supplied metrics are not judged on bars.
    let supplied = world.once(&["--as-of", "2023-12-10T00:00:00Z"], GOOD_METRICS).expect_code(0).json();
    assert_eq!(supplied["outcome"], "promoted");
}

#[test]
fn the_supervised_baseline_is_one_flag_away() {
    let world = World::new();
    let args = ["--once", "--json", "--trainer", "supervised", "--window-bars", "3000"];
    let report = world.orchestrate(&args, &[]).expect_code(0).json();
    assert_eq!(report["training"]["trainer"], "supervised");
    assert_eq!(report["candidate"]["metrics"]["bars"], 336);
    let both = [&args[..], &["--iterations", "3"]].concat();
    world.orchestrate(&both, &[]).expect_refusal(&["--iterations"]);
}

#[test]
fn a_first_run_on_the_built_in_bars_finds_the_edge_and_promotes() {
    let world = World::new();
    let report = world.orchestrate(&["--once", "--json"], &[]).expect_code(0).json();
    assert_eq!(report["outcome"], "promoted", "{report}");
    let sharpe = report["candidate"]["metrics"]["sharpe"].as_f64().unwrap();
    assert!(sharpe >= 10.0, "net Sharpe {sharpe}");
}

#[test]
fn a_reader_that_went_away_or_a_full_disk_is_no_panic() {
    let world = World::new();
    for (out, code) in [("/dev/full", 1), ("closed", 0)] {
        let mut command = world.command("orchestrate");
        command
            .args([&["--once", "--json"], crate::support::SMALL].concat())
            .envs(GOOD_METRICS.iter().copied());
        if out == "closed" {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.stdout(writer);
        } else {
            command.stdout(std::fs::OpenOptions::new().write(true).open(out).unwrap());
        }
        let ran = crate::support::Ran::from(command.stderr(std::process::Stdio::piped()).output().unwrap());
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        assert_eq!(ran.code, Some(code), "{out}: {ran:?}");
    }
}
