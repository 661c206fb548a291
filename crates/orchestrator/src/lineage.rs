//! Which bars may judge a model, and which models may be its parents.
//!
//! `lineage_until` of a model is the close of the last bar that entered any observation, reward, label, validation
//! choice or statistic of the model or of any ancestor. A bar that closes at or before it can't judge the model.

use walkforward_core::{Dataset, ModelId, ModelRef, Timestamp, Window};
use walkforward_store::ParentChoice;

/// Generations that are looked through for a clean ancestor.
pub(crate) const MAX_GENERATIONS: usize = 10_000;

/// A model as far as its lineage goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor<T> {
    pub(crate) id: ModelId,
    pub(crate) lineage_until: Timestamp,
    /// Why its weights can't be used; none when they can.
    pub(crate) damage: Option<String>,
    /// What else is known of it.
    pub(crate) model: T,
}

impl<T> Ancestor<T> {
    /// What keeps a training that ends at `training_end` from continuing from it.
    pub(crate) fn problem(&self, training_end: Timestamp) -> Option<String> {
        let Self { id, lineage_until, .. } = self;
        if *lineage_until > training_end {
            return Some(format!(
                "{id} has seen bars until {lineage_until}, and training ends at {training_end}"
            ));
        }
        self.damage.as_ref().map(|damage| format!("{id} can't be read ({damage})"))
    }
}

/// Which models are tried in place of the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Substitutes {
    /// Its ancestors, nearest first.
    Ancestors,
    /// The line's older models, newest first.
    OlderModels,
}

impl Substitutes {
    /// What the one that is taken is to the one that was asked for.
    fn taken(self) -> &'static str {
        match self {
            Self::Ancestors => "its nearest ancestor",
            Self::OlderModels => "the next older model of the line",
        }
    }

    /// One of them.
    fn one(self) -> &'static str {
        match self {
            Self::Ancestors => "ancestor",
            Self::OlderModels => "older model of the line",
        }
    }
}

/// The first of `models`, the one that was asked for and then its `substitutes`, whose weights are there and that has
/// seen no bar after `training_end`: a child of any other could not be judged on the hold-out. `None` without models.
pub(crate) fn choose_parent<T>(
    models: impl IntoIterator<Item = Ancestor<T>>,
    substitutes: Substitutes,
    training_end: Timestamp,
) -> Option<(ParentChoice, Option<T>)> {
    let mut asked: Option<(ModelId, String)> = None;
    for ancestor in models.into_iter().take(MAX_GENERATIONS) {
        let problem = ancestor.problem(training_end);
        let Ancestor { id, model, .. } = ancestor;
        match (problem, &asked) {
            (None, None) => {
                return Some((
                    ParentChoice { asked: id.clone(), taken: Some(id), reason: None },
                    Some(model),
                ));
            }
            (None, Some((first, problem))) => {
                let reason = Some(format!("{problem}; {id} is {} that will do", substitutes.taken()));
                return Some((ParentChoice { asked: first.clone(), taken: Some(id), reason }, Some(model)));
            }
            (Some(problem), None) => asked = Some((id, problem)),
            (Some(_), Some(_)) => {}
        }
    }
    let (asked, problem) = asked?;
    let one = substitutes.one();
    let reason = Some(format!("{problem}, and no {one} will do: starting from fresh weights"));
    Some((ParentChoice { asked, taken: None, reason }, None))
}

