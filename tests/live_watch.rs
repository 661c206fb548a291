//! The watch over the champion and the session in the store's tables, through the binary.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Value, json};
use walkforward_core::{
    ActionMap, Activation, LineName, ManualClock, ModelId, NetworkSpec, PolicySpec, RunId, Timestamp,
};
use walkforward_live::WATCH_FILE;
use walkforward_store::{PromotionKind, PromotionRequest, ScoredBar, Snapshot, Store, StreamKey, StreamPart};

use crate::live_trader::wait_until;
use crate::support::World;

/// Bars that a replay may be ahead of the watch.
const STEP: usize = 24;
/// Bars within which a champion that trades at each bar has broken a rule, once it decides.
const VERDICT_BARS: usize = 30;
const BARS: usize = 500;

fn store(world: &World) -> Store {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(now));
    Store::open(&world.path("data"), &world.path("models"), clock).unwrap()
}

/// A line whose champion of before was trained, and whose champion now buys and sells in turns.
fn with_a_bad_champion() -> (World, ModelId, ModelId) {
    let world = World::new();
    let good = world.promote()["modelId"].as_str().unwrap().parse::<ModelId>().unwrap();
    let store = store(&world);
    let line = LineName::default();
    let record = store.model(&good).unwrap();
    let run_id: RunId = "2025-12-01T00-00-00-000Z".parse().unwrap();
    let dir = store.staging_dir("bad").unwrap();
    let spec = walkforward_policy::load(&store.model_dir(&good), &record.sha256).unwrap().spec().clone();
    write_churner(&dir, spec);
    let mut bad = record.clone();
    (bad.model_id, bad.run_id, bad.optimizer_sha256) = (ModelId::of_run(&run_id), run_id, None);
    (bad.promoted, bad.promoted_at, bad.parent_id) = (false, None, None);
    bad.status = walkforward_store::ModelStatus::Trained;
    let bad = store.adopt("bad", bad).unwrap();
    let arm = store.register_arm(&line, &json!({ "arm": "bad" })).unwrap();
    let snapshot = Snapshot {
        model: bad.model_id.clone(),
        published_at: "2025-12-01T00:00:00Z".parse().unwrap(),
        lineage_until: bad.lineage_until,
    };
    store.publish_snapshot(&arm, &snapshot).unwrap();
    store.extend_stream(&StreamKey::Arm(arm), None, &quiet_stream()).unwrap();
    let verdict = record.verdict.clone().unwrap();
    store
        .promote(&PromotionRequest {
            line: &line,
            expected_current: Some(&good),
            to: &bad.model_id,
            kind: PromotionKind::Promote,
            reason: "a test",
            verdict: &verdict,
            metrics: &Default::default(),
        })
        .unwrap();
    drop(store);
    (world, good, bad.model_id)
}

fn write_churner(dir: &std::path::Path, spec: PolicySpec) {
    let actions = ActionMap::LongFlat;
    let inputs = spec.obs_dim();
    let outputs = actions.len();
    let network = NetworkSpec::Mlp { inputs, hidden: vec![], outputs, activation: Activation::Tanh };
    let mut spec = PolicySpec { network, actions, ..spec };
    (spec.probe.observations, spec.probe.outputs) = (vec![], vec![]);
    let mut weights = vec![0.0; inputs * outputs];
    weights[inputs - PolicySpec::PORTFOLIO_INPUTS] = 10.0;
    let tensors = BTreeMap::from([
        ("actor.0.weight".to_owned(), (vec![outputs, inputs], weights)),
        ("actor.0.bias".to_owned(), (vec![outputs], vec![0.0, 1.0])),
    ]);
    walkforward_policy::write_bundle(dir, &spec, &tensors, None).unwrap();
}

/// Days before the session on which the arm held one position.
fn quiet_stream() -> StreamPart {
    let start: Timestamp = "2023-12-01T00:00:00Z".parse().unwrap();
    let bar = |hour: i64| ScoredBar {
        close: start.plus_millis(hour * 3_600_000),
        net_return: if hour == 1 { -0.1 } else { 0.0 },
        position: 1.0,
        is_known: true,
        is_replayed: false,
    };
    StreamPart { bars: (1..400).map(bar).collect(), deciders: Vec::new(), session: json!({}) }
}

fn bars_file(world: &World) -> String {
    let mut text = "time,open,high,low,close,volume\n".to_owned();
    for hour in 0..BARS as i64 {
        let price = 100.0 + (hour as f64 / 20.0).sin();
        let time = 1_704_067_200_000 + hour * 3_600_000;
        text += &format!("{time},{price},{},{},{price},5\n", price + 0.5, price - 0.5);
    }
    world.file("bars.csv", text)
}

fn args<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--source", "replay", "--path", file, "--journal", "journal", "--json"], more].concat()
}

/// The models that decided, bar by bar.
fn deciders(world: &World) -> Vec<String> {
    let bars = world.journal("journal").into_iter().filter(|record| record["record"] == "bar");
    let decided = bars.filter(|bar| !bar["action"].is_null());
    decided.map(|bar| bar["model"]["model_id"].as_str().unwrap().to_owned()).collect()
}

