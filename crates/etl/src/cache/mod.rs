//! Bars that were asked for once, kept in Parquet files, with all that was ever known of each.
//!
//! A folder for each source, symbol and timeframe holds segments and a manifest. A segment is a Parquet file that is
//! written once: bars with the time at which each was learnt, the spans that were asked for, whose bars they are, and
//! in its name the hash of its bytes. The manifest lists the segments and is replaced as a whole, so that a reader
//! without lock sees one state. A refresh adds a segment with what is new; small ones are merged into it, so that
//! their number grows with the logarithm of the rows. Writers take a lock for the time of the write alone, not for
//! that of the download.
//!
//! What is torn, changed or another's is renamed (`.damaged-1`), never deleted, and its spans are asked for again. So
//! is a segment that no manifest explains (`.unlisted-1`).

mod cached;
mod key;
mod manifest;
mod repair;
mod segment;
mod spans;
mod store;
mod versions;

pub use cached::{Cached, DEFAULT_OVERLAP_BARS, MIN_OVERLAP_BARS};
pub use key::CacheKey;
pub use store::{BarCache, CacheSummary};
