//! Bad input: an error that names the thing, exit 2, nothing written, nothing lost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::{GOOD_METRICS, LENIENT, SMALL, World};

/// Hourly bars with a gentle wave, as CSV with a header.
fn bars_csv(rows: usize) -> String {
    let mut text = "time,open,high,low,close,volume\n".to_owned();
    for hour in 0..rows {
        let price = 100.0 + 10.0 * (hour as f64 / 9.0).sin();
        let time = 1_577_836_800_000_i64 + hour as i64 * 3_600_000;
        writeln!(text, "{time},{price},{},{},{price},5", price + 1.0, price - 1.0).unwrap();
    }
    text
}

/// The bars with the cell in row `row` (1 is the first bar) and column `column` replaced.
fn with_cell(row: usize, column: usize, cell: &str) -> String {
    let mut lines: Vec<String> = bars_csv(2_000).lines().map(str::to_owned).collect();
    let mut cells: Vec<&str> = lines[row].split(',').collect();
    cells[column] = cell;
    lines[row] = cells.join(",");
    lines.join("\n") + "\n"
}

/// A run on a file with this content is refused with these words and leaves no trace.
fn check_file(content: impl AsRef<[u8]>, args: &[&str], parts: &[&str]) {
    let world = World::new();
    let file = world.file("bars.csv", content);
    world.once(&[&["--path", &file], args].concat(), &[]).expect_refusal(parts);
    world.expect_untouched();
}

#[test]
fn a_file_that_is_missing_empty_or_truncated_is_refused_by_name() {
    World::new().once(&["--path", "absent.csv"], &[]).expect_refusal(&["--path", "absent.csv"]);
    check_file("", &[], &["bars.csv", "empty"]);
    check_file("time,open,high,low,close,volume\n", &[], &["bars.csv"]);
    let whole = bars_csv(2_000);
    check_file(&whole[..whole.len() - 12], &[], &["bars.csv", "line 2001"]);
    check_file([0x1f, 0x8b, 8, 0, 1, 2, 3], &[], &["bars.csv"]);
    check_file([0xff, 0xfe, 0x00, 0x41, 0x0a], &[], &["bars.csv"]);
}

#[test]
fn corrupt_cells_are_refused_with_line_and_reason() {
    for (column, cell, reason) in [
        (1, "NaN", "open"),
        (2, "inf", "high"),
        (3, "-5", "low"),
        (4, "0", "close"),
        (2, "1", "high is below"),
        (3, "108", "low is above"),
        (4, "abc", "abc"),
        (5, "-1", "volume"),
        (0, "soon", "soon"),
    ] {
        check_file(with_cell(700, column, cell), &[], &["bars.csv", "line 701", reason]);
    }
}

#[test]
fn a_row_that_is_no_bar_is_tolerated_on_request_and_reported() {
    let world = World::new();
    let file = world.file("bars.csv", with_cell(1_900, 4, "abc"));
    let report = world.once(&["--path", &file, "--max-rejected-rows", "1"], &[]).expect_code(0).json();
    let figures = &report["quality"]["file"];
    assert_eq!(figures["rejected_count"], 1);
    assert_eq!(figures["rejected_rows"][0]["line"], 1_901);
    assert_eq!(figures["missing_bars"], 1);
}

#[test]
fn a_column_mapping_that_does_not_fit_is_refused() {
    let text = bars_csv(2_000);
    check_file(&text, &["--columns", "time,open,high"], &["columns"]);
    check_file(&text, &["--columns", "time,high,low,open,close,volume"], &["bars.csv", "line"]);
    check_file(&text, &["--columns", "time,open,high,low,close,weight"], &["weight"]);
    let flat: String = (0..2_000).fold(String::new(), |mut text, hour| {
        writeln!(text, "{},100,100,100,100,5", 1_577_836_800_000_i64 + hour * 3_600_000).unwrap();
        text
    });
    check_file(flat, &[], &["--columns"]);
}

#[test]
fn too_many_missing_bars_are_refused_with_the_numbers() {
    let mut lines: Vec<String> = bars_csv(2_000).lines().map(str::to_owned).collect();
    lines.drain(1_000..1_300);
    check_file(lines.join("\n") + "\n", &[], &["300", "0.12"]);
}

#[test]
fn a_window_longer_than_the_data_is_refused_with_both_lengths() {
    check_file(bars_csv(1_000), &[], &["1500", "1000"]);
}

