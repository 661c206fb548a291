//! Fewer points that look the same.

use crate::chart::Point;

/// At most `max` of `points` (at least 4): the first, the last, and of each column between them the lowest and the
/// highest in their order. Every extreme of the series is kept.
pub(crate) fn decimate(points: &[Point], max: usize) -> Vec<Point> {
    if points.len() <= max.max(4) {
        return points.to_vec();
    }
    let columns = (max.max(4) - 2) / 2;
    let inner = &points[1..points.len() - 1];
    let mut kept = vec![points[0]];
    for column in 0..columns {
        let from = column * inner.len() / columns;
        let to = (column + 1) * inner.len() / columns;
        kept.extend(extremes(&inner[from..to]));
    }
    kept.push(points[points.len() - 1]);
    kept
}

/// The lowest and the highest point in their order; one when they are the same.
fn extremes(points: &[Point]) -> impl Iterator<Item = Point> + use<> {
    let (mut lowest, mut highest) = (0, 0);
    for (index, point) in points.iter().enumerate() {
        if point.y < points[lowest].y {
            lowest = index;
        }
        if point.y > points[highest].y {
            highest = index;
        }
    }
    let (first, second) = (lowest.min(highest), lowest.max(highest));
    let second = (second > first).then(|| points[second]);
    points.get(first).copied().into_iter().chain(second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(values: &[f64]) -> Vec<Point> {
        values.iter().enumerate().map(|(index, y)| Point { x: index as f64, y: *y }).collect()
    }

    proptest! {
        #[test]
        fn extremes_ends_and_order_are_kept(
            values in proptest::collection::vec(-1e6..1e6_f64, 0..3_000),
            max in 4..600_usize,
        ) {
            let points = series(&values);
            let kept = decimate(&points, max);
            prop_assert!(kept.len() <= max);
            prop_assert!(kept.windows(2).all(|pair| pair[0].x < pair[1].x));
            prop_assert_eq!(kept.first(), points.first());
            prop_assert_eq!(kept.last(), points.last());
            let highest = |points: &[Point]| points.iter().map(|it| it.y).fold(f64::MIN, f64::max);
            let lowest = |points: &[Point]| points.iter().map(|it| it.y).fold(f64::MAX, f64::min);
            prop_assert_eq!((highest(&kept), lowest(&kept)), (highest(&points), lowest(&points)));
        }
    }

    #[test]
    fn a_short_series_is_left_alone() {
        let points = series(&[1.0, 2.0, 1.5]);
        assert_eq!(decimate(&points, 4), points);
    }
}
