//! Lines of a connection, none longer than they may be.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use walkforward_core::MAX_CONTROL_LINE_BYTES;

/// What a connection says next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// More than a line may have.
    TooLong,
    /// Nothing more. What came without an end does not count.
    End,
}

/// Reads lines.
pub(super) struct Lines<R> {
    from: BufReader<R>,
    begun: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: BufReader::new(from), begun: Vec::new() }
    }

    /// The next line. Cancel safe: what has come of it stays.
    pub(super) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let come = self.from.fill_buf().await?;
            if come.is_empty() {
                return Ok(Line::End);
            }
            let end = come.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(come.len());
            if self.begun.len() + taken >= MAX_CONTROL_LINE_BYTES {
                return Ok(Line::TooLong);
            }
            self.begun.extend_from_slice(&come[..taken]);
            self.from.consume(end.map_or(taken, |end| end + 1));
            if end.is_some() {
                return Ok(Line::Whole(std::mem::take(&mut self.begun)));
            }
        }
    }
}

/// Writes `bytes` within `longest`; whether it could.
pub(super) async fn write_within(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    longest: Duration,
) -> io::Result<()> {
    match tokio::time::timeout(longest, to.write_all(bytes)).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads what is written")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn all(bytes: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(bytes);
        let mut found = Vec::new();
        loop {
            let line = lines.next().await.unwrap();
            let is_last = matches!(line, Line::End | Line::TooLong);
            found.push(line);
            if is_last {
                return found;
            }
        }
    }

    #[tokio::test]
    async fn a_line_has_a_largest_length_and_an_end() {
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(all(b"a\n\nb").await, [whole("a"), whole(""), Line::End]);
        let mut longest = vec![b'x'; MAX_CONTROL_LINE_BYTES - 1];
        longest.push(b'\n');
        assert!(matches!(&all(&longest).await[0], Line::Whole(line) if line.len() == longest.len() - 1));
        assert_eq!(all(&vec![b'x'; MAX_CONTROL_LINE_BYTES]).await, [Line::TooLong]);
    }

    proptest! {
        #[test]
        fn lines_come_as_they_were_written_however_they_are_cut(
            texts in prop::collection::vec("[a-z]{0,30}", 0..20),
            buffer in 1_usize..40,
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\n").into_bytes()).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(async {
                let (mut writer, reader) = tokio::io::duplex(buffer);
                let write = async move { writer.write_all(&bytes).await.unwrap() };
                let read = async {
                    let mut lines = Lines::new(reader);
                    let mut found = Vec::new();
                    while let Line::Whole(line) = lines.next().await.unwrap() {
                        found.push(String::from_utf8(line).unwrap());
                    }
                    found
                };
                tokio::join!(write, read).1
            });
            prop_assert_eq!(found, texts);
        }
    }
}
