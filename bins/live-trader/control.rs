//! What somebody asks of a session, or tells it, from another process: through its socket while it runs, through its
//! folder while it does not.

mod listen;
mod say;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::failure::{Failure, chain};
use walkforward::settings::Output;
use walkforward_core::{
    Asker, ControlCommand, ControlError, ErrorKind, Reason, SessionControl, SessionEvents, SessionStatus,
};
use walkforward_durable::read_bounded;
use walkforward_live::{
    ACKNOWLEDGE_FILE, ControlClient, FLATTEN_FILE, HALT_FILE, LiveError, SessionProcess, acknowledge_session,
    halt_session, read_journal, recover, session_process, socket_note,
};

pub(crate) use listen::Listening;
pub(crate) use say::{event_line, price_words, status_lines};

use say::{Through, Told};

/// Longest path in a journal's note of its socket.
const MAX_NOTE_BYTES: u64 = 4_096;
/// Most entries of a folder that are looked at for a journal.
const MAX_NEIGHBOURS: usize = 64;
/// How long a kill waits for the session's answer before it goes through the session's folder too.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Names of the subcommands.
const VERBS: [&str; 8] = ["status", "watch", "pause", "reduce-only", "resume", "stop", "kill", "reload"];

/// Whether `verb` is one of those that talk to a session.
pub(crate) fn is_verb(verb: &str) -> bool {
    VERBS.contains(&verb)
}

/// The subcommands that talk to a session.
pub(crate) fn commands() -> [Command; VERBS.len()] {
    VERBS.map(|verb| {
        let command = Command::new(verb);
        let why = || reason_arg("reason", "Why; the journal keeps it").required(true);
        // Whoever needs it in a hurry has no time for words.
        let in_a_hurry = || reason_arg("reason", "Why; the journal keeps it").default_value("kill");
        match verb {
            "status" => command.about("How the session is; where it does not run, what its journal says"),
            "watch" => command.about("What happens in the running session, line by line, until it ends"),
            "pause" => command.about("Sends no order until `resume`; the position stays").arg(why()),
            "reduce-only" => command.about("Lets positions shrink and not grow until `resume`").arg(why()),
            "resume" => command
                .about("Ends `pause` and `reduce-only`; with --ack a kill or a limit that was reached, too")
                .arg(reason_arg("ack", "Why it may go on; drawdown and loss count from there")),
            "stop" => command.about("Ends the session after the bar that it is at; the position stays"),
            "kill" => command
                .visible_alias("halt")
                .about("Sends no order any more, over restarts too, until `resume --ack`")
                .arg(in_a_hurry())
                .arg(flag(
                    "flatten",
                    "Close the position: in an account at once, on paper with the next bar",
                )),
            _ => command.about("Looks for a new model now, and says which one trades then"),
        }
    })
}

fn reason_arg(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("REASON").help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// The journals beside one that is not there, in words.
fn neighbours(journal: &Path) -> String {
    let Some(folder) = journal.parent() else { return String::new() };
    let is_journal = |path: &PathBuf| read_journal(path).is_ok();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_NEIGHBOURS);
    let mut found: Vec<String> =
        entries.map(|entry| entry.path()).filter(is_journal).map(|path| path.display().to_string()).collect();
    found.sort();
    if found.is_empty() { String::new() } else { format!(", such as {}", found.join(", ")) }
}

