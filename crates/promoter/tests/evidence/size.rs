//! How often luck alone earns a grade, on a few hundred ledgers. The bounds are wide: they catch a rule that has come
//! loose, not a change of a percent.

use walkforward_core::Grade;
use walkforward_promoter::{EvidenceRules, SequentialTest};

use crate::ledgers::{hourly, standing, stream};

const LEDGERS: u64 = 200;

#[test]
fn at_the_first_look_luck_is_provisional_about_1_time_in_5_and_hardly_ever_screened() {
    let grades: Vec<Option<Grade>> =
        (0..LEDGERS).map(|seed| standing(&stream(336, 0.0, 500 + seed)).grade).collect();
    let provisional = grades.iter().filter(|grade| grade.is_some()).count();
    let screened = grades.iter().filter(|grade| **grade >= Some(Grade::Screened)).count();
    assert!((24..=64).contains(&provisional), "{provisional}");
    assert!(screened <= 10, "{screened}");
}

#[test]
fn within_a_year_luck_qualifies_no_more_often_than_the_level() {
    let rules = EvidenceRules::default();
    let (mut registered, mut e_process) = (0, 0);
    for seed in 0..LEDGERS {
        let mut test = SequentialTest::registered(hourly(), 8_760, 0.05, &rules).unwrap();
        stream(8_760, 0.0, 900 + seed)
            .arm_return
            .iter()
            .for_each(|difference| test.push(*difference).unwrap());
        registered += usize::from(test.qualified_at().is_some());
        e_process += usize::from(test.e_process_crossed_at().is_some());
    }
    // 10 expected of the one, at most 10 of the other; the deviation is 3.
    assert!((2..=20).contains(&registered), "{registered}");
    assert!(e_process <= 20, "{e_process}");
}
