//! A program that takes a notice on its standard input.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::format::as_json;
use super::{Retry, Sink, SinkFailure};
use crate::{Notice, NotifyError};

/// Bytes of what a program writes that are kept; it may write as much as it likes.
pub const MAX_COMMAND_OUTPUT_BYTES: usize = 4_096;
/// Characters of it that are shown.
const MAX_SHOWN_CHARS: usize = 200;
const NAME: &str = "command";
const READ_BYTES: usize = 1_024;

/// A program that is started for each notice, without a shell.
pub struct CommandSink {
    words: Vec<String>,
    timeout: Duration,
    /// Variables that it does not get.
    withheld: Vec<String>,
}

impl CommandSink {
    /// The program and its arguments; it and what it starts are killed after `timeout`. It gets this process's environment
    /// but for `withheld`, the variables that hold secrets.
    ///
    /// # Errors
    /// There is no word.
    pub fn new(words: Vec<String>, timeout: Duration, withheld: Vec<String>) -> Result<Self, NotifyError> {
        match words.first() {
            Some(program) if !program.is_empty() => Ok(Self { words, timeout, withheld }),
            _ => Err(NotifyError::NoProgram),
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        let (program, arguments) = self.words.split_first().map_or(("", &[][..]), |(it, rest)| (it, rest));
        let mut command = Command::new(program);
        self.withheld.iter().fold(&mut command, |command, name| command.env_remove(name));
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

#[async_trait]
impl Sink for CommandSink {
    fn name(&self) -> &str {
        NAME
    }

    async fn deliver(&self, notice: &Notice) -> Result<(), SinkFailure> {
        let mut child = self.start().map_err(|error| SinkFailure {
            reason: format!("'{}' does not start: {error}", self.words[0]),
            advice: "check that the program is there and may be run".to_owned(),
            retry: Retry::After(None),
        })?;
        let group = Group(child.id());
        let input = format!("{}\n", as_json(notice));
        let ended = tokio::time::timeout(self.timeout, work(&mut child, input)).await;
        drop(group);
        match ended {
            Ok(Ok((status, _))) if status.success() => Ok(()),
            Ok(Ok((status, said))) => Err(failure(format!("it ends with {status}{said}"))),
            Ok(Err(error)) => Err(failure(format!("its end can't be seen: {error}"))),
            Err(_) => {
                Err(failure(format!("it has not ended after {} s and is killed", self.timeout.as_secs_f64())))
            }
        }
    }
}

fn failure(reason: String) -> SinkFailure {
    let advice = "run the program by hand with a notice on its standard input".to_owned();
    SinkFailure { reason, advice, retry: Retry::After(None) }
}

/// Hands `input` over, and waits for the end of the program and of what it says.
async fn work(child: &mut Child, input: String) -> std::io::Result<(std::process::ExitStatus, String)> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let hand_over = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read it needs none of it.
            let _ = stdin.write_all(input.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
    };
    let listen = async {
        match stderr {
            Some(stderr) => kept(stderr).await,
            None => Vec::new(),
        }
    };
    let ((), said, status) = tokio::join!(hand_over, listen, child.wait());
    let said = String::from_utf8_lossy(&said);
    let printable = said.trim().chars().map(|it| if it.is_control() { ' ' } else { it });
    let said: String = printable.take(MAX_SHOWN_CHARS).collect();
    Ok((status?, if said.is_empty() { said } else { format!(", '{said}'") }))
}

/// The beginning of what comes; the rest is read, so that nobody waits to be read, and dropped.
async fn kept(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), [0; READ_BYTES]);
    loop {
        match from.read(&mut chunk).await {
            Ok(0) | Err(_) => return kept,
            Ok(read) => {
                let room = MAX_COMMAND_OUTPUT_BYTES - kept.len();
                kept.extend_from_slice(&chunk[..read.min(room)]);
            }
        }
    }
}

/// A program and what it has started; they end with this.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // All of it may have ended already.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::Timestamp;

    use super::*;
    use crate::NoticeKind;

    async fn run(script: &str, timeout_ms: u64) -> Result<(), SinkFailure> {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let timeout = Duration::from_millis(timeout_ms);
        let sink = CommandSink::new(words, timeout, vec!["PATH_OF_NOBODY".to_owned()]).unwrap();
        sink.deliver(&Notice::new(NoticeKind::Test, "here", "it works", Timestamp::EPOCH)).await
    }

    #[tokio::test]
    async fn a_program_gets_the_notice_on_its_standard_input() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seen");
        run(&format!("cat > '{}'", path.display()), 60_000).await.unwrap();
        let seen: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!((&seen["kind"], &seen["text"]), (&"test".into(), &"it works".into()));
        run("exit 0", 60_000).await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_fails_says_why_in_a_bounded_line() {
        let failure = run("yes no such host | head -c 1000000 >&2; exit 3", 60_000).await.unwrap_err();
        assert!(failure.reason.contains("exit status: 3, 'no such host no such"), "{failure}");
        assert!(failure.reason.chars().count() < 2 * MAX_SHOWN_CHARS);
        let nobody = CommandSink::new(vec!["./there-is-none".to_owned()], Duration::from_secs(1), Vec::new());
        let notice = Notice::new(NoticeKind::Test, "here", "it works", Timestamp::EPOCH);
        let failure = nobody.unwrap().deliver(&notice).await.unwrap_err();
        assert!(failure.reason.contains("'./there-is-none' does not start"), "{failure}");
        assert!(CommandSink::new(Vec::new(), Duration::from_secs(1), Vec::new()).is_err());
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pids");
        let script = format!("sleep 3600 & echo $! > '{0}'; echo $$ >> '{0}'; wait", path.display());
        let failure = run(&script, 1_000).await.unwrap_err();
        assert!(failure.reason.contains("has not ended after 1 s and is killed"), "{failure}");
        let pids = std::fs::read_to_string(path).unwrap_or_default();
        for pid in pids.lines() {
            let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            while !(stat().is_empty() || stat().contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
