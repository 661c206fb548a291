//! Where the bars of a window are missing, small enough to be kept beside the window's figures.

use serde::{Deserialize, Serialize};

use crate::{Dataset, GapKind, Timestamp};

/// Most stretches that a window is told in: a strip across a screen shows no more.
pub const MAX_COVERAGE_STRETCHES: usize = 120;
/// Most holes that are kept of a window, the longest.
pub const MAX_COVERAGE_HOLES: usize = 200;

/// Which bars of a window are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The window in stretches of about as many bars each, in order; at most [`MAX_COVERAGE_STRETCHES`].
    pub stretches: Vec<CoverageStretch>,
    /// The longest holes, in order of time; at most [`MAX_COVERAGE_HOLES`].
    pub holes: Vec<Hole>,
    /// All holes, those that are not kept too.
    pub hole_count: usize,
}

/// A part of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageStretch {
    /// Start of its first bar.
    pub from: Timestamp,
    /// Bars that its market's calendar expects in it.
    pub bars: usize,
    /// How many of them are missing.
    pub missing: usize,
    /// How many are not there because nothing traded.
    pub no_trade: usize,
}

/// Missing bars in a row, none of which the source has and should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hole {
    /// Start of the first missing bar.
    pub from: Timestamp,
    /// Close of the last one.
    pub to: Timestamp,
    /// Missing bars.
    pub bars: usize,
}

impl Coverage {
    /// That of a dataset's window, without the history before it.
    pub fn of(dataset: &Dataset) -> Self {
        let first = dataset.history_bars.min(dataset.gap_kinds.len());
        let kinds = &dataset.gap_kinds[first..];
        let starts = dataset.bars.open_times().get(first..).unwrap_or_default();
        let holes = holes(kinds);
        let hole_count = holes.len();
        let mut kept = longest(holes, MAX_COVERAGE_HOLES);
        kept.sort_by_key(|run| run.first);
        let bar_ms = dataset.timeframe().millis();
        let hole = |run: Run| {
            let last = starts.get(run.first + run.bars - 1)?;
            Some(Hole { from: *starts.get(run.first)?, to: last.plus_millis(bar_ms), bars: run.bars })
        };
        Self {
            stretches: stretches(kinds, starts),
            holes: kept.into_iter().filter_map(hole).collect(),
            hole_count,
        }
    }
}

/// Missing bars in a row, by index.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    bars: usize,
}

fn holes(kinds: &[GapKind]) -> Vec<Run> {
    let mut holes: Vec<Run> = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        match holes.last_mut() {
            _ if kind.is_known() => {}
            Some(run) if run.first + run.bars == index => run.bars += 1,
            _ => holes.push(Run { first: index, bars: 1 }),
        }
    }
    holes
}

/// The `most` longest; of those that are as long the earliest.
fn longest(mut runs: Vec<Run>, most: usize) -> Vec<Run> {
    runs.sort_by_key(|run| (std::cmp::Reverse(run.bars), run.first));
    runs.truncate(most);
    runs
}

fn stretches(kinds: &[GapKind], starts: &[Timestamp]) -> Vec<CoverageStretch> {
    let count = kinds.len().min(starts.len());
    let parts = count.min(MAX_COVERAGE_STRETCHES);
    let stretch = |part: usize| {
        let (from, to) = (part * count / parts, (part + 1) * count / parts);
        let of = |kind: GapKind| kinds[from..to].iter().filter(|it| **it == kind).count();
        CoverageStretch {
            from: starts[from],
            bars: to - from,
            missing: of(GapKind::Missing),
            no_trade: of(GapKind::NoTrade),
        }
    };
    (0..parts).map(stretch).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn starts(count: usize) -> Vec<Timestamp> {
        (0..count).map(|at| Timestamp::EPOCH.plus_millis(at as i64 * 3_600_000)).collect()
    }

    #[test]
    fn a_hole_is_what_is_missing_in_a_row_and_not_what_nobody_traded() {
        use GapKind::{Missing, NoTrade, Present, Revised};
        let kinds = [Missing, Present, Missing, Missing, NoTrade, Revised, Missing];
        let found: Vec<(usize, usize)> = holes(&kinds).iter().map(|run| (run.first, run.bars)).collect();
        assert_eq!(found, [(0, 1), (2, 2), (6, 1)]);
        let kept = longest(holes(&kinds), 2);
        assert_eq!(kept.iter().map(|run| run.first).collect::<Vec<_>>(), [2, 0]);
    }

    proptest! {
        #[test]
        fn stretches_have_every_bar_once_and_are_bounded(
            kinds in prop::collection::vec(prop::sample::select(vec![
                GapKind::Present, GapKind::NoTrade, GapKind::Missing, GapKind::Revised,
            ]), 0..700),
        ) {
            let found = stretches(&kinds, &starts(kinds.len()));
            prop_assert!(found.len() <= MAX_COVERAGE_STRETCHES);
            prop_assert_eq!(found.iter().map(|it| it.bars).sum::<usize>(), kinds.len());
            let all = |kind| kinds.iter().filter(|it| **it == kind).count();
            prop_assert_eq!(found.iter().map(|it| it.missing).sum::<usize>(), all(GapKind::Missing));
            prop_assert_eq!(found.iter().map(|it| it.no_trade).sum::<usize>(), all(GapKind::NoTrade));
            prop_assert!(found.windows(2).all(|pair| pair[0].from < pair[1].from && pair[0].bars > 0));
        }
    }
}
