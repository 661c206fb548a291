//! The terminal while a view is on it. It is given back as it was on every way out: the end, a signal, a panic.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, Once};
use std::time::Duration;

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::sync::mpsc;

/// The other screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
/// The first screen, with its cursor.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// Size of a terminal that does not say its own.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// A key code that no key has: the code is off.
const OFF: u8 = 0;
/// How long a read waits for a key, tenths of a second.
const KEY_WAIT: u8 = 2;
/// How long the end waits for the last frame to be written.
const LAST_FRAME_WAIT: Duration = Duration::from_secs(1);
/// Keys that wait for the view.
const MAX_KEYS: usize = 16;

/// Whether the screen is ours, and how the terminal was before.
static IS_ENTERED: AtomicBool = AtomicBool::new(false);
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Whether there is a terminal that a view can be shown on.
pub(crate) fn is_wanted() -> bool {
    std::io::stdout().is_terminal()
}

/// The terminal, until it is dropped.
pub(super) struct Screen {
    frames: Option<SyncSender<String>>,
    written: Receiver<()>,
    keys: mpsc::Receiver<u8>,
}

impl Screen {
    /// Takes the terminal; none where there is none.
    pub(super) fn enter() -> Option<Self> {
        if !is_wanted() {
            return None;
        }
        HOOK.call_once(restore_on_panic);
        let has_keys = take_keyboard();
        IS_ENTERED.store(true, Ordering::SeqCst);
        let (frames, shown) = sync_channel::<String>(1);
        let (last, written) = sync_channel(1);
        // A thread of its own: a terminal that takes nothing holds up the view and nothing else.
        std::thread::spawn(move || {
            let _ = put(ENTER);
            let _ = shown.iter().try_for_each(|frame| put_if_entered(&frame));
            let _ = last.send(());
        });
        let (pressed, keys) = mpsc::channel(MAX_KEYS);
        if has_keys {
            std::thread::spawn(move || read_keys(&pressed));
        }
        Some(Self { frames: Some(frames), written, keys })
    }

    /// The next key; none when there is no keyboard.
    pub(super) async fn key(&mut self) -> Option<u8> {
        self.keys.recv().await
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(std::io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => USUAL_SIZE,
        }
    }

    /// Draws the lines from the top; leaves it where the frame before is not written yet.
    pub(super) fn draw(&self, lines: &[String]) {
        let mut frame = "\x1b[H".to_owned();
        for (row, line) in lines.iter().enumerate() {
            let _ = write!(frame, "\x1b[{};1H{line}\x1b[K", row + 1);
        }
        frame += "\x1b[J";
        if let Some(frames) = &self.frames {
            let _ = frames.try_send(frame);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.frames = None;
        if self.written.recv_timeout(LAST_FRAME_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the terminal took the last frame not in time");
        }
        give_back();
    }
}

/// Keys come one by one and are not shown; the signals of Ctrl-C stay. Ctrl-Z and Ctrl-S do nothing: a trader that is
/// stopped by a key misses bars.
fn take_keyboard() -> bool {
    let stdin = std::io::stdin();
    let Ok(before) = tcgetattr(&stdin) else { return false };
    let mut ours = before.clone();
    ours.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    ours.input_modes.remove(InputModes::IXON);
    ours.special_codes[SpecialCodeIndex::VSUSP] = OFF;
    ours.special_codes[SpecialCodeIndex::VMIN] = 0;
    ours.special_codes[SpecialCodeIndex::VTIME] = KEY_WAIT;
    if let Ok(mut saved) = BEFORE.lock() {
        *saved = Some(before);
    }
    tcsetattr(&stdin, OptionalActions::Now, &ours).is_ok()
}

fn read_keys(pressed: &mpsc::Sender<u8>) {
    let mut key = [0; 1];
    while IS_ENTERED.load(Ordering::SeqCst) && !pressed.is_closed() {
        match rustix::io::read(std::io::stdin(), &mut key) {
            Ok(1) if pressed.blocking_send(key[0]).is_err() => return,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn put(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn put_if_entered(frame: &str) -> std::io::Result<()> {
    if IS_ENTERED.load(Ordering::SeqCst) { put(frame) } else { Ok(()) }
}

/// Gives the terminal back, once; nothing where it is not taken.
pub(crate) fn give_back() {
    if !IS_ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = put(LEAVE);
    if let Ok(mut before) = BEFORE.try_lock()
        && let Some(before) = before.take()
    {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    }
}

/// What a panic says is to be read.
fn restore_on_panic() {
    let next = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        next(panic);
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// Set for the process that panics.
    const PANICS: &str = "WALKFORWARD_TEST_PANICS";

    fn panic_on_the_screen() {
        let _screen = Screen::enter().unwrap();
        assert!(!tcgetattr(std::io::stdin()).unwrap().local_modes.contains(LocalModes::ICANON));
        panic!("a planned panic");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the process that panics is this test again")]
    fn a_panic_is_said_on_a_terminal_that_is_as_it_was() {
        if std::env::var_os(PANICS).is_some() {
            return panic_on_the_screen();
        }
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let stream = || Stdio::from(theirs.try_clone().unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "view::terminal::tests::a_panic_is_said_on_a_terminal_that_is_as_it_was",
                "--nocapture",
            ])
            .env(PANICS, "1")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap();
        assert!(!child.wait().unwrap().success());
        let modes = tcgetattr(&theirs).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        drop(theirs);
        let mut seen = Vec::new();
        // Nobody else holds the other end: reading ends with an error there.
        let _ = std::fs::File::from(ours).read_to_end(&mut seen);
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.find(LEAVE).unwrap() < seen.find("a planned panic").unwrap(), "{seen}");
    }
}
