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
        if memchr::memchr(b'"', line).is_some() {
            return self.cut_quoted(line);
        }
        let mut start = 0;
        for at in memchr::memchr_iter(b',', line) {
            self.ranges.push(start..at);
            start = at + 1;
        }
        self.ranges.push(start..line.len());
    }

    fn cut_quoted(&mut self, line: &[u8]) {
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
    short_decimal(cell).or_else(|| std::str::from_utf8(cell).ok()?.parse().ok())
}

/// Powers of ten that an f64 holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Largest whole number up to which an f64 holds every one.
const MAX_EXACT: u64 = 1 << 53;
/// Digits that fit into a u64 whatever they are.
pub(super) const MAX_DIGITS: usize = 19;

/// A number such as prices and volumes are mostly written, `-123.45`. Digits and power of ten are both exact, so that
/// one division rounds as the standard library does. `None` for any other spelling.
fn short_decimal(cell: &[u8]) -> Option<f64> {
    let (is_negative, text) = match cell {
        [b'-', text @ ..] => (true, text),
        text => (false, text),
    };
    if text.len() > MAX_DIGITS + 1 {
        return None;
    }
    let (mut digits, mut count, mut point) = (0_u64, 0, None);
    for &byte in text {
        match byte {
            b'0'..=b'9' if count < MAX_DIGITS => {
                digits = digits * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    let number = decimal(digits, count, point)?;
    Some(if is_negative { -number } else { number })
}

/// The number of `count` digits that are `digits`, with a point behind so many of them. `None` without a digit, and
/// where one division might not round correctly.
pub(super) fn decimal(digits: u64, count: usize, point: Option<usize>) -> Option<f64> {
    if count == 0 || count > MAX_DIGITS || digits > MAX_EXACT {
        return None;
    }
    Some(digits as f64 / POWERS_OF_TEN[count - point.unwrap_or(count)])
}

/// A cell for an error message, cut to a readable length.
pub(super) fn shown(cell: &[u8]) -> String {
    const MAX_SHOWN: usize = 40;
    let text = String::from_utf8_lossy(&cell[..cell.len().min(MAX_SHOWN)]).into_owned();
    if cell.len() > MAX_SHOWN { format!("{text}...") } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_has_the_bits_that_the_standard_library_gives(
            text in "-?[0-9]{0,12}(\\.[0-9]{0,12})?", bytes in proptest::collection::vec(any::<u8>(), 0..24), value: f64,
        ) {
            for cell in [text.as_bytes(), &bytes, value.to_string().as_bytes()] {
                let expected: Option<f64> = std::str::from_utf8(cell).ok().and_then(|text| text.parse().ok());
                prop_assert_eq!(number(cell).map(f64::to_bits), expected.map(f64::to_bits));
            }
        }
    }

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
