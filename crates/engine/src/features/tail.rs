//! The newest values of a series.

/// Most bars that are computed at a time: so few that what the columns keep of them stays in the nearest caches.
pub(crate) const BLOCK: usize = 512;

/// The newest values of a series as one slice: at least `depth` of them, and those that were appended last.
///
/// Before the first value there are zeros; what is computed from them is never shown.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    /// `depth` + [`BLOCK`] values.
    values: Vec<f64>,
    depth: usize,
    /// Where the newest value ends.
    end: usize,
}

impl Tail {
    /// Keeps `depth` values besides those appended last.
    pub(crate) fn new(depth: usize) -> Self {
        Self { values: vec![0.0; depth + BLOCK], depth, end: depth }
    }

    /// Room for the next `n` values, at most [`BLOCK`], with no particular content.
    pub(crate) fn grow(&mut self, n: usize) -> &mut [f64] {
        if self.end + n > self.values.len() {
            self.values.copy_within(self.end - self.depth..self.end, 0);
            self.end = self.depth;
        }
        self.end += n;
        &mut self.values[self.end - n..self.end]
    }

    /// Appends `values`, at most [`BLOCK`].
    pub(crate) fn extend(&mut self, values: &[f64]) {
        self.grow(values.len()).copy_from_slice(values);
    }

    /// `n` values, the last of them `lag` before the newest; `lag` is at most the depth.
    pub(crate) fn lagged(&self, lag: usize, n: usize) -> &[f64] {
        let end = self.end - lag;
        &self.values[end - n..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_gives_back_what_was_appended_for_any_block_length() {
        let values: Vec<f64> = (1..=5_000).map(f64::from).collect();
        for block in [1, 7, 100, BLOCK] {
            let mut tail = Tail::new(40);
            let mut seen = 0;
            for chunk in values.chunks(block) {
                tail.extend(chunk);
                seen += chunk.len();
                if seen >= chunk.len() + 40 {
                    assert_eq!(tail.lagged(40, chunk.len()), &values[seen - 40 - chunk.len()..seen - 40]);
                }
                assert_eq!(tail.values.len(), 40 + BLOCK, "the memory of a tail is bounded");
            }
        }
    }

    #[test]
    fn before_the_first_value_there_are_zeros() {
        let mut tail = Tail::new(2);
        tail.extend(&[7.0]);
        assert_eq!(tail.lagged(2, 1), [0.0]);
    }
}
