//! Lines of bounded length out of a stream of bytes.

use crate::protocol::MAX_LINE_BYTES;

/// Cuts what is pushed into lines. Of a line longer than [`MAX_LINE_BYTES`] the beginning is kept and the rest dropped.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    line: Vec<u8>,
    is_cut: bool,
}

impl LineSplitter {
    /// Hands every line that `bytes` ends to `take`, without its end.
    pub(crate) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(CutLine<'_>)) {
        let mut parts = bytes.split(|&byte| byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.extend(part);
            if parts.peek().is_some() {
                self.end(take);
            }
        }
    }

    /// Hands over what no line end has followed.
    pub(crate) fn finish(&mut self, take: &mut dyn FnMut(CutLine<'_>)) {
        if !self.line.is_empty() {
            self.end(take);
        }
    }

    fn extend(&mut self, part: &[u8]) {
        let room = MAX_LINE_BYTES - self.line.len();
        self.is_cut |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end(&mut self, take: &mut dyn FnMut(CutLine<'_>)) {
        take(CutLine { bytes: &self.line, is_cut: self.is_cut });
        self.line.clear();
        self.is_cut = false;
    }
}

/// A line without its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CutLine<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether its end was dropped, because it was too long.
    pub(crate) is_cut: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let (mut splitter, mut found) = (LineSplitter::default(), Vec::new());
        let mut take = |line: CutLine<'_>| found.push((line.bytes.to_vec(), line.is_cut));
        for chunk in chunks {
            splitter.push(chunk, &mut take);
        }
        splitter.finish(&mut take);
        found
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let long = vec![b'x'; MAX_LINE_BYTES + 7];
        let found = lines(&[&long[..100], &long[100..], b"\nnext\nlast"]);
        assert_eq!(found[0], (vec![b'x'; MAX_LINE_BYTES], true));
        assert_eq!(found[1..], [(b"next".to_vec(), false), (b"last".to_vec(), false)]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_stream_is_cut(text in "[ab\n]{0,60}", at in 0_usize..60) {
            let at = at.min(text.len());
            let (first, second) = text.as_bytes().split_at(at);
            let mut whole: Vec<Vec<u8>> = text.as_bytes().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            if whole.last().is_some_and(Vec::is_empty) {
                whole.pop();
            }
            let found: Vec<_> = lines(&[first, second]).into_iter().map(|(line, _)| line).collect();
            prop_assert_eq!(found, whole);
        }
    }
}
