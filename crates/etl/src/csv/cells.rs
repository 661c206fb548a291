//! A line's cells, as slices of its bytes.

use std::ops::Range;

/// Cuts lines at commas. A cell may stand in double quotes, inside which a comma is text.
#[derive(Debug, Default)]
pub(super) struct Cells {
    ranges: Vec<Range<usize>>,
}

impl Cells {
    /// Cuts `line`; the ranges are reused from line to line.
    pub(super) fn cut(&mut self, line: &[u8]) {
        self.ranges.clear();
        let mut start = 0;
        let mut in_quotes = false;
        for (at, &byte) in line.iter().enumerate() {
            match byte {
                b'"' => in_quotes = !in_quotes,
                b',' if !in_quotes => {
                    self.ranges.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
        }
        self.ranges.push(start..line.len());
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The cell at `index` of the `line` that was cut, without surrounding space and quotes.
    pub(super) fn get<'a>(&self, line: &'a [u8], index: usize) -> &'a [u8] {
        let Some(cell) = self.ranges.get(index).and_then(|range| line.get(range.clone())) else { return b"" };
        let cell = cell.trim_ascii();
        match cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")) {
            Some(unquoted) => unquoted.trim_ascii(),
            None => cell,
        }
    }

    /// All cells of the `line` that was cut.
    pub(super) fn iter<'a>(&'a self, line: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        (0..self.len()).map(move |index| self.get(line, index))
    }
}

/// The number in a cell; also `nan` and `inf`, which [`walkforward_core::Bar`] refuses with the column's name.
pub(super) fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// A cell for an error message, cut to a readable length.
pub(super) fn shown(cell: &[u8]) -> String {
    const MAX_SHOWN: usize = 40;
    let text = String::from_utf8_lossy(&cell[..cell.len().min(MAX_SHOWN)]).into_owned();
    if cell.len() > MAX_SHOWN { format!("{text}...") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lose_space_and_quotes_and_keep_quoted_commas() {
        let line = br#" a ,"b,c",, "d" "#;
        let mut cells = Cells::default();
        cells.cut(line);
        let all: Vec<&[u8]> = cells.iter(line).collect();
        assert_eq!(all, [&b"a"[..], b"b,c", b"", b"d"]);
        cells.cut(b"");
        assert_eq!(cells.len(), 1);
    }
}
