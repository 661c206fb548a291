//! Kills a process before its n-th step that makes something durable or visible: a call that writes, syncs, renames,
//! makes or removes a file below a folder. The process is the real one, unchanged; it is watched through ptrace.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Longer than what is watched takes on any machine.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long to wait when nobody has anything to say.
const LOOK: Duration = Duration::from_micros(200);
/// Longest path that is read from a process.
const MAX_PATH_BYTES: usize = 512;

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The watched process, at one of its own steps or one of its children's.
    Server,
    /// The child whose step it is.
    Worker,
    /// Both, at a step of the child.
    Both,
}

/// A step, before it was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// The call and what it is about.
    pub(crate) what: String,
    /// Whether a child of the watched process takes it.
    pub(crate) is_workers: bool,
}

/// Watches a process and its children.
pub(crate) struct Tracer {
    server: Pid,
    root: PathBuf,
    victim: Victim,
    /// Dies before this step, counted from 0 over those that the victim can die at; never, if none.
    kill_at: Option<usize>,
    /// The steps so far.
    steps: Vec<Taken>,
    /// Steps that the victim could have died at so far.
    counted: usize,
    killed: Option<Taken>,
}

/// What came of watching.
pub(crate) struct Watched {
    /// The steps, in order.
    pub(crate) steps: Vec<Taken>,
    /// The one before which somebody was killed.
    pub(crate) killed: Option<Taken>,
}

impl Tracer {
    /// Watches `server` and whoever it starts from now on, with all that they do below `root`.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(crate) fn attach(
        server: i32,
        root: &Path,
        victim: Victim,
        kill_at: Option<usize>,
    ) -> Result<Self, Errno> {
        let server = Pid::from_raw(server);
        attach_threads(server)?;
        let root = root.canonicalize().unwrap();
        Ok(Self { server, root, victim, kill_at, steps: Vec::new(), counted: 0, killed: None })
    }

    /// Watches until the victim is dead or `is_over`. Whoever lives is let go when the calling thread ends, and has to be
    /// the only thing that it waits for.
    pub(crate) fn watch(mut self, is_over: impl Fn() -> bool) -> Watched {
        let began = Instant::now();
        let mine = Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD | WaitPidFlag::WNOHANG);
        while !self.is_done() {
            assert!(began.elapsed() < DEADLINE, "never over: {:?}", self.steps.last());
            match waitpid(None, mine) {
                Ok(WaitStatus::StillAlive) if is_over() => break,
                Ok(WaitStatus::StillAlive) => std::thread::sleep(LOOK),
                Ok(status) => self.take(status),
                Err(Errno::ECHILD) => break,
                // A signal without a name of its own: its thread is let go on at the next look.
                Err(error) => assert_eq!(error, Errno::EINVAL),
            }
        }
        Watched { steps: self.steps, killed: self.killed }
    }

    /// When the server is killed there is nothing left to watch; its parent reaps it.
    fn is_done(&self) -> bool {
        self.killed.is_some() && self.victim != Victim::Worker
    }

    fn take(&mut self, status: WaitStatus) {
        let (thread, signal) = match status {
            WaitStatus::PtraceSyscall(thread) => {
                self.look_at(thread);
                (thread, None)
            }
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            WaitStatus::PtraceEvent(thread, _, _) => (thread, None),
            _ => return,
        };
        // It may be dead by now.
        let _ = ptrace::syscall(thread, signal);
    }

    /// A thread is about to make a call, or comes back from one.
    fn look_at(&mut self, thread: Pid) {
        let Ok(info) = ptrace::syscall_info(thread) else { return };
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return;
        }
        let Some(what) = step_of(thread, &self.root) else { return };
        let process = process_of(thread);
        let step = Taken { what, is_workers: process != Some(self.server) };
        self.steps.push(step.clone());
        if self.victim != Victim::Server && !step.is_workers {
            return;
        }
        if self.kill_at == Some(self.counted) {
            if self.victim != Victim::Worker {
                kill(self.server, Signal::SIGKILL).unwrap();
            }
            if let Some(worker) = process.filter(|_| self.victim != Victim::Server) {
                kill(worker, Signal::SIGKILL).unwrap();
            }
            self.killed = Some(step);
        }
        self.counted += 1;
    }
}

/// Attaches to all threads of a process; those that they start are attached by the system.
fn attach_threads(process: Pid) -> Result<(), Errno> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK;
    let mut known = BTreeSet::new();
    loop {
        let before = known.len();
        for entry in std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten() {
            let thread: i32 = entry.file_name().to_str().unwrap().parse().unwrap();
            if !known.insert(thread) {
                continue;
            }
            match ptrace::seize(Pid::from_raw(thread), options) {
                Ok(()) => ptrace::interrupt(Pid::from_raw(thread))?,
                // It has ended, or was attached when the thread that started it was.
                Err(Errno::ESRCH) => {}
                Err(Errno::EPERM) if before > 0 => {}
                Err(error) => return Err(error),
            }
        }
        if known.len() == before {
            return Ok(());
        }
    }
}

/// The process of a thread.
fn process_of(thread: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok().map(Pid::from_raw)
}

/// What the call that `thread` is about to make does to files below `root`, if it does.
fn step_of(thread: Pid, root: &Path) -> Option<String> {
    let registers = ptrace::getregs(thread).ok()?;
    let call = i64::try_from(registers.orig_rax).ok()?;
    let [first, second, third] = [registers.rdi, registers.rsi, registers.rdx];
    let file = |number: u64| {
        let path = std::fs::read_link(format!("/proc/{thread}/fd/{number}")).ok()?;
        path.starts_with(root).then(|| path.strip_prefix(root).unwrap_or(&path).display().to_string())
    };
    let named = |name: &str, address: u64| Some(format!("{name} {}", text_at(thread, address)));
    match call {
        libc::SYS_fsync | libc::SYS_fdatasync => Some(format!("sync {}", file(first)?)),
        libc::SYS_write | libc::SYS_pwrite64 => Some(format!("write {}", file(first)?)),
        libc::SYS_ftruncate => Some(format!("truncate {}", file(first)?)),
        libc::SYS_rename => named("rename", first),
        libc::SYS_renameat | libc::SYS_renameat2 => named("rename", second),
        libc::SYS_unlink | libc::SYS_rmdir => named("remove", first),
        libc::SYS_unlinkat => named("remove", second),
        libc::SYS_mkdir | libc::SYS_link => named("make", first),
        libc::SYS_mkdirat | libc::SYS_linkat => named("make", second),
        libc::SYS_chmod => named("chmod", first),
        libc::SYS_openat if third & libc::O_CREAT as u64 != 0 => {
            let step = named("open", second)?;
            // What it opens elsewhere, such as devices, is nobody's record.
            (!step.starts_with("open /dev/")).then_some(step)
        }
        _ => None,
    }
}

/// The path at an address in a process.
fn text_at(thread: Pid, address: u64) -> String {
    let mut bytes = [0_u8; MAX_PATH_BYTES];
    let read = std::fs::File::open(format!("/proc/{thread}/mem"))
        .and_then(|memory| memory.read_at(&mut bytes, address))
        .unwrap_or(0);
    let text = bytes[..read].split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
