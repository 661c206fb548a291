//! `orchestrate replay`: the past as live cycles would have made it, whatever is killed meanwhile.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use walkforward::scheduling::Planner;
use walkforward::settings::{Binary, Settings, arguments};
use walkforward_core::{
    CancelToken, Clock, Grade, LineName, ManualClock, ModelId, PromotionClass, RunId, StageError, Timestamp,
};
use walkforward_orchestrator::replay::audit_stream;
use walkforward_orchestrator::{
    ContinuousParts, ContinuousTrainer, CyclePlan, CyclePlanner, CycleRunner, CycleStart, NoCycleProgress,
};
use walkforward_store::{
    CycleStatus, CycleTrigger, NewCycle, ScheduleChange, ScheduleId, ScheduleRecord, Store, StreamKey,
};

use crate::support::{World, shared_data};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const DELAY: Duration = Duration::from_secs(600);

/// A training of a few milliseconds, and rules that look after five days.
pub(crate) const SETTINGS: &str = "\
[pack]
iterations = 2
num_envs = 4
num_steps = 32
hidden = [8]
lookback = 2
episode_bars = 64
[data]
path = \"bars.csv\"
symbol = \"BTC/USD\"
window_bars = 700
holdout_bars = 300
[costs]
fee_bps = 1
slippage_bps = 0
[line]
name = \"trial\"
";
pub(crate) const EAGER: &str = "\
[evidence]
first_look_days = 4
min_counted_bars = 90
min_trades = 2
min_stretches = 2
";

/// Hourly bars that breathe with the day, the first at midnight.
fn csv(bars: usize) -> String {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let (mut text, mut drift, mut open) = ("Date,Open,High,Low,Close,Volume\n".to_owned(), 0.0, 100.0);
    for bar in 0..bars {
        drift += random.random_range(-0.0035..0.0035);
        let close = 100.0 * f64::exp(0.005 * (std::f64::consts::TAU * bar as f64 / 24.0).sin() + drift);
        let (high, low) = (f64::max(open, close) * 1.001, f64::min(open, close) * 0.999);
        writeln!(text, "{},{open:.6},{high:.6},{low:.6},{close:.6},100", at(bar as i64)).unwrap();
        open = close;
    }
    text
}

fn at(hour: i64) -> Timestamp {
    "2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap().plus_millis(hour * HOUR_MS)
}

fn line() -> LineName {
    "trial".parse().unwrap()
}

/// A world with `bars` bars and these settings.
pub(crate) fn world(bars: usize, settings: &str) -> World {
    let world = World::new();
    world.file("bars.csv", csv(bars));
    world.file("settings.toml", settings);
    world
}

fn replay<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["replay", "--config", "settings.toml", "--json"], more].concat()
}

fn open(world: &World, now: Timestamp) -> (Arc<Store>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now));
    let store = Store::open(&world.path("data"), &world.path("models"), Arc::<ManualClock>::clone(&clock));
    (Arc::new(store.unwrap()), clock)
}

/// What a line's verdicts came to: due time, weights, parent, outcome, reason, class, grade, sentence.
type Judged = (Timestamp, String, Option<ModelId>, Value, Option<PromotionClass>, Option<Grade>, String);

/// A sentence without what it says of the registered test, in which bars of a replay have no part.
fn without_test(sentence: &str) -> &str {
    sentence.split("; qualified").next().unwrap_or_default()
}

fn judged(store: &Store, until: Timestamp) -> Vec<Judged> {
    let models = store.models(&line()).unwrap();
    let records = models.iter().map(|id| store.model(id).unwrap()).filter(|record| record.created_at < until);
    let told = |record: walkforward_store::ModelRecord| {
        let verdict = record.verdict.clone().unwrap();
        let grading = verdict.grading.as_ref();
        (
            record.created_at,
            record.sha256,
            record.parent_id,
            json!([verdict.outcome, verdict.reason]),
            grading.map(|it| it.class),
            grading.and_then(|it| it.grade),
            without_test(&verdict.sentence).to_owned(),
        )
    };
    records.map(told).collect()
}

