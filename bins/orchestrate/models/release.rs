//! `orchestrate models release`: lets an arm out of quarantine before its time.

use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward_core::{ArmId, LineName};

use super::{REASON, model, refuse, text};
use crate::home::Home;

const WHICH: &str = "which";

/// The subcommand.
pub(super) fn command(reason: Arg) -> Command {
    Command::new("release")
        .about("Lets an arm out of quarantine, so that its models may be promoted again")
        .after_help(
            "A trader that takes a champion back puts its arm into quarantine: the arm's models go on being trained, scored \
             and judged, and none is promoted before the time is over. `orchestrate evidence` shows why and until when. \
             The history keeps who let it out, and why.",
        )
        .arg(
            Arg::new(WHICH)
                .value_name("ARM|MODEL")
                .required(true)
                .help("Id of an arm, or of one of its models"),
        )
        .arg(reason)
}

/// Lets an arm out.
pub(super) fn run(home: &Home, line: &LineName, matches: &ArgMatches) -> Result<(), Failure> {
    let arm = arm(home, line, matches)?;
    let by = format!("uid {}", rustix::process::getuid().as_raw());
    let released = home.store.release_arm(&arm, &by, text(matches, REASON)).map_err(refuse)?;
    home.print(
        || json!({ "done": "released", "arm": arm, "by": by, "rollbacks": released }),
        || {
            let causes: Vec<&str> = released.iter().map(|row| row.sentence.as_str()).collect();
            format!(
                "arm {arm} is out of quarantine; its champion had been taken back: {}\n",
                causes.join("; ")
            )
        },
    )
}

/// The arm that is meant.
fn arm(home: &Home, line: &LineName, matches: &ArgMatches) -> Result<ArmId, Failure> {
    if let Ok(arm) = text(matches, WHICH).parse() {
        return Ok(arm);
    }
    let model = model(home, line, matches, WHICH)?;
    let arm = home.store.arm_of(&model).map_err(refuse)?;
    arm.ok_or_else(|| {
        Failure::input(format!("{model} has no arm, and nothing but an arm is ever in quarantine"))
    })
}
