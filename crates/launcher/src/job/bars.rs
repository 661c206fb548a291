//! `bars.csv`: a row a bar, every number in the shortest decimals that give its bits back.

use std::io::{self, BufRead, BufWriter, Read, Write};
use std::path::Path;

use walkforward_core::{BarColumns, BarSeries, Timeframe, Timestamp};
use walkforward_durable::Files;

use super::hashing::{BUFFER_BYTES, HashingReader, HashingWriter, read_error};
use crate::Error;

/// Name of the file of bars, in the dataset folder.
pub const BARS_FILE: &str = "bars.csv";
/// Its columns: start in milliseconds since 1970-01-01T00:00:00Z, prices in the quote, volume in the base.
pub(super) const COLUMNS: [&str; 6] = ["open_time_ms", "open", "high", "low", "close", "volume"];
/// Longest line: the smallest numbers have 750 decimals before anything that tells them apart.
const MAX_LINE_BYTES: u64 = 4_096;
/// Most bars of a dataset: history and five years of minutes with room to spare.
pub(super) const MAX_BARS: usize = 4_000_000;
/// Longest file.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Writes `bars` to `path` and gives the file's SHA-256.
pub(super) fn write_bars(files: &Files, path: &Path, bars: &BarSeries) -> Result<String, Error> {
    let mut sha256 = String::new();
    files.write_atomic_with(path, |file| {
        let mut hashing = HashingWriter::new(file);
        write_rows(&mut hashing, bars)?;
        sha256 = hashing.sha256();
        Ok(())
    })?;
    Ok(sha256)
}

fn write_rows(file: &mut dyn Write, bars: &BarSeries) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    writeln!(out, "{}", COLUMNS.join(","))?;
    let numbers = [bars.opens(), bars.highs(), bars.lows(), bars.closes(), bars.volumes()];
    for (row, time) in bars.open_times().iter().enumerate() {
        write!(out, "{}", time.as_millis())?;
        for column in numbers {
            write!(out, ",{}", column[row])?;
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads `rows` bars from `path`, whose SHA-256 must be `sha256`.
pub(super) fn read_bars(
    path: &Path,
    rows: usize,
    sha256: &str,
    timeframe: Timeframe,
) -> Result<BarSeries, Error> {
    let mut reader = HashingReader::open(path, MAX_FILE_BYTES)?;
    let mut columns = BarColumns::with_capacity(rows);
    let (mut line, mut number) = (String::new(), 1);
    let header = COLUMNS.join(",");
    if !read_line(&mut reader, path, number, &mut line)? || line != header {
        return Err(Error::at_line(path, 1, format!("the header {header}"), quoted(&line)));
    }
    loop {
        number += 1;
        if !read_line(&mut reader, path, number, &mut line)? {
            break;
        }
        if columns.len() == rows {
            return Err(Error::at_line(path, number, format!("{rows} bars, as dataset.json says"), "more"));
        }
        let pushed = push_row(&mut columns, &line);
        pushed.map_err(|expected| Error::at_line(path, number, expected, quoted(&line)))?;
    }
    HashingReader::check(reader, path, sha256)?;
    if columns.len() != rows {
        let found = format!("{} bars", columns.len());
        return Err(Error::content(path, format!("{rows} bars, as dataset.json says"), found));
    }
    let series = BarSeries::from_columns(timeframe, columns);
    series.map_err(|error| Error::content(path, "bars in order on one grid", error))
}

/// Reads line `number` without its end into `line`; false at the end of the file.
fn read_line(reader: &mut impl BufRead, path: &Path, number: u64, line: &mut String) -> Result<bool, Error> {
    line.clear();
    let read =
        reader.by_ref().take(MAX_LINE_BYTES).read_line(line).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => Error::at_line(path, number, "text", "bytes that are no UTF-8"),
            _ => read_error(path)(source).into(),
        })?;
    if read == 0 {
        return Ok(false);
    }
    if line.pop() != Some('\n') {
        let expected = format!("a line of at most {MAX_LINE_BYTES} bytes with a line end");
        return Err(Error::at_line(path, number, expected, "none"));
    }
    Ok(true)
}

