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
    /// When its arm came to trade, last. Bars before may have been used to choose it.
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
        let Some(Reigning { model, since, takeover }) = reigning(&reigns) else { return Ok(None) };
        let arm = reigns.first().and_then(|reign| reign.arm.clone());
        let displaced = reigning(&reigns[takeover + 1..]).map(|before| (before.model, before.since));
        Ok(Some(Anchor { model, taken_over_at: since, arm, displaced }))
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

/// The arm that the newest champion is of.
struct Reigning {
    /// Its anchor: the model by which it took over.
    model: ModelId,
    /// When its champions began to follow one another without one of another arm between: after a rollback, at the
    /// rollback.
    since: Timestamp,
    /// Where it took over.
    takeover: usize,
}

/// Who reigns at the beginning of `reigns`. A pointer that somebody changed may name an arm that never took over: then the
/// first of its champions stands for that.
fn reigning(reigns: &[Reign]) -> Option<Reigning> {
    let newest = reigns.first()?;
    let champion = newest.model.clone()?;
    let Some(arm) = &newest.arm else {
        return Some(Reigning { model: champion, since: newest.since, takeover: 0 });
    };
    let is_own = |reign: &Reign| reign.arm.as_ref() == Some(arm);
    let first = reigns.iter().take_while(|reign| is_own(reign)).count() - 1;
    let takeover = reigns.iter().position(|reign| is_own(reign) && reign.is_takeover).unwrap_or(first);
    let model = reigns[takeover].model.clone().unwrap_or(champion);
    Some(Reigning { model, since: reigns[first].since, takeover })
}
