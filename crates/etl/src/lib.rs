//! Bars in, datasets out: sources that give past bars, feeds that give new ones, and the pipeline that cuts,
//! completes, checks and fingerprints the window of a run.
//!
//! The principal type is [`EtlPipeline`]: it asks a [`DataSource`] for bars and makes a
//! [`Dataset`](walkforward_core::Dataset) of them. [`CsvSource`] and [`ParquetSource`] read files as exchanges and
//! publishers give them out, [`SyntheticSource`] makes deterministic bars without any file, [`ReplaySource`] gives a
//! recorded series as it was known at a time. [`Cached`], [`Retrying`] and [`Longer`] stand before any source: the first
//! keeps its bars in a [`BarCache`], the second asks again when that may help, the third makes longer bars of them. [`ReplayFeed`] and [`SyntheticFeed`] hand the same
//! bars to a trader one by one. [`us_equities`] and [`read_sessions`] say when a market that closes is open.
//!
//! Files are read on the calling thread: a caller that shares an async runtime with other work wraps the call in
//! its own blocking task.
//!
//! ```
//! use walkforward_core::BarRequest;
//! use walkforward_etl::{DataSource, SyntheticSource};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let request = BarRequest::new("BTC/USD".parse()?, 336);
//! let answer = SyntheticSource::new(7).bars(&request).await?;
//! assert_eq!(answer.as_of.to_string(), "2024-01-01T00:00:00.000Z");
//! assert!(answer.bars.len() > 300);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod budget;
mod cache;
mod csv;
mod error;
mod export;
mod figures;
mod file_bars;
mod fill;
mod hash;
mod longer;
mod parquet;
mod pipeline;
mod replay;
mod retrying;
mod sessions;
mod synthetic;
mod table;

pub use budget::EtlConfig;
pub use cache::{BarCache, CacheKey, CacheSummary, Cached, DEFAULT_OVERLAP_BARS, MIN_OVERLAP_BARS};
pub use csv::{Column, Columns, CsvOptions, CsvSource};
pub use error::{Error, GapNumbers};
pub use export::{write_csv, write_parquet};
pub use hash::dataset_hash;
pub use longer::Longer;
pub use parquet::{ParquetOptions, ParquetSource};
pub use pipeline::{EtlPipeline, MAX_WINDOW_BARS, MIN_TRAINING_BARS};
pub use replay::{ReplayFeed, ReplaySource};
pub use retrying::{MAX_ATTEMPTS, RetryPolicy, Retrying};
pub use sessions::{SessionClock, US_EQUITY_YEARS, read_sessions, us_equities};
pub use synthetic::{MAX_SYNTHETIC_BARS, SyntheticFeed, SyntheticSource};
pub use walkforward_core::{BarFeed, DataSource, DatasetBuilder};
