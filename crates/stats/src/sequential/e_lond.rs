//! Many arms, one error rate.

use crate::Error;
use crate::error::in_range;

/// e-LOND (Xu and Ramdas 2024): arm j, in the order of testing, is accepted when
/// `E_j >= 1 / (alpha g_j (R + 1))` with R the arms accepted before it. The share of false ones among the accepted
/// arms is at most alpha on average, whatever the dependence between the arms.
///
/// The weights are `g_j = 1 / (j (j + 1))` with j from 1, which sum to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ELond {
    alpha: f64,
    tested: u32,
    accepted: u32,
}

impl ELond {
    /// A sequence without arms.
    ///
    /// # Errors
    /// When `alpha` is not in (0, 1).
    pub fn new(alpha: f64) -> Result<Self, Error> {
        in_range("alpha", alpha, alpha > 0.0 && alpha < 1.0, "a number in (0, 1)")?;
        Ok(Self { alpha, tested: 0, accepted: 0 })
    }

    /// The sequence after `tested` arms, `accepted` of which were accepted.
    ///
    /// # Errors
    /// As [`ELond::new`], or more were accepted than tested.
    pub fn after(alpha: f64, tested: u32, accepted: u32) -> Result<Self, Error> {
        let is_possible = accepted <= tested;
        in_range("accepted", f64::from(accepted), is_possible, "at most as many as were tested")?;
        Ok(Self { tested, accepted, ..Self::new(alpha)? })
    }

    /// The level at which the next arm is tested: it is accepted at the inverse of this as its e-value.
    pub fn level(&self) -> f64 {
        let arm = f64::from(self.tested) + 1.0;
        let weight = 1.0 / (arm * (arm + 1.0));
        self.alpha * weight * (f64::from(self.accepted) + 1.0)
    }

    /// The `log E` that the next arm has to reach.
    pub fn threshold_log_e(&self) -> f64 {
        -self.level().ln()
    }

    /// Tests the next arm by its `log E` and says whether it is accepted; a value that is no number is not.
    pub fn test(&mut self, log_e: f64) -> bool {
        let is_accepted = log_e >= self.threshold_log_e();
        self.tested = self.tested.saturating_add(1);
        self.accepted = self.accepted.saturating_add(u32::from(is_accepted));
        is_accepted
    }

    /// Arms tested so far.
    pub fn tested(&self) -> u32 {
        self.tested
    }

    /// Arms accepted so far.
    pub fn accepted(&self) -> u32 {
        self.accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_arm_gets_half_of_alpha() {
        let lond = ELond::new(0.05).unwrap();
        assert!((lond.threshold_log_e() - 40.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn an_accepted_arm_lowers_the_next_threshold_and_a_failed_one_raises_it() {
        let mut lond = ELond::new(0.05).unwrap();
        assert!(lond.test(40.1_f64.ln()));
        // g_2 = 1/6, R + 1 = 2.
        assert!((lond.threshold_log_e() - 60.0_f64.ln()).abs() < 1e-12);
        assert!(!lond.test(0.0));
        assert!((lond.threshold_log_e() - 120.0_f64.ln()).abs() < 1e-12);
        assert_eq!((lond.tested(), lond.accepted()), (2, 1));
    }

    #[test]
    fn a_sequence_is_taken_up_where_it_stopped() {
        let mut lond = ELond::new(0.05).unwrap();
        for log_e in [9.0, 0.0, 9.0, -1.0] {
            assert_eq!(ELond::after(0.05, lond.tested(), lond.accepted()).unwrap(), lond);
            assert!((lond.level().ln() + lond.threshold_log_e()).abs() < 1e-12);
            lond.test(log_e);
        }
        // g_5 = 1/30, R + 1 = 3.
        assert!((ELond::after(0.05, 4, 2).unwrap().level() - 0.005).abs() < 1e-15);
        assert!(ELond::after(0.05, 1, 2).is_err() && ELond::after(1.0, 2, 1).is_err());
    }

    #[test]
    fn an_infinite_e_value_is_accepted_and_one_that_is_no_number_is_not() {
        let mut lond = ELond::new(0.05).unwrap();
        assert!(!lond.test(f64::NAN));
        assert!(lond.test(f64::INFINITY));
    }

    #[test]
    fn the_level_has_to_be_a_probability() {
        for alpha in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(ELond::new(alpha).is_err());
        }
    }
}
