//! `orchestrate selftest`: the whole product on markets whose truth is known.

use crate::support::World;

/// Three of its parts with the least that they need: an edge and a leak have one size, random walks come one by one.
#[test]
fn an_edge_is_promoted_a_leak_is_exploited_and_caught_and_nothing_is_left_behind() {
    let world = World::new();
    std::fs::create_dir(world.path("work")).unwrap();
    let args = ["selftest", "--walks", "1", "--json", "--seed", "2", "--work-dir", "work"];
    let told = world.orchestrate(&args, &[]).expect_code(0).json();
    assert_eq!((&told["holds"], &told["failures"]), (&true.into(), &serde_json::json!([])), "{told}");

    let edge = &told["edge"];
    assert!(edge["takeovers"].as_u64() >= Some(1) && edge["promotedOnDay"].as_i64() >= Some(14), "{edge}");
    assert_eq!(edge["brokenBars"], 0);
    let earned = |name: &str| {
        let equities = edge["equities"].as_array().unwrap();
        equities.iter().find(|it| it["name"] == name).unwrap()["totalReturn"].as_f64().unwrap()
    };
    assert!(earned("line") > 0.0 && earned("flat") == 0.0, "{edge}");

    let (leak, bound) = (&told["leak"], told["leak"]["bound"].as_f64());
    assert!(
        leak["leaking"]["sharpe"].as_f64() > bound && leak["honest"]["sharpe"].as_f64() < bound,
        "{leak}"
    );
    let rewritten = |which: &str| leak[which]["lookAhead"]["rewrittenBars"].as_u64().unwrap();
    assert!(rewritten("leaking") > 0 && rewritten("honest") == 0, "{leak}");

    let luck = &told["luck"];
    assert_eq!(
        (luck["walks"][0]["seed"].as_u64(), luck["grades"][2]["grade"].as_str()),
        (Some(2_000), Some("qualified"))
    );
    let [provisional, _, qualified] = [0, 1, 2].map(|grade| &luck["grades"][grade]);
    assert!(provisional["failsFrom"].is_null() && provisional["caughtRate"].is_null(), "{provisional}");
    assert_eq!(qualified["failsFrom"], 1, "a replay never qualifies");
    assert_eq!(std::fs::read_dir(world.path("work")).unwrap().count(), 0);
    world.expect_untouched();
}

#[test]
fn a_folder_that_is_not_empty_is_not_worked_in() {
    let world = World::new();
    std::fs::create_dir(world.path("kept")).unwrap();
    world.file("kept/mine", "x");
    let args = ["selftest", "--walks", "1", "--keep", "kept"];
    world.orchestrate(&args, &[]).expect_refusal(&["--keep kept", "not empty"]);
    world.orchestrate(&["selftest", "--work-dir", "nowhere"], &[]).expect_refusal(&["no folder to work in"]);
    assert_eq!(std::fs::read_dir(world.path("kept")).unwrap().count(), 1);
}
