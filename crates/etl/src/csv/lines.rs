//! A file line by line, plain or gzip, with a bound on everything that is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use walkforward_durable::open_regular;

use crate::Error;

/// What is read of a file at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes after decompression: a small gzip file may hold a very large one.
    pub(super) file_bytes: u64,
    /// Bytes of a line; real rows have fewer than 200.
    pub(super) line_bytes: u64,
    /// Rows of bars: 19 years of minutes.
    pub(super) rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 4 << 30, line_bytes: 64 << 10, rows: 10_000_000 }
    }
}

const BUFFER_BYTES: usize = 64 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// Its bytes without line end.
    pub(super) bytes: &'a [u8],
    /// Whether it has a line end; only the last line of a file may lack it.
    pub(super) is_ended: bool,
}

/// Reads lines; blank ones are counted and left out.
pub(super) struct LineReader {
    path: PathBuf,
    limits: Limits,
    reader: Box<dyn BufRead>,
    /// A line that does not lie in the reader's buffer as a whole.
    buffer: Vec<u8>,
    /// Bytes of the reader's buffer that were given out as a line.
    given: usize,
    number: u64,
    bytes_read: u64,
}

/// Where the bytes of a line are.
#[derive(Clone, Copy)]
enum Place {
    /// At the beginning of the reader's buffer, so many.
    Reader(usize),
    Buffer,
}

impl LineReader {
    /// Opens `path`, decompressing it when it begins as gzip files do.
    pub(super) fn open(path: &Path, limits: Limits) -> Result<Self, Error> {
        let file = open_regular(path).map_err(|error| open_error(path, error))?;
        let reader = plain_or_gzip(file).map_err(|source| io_error(path, source))?;
        let (buffer, given, number, bytes_read) = (Vec::new(), 0, 0, 0);
        Ok(Self { path: path.to_owned(), limits, reader, buffer, given, number, bytes_read })
    }

    /// The next line that is not blank.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, Error> {
        let place = loop {
            let Some(place) = self.advance()? else { return Ok(None) };
            if !self.bytes(place)?.iter().all(u8::is_ascii_whitespace) {
                break place;
            }
        };
        let number = self.number;
        let line = self.bytes(place)?;
        let (is_ended, bytes) = match line {
            [bytes @ .., b'\r', b'\n'] | [bytes @ .., b'\n'] => (true, bytes),
            [bytes @ .., b'\r'] | bytes => (false, bytes),
        };
        let bytes = if number == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) } else { bytes };
        Ok(Some(Line { number, bytes, is_ended }))
    }

    fn bytes(&mut self, place: Place) -> Result<&[u8], Error> {
        match place {
            Place::Buffer => Ok(&self.buffer),
            // Nothing was consumed since the line was found: this reads nothing and gives the same bytes.
            Place::Reader(length) => match self.reader.fill_buf() {
                Ok(bytes) => Ok(bytes.get(..length).unwrap_or(bytes)),
                Err(source) => Err(io_error(&self.path, source)),
            },
        }
    }

    /// Goes to the next line.
    fn advance(&mut self) -> Result<Option<Place>, Error> {
        self.reader.consume(std::mem::take(&mut self.given));
        let available = self.reader.fill_buf().map_err(|source| io_error(&self.path, source))?;
        let place = match memchr::memchr(b'\n', available) {
            Some(at) => Place::Reader(at + 1),
            None => Place::Buffer,
        };
        let read = match place {
            Place::Reader(length) => {
                self.given = length;
                length
            }
            Place::Buffer => self.read_whole()?,
        };
        self.count(read as u64)?;
        Ok((read > 0).then_some(place))
    }

    /// Reads a line that reaches beyond the reader's buffer.
    fn read_whole(&mut self) -> Result<usize, Error> {
        self.buffer.clear();
        let mut bounded = (&mut self.reader).take(self.limits.line_bytes + 1);
        bounded.read_until(b'\n', &mut self.buffer).map_err(|source| io_error(&self.path, source))
    }

    fn count(&mut self, read: u64) -> Result<(), Error> {
        self.number += u64::from(read > 0);
        self.bytes_read += read;
        if read > self.limits.line_bytes {
            return Err(self.too_long(format!("line {}", self.number), self.limits.line_bytes));
        }
        if self.bytes_read > self.limits.file_bytes {
            return Err(self.too_long("the file after decompression".to_owned(), self.limits.file_bytes));
        }
        Ok(())
    }

    fn too_long(&self, what: String, limit_bytes: u64) -> Error {
        Error::TooLong { path: self.path.clone(), what, limit: format!("{limit_bytes} bytes") }
    }
}

fn plain_or_gzip(file: File) -> io::Result<Box<dyn BufRead>> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    if reader.fill_buf()?.starts_with(&GZIP_MAGIC) {
        let decoder = MultiGzDecoder::new(reader);
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)));
    }
    Ok(Box::new(reader))
}

pub(crate) fn open_error(path: &Path, error: walkforward_durable::Error) -> Error {
    match error {
        walkforward_durable::Error::NotAFile { path, found } => Error::NotAFile { path, found },
        walkforward_durable::Error::Io { source, .. } => io_error(path, source),
        other => io_error(path, io::Error::other(other)),
    }
}

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &[u8], limits: Limits) -> Result<Vec<(u64, String, bool)>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bars.csv");
        std::fs::write(&path, content).unwrap();
        let mut reader = LineReader::open(&path, limits).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        while let Some(line) = reader.next_line().map_err(|error| error.to_string())? {
            out.push((line.number, String::from_utf8_lossy(line.bytes).into_owned(), line.is_ended));
        }
        Ok(out)
    }

    #[test]
    fn line_numbers_count_blank_lines_and_both_line_ends() {
        let read = lines(b"a\r\n\r\n\nb\nc", Limits::default()).unwrap();
        let expected = [(1, "a", true), (4, "b", true), (5, "c", false)];
        assert_eq!(read, expected.map(|(number, text, ended)| (number, text.to_owned(), ended)));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let read = lines(b"\xef\xbb\xbfa\nb\n", Limits::default()).unwrap();
        assert_eq!(read.iter().map(|line| line.1.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_line_and_a_file_beyond_the_limit_are_refused() {
        let limits = Limits { file_bytes: 12, line_bytes: 6, rows: 10 };
        assert!(lines(b"12345\n12345\n", limits).is_ok());
        assert!(
            lines(b"1234567\n", limits).unwrap_err().contains("line 1: longer than the limit of 6 bytes")
        );
        let error = lines(b"12345\n12345\n1\n", limits).unwrap_err();
        assert!(error.contains("longer than the limit of 12 bytes"), "{error}");
    }
}
