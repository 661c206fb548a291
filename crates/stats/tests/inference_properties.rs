//! What holds for every Sharpe ratio, resampling, selection and sequential test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use walkforward_stats::{
    BlockBootstrap, BlockLength, BlockScheme, CurtailedObrienFleming, ELond, EProcess, EProcessSettings,
    Overfitting, PairedTest, ReturnMatrix, ReturnSeries, ReturnSummary, SharpeMoments, Trials,
    deflated_sharpe, min_track_record_length, overfitting_probability, paired_bootstrap,
    probabilistic_sharpe, superior_ability,
};

const TRIALS: usize = 4;

fn returns(bars: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-0.05..0.05_f64, bars)
}

fn schemes() -> impl Strategy<Value = BlockScheme> {
    prop_oneof![Just(BlockScheme::Stationary), Just(BlockScheme::Circular)]
}

fn bootstrap(scheme: BlockScheme, mean_block: f64, seed: u64) -> BlockBootstrap {
    BlockBootstrap { scheme, mean_block, resamples: 999, seed }
}

/// Probability, deflated probability and record length of these returns.
fn sharpe_statistics(returns: &[f64]) -> [Option<f64>; 3] {
    let summary = ReturnSummary::of(&ReturnSeries::new(returns, 8_760.0).unwrap());
    let Some(moments) = SharpeMoments::of(&summary) else { return [None; 3] };
    let trials = Trials { count: 30, sharpe_variance: 0.01 };
    [
        probabilistic_sharpe(&moments, 0.0),
        deflated_sharpe(&moments, &trials).map(|deflated| deflated.probability),
        min_track_record_length(&moments, 0.0),
    ]
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(1e-3),
        (a, b) => a == b,
    }
}

fn overfitting(values: &[f64]) -> Option<Overfitting> {
    overfitting_probability(&ReturnMatrix::new(values, TRIALS).unwrap(), 6).unwrap()
}

fn doubled(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value * 4.0).collect()
}

