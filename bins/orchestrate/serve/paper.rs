//! Starts a trader on paper that outlives the server.
//!
//! It is a process group of its own with nothing of this process open: neither a Ctrl-C in the server's terminal nor the
//! server's end reaches it. What it complains of goes to a file of its own, made anew at each start.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;
use walkforward_core::{LineName, SessionId, Symbol, Timeframe};
use walkforward_durable::read_bounded;
use walkforward_live::socket_note;
use walkforward_server::{Refusal, RefusalKind, StartPaper};

use super::sessions::answers;

/// The trader's program, beside this one.
const PROGRAM: &str = "live-trader";
/// How long a trader may take until it can be talked to: a service's bars before the first one are read by then. Shorter
/// than the interface waits for an answer.
const START_WAIT: Duration = Duration::from_secs(45);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// What is told of the log of a trader that ended, bytes.
const LAST_WORDS: u64 = 2 << 10;
/// Longest note that says where a session listens, bytes.
const MAX_NOTE_BYTES: u64 = 4 << 10;
/// The folder of sockets, journals and logs is for its owner alone.
const OWNERS_FOLDER: u32 = 0o700;
/// Where bars may come from.
const SOURCES: [&str; 3] = ["synthetic", "replay", "alpaca"];

/// Where traders on paper work, and with which settings where nothing else is wanted.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) data_dir: PathBuf,
    pub(super) models_dir: PathBuf,
    pub(super) line: String,
    /// The server's settings file.
    pub(super) config: Option<PathBuf>,
}

/// A trader on paper that is wanted.
pub(super) struct PaperTrader {
    journal: PathBuf,
    log: PathBuf,
    arguments: Vec<OsString>,
}

impl PaperTrader {
    /// Checks what was asked for. Each line and symbol has a journal of its own.
    pub(super) fn new(place: &Place, wanted: &StartPaper) -> Result<Self, Refusal> {
        let line: LineName = read("line", wanted.line.as_deref().unwrap_or(&place.line))?;
        let symbol: Option<Symbol> = wanted.symbol.as_deref().map(|text| read("symbol", text)).transpose()?;
        let timeframe: Option<Timeframe> =
            wanted.timeframe.as_deref().map(|text| read("timeframe", text)).transpose()?;
        let source = wanted.source.as_deref();
        if let Some(source) = source.filter(|source| !SOURCES.contains(source)) {
            let expected = SOURCES.join(", ");
            return Err(unusable(format!("source: '{source:.40}' is none: expected {expected}")));
        }
        if let Some(speed) = wanted.speed.as_deref().filter(|text| !is_speed(text)) {
            return Err(unusable(format!("speed: '{speed:.40}': expected max, or a number above 0")));
        }
        let symbol = symbol.map(|symbol| symbol.to_string());
        let timeframe = timeframe.map(|timeframe| timeframe.to_string());
        let kept =
            |text: &String| text.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let of_symbol = symbol.as_ref().map(|symbol| format!("-{}", kept(symbol)));
        let name = format!("paper-{line}{}", of_symbol.unwrap_or_default());
        let live = place.data_dir.join("live");
        let (journal, log) = (live.join(&name), live.join(format!("{name}.log")));
        let flags: [(&str, Option<&OsStr>); 9] = [
            ("config", place.config.as_deref().map(Path::as_os_str)),
            ("data-dir", Some(place.data_dir.as_os_str())),
            ("models-dir", Some(place.models_dir.as_os_str())),
            ("journal", Some(journal.as_os_str())),
            ("line", Some(line.as_str().as_ref())),
            ("symbol", symbol.as_deref().map(OsStr::new)),
            ("timeframe", timeframe.as_deref().map(OsStr::new)),
            ("source", source.map(OsStr::new)),
            ("speed", wanted.speed.as_deref().map(OsStr::new)),
        ];
        let mut arguments: Vec<OsString> = vec!["--quiet".into(), "--venue=paper".into()];
        arguments.extend(flags.into_iter().filter_map(|(name, value)| {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(value?);
            Some(argument)
        }));
        Ok(Self { journal, log, arguments })
    }

    /// Starts the program beside this one, and waits until the session can be talked to.
    pub(super) async fn start(self) -> Result<SessionId, Refusal> {
        let own = std::env::current_exe();
        let program = own.map_err(|error| not_started(&error))?.with_file_name(PROGRAM);
        self.run(&program).await
    }

    async fn run(self, program: &Path) -> Result<SessionId, Refusal> {
        if let Some(session) = listening(&self.journal).await {
            let why = format!("session '{session}' trades this line and symbol already: stop it first");
            return Err(Refusal::new(RefusalKind::Conflict, why));
        }
        let mut child = self.spawn(program).map_err(|error| not_started(&error))?;
        let session = self.wait(&mut child).await;
        // Somebody has to take note of its end.
        tokio::spawn(async move { child.wait().await });
        session
    }

    /// Waits until the session can be talked to, or its process has ended.
    async fn wait(&self, child: &mut Child) -> Result<SessionId, Refusal> {
        let until = Instant::now() + START_WAIT;
        while Instant::now() < until {
            if let Some(session) = listening(&self.journal).await {
                return Ok(session);
            }
            if !matches!(child.try_wait(), Ok(None)) {
                return Err(self.ended());
            }
            tokio::time::sleep(LOOK).await;
        }
        let waited = START_WAIT.as_secs();
        let why = format!(
            "the trader has begun and can't be talked to after {waited} s: look at the sessions again"
        );
        Err(Refusal::new(RefusalKind::Unavailable, why))
    }

