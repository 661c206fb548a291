//! Lines, areas and columns in the inner drawing.

use std::fmt::Write;

use crate::chart::WIDTH;
use crate::markup::{Element, el};

/// A place in a chart: share of the width from the left, and a height in the series' own unit or in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A line through `points`, whose heights are pixels from the top. A single point becomes a short stroke.
pub(crate) fn line(class: &str, points: &[Point]) -> Element {
    let data = match points {
        [only] => format!("{}h4", command('M', Point { x: only.x - 2.0 / WIDTH, ..*only })),
        points => through(points),
    };
    el("path").class(format!("line {class}")).attr("d", data)
}

/// The area between `points` and the height `base`, in pixels from the top.
pub(crate) fn area(class: &str, points: &[Point], base: f64) -> Element {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return el("path") };
    let mut data = command('M', Point { x: first.x, y: base });
    points.iter().for_each(|point| data.push_str(&command('L', *point)));
    data.push_str(&command('L', Point { x: last.x, y: base }));
    data.push('Z');
    el("path").class(format!("area {class}")).attr("d", data)
}

/// Columns that stand on `base`: left edge, right edge, height of the top, in pixels from the top.
pub(crate) fn bars(class: &str, columns: &[(f64, f64, f64)], base: f64) -> Element {
    let mut data = String::new();
    for &(left, right, top) in columns {
        data.push_str(&command('M', Point { x: left, y: base }));
        data.push_str(&command('L', Point { x: left, y: top }));
        data.push_str(&command('L', Point { x: right, y: top }));
        data.push_str(&command('L', Point { x: right, y: base }));
        data.push('Z');
    }
    el("path").class(format!("area {class}")).attr("d", data)
}

/// The corners of a staircase: each point's height holds from the point before it, the first one's from `start`.
pub(crate) fn steps(start: f64, points: &[Point]) -> Vec<Point> {
    let mut from = start;
    let mut corners = Vec::new();
    for step in points.chunk_by(|one, next| one.y == next.y) {
        let [.., last] = step else { continue };
        corners.push(Point { x: from, y: last.y });
        corners.push(*last);
        from = last.x;
    }
    corners
}

/// The data of a straight line from `from` to `to`.
pub(crate) fn segment(from: Point, to: Point) -> String {
    command('M', from) + &command('L', to)
}

fn through(points: &[Point]) -> String {
    let mut data = String::with_capacity(points.len() * 12);
    for (index, point) in points.iter().enumerate() {
        data.push_str(&command(if index == 0 { 'M' } else { 'L' }, *point));
    }
    data
}

/// One decimal of a thousandth of the width, and of a pixel, is finer than any screen.
fn command(letter: char, point: Point) -> String {
    let mut out = String::with_capacity(12);
    let (x, y) = (point.x * WIDTH, point.y);
    // Writing to a string can't fail; adding zero turns -0 into 0.
    let _ = write!(out, "{letter}{} {}", (x * 10.0).round() / 10.0 + 0.0, (y * 10.0).round() / 10.0 + 0.0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points() {
        let points = [Point { x: 0.0, y: 10.0 }, Point { x: 0.5, y: -0.01 }, Point { x: 1.0, y: 3.25 }];
        let expected = "<path class=\"line a\" d=\"M0 10L500 0L1000 3.3\"></path>";
        assert_eq!(line("a", &points).to_string(), expected);
    }

    #[test]
    fn a_staircase_holds_each_height_from_the_point_before() {
        let points = [(0.25, 1.0), (0.5, 1.0), (1.0, 0.0)].map(|(x, y)| Point { x, y });
        let corners: Vec<(f64, f64)> = steps(0.0, &points).iter().map(|it| (it.x, it.y)).collect();
        assert_eq!(corners, [(0.0, 1.0), (0.5, 1.0), (0.5, 0.0), (1.0, 0.0)]);
    }
}
