//! Whose models are whose, and what a server takes away by itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::server::Server;
use crate::support::{Ran, World};

/// Keeps nothing that nothing else keeps, and no evidence.
const NOTHING: &[(&str, &str)] = &[
    ("WALKFORWARD_KEEP_LAST", "0"),
    ("WALKFORWARD_KEEP_DAYS", "0"),
    ("WALKFORWARD_REPRODUCIBLE_DAYS", "0"),
    ("WALKFORWARD_EVIDENCE_DAYS", "0"),
];

fn rejected(world: &World, seed: &str) -> String {
    // A backtest, whose evaluation has series.
    let strict = [("MIN_PNL_PER_TRADE", "1")];
    let report = world.once(&["--seed", seed], &strict).expect_code(0).json();
    assert_ne!(report["outcome"], "promoted", "{report}");
    report["modelId"].as_str().unwrap().to_owned()
}

fn size(world: &World, file: &str) -> u64 {
    std::fs::metadata(world.path(file)).map_or(0, |file| file.len())
}

fn prune(world: &World, env: &[(&str, &str)]) -> Value {
    world.orchestrate(&["models", "prune", "--json"], env).expect_code(0).json()
}

fn in_other(world: &World, args: &[&str]) -> Ran {
    world.orchestrate(&[args, &["--data-dir", "other"]].concat(), &[])
}

#[test]
fn a_second_data_folder_is_refused_and_takes_over_what_was_left_alone() {
    let world = World::new();
    let champion = world.promote()["modelId"].clone();
    let (data, other) = (world.path("data"), world.path("other"));
    let [data, other] = [&data, &other].map(|path| path.display().to_string());
    for args in [&["models", "prune"][..], &["models", "list"], &["schedules", "list"], &["serve"]] {
        in_other(&world, args).expect_refusal(&["models", &data, &other, "--models-dir", "models take-over"]);
    }
    world.once(&["--data-dir", "other"], &[]).expect_refusal(&["belongs to the database of"]);
    let take_over = ["models", "take-over", "--reason", "the disk is gone"];
    in_other(&world, &["models", "take-over", "--reason", " "]).expect_refusal(&["--reason"]);
    in_other(&world, &take_over).expect_refusal(&[&data, "is still there", "move it away"]);
    world.live_trader(&["--bars", "5"]).expect_code(0);
    std::fs::rename(world.path("data"), world.path("lost")).unwrap();
    let done = in_other(&world, &[&take_over[..], &["--json"]].concat()).expect_code(0).json();
    assert_eq!((&done["done"], &done["models_registered"]), (&json!("taken_over"), &json!(1)));
    assert!(done["former"]["dataDir"].as_str().unwrap().ends_with("/data"), "{done}");
    let shown = in_other(&world, &["models", "show", "champion", "--json"]).expect_code(0).json();
    assert_eq!(shown["model"]["model"], champion);
    world.orchestrate(&["models", "list"], &[]).expect_refusal(&["take-over"]);
}

#[test]
fn a_trader_needs_no_database_and_makes_none() {
    let world = World::new();
    world.promote();
    std::fs::remove_dir_all(world.path("data")).unwrap();
    let journal = ["--bars", "20", "--journal", "journal", "--json"];
    assert_eq!(world.live_trader(&journal).expect_code(0).json()["bars"], 20);
    // Its socket lay there.
    let left = |folder: &str| std::fs::read_dir(world.path(folder)).unwrap().count();
    assert_eq!((left("data"), left("data/live")), (1, 0));
}

