//! How the trades' returns are spread.

use crate::chart::{Frame, Scale, Tick, bars};
use crate::markup::Element;
use crate::numbers;
use crate::sections::graphic;

/// Height of the chart, pixels.
const HEIGHT: f64 = 150.0;
/// Columns for each round step of the axis.
const PER_STEP: usize = 4;
/// Returns that differ less lie in one column.
const LEAST_SPAN_PERCENT: f64 = 0.1;
/// Share of a column's width that is left free.
const GAP: f64 = 0.12;

/// The columns of a histogram over an axis with round numbers.
struct Columns {
    scale: Scale,
    counts: Vec<u64>,
}

impl Columns {
    /// Counts `percents`, of which there is at least one.
    fn of(percents: &[f64]) -> Self {
        // Zero is always a boundary, so that no column holds both gains and losses.
        let low = percents.iter().copied().fold(0.0, f64::min);
        let high = percents.iter().copied().fold(0.0, f64::max);
        let scale = Scale::linear(low, high, LEAST_SPAN_PERCENT);
        let columns = (scale.ticks().len() - 1) * PER_STEP;
        let mut counts = vec![0; columns];
        for percent in percents {
            let zero = (scale.share(0.0) * columns as f64).round();
            let column = (scale.share(*percent) * columns as f64).floor();
            // Rounding must not carry a loss over to the gains, or back.
            let column = if *percent < 0.0 { column.min(zero - 1.0) } else { column.max(zero) };
            counts[(column.max(0.0) as usize).min(columns - 1)] += 1;
        }
        Self { scale, counts }
    }

    /// Left edge, right edge, and count of each column that holds any, of the gains or of the losses.
    fn side(&self, is_gain: bool) -> impl Iterator<Item = (f64, f64, u64)> {
        let width = 1.0 / self.counts.len() as f64;
        let zero = (self.scale.share(0.0) * self.counts.len() as f64).round() as usize;
        let columns = self.counts.iter().enumerate().filter(move |(index, _)| (*index >= zero) == is_gain);
        columns.filter(|(_, count)| **count > 0).map(move |(index, count)| {
            let left = index as f64 * width;
            (left + GAP / 2.0 * width, left + (1.0 - GAP / 2.0) * width, *count)
        })
    }
}

/// A histogram of `returns` (fractions); none when there are none.
pub(super) fn histogram(returns: &[f64]) -> Option<Element> {
    let percents: Vec<f64> =
        returns.iter().map(|it| 100.0 * it).filter(|it| crate::chart::is_drawn(*it)).collect();
    if percents.is_empty() {
        return None;
    }
    let columns = Columns::of(&percents);
    let most = columns.counts.iter().copied().max().unwrap_or(0);
    let scale = Scale::counts(most);
    let label =
        |tick: &f64| Tick { place: columns.scale.share(*tick), label: columns.scale.growth_label(*tick) };
    let ticks: Vec<Tick> = columns.scale.ticks().iter().map(label).collect();
    let alternative = format!(
        "Histogram of {} returns of trades, from {} to {}.",
        numbers::whole(percents.len() as u64),
        numbers::signed_percent(percents.iter().copied().fold(f64::MAX, f64::min) / 100.0),
        numbers::signed_percent(percents.iter().copied().fold(f64::MIN, f64::max) / 100.0),
    );
    let frame = Frame::new(HEIGHT, &scale, |tick| numbers::decimals(tick, 0), &ticks, alternative);
    let drawn = [("loss", false), ("gain", true)].map(|(class, is_gain)| {
        let tops: Vec<_> = columns
            .side(is_gain)
            .map(|(left, right, count)| (left, right, frame.y(scale.share(count as f64))))
            .collect();
        bars(class, &tops, frame.y(0.0))
    });
    let title = Some("Trades by their return on the entry value");
    Some(graphic(title, None, frame.chart(drawn, []), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_return_is_counted_on_its_side_of_zero() {
        let columns = Columns::of(&[-1e-12, 0.0, 1e-12, 3.0, -2.0, 7.0]);
        let count = |is_gain| columns.side(is_gain).map(|(_, _, count)| count).sum::<u64>();
        assert_eq!((count(false), count(true)), (2, 4));
    }

    #[test]
    fn equal_returns_make_one_column() {
        for value in [0.0, 5.0, -5.0] {
            let columns = Columns::of(&[value; 3]);
            assert_eq!(columns.side(value >= 0.0).map(|(_, _, count)| count).collect::<Vec<_>>(), [3]);
        }
        assert!(histogram(&[]).is_none() && histogram(&[f64::NAN]).is_none());
    }
}