#[test]
fn settings_that_are_no_number_or_out_of_range_are_refused_by_name() {
    let world = World::new();
    for (name, values) in [
        ("MIN_WIN_RATE", &["abc", "NaN", "", "1.5", "-0.1", "inf"][..]),
        ("MAX_DRAWDOWN", &["abc", "NaN", "1.5", "-0.1"]),
        ("MIN_PNL_PER_TRADE", &["abc", "NaN", "inf"]),
        ("ORCHESTRATION_INTERVAL_MINUTES", &["0", "-5", "NaN", "abc", "inf"]),
        ("ORCHESTRATION_MODE", &["twice"]),
        ("EVAL_WIN_RATE", &["abc", "NaN", "1.1"]),
        ("EVAL_MAX_DRAWDOWN", &["-1", "x"]),
        ("EVAL_PNL_PER_TRADE", &["inf"]),
    ] {
        for value in values {
            world.once(&[], &[(name, value)]).expect_refusal(&[name]);
            world.expect_untouched();
        }
    }
    for args in [
        ["--window-bars", "0"],
        ["--window-bars", "many"],
        ["--holdout-bars", "1500"],
        ["--iterations", "0"],
        ["--seed", "-1"],
        ["--timeframe", "7x"],
        ["--symbol", "../etc"],
        ["--line", "../other"],
        ["--as-of", "tomorrow"],
        ["--source", "ftp"],
        ["--fee-bps", "-1"],
        ["--max-missing-share", "2"],
        ["--columns", "time,open"],
    ] {
        let window: &[&str] = if args[0] == "--holdout-bars" { &["--window-bars", "1500"] } else { &[] };
        world.orchestrate(&[&["--once"], window, &args].concat(), &[]).expect_refusal(&[args[0]]);
        world.expect_untouched();
    }
}

#[test]
fn a_metrics_file_that_is_missing_or_malformed_is_never_a_pass() {
    let world = World::new();
    for content in [
        "",
        "{",
        "[]",
        r#"{"winRate": 0.6, "maxDrawdown": 0.1"#,
        r#"{"winRate": 0.6, "maxDrawdown": 0.1}"#,
        r#"{"winRate": "0.6", "maxDrawdown": 0.1, "pnlPerTrade": 0.1}"#,
        r#"{"winRate": NaN, "maxDrawdown": 0.1, "pnlPerTrade": 0.1}"#,
        r#"{"winRate": 0.6, "maxDrawdown": 0.1, "pnlPerTrade": Infinity}"#,
        r#"{"winRate": 0.6, "maxDrawdown": 0.1, "pnlPerTrade": 1e999}"#,
        r#"{"winRate": 1.6, "maxDrawdown": 0.1, "pnlPerTrade": 0.1}"#,
    ] {
        let file = world.file("metrics.json", content);
        world.once(&[], &[("EVAL_METRICS_PATH", &file)]).expect_refusal(&["metrics.json"]);
        world.expect_untouched();
    }
    world.once(&[], &[("EVAL_METRICS_PATH", "absent.json")]).expect_refusal(&["absent.json"]);
    world.expect_untouched();
}

/// A folder with a champion whose pointer or bundle is then spoiled.
fn check_spoiled(spoil: impl Fn(&World, &str), parts: &[&str]) {
    let world = World::new();
    let model = world.promote()["modelId"].as_str().unwrap().to_owned();
    spoil(&world, &model);
    let pointer = std::fs::read(world.path("models/latest.json")).unwrap();
    world.once(&[], GOOD_METRICS).expect_refusal(parts);
    let args = ["--source", "synthetic", "--bars", "5", "--journal", "journal"];
    world.live_trader(&args).expect_refusal(parts);
    assert_eq!(std::fs::read(world.path("models/latest.json")).unwrap(), pointer, "the pointer was touched");
}

fn edit_pointer(world: &World, key: &str, value: &str) {
    let mut pointer = world.read_json("models/latest.json");
    pointer[key] = value.into();
    std::fs::write(world.path("models/latest.json"), pointer.to_string()).unwrap();
}

