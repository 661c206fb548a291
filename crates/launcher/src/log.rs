//! The log of an attempt: bounded on disk and in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use walkforward_durable::{Error as FileError, Step};

use crate::Error;

/// Bytes from the beginning that are kept.
pub(crate) const HEAD_BYTES: usize = 512 << 10;
/// Bytes from the end that are kept when there are more.
pub(crate) const TAIL_BYTES: usize = 512 << 10;
/// Lines that an error quotes.
const LAST_LINES: usize = 20;
/// Longest part of a line that an error quotes, bytes.
const LAST_LINE_BYTES: usize = 400;

/// Keeps the head of what a worker says in a file and its tail in memory until [`finish`](Self::finish).
///
/// A log never fails a training: what can't be written is left out.
#[derive(Debug)]
pub(crate) struct WorkerLog {
    path: PathBuf,
    file: File,
    head_bytes: usize,
    tail: VecDeque<u8>,
    left_out: u64,
    last_lines: VecDeque<String>,
    has_failed: bool,
}

impl WorkerLog {
    /// A log that replaces the file at `path`.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|source| FileError::Io {
            step: Step::Open,
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            head_bytes: 0,
            tail: VecDeque::new(),
            left_out: 0,
            last_lines: VecDeque::new(),
            has_failed: false,
        })
    }

    /// Takes a line without its end.
    pub(crate) fn line(&mut self, line: &[u8]) {
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        let quoted = String::from_utf8_lossy(&line[..line.len().min(LAST_LINE_BYTES)]);
        self.last_lines.push_back(quoted.trim_end().to_owned());
        if self.head_bytes + line.len() < HEAD_BYTES && self.tail.is_empty() {
            self.head_bytes += line.len() + 1;
            self.write(&[line, b"\n"].concat());
            return;
        }
        self.tail.extend(line);
        self.tail.push_back(b'\n');
        let excess = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
        self.left_out += excess as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes)
            && !self.has_failed
        {
            self.has_failed = true;
            tracing::warn!(path = %self.path.display(), %error, "the log of a training can't be written");
        }
    }

    /// Writes the tail, and between it and the head how much is missing.
    pub(crate) fn finish(&mut self) {
        if self.left_out > 0 {
            let mark = format!("[... {} bytes left out ...]\n", self.left_out);
            self.write(mark.as_bytes());
        }
        let tail: Vec<u8> = std::mem::take(&mut self.tail).into();
        self.write(&tail);
    }

    /// The last lines, for an error; empty when nothing was said.
    pub(crate) fn last_lines(&self) -> String {
        let lines: Vec<&str> =
            self.last_lines.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_of_a_long_log_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("worker.log");
        let mut log = WorkerLog::create(&path).unwrap();
        let lines = 100_000;
        for number in 0..lines {
            log.line(format!("line {number:08} of many").as_bytes());
        }
        log.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() < HEAD_BYTES + TAIL_BYTES + 100, "{}", text.len());
        assert!(text.starts_with("line 00000000") && text.contains("bytes left out"));
        assert!(text.ends_with("line 00099999 of many\n"));
        assert_eq!(log.last_lines().lines().count(), LAST_LINES);
    }

    #[test]
    fn a_short_log_is_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("worker.log");
        let mut log = WorkerLog::create(&path).unwrap();
        log.line(b"one");
        log.line(&[0xff, b'x']);
        log.finish();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n\xffx\n");
        assert_eq!(log.last_lines(), "one\n\u{fffd}x");
    }
}