/// How the champion of a line changed until then.
fn champions(store: &Store, until: Timestamp) -> Vec<Value> {
    let rows = store.promotions(&line()).unwrap();
    let told = rows.iter().filter(|row| row.committed_at.is_some_and(|at| at < until)).map(|row| {
        json!([
            row.from,
            row.to,
            row.kind.as_str(),
            without_test(&row.reason),
            row.created_at,
            row.committed_at
        ])
    });
    told.collect()
}

/// Rows of the streams of a line: the arm's and those of the champions by takeover.
fn streams(store: &Store, until: Timestamp) -> Vec<(String, Vec<Value>, Vec<Value>)> {
    let arms = store.arms(&line()).unwrap().into_iter().map(|arm| StreamKey::Arm(arm.id));
    let known = store.arms(&line()).unwrap();
    let of_arms = |model: ModelId| {
        let arms: Vec<_> =
            known.iter().map(|arm| StreamKey::Reference(model.clone(), arm.id.clone())).collect();
        arms
    };
    let models = store.models(&line()).unwrap().into_iter().flat_map(of_arms);
    let told = |key: StreamKey| {
        let bars = store.stream_bars(&key, None).unwrap().into_iter().filter(|bar| bar.close <= until);
        let bits = |value: f64| value.to_bits();
        let bars: Vec<Value> =
            bars.map(|it| json!([it.close, bits(it.net_return), bits(it.position), it.is_known])).collect();
        let deciders = store.stream_deciders(&key).unwrap().into_iter().filter(|(from, _)| *from <= until);
        (key.to_string(), bars, deciders.map(|(from, model)| json!([from, model])).collect())
    };
    arms.chain(models).map(told).filter(|(_, bars, _)| !bars.is_empty()).collect()
}

/// Plans of the schedule whose models decide after the delay of a replay.
struct Delayed(Planner);

