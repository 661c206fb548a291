//! Tests that may be looked at while the bars come in.

mod e_lond;
mod e_process;
mod obrien_fleming;

pub use e_lond::ELond;
pub use e_process::{EProcess, EProcessSettings, EProcessState, MAX_TARGET_SHARPES};
pub use obrien_fleming::{CurtailedObrienFleming, Qualification};