fn events(world: &World, event: &str) -> Vec<Value> {
    world.journal("journal").into_iter().filter(|record| record["event"] == event).collect()
}

#[test]
fn a_bad_champion_is_rolled_back_within_the_declared_bars_of_a_replay() {
    let (world, good, bad) = with_a_bad_champion();
    let file = bars_file(&world);
    let summary = world.live_trader(&args(&file, &["--speed", "max", "--guard"])).expect_code(0).json();
    assert_eq!((&summary["bars"], &summary["swaps"]), (&BARS.into(), &1.into()));
    let deciders = deciders(&world);
    let of_bad = deciders.iter().take_while(|model| **model == bad.as_str()).count();
    assert!((1..=VERDICT_BARS + STEP).contains(&of_bad), "{of_bad}");
    assert!(deciders[of_bad..].iter().all(|model| model == good.as_str()));
    assert_eq!(events(&world, "guard").len(), 1);

    let store = store(&world);
    let line = LineName::default();
    assert_eq!(store.champion(&line).unwrap().unwrap().record.model_id, good);
    let rollbacks = store.guarded_rollbacks(Some(&line)).unwrap();
    assert_eq!((rollbacks.len(), &rollbacks[0].model), (1, &bad));
    assert!(rollbacks[0].quarantine.is_some());
    let session = store.live_sessions(Some(&line), None, 2).unwrap();
    assert_eq!((session.len(), session[0].bars, session[0].swaps), (1, BARS as u64, 2));
    let id = &session[0].began.id;
    assert_eq!(store.live_fills(id, 0, 1_000).unwrap().len() as u64, session[0].fills);
    assert_eq!(session[0].equity.get(), summary["equity"].as_f64().unwrap());
    let told = store.live_events(id, 0, 1_000).unwrap();
    assert_eq!(told.iter().filter(|event| event.row.kind == "guard").count(), 1);
    let acts = store.acts_after(0, 100).unwrap();
    let verdicts: Vec<&str> =
        acts.iter().filter(|act| act.act == "session.verdict").map(|act| act.actor.as_str()).collect();
    assert_eq!(verdicts, ["trader:watch"]);
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
}

#[test]
fn a_replay_that_nobody_asked_to_watch_takes_nothing_back() {
    let (world, _, bad) = with_a_bad_champion();
    let file = bars_file(&world);
    world.live_trader(&args(&file, &["--speed", "max"])).expect_code(0);
    assert!(deciders(&world).iter().all(|model| model == bad.as_str()));
    assert!(!world.path("journal").join(WATCH_FILE).exists());
    let champion = store(&world).champion(&LineName::default()).unwrap().unwrap();
    assert_eq!(champion.record.model_id, bad);
}

#[test]
fn a_database_of_a_later_version_delays_the_tables_and_not_the_trade() {
    let (world, ..) = with_a_bad_champion();
    let file = bars_file(&world);
    let database = || rusqlite::Connection::open(world.path("data/walkforward.db")).unwrap();
    let version: i64 = database().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    database().pragma_update(None, "user_version", 99).unwrap();
    let summary = world.live_trader(&args(&file, &["--speed", "max"])).expect_code(0).json();
    assert_eq!(summary["bars"], BARS);
    database().pragma_update(None, "user_version", version).unwrap();
    assert!(store(&world).live_sessions(None, None, 2).unwrap().is_empty());
    // The next session's projection carries the one before over too.
    world.live_trader(&args(&file, &["--speed", "max"])).expect_code(0);
    let sessions = store(&world).live_sessions(None, None, 9).unwrap();
    let bars: Vec<u64> = sessions.iter().map(|session| session.bars).collect();
    assert_eq!(bars, [BARS as u64; 2]);
}

#[test]
fn a_trader_that_is_killed_at_its_verdict_takes_the_champion_back_once() {
    let (world, good, bad) = with_a_bad_champion();
    let file = bars_file(&world);
    let paced = args(&file, &["--speed", "1800000", "--guard"]);
    let mut child = world
        .command("live-trader")
        .args(&paced)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let has_verdict = || {
        let text = std::fs::read_to_string(world.path("journal").join(WATCH_FILE)).unwrap_or_default();
        text.contains("\"verdict\": {")
    };
    wait_until("the verdict", has_verdict);
    child.kill().unwrap();
    child.wait().unwrap();
    let again = args(&file, &["--speed", "max", "--guard", "--continue"]);
    world.live_trader(&again).expect_code(0);
    let store = store(&world);
    assert_eq!(store.champion(&LineName::default()).unwrap().unwrap().record.model_id, good);
    assert_eq!(store.guarded_rollbacks(None).unwrap().len(), 1);
    let deciders = deciders(&world);
    assert_eq!(
        (deciders.first().unwrap().as_str(), deciders.last().unwrap().as_str()),
        (bad.as_str(), good.as_str())
    );
    let session = store.live_sessions(None, None, 2).unwrap();
    assert_eq!((session.len(), session[0].bars), (1, BARS as u64));
    assert!(!events(&world, "guard").is_empty());
}
