//! The order of a file's columns as a person declares it.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// What a column of a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Start of the bar, or its date beside a [`Clock`](Self::Clock).
    Time,
    /// Time of day of the start, where it stands apart from the date.
    Clock,
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Traded amount of the base asset.
    Volume,
    /// Nothing that is read.
    Skip,
}

impl Column {
    /// The columns that every file needs.
    pub(super) const NEEDED: [Self; 6] =
        [Self::Time, Self::Open, Self::High, Self::Low, Self::Close, Self::Volume];

    /// The name by which it is declared.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Clock => "clock",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
            Self::Skip => "-",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "time" | "timestamp" | "date" | "datetime" | "open_time" => Self::Time,
            "clock" => Self::Clock,
            "open" => Self::Open,
            "high" => Self::High,
            "low" => Self::Low,
            "close" => Self::Close,
            "volume" => Self::Volume,
            "-" | "skip" => Self::Skip,
            _ => return None,
        })
    }
}

/// The order of a file's columns, from the left: time, the four prices and the volume, each once, and any number
/// of skipped columns. A time of day that stands apart from the date is named `clock`, or `time` beside a `date`.
/// The order stands above a header that the file may have.
///
/// ```
/// use walkforward_etl::Columns;
///
/// let columns: Columns = "time,open,close,high,low,volume".parse()?;
/// assert_eq!(columns.to_string(), "time,open,close,high,low,volume");
/// assert!("time,open,high,low,last,volume".parse::<Columns>().is_err());
/// # Ok::<(), walkforward_etl::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

/// Most columns of a file.
pub(super) const MAX_COLUMNS: usize = 256;

impl Columns {
    /// The order, from the left.
    pub fn as_slice(&self) -> &[Column] {
        &self.0
    }
}

/// The column of that name; a `time` beside a `date` is the time of day.
fn declared(name: &str, has_date: bool) -> Option<Column> {
    let is_clock = has_date && name.trim().eq_ignore_ascii_case("time");
    if is_clock { Some(Column::Clock) } else { Column::named(name) }
}

impl FromStr for Columns {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let error = |reason: String| Error::Columns { text: text.to_owned(), reason };
        let has_date = text.split(',').any(|name| name.trim().eq_ignore_ascii_case("date"));
        let columns = text
            .split(',')
            .map(|name| {
                declared(name, has_date).ok_or_else(|| error(format!("'{}' is no column", name.trim())))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if columns.len() > MAX_COLUMNS {
            return Err(error(format!("{} columns are more than {MAX_COLUMNS}", columns.len())));
        }
        let count = |wanted| columns.iter().filter(|&&column| column == wanted).count();
        if count(Column::Clock) > 1 {
            return Err(error("the time of day is named more than once".to_owned()));
        }
        for needed in Column::NEEDED {
            match count(needed) {
                1 => {}
                0 => return Err(error(format!("'{}' is missing", needed.name()))),
                _ => return Err(error(format!("'{}' is named more than once", needed.name()))),
            }
        }
        Ok(Self(columns))
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|column| column.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let error = text.parse::<Columns>().unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(text), "{error}");
    }

    #[test]
    fn columns_are_read_in_any_case_and_may_be_skipped() {
        let columns: Columns = " Date, - ,OPEN,high,Low,close,skip,volume".parse().unwrap();
        assert_eq!(columns.to_string(), "time,-,open,high,low,close,-,volume");
        assert_eq!(columns.to_string().parse::<Columns>().unwrap(), columns);
    }

    #[test]
    fn a_time_beside_a_date_is_the_time_of_day() {
        for text in ["date,time,open,high,low,close,volume", "time,clock,open,high,low,close,volume"] {
            let columns: Columns = text.parse().unwrap();
            assert_eq!(columns.to_string(), "time,clock,open,high,low,close,volume");
        }
        check("date,time,clock,open,high,low,close,volume", "time of day is named more than once");
        check("clock,open,high,low,close,volume", "'time' is missing");
        check("time,timestamp,open,high,low,close,volume", "'time' is named more than once");
    }

    #[test]
    fn impossible_columns_are_refused_by_name() {
        check("", "'' is no column");
        check("time,open,high,low,last,volume", "'last' is no column");
        check("time,open,high,low,close", "'volume' is missing");
        check("time,open,open,high,low,close,volume", "'open' is named more than once");
    }
}
