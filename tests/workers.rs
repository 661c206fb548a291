//! Trainings in processes of their own, through the real binary.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::serve::add;
use crate::support::server::{Server, eventually};
use crate::support::{GOOD_METRICS, SMALL, World};

/// The bytes of the model that `report` names.
fn weights(world: &World, report: &Value) -> Vec<u8> {
    let id = report["modelId"].as_str().unwrap();
    std::fs::read(world.path(&format!("models/{id}/policy.safetensors"))).unwrap()
}

/// Whether the process `pid` runs; one that has ended and is not reaped does not.
fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// The command line of a run whose trainer is the shell script `script`.
fn run_of_script(world: &World, script: &str) -> Command {
    let words = serde_json::to_string(&["/bin/sh", "-c", script, "sh"]).unwrap();
    let mut command = world.command("orchestrate");
    command.args(["--once", "--json", "--launcher", "command", "--command", &words]);
    command.args(SMALL.iter().filter(|it| !["--iterations", "2"].contains(it)));
    command
}

/// A run whose trainer waits for ever, once it has written worker's and its own process id to `pids`.
fn waiting(world: &World) -> (Child, i32, i32) {
    let script = "echo $PPID $$ > new; mv new pids; while true; do sleep 1; done";
    let run = run_of_script(world, script).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the trainer starts", || world.path("pids").exists());
    let text = std::fs::read_to_string(world.path("pids")).unwrap();
    let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    (run, pids[0], pids[1])
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn a_worker_makes_the_same_bytes_as_a_training_in_this_process() {
    for trainer in ["ppo", "supervised"] {
        let train = |launcher: &str| {
            let world = World::new();
            let more: &[&str] = if trainer == "ppo" { &["--iterations", "2"] } else { &[] };
            let small = ["--once", "--json", "--window-bars", "1500", "--holdout-bars", "300", "--seed", "7"];
            let args = [&small[..], more, &["--trainer", trainer, "--launcher", launcher]].concat();
            let report = world.orchestrate(&args, &[]).expect_code(0).json();
            assert_eq!(world.path("data/jobs").exists(), launcher == "subprocess");
            (weights(&world, &report), report["training"]["metrics"].clone())
        };
        assert_eq!(train("in_process"), train("subprocess"), "{trainer}");
    }
}

#[test]
fn the_python_trainer_makes_a_model_that_is_judged_and_traded() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: the_python_trainer_makes_a_model_that_is_judged_and_traded needs python3");
        return;
    }
    let train = |more: &[&str], metrics: &[(&str, &str)]| {
        let world = World::new();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python_trainer/train.py");
        let words = serde_json::to_string(&["python3", script]).unwrap();
        let base = ["--once", "--json", "--window-bars", "1500", "--holdout-bars", "300"];
        let args = [&base[..], &["--launcher", "command", "--command", &words], more].concat();
        let ran = world.orchestrate(&args, metrics);
        (world, ran)
    };
    let (world, ran) = train(&[], &[]);
    let judged = ran.expect_code(0).json();
    let mechanical = judged["verdict"]["checks"].as_array().unwrap().iter();
    let mut mechanical = mechanical.filter(|check| check["name"] == "mechanicalProblems");
    assert_eq!(mechanical.next().unwrap()["judgement"], "pass", "{judged}");
    let (again, ran) = train(&[], GOOD_METRICS);
    let promoted = ran.expect_code(0).json();
    assert_eq!(promoted["outcome"], "promoted");
    assert_eq!(weights(&world, &judged), weights(&again, &promoted));
    again.live_trader(&["--bars", "50"]).expect_code(0);

    let file = world.file("pack.toml", "[pack]\ndepth = 3\n");
    let (_world, ran) = train(&["--config", &file], &[]);
    ran.expect_refusal(&["unknown hyperparameters depth"]);
}

#[test]
fn a_killed_orchestrator_leaves_no_worker_and_no_program() {
    let world = World::new();
    let (mut run, worker, program) = waiting(&world);
    assert!(runs(worker) && runs(program));
    run.kill().unwrap();
    run.wait().unwrap();
    eventually("the worker ends", || !runs(worker));
    eventually("the program ends", || !runs(program));
    world.once(&[], &[]).expect_code(0);
}

