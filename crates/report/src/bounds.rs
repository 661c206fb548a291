//! What a page holds at most. Whatever is left out is counted on the page.

/// Points of a drawn series: more than twice the pixel columns of a chart show nothing new.
pub(crate) const MAX_POINTS: usize = 1_200;
/// Rows in the list of trades.
pub(crate) const MAX_TRADES: usize = 1_000;
/// Columns in which an entry, and an exit, is marked on the price: as many marks as lie beside each other.
pub(crate) const MAX_MARKS: usize = 80;
/// Columns of a position that changes too often to be drawn bar by bar.
pub(crate) const MAX_COLUMNS: usize = 300;
/// Characters of one text; a sentence is shorter, and a broken record can't fill the page.
pub(crate) const MAX_TEXT_CHARS: usize = 2_000;
/// Plots of one picture.
pub(crate) const MAX_PANELS: usize = 6;
/// Curves of one plot.
pub(crate) const MAX_SERIES: usize = 8;
/// Arms whose whole meter is shown.
pub(crate) const MAX_METERS: usize = 40;
/// Models that are compared.
pub(crate) const MAX_SUBJECTS: usize = 8;
/// Rows of every other table and list.
pub(crate) const MAX_ROWS: usize = 200;

/// The first `max` of `items`, and how many there are besides.
pub(crate) fn bounded<T>(items: &[T], max: usize) -> (&[T], usize) {
    let shown = items.len().min(max);
    (&items[..shown], items.len() - shown)
}