    fn spawn(&self, program: &Path) -> std::io::Result<Child> {
        if let Some(folder) = self.log.parent() {
            DirBuilder::new().recursive(true).mode(OWNERS_FOLDER).create(folder)?;
        }
        let log = File::create(&self.log)?;
        let mut command = Command::new(program);
        command.args(&self.arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()
    }

    /// That it ended before it could be talked to, with its last words.
    fn ended(&self) -> Refusal {
        let words = last_words(&self.log).unwrap_or_default();
        match words.trim() {
            "" => unusable(
                "the trader ended before it could be talked to, and without a word: its bars were over at once; made-up \
                 bars need a speed",
            ),
            words => unusable(format!("the trader ended before it could be talked to: {words}")),
        }
    }
}

/// The session of a journal that answers, if one does.
async fn listening(journal: &Path) -> Option<SessionId> {
    let note = socket_note(journal);
    let look = move || {
        let socket = PathBuf::from(String::from_utf8(read_bounded(&note, MAX_NOTE_BYTES).ok()?).ok()?);
        let session: SessionId = socket.file_stem()?.to_str()?.parse().ok()?;
        answers(&socket).then_some(session)
    };
    tokio::task::spawn_blocking(look).await.ok()?
}

/// The end of a log.
fn last_words(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))?;
    let mut bytes = Vec::new();
    file.take(LAST_WORDS).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn not_started(error: &std::io::Error) -> Refusal {
    Refusal::new(RefusalKind::Internal, format!("a trader could not be started: {error}"))
}

fn is_speed(text: &str) -> bool {
    text == "max" || text.parse::<f64>().is_ok_and(|times| times.is_finite() && times > 0.0)
}

fn read<T>(field: &str, text: &str) -> Result<T, Refusal>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| unusable(format!("{field}: {error}")))
}

fn unusable(detail: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Unusable, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trader(wanted: &StartPaper) -> Result<PaperTrader, String> {
        PaperTrader::new(&place("data"), wanted).map_err(|refusal| refusal.detail)
    }

    fn place(data_dir: impl Into<PathBuf>) -> Place {
        let (data_dir, models_dir) = (data_dir.into(), "models".into());
        Place { data_dir, models_dir, line: "main".to_owned(), config: Some("own.toml".into()) }
    }

    #[test]
    fn a_trader_from_the_interface_is_always_on_paper_and_has_a_journal_of_its_own() {
        let wanted = StartPaper {
            symbol: Some("BTC/USD".to_owned()),
            source: Some("alpaca".to_owned()),
            ..StartPaper::default()
        };
        let trader = trader(&wanted).unwrap();
        assert!(trader.arguments.contains(&"--venue=paper".into()));
        assert!(trader.arguments.contains(&"--journal=data/live/paper-main-btcusd".into()));
        assert!(trader.arguments.contains(&"--source=alpaca".into()));
        assert!(trader.arguments.contains(&"--config=own.toml".into()));
    }

    /// What becomes of a trader whose program is another one.
    async fn run(program: &str) -> Refusal {
        let dir = tempfile::tempdir().unwrap();
        let trader = PaperTrader::new(&place(dir.path().join("data")), &StartPaper::default()).unwrap();
        trader.run(Path::new(program)).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_trader_that_ends_before_it_can_be_talked_to_is_refused_with_its_last_words() {
        // It knows none of a trader's flags, and says so.
        let refusal = run("/bin/ls").await;
        assert_eq!(refusal.kind, RefusalKind::Unusable);
        assert!(refusal.detail.contains("ls: "), "{refusal}");
        let silent = run("/bin/true").await;
        assert_eq!(silent.kind, RefusalKind::Unusable);
        assert!(silent.detail.contains("made-up bars need a speed"), "{silent}");
    }

    #[test]
    fn of_a_long_log_its_end_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::write(&log, format!("{}end", "one of many lines\n".repeat(1_000))).unwrap();
        let words = last_words(&log).unwrap();
        assert!(words.ends_with("lines\nend") && words.len() as u64 == LAST_WORDS, "{}", words.len());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_nobody_s_fault_but_the_server_s() {
        let dir = tempfile::tempdir().unwrap();
        let trader = PaperTrader::new(&place(dir.path()), &StartPaper::default()).unwrap();
        let refusal = trader.run(&dir.path().join("nothing")).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Internal);
    }

    #[test]
    fn what_is_no_value_is_refused_before_anything_is_started() {
        let with = |set: fn(&mut StartPaper)| {
            let mut wanted = StartPaper::default();
            set(&mut wanted);
            trader(&wanted).err().unwrap()
        };
        assert!(with(|it| it.line = Some("--venue".to_owned())).contains("line"));
        assert!(with(|it| it.symbol = Some("no symbol".to_owned())).contains("symbol"));
        assert!(with(|it| it.timeframe = Some("soon".to_owned())).contains("timeframe"));
        assert!(with(|it| it.source = Some("csv".to_owned())).contains("expected synthetic"));
        assert!(with(|it| it.speed = Some("-1".to_owned())).contains("speed"));
    }
}
