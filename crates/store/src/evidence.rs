//! Evidence: arms, their snapshots, the streams that score every bar once, and the tests that were fixed beforehand.
//!
//! Scored bars are append-only: the primary key and two triggers see to it that none is scored twice, changed or taken
//! away.

mod anchors;
mod anytime;
mod arms;
mod horizons;
mod pairs;
mod replays;
mod streams;

pub use anchors::Anchor;
pub use anytime::{AnytimePair, AnytimeTest, Enrolment};
pub(crate) use arms::ARMS;
pub use arms::{Arm, Snapshot, arm_id};
pub use horizons::HorizonRequest;
pub use pairs::{ErrorSpent, Pair};
pub use replays::{MAX_REPLAY_CYCLES, NewReplay, Replay, ReplayCycle, ReplayStatus};
pub use streams::{MAX_STREAM_BARS, ScoredBar, StreamHead, StreamKey, StreamPart};
