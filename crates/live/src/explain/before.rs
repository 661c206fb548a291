//! What the model before would have done.

use std::path::Path;

use serde::Serialize;
use walkforward_core::ModelId;
use walkforward_store::read_model;

use super::choice::Place;
use super::replay::AtBar;
use super::{Answerer, ModelAnswer, load};
use crate::LiveError;
use crate::journal::{EventRecord, Followed, JournalRecord, ModelStamp, Segment, SegmentStart};

/// What a model is to the one that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It traded before in the same session.
    TradedBefore,
    /// The one that decided was trained on from it; no model traded before in the session.
    Parent,
}

/// What another model would have done at the bar, with the same bars, position, limits and grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviousAnswer {
    /// Who that is.
    pub relation: Relation,
    /// What it answers.
    #[serde(flatten)]
    pub answer: ModelAnswer,
    /// Whether it wants the same position; none where one of the two gives no answer.
    pub agrees: Option<bool>,
}

/// What the model answers that traded before the one of the bar, else that one's parent; none where there is neither.
pub(super) fn previous(
    place: &Place,
    at_bar: &AtBar,
    models_dir: &Path,
    answerer: &Answerer<'_>,
    wanted: Option<Followed>,
) -> Result<Option<PreviousAnswer>, LiveError> {
    let Some(model) = &at_bar.record.model else { return Ok(None) };
    let traded = match &at_bar.swap {
        Some(from) => from.clone(),
        None => traded_before(place, model)?,
    };
    let found = match traded {
        Some(stamp) => Some((Relation::TradedBefore, stamp.model_id, stamp.sha256)),
        None => parent(models_dir, &model.model_id).map(|(id, sha256)| (Relation::Parent, id, sha256)),
    };
    let Some((relation, id, sha256)) = found else { return Ok(None) };
    let (policy, weights) = load(models_dir, &id, &sha256);
    let mut answer = ModelAnswer::of(&id, &sha256, weights);
    if let Some(policy) = policy {
        answer = answerer.other(answer, policy.as_ref(), model.grade)?;
    }
    let agrees = wanted.zip(answer.wanted).map(|(decided, other)| decided == other);
    Ok(Some(PreviousAnswer { relation, answer, agrees }))
}

/// The model that `model` took over from in an earlier segment of the session.
fn traded_before(place: &Place, model: &ModelStamp) -> Result<Option<ModelStamp>, LiveError> {
    let Some(mut segment) = Segment::open(&place.paths[place.segment])? else { return Ok(None) };
    for path in place.paths[..place.segment].iter().rev() {
        if segment.header.start == SegmentStart::New {
            return Ok(None);
        }
        let Some(earlier) = Segment::open(path)? else { return Ok(None) };
        // It traded when the segment began, so that the swap lies further back.
        segment = earlier;
        if segment.checkpoint.model.as_ref() == Some(model) {
            continue;
        }
        return swap_to(model, segment);
    }
    Ok(None)
}

fn swap_to(model: &ModelStamp, segment: Segment) -> Result<Option<ModelStamp>, LiveError> {
    let mut found = None;
    for record in segment.records {
        if let JournalRecord::Event(stamped) = record?
            && let EventRecord::Swapped { from, to, .. } = stamped.event
            && to == *model
        {
            found = from;
        }
    }
    Ok(found)
}

/// The model that `model_id` was trained on from, where their records are there.
fn parent(models_dir: &Path, model_id: &ModelId) -> Option<(ModelId, String)> {
    let parent = read_model(models_dir, model_id).ok()?.0.parent_id?;
    let sha256 = read_model(models_dir, &parent).ok()?.0.sha256;
    Some((parent, sha256))
}
