//! The list of a cache's segments, replaced as a whole: whoever reads it sees one state.

use std::path::Path;

use serde::{Deserialize, Serialize};
use walkforward_core::Timestamp;
use walkforward_durable::read_bounded;

use super::key::CacheKey;
use super::segment::{FORMAT, Segment, SourceNote, Unusable};
use super::spans::Spans;
use crate::Error;

pub(crate) const FILE_NAME: &str = "manifest.json";
/// Bytes of a manifest at most; each of its few segments has some hundred.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// Segments of a cache at most. Each has more than half as many rows as the ones after it, so that real caches have a
/// dozen.
pub(crate) const MAX_SEGMENTS: usize = 64;

/// What a cache holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    #[serde(flatten)]
    pub(crate) key: CacheKey,
    #[serde(flatten)]
    pub(crate) note: SourceNote,
    /// Number of the next segment.
    pub(crate) next_number: u64,
    /// Oldest first.
    pub(crate) segments: Vec<Segment>,
}

impl Manifest {
    pub(crate) fn new(key: CacheKey, note: SourceNote) -> Self {
        Self { format: FORMAT, key, note, next_number: 1, segments: Vec::new() }
    }

    /// The manifest in `folder`; none when there is none.
    pub(crate) fn read(folder: &Path, key: &CacheKey) -> Result<Option<Self>, ReadError> {
        let path = folder.join(FILE_NAME);
        let bytes = match read_bounded(&path, MAX_MANIFEST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error @ walkforward_durable::Error::TooLarge { .. }) => {
                return Err(ReadError::Unusable(Unusable::Damaged(error.to_string())));
            }
            Err(error) => return Err(ReadError::Other(error.into())),
        };
        Self::parse(&bytes, key).map(Some).map_err(ReadError::Unusable)
    }

    fn parse(bytes: &[u8], key: &CacheKey) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged = |error: serde_json::Error| Unusable::Damaged(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format > FORMAT {
            return Err(Unusable::Newer(format));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        if manifest.key != *key {
            return Err(Unusable::Damaged(format!("it lists bars of {}", manifest.key)));
        }
        if manifest.segments.len() > MAX_SEGMENTS {
            let (found, most) = (manifest.segments.len(), MAX_SEGMENTS);
            return Err(Unusable::Damaged(format!("it lists {found} segments: expected at most {most}")));
        }
        Ok(manifest)
    }

    /// Starts of bars that were asked for.
    pub(crate) fn covered(&self) -> Spans {
        let mut covered = Spans::default();
        self.segments.iter().for_each(|segment| covered.extend(&segment.spans));
        covered
    }

    /// When the newest row was learnt.
    pub(crate) fn learnt_until(&self) -> Option<Timestamp> {
        self.segments.iter().map(|segment| segment.learnt_until).max()
    }

    /// Whether the rows of segment `number` are in a later one that is listed.
    pub(crate) fn has_merged(&self, number: u64) -> bool {
        self.segments.iter().any(|segment| segment.has_merged(number))
    }

    pub(crate) fn rows(&self) -> usize {
        self.segments.iter().map(|segment| segment.rows).fold(0, usize::saturating_add)
    }
}

/// Why a manifest can't be had.
#[derive(Debug)]
pub(crate) enum ReadError {
    Unusable(Unusable),
    Other(Error),
}
