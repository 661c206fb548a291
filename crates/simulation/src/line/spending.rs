//! Which sequential test a new ledger of a line gets.

use walkforward_stats::ELond;

use crate::SimulationError;
use crate::ledger::{Judge, Ledger};
use crate::market::BARS_PER_YEAR;

/// What the tests of a line were given so far: as many registered tests a year as arms share its error, and for ledgers that
/// begin when that is spent the e-process at the next level of e-LOND.
#[derive(Debug, Default)]
pub(super) struct Spending {
    /// Bars after which a test was registered.
    registered_at: Vec<usize>,
    /// Ledgers that got the e-process.
    anytime: u32,
    /// Those of them that had crossed their level when they were given up.
    crossed: u32,
}

impl Spending {
    /// A ledger that begins after `bar` bars, while `crossed` ledgers in use have crossed a level of e-LOND.
    pub(super) fn begin<'a>(
        &mut self,
        judge: &'a Judge,
        seed: u64,
        bar: usize,
        crossed: u32,
    ) -> Result<Ledger<'a>, SimulationError> {
        let rules = judge.rules();
        let this_year = self.registered_at.iter().filter(|at| bar < **at + BARS_PER_YEAR).count();
        if this_year < rules.max_arms as usize {
            self.registered_at.push(bar);
            return Ledger::new(judge, seed);
        }
        let sequence = ELond::after(rules.qualified_alpha, self.anytime, self.crossed + crossed)?;
        self.anytime += 1;
        Ledger::anytime(judge, seed, sequence.level())
    }

    /// Takes note of a ledger that is given up.
    pub(super) fn end(&mut self, ledger: &Ledger<'_>) {
        self.crossed += u32::from(ledger.is_crossed_anytime());
    }
}

#[cfg(test)]
mod tests {
    use walkforward_promoter::EvidenceRules;

    use super::*;

    #[test]
    fn a_years_error_is_shared_by_as_many_tests_as_there_are_arms() {
        let judge = Judge::new(&EvidenceRules::default()).unwrap();
        let mut spending = Spending::default();
        let mut begin = |bar, crossed| spending.begin(&judge, 0, bar, crossed).unwrap().deciding_level();
        for _ in 0..4 {
            assert_eq!(begin(0, 0), (0.0125, true));
        }
        assert_eq!(begin(500, 0), (0.025, false));
        assert_eq!(begin(BARS_PER_YEAR - 1, 0), (0.05 / 6.0, false));
        assert_eq!(begin(BARS_PER_YEAR - 1, 1), (0.05 / 12.0 * 2.0, false));
        assert_eq!(begin(BARS_PER_YEAR, 0), (0.0125, true));
    }

    #[test]
    fn a_crossing_of_a_ledger_that_is_given_up_is_remembered() {
        let judge = Judge::new(&EvidenceRules::default()).unwrap();
        let mut spending = Spending { registered_at: vec![0; 4], ..Spending::default() };
        let mut ledger = spending.begin(&judge, 0, 0, 0).unwrap();
        let next = |spending: &mut Spending| spending.begin(&judge, 0, 0, 0).unwrap().deciding_level().0;
        spending.end(&ledger);
        assert_eq!(next(&mut spending), 0.05 / 6.0);
        while !ledger.is_crossed_anytime() {
            ledger.push(0.01).unwrap();
        }
        spending.end(&ledger);
        assert_eq!(next(&mut spending), 0.05 / 12.0 * 2.0);
    }
}
