//! One file of a cache: bars as they were learnt, written once.

use bytes::Bytes;
use parquet::file::metadata::KeyValue;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;
use walkforward_core::{AbsentMeans, Timestamp, Window};

use super::key::CacheKey;
use super::spans::Spans;
use super::versions::Versions;
use crate::Error;
use crate::parquet::codec::{decode, encode, metadata_value};

/// Version of the files' layout. A program refuses files of a later one.
pub(crate) const FORMAT: u32 = 1;
/// Footer entry of a segment.
const METADATA_KEY: &str = "walkforward.cache";
/// Bytes of a segment at most: about 38 years of minutes.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 2 << 30;
const HASH_SEED: u64 = 0;

/// What a source says of itself besides its bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceNote {
    /// What the bars were read from.
    pub(crate) origin: String,
    /// What an absent bar means.
    pub(crate) absent: AbsentMeans,
}

/// What a segment's file says of itself in its footer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentMeta {
    pub(crate) format: u32,
    #[serde(flatten)]
    pub(crate) key: CacheKey,
    #[serde(flatten)]
    pub(crate) note: SourceNote,
    /// Counts up from 1 with every segment that is written.
    pub(crate) number: u64,
    /// The segments from this number on are merged into this one; its own number when there are none.
    pub(crate) first_number: u64,
    /// The starts of bars that were asked for.
    pub(crate) spans: Spans,
    /// When the newest of its rows was learnt, or its newest span asked for.
    pub(crate) learnt_until: Timestamp,
}

/// A segment as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) first_number: u64,
    /// XXH64 of the whole file, in hex; also in its name.
    pub(crate) hash: String,
    /// Rows, those of older versions too.
    pub(crate) rows: usize,
    /// From the first row's start to just after the last one's; none without rows.
    pub(crate) bars: Option<Window>,
    pub(crate) spans: Spans,
    pub(crate) learnt_until: Timestamp,
}

impl Segment {
    pub(crate) fn file_name(&self) -> String {
        file_name(self.number, &self.hash)
    }

    /// The segment of a file whose bytes have `hash`.
    pub(crate) fn of(meta: &SegmentMeta, rows: &Versions, hash: &str) -> Self {
        let ends = rows.starts().first().zip(rows.starts().last());
        Self {
            number: meta.number,
            first_number: meta.first_number,
            hash: hash.to_owned(),
            rows: rows.len(),
            bars: ends.and_then(|(&first, last)| Window::new(first, last.plus_millis(1)).ok()),
            spans: meta.spans.clone(),
            learnt_until: meta.learnt_until,
        }
    }

    /// Whether the rows of segment `number` are in this one.
    pub(crate) fn has_merged(&self, number: u64) -> bool {
        (self.first_number..self.number).contains(&number)
    }
}

fn file_name(number: u64, hash: &str) -> String {
    format!("segment-{number:08}-{hash}.parquet")
}

/// Number and hash that the name of a segment's file tells; `None` for other files.
pub(crate) fn parse_file_name(name: &str) -> Option<(u64, &str)> {
    let (number, hash) = name.strip_prefix("segment-")?.strip_suffix(".parquet")?.split_once('-')?;
    let number = number.parse().ok()?;
    (file_name(number, hash) == name && hash.len() == 16).then_some((number, hash))
}

/// The bytes of a segment's file, and its line in the manifest.
pub(crate) fn encode_segment(meta: &SegmentMeta, rows: &Versions) -> Result<(Vec<u8>, Segment), Error> {
    let broken = |reason: String| Error::Cache { what: meta.key.to_string(), reason };
    let text = serde_json::to_string(meta).map_err(|error| broken(error.to_string()))?;
    let metadata = KeyValue::new(METADATA_KEY.to_owned(), text);
    let bytes = encode(rows.columns(), vec![metadata]).map_err(|error| broken(error.to_string()))?;
    let segment = Segment::of(meta, rows, &hash(&bytes));
    Ok((bytes, segment))
}

fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash64::oneshot(HASH_SEED, bytes))
}

/// Why a file is not the segment that it should be.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It is torn, changed or another's.
    Damaged(String),
    /// A later program wrote it.
    Newer(u32),
}

/// The rows of a segment's file that start in `window`, and perhaps some around them. The whole file is checked
/// against the hash in its name before anything else reads it.
pub(crate) fn read_segment(
    bytes: Vec<u8>,
    expected_hash: &str,
    key: &CacheKey,
    window: Window,
) -> Result<(SegmentMeta, Versions), Unusable> {
    let damaged = |reason: String| Unusable::Damaged(reason);
    let found = hash(&bytes);
    if found != expected_hash {
        return Err(damaged(format!("its bytes have the hash {found}, its name says {expected_hash}")));
    }
    let bytes = Bytes::from(bytes);
    let text = metadata_value(bytes.clone(), METADATA_KEY).map_err(|error| damaged(error.to_string()))?;
    let text = text.ok_or_else(|| damaged(format!("its footer lacks '{METADATA_KEY}'")))?;
    let meta = parse_meta(&text)?;
    if meta.key != *key {
        return Err(damaged(format!("it holds bars of {}", meta.key)));
    }
    let columns = decode(bytes, window).map_err(|error| damaged(error.to_string()))?;
    let rows = Versions::from_columns(columns);
    let rows = rows.ok_or_else(|| damaged("its rows are not in order".to_owned()))?;
    Ok((meta, rows))
}

fn parse_meta(text: &str) -> Result<SegmentMeta, Unusable> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged =
        |error: serde_json::Error| Unusable::Damaged(format!("'{METADATA_KEY}' in its footer: {error}"));
    let Format { format } = serde_json::from_str(text).map_err(damaged)?;
    if format > FORMAT {
        return Err(Unusable::Newer(format));
    }
    serde_json::from_str(text).map_err(damaged)
}
