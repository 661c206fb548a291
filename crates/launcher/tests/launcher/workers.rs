//! What workers do, and what becomes of it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use walkforward_core::{ErrorKind, Launcher, Timestamp};
use walkforward_durable::{Files, PlannedFault};
use walkforward_launcher::{JobFile, PROTOCOL, SubprocessConfig, SubprocessLauncher};

use crate::support::{ATTEMPT, World, eventually, runs, runtime};

/// Threads that other tests may begin while one counts.
const SPARE_THREADS: usize = 40;

/// Runs `world` and expects a failure of this kind whose text has each of `parts`.
fn fails(world: &World, kind: ErrorKind, parts: &[&str]) {
    let error = world.launch().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind, kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "no '{part}' in: {text}");
    }
}

#[test]
fn an_outcome_with_a_bundle_is_a_training() {
    let world = World::new(
        r#"progress; echo '{"type":"metrics","iteration":1,"metrics":{"loss":0.5,"kl":null}}'; bundle; outcome"#,
    );
    let outcome = world.launch().unwrap();
    assert_eq!((outcome.trainer.as_str(), outcome.iterations), ("sh", 2));
    assert_eq!(outcome.used_until, world.job().dataset.training_end());
    assert_eq!(world.recorder.updates.lock().unwrap()[0].total, 2);
    let metrics = world.recorder.metrics.lock().unwrap().clone();
    assert_eq!(metrics, [(1, [("loss".to_owned(), 0.5)].into())]);
}

#[test]
fn a_worker_finds_its_job_beside_its_dataset() {
    let world = World::new("cp \"$1\" job; ls \"$(dirname \"$1\")/dataset\" > files; bundle; outcome");
    world.launch().unwrap();
    let job = JobFile::read(&world.path("job")).unwrap();
    assert_eq!((job.protocol, job.attempt.as_str(), job.seed), (PROTOCOL, ATTEMPT, u64::MAX));
    assert_eq!(job.out_dir, world.path("out"));
    let files = std::fs::read_to_string(world.path("files")).unwrap();
    assert_eq!(files, "bars.csv\ndataset.json\nfeatures.f32\n");
    let kept = world.path("data/jobs").join(ATTEMPT);
    assert!(kept.join("job.json").exists() && !kept.join("dataset").exists());
}

#[test]
fn a_worker_that_dies_is_quoted() {
    fails(
        &World::new("echo Traceback >&2; echo no such module >&2; exit 3"),
        ErrorKind::Bug,
        &["exit status 3", "without an outcome", "Traceback\nno such module"],
    );
    fails(&World::new("kill -9 $$"), ErrorKind::Retry, &["signal 9"]);
    fails(&World::new("exit 0"), ErrorKind::Bug, &["exit status 0", "without an outcome"]);
    fails(&World::new("bundle; outcome; exit 4"), ErrorKind::Bug, &["exit status 4", "after its outcome"]);
}

#[test]
fn a_failure_keeps_its_kind_and_its_words() {
    let say = |kind: &str| {
        World::new(&format!(
            r#"echo '{{"type":"error","kind":"{kind}","message":"the pack is odd"}}'; exit 1"#
        ))
    };
    fails(&say("bad_input"), ErrorKind::BadInput, &["the pack is odd"]);
    fails(&say("retry"), ErrorKind::Retry, &["the pack is odd"]);
}

#[test]
fn a_worker_that_hangs_is_killed() {
    let quick = |config: &mut SubprocessConfig| config.stall_timeout = Duration::from_millis(200);
    fails(&World::with("echo busy; sleep 1000", quick), ErrorKind::Retry, &["nothing of progress"]);
    // Talk is no progress.
    let talk = "while true; do echo busy; sleep 0.02; done";
    fails(&World::with(talk, quick), ErrorKind::Retry, &["nothing of progress"]);
}

#[test]
fn a_worker_that_takes_too_long_is_killed_however_busy() {
    let quick = |config: &mut SubprocessConfig| config.time_budget = Duration::from_millis(300);
    let world = World::with("while true; do progress; sleep 0.02; done", quick);
    fails(&world, ErrorKind::Retry, &["was not done after"]);
}

#[test]
fn a_worker_that_floods_is_killed_and_its_log_is_bounded() {
    let all = |config: &mut SubprocessConfig| {
        config.max_output_bytes = 8 << 20;
        config.max_output_bytes_per_s = u64::MAX;
    };
    let world = World::with("yes a flood of words", all);
    fails(&world, ErrorKind::Bug, &["in all", "more than the 8388608 allowed", "a flood of words"]);
    assert!(world.log().len() < 2 << 20);
    let rate = |config: &mut SubprocessConfig| config.max_output_bytes_per_s = 100_000;
    fails(&World::with("yes >&2", rate), ErrorKind::Bug, &["within a second"]);
}

#[test]
fn garbage_is_log() {
    let world = World::new(
        r#"echo 'Epoch 1'; echo '{"type":"weather"}'; printf '\377\376\n'; echo '{"type":"outcome"}'; bundle; outcome"#,
    );
    world.launch().unwrap();
    let log = world.log();
    assert!(log.contains("Epoch 1") && log.contains("weather"), "{log}");
}

