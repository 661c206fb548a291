//! Bars as lines of block characters.

use walkforward_core::{GapKind, Timestamp};

/// From nothing to all, in eighths.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns between two dates under a chart.
const DATE_SPACING: usize = 18;

/// The range of indices that column `column` of `columns` stands for, out of `count`; never empty.
fn bucket(column: usize, columns: usize, count: usize) -> std::ops::Range<usize> {
    let start = column * count / columns;
    start..((column + 1) * count / columns).max(start + 1)
}

/// Columns of a chart of `count` bars that may be `width` wide: never more than bars.
fn columns(count: usize, width: usize) -> usize {
    width.min(count)
}

/// Prices over time, the lowest as the lowest block. A column is the last price of its bars.
pub(super) fn prices(closes: &[f64], width: usize) -> String {
    let columns = columns(closes.len(), width);
    let last = |column| closes[bucket(column, columns, closes.len()).end - 1];
    let (low, high) = closes
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &close| (low.min(close), high.max(close)));
    let level = |close: f64| match high > low {
        true => 1 + ((close - low) / (high - low) * 7.0).round() as usize,
        false => 4,
    };
    (0..columns).map(|column| BLOCKS[level(last(column)).min(8)]).collect()
}

/// Share of known bars over time. A full block says that no bar of the column is missing, a dot that all are.
pub(super) fn coverage(kinds: &[GapKind], width: usize) -> String {
    let columns = columns(kinds.len(), width);
    let block = |column| {
        let bars = &kinds[bucket(column, columns, kinds.len())];
        let known = bars.iter().filter(|kind| kind.is_known()).count();
        match (known, bars.len()) {
            (0, _) => '·',
            (known, all) if known == all => BLOCKS[8],
            // Rounded down: a single missing bar shows.
            (known, all) => BLOCKS[(known * 8 / all).clamp(1, 7)],
        }
    };
    (0..columns).map(block).collect()
}

/// Dates under a chart of `open_times`.
pub(super) fn dates(open_times: &[Timestamp], width: usize) -> String {
    let columns = columns(open_times.len(), width);
    let mut line = String::new();
    for column in (0..columns).step_by(DATE_SPACING) {
        let date: String = open_times[bucket(column, columns, open_times.len()).start].to_string();
        line.push_str(&" ".repeat(column - line.chars().count()));
        line.extend(date.chars().take(10));
    }
    line
}

/// The holes: index of the first bar that is not known and number of bars, longest first, at most `most`.
pub(super) fn holes(kinds: &[GapKind], most: usize) -> Vec<(usize, usize)> {
    let mut holes: Vec<(usize, usize)> = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        match holes.last_mut() {
            _ if kind.is_known() => {}
            Some((first, bars)) if *first + *bars == index => *bars += 1,
            _ => holes.push((index, 1)),
        }
    }
    holes.sort_by_key(|&(first, bars)| (std::cmp::Reverse(bars), first));
    holes.truncate(most);
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<GapKind> {
        text.chars().map(|c| if c == 'x' { GapKind::Missing } else { GapKind::Present }).collect()
    }

    #[test]
    fn prices_run_from_the_lowest_block_to_the_highest() {
        assert_eq!(prices(&[1.0, 2.0, 8.0], 10), "▁▂█");
        assert_eq!(prices(&[5.0, 5.0], 10), "▄▄");
        assert_eq!(prices(&(0..80).map(f64::from).collect::<Vec<_>>(), 8).chars().count(), 8);
        assert_eq!(prices(&[], 10), "");
    }

    #[test]
    fn one_missing_bar_shows() {
        assert_eq!(coverage(&kinds("........x......."), 2), "█▇");
        assert_eq!(coverage(&kinds("xx.x"), 4), "··█·");
    }

    #[test]
    fn holes_are_listed_longest_first() {
        let all = kinds("x..xxx.xx");
        assert_eq!(holes(&all, 9), [(3, 3), (7, 2), (0, 1)]);
        assert_eq!(holes(&all, 1), [(3, 3)]);
    }

    #[test]
    fn dates_stand_under_their_columns() {
        let hour = |i: i64| Timestamp::from_millis(i * 3_600_000).unwrap();
        let times: Vec<Timestamp> = (0..480).map(hour).collect();
        assert_eq!(dates(&times, 20), "1970-01-01        1970-01-19");
        assert_eq!(dates(&times[..1], 20), "1970-01-01");
    }
}
