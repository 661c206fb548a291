//! SIGKILL at any moment.
//!
//! The suite kills at 10 seeded moments; `WALKFORWARD_KILLS=50 cargo test --workspace --test walkforward -- \
//! --exact crash::a_run_that_is_killed_leaves_a_pointer_that_loads_and_a_folder_that_works` at more.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::{GOOD_METRICS, SMALL, World};

const KILLS: u32 = 10;

/// The pointer is absent, or names a model that loads; gives the model's id.
pub(crate) fn pointed_at(world: &World) -> Option<String> {
    let path = world.path("models/latest.json");
    if !path.exists() {
        return None;
    }
    let pointer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).expect("the pointer is torn");
    let model = pointer["modelId"].as_str().unwrap().to_owned();
    let folder = world.path(&format!("models/{model}"));
    walkforward_policy::load(&folder, pointer["sha256"].as_str().unwrap())
        .expect("the champion does not load");
    assert!(folder.join("metadata.json").is_file());
    Some(model)
}

fn run_and_kill_after(world: &World, delay: Duration) {
    let mut child = world
        .command("orchestrate")
        .args(["--once", "--quiet"])
        .args(SMALL)
        .envs(GOOD_METRICS.iter().copied())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_is_killed_leaves_a_pointer_that_loads_and_a_folder_that_works() {
    let kills = std::env::var("WALKFORWARD_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let world = World::new();
    let started = Instant::now();
    world.promote();
    let whole_run = started.elapsed();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(20);
    for kill in 0..kills {
        let delay = whole_run.mul_f64(random.random_range(0.0..1.1));
        run_and_kill_after(&world, delay);
        assert!(pointed_at(&world).is_some(), "kill {kill} after {delay:?}");
    }
    let report = world.promote();
    assert_eq!(pointed_at(&world).as_deref(), report["modelId"].as_str());
    let leftovers = std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count);
    assert_eq!(leftovers, 0, "staging folders of dead runs are left");
}

#[test]
fn a_first_run_that_is_killed_leaves_no_pointer_or_a_good_one() {
    let started = Instant::now();
    World::new().promote();
    let whole_run = started.elapsed();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(21);
    for _ in 0..5 {
        let world = World::new();
        run_and_kill_after(&world, whole_run.mul_f64(random.random_range(0.0..1.0)));
        pointed_at(&world);
        world.promote();
    }
}
