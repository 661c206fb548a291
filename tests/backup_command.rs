//! `orchestrate backup` and `orchestrate restore`: while a run goes on, from damaged copies, cut short, on full disks.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::disks::{announce, namespace};
use crate::support::{GOOD_METRICS, Ran, World};

/// How often a restore is killed.
const KILLS: u32 = 10;

fn backup(world: &World, dir: &str) -> Value {
    world.orchestrate(&["backup", dir, "--json"], &[]).expect_code(0).json()
}

/// Restores `dir` to the folders `<name>/data` and `<name>/models`.
fn restore(world: &World, dir: &str, name: &str) -> Ran {
    world.orchestrate(&[&["restore", dir], &folders(name)[..]].concat(), &[])
}

fn folders(name: &str) -> [&'static str; 4] {
    match name {
        "new" => ["--data-dir", "new/data", "--models-dir", "new/models"],
        "small" => ["--data-dir", "small/data", "--models-dir", "small/models"],
        _ => panic!("no folders are called {name}"),
    }
}

/// Every file below `dir` with its bytes.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Asserts that the restored folders trade and train.
fn assert_works(world: &World, name: &str, champion: &Value) {
    let pointer = world.read_json(&format!("{name}/models/latest.json"));
    assert_eq!(pointer["modelId"], *champion);
    let folders = folders(name);
    let journal = format!("{name}/session");
    let session = ["--bars", "60", "--journal", &journal, "--json", folders[2], folders[3]];
    let summary = world.live_trader(&session).expect_code(0).json();
    assert_eq!((&summary["bars"], &summary["refused_models"]), (&60.into(), &0.into()));
    assert!(summary["decisions"].as_u64().unwrap() > 0, "{summary}");
    let report = world.once(&folders, GOOD_METRICS).expect_code(0).json();
    assert_eq!(report["outcome"], "promoted", "{report}");
}

#[test]
fn a_backup_taken_while_a_run_goes_on_is_restored_to_folders_that_trade_and_train() {
    let world = World::new();
    let champion = world.promote()["modelId"].clone();
    world.live_trader(&["--bars", "60", "--journal", "data/live/journal"]).expect_code(0);
    let run =
        ["--once", "--quiet", "--window-bars", "1500", "--holdout-bars", "300", "--iterations", "100000"];
    let mut run = world.command("orchestrate").args(run).stderr(Stdio::null()).spawn().unwrap();
    let staging = world.path("models/.staging");
    let started = Instant::now();
    while fs::read_dir(&staging).map_or(0, Iterator::count) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the run does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let taken = backup(&world, "backup");
    assert!(run.try_wait().unwrap().is_none(), "the run was disturbed");
    assert_eq!((&taken["models"], &taken["champions"]["default"]), (&1.into(), &champion));
    assert!(!world.path("backup/models/.staging").exists());
    run.kill().unwrap();
    run.wait().unwrap();

    let restored = restore(&world, "backup", "new").expect_code(0).stdout;
    assert!(restored.contains("restored  backup") && restored.contains("1 with weights"), "{restored}");
    let journal = ["verify", "--journal", "new/data/live/journal", "--models-dir", "new/models", "--json"];
    assert_eq!(world.live_trader(&journal).expect_code(0).json()["differences"], 0);
    assert_works(&world, "new", &champion);
    restore(&world, "backup", "new").expect_refusal(&["is not empty", "--data-dir"]);
}

#[test]
fn a_backup_with_a_spoiled_byte_or_a_missing_file_is_refused_before_anything_is_written() {
    let world = World::new();
    let champion = world.promote()["modelId"].clone();
    backup(&world, "backup");
    let weights = format!("backup/models/{}/policy.safetensors", champion.as_str().unwrap());
    for file in
        [weights.as_str(), "backup/models/latest.json", "backup/data/walkforward.db", "backup/manifest.json"]
    {
        let path = world.path(file);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        restore(&world, "backup", "new").expect_refusal(&[if file.ends_with("manifest.json") {
            "no backup"
        } else {
            "is missing"
        }]);
        let mut spoiled = bytes.clone();
        let last = spoiled.len() - 8;
        spoiled[last] ^= 1;
        fs::write(&path, &spoiled).unwrap();
        restore(&world, "backup", "new").expect_refusal(&["use another backup"]);
        fs::write(&path, &bytes).unwrap();
        assert!(!world.path("new").exists());
    }
    restore(&world, "absent", "new").expect_refusal(&["absent", "no backup"]);
    world.orchestrate(&["backup", "backup"], &[]).expect_refusal(&["holds a backup already"]);
    world.orchestrate(&["backup", "data/backup"], &[]).expect_refusal(&["overlaps"]);
    restore(&world, "backup", "new").expect_code(0);
    assert_works(&world, "new", &champion);
}

