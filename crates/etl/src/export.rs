//! Bars to files that other programs read.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use walkforward_core::BarSeries;
use walkforward_durable::Files;

use crate::Error;
use crate::parquet::codec::{Columns, encode};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Replaces `path` by `bars` as comma-separated values: `open_time` (RFC 3339, UTC), `open`, `high`, `low`, `close`,
/// `volume`, each number in the fewest digits that read back as the same bits.
///
/// # Errors
/// When the file can't be written; then it is as it was before.
pub fn write_csv(bars: &BarSeries, path: &Path) -> Result<(), Error> {
    let write = |file: &mut dyn Write| {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        csv_rows(bars, &mut out)?;
        out.flush()
    };
    Ok(Files::default().write_atomic_with(path, write)?)
}

fn csv_rows(bars: &BarSeries, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"open_time,open,high,low,close,volume\n")?;
    for bar in bars.iter() {
        let (time, open, high, low) = (bar.open_time(), bar.open(), bar.high(), bar.low());
        writeln!(out, "{time},{open},{high},{low},{},{}", bar.close(), bar.volume())?;
    }
    Ok(())
}

/// Replaces `path` by `bars` as a Parquet file: `open_time` (timestamp in milliseconds, UTC) and doubles `open`,
/// `high`, `low`, `close`, `volume`, compressed with zstd.
///
/// # Errors
/// When the file can't be written; then it is as it was before.
pub fn write_parquet(bars: &BarSeries, path: &Path) -> Result<(), Error> {
    let columns = Columns { bars: bars.clone().into_columns(), learnt_at: Vec::new() };
    let bytes = encode(&columns, Vec::new());
    let bytes = bytes.map_err(|error| Error::Parquet { path: path.to_owned(), reason: error.to_string() })?;
    Ok(walkforward_durable::write_atomic(path, &bytes)?)
}
