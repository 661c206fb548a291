//! Bars out of a seed: regimes, gaps, volume, and an edge that a policy can learn.

mod feed;
mod noise;
mod source;
mod walk;

pub use feed::SyntheticFeed;
pub use source::{MAX_SYNTHETIC_BARS, SyntheticSource};
