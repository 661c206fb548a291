//! `features.f32`: the raw feature rows, for trainers that don't compute them themselves.

use std::io::{BufWriter, Read, Write};
use std::path::Path;

use walkforward_core::{BarSeries, FeatureSpec};
use walkforward_durable::Files;
use walkforward_engine::{FeatureMatrix, feature_matrix};

use super::bars::MAX_BARS;
use super::dataset::FeatureShape;
use super::hashing::{BUFFER_BYTES, HashingReader, HashingWriter, read_error};
use crate::Error;

/// Name of the file of feature rows, in the dataset folder.
pub const FEATURES_FILE: &str = "features.f32";
const BYTES_PER_NUMBER: usize = 4;
/// Longest file: more is refused before it is computed or read.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Computes the features of `bars` and writes them to `path`: little-endian f32, row-major, without a header.
pub(super) fn write_features(
    files: &Files,
    path: &Path,
    spec: &FeatureSpec,
    bars: &BarSeries,
) -> Result<FeatureShape, Error> {
    let bytes = (bars.len() * spec.width() * BYTES_PER_NUMBER) as u64;
    if bytes > MAX_FILE_BYTES {
        return Err(Error::content(path, format!("at most {MAX_FILE_BYTES} bytes of features"), bytes));
    }
    let matrix = feature_matrix(spec, bars)?;
    let mut sha256 = String::new();
    files.write_atomic_with(path, |file| {
        let mut hashing = HashingWriter::new(file);
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, &mut hashing);
        for number in &matrix.data {
            out.write_all(&number.to_le_bytes())?;
        }
        out.flush()?;
        drop(out);
        sha256 = hashing.sha256();
        Ok(())
    })?;
    Ok(FeatureShape {
        file: FEATURES_FILE.to_owned(),
        sha256,
        rows: matrix.rows(),
        first_row: matrix.first_row,
        columns: spec.columns(),
        normalise: spec.normalisations(),
    })
}

/// Reads the rows of `shape` from the dataset folder `dir`.
///
/// # Errors
/// The file is absent, has another length than its shape says, or another SHA-256.
pub fn read_features(dir: &Path, shape: &FeatureShape) -> Result<FeatureMatrix, Error> {
    let path = dir.join(FEATURES_FILE);
    let width = shape.columns.len();
    if shape.rows > MAX_BARS || !(1..=FeatureSpec::MAX_COLUMNS).contains(&width) {
        let found = format!("{} rows of {width} columns", shape.rows);
        return Err(Error::content(&path, format!("at most {MAX_BARS} rows"), found));
    }
    let expected = shape.rows * width * BYTES_PER_NUMBER;
    let mut reader = HashingReader::open(&path, MAX_FILE_BYTES)?;
    let mut bytes = Vec::with_capacity(expected);
    reader.by_ref().take(expected as u64 + 1).read_to_end(&mut bytes).map_err(read_error(&path))?;
    if bytes.len() != expected {
        let found = if bytes.len() > expected { "more".to_owned() } else { bytes.len().to_string() };
        return Err(Error::content(&path, format!("{expected} bytes, as dataset.json says"), found));
    }
    HashingReader::check(reader, &path, &shape.sha256)?;
    let (numbers, _) = bytes.as_chunks::<BYTES_PER_NUMBER>();
    let data = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    Ok(FeatureMatrix { width, first_row: shape.first_row, data })
}
