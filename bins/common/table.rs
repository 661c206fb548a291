//! Aligned columns of text.

use std::fmt;

/// Which side of a column its texts stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A header and rows of equal width.
#[derive(Debug, Clone)]
pub struct Table {
    header: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(header: &[(&str, Align)]) -> Self {
        Self {
            header: header.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let header = self.header[column].0.chars().count();
        cells.map(|cell| cell.chars().count()).fold(header, usize::max)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        let line = |cells: &dyn Fn(usize) -> String| -> String {
            let parts =
                self.header.iter().zip(&widths).enumerate().map(
                    |(column, ((_, align), &width))| match align {
                        Align::Left => format!("{:<width$}", cells(column)),
                        Align::Right => format!("{:>width$}", cells(column)),
                    },
                );
            parts.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        writeln!(f, "{}", line(&|column| self.header[column].0.clone()))?;
        writeln!(f, "{}", line(&|column| "-".repeat(widths[column])))?;
        for row in &self.rows {
            writeln!(f, "{}", line(&|column| row.get(column).cloned().unwrap_or_default()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&[("metric", Align::Left), ("value", Align::Right)]);
        table.row(vec!["a".to_owned(), "1.25".to_owned()]);
        table.row(vec!["longer".to_owned(), "10".to_owned()]);
        let expected = "metric  value\n------  -----\na        1.25\nlonger     10\n";
        assert_eq!(table.to_string(), expected);
    }
}
