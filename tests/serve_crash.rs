//! SIGKILL of a server, of its worker, of both, at any moment.
//!
//! The suite kills at 10 seeded moments; `WALKFORWARD_SERVER_KILLS=200 cargo test --workspace --test walkforward -- \
//! --exact serve_crash::a_server_and_workers_that_are_killed_leave_rows_and_folders_that_agree` at more.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use walkforward_store::CycleStatus;

use crate::crash::pointed_at;
use crate::serve::{add, history};
use crate::support::consistency::{expect_agreement, expect_whole_models};
use crate::support::server::{Server, eventually};
use crate::support::{SMALL, World};

const KILLS: u32 = 10;
/// Seconds after the last kill: longer than it takes to the next due time and from there to the end of a cycle.
const MOMENTS: std::ops::Range<f64> = 0.0..1.8;

/// Processes that train for this world.
fn workers(world: &World) -> Vec<Pid> {
    let jobs = world.path("data/jobs").display().to_string();
    let is_ours = |line: &[u8]| {
        let words = String::from_utf8_lossy(line).replace('\0', " ");
        words.contains(" worker ") && (words.contains(&jobs) || words.contains(" data/jobs/"))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let in_this_world =
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == world.path("."));
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if in_this_world && is_ours(&line) {
            found.extend(Pid::from_raw(pid));
        }
    }
    found
}

/// Numbers without gaps, and at most one cycle without an end: what was due since then did not run.
fn expect_rows_agree(world: &World) {
    let mut open = None;
    for (index, cycle) in history(world, "btc").iter().enumerate() {
        assert_eq!(cycle["number"], Value::from(index + 1));
        let is_open = cycle["status"] == "running" || cycle["status"] == "queued";
        let did_not_run = cycle["status"] == "skipped" || cycle["status"] == "missed";
        assert!(open.is_none() || did_not_run, "{open:?} {cycle:#}");
        open = open.or(is_open.then_some(index + 1));
        assert_eq!(cycle["status"] == "promoted", !cycle["deployed_model_id"].is_null(), "{cycle:#}");
    }
}

#[test]
fn a_server_and_workers_that_are_killed_leave_rows_and_folders_that_agree() {
    let kills = std::env::var("WALKFORWARD_SERVER_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let world = World::new();
    add(&world, "btc", &[SMALL, &["--every", "1s", "--iterations", "60"]].concat());
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(6);
    let mut server = Server::start(&world, &[]);
    server.wait_for("continuous_cycle_complete", |_| true);
    let mut killed_workers = 0;
    for kill in 0..kills {
        std::thread::sleep(Duration::from_secs_f64(random.random_range(MOMENTS)));
        let running = workers(&world);
        assert!(running.len() <= 1, "two trainings at once");
        if kill % 3 != 0 {
            // It may have ended by now.
            killed_workers +=
                running.into_iter().filter(|&pid| kill_process(pid, Signal::KILL).is_ok()).count();
        }
        if kill % 3 != 1 {
            server.stop(Signal::KILL);
            eventually("the worker follows its server", || workers(&world).is_empty());
            server = Server::start(&world, &[]);
        }
        expect_rows_agree(&world);
        expect_whole_models(&world);
        assert!(pointed_at(&world).is_some());
    }
    let before = server.events_of("continuous_cycle_complete", |_| true).len();
    server.wait_for_many("continuous_cycle_complete", before + 1, |_| true);
    server.stop_well();
    let cycles = expect_agreement(&world);
    let promoted = cycles.iter().filter(|cycle| cycle.status == CycleStatus::Promoted).count();
    assert!(promoted > 1, "{cycles:#?}");
    eprintln!(
        "{kills} kills, {killed_workers} of them hit a worker; {promoted} of {} cycles promoted",
        cycles.len()
    );
}
