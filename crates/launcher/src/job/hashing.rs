//! SHA-256 of what passes through.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use walkforward_durable::{Error as FileError, Step, open_regular};

use crate::Error;

/// Hashes what is written through it.
pub(super) struct HashingWriter<'a> {
    inner: &'a mut dyn Write,
    hasher: Sha256,
}

impl<'a> HashingWriter<'a> {
    pub(super) fn new(inner: &'a mut dyn Write) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// The SHA-256 of everything written, lower-case hex.
    pub(super) fn sha256(self) -> String {
        format!("{:x}", self.hasher.finalize())
    }
}

impl Write for HashingWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads a regular file of at most `max_bytes` and hashes it.
pub(super) struct HashingReader {
    inner: io::Take<File>,
    hasher: Sha256,
}

impl HashingReader {
    /// Opens `path`, refused when it is longer than `max_bytes`.
    pub(super) fn open(path: &Path, max_bytes: u64) -> Result<BufReader<Self>, Error> {
        let file = open_regular(path)?;
        let length = file.metadata().map_err(read_error(path))?.len();
        if length > max_bytes {
            return Err(FileError::TooLarge { path: path.to_owned(), max_bytes }.into());
        }
        let reader = Self { inner: file.take(max_bytes), hasher: Sha256::new() };
        Ok(BufReader::with_capacity(BUFFER_BYTES, reader))
    }

    /// Refuses a file, read to its end, that does not have the SHA-256 `expected`.
    pub(super) fn check(reader: BufReader<Self>, path: &Path, expected: &str) -> Result<(), Error> {
        let found = format!("{:x}", reader.into_inner().hasher.finalize());
        if found == expected {
            return Ok(());
        }
        Err(Error::Hash { path: path.to_owned(), expected: expected.to_owned(), found })
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Bytes that are read or written at once.
pub(super) const BUFFER_BYTES: usize = 256 << 10;

/// The SHA-256 of `bytes`, lower-case hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

pub(super) fn read_error(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { step: Step::Read, path, source }
}
