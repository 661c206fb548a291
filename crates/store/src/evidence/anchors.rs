//! What a line's challengers are measured against.

use rusqlite::Row;
use walkforward_core::{ArmId, LineName, ModelId, Timestamp};

use crate::rows::{parse, parse_optional};
use crate::{Store, StoreError};

/// The last champion that came from another arm than the one before: it stays what others are measured against while
/// newer snapshots of its arm trade in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Which model.
    pub model: ModelId,
    /// When it became champion. Bars before may have been used to choose it.
    pub taken_over_at: Timestamp,
    /// Its arm; none of a model that was promoted without one.
    pub arm: Option<ArmId>,
    /// What its own arm goes on being measured against, the anchor before it, and since when; none is `flat`.
    pub displaced: Option<(ModelId, Timestamp)>,
}

/// A champion in the history.
struct Reign {
    model: Option<ModelId>,
    since: Timestamp,
    /// Whether it was promoted, and not as a newer snapshot of the arm that traded.
    is_takeover: bool,
    arm: Option<ArmId>,
}

impl Store {
    /// The anchor of a line; none while it has no champion.
    pub fn anchor(&self, line: &LineName) -> Result<Option<Anchor>, StoreError> {
        let reigns = self.reigns(line)?;
        let Some((model, at)) = anchor_of(&reigns) else { return Ok(None) };
        let reign = &reigns[at];
        let displaced =
            anchor_of(&reigns[at + 1..]).map(|(model, before)| (model, reigns[at + 1 + before].since));
        Ok(Some(Anchor { model, taken_over_at: reign.since, arm: reign.arm.clone(), displaced }))
    }

    /// The champions of a line, the newest first.
    fn reigns(&self, line: &LineName) -> Result<Vec<Reign>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT p.to_model, coalesce(p.committed_at, p.created_at), \
                 p.kind = 'promote' AND json_extract(p.verdict_json, '$.grading.class') IS NOT 'refresh', s.arm \
                 FROM promotions p LEFT JOIN snapshots s ON s.model = p.to_model \
                 WHERE p.line = ?1 AND p.state = 'committed' ORDER BY p.sequence DESC",
            )?;
            query.query_map([line.as_str()], reign_row)?.collect()
        })
    }
}

fn reign_row(row: &Row<'_>) -> rusqlite::Result<Reign> {
    Ok(Reign {
        model: parse_optional(row, 0)?,
        since: parse(row, 1)?,
        is_takeover: row.get(2)?,
        arm: parse_optional(row, 3)?,
    })
}

/// The takeover by which the newest champion's arm came, and where it is. A model that is champion again after a rollback
/// has the anchor that its arm had.
fn anchor_of(reigns: &[Reign]) -> Option<(ModelId, usize)> {
    let newest = reigns.first()?;
    let champion = newest.model.clone()?;
    let Some(arm) = &newest.arm else { return Some((champion, 0)) };
    let takeover = reigns.iter().position(|reign| reign.arm.as_ref() == Some(arm) && reign.is_takeover);
    let model = takeover.and_then(|at| Some((reigns[at].model.clone()?, at)));
    Some(model.unwrap_or((champion, 0)))
}
