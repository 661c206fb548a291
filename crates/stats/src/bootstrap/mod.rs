//! Resampling of dependent series in blocks.

mod block_length;
mod blocks;
mod long_run_variance;
mod paired;

pub use block_length::{BlockLength, DEFAULT_HOURLY_BLOCK, MIN_MEAN_BLOCK};
pub use blocks::{BlockBootstrap, BlockScheme, MAX_RESAMPLES, MIN_RESAMPLES};
pub(crate) use blocks::{share_of, sums_of_two_rounds};
pub(crate) use long_run_variance::long_run_variance;
pub use paired::{PairedTest, paired_bootstrap, paired_p_value_is_at_most};