fn edit_bundle(world: &World, model: &str, edit: impl Fn(&mut Vec<u8>)) {
    let path = world.path(&format!("models/{model}/policy.safetensors"));
    let mut bytes = std::fs::read(&path).unwrap();
    edit(&mut bytes);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn a_truncated_pointer_is_refused_and_kept() {
    check_spoiled(|world, _| drop(world.file("models/latest.json", "{\"modelId\": \"mo")), &["latest.json"]);
}

#[test]
fn a_pointer_that_leaves_the_models_folder_is_refused() {
    check_spoiled(
        |world, _| edit_pointer(world, "modelPath", "../../etc/policy.safetensors"),
        &["latest.json"],
    );
    check_spoiled(|world, _| edit_pointer(world, "modelPath", "/etc/passwd"), &["latest.json"]);
    check_spoiled(|world, _| edit_pointer(world, "modelId", "../outside"), &["latest.json"]);
}

#[test]
fn a_pointer_with_another_hash_is_refused() {
    check_spoiled(|world, _| edit_pointer(world, "sha256", &"0".repeat(64)), &["policy.safetensors"]);
}

#[test]
fn a_torn_changed_or_missing_bundle_is_refused() {
    let spoilers: [fn(&mut Vec<u8>); 2] =
        [|bytes| bytes.truncate(100), |bytes| *bytes.last_mut().unwrap() ^= 1];
    for spoil in spoilers {
        let world = World::new();
        let model = world.promote()["modelId"].as_str().unwrap().to_owned();
        edit_bundle(&world, &model, spoil);
        let args = ["--source", "synthetic", "--bars", "5", "--journal", "journal"];
        world.live_trader(&args).expect_refusal(&["policy.safetensors"]);
        // The line is not stuck: a new model is judged, and the verdict says that the champion was not compared.
        let report =
            world.once(&["--parent", "champion", "--iterations", "12"], LENIENT).expect_code(0).json();
        assert_eq!(report["outcome"], "promoted", "{report}");
        let warnings = report["verdict"]["warnings"].to_string();
        assert!(warnings.contains(&model) && warnings.contains("was not compared"), "{warnings}");
        let metadata =
            world.read_json(&format!("models/{}/metadata.json", report["modelId"].as_str().unwrap()));
        assert_eq!(metadata["parentId"], serde_json::Value::Null);
        assert!(metadata["parentChoice"]["reason"].to_string().contains("can't be read"), "{metadata}");
        world.live_trader(&args).expect_code(0);
    }
    check_spoiled(
        |world, model| std::fs::remove_dir_all(world.path(&format!("models/{model}"))).unwrap(),
        &["latest.json"],
    );
}

#[test]
fn another_market_is_refused_before_anything_is_trained() {
    let world = World::new();
    world.promote();
    let models = || std::fs::read_dir(world.path("models")).unwrap().count();
    let before = models();
    for args in [["--symbol", "ETH/USD"], ["--timeframe", "4h"]] {
        world.once(&args, GOOD_METRICS).expect_refusal(&["default", "--line"]);
        assert_eq!(models(), before, "a model was made");
        let session = [&args[..], &["--bars", "5", "--journal", "journal"]].concat();
        world.live_trader(&session).expect_refusal(&["default", "--line"]);
        assert!(!world.path("journal").exists());
    }
}

#[test]
fn a_line_without_a_champion_belongs_to_its_schedule() {
    let world = World::new();
    let add = [&["schedules", "add", "btc", "--idle", "--quiet"], SMALL].concat();
    world.orchestrate(&add, &[]).expect_code(0);
    let run = [&["experiments", "run", "--quiet"], SMALL].concat();
    for other in [["--symbol", "ETH/USD"], ["--timeframe", "4h"]] {
        world.once(&other, GOOD_METRICS).expect_refusal(&["line 'default'", "schedule 'btc'", "--line NAME"]);
        let experiment = world.orchestrate(&[&run[..], &other].concat(), GOOD_METRICS);
        experiment.expect_refusal(&["line 'default'", "schedule 'btc'", "BTC/USD 1h", "--line NAME"]);
    }
    let listed = world.orchestrate(&["models", "list", "--json"], &[]).expect_code(0).stdout;
    assert!(!listed.contains("model-") && !world.path("models/latest.json").exists(), "{listed}");
    world.once(&["--symbol", "ETH/USD", "--line", "eth"], GOOD_METRICS).expect_code(0);
    // The line is free again with its schedule gone.
    world.orchestrate(&["schedules", "remove", "btc"], &[]).expect_code(0);
    world.once(&["--symbol", "ETH/USD"], GOOD_METRICS).expect_code(0);
}

#[test]
fn bars_that_stand_for_missing_ones_are_no_evidence() {
    let world = World::new();
    let mut lines: Vec<String> = bars_csv(4_000).lines().map(str::to_owned).collect();
    // Of the last 300 hours, ten are there.
    lines.drain(4_000 - 299..4_000 - 9);
    let file = world.file("bars.csv", lines.join("\n") + "\n");
    let args = ["--path", &file, "--window-bars", "3000"];
    let report = world.once(&args, LENIENT).expect_code(0).json();
    assert_eq!(report["outcome"], "inconclusive", "{report}");
    assert_eq!(report["verdict"]["reason"], "insufficient_evidence");
}

/// What needs the database, each in its own way: to read, to serve, to train.
const USES_OF_THE_DATABASE: [&[&str]; 4] = [
    &["schedules", "list", "--json"],
    &["serve", "--json"],
    &["experiments", "run", "--json", "--window-bars", "700", "--holdout-bars", "300", "--iterations", "2"],
    &["--once", "--json", "--window-bars", "700", "--holdout-bars", "300", "--iterations", "2"],
];

/// A folder with a schedule, and the path of its database.
fn with_schedule() -> (World, PathBuf) {
    let world = World::new();
    let add = [&["schedules", "add", "btc", "--idle", "--quiet"], SMALL].concat();
    world.orchestrate(&add, &[]).expect_code(0);
    let path = world.path("data/walkforward.db");
    (world, path)
}

/// The schedule is there, and a training can be run.
fn expect_usable(world: &World) {
    let listed = world.orchestrate(USES_OF_THE_DATABASE[0], &[]).expect_code(0).json();
    assert_eq!(listed["schedules"][0]["schedule"]["id"], "btc", "{listed}");
    world.orchestrate(USES_OF_THE_DATABASE[3], &[]).expect_code(0);
}

/// A database that `spoil` has been at is refused by every command with these words, and nothing of it changes.
fn check_spoilt_database(spoil: impl Fn(&Path), parts: &[&str]) {
    let (world, path) = with_schedule();
    let sound = std::fs::read(&path).unwrap();
    spoil(&path);
    let spoilt = std::fs::read(&path).unwrap();
    for args in USES_OF_THE_DATABASE {
        world.orchestrate(args, &[]).expect_refusal(&[&["walkforward.db"], parts].concat());
    }
    assert_eq!(std::fs::read(&path).unwrap(), spoilt, "it was changed");
    for remnant in ["data/walkforward.db-wal", "data/walkforward.db-shm"] {
        let _ = std::fs::remove_file(world.path(remnant));
    }
    std::fs::write(&path, sound).unwrap();
    expect_usable(&world);
}

#[test]
fn a_database_that_is_newer_or_corrupt_is_named_by_every_command_and_left_alone() {
    let newer =
        |path: &Path| Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    check_spoilt_database(newer, &["schema version 99", "newer program"]);
    let corrupt = |path: &Path| std::fs::write(path, "this is no database".repeat(100)).unwrap();
    check_spoilt_database(corrupt, &["not a sound database"]);
}

#[test]
fn a_database_that_somebody_holds_for_too_long_is_named_and_works_afterwards() {
    std::thread::scope(|scope| {
        for args in USES_OF_THE_DATABASE {
            scope.spawn(move || {
                let (world, path) = with_schedule();
                let holder = Connection::open(&path).unwrap();
                // Readers are kept out too.
                holder.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
                holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
                let ran = world.orchestrate(args, &[]).expect_code(1);
                for part in ["walkforward.db", "locked", "another process holds it"] {
                    assert!(ran.stderr.contains(part), "no '{part}' in: {}", ran.stderr);
                }
                assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
                assert_eq!(std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count), 0);
                drop(holder);
                expect_usable(&world);
            });
        }
    });
}

