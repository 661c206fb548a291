//! Full and read-only disks: a small tmpfs and a read-only mount, in a mount namespace of the test's own, because a
//! test that runs as root could write to a folder without permission.

use std::process::Command;

use crate::support::{GOOD_METRICS, Ran, SMALL, World};

/// Says that the test runs; `.ci/run` looks for it.
fn announce(test: &str) -> bool {
    let works = Command::new("unshare").args(namespace()).arg("true").output();
    if works.is_ok_and(|output| output.status.success()) {
        eprintln!("mount test: {test}");
        return true;
    }
    eprintln!("skipped: {test} needs the right to mount in a namespace of its own");
    false
}

fn namespace() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-root-user", "--mount"]
    }
}

/// Runs a small run after `mount`, a shell command, in a mount namespace of its own.
fn run_after(world: &World, mount: &str) -> Ran {
    let run = world.command("orchestrate");
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command.args(namespace()).args(["sh", "-c", &script]).arg(run.get_program()).args(["--once", "--json"]);
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(SMALL).envs(GOOD_METRICS.iter().copied()).current_dir(world.path("."));
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
        run_after(&world, &mount).expect_refusal(&[folder, "read-only"]);
        assert_eq!(std::fs::read(world.path("models/latest.json")).unwrap(), pointer);
    }
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
        run_after(&world, &mount).expect_refusal(&[folder]);
        assert!(!world.path("models/latest.json").exists());
        world.promote();
    }
}
