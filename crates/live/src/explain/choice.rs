//! Which bar is meant, and where it stands in a journal.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use walkforward_core::Timestamp;

use crate::LiveError;
use crate::journal::{JournalRecord, Segment, SegmentStart, segment_paths};

/// A bar of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarChoice {
    /// The one that begins then, in the newest session that has it.
    OpenTime(Timestamp),
    /// The one so many from the end of the newest session: 1 is the last.
    FromEnd(u64),
}

/// A text that names no bar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the time at which a bar begins, such as 2024-01-01T05:00:00Z, or last, or -3 for the third from the end"
)]
pub struct BarChoiceError;

impl FromStr for BarChoice {
    type Err = BarChoiceError;

    fn from_str(text: &str) -> Result<Self, BarChoiceError> {
        if text == "last" {
            return Ok(Self::FromEnd(1));
        }
        if let Some(number) = text.strip_prefix('-') {
            let number = number.parse().ok().filter(|number| *number > 0);
            return number.map(Self::FromEnd).ok_or(BarChoiceError);
        }
        text.parse().map(Self::OpenTime).map_err(|_| BarChoiceError)
    }
}

/// Where a bar stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The segments of the journal, oldest first.
    pub(super) paths: Vec<PathBuf>,
    /// Which of them holds it.
    pub(super) segment: usize,
    /// Its number among the bars of that segment, from 0.
    pub(super) bar: u64,
}

/// Finds a bar.
pub(super) fn find(folder: &Path, choice: BarChoice) -> Result<Place, LiveError> {
    let paths = segment_paths(folder)?;
    let found = match choice {
        BarChoice::OpenTime(time) => by_time(&paths, time)?,
        BarChoice::FromEnd(number) => from_end(&paths, number)?,
    };
    let wanted = match choice {
        BarChoice::OpenTime(time) => format!("bar that begins at {time}"),
        BarChoice::FromEnd(1) => "bar".to_owned(),
        BarChoice::FromEnd(number) => format!("bar -{number} in its newest session"),
    };
    match found {
        Some((segment, bar)) => Ok(Place { paths, segment, bar }),
        None => Err(LiveError::NoBar { path: folder.to_owned(), wanted }),
    }
}

fn by_time(paths: &[PathBuf], time: Timestamp) -> Result<Option<(usize, u64)>, LiveError> {
    for (index, path) in paths.iter().enumerate().rev() {
        let Some(segment) = Segment::open(path)? else { continue };
        if segment.checkpoint.last_bar.is_some_and(|last| last >= time) {
            continue;
        }
        let mut bars = 0;
        for record in segment.records {
            if let JournalRecord::Bar(bar) = record? {
                if bar.open_time == time {
                    return Ok(Some((index, bars)));
                }
                bars += 1;
            }
        }
    }
    Ok(None)
}

fn from_end(paths: &[PathBuf], number: u64) -> Result<Option<(usize, u64)>, LiveError> {
    let mut left = number;
    for (index, path) in paths.iter().enumerate().rev() {
        let Some(segment) = Segment::open(path)? else { continue };
        let is_first = segment.header.start == SegmentStart::New;
        let mut bars = 0;
        for record in segment.records {
            bars += u64::from(matches!(record?, JournalRecord::Bar(_)));
        }
        match bars.checked_sub(left) {
            Some(bar) => return Ok(Some((index, bar))),
            None if is_first => return Ok(None),
            None => left -= bars,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_named_by_its_time_or_counted_from_the_end() {
        let time = Timestamp::EPOCH.plus_millis(1_704_085_200_000);
        assert_eq!("2024-01-01T05:00:00Z".parse(), Ok(BarChoice::OpenTime(time)));
        assert_eq!("last".parse(), Ok(BarChoice::FromEnd(1)));
        assert_eq!("-3".parse(), Ok(BarChoice::FromEnd(3)));
        for text in ["", "-0", "-", "--3", "first", "3"] {
            assert_eq!(text.parse::<BarChoice>(), Err(BarChoiceError), "{text}");
        }
    }
}
