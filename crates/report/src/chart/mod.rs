//! Charts as inline SVG that stretches with the page.
//!
//! A chart's height is in pixels and its width is whatever the page has: horizontal places are shares of it. Lines lie
//! in an inner drawing of [`WIDTH`] units that is stretched without making them thicker; labels and marks lie outside
//! of it, so that they are not.

mod axis;
mod decimate;
mod frame;
mod path;
mod scale;

pub(crate) use axis::{Tick, TimeAxis};
pub(crate) use decimate::decimate;
pub(crate) use frame::{Frame, legend, percent};
pub(crate) use path::{Point, area, bars, line, segment, steps};
pub(crate) use scale::Scale;

/// Units across the inner drawing.
pub(crate) const WIDTH: f64 = 1_000.0;
/// Numbers beyond are no equity and no price: they are not drawn.
const MAX_DRAWN: f64 = 1e12;

/// Whether a number can be drawn.
pub(crate) fn is_drawn(value: f64) -> bool {
    value.abs() <= MAX_DRAWN
}