#[test]
fn an_outcome_without_a_bundle_is_none() {
    fails(&World::new("outcome"), ErrorKind::Bug, &["no bundle", "policy.safetensors", "not there"]);
    fails(&World::new(": > out/policy.safetensors; outcome"), ErrorKind::Bug, &["empty"]);
    fails(&World::new("mkdir out/policy.safetensors; outcome"), ErrorKind::Bug, &["no regular file"]);
}

#[test]
fn only_the_first_outcome_counts_and_only_this_attempts() {
    let other = r#"echo '{"type":"outcome","attempt":"another","trainer":"late"}'"#;
    let world = World::new(&format!("bundle; outcome; {other}"));
    assert_eq!(world.launch().unwrap().trainer, "sh");
    fails(&World::new(&format!("bundle; {other}; outcome")), ErrorKind::Bug, &["'another'", ATTEMPT]);
}

#[test]
fn a_worker_that_is_cancelled_may_leave_by_itself() {
    let world = World::new("trap 'echo left > left; exit 0' TERM; progress; while true; do sleep 0.01; done")
        .cancelling();
    fails(&world, ErrorKind::Cancelled, &["cancelled"]);
    assert!(world.path("left").exists());
}

#[test]
fn a_worker_that_does_not_leave_is_killed_after_the_grace() {
    let quick = |config: &mut SubprocessConfig| config.cancel_grace = Duration::from_millis(100);
    let script = "trap '' TERM; echo $$ > pid; progress; while true; do sleep 0.01; done";
    let world = World::with(script, quick).cancelling();
    fails(&world, ErrorKind::Cancelled, &[]);
    assert!(!runs(world.pids("pid")[0]));
}

#[test]
fn a_worker_that_lingers_after_its_outcome_is_ended() {
    let quick = |config: &mut SubprocessConfig| config.cancel_grace = Duration::from_millis(100);
    assert!(World::with("bundle; outcome; sleep 1000", quick).launch().is_ok());
}

#[test]
fn a_training_that_was_cancelled_before_starts_nothing() {
    let world = World::new("touch started");
    world.cancel.cancel();
    fails(&world, ErrorKind::Cancelled, &[]);
    assert!(!world.path("started").exists() && !world.path("data").exists());
}

#[test]
fn nothing_of_a_worker_is_left_not_even_what_left_its_group() {
    let world = World::new(
        "sleep 1000 & echo $! > pids; setsid sleep 1000 & echo $! >> pids; \
         setsid sh -c 'echo $$ >> pids; sleep 1000' & sleep 0.1; bundle; outcome",
    );
    world.launch().unwrap();
    let pids = world.pids("pids");
    assert!(pids.len() >= 3);
    for pid in pids {
        eventually("a process of the worker ends", || !runs(pid));
    }
}

#[test]
fn a_future_that_is_dropped_ends_its_worker() {
    let world = World::new("echo $$ > pid; mv pid pid2; progress; sleep 1000");
    let runtime = runtime();
    runtime.block_on(async {
        let (launcher, context) = (world.launcher(), world.context());
        let started = async {
            while !world.path("pid2").exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = launcher.launch(world.job(), &context) => panic!("it ended: {ended:?}"),
            () = started => {}
        }
    });
    let pid = world.pids("pid2")[0];
    eventually("the worker ends", || !runs(pid));
}