fn all_finite(test: &PairedTest) -> bool {
    let always = [test.mean_difference, test.standard_error, test.p_value, test.lower_95, test.upper_95];
    always.into_iter().chain(test.p_value_studentised).all(f64::is_finite)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_said_of_a_sharpe_ratio_is_in_range(returns in returns(0..60)) {
        let [probability, deflated, length] = sharpe_statistics(&returns);
        for share in [probability, deflated].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&share));
        }
        prop_assert!(deflated <= probability);
        prop_assert!(length.is_none_or(|length| length.is_finite() && length > 1.0));
    }

    #[test]
    fn leverage_and_the_order_of_the_bars_say_nothing_of_a_sharpe_ratio(
        returns in returns(5..60),
        leverage in 0.1..10.0_f64,
    ) {
        let plain = sharpe_statistics(&returns);
        let levered: Vec<f64> = returns.iter().map(|value| value * leverage).collect();
        let reversed: Vec<f64> = returns.iter().rev().copied().collect();
        for other in [sharpe_statistics(&levered), sharpe_statistics(&reversed)] {
            prop_assert!(plain.into_iter().zip(other).all(|(a, b)| near(a, b)), "{plain:?} {other:?}");
        }
    }

    #[test]
    fn a_block_length_depends_on_neither_level_scale_sign_nor_direction(
        values in returns(30..200),
        level in -1.0..1.0_f64,
    ) {
        let of = |values: Vec<f64>| BlockLength::of(&values).map(|length| length.stationary);
        let plain = of(values.clone());
        prop_assert!(near(plain, of(values.iter().map(|value| value + level).collect())));
        prop_assert!(near(plain, of(values.iter().map(|value| value * -3.0).collect())));
        prop_assert!(near(plain, of(values.iter().rev().copied().collect())));
    }

    #[test]
    fn a_paired_test_is_finite_in_range_and_the_same_for_the_same_seed(
        pairs in prop::collection::vec((-0.05..0.05_f64, -0.05..0.05_f64), 2..150),
        scheme in schemes(),
        block in 0.0..1.0_f64,
        seed in any::<u64>(),
    ) {
        let (new, old): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let settings = bootstrap(scheme, 1.0 + block * (new.len() - 1) as f64, seed);
        let test = paired_bootstrap(&new, &old, &settings).unwrap();
        prop_assert!(all_finite(&test), "{test:?}");
        prop_assert!(test.lower_95 <= test.upper_95);
        for p in std::iter::once(test.p_value).chain(test.p_value_studentised) {
            prop_assert!((0.001..=1.0).contains(&p));
        }
        prop_assert_eq!(test, paired_bootstrap(&new, &old, &settings).unwrap());
    }

    #[test]
    fn what_moves_both_models_at_once_cancels_and_the_unit_of_returns_does_not_matter(
        pairs in prop::collection::vec((-8_i32..8, -8_i32..8), 20..100),
        seed in any::<u64>(),
    ) {
        // Binary fractions: nothing is rounded.
        let both = |scale: f64, common: f64| -> (Vec<f64>, Vec<f64>) {
            pairs.iter().map(|(a, b)| (f64::from(*a) * scale + common, f64::from(*b) * scale + common)).unzip()
        };
        let settings = bootstrap(BlockScheme::Stationary, 6.0, seed);
        let run = |(new, old): (Vec<f64>, Vec<f64>)| paired_bootstrap(&new, &old, &settings).unwrap();
        let plain = run(both(1.0 / 256.0, 0.0));
        prop_assert_eq!(plain, run(both(1.0 / 256.0, 0.5)));
        let scaled = run(both(1.0 / 64.0, 0.0));
        prop_assert_eq!(plain.p_value, scaled.p_value);
        prop_assert_eq!(plain.p_value_studentised, scaled.p_value_studentised);
        prop_assert_eq!(plain.lower_95 * 4.0, scaled.lower_95);
    }

    #[test]
    fn a_larger_lead_never_raises_the_p_value(
        differences in returns(20..100),
        lead in 1e-4..0.01_f64,
        seed in any::<u64>(),
    ) {
        let settings = bootstrap(BlockScheme::Stationary, 6.0, seed);
        let zeros = vec![0.0; differences.len()];
        let ahead: Vec<f64> = differences.iter().map(|value| value + lead).collect();
        let plain = paired_bootstrap(&differences, &zeros, &settings).unwrap();
        let ahead = paired_bootstrap(&ahead, &zeros, &settings).unwrap();
        prop_assert!(ahead.p_value <= plain.p_value);
        prop_assert!(ahead.lower_95 > plain.lower_95);
    }

    #[test]
    fn overfitting_depends_on_neither_the_order_nor_the_leverage_of_the_trials(
        values in prop::collection::vec(-0.05..0.05_f64, TRIALS * 40),
    ) {
        let plain = overfitting(&values).unwrap();
        prop_assert!((0.0..=1.0).contains(&plain.probability));
        let reversed: Vec<f64> = values.chunks(TRIALS).flat_map(|row| row.iter().rev().copied()).collect();
        prop_assert_eq!(plain, overfitting(&reversed).unwrap());
        prop_assert_eq!(plain, overfitting(&doubled(&values)).unwrap());
    }

    #[test]
    fn superior_ability_is_ordered_and_the_same_for_the_same_seed(
        values in prop::collection::vec(-0.05..0.05_f64, TRIALS * 40),
        seed in any::<u64>(),
    ) {
        let settings = bootstrap(BlockScheme::Stationary, 4.0, seed);
        let matrix = ReturnMatrix::new(&values, TRIALS).unwrap();
        let p = superior_ability(&matrix, &settings).unwrap();
        prop_assert!(0.001 <= p.lower && p.lower <= p.consistent && p.consistent <= p.upper && p.upper <= 1.0);
        prop_assert_eq!(p, superior_ability(&matrix, &settings).unwrap());
        let doubled = doubled(&values);
        prop_assert_eq!(p, superior_ability(&ReturnMatrix::new(&doubled, TRIALS).unwrap(), &settings).unwrap());
    }

    #[test]
    fn an_e_process_is_finite_and_depends_on_no_unit(differences in prop::collection::vec(-0.2..0.3_f64, 1..300)) {
        let standard = EProcessSettings::standard(8_760.0, 0.01);
        let wide = EProcessSettings { initial_deviation: 0.04, bound: 0.8, ..standard.clone() };
        let (mut plain, mut scaled) = (EProcess::new(standard).unwrap(), EProcess::new(wide).unwrap());
        for difference in &differences {
            let log_e = plain.push(*difference).unwrap();
            prop_assert!(log_e.is_finite());
            prop_assert_eq!(log_e, scaled.push(difference * 4.0).unwrap());
        }
        prop_assert!(plain.max_log_e() >= plain.log_e().max(0.0));
    }

    #[test]
    fn losses_are_never_evidence(losses in prop::collection::vec(-0.2..=0.0_f64, 1..300)) {
        let mut process = EProcess::new(EProcessSettings::standard(8_760.0, 0.01)).unwrap();
        let mut test = CurtailedObrienFleming::new(300, 0.05, 1, 1).unwrap();
        for loss in losses {
            prop_assert!(process.push(loss).unwrap() <= 0.0);
            test.push(loss).unwrap();
            prop_assert!(test.statistic().is_none_or(|z| z <= 0.0));
        }
    }

    #[test]
    fn the_obrien_fleming_statistic_depends_on_no_unit_and_spends_at_most_alpha(differences in returns(1..400)) {
        let mut plain = CurtailedObrienFleming::hourly(500, 0.05).unwrap();
        let mut scaled = plain.clone();
        let mut spent = 0.0;
        for difference in &differences {
            prop_assert_eq!(plain.push(*difference).unwrap(), scaled.push(difference * 4.0).unwrap());
            prop_assert_eq!(plain.statistic(), scaled.statistic());
            prop_assert!(plain.alpha_spent() >= spent && plain.alpha_spent() <= 0.05 + 1e-12);
            spent = plain.alpha_spent();
        }
    }

    #[test]
    fn stronger_evidence_never_accepts_fewer_arms(evidence in prop::collection::vec(-2.0..12.0_f64, 1..50)) {
        let accepted = |extra: f64| {
            let mut arms = ELond::new(0.05).unwrap();
            evidence.iter().filter(|log_e| arms.test(**log_e + extra)).count()
        };
        prop_assert!(accepted(0.0) <= accepted(1.0));
    }
}
