//! `orchestrate audit`: who did what and why, and that nobody changed it behind.

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::live_control::{signal, start, status, tell};
use crate::live_trader::wait_until;
use crate::support::World;

fn acts(world: &World) -> Vec<Value> {
    let exported = world.orchestrate(&["audit", "export"], &[]).expect_code(0).stdout;
    exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_people_did_is_written_down_with_its_reason_also_what_was_refused() {
    let world = World::new();
    let model = world.promote()["model_id"].as_str().map(str::to_owned).unwrap_or_default();
    let told = world.orchestrate(&["audit", "list"], &[]).expect_code(0).stdout;
    assert!(told.contains("nobody has done anything yet"), "{told}");
    world.orchestrate(&["schedules", "add", "btc", "--every", "6h", "--idle"], &[]).expect_code(0);
    world.orchestrate(&["schedules", "start", "btc"], &[]).expect_code(0);
    world.orchestrate(&["models", "pin", "champion", "--reason", "a good one"], &[]).expect_code(0);
    world.orchestrate(&["models", "rollback", "--reason", "it looks odd"], &[]).expect_code(2);
    world.orchestrate(&["models", "list"], &[]).expect_code(0);

    let acts = acts(&world);
    let said: Vec<[&str; 3]> =
        acts.iter().map(|act| ["act", "subject", "reason"].map(|key| act[key].as_str().unwrap())).collect();
    assert_eq!(
        said,
        [
            ["schedules.add", "btc", ""],
            ["schedules.start", "btc", ""],
            ["models.pin", "champion", "a good one"],
            ["models.rollback", "default", "it looks odd"],
        ],
        "{model}"
    );
    assert!(acts.iter().all(|act| act["actor"] == "command"));
    let whole = world.orchestrate(&["audit", "verify", "--json"], &[]).expect_code(0).json();
    assert_eq!((&whole["acts"], &whole["last_hash"]), (&4.into(), &acts[3]["hash"]));
    let newer = world.orchestrate(&["audit", "export", "--after", "3"], &[]).expect_code(0).stdout;
    assert_eq!(newer.lines().count(), 1);
    let listed = world.orchestrate(&["audit", "list", "--limit", "1"], &[]).expect_code(0).stdout;
    assert!(listed.contains("models.rollback") && !listed.contains("models.pin"), "{listed}");
}

/// Actor, act and reason of all acts.
fn said(world: &World) -> Vec<[String; 3]> {
    let word = |act: &Value, key: &str| act[key].as_str().unwrap().to_owned();
    acts(world).iter().map(|act| ["actor", "act", "reason"].map(|key| word(act, key))).collect()
}

#[test]
fn what_somebody_does_to_a_trader_is_among_the_acts_once_whichever_way_it_came() {
    let world = World::new();
    world.promote();
    let child = start(&world, &["--quiet"]);
    let session = status(&world)["status"]["session"].as_str().unwrap().to_owned();
    tell(&world, &["pause", "--reason", "news"]);
    tell(&world, &["resume"]);
    signal(&child, Signal::USR1);
    let is_halted = || status(&world)["status"]["mode"] == "halted";
    wait_until("the halt by the signal", is_halted);
    tell(&world, &["resume", "--ack", "a test of the switch"]);
    std::fs::write(world.path("journal/halt"), "by hand").unwrap();
    wait_until("the halt by the file", is_halted);
    tell(&world, &["stop"]);
    assert!(child.wait_with_output().unwrap().status.success());
    // Nothing runs: what is asked for by a file is done by the next start.
    tell(&world, &["resume", "--ack", "looked into it"]);
    let child = start(&world, &["--quiet", "--continue"]);
    tell(&world, &["kill", "--reason", "enough", "--flatten"]);
    tell(&world, &["stop"]);
    assert!(child.wait_with_output().unwrap().status.success());

    let expected = [
        ["trader:command", "session.pause", "news"],
        ["trader:command", "session.resume", "somebody let the session go on"],
        ["trader:signal", "session.halt", "SIGUSR1"],
        ["trader:command", "session.acknowledge", "a test of the switch"],
        ["trader:file", "session.halt", "by hand"],
        ["trader:command", "session.stop", ""],
        ["trader:file", "session.acknowledge", "looked into it"],
        ["trader:command", "session.halt", "enough"],
        ["trader:command", "session.stop", ""],
    ];
    assert_eq!(said(&world), expected);
    assert!(acts(&world).iter().all(|act| act["subject"] == session.as_str()));
    assert_eq!(acts(&world)[7]["details"]["flatten"], true);
    world.orchestrate(&["audit", "verify"], &[]).expect_code(0);
}

#[test]
fn an_act_that_somebody_has_changed_is_found() {
    let world = World::new();
    world.promote();
    for reason in ["one", "two", "three"] {
        world.orchestrate(&["models", "pin", "champion", "--reason", reason], &[]).expect_code(0);
    }
    let database = Connection::open(world.path("data/walkforward.db")).unwrap();
    assert!(database.execute("UPDATE audit SET reason = 'nothing' WHERE seq = 2", []).is_err());
    database
        .execute_batch("DROP TRIGGER acts_stay; UPDATE audit SET reason = 'nothing' WHERE seq = 2")
        .unwrap();
    let ran = world.orchestrate(&["audit", "verify"], &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("act 2 of 3 is not as it was written"), "{ran:?}");
}