#[test]
fn secrets_are_not_in_the_environment_of_a_worker() {
    let world = World::with("env > environment; bundle; outcome", |config| {
        let secret =
            ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY", "MY_TOKEN", "https_proxy"];
        config.environment.extend(secret.map(|name| (name.into(), "hidden".into())));
        config.environment.push(("LC_ALL".into(), "C".into()));
    });
    world.launch().unwrap();
    let environment = std::fs::read_to_string(world.path("environment")).unwrap();
    assert!(!environment.contains("hidden"), "{environment}");
    for expected in ["LC_ALL=C", "OMP_NUM_THREADS=2", &format!("WALKFORWARD_ATTEMPT={ATTEMPT}@")] {
        assert!(environment.contains(expected), "{expected}: {environment}");
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let refused = |program: &std::path::Path| {
        let config = SubprocessConfig::new(program, serde_json::Value::Null);
        SubprocessLauncher::new(config).unwrap_err()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orchestrate");
    let error = refused(&path);
    assert!(error.to_string().contains("orchestrate") && error.kind() == ErrorKind::BadInput, "{error}");
    std::fs::write(&path, "no program").unwrap();
    assert!(refused(&path).to_string().contains("may not be executed"));
    assert!(refused(dir.path()).to_string().contains("no file"));

    let world = World::new("exit 0");
    let program = world.path("sh");
    std::fs::copy("/bin/sh", &program).unwrap();
    let launcher =
        SubprocessLauncher::new(SubprocessConfig { program: program.clone(), ..world.config.clone() });
    std::fs::remove_file(&program).unwrap();
    let error = runtime().block_on(launcher.unwrap().launch(world.job(), &world.context())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput, "{error}");
    assert!(!world.path("data").exists());
}

#[test]
fn an_attempt_that_would_leave_its_folder_is_refused() {
    let world = World::new("exit 0");
    for attempt in ["", "..", "../x", "a/b", "a b"] {
        let job = walkforward_core::TrainingJob { attempt: attempt.to_owned(), ..world.job() };
        let error = runtime().block_on(world.launcher().launch(job, &world.context())).unwrap_err();
        assert!(error.to_string().contains("no attempt"), "{error}");
    }
    assert!(!world.path("data").exists());
}

#[test]
fn a_job_that_can_not_be_written_starts_nothing() {
    let world = World::new("touch started; bundle; outcome");
    let plan = std::sync::Arc::new(PlannedFault::never());
    let launcher = world.launcher().with_files(Files::with_faults(plan.clone()));
    runtime().block_on(launcher.launch(world.job(), &world.context())).unwrap();
    // The last steps tidy up: their failure is no failure of the training.
    let tidied = 1;
    for step in 0..plan.taken() - tidied {
        let world = World::new("touch started; bundle; outcome");
        let plan = PlannedFault::once(step, std::io::ErrorKind::StorageFull);
        let launcher = world.launcher().with_files(Files::with_faults(std::sync::Arc::new(plan)));
        let ended = runtime().block_on(launcher.launch(world.job(), &world.context()));
        assert_eq!(ended.unwrap_err().kind, ErrorKind::Retry, "step {step}");
        assert!(!world.path("started").exists(), "step {step}");
    }
}

#[test]
fn old_jobs_are_removed_and_new_ones_kept() {
    let world = World::new("bundle; outcome");
    for number in 0..60 {
        std::fs::create_dir_all(world.path("data/jobs").join(format!("2023-{number:02}"))).unwrap();
    }
    world.launch().unwrap();
    let kept: Vec<_> = std::fs::read_dir(world.path("data/jobs")).unwrap().collect();
    assert_eq!(kept.len(), 50);
    assert!(world.path("data/jobs").join(ATTEMPT).exists() && !world.path("data/jobs/2023-10").exists());
}

#[test]
fn a_worker_and_its_program_run_in_their_folder() {
    let world = World::new("bundle; outcome");
    let mut config = world.config.clone();
    config.folder = Some(world.path("here"));
    config.arguments = ["trainer.sh", "sh"].map(OsString::from).into();
    let script = format!("pwd > place; {}", world.config.arguments[1].to_string_lossy());
    let missing = SubprocessLauncher::new(config.clone()).unwrap();
    let error = runtime().block_on(missing.launch(world.job(), &world.context())).unwrap_err();
    assert!(error.kind == ErrorKind::BadInput && error.to_string().contains("here'"), "{error}");
    assert!(!world.path("data").exists());
    std::fs::create_dir(world.path("here")).unwrap();
    std::fs::write(world.path("here/trainer.sh"), script).unwrap();
    let launcher = SubprocessLauncher::new(config).unwrap();
    runtime().block_on(launcher.launch(world.job(), &world.context())).unwrap();
    let place = std::fs::read_to_string(world.path("here/place")).unwrap();
    assert_eq!(Path::new(place.trim()), world.path("here").canonicalize().unwrap());
}

#[test]
fn many_workers_at_once_keep_their_folders_and_take_a_thread_each() {
    const AT_ONCE: usize = 60;
    let go_on = "touch started-$$; while [ ! -e go ]; do sleep 0.05; done";
    let check = "[ -e \"$1\" ] && [ -d \"$(dirname \"$1\")/dataset\" ] || exit 7";
    let world = World::new(&format!("{go_on}; {check}; exit 5"));
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let (before, mut during) = (threads(), 0);
    runtime().block_on(async {
        let (launcher, context) = (world.launcher(), world.context());
        let launches: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let attempt = format!("2024-01-01T00-00-{number:02}-000Z-1");
                let job = walkforward_core::TrainingJob { attempt, ..world.job() };
                let (launcher, context) = (launcher.clone(), context.clone());
                tokio::spawn(async move { launcher.launch(job, &context).await })
            })
            .collect();
        let started = || {
            let names = std::fs::read_dir(world.dir.path()).unwrap().flatten();
            names.filter(|it| it.file_name().to_string_lossy().starts_with("started-")).count()
        };
        while started() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        during = threads();
        std::fs::write(world.path("go"), "").unwrap();
        for launch in launches {
            let error = launch.await.unwrap().unwrap_err();
            assert!(error.to_string().contains("exit status 5"), "{error}");
        }
    });
    // Two threads a worker would be more than what the tests beside this one can explain.
    assert!(during <= before + AT_ONCE + SPARE_THREADS, "{before} {during}");
    assert_eq!(std::fs::read_dir(world.path("data/jobs")).unwrap().count(), 50);
}

#[test]
fn a_declared_use_of_bars_is_passed_on() {
    let world = World::new(&format!(
        r#"bundle; echo '{{"type":"outcome","attempt":"{ATTEMPT}","used_until":"1970-01-01T03:00:00Z"}}'"#
    ));
    assert_eq!(world.launch().unwrap().used_until, Timestamp::EPOCH.plus_millis(3 * 3_600_000));
}
