//! The dataset folder: `bars.csv`, `features.f32`, and `dataset.json` that says what they are.

use std::path::Path;

use serde::{Deserialize, Serialize};
use walkforward_core::{
    AbsentMeans, Dataset, FeatureSpec, GapKind, MarketCalendar, Normalisation, QualityReport, Symbol,
    Timeframe, Timestamp, Window,
};
use walkforward_durable::{Files, read_bounded};

use super::bars::{BARS_FILE, COLUMNS, MAX_BARS, read_bars, write_bars};
use super::features::{FEATURES_FILE, write_features};
use super::hashing::sha256_hex;
use crate::{Error, PROTOCOL};

/// Name of the description, in the dataset folder.
pub const DATASET_FILE: &str = "dataset.json";
/// Longest description: a calendar has up to 100,000 sessions.
const MAX_DATASET_BYTES: u64 = 64 << 20;

/// What `features.f32` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureShape {
    /// Name of the file.
    pub file: String,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// Number of rows.
    pub rows: usize,
    /// Index of the bar that the first row belongs to: bars before it warm the features up.
    pub first_row: usize,
    /// Names of the columns, in order.
    pub columns: Vec<String>,
    /// What becomes of each column before a policy sees it.
    pub normalise: Vec<Normalisation>,
}

/// What `bars.csv` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BarsShape {
    file: String,
    sha256: String,
    rows: usize,
    columns: Vec<String>,
}

/// So many bars in a row are of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct GapRun {
    kind: GapKind,
    bars: usize,
}

/// `dataset.json`.
#[derive(Debug, Serialize, Deserialize)]
struct DatasetRecord {
    protocol: u32,
    symbol: Symbol,
    timeframe: Timeframe,
    bars: BarsShape,
    features: FeatureShape,
    feature_spec: FeatureSpec,
    gap_kinds: Vec<GapRun>,
    history_bars: usize,
    window: Window,
    split: Timestamp,
    embargo_bars: usize,
    training_end: Timestamp,
    as_of: Timestamp,
    calendar: MarketCalendar,
    absent: AbsentMeans,
    hash: String,
    quality: QualityReport,
    origin: String,
}

/// Writes `dataset` into the existing folder `dir` and gives the SHA-256 of `dataset.json`, which names that of the
/// other files.
///
/// # Errors
/// The dataset is longer than a job can be, its features can't be computed, or a file can't be written.
pub fn write_dataset(files: &Files, dir: &Path, dataset: &Dataset) -> Result<String, Error> {
    let path = dir.join(DATASET_FILE);
    if dataset.bars.len() > MAX_BARS {
        return Err(Error::content(&path, format!("at most {MAX_BARS} bars"), dataset.bars.len()));
    }
    let bars = BarsShape {
        file: BARS_FILE.to_owned(),
        sha256: write_bars(files, &dir.join(BARS_FILE), &dataset.bars)?,
        rows: dataset.bars.len(),
        columns: COLUMNS.map(str::to_owned).into(),
    };
    let features = write_features(files, &dir.join(FEATURES_FILE), &dataset.feature_spec, &dataset.bars)?;
    let record = record(dataset, bars, features);
    let json = serde_json::to_vec_pretty(&record)
        .map_err(|source| walkforward_durable::Error::Json { path: path.clone(), source })?;
    if json.len() as u64 > MAX_DATASET_BYTES {
        return Err(Error::content(&path, format!("at most {MAX_DATASET_BYTES} bytes"), json.len()));
    }
    files.write_atomic(&path, &json)?;
    Ok(sha256_hex(&json))
}

fn record(dataset: &Dataset, bars: BarsShape, features: FeatureShape) -> DatasetRecord {
    DatasetRecord {
        protocol: PROTOCOL,
        symbol: dataset.symbol.clone(),
        timeframe: dataset.timeframe(),
        bars,
        features,
        feature_spec: dataset.feature_spec.clone(),
        gap_kinds: gap_runs(&dataset.gap_kinds),
        history_bars: dataset.history_bars,
        window: dataset.window,
        split: dataset.split,
        embargo_bars: dataset.embargo_bars,
        training_end: dataset.training_end(),
        as_of: dataset.as_of,
        calendar: dataset.calendar.clone(),
        absent: dataset.absent,
        hash: dataset.hash.clone(),
        quality: dataset.quality.clone(),
        origin: dataset.origin.clone(),
    }
}

/// Reads the dataset in `dir`, whose `dataset.json` must have the SHA-256 `sha256`, and the shape of its features. The
/// dataset is the one that was written, bit for bit.
///
/// # Errors
/// A file is absent, longer than it may be, changed, or holds something else than it should: named with the line.
pub fn read_dataset(dir: &Path, sha256: &str) -> Result<(Dataset, FeatureShape), Error> {
    let path = dir.join(DATASET_FILE);
    let json = read_bounded(&path, MAX_DATASET_BYTES)?;
    let found = sha256_hex(&json);
    if found != sha256 {
        return Err(Error::Hash { path, expected: sha256.to_owned(), found });
    }
    let record: DatasetRecord = serde_json::from_slice(&json)
        .map_err(|error| Error::content(&path, "the description of a dataset", error))?;
    if record.protocol != PROTOCOL {
        return Err(Error::Protocol { path, found: record.protocol.into() });
    }
    if record.bars.rows > MAX_BARS {
        return Err(Error::content(&path, format!("at most {MAX_BARS} bars"), record.bars.rows));
    }
    let gap_kinds = gap_kinds(&record.gap_kinds, record.bars.rows)
        .ok_or_else(|| Error::content(&path, "a gap kind for each bar", "another number"))?;
    let bars = read_bars(&dir.join(BARS_FILE), record.bars.rows, &record.bars.sha256, record.timeframe)?;
    let dataset = Dataset {
        symbol: record.symbol,
        bars,
        gap_kinds,
        history_bars: record.history_bars,
        window: record.window,
        split: record.split,
        embargo_bars: record.embargo_bars,
        as_of: record.as_of,
        feature_spec: record.feature_spec,
        calendar: record.calendar,
        absent: record.absent,
        hash: record.hash,
        quality: record.quality,
        origin: record.origin,
    };
    Ok((dataset, record.features))
}

fn gap_runs(kinds: &[GapKind]) -> Vec<GapRun> {
    kinds.chunk_by(|a, b| a == b).map(|run| GapRun { kind: run[0], bars: run.len() }).collect()
}

/// The kind of each of `rows` bars; none when the runs have another sum.
fn gap_kinds(runs: &[GapRun], rows: usize) -> Option<Vec<GapKind>> {
    let sum = runs.iter().try_fold(0_usize, |sum, run| sum.checked_add(run.bars))?;
    let kinds = || runs.iter().flat_map(|run| std::iter::repeat_n(run.kind, run.bars)).collect();
    (sum == rows).then(kinds)
}
