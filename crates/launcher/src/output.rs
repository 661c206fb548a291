//! What a child says, read as it comes and never waited for longer than asked.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// One of a child's two pipes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The reading ends of a child's pipes; each is closed when the other side is.
pub(crate) struct ChildOutput {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    buffer: Vec<u8>,
}

impl ChildOutput {
    pub(crate) fn new(stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) -> Self {
        Self { stdout, stderr, buffer: vec![0; CHUNK_BYTES] }
    }

    /// Waits at most `timeout` and hands what has come to `take`. False when nothing has.
    pub(crate) fn read(
        &mut self,
        timeout: Duration,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> io::Result<bool> {
        let ready = self.wait(timeout)?;
        for &stream in &ready {
            let read = match stream {
                Stream::Stdout => self.stdout.as_mut().map(|pipe| pipe.read(&mut self.buffer)),
                Stream::Stderr => self.stderr.as_mut().map(|pipe| pipe.read(&mut self.buffer)),
            };
            match (read, stream) {
                (Some(Err(error)), _) if error.kind() == io::ErrorKind::Interrupted => {}
                (Some(Err(error)), _) => return Err(error),
                (Some(Ok(0)) | None, Stream::Stdout) => self.stdout = None,
                (Some(Ok(0)) | None, Stream::Stderr) => self.stderr = None,
                (Some(Ok(length)), _) => take(stream, &self.buffer[..length]),
            }
        }
        Ok(!ready.is_empty())
    }

    /// The pipes from which can be read without waiting, also those at their end.
    fn wait(&self, timeout: Duration) -> io::Result<Vec<Stream>> {
        let stdout = self.stdout.as_ref().map(|pipe| (Stream::Stdout, pipe.as_fd()));
        let stderr = self.stderr.as_ref().map(|pipe| (Stream::Stderr, pipe.as_fd()));
        let open: Vec<_> = stdout.into_iter().chain(stderr).collect();
        let watched = open.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN));
        let mut watched: Vec<PollFd<'_>> = watched.collect();
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = open.iter().zip(&watched).filter(|(_, fd)| !fd.revents().is_empty());
        Ok(ready.map(|((stream, _), _)| *stream).collect())
    }
}