/// Does what `verb` says with the session of `journal`.
pub(crate) fn run(verb: &str, flags: &ArgMatches, journal: &Path, output: Output) -> Result<(), Failure> {
    if !journal.is_dir() {
        return Err(Failure::input(format!(
            "there is no journal {}: name the session's with --journal{}",
            journal.display(),
            neighbours(journal)
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    runtime.block_on(async {
        match verb {
            "status" => status(journal, output).await,
            "watch" => watch(journal, output).await,
            _ => tell(verb, command_of(verb, flags)?, journal, output).await,
        }
    })
}

fn command_of(verb: &str, flags: &ArgMatches) -> Result<ControlCommand, Failure> {
    let text = |name| flags.get_one::<String>(name);
    let reason = |name| {
        let text = text(name).map_or("", String::as_str);
        text.parse::<Reason>().map_err(|error| Failure::input(format!("--{name}: {error}")))
    };
    Ok(match verb {
        "pause" => ControlCommand::Pause { reason: reason("reason")? },
        "reduce-only" => ControlCommand::ReduceOnly { reason: reason("reason")? },
        "resume" => ControlCommand::Resume { acknowledge: text("ack").map(|_| reason("ack")).transpose()? },
        "stop" => ControlCommand::Stop {},
        "kill" => ControlCommand::Kill { reason: reason("reason")?, flatten: flags.get_flag("flatten") },
        _ => ControlCommand::Reload {},
    })
}

/// The session of `journal`, where it listens.
fn listening(journal: &Path) -> Option<ControlClient> {
    let path = noted_socket(journal)?;
    // A process that was killed leaves a socket on which nobody listens.
    UnixStream::connect(&path).ok().map(|_| ControlClient::new(&path))
}

/// Where the journal's session listens, or listened.
fn noted_socket(journal: &Path) -> Option<PathBuf> {
    let note = read_bounded(&socket_note(journal), MAX_NOTE_BYTES).ok()?;
    Some(PathBuf::from(String::from_utf8(note).ok()?))
}

async fn tell(verb: &str, command: ControlCommand, journal: &Path, output: Output) -> Result<(), Failure> {
    let Some(client) = listening(journal) else { return tell_beside(verb, &command, journal, output) };
    if let ControlCommand::Kill { reason, flatten } = &command {
        return kill(&client, (reason, *flatten), journal, output).await;
    }
    match client.ask_as(Asker::Command, command).await {
        Ok(status) => say::told(&Told::answered(verb, status), output),
        Err(error) => Err(refused(&error)),
    }
}

/// Halts the session. What it does not acknowledge soon, for whatever reason, a file in its folder says too: it is read as
/// soon as the session gets to it, and by the next start.
async fn kill(
    client: &ControlClient,
    (reason, flatten): (&Reason, bool),
    journal: &Path,
    output: Output,
) -> Result<(), Failure> {
    let command = ControlCommand::Kill { reason: reason.clone(), flatten };
    let problem = match tokio::time::timeout(KILL_WAIT, client.ask_as(Asker::Command, command)).await {
        Ok(Ok(status)) => return say::told(&Told::answered("kill", status), output),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it has not answered for {} s", KILL_WAIT.as_secs()),
    };
    halt_session(journal, reason.as_str(), flatten).map_err(|error| failure(&error))?;
    let process = session_process(journal).map_err(|error| failure(&error))?;
    let told = Told {
        verb: "kill".to_owned(),
        through: Through::File,
        process,
        unanswered: Some(problem),
        status: None,
    };
    say::told(&told, output)
}

/// Tells a session that can't be asked, through the files in its folder.
fn tell_beside(verb: &str, command: &ControlCommand, journal: &Path, output: Output) -> Result<(), Failure> {
    let process = session_process(journal).map_err(|error| failure(&error))?;
    match command {
        ControlCommand::Kill { reason, flatten } => {
            halt_session(journal, reason.as_str(), *flatten).map_err(|error| failure(&error))?;
        }
        ControlCommand::Resume { acknowledge: Some(reason) } => {
            acknowledge_session(journal, reason.as_str()).map_err(|error| failure(&error))?;
        }
        _ => {
            let journal = journal.display();
            let why = match process {
                Some(process) => format!("{} of {journal} can't be reached by its socket", named(process)),
                None => format!("nothing runs in {journal}"),
            };
            return Err(Failure::stage(format!(
                "{why}: `{verb}` was not done; `kill` and `resume --ack` work through the journal's folder"
            )));
        }
    }
    say::told(
        &Told { verb: verb.to_owned(), through: Through::File, process, unanswered: None, status: None },
        output,
    )
}

async fn status(journal: &Path, output: Output) -> Result<(), Failure> {
    if let Some(client) = listening(journal) {
        let status = client.ask(ControlCommand::Status {}).await.map_err(|error| refused(&error))?;
        return say::status(&Told::answered("status", status), output);
    }
    let process = session_process(journal).map_err(|error| failure(&error))?;
    let recovered = recover(journal).map_err(|error| failure(&error))?;
    let Some(recovered) = recovered else {
        return Err(Failure::input(format!("no session has begun in {}", journal.display())));
    };
    let status = recovered.status().map_err(|error| Failure::input(error.to_string()))?;
    let told = Told {
        verb: "status".to_owned(),
        through: Through::Journal,
        process,
        unanswered: None,
        status: Some(status),
    };
    say::status(&told, output)?;
    match waiting_file(journal).filter(|_| output == Output::Human) {
        Some(path) => {
            walkforward::output::say(&format!("waiting    {}: the next start reads it\n", path.display()))
        }
        None => Ok(()),
    }
}

async fn watch(journal: &Path, output: Output) -> Result<(), Failure> {
    let Some(client) = listening(journal) else {
        return Err(Failure::stage(format!("nothing runs in {}", journal.display())));
    };
    let (status, mut events): (SessionStatus, Box<dyn SessionEvents>) =
        client.subscribe(None).await.map_err(|error| refused(&error))?;
    say::watched(&status, output)?;
    while let Some(event) = events.next().await.map_err(|error| refused(&error))? {
        say::event(event, output)?;
    }
    Ok(())
}

/// A file through which somebody has told the session something, the next start's to read.
pub(crate) fn waiting_file(journal: &Path) -> Option<PathBuf> {
    let names = [FLATTEN_FILE, HALT_FILE, ACKNOWLEDGE_FILE];
    names.map(|name| journal.join(name)).into_iter().find(|path| path.exists())
}

/// A process in words.
fn named(process: SessionProcess) -> String {
    process.pid.map_or_else(|| "the process".to_owned(), |pid| format!("process {pid}"))
}

fn refused(error: &ControlError) -> Failure {
    match error {
        ControlError::Refused { kind: ErrorKind::BadInput, .. } => Failure::input(error.to_string()),
        _ => Failure::stage(error.to_string()),
    }
}

fn failure(error: &LiveError) -> Failure {
    match error.kind() {
        ErrorKind::BadInput => Failure::input(chain(error)),
        _ => Failure::from_error(error),
    }
}