#[test]
fn a_killed_worker_takes_its_program_with_it_and_fails_the_run() {
    let world = World::new();
    let (run, worker, program) = waiting(&world);
    // While the orchestrator stands still, nobody but the system can end the program.
    let orchestrator = run.id() as i32;
    signal(orchestrator, Signal::STOP);
    signal(worker, Signal::KILL);
    eventually("the program ends", || !runs(program));
    signal(orchestrator, Signal::CONT);
    let ended = run.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(1) && text.contains("signal 9"), "{text}");
    let staging: Vec<_> = std::fs::read_dir(world.path("models/.staging")).unwrap().collect();
    assert!(staging.is_empty() && !world.path("models/latest.json").exists(), "{staging:?}");
}

#[test]
fn a_run_that_is_asked_to_stop_ends_its_program() {
    let world = World::new();
    let (mut run, worker, program) = waiting(&world);
    signal(run.id() as i32, Signal::TERM);
    assert_ne!(run.wait().unwrap().code(), Some(0));
    eventually("the worker ends", || !runs(worker));
    eventually("the program ends", || !runs(program));
}

#[test]
fn a_program_yields_to_others_and_knows_no_secret() {
    let world = World::new();
    let script = "nice > niceness; ulimit -v > memory; env > environment; exit 3";
    let mut run = run_of_script(&world, script);
    run.envs([("APCA_API_KEY_ID", "hidden"), ("APCA_API_SECRET_KEY", "hidden"), ("SOME_TOKEN", "hidden")]);
    run.envs([("WALKFORWARD_NICENESS", "7"), ("WALKFORWARD_MEMORY_LIMIT_MIB", "4096")]);
    let ended = run.output().unwrap();
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(1) && text.contains("exit status 3"), "{text}");
    let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    // Seven more than the tests themselves, which may be nice already.
    let own = Command::new("nice").output().unwrap().stdout;
    let own: i32 = String::from_utf8(own).unwrap().trim().parse().unwrap();
    assert_eq!(read("niceness").trim(), (own + 7).min(19).to_string());
    assert_eq!(read("memory").trim(), "4194304");
    assert!(!read("environment").contains("hidden") && !text.contains("hidden"));
}

#[test]
fn a_program_that_is_not_there_or_not_named_is_refused() {
    let world = World::new();
    let args = ["--once", "--launcher", "command", "--command", "/no/such/trainer --fast"];
    world.orchestrate(&args, &[]).expect_refusal(&["/no/such/trainer"]);
    let other = World::new();
    other.orchestrate(&["--once", "--launcher", "command"], &[]).expect_refusal(&["training.command"]);
    other.orchestrate(&["--once", "--launcher", "cloud"], &[]).expect_refusal(&["cloud", "subprocess"]);
    other.orchestrate(&["--once"], &[("WALKFORWARD_NICENESS", "99")]).expect_refusal(&["0 to 19"]);
    other.expect_untouched();
}

/// A folder with a training program and the weights that it gives out, both of which are found only from there.
fn with_program() -> World {
    let world = World::new();
    let report = world.once(&["--models-dir", "made", "--data-dir", "made-data"], &[]).expect_code(0).json();
    let made = format!("made/{}/policy.safetensors", report["modelId"].as_str().unwrap());
    std::fs::rename(world.path(&made), world.path("weights")).unwrap();
    let script = "#!/bin/sh\nvalue() { sed -n 's/.*\"'$1'\": *\"\\([^\"]*\\)\".*/\\1/p' \"$job\"; }\njob=$2\n\
        cp \"$1\" \"$(value out_dir)/policy.safetensors\" || exit 9\n\
        echo '{\"type\":\"outcome\",\"attempt\":\"'\"$(value attempt)\"'\"}'\n";
    let program = world.file("trainer.sh", script);
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    world
}

