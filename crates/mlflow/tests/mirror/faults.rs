//! Whatever is lost or down: everything comes once.

use walkforward_core::Outcome;
use walkforward_mlflow::CHAMPION_ALIAS;
use walkforward_store::ExperimentStatus;
use walkforward_testing::{FakeMlflow, FakeRun, FakeVersion, MlflowFault};

use crate::world::World;

const MODEL: &str = "wf-btc";

/// All that a server has been told, but for ids of its own.
fn all(server: &FakeMlflow) -> (Vec<String>, Vec<FakeRun>, Vec<FakeVersion>, Option<u64>) {
    let alias = server.alias(MODEL, CHAMPION_ALIAS);
    (server.experiments(), server.runs(), server.versions(MODEL), alias)
}

/// A training with a champion, one that failed, and a model that nobody planned.
fn filled() -> World {
    let world = World::new();
    let id = world.training("first");
    world.learn(&id, 0..3);
    world.promote(&world.finish(&id, Outcome::Promote));
    world.break_off(&world.training("second"), ExperimentStatus::Failed);
    world.model(None, Outcome::Reject);
    world
}

fn is_complete(server: &FakeMlflow) -> bool {
    server.runs().iter().filter(|run| run.end_time.is_some()).count() == 3
        && server.alias(MODEL, CHAMPION_ALIAS).is_some()
}

#[test]
fn whichever_answer_is_lost_everything_comes_once() {
    let expected = {
        let world = filled();
        let mirror = world.mirror();
        world.server.wait_until(is_complete);
        drop(mirror);
        (all(&world.server), world.server.requests())
    };
    let (expected, requests) = expected;
    assert!(requests > 20, "{requests}");
    for (fault, each) in [(MlflowFault::LoseAnswer, 1), (MlflowFault::Unavailable, 5)] {
        for number in (0..requests as usize).step_by(each) {
            let world = filled();
            let faults = (0..=number).map(|at| (at == number).then_some(fault));
            world.server.fail_next(faults);
            let mirror = world.mirror();
            world.server.wait_until(is_complete);
            drop(mirror);
            assert_eq!(all(&world.server), expected, "{fault:?} {number}");
            assert_eq!(world.server.refused(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_restart_that_knows_nothing_any_more_doubles_nothing() {
    let world = filled();
    let mirror = world.mirror();
    world.server.wait_until(is_complete);
    drop(mirror);
    let expected = all(&world.server);
    world.forget();
    let before = world.server.requests();
    let id = world.training("third");
    world.break_off(&id, ExperimentStatus::Cancelled);
    let _mirror = world.mirror();
    world.server.wait_until(|server| server.runs().iter().filter(|run| run.end_time.is_some()).count() == 4);
    let now = all(&world.server);
    assert_eq!((&now.1[..3], &now.2, now.3), (&expected.1[..], &expected.2, expected.3));
    assert!(world.server.requests() > before);
}

#[test]
fn while_the_server_is_down_nothing_waits_and_then_it_learns_all() {
    let world = filled();
    world.server.set_down(true);
    let _mirror = world.mirror();
    world.server.wait_until(|server| server.requests() > 5);
    let id = world.training("meanwhile");
    world.learn(&id, 0..10);
    world.break_off(&id, ExperimentStatus::Failed);
    world.server.set_down(false);
    world.server.wait_until(|server| server.runs().iter().filter(|run| run.end_time.is_some()).count() == 4);
}

#[test]
fn a_run_that_somebody_deletes_there_stays_deleted_and_holds_up_nobody() {
    let world = World::new();
    let id = world.training("first");
    world.learn(&id, 0..3);
    let _mirror = world.mirror();
    world.server.wait_until(|server| server.runs().first().is_some_and(|run| !run.metrics.is_empty()));
    let run_id = world.server.runs()[0].run_id.clone();
    world.server.delete_run(&run_id);
    world.learn(&id, 3..6);
    world.break_off(&id, ExperimentStatus::Failed);
    world.break_off(&world.training("second"), ExperimentStatus::Failed);
    world.server.wait_until(|server| server.runs().iter().any(|run| run.end_time.is_some()));
    let runs = world.server.runs();
    assert_eq!((runs.len(), runs[0].end_time, runs[0].is_deleted), (2, None, true));
}