/// Which parent a training came to have: none when the trainer could not continue from the one that was chosen, because
/// of `cold_start`.
pub(crate) fn after_training(
    chosen: Option<(ParentChoice, Option<ModelRef>)>,
    cold_start: Option<&str>,
) -> (Option<ParentChoice>, Option<ModelRef>) {
    let (choice, parent) = chosen.unzip();
    let (Some(choice), Some(parent), Some(why)) =
        (&choice, parent.as_ref().and_then(Option::as_ref), cold_start)
    else {
        return (choice, parent.flatten());
    };
    let before = choice.reason.as_ref().map(|reason| format!("{reason}; ")).unwrap_or_default();
    let reason = format!("{before}{} can't be continued ({why}): started from fresh weights", parent.id);
    (Some(ParentChoice { asked: choice.asked.clone(), taken: None, reason: Some(reason) }), None)
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
    use walkforward_core::{
        AbsentMeans, Bar, BarSeries, FeatureSpec, GapKind, MarketCalendar, QualityFigures, QualityReport,
        Timeframe,
    };

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(hour * HOUR_MS)
    }

    fn model(number: usize) -> ModelId {
        format!("model-2024-01-01T00-00-{:02}-{:03}Z", number / 1_000 % 60, number % 1_000).parse().unwrap()
    }

    fn ancestor(number: usize, lineage_until: Timestamp) -> Ancestor<usize> {
        Ancestor { id: model(number), lineage_until, damage: None, model: number }
    }

    fn ancestors(lineages: &[i64]) -> Vec<Ancestor<usize>> {
        let ancestor = |(number, &until)| ancestor(number, at(until));
        lineages.iter().enumerate().map(ancestor).collect()
    }

    #[test]
    fn a_clean_parent_is_taken_as_asked() {
        let (choice, taken) = choose_parent(ancestors(&[100, 90]), Substitutes::Ancestors, at(100)).unwrap();
        assert_eq!((choice.taken, choice.reason, taken), (Some(model(0)), None, Some(0)));
        assert!(choose_parent(ancestors(&[]), Substitutes::Ancestors, at(100)).is_none());
    }

    #[test]
    fn the_nearest_clean_ancestor_takes_the_place_of_a_contaminated_parent() {
        for (lineages, expected) in [(&[101, 90][..], 1), (&[140, 120, 101, 90, 80], 3)] {
            let (choice, taken) =
                choose_parent(ancestors(lineages), Substitutes::Ancestors, at(100)).unwrap();
            assert_eq!((choice.asked, taken), (model(0), Some(expected)));
            let reason = choice.reason.unwrap();
            assert!(
                reason.contains(&model(0).to_string()) && reason.contains("nearest ancestor"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_parent_without_its_weights_gives_way_to_its_nearest_ancestor() {
        let mut line = ancestors(&[95, 90, 80]);
        line[0].damage = Some("its weights are gone".to_owned());
        let (choice, taken) = choose_parent(line, Substitutes::Ancestors, at(100)).unwrap();
        assert_eq!(taken, Some(1));
        assert!(choice.reason.unwrap().contains("its weights are gone"));
    }

    #[test]
    fn without_a_clean_ancestor_training_starts_cold_and_says_so() {
        for lineages in [&[101][..], &[140, 120, 101]] {
            let (choice, taken) =
                choose_parent(ancestors(lineages), Substitutes::Ancestors, at(100)).unwrap();
            assert_eq!((choice.taken, taken), (None, None));
            assert!(choice.reason.unwrap().contains("fresh weights"));
        }
    }

    #[test]
    fn an_older_model_takes_the_place_of_the_latest_and_is_called_so() {
        let (choice, taken) =
            choose_parent(ancestors(&[120, 90]), Substitutes::OlderModels, at(100)).unwrap();
        assert_eq!((taken, choice.taken), (Some(1), Some(model(1))));
        assert!(choice.reason.unwrap().contains("next older model of the line"));
        let (choice, _) = choose_parent(ancestors(&[120]), Substitutes::OlderModels, at(100)).unwrap();
        assert!(choice.reason.unwrap().contains("no older model of the line will do"));
    }

    #[test]
    fn a_parent_that_the_trainer_could_not_continue_from_is_none() {
        let reference = |number| ModelRef {
            id: model(number),
            dir: "models".into(),
            sha256: "a".to_owned(),
            lineage_until: at(90),
        };
        let chosen = |lineages: &[i64]| {
            let (choice, taken) =
                choose_parent(ancestors(lineages), Substitutes::Ancestors, at(100)).unwrap();
            Some((choice, taken.map(reference)))
        };
        let (choice, parent) = after_training(chosen(&[90]), None);
        assert_eq!((choice.unwrap().taken, parent), (Some(model(0)), Some(reference(0))));
        assert_eq!(after_training(None, Some("no parent was named")), (None, None));

        let (choice, parent) = after_training(chosen(&[120, 90]), Some("it sees other features"));
        let choice = choice.unwrap();
        assert_eq!((&choice.asked, choice.taken, parent), (&model(0), None, None));
        let reason = choice.reason.unwrap();
        for part in ["nearest ancestor", model(1).as_str(), "it sees other features", "fresh weights"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        // What could not be chosen could not be refused either.
        let (choice, parent) = after_training(chosen(&[120]), Some("it sees other features"));
        assert_eq!(parent, None);
        assert!(!choice.unwrap().reason.unwrap().contains("other features"));
    }

    /// Hours `first..end` of which `missing` are, the last `holdout` held out.
    fn dataset(first: i64, end: i64, holdout: i64, missing: &[i64]) -> Dataset {
        let mut bars = BarSeries::new(Timeframe::HOUR);
        for hour in first..end {
            bars.push(Bar::new(at(hour), 100.0, 100.0, 100.0, 100.0, 1.0).unwrap()).unwrap();
        }
        let kind = |hour| if missing.contains(&hour) { GapKind::Missing } else { GapKind::Present };
        Dataset {
            symbol: "BTC/USD".parse().unwrap(),
            gap_kinds: (first..end).map(kind).collect(),
            embargo_bars: 0,
            history_bars: 0,
            window: Window::new(at(first), at(end)).unwrap(),
            split: at(end - holdout),
            as_of: at(end),
            feature_spec: FeatureSpec::default(),
            calendar: MarketCalendar::Continuous,
            absent: AbsentMeans::Missing,
            hash: "test".to_owned(),
            quality: QualityReport { file: None, window: QualityFigures::default() },
            origin: "test".to_owned(),
            bars,
        }
    }

    /// A year of cycles every six hours over a window of hours: what the product does when nobody changes a setting.
    #[test]
    fn constant_settings_never_contaminate_a_cycle() {
        let (window, holdout, cycles) = (700, 336, 1_460);
        let mut line: Vec<Ancestor<usize>> = Vec::new();
        let mut champion: Option<usize> = None;
        for cycle in 0..cycles {
            let now = 20_000 + 6 * cycle as i64;
            let dataset = dataset(now - window, now, holdout, &[]);
            // The champion, then its parents: each model continued from the champion of its time.
            let lineage = champion.map(|champion| line[..=champion].iter().rev().cloned());
            let chosen = lineage
                .and_then(|lineage| choose_parent(lineage, Substitutes::Ancestors, dataset.training_end()));
            let parent = chosen.and_then(|(choice, parent)| {
                assert_eq!(choice.reason, None, "cycle {cycle}");
                parent
            });
            let inherited = parent.map_or(Timestamp::EPOCH, |parent| line[parent].lineage_until);
            let candidate = inherited.max(dataset.training_end());
            let champion_until = champion.map(|champion| line[champion].lineage_until);
            let span = JudgedSpan::of(&dataset, candidate, champion_until);
            assert_eq!((span.unseen_bars, span.holdout_bars), (336, 336), "cycle {cycle}");
            assert_eq!(span.judged, Window::new(dataset.split, at(now)).unwrap());
            line.push(ancestor(cycle, candidate));
            // Two of three are refused.
            if cycle % 3 == 0 {
                champion = Some(cycle);
            }
        }
    }

    #[test]
    fn the_judged_span_begins_where_nobody_has_seen_and_counts_known_bars() {
        let data = dataset(0, 100, 40, &[59, 70, 80, 81]);
        let check = |candidate: i64, champion: Option<i64>, start: i64, unseen: usize| {
            let span = JudgedSpan::of(&data, at(candidate), champion.map(at));
            assert_eq!(span.judged, Window::new(at(start), at(100)).unwrap());
            assert_eq!((span.unseen_bars, span.holdout_bars), (unseen, 37));
        };
        check(60, None, 60, 37);
        check(60, Some(50), 60, 37);
        check(60, Some(75), 75, 23);
        check(90, Some(75), 90, 10);
        // Nothing is left: the whole hold-out is measured, and counts as nothing.
        check(60, Some(100), 60, 0);
        let embargoed = Dataset { embargo_bars: 5, ..data };
        let span = JudgedSpan::of(&embargoed, at(55), Some(at(75)));
        assert_eq!((span.judged.start(), span.unseen_bars), (at(80), 18));
    }

    #[test]
    fn what_was_seen_and_the_embargo_move_the_judged_span() {
        assert_eq!(judged_from(10, 8, 0), 10);
        assert_eq!(judged_from(10, 14, 0), 14);
        assert_eq!(judged_from(10, 8, 2), 10);
        assert_eq!(judged_from(10, 9, 3), 12);
    }
}
