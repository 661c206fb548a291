//! Processes and their groups, as the system tells about them.

use std::process::Child;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// A child that leads a process group of its own. Dropping it ends the whole group.
#[derive(Debug)]
pub(crate) struct GroupLeader {
    pub(crate) child: Child,
    pid: Pid,
    is_reaped: bool,
}

impl GroupLeader {
    /// Takes over `child`, which was started with `process_group(0)`.
    pub(crate) fn new(child: Child) -> Self {
        let pid = Pid::from_child(&child);
        Self { child, pid, is_reaped: false }
    }

    /// Sends `signal` to every process of the group. The leader is not reaped before the group is ended, so its number
    /// can't be another group's by now.
    pub(crate) fn signal(&self, signal: Signal) {
        match kill_process_group(self.pid, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(pid = %self.pid, %error, "a worker can't be signalled"),
        }
    }

    /// Whether the leader has ended; it stays a zombie that holds the group's number.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None) | Err(Errno::INTR))
    }

    /// Ends the group and gives the leader's status.
    pub(crate) fn end(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.signal(Signal::KILL);
        self.is_reaped = true;
        self.child.wait()
    }
}

impl Drop for GroupLeader {
    fn drop(&mut self) {
        if !self.is_reaped
            && let Err(error) = self.end()
        {
            tracing::warn!(pid = %self.pid, %error, "a worker can't be waited for");
        }
    }
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// `Z` for one that has ended and is not reaped.
    pub(crate) state: u8,
    /// Its process group.
    pub(crate) group: i32,
    /// When it started, in ticks since the machine did.
    pub(crate) start: u64,
}

impl ProcessStat {
    /// Of the process `pid`; none when there is no such process, or no `/proc`.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name, which may hold anything, stands in parentheses; what follows is words.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let state = *words.first()?.as_bytes().first()?;
        Some(Self { state, group: words.get(2)?.parse().ok()?, start: words.get(19)?.parse().ok()? })
    }
}

/// When the process `pid` started; none when it is not there or has ended.
pub(crate) fn start_of(pid: i32) -> Option<u64> {
    ProcessStat::of(pid).filter(|stat| stat.state != b'Z').map(|stat| stat.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_process_is_read_whatever_its_name() {
        let text = "12 (a) b (c) S 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        assert_eq!(ProcessStat::parse(text), Some(ProcessStat { state: b'S', group: 12, start: 98_765 }));
        assert_eq!(ProcessStat::parse("12 (a S 1"), None);
    }
}