#[test]
fn old_evidence_goes_with_the_weights_and_records_stay() {
    let world = World::new();
    let old = rejected(&world, "1");
    let champion = world.promote()["modelId"].as_str().unwrap().to_owned();
    let file = |model: &str, name: &str| format!("models/{model}/{name}");
    let etl = |model: &str| format!("data/etl/etl-{}.json", model.strip_prefix("model-").unwrap());
    let before = size(&world, &file(&old, "evaluation.json"));
    assert!(before > 16 << 10, "{before}");
    // Kept for long, it stays; so does that of a model with weights.
    let dry = world.orchestrate(&["models", "prune", "--dry-run"], NOTHING).expect_code(0).stdout;
    assert!(dry.contains("would be removed: the weights of 1 model"), "{dry}");
    let pruned = prune(&world, &NOTHING[..3]);
    assert_eq!(pruned["evidence"]["evaluations"], json!([]));
    assert_eq!(size(&world, &file(&old, "evaluation.json")), before);
    let pruned = prune(&world, NOTHING);
    assert_eq!(pruned["evidence"]["evaluations"], json!([old]));
    assert_eq!(pruned["evidence"]["etl_records"].as_array().unwrap().len(), 1);
    let after = size(&world, &file(&old, "evaluation.json"));
    assert!((1..16 << 10).contains(&after), "{after}");
    assert_eq!((size(&world, &etl(&old)), size(&world, &etl(&champion)) > 0), (0, true));
    let (kept, metadata) =
        (world.read_json(&file(&old, "evaluation.json")), world.read_json(&file(&old, "metadata.json")));
    assert_eq!((&kept["seriesLeftOut"], &kept["candidate"]["metrics"]), (&json!(true), &metadata["metrics"]));
    assert!(!metadata["verdict"]["checks"].as_array().unwrap().is_empty());
    assert_eq!(prune(&world, NOTHING)["evidence"]["bytes"], 0);
    world.orchestrate(&["report", &old, "--quiet"], &[]).expect_code(0);
    assert_eq!(world.orchestrate(&["models", "list", "--json"], &[]).json()["models"][1]["model"], old);
}

#[test]
fn of_old_sessions_of_a_trader_the_rows_go_and_neither_journal_nor_figures() {
    let world = World::new();
    world.promote();
    let trade = |journal: &str, more: &[&str]| {
        world.live_trader(&[&["--bars", "50", "--journal", journal], more].concat()).expect_code(0);
    };
    trade("one", &[]);
    trade("two", &[]);
    let keep_one = [("WALKFORWARD_KEEP_SESSIONS", "1")];
    assert_eq!(prune(&world, &[])["sessions"]["rows"], 0);
    let dry = world.orchestrate(&["models", "prune", "--dry-run", "--json"], &keep_one).expect_code(0).json();
    let pruned = prune(&world, &keep_one);
    assert_eq!(
        (&pruned["sessions"], pruned["sessions"]["sessions"].as_array().unwrap().len()),
        (&dry["sessions"], 1)
    );
    assert!(pruned["sessions"]["rows"].as_u64() > Some(50), "{pruned}");
    world.live_trader(&["verify", "--journal", "one"]).expect_code(0);
    // What was carried over and went does not come back.
    trade("one", &["--continue"]);
    let database = rusqlite::Connection::open(world.path("data/walkforward.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT bars FROM live_sessions WHERE number = 1"), 100);
    assert_eq!(count("SELECT count(*) FROM live_bars WHERE session = 1"), 50);
}

#[test]
fn a_server_prunes_at_its_start_and_says_what_went() {
    let world = World::new();
    let old = [rejected(&world, "1"), rejected(&world, "2")];
    world.promote();
    let weights = |model: &str| world.path(&format!("models/{model}/policy.safetensors")).exists();
    let settings = world.file(
        "settings.toml",
        "[retention]\nkeep_last = 0\nkeep_days = 0\nreproducible_days = 0\nevidence_days = 0\n",
    );
    let off = world.file("off.toml", "[retention]\nprune = false\nkeep_last = 0\nkeep_days = 0\n");
    let mut server = Server::start(&world, &["--config", &off]);
    std::thread::sleep(Duration::from_millis(300));
    server.stop_well();
    assert!(old.iter().all(|model| weights(model)));
    world
        .orchestrate(&["serve"], &[("WALKFORWARD_KEEP_DAYS", "soon")])
        .expect_refusal(&["WALKFORWARD_KEEP_DAYS"]);

    let mut server = Server::start(&world, &["--config", &settings]);
    let said = server.wait_for("retention_pruned", |_| true);
    assert_eq!((&said["models"], &said["evaluations"]), (&json!(2), &json!(2)));
    assert!(said["weights_bytes"].as_u64() > Some(10_000), "{said}");
    server.stop_well();
    assert_eq!(server.events_of("retention_pruned", |_| true).len(), 1);
    assert!(!old.iter().any(|model| weights(model)));
    world.live_trader(&["--bars", "5"]).expect_code(0);
}