#[test]
fn who_only_reads_is_not_kept_out_by_who_writes() {
    let (world, path) = with_schedule();
    let writer = Connection::open(path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let listed = world.orchestrate(USES_OF_THE_DATABASE[0], &[]).expect_code(0).json();
    assert_eq!(listed["schedules"][0]["schedule"]["id"], "btc");
    drop(writer);
    expect_usable(&world);
}

#[test]
fn a_value_that_is_no_text_is_refused_and_not_passed_over() {
    use std::os::unix::ffi::OsStrExt;

    let world = World::new();
    let value = std::ffi::OsStr::from_bytes(b"0.99\xff");
    let mut command = world.command("orchestrate");
    let output = command.args(["--once"]).env("MIN_WIN_RATE", value).output().unwrap();
    crate::support::Ran::from(output).expect_refusal(&["MIN_WIN_RATE", "UTF-8"]);
    world.expect_untouched();
}

#[test]
fn an_asset_too_cheap_for_the_cash_is_refused() {
    let text = bars_csv(2_000);
    let scaled =
        text.lines().skip(1).fold("time,open,high,low,close,volume\n".to_owned(), |mut text, line| {
            let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
            let [o, h, l, c] = [1, 2, 3, 4].map(|index| cells[index] * 1e-9);
            writeln!(text, "{},{o},{h},{l},{c},{}", cells[0], cells[5]).unwrap();
            text
        });
    let world = World::new();
    let file = world.file("bars.csv", scaled);
    world.once(&["--path", &file], &[]).expect_refusal(&["price", "less cash"]);
    assert!(!world.path("models/latest.json").exists());
}
