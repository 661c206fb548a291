//! Full and read-only disks: a small tmpfs and a read-only mount, in a mount namespace of the test's own, because a
//! test that runs as root could write to a folder without permission.

use std::process::Command;

use crate::support::{GOOD_METRICS, Ran, SMALL, World};

/// Says that the test runs; `.ci/run` looks for it.
pub(crate) fn announce(test: &str) -> bool {
    let works = Command::new("unshare").args(namespace()).arg("true").output();
    if works.is_ok_and(|output| output.status.success()) {
        eprintln!("mount test: {test}");
        return true;
    }
    eprintln!("skipped: {test} needs the right to mount in a namespace of its own");
    false
}

pub(crate) fn namespace() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-root-user", "--mount"]
    }
}

/// Runs a small run after `mount`, a shell command, in a mount namespace of its own.
fn run_after(world: &World, mount: &str, args: &[&str]) -> Ran {
    orchestrate_after(world, mount, &[&["--once", "--json"], SMALL, args].concat())
}

/// Runs `orchestrate` so.
fn orchestrate_after(world: &World, mount: &str, args: &[&str]) -> Ran {
    let run = world.command("orchestrate");
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command.args(namespace()).args(["sh", "-c", &script]).arg(run.get_program()).args(args);
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.envs(GOOD_METRICS.iter().copied()).current_dir(world.path("."));
    command.output().unwrap().into()
}

#[test]
fn a_read_only_disk_is_refused_and_the_champion_kept_on_a_mount() {
    if !announce("a_read_only_disk_is_refused_and_the_champion_kept_on_a_mount") {
        return;
    }
    let world = World::new();
    world.promote();
    let pointer = std::fs::read(world.path("models/latest.json")).unwrap();
    for folder in ["data", "models"] {
        let mount = format!("mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}");
        run_after(&world, &mount, &[]).expect_refusal(&[folder, "read-only"]);
        assert_eq!(std::fs::read(world.path("models/latest.json")).unwrap(), pointer);
    }
    world.promote();
}

#[test]
fn a_read_only_database_is_named_by_every_command_and_kept_on_a_mount() {
    if !announce("a_read_only_database_is_named_by_every_command_and_kept_on_a_mount") {
        return;
    }
    let world = World::new();
    let add = [&["schedules", "add", "btc", "--idle", "--quiet"], SMALL].concat();
    world.orchestrate(&add, &[]).expect_code(0);
    let list = || world.orchestrate(&["schedules", "list", "--json"], &[]).expect_code(0).json();
    let before = list();
    // The whole folder, and the file alone in a folder that can be written.
    for place in ["data", "data/walkforward.db"] {
        let mount = format!("mount --bind {place} {place} && mount -o remount,ro,bind {place}");
        let train = [&["experiments", "run", "--json"], SMALL].concat();
        for args in [&["schedules", "start", "btc"][..], &["serve", "--json"], &train] {
            orchestrate_after(&world, &mount, args).expect_refusal(&["data", "read-only"]);
        }
    }
    assert_eq!(list(), before);
    world.promote();
}

#[test]
fn a_full_disk_is_refused_and_nothing_is_half_written_on_a_mount() {
    if !announce("a_full_disk_is_refused_and_nothing_is_half_written_on_a_mount") {
        return;
    }
    for (folder, kib) in [("data", 4), ("data", 64), ("models", 4), ("models", 64), ("models", 120)] {
        let world = World::new();
        std::fs::create_dir(world.path(folder)).unwrap();
        let mount = format!("mount -t tmpfs -o size={kib}k tmpfs {folder}");
        run_after(&world, &mount, &[]).expect_refusal(&[folder]);
        assert!(!world.path("models/latest.json").exists());
        world.promote();
    }
}

#[test]
fn a_disk_that_fills_up_with_checkpoints_leaves_no_half_model_on_a_mount() {
    if !announce("a_disk_that_fills_up_with_checkpoints_leaves_no_half_model_on_a_mount") {
        return;
    }
    let world = World::new();
    let champion = world.promote()["modelId"].clone();
    let config = world.file("settings.toml", "[pack]\ncheckpoint_every = 1\n");
    let args = ["--config", &config, "--parent", "champion", "--iterations", "6"];
    let mut full = 0;
    // An empty folder would be another data folder's, which the models are none of.
    let database = "data/walkforward.db";
    let taken_kib = std::fs::metadata(world.path(database)).unwrap().len() / 1_024;
    // A checkpoint takes some 200 KiB: the first sizes are too small, the last is enough.
    for spare_kib in [100, 200, 300, 400, 3_800] {
        let kib = taken_kib + spare_kib;
        let mount = format!(
            "cp {database} kept.db && mount -t tmpfs -o size={kib}k tmpfs data && cp kept.db {database}"
        );
        let ran = run_after(&world, &mount, &args);
        if ran.code == Some(0) {
            continue;
        }
        full += u32::from(ran.stderr.contains("checkpoint"));
        ran.expect_refusal(&["data"]);
        assert_eq!(world.read_json("models/latest.json")["modelId"], champion, "the parent was touched");
        assert_eq!(std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count), 0);
    }
    assert!(full > 0, "no size filled up in the middle of a checkpoint");
    world.promote();
}
