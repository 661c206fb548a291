//! How far a Sharpe ratio can be trusted. Everything here is per period: nothing is annualised inside.

mod deflated;
mod moments;
mod probabilistic;
mod track_record;

pub use deflated::{DeflatedSharpe, Trials, deflated_sharpe, expected_max_z};
pub use moments::SharpeMoments;
pub use probabilistic::probabilistic_sharpe;
pub use track_record::min_track_record_length;
