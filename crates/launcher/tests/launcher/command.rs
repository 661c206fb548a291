//! Somebody's own program under a worker.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use walkforward_core::{ErrorKind, StageError, Trainer, TrainingOutcome};
use walkforward_launcher::{CommandConfig, CommandTrainer};

use crate::support::{ATTEMPT, World};

/// Runs the shell script of `world` as the user's program.
fn train(world: &World, cancel_grace: Duration) -> Result<TrainingOutcome, StageError> {
    let shell = std::iter::once(OsString::from("/bin/sh"));
    let command = shell.chain(world.config.arguments.iter().cloned()).collect();
    let job_file = world.path("job.json");
    let trainer =
        CommandTrainer::new(CommandConfig { command, stage: vec![], job_file, cancel_grace }).unwrap();
    trainer.train(&world.job(), &world.context())
}

fn fails(script: &str, kind: ErrorKind, expected: &str) {
    let error = train(&World::new(script), Duration::from_secs(60)).unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_program_gets_the_job_and_its_lines_are_passed_on() {
    let world = World::new("echo \"$1\" > job; progress; echo hello; bundle; outcome; outcome");
    let outcome = train(&world, Duration::from_secs(60)).unwrap();
    assert_eq!(outcome.used_until, world.job().dataset.training_end());
    let job = std::fs::read_to_string(world.path("job")).unwrap();
    assert_eq!(job.trim(), world.path("job.json").display().to_string());
    assert_eq!(world.recorder.updates.lock().unwrap().len(), 1);
}

#[test]
fn a_program_that_fails_says_how() {
    fails("exit 3", ErrorKind::Bug, "exit status 3");
    fails("exit 127", ErrorKind::BadInput, "exit status 127");
    fails("bundle; outcome; exit 1", ErrorKind::Bug, "after its outcome");
    fails("outcome", ErrorKind::Bug, "no bundle");
    fails(r#"echo '{"type":"error","kind":"bad_input","message":"odd"}'"#, ErrorKind::BadInput, "odd");
    let other = r#"bundle; echo '{"type":"outcome","attempt":"another"}'"#;
    fails(other, ErrorKind::Bug, ATTEMPT);
}

#[test]
fn a_program_that_is_cancelled_is_asked_and_then_killed() {
    let polite =
        World::new("trap 'touch left; exit 0' TERM; progress; while true; do sleep 0.01; done").cancelling();
    assert_eq!(train(&polite, Duration::from_secs(60)).unwrap_err().kind, ErrorKind::Cancelled);
    assert!(polite.path("left").exists());
    let deaf = World::new("trap '' TERM; progress; while true; do sleep 0.01; done").cancelling();
    assert_eq!(train(&deaf, Duration::from_millis(100)).unwrap_err().kind, ErrorKind::Cancelled);
}

#[test]
fn a_command_of_no_words_is_refused() {
    let config = CommandConfig {
        command: vec![],
        stage: vec![],
        job_file: "job.json".into(),
        cancel_grace: Duration::ZERO,
    };
    assert!(CommandTrainer::new(config).is_err());
    let world = World::new("");
    let missing = CommandConfig {
        command: vec!["/no/such/program".into()],
        stage: vec![],
        job_file: "job.json".into(),
        cancel_grace: Duration::ZERO,
    };
    let trainer: Arc<dyn Trainer> = Arc::new(CommandTrainer::new(missing).unwrap());
    let error = trainer.train(&world.job(), &world.context()).unwrap_err();
    assert!(error.to_string().contains("/no/such/program") && error.kind == ErrorKind::BadInput, "{error}");
}
