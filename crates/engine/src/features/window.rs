//! Sums, deviations and extremes over the last `period` values.
//!
//! A window of 2^k values is put together from two halves of 2^(k-1), and a period from the powers of two in it. So
//! a result depends on the values of its window alone, to the bit: unlike TA-Lib's running sums it carries no
//! rounding of values that have left, however large they were. It costs log2(period) operations a value, across
//! lanes, and windows of several periods share what they are put together from.

use super::tail::Tail;

/// The powers of two in `period`, smallest first, as (level, values that are newer than this part).
fn parts(period: usize) -> impl Iterator<Item = (usize, usize)> {
    let levels = (0..levels(period)).filter(move |level| period >> level & 1 == 1);
    levels.map(move |level| (level, period & ((1 << level) - 1)))
}

/// Number of powers of two up to `period`.
fn levels(period: usize) -> usize {
    period.checked_ilog2().map_or(0, |level| level as usize + 1)
}

/// One series for each level, deep enough for [`double`] and [`parts`].
fn tails(period: usize) -> Vec<Tail> {
    (0..levels(period)).map(|level| Tail::new(1 << level)).collect()
}

/// Writes `join(older half, newer half)` of each level's next `n` values into the level above.
fn double(tails: &mut [Tail], n: usize, join: impl Fn(f64, f64) -> f64) {
    for level in 1..tails.len() {
        let (below, above) = tails.split_at_mut(level);
        let halves = &below[level - 1];
        let (older, newer) = (halves.lagged(1 << (level - 1), n), halves.lagged(0, n));
        for (out, (&older, &newer)) in above[0].grow(n).iter_mut().zip(older.iter().zip(newer)) {
            *out = join(older, newer);
        }
    }
}

/// A series from which windows of any period up to a longest one are summed.
///
/// The squares of two parts are joined by Chan, Golub and LeVeque's formula: a sum of squares, from which nothing is
/// ever subtracted.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    sums: Vec<Tail>,
    /// Of distances from the mean.
    squares: Vec<Tail>,
}

impl Windows {
    /// For sums over up to `longest` values, and for moments over up to `longest_moments`, which may be 0.
    pub(crate) fn new(longest: u32, longest_moments: u32) -> Self {
        let longest = longest.max(longest_moments) as usize;
        Self { sums: tails(longest), squares: tails(longest_moments as usize) }
    }

    /// Takes the next values.
    pub(crate) fn extend(&mut self, values: &[f64]) {
        let Some(first) = self.sums.first_mut() else { return };
        first.extend(values);
        double(&mut self.sums, values.len(), |older, newer| older + newer);
        if let Some(first) = self.squares.first_mut() {
            first.grow(values.len()).fill(0.0);
        }
        for level in 1..self.squares.len() {
            self.double_squares(level, values.len());
        }
    }

    fn double_squares(&mut self, level: usize, n: usize) {
        let half = 1 << (level - 1);
        let weight = 0.5 / half as f64;
        let sums = &self.sums[level - 1];
        let (below, above) = self.squares.split_at_mut(level);
        let squares = &below[level - 1];
        let sums = sums.lagged(half, n).iter().zip(sums.lagged(0, n));
        let squares = squares.lagged(half, n).iter().zip(squares.lagged(0, n));
        for (out, ((older, newer), (a, b))) in above[0].grow(n).iter_mut().zip(sums.zip(squares)) {
            let distance = older - newer;
            *out = (a + b) + distance * distance * weight;
        }
    }

    /// Writes the sums of the windows that end with the newest values, one for each of `out`.
    pub(crate) fn sums(&self, period: u32, out: &mut [f64]) {
        for (level, newer) in parts(period as usize) {
            let part = self.sums[level].lagged(newer, out.len());
            if newer == 0 {
                out.copy_from_slice(part);
            } else {
                out.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        }
    }

    /// Writes the means of the windows that end with the newest values, one for each of `out`.
    pub(crate) fn means(&self, period: u32, out: &mut [f64]) {
        self.sums(period, out);
        let weight = 1.0 / f64::from(period);
        out.iter_mut().for_each(|sum| *sum *= weight);
    }

    /// Writes means, and sums of squared distances from them, of the windows that end with the newest values.
    pub(crate) fn moments(&self, period: u32, means: &mut [f64], squares: &mut [f64]) {
        for (level, newer) in parts(period as usize) {
            if newer == 0 {
                means.copy_from_slice(self.sums[level].lagged(0, means.len()));
                squares.copy_from_slice(self.squares[level].lagged(0, means.len()));
            } else {
                self.join(level, newer, means, squares);
            }
        }
        let weight = 1.0 / f64::from(period);
        means.iter_mut().for_each(|sum| *sum *= weight);
    }

    /// Adds the part of `level` to the `newer` values that `sums` and `squares` are of.
    fn join(&self, level: usize, newer: usize, sums: &mut [f64], squares: &mut [f64]) {
        let (added, had) = ((1_usize << level) as f64, newer as f64);
        let weight = 1.0 / (added * had * (added + had));
        let part = self.sums[level].lagged(newer, sums.len()).iter();
        let part = part.zip(self.squares[level].lagged(newer, sums.len()));
        for ((sum, square), (part_sum, part_square)) in sums.iter_mut().zip(squares).zip(part) {
            let distance = *sum * added - part_sum * had;
            *square = (*square + part_square) + distance * distance * weight;
            *sum += part_sum;
        }
    }
}

/// Largest of the last `period` values.
#[derive(Debug, Clone)]
pub(crate) struct WindowMax {
    period: usize,
    tails: Vec<Tail>,
}

impl WindowMax {
    pub(crate) fn new(period: u32) -> Self {
        Self { period: period as usize, tails: tails(period as usize) }
    }

    /// Takes the next values and writes the maximum that ends with each, `[values.len()]`.
    pub(crate) fn maxima(&mut self, values: &[f64], out: &mut [f64]) {
        let larger = |a: f64, b: f64| if a > b { a } else { b };
        self.tails[0].extend(values);
        double(&mut self.tails, values.len(), larger);
        // Two halves that overlap: the largest power of two at either end of the window.
        let top = self.tails.len() - 1;
        let newer = self.tails[top].lagged(0, values.len());
        let older = self.tails[top].lagged(self.period - (1 << top), values.len());
        for (out, (&newer, &older)) in out.iter_mut().zip(newer.iter().zip(older)) {
            *out = larger(newer, older);
        }
    }
}
