//! Bars in, datasets out: sources that give past bars, feeds that give new ones, and the pipeline that cuts,
//! completes, checks and fingerprints the window of a run.
//!
//! The principal type is [`EtlPipeline`]: it asks a [`DataSource`] for bars and makes a
//! [`Dataset`](walkforward_core::Dataset) of them. [`CsvSource`] reads files as exchanges and publishers give them
//! out, [`SyntheticSource`] makes deterministic bars without any file. [`ReplayFeed`] and [`SyntheticFeed`] hand
//! the same bars to a trader one by one.
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
//! let request = BarRequest { symbol: "BTC/USD".parse()?, timeframe: None, as_of: None, bars: 336 };
//! let answer = SyntheticSource::new(7).bars(&request).await?;
//! assert_eq!(answer.as_of.to_string(), "2024-01-01T00:00:00.000Z");
//! assert!(answer.bars.len() > 300);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod csv;
mod error;
mod figures;
mod fill;
mod hash;
mod pipeline;
mod replay;
mod synthetic;

pub use csv::{Column, Columns, CsvOptions, CsvSource};
pub use error::Error;
pub use hash::dataset_hash;
pub use pipeline::{EtlConfig, EtlPipeline, MAX_WINDOW_BARS, MIN_TRAINING_BARS};
pub use replay::ReplayFeed;
pub use synthetic::{MAX_SYNTHETIC_BARS, SyntheticFeed, SyntheticSource};
pub use walkforward_core::{BarFeed, DataSource, DatasetBuilder};
