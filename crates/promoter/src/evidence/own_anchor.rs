//! The champion's arm against the anchor that it set itself.

use serde::{Deserialize, Serialize};
use walkforward_core::StreamEvidence;

use super::{EvidenceRules, LedgerError, MarketPace, Standing, sentences};

/// Where the champion's arm stands against the anchor that it set with its takeover, on bars since then: whether its newer
/// snapshots, which may decide otherwise, do better than the one that came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnAnchor {
    /// The anchor: a model's id.
    pub reference: String,
    /// The figures.
    pub standing: Standing,
    /// Whether the arm leads it: a grade, over enough trades and separate stretches.
    pub leads: bool,
    /// The same in words, with what would change it.
    pub sentence: String,
}

impl OwnAnchor {
    /// Where `stream`, an arm against its own anchor, stands.
    ///
    /// # Errors
    /// As [`Standing::of`].
    pub(super) fn of(stream: &StreamEvidence, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        let standing = Standing::of(stream, rules)?;
        let pace = MarketPace::new(stream.bars_per_day, stream.bars_per_year)?;
        let sentence = sentences::evidence(&standing, &stream.reference, pace, rules);
        let leads = standing.grade.is_some();
        Ok(Self { reference: stream.reference.clone(), standing, leads, sentence })
    }
}
