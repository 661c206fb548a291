//! Numbers that begin at a cache line.

use std::ops::{Deref, DerefMut};

use crate::gemm::LANES;

/// Bytes of a cache line, and of the widest register.
const LINE_BYTES: usize = 64;

/// A slice of `f32` whose first number lies at the start of a cache line, so that no load of a whole register
/// touches two of them. Its length is fixed.
#[derive(Debug, Default)]
pub(crate) struct AlignedVec {
    numbers: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedVec {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let numbers = vec![0.0; len + LANES];
        // What can't be aligned (an interpreter may say so) still holds the numbers.
        let start = Some(numbers.as_ptr().align_offset(LINE_BYTES)).filter(|&at| at <= LANES).unwrap_or(0);
        Self { numbers, start, len }
    }
}

impl Clone for AlignedVec {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for AlignedVec {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Deref for AlignedVec {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.numbers[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_at_a_cache_line_and_survive_a_copy() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut numbers = AlignedVec::zeros(len);
            assert_eq!(numbers.len(), len);
            numbers.iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
            let copy = numbers.clone();
            assert_eq!(copy.as_ptr() as usize % LINE_BYTES, 0);
            assert_eq!(copy, numbers);
        }
    }
}