/// Takes a row; the error is what was expected.
fn push_row(columns: &mut BarColumns, line: &str) -> Result<(), &'static str> {
    let mut cells = line.split(',');
    let time = cells.next().and_then(|cell| Timestamp::from_millis(cell.parse().ok()?));
    columns.open_time.push(time.ok_or("a start in milliseconds since 1970")?);
    let BarColumns { open_time: _, open, high, low, close, volume } = columns;
    for column in [open, high, low, close, volume] {
        let number = cells.next().and_then(|cell| cell.parse().ok()).ok_or("five numbers after the start")?;
        column.push(number);
    }
    if cells.next().is_some() { Err("six cells") } else { Ok(()) }
}

/// The beginning of `line`, for an error.
fn quoted(line: &str) -> String {
    const SHOWN_CHARACTERS: usize = 120;
    format!("'{}'", line.chars().take(SHOWN_CHARACTERS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(BARS_FILE);
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn refused(rows: usize, text: &str, expected: &str) {
        let (_dir, path) = written(text);
        let sha256 = super::super::hashing::sha256_hex(text.as_bytes());
        let error = read_bars(&path, rows, &sha256, Timeframe::HOUR).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(BARS_FILE), "{error}");
    }

    #[test]
    fn the_strangest_numbers_keep_their_bits() {
        let mut columns = BarColumns::default();
        let strange = [f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, 1.0 / 3.0, f64::MAX, 9_007_199_254_740_993.0];
        for (row, &price) in strange.iter().enumerate() {
            columns.open_time.push(Timestamp::EPOCH.plus_millis(row as i64 * 3_600_000));
            for column in [
                &mut columns.open,
                &mut columns.high,
                &mut columns.low,
                &mut columns.close,
                &mut columns.volume,
            ] {
                column.push(price);
            }
        }
        let bars = BarSeries::from_columns(Timeframe::HOUR, columns).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(BARS_FILE);
        let sha256 = write_bars(&Files::default(), &path, &bars).unwrap();
        let read = read_bars(&path, bars.len(), &sha256, Timeframe::HOUR).unwrap();
        let bits = |series: &BarSeries| series.closes().iter().map(|it| it.to_bits()).collect::<Vec<_>>();
        assert_eq!((bits(&read), read), (bits(&bars), bars));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let header = COLUMNS.join(",");
        refused(1, "time,open\n", "line 1,");
        refused(1, &format!("{header}\n0,1,1,1,1\n"), "line 2, can't be used: expected five numbers");
        refused(1, &format!("{header}\nnoon,1,1,1,1,1\n"), "line 2, can't be used: expected a start");
        refused(1, &format!("{header}\n0,1,1,1,1,1,1\n"), "expected six cells");
        refused(1, &format!("{header}\n0,1,1,1,1,1"), "line end");
        refused(
            1,
            &format!("{header}\n0,1,1,1,1,1\n3600000,1,1,1,1,1\n"),
            "line 3, can't be used: expected 1 bars",
        );
        refused(2, &format!("{header}\n0,1,1,1,1,1\n"), "found 1 bars");
        refused(1, &format!("{header}\n0,1,NaN,1,1,1\n"), "bars in order");
        refused(1, &format!("{header}\n0,{}\n", "1".repeat(5_000)), "at most 4096 bytes");
    }

    #[test]
    fn another_file_of_the_same_form_is_refused() {
        let (_dir, path) = written(&format!("{}\n0,1,1,1,1,1\n", COLUMNS.join(",")));
        let error = read_bars(&path, 1, "0", Timeframe::HOUR).unwrap_err();
        assert!(matches!(error, Error::Hash { .. }), "{error}");
    }
}
