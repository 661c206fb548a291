//! Checked input of the statistics of many candidates.

use crate::Error;
use crate::error::all_usable;

/// Values of several candidates on the same bars, `[n_bars, n_candidates]`, row-major.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReturnMatrix<'a> {
    values: &'a [f64],
    columns: usize,
}

impl<'a> ReturnMatrix<'a> {
    /// `values` in rows of `n_candidates`.
    ///
    /// # Errors
    /// When there is no candidate, the values do not fill whole rows, or one is NaN, infinite or beyond 1e100.
    pub fn new(values: &'a [f64], n_candidates: usize) -> Result<Self, Error> {
        if n_candidates == 0 || !values.len().is_multiple_of(n_candidates) {
            let expected = format!("whole rows of {n_candidates} candidates, at least 1");
            return Err(Error::Length { name: "the matrix", found: values.len(), expected });
        }
        Ok(Self { values: all_usable("matrix value", values)?, columns: n_candidates })
    }

    /// Number of bars.
    pub fn n_bars(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Number of candidates.
    pub fn n_candidates(&self) -> usize {
        self.columns
    }

    /// The values of one candidate in the order of the bars.
    pub(super) fn column(&self, index: usize) -> impl Iterator<Item = f64> + 'a {
        self.values.iter().skip(index).step_by(self.columns).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_one_candidate() {
        let matrix = ReturnMatrix::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3).unwrap();
        assert_eq!((matrix.n_bars(), matrix.n_candidates()), (2, 3));
        assert_eq!(matrix.column(1).collect::<Vec<_>>(), [2.0, 5.0]);
    }

    #[test]
    fn values_that_are_no_matrix_are_refused() {
        assert!(ReturnMatrix::new(&[0.0; 5], 2).is_err());
        assert!(ReturnMatrix::new(&[], 0).is_err());
        let error = ReturnMatrix::new(&[0.0, f64::NAN], 2).unwrap_err();
        assert!(error.to_string().starts_with("matrix value 1 is NaN"), "{error}");
    }
}