impl CyclePlanner for Delayed {
    fn plan(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, StageError> {
        let mut plan = self.0.plan(schedule)?;
        if let Some(arm) = &mut plan.request.arm {
            arm.publish_delay = DELAY;
        }
        Ok(plan)
    }
}

/// Runs the cycles of the world's schedule at `due`, each with a file that ends where the bars of that time end.
fn run_live(world: &World, due: &[Timestamp], bars: usize) {
    let (store, clock) = open(world, due[0]);
    let lock = Arc::new(store.run_lock().unwrap());
    let command = arguments(clap::Command::new("test").no_binary_name(true), Binary::Orchestrate);
    let settings =
        Settings::collect(Binary::Orchestrate, &command.get_matches_from([""; 0]), &|_| None).unwrap();
    let planner = Planner::new(settings, Arc::clone(&store), Arc::<ManualClock>::clone(&clock));
    let runner = ContinuousTrainer::new(ContinuousParts {
        store: Arc::clone(&store),
        lock,
        planner: Arc::new(Delayed(planner)),
        clock: Arc::<ManualClock>::clone(&clock),
        progress: Arc::new(NoCycleProgress),
        work_dir: world.path("data"),
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let schedule: ScheduleId = "daily".parse().unwrap();
    let whole = csv(bars);
    let first = store.schedule(&schedule).unwrap().current_cycle;
    for (number, due) in (first + 1..).zip(due) {
        clock.set(*due);
        let closed = usize::try_from(due.millis_since(at(0)) / HOUR_MS).unwrap();
        let text: Vec<&str> = whole.lines().take(1 + closed).collect();
        world.file("bars.csv", text.join("\n") + "\n");
        let row = NewCycle {
            schedule_id: schedule.clone(),
            number,
            due_at: *due,
            trigger: CycleTrigger::Due,
            status: CycleStatus::Running,
            reason: None,
        };
        store.commit_schedule_changes(&[ScheduleChange::Cycle(row)]).unwrap();
        let record = store.schedule(&schedule).unwrap();
        let start = CycleStart { schedule: record, number, due_at: *due, trigger: CycleTrigger::Due };
        let end = runtime.block_on(runner.run(start, CancelToken::default()));
        assert!(!matches!(end.status, CycleStatus::Failed | CycleStatus::Skipped), "{end:?}");
        let (schedule_id, status) = (schedule.clone(), end.status);
        let change = ScheduleChange::CycleStatus { schedule_id, number, status, reason: end.reason };
        store.commit_schedule_changes(&[change]).unwrap();
    }
    assert!(clock.now() >= due[due.len() - 1]);
}

/// A world with the schedule `daily`.
fn scheduled(bars: usize) -> World {
    let world = world(bars, SETTINGS);
    let add = ["schedules", "add", "daily", "--every", "24h", "--idle", "--config", "settings.toml"];
    world.orchestrate(&[&add[..], &["--launcher", "in_process", "--quiet"]].concat(), &[]).expect_code(0);
    world
}

#[test]
fn a_replay_writes_what_live_cycles_would_have_written_and_live_cycles_go_on_from_it() {
    const DAYS: i64 = 60;
    const BARS: usize = 2_500;
    let until = at(BARS as i64 - 24);
    let due: Vec<Timestamp> = (0..DAYS).map(|day| until.plus_millis((day - DAYS) * DAY_MS)).collect();
    let replayed = scheduled(BARS);
    let as_of = until.to_string();
    let args = replay(&["--schedule", "daily", "--days", "60", "--as-of", &as_of]);
    let told = replayed.orchestrate(&args, &[]).expect_code(0).json();
    let live = scheduled(BARS);
    let later: Vec<Timestamp> = [until, until.plus_millis(DAY_MS)].to_vec();
    run_live(&live, &[due, later.clone()].concat(), BARS);

    let (ours, theirs) = (open(&replayed, until).0, open(&live, until).0);
    assert_eq!(streams(&ours, until), streams(&theirs, until));
    assert_eq!(champions(&ours, until), champions(&theirs, until));
    let (ours_judged, theirs_judged) = (judged(&ours, until), judged(&theirs, until));
    assert_eq!(ours_judged.len(), 60);
    for (ours, theirs) in ours_judged.iter().zip(&theirs_judged) {
        assert_eq!(ours, theirs);
    }
    let arm = ours.arms(&line()).unwrap().remove(0).id;
    assert!(ours.stream_bars(&StreamKey::Arm(arm.clone()), None).unwrap().iter().all(|bar| bar.is_replayed));
    assert!(
        theirs.stream_bars(&StreamKey::Arm(arm.clone()), None).unwrap().iter().all(|bar| !bar.is_replayed)
    );

    // The bars are such that every kind of verdict is among them.
    let counts = &told["counts"];
    assert!(counts["takeovers"].as_u64() > Some(0) && counts["refreshes"].as_u64() > Some(10), "{counts}");
    assert!(counts["refusals"]["too_early"].as_u64() > Some(10), "{counts}");
    assert!(
        ours_judged.iter().filter(|judged| !judged.6.is_empty()).count() > 40,
        "hardly a sentence was compared"
    );
    expect_sound(&told, 60);

    drop((ours, theirs));
    run_live(&replayed, &later, BARS);
    let (ours, theirs) = (open(&replayed, later[1]).0, open(&live, later[1]).0);
    assert_eq!(streams(&ours, later[1]), streams(&theirs, later[1]));
    assert_eq!(champions(&ours, until), champions(&theirs, until));
    let rows = ours.stream_bars(&StreamKey::Arm(arm), None).unwrap();
    // Whoever went on with the arm knew the bars of 2024.
    assert!(rows.iter().all(|bar| bar.is_replayed) && rows.len() as i64 == (DAYS + 1) * 24, "{}", rows.len());
}

/// Every cycle has a verdict with a sentence, none is contaminated, and the stream keeps its promises.
fn expect_sound(told: &Value, cycles: usize) {
    let stream = &told["stream"];
    assert_eq!((&stream["broken"], &stream["problems"]), (&json!(0), &json!([])));
    let all = told["cycles"].as_array().unwrap();
    assert_eq!((all.len(), &told["status"]), (cycles, &json!("finished")));
    for cycle in all {
        assert!(!cycle["sentence"].as_str().unwrap().is_empty() && cycle["class"].is_string(), "{cycle}");
        assert!(
            !["contaminated", "no_stream", "bad_ledger"].contains(&cycle["reason"].as_str().unwrap_or(""))
        );
    }
    let names: Vec<&str> =
        told["equity"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["line", "auto_deploy", "thresholds", "buy_and_hold", "flat"]);
    assert!(told["equity"].as_array().unwrap().iter().all(|it| it["bars"] == stream["bars"]));
}

/// Everything that a replay leaves but what tells of kills: numbers of events, promotions that did not come about.
fn left(world: &World) -> Vec<Value> {
    let now = at(10_000);
    let (store, _) = open(world, now);
    let replay = store.replay(&line()).unwrap().unwrap();
    let mut all = vec![json!([replay.status.as_str(), replay.next_due, format!("{:?}", replay.asked)])];
    for cycle in store.replay_cycles(replay.id).unwrap() {
        let run = store.run(&cycle.run).unwrap().unwrap();
        all.push(json!([cycle.due_at, cycle.run, cycle.is_ended, run.started_at, run.finished_at]));
        all.push(json!([run.outcome.map(|it| it.as_str()), run.reason]));
        let record = store.model(&ModelId::of_run(&cycle.run)).unwrap();
        let times = json!([record.created_at, record.evaluated_at, record.promoted_at, record.lineage_until]);
        let hashes = json!([record.sha256, record.optimizer_sha256, record.dataset_hash, record.parent_id]);
        all.push(json!([
            times,
            hashes,
            record.status.as_str(),
            record.metrics,
            record.verdict,
            record.champion_id
        ]));
    }
    for arm in store.arms(&line()).unwrap() {
        let snapshots = store.snapshots(&arm.id, None).unwrap();
        all.push(json!([arm.spec, snapshots]));
        let audit = audit_stream(&store, &arm.id).unwrap();
        assert_eq!(audit.broken, 0, "{audit:?}");
    }
    all.extend(champions(&store, now));
    all.push(json!(store.models(&line()).unwrap()));
    all.extend(streams(&store, now).into_iter().map(|stream| json!(stream)));
    all
}

const KILLED: &[&str] = &["--days", "9"];

#[test]
fn a_replay_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let whole = world(1_300, &[SETTINGS, EAGER].concat());
    let told = whole.orchestrate(&replay(KILLED), &[]).expect_code(0).json();
    assert!(told["counts"]["takeovers"].as_u64() > Some(0), "{}", told["counts"]);
    assert!(told["counts"]["refreshes"].as_u64() > Some(0), "{}", told["counts"]);
    let expected = left(&whole);
    let kills = std::env::var("WALKFORWARD_KILLS").map_or(12, |text| text.parse().unwrap());
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let (mut made, mut seen) = (0, 0);
    while made < kills {
        let world = world(1_300, &[SETTINGS, EAGER].concat());
        while let Some(step) = killing::kill(&world, random.random_range(0..350)) {
            made += 1;
            eprintln!("killed before {step}");
        }
        if seen == made {
            return eprintln!("skipped: the kills need ptrace, which is not allowed here");
        }
        seen = made;
        assert_eq!(world.orchestrate(&replay(KILLED), &[]).expect_code(0).json()["counts"], told["counts"]);
        for (found, expected) in left(&world).iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        assert_eq!(left(&world).len(), expected.len());
        assert_eq!(std::fs::read_dir(world.path("models/.staging")).unwrap().count(), 0);
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod killing {
    use std::process::Stdio;

    use super::{KILLED, World, replay};
    use crate::support::tracer::{Tracer, Victim};

    /// Runs the replay until it is killed before this step that makes something durable; none when it came to its end.
    pub(super) fn kill(world: &World, step: usize) -> Option<String> {
        let mut command = world.command("orchestrate");
        command.args(replay(KILLED)).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let root = world.path(".");
        let watched = std::thread::spawn(move || {
            Tracer::attach(pid, &root, Victim::Server, Some(step)).ok().map(|it| it.watch(|| false))
        });
        let watched = watched.join().unwrap();
        // Whoever watched it to its end has waited for it already.
        let _ = child.wait();
        watched.and_then(|watched| watched.killed).map(|step| step.what)
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod killing {
    /// Nobody can be watched here.
    pub(super) fn kill(_world: &super::World, _step: usize) -> Option<String> {
        None
    }
}

#[test]
fn a_replay_that_is_over_is_told_again_and_another_one_needs_another_line() {
    let world = world(1_300, &[SETTINGS, EAGER].concat());
    let first = world.orchestrate(&replay(KILLED), &[]).expect_code(0).json();
    let before = left(&world);
    // Newer bars are for live cycles.
    world.file("bars.csv", csv(1_310));
    assert_eq!(world.orchestrate(&replay(KILLED), &[]).expect_code(0).json()["cycles"], first["cycles"]);
    let page = replay(&[KILLED, &["--report", "page.html"]].concat());
    world.orchestrate(&page, &[]).expect_code(0);
    let page = std::fs::read_to_string(world.path("page.html")).unwrap();
    for part in ["Every snapshot at once", "Buy and hold", "too_early", "Takeover", "trial"] {
        assert!(page.contains(part), "no '{part}' on the page");
    }
    for (args, parts) in [
        (vec!["--days", "8"], vec!["line 'trial' can't be replayed", "its from is", "--line"]),
        (vec!["--days", "9", "--every", "6h"], vec!["its cycles is every 24h, and every 6h was asked for"]),
        (vec!["--days", "9", "--publish-delay", "1h"], vec!["its publish delay is 600000 ms"]),
    ] {
        world.orchestrate(&replay(&args), &[]).expect_refusal(&parts);
    }
    assert_eq!(left(&world), before);
}

#[test]
fn what_can_not_be_replayed_is_refused_with_the_reason() {
    let world = world(1_300, SETTINGS);
    for (args, env, parts) in [
        (vec!["--publish-delay", "0s"], vec![], vec!["--publish-delay 0s", "above 0"]),
        (vec!["--every", "soon"], vec![], vec!["--every soon"]),
        (vec!["--preset", "thresholds"], vec![], vec!["--preset", "expected evidence"]),
        (vec!["--schedule", "no one"], vec![], vec!["--schedule"]),
        (vec!["--path", "nothing.csv"], vec![], vec!["nothing.csv"]),
    ] {
        world.orchestrate(&replay(&args), &env).expect_refusal(&parts);
    }
    world.expect_untouched();
    world.orchestrate(&replay(&["--schedule", "daily"]), &[]).expect_refusal(&["daily"]);
    let too_long = replay(&["--days", "84"]);
    world.orchestrate(&too_long, &[]).expect_refusal(&["bars"]);
    let (store, _) = open(&world, at(0));
    assert!(store.replay(&line()).unwrap().is_none() && store.arms(&line()).unwrap().is_empty());
    drop(store);
    world
        .orchestrate(
            &["--once", "--config", "settings.toml", "--quiet"],
            &[("MIN_WIN_RATE", "0"), ("MIN_PNL_PER_TRADE", "-1"), ("MAX_DRAWDOWN", "1")],
        )
        .expect_code(0);
    world
        .orchestrate(&replay(&["--days", "9"]), &[])
        .expect_refusal(&["it has the champion model-", "--line"]);
}

#[test]
fn three_weeks_of_bitcoin_are_replayed_shared_data() {
    let Some(shared) = shared_data("three_weeks_of_bitcoin_are_replayed_shared_data") else { return };
    let world = World::new();
    let path = shared.join("data/BTCUSDT_1h.csv.gz").display().to_string();
    let args =
        ["replay", "--json", "--path", &path, "--symbol", "BTC/USD", "--line", "trial", "--days", "21"];
    let told = world.orchestrate(&args, &[]).expect_code(0).json();
    expect_sound(&told, 21);
    assert_eq!(told["stream"]["bars"], 21 * 24);
    let first: RunId = told["cycles"][0]["run"].as_str().unwrap().parse().unwrap();
    assert_eq!(first, RunId::at("2024-03-28T04:00:00Z".parse().unwrap()));
}
