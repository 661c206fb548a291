//! Which bars may judge a model, and which models may be its parents.
//!
//! `lineage_until` of a model is the close of the last bar that entered any observation, reward, label, validation
//! choice or statistic of the model or of any ancestor. A bar that closes at or before it can't judge the model.

use walkforward_core::{Dataset, ModelId, Timestamp, Window};
use walkforward_store::ParentChoice;

/// Generations that are looked through for a clean ancestor.
pub(crate) const MAX_GENERATIONS: usize = 10_000;

/// A model as far as its lineage goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor<T> {
    pub(crate) id: ModelId,
    pub(crate) lineage_until: Timestamp,
    /// What else is known of it.
    pub(crate) model: T,
}

/// The first of `ancestors`, the model that was asked for and then its parents, that has seen no bar after
/// `training_end`: a child of any other could not be judged on the hold-out. `None` without ancestors.
pub(crate) fn choose_parent<T>(
    ancestors: impl IntoIterator<Item = Ancestor<T>>,
    training_end: Timestamp,
) -> Option<(ParentChoice, Option<T>)> {
    let mut asked: Option<(ModelId, Timestamp)> = None;
    for Ancestor { id, lineage_until, model } in ancestors.into_iter().take(MAX_GENERATIONS) {
        let (first, seen_until) = asked.get_or_insert_with(|| (id.clone(), lineage_until)).clone();
        if lineage_until <= training_end {
            let reason = (first != id).then(|| {
                format!(
                    "{}; {id} is its nearest ancestor that has not",
                    has_seen(&first, seen_until, training_end)
                )
            });
            return Some((ParentChoice { asked: first, taken: Some(id), reason }, Some(model)));
        }
    }
    let (asked, seen_until) = asked?;
    let seen = has_seen(&asked, seen_until, training_end);
    let reason = Some(format!("{seen}, and so has every ancestor: starting from fresh weights"));
    Some((ParentChoice { asked, taken: None, reason }, None))
}

fn has_seen(model: &ModelId, until: Timestamp, training_end: Timestamp) -> String {
    format!("{model} has seen bars until {until}, and training ends at {training_end}")
}

/// The bars that candidate and champion are judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JudgedSpan {
    /// Their span; the whole hold-out when none is left.
    pub(crate) judged: Window,
    /// Known bars in it that neither lineage has seen.
    pub(crate) unseen_bars: usize,
    /// Known bars in the hold-out.
    pub(crate) holdout_bars: usize,
}

impl JudgedSpan {
    /// The bars after the hold-out's start and, by the embargo, after every bar that either lineage has seen. When none
    /// is left, the hold-out is measured all the same, and `unseen_bars = 0` tells the gate what that is worth.
    pub(crate) fn of(dataset: &Dataset, candidate: Timestamp, champion: Option<Timestamp>) -> Self {
        let bars = &dataset.bars;
        // A bar that stands for a missing one is no evidence.
        let known_bars_from = |index: usize| (index..bars.len()).filter(|&bar| dataset.is_known(bar)).count();
        let split = dataset.split_index();
        let seen = candidate.max(champion.unwrap_or(candidate));
        let first = judged_from(split, bars.index_at_or_after(seen), dataset.embargo_bars);
        let whole = Window::new(dataset.split, dataset.window.end()).unwrap_or(dataset.window);
        let start = bars.open_times().get(first).copied().unwrap_or(whole.end());
        Self {
            judged: Window::new(start, whole.end()).unwrap_or(whole),
            unseen_bars: known_bars_from(first),
            holdout_bars: known_bars_from(split),
        }
    }
}

/// Index of the first bar that may judge: in the hold-out, and `embargo` bars after the last that was seen.
fn judged_from(split: usize, first_unseen: usize, embargo: usize) -> usize {
    split.max(first_unseen.saturating_add(embargo))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(hour * HOUR_MS)
    }

    fn model(number: usize) -> ModelId {
        format!("model-2024-01-01T00-00-{:02}-{:03}Z", number / 1_000 % 60, number % 1_000).parse().unwrap()
    }

    fn ancestors(lineages: &[i64]) -> Vec<Ancestor<usize>> {
        let ancestor =
            |(number, &until)| Ancestor { id: model(number), lineage_until: at(until), model: number };
        lineages.iter().enumerate().map(ancestor).collect()
    }

    #[test]
    fn a_clean_parent_is_taken_as_asked() {
        let (choice, taken) = choose_parent(ancestors(&[100, 90]), at(100)).unwrap();
        assert_eq!((choice.taken, choice.reason, taken), (Some(model(0)), None, Some(0)));
        assert!(choose_parent(ancestors(&[]), at(100)).is_none());
    }

    #[test]
    fn the_nearest_clean_ancestor_takes_the_place_of_a_contaminated_parent() {
        for (lineages, expected) in [(&[101, 90][..], 1), (&[140, 120, 101, 90, 80], 3)] {
            let (choice, taken) = choose_parent(ancestors(lineages), at(100)).unwrap();
            assert_eq!((choice.asked, taken), (model(0), Some(expected)));
            let reason = choice.reason.unwrap();
            assert!(
                reason.contains(&model(0).to_string()) && reason.contains("nearest ancestor"),
                "{reason}"
            );
        }
    }

    #[test]
    fn without_a_clean_ancestor_training_starts_cold_and_says_so() {
        for lineages in [&[101][..], &[140, 120, 101]] {
            let (choice, taken) = choose_parent(ancestors(lineages), at(100)).unwrap();
            assert_eq!((choice.taken, taken), (None, None));
            assert!(choice.reason.unwrap().contains("fresh weights"));
        }
    }

    /// A year of cycles every six hours over a window of hours: what the product does when nobody changes a setting.
    #[test]
    fn constant_settings_never_contaminate_a_cycle() {
        let (holdout, cycles) = (336, 1_460);
        let mut line: Vec<Ancestor<usize>> = Vec::new();
        let mut champion: Option<usize> = None;
        for cycle in 0..cycles {
            let split = at(20_000 + 6 * cycle as i64 - holdout);
            // The champion, then its parents: each model continued from the champion of its time.
            let lineage = champion.map(|champion| line[..=champion].iter().rev().cloned());
            let chosen = lineage.and_then(|lineage| choose_parent(lineage, split));
            let parent = chosen.and_then(|(choice, parent)| {
                assert_eq!(choice.reason, None, "cycle {cycle}");
                parent
            });
            let inherited = parent.map_or(Timestamp::EPOCH, |parent| line[parent].lineage_until);
            let candidate = inherited.max(split);
            let seen = champion.map_or(candidate, |champion| line[champion].lineage_until.max(candidate));
            assert!(seen <= split, "cycle {cycle}: {seen} {split}");
            line.push(Ancestor { id: model(cycle), lineage_until: candidate, model: cycle });
            // Two of three are refused.
            if cycle % 3 == 0 {
                champion = Some(cycle);
            }
        }
    }

    #[test]
    fn what_was_seen_and_the_embargo_move_the_judged_span() {
        assert_eq!(judged_from(10, 8, 0), 10);
        assert_eq!(judged_from(10, 14, 0), 14);
        assert_eq!(judged_from(10, 8, 2), 10);
        assert_eq!(judged_from(10, 9, 3), 12);
    }
}