/// Settings of a small training by `command`, and where it is kept.
fn by_command<'a>(command: &'a str, folders: &'a [String; 2]) -> Vec<&'a str> {
    let own = ["--launcher", "command", "--command", command, "--seed", "7"];
    let window = ["--window-bars", "1500", "--holdout-bars", "300"];
    let [data, models] = folders;
    [&own[..], &window, &["--data-dir", data, "--models-dir", models]].concat()
}

fn folders(world: &World) -> [String; 2] {
    ["data", "models"].map(|name| world.path(name).display().to_string())
}

#[test]
fn the_words_of_a_command_mean_what_they_meant_where_it_was_given() {
    let (given, elsewhere) = (with_program(), World::new());
    let folders = folders(&given);
    add(&given, "btc", &[&by_command("./trainer.sh weights", &folders)[..], &["--every", "1h"]].concat());
    let stored = ["--data-dir", &folders[0], "--models-dir", &folders[1]];
    let mut server = Server::start(&elsewhere, &stored);
    let cycle = server.wait_for("continuous_cycle_complete", |data| data["schedule_id"] == "btc");
    assert_eq!(cycle["status"], "promoted", "{cycle}");
    // A program that lies in the folder and nowhere else is found by its name.
    let run =
        [&["experiments", "run", "--id", "e", "--json"][..], &by_command("trainer.sh weights", &folders)];
    let ended = given.orchestrate(&run.concat(), GOOD_METRICS).expect_code(0).json();
    assert_eq!(ended["status"], "completed", "{ended}");
    server.stop_well();
    let settings = &ended["config"]["settings"];
    let [program, folder] = ["trainer.sh", ""].map(|name| given.path(name).display().to_string());
    assert_eq!(settings["training.command"], json!([program, "weights"]).to_string());
    assert_eq!(settings["training.command_dir"], folder.trim_end_matches('/'));
    let reproduce = [&["models", "reproduce", ended["model_id"].as_str().unwrap()], &stored[..]].concat();
    elsewhere.orchestrate(&reproduce, &[]).expect_code(0);
    std::fs::remove_file(program).unwrap();
    let parts = ["not comparable", "training.command", "trainer.sh"];
    elsewhere.orchestrate(&reproduce, &[]).expect_refusal(&parts);
}

#[test]
fn a_command_that_can_not_be_run_is_refused_before_anything_is_kept() {
    let (once, world) = (World::new(), World::new());
    let folders = folders(&world);
    for (command, part) in [
        ("/no/such/trainer --fast", "/no/such/trainer"),
        ("./notes.txt", "may not be executed"),
        ("no-such-trainer-anywhere", "in PATH"),
        ("[1, 2]", "JSON list"),
    ] {
        let own = by_command(command, &folders);
        for (world, args) in [
            (&once, &["--once"][..]),
            (&world, &["schedules", "add", "btc"]),
            (&world, &["experiments", "run"]),
        ] {
            world.file("notes.txt", "no program");
            world.orchestrate(&[args, &own].concat(), &[]).expect_refusal(&["command", part]);
        }
        once.expect_untouched();
    }
    let own = [&by_command("true", &folders)[..], &["--command-dir", "nowhere"]].concat();
    world.orchestrate(&[&["schedules", "add", "btc"], &own[..]].concat(), &[]).expect_refusal(&["nowhere"]);
    let listed = world.orchestrate(&["schedules", "list", "--json"], &[]).expect_code(0).json();
    assert_eq!(listed["schedules"], json!([]));
}

/// Starts a worker on the job at `path`, with its standard input held open.
fn worker(world: &World, path: &Path) -> std::process::Output {
    let mut command = world.command("orchestrate");
    command.args(["worker", "--job"]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let held = child.stdin.take();
    let ended = child.wait_with_output().unwrap();
    drop(held);
    ended
}

#[test]
fn a_worker_refuses_another_version_of_the_protocol() {
    let world = World::new();
    let job = world.file("job.json", r#"{"protocol": 2}"#);
    let ended = worker(&world, Path::new(&job));
    assert_eq!(ended.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&said["type"], &said["kind"]), (&"error".into(), &"bad_input".into()));
    let message = said["message"].as_str().unwrap();
    assert!(message.contains("version 2") && message.contains("job.json"), "{message}");
}
