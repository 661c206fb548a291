//! Checked input of all return statistics.

use crate::Error;

/// Simple returns per period with the number of periods in a year. Every return is finite and at least -1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReturnSeries<'a> {
    values: &'a [f64],
    periods_per_year: f64,
}

impl<'a> ReturnSeries<'a> {
    /// Checks `returns`; `periods_per_year` is 8760 for hourly bars of a market that never closes.
    ///
    /// # Errors
    /// When a return is not finite or below -1, or `periods_per_year` is not a finite number above 0.
    pub fn new(returns: &'a [f64], periods_per_year: f64) -> Result<Self, Error> {
        if !periods_per_year.is_finite() || periods_per_year <= 0.0 {
            return Err(Error::PeriodsPerYear { value: periods_per_year });
        }
        match returns.iter().position(|value| !value.is_finite() || *value < -1.0) {
            Some(index) => Err(Error::Return { index, value: returns[index] }),
            None => Ok(Self { values: returns, periods_per_year }),
        }
    }

    /// The returns, `[n_periods]`.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// Periods in a year.
    pub fn periods_per_year(&self) -> f64 {
        self.periods_per_year
    }
}

/// Simple returns `E_t / E_{t-1} - 1` of an equity curve, `[equity.len() - 1]`; 0 once the equity is 0.
///
/// # Errors
/// When an equity is not finite or negative.
pub fn returns_from_equity(equity: &[f64]) -> Result<Vec<f64>, Error> {
    if let Some(index) = equity.iter().position(|value| !value.is_finite() || *value < 0.0) {
        return Err(Error::Equity { index, value: equity[index] });
    }
    let step = |pair: &[f64]| if pair[0] == 0.0 { 0.0 } else { pair[1] / pair[0] - 1.0 };
    Ok(equity.windows(2).map(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_return_are_refused_by_index() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.000_001] {
            let error = ReturnSeries::new(&[0.0, value], 365.0).unwrap_err().to_string();
            assert!(error.starts_with("return 1 is"), "{error}");
        }
        assert!(ReturnSeries::new(&[-1.0], 365.0).is_ok());
    }

    #[test]
    fn a_year_without_periods_is_refused() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(ReturnSeries::new(&[], value), Err(Error::PeriodsPerYear { .. })));
        }
    }

    #[test]
    fn an_equity_curve_has_one_return_less_than_points() {
        assert_eq!(returns_from_equity(&[100.0, 150.0, 0.0, 0.0]), Ok(vec![0.5, -1.0, 0.0]));
        assert_eq!(returns_from_equity(&[100.0]), Ok(vec![]));
        assert!(matches!(returns_from_equity(&[1.0, -0.1]), Err(Error::Equity { index: 1, .. })));
    }
}