#[test]
fn weights_that_nothing_refers_to_come_along_only_when_asked() {
    let world = World::new();
    let rejected = world.once(&[], &[("EVAL_WIN_RATE", "0.1")]).expect_code(0).json()["modelId"].clone();
    world.promote();
    assert_eq!(backup(&world, "some")["models_with_weights"], 1);
    let all = world.orchestrate(&["backup", "all", "--all-models", "--json"], &[]).expect_code(0).json();
    assert_eq!((&all["models"], &all["models_with_weights"]), (&2.into(), &2.into()));
    restore(&world, "some", "new").expect_code(0);
    let shown = [&["models", "show", rejected.as_str().unwrap()], &folders("new")[..]].concat();
    let shown = world.orchestrate(&shown, &[]).expect_code(0).stdout;
    assert!(shown.contains("its weights were left out of the backup of"), "{shown}");
    let folder = |root: &str| format!("{root}/models/{}/evaluation.json", rejected.as_str().unwrap());
    assert_eq!(fs::read(world.path(&folder("new"))).unwrap(), fs::read(world.path(&folder("."))).unwrap());
}

#[test]
fn a_restore_that_is_killed_leaves_folders_that_nobody_opens_or_whole_ones() {
    let world = World::new();
    let champion = world.promote()["modelId"].clone();
    for seed in ["8", "9"] {
        world.once(&["--seed", seed], &[("EVAL_WIN_RATE", "0.1")]).expect_code(0);
    }
    world.orchestrate(&["backup", "backup", "--all-models"], &[]).expect_code(0);
    let started = Instant::now();
    restore(&world, "backup", "new").expect_code(0);
    let whole = started.elapsed();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(22);
    let mut interrupted = 0;
    for kill in 0..KILLS {
        fs::remove_dir_all(world.path("new")).unwrap();
        fs::create_dir(world.path("new")).unwrap();
        let args = [&["restore", "backup", "--quiet"], &folders("new")[..]].concat();
        let mut child = world.command("orchestrate").args(args).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(random.random_range(0.1..1.1)));
        child.kill().unwrap();
        child.wait().unwrap();
        if world.path("new/data/.walkforward-restore").exists() {
            interrupted += 1;
            let list = [&["models", "list"], &folders("new")[..]].concat();
            world.orchestrate(&list, &[]).expect_refusal(&["not complete", "orchestrate restore"]);
            restore(&world, "backup", "new").expect_code(0);
        } else if !world.path("new/data/walkforward.db").exists() {
            assert!(!world.path("new/models/latest.json").exists(), "kill {kill}");
            restore(&world, "backup", "new").expect_code(0);
        }
        for (name, bytes) in
            contents(&world.path("backup")).iter().filter(|(name, _)| name != "manifest.json")
        {
            assert_eq!(&fs::read(world.path(&format!("new/{name}"))).unwrap(), bytes, "kill {kill}: {name}");
        }
    }
    eprintln!("{interrupted} of {KILLS} restores were in the middle of writing");
    assert_works(&world, "new", &champion);
}

/// Runs `orchestrate` with these arguments after the shell command `mount`, in a mount namespace of its own.
fn run_after(world: &World, mount: &str, args: &[&str]) -> Ran {
    let run = world.command("orchestrate");
    let script = format!("{mount} && \"$0\" \"$@\"; code=$?; cp -r small kept 2>/dev/null; exit $code");
    let mut command = Command::new("unshare");
    command.args(namespace()).args(["sh", "-c", &script]).arg(run.get_program()).args(args);
    command.current_dir(world.path(".")).output().unwrap().into()
}

#[test]
fn a_disk_that_fills_up_leaves_an_incomplete_backup_or_restore_that_is_told_apart_on_a_mount() {
    if !announce("a_disk_that_fills_up_leaves_an_incomplete_backup_or_restore_that_is_told_apart_on_a_mount")
    {
        return;
    }
    let world = World::new();
    let champion = world.promote()["modelId"].clone();
    backup(&world, "backup");
    fs::create_dir(world.path("small")).unwrap();
    for kib in [16, 200, 300] {
        let mount = format!("mount -t tmpfs -o size={kib}k tmpfs small");
        run_after(&world, &mount, &["backup", "small/backup"]).expect_refusal(&["small/backup"]);
        restore(&world, "kept/backup", "new").expect_refusal(&["kept/backup"]);
        assert!(!world.path("new").exists());
        let _ = fs::remove_dir_all(world.path("kept"));
        let args = [&["restore", "backup"], &folders("small")[..]].concat();
        run_after(&world, &mount, &args).expect_refusal(&["small/"]);
        // What the full disk holds is opened by nobody.
        if world.path("kept/data").exists() {
            let list = ["models", "list", "--data-dir", "kept/data", "--models-dir", "kept/models"];
            world.orchestrate(&list, &[]).expect_refusal(&["not complete"]);
            fs::remove_dir_all(world.path("kept")).unwrap();
        }
    }
    restore(&world, "backup", "new").expect_code(0);
    assert_works(&world, "new", &champion);
}
