//! What holds for every ledger.

use proptest::prelude::*;
use walkforward_core::{Grade, Horizon, Outcome, StreamEvidence};
use walkforward_promoter::{SequentialTest, Standing};

use crate::ledgers::{agreeing, assess, evidence, hour, hourly, registered, rules, standing, stream};

fn any_grade() -> impl Strategy<Value = Option<Grade>> {
    prop_oneof![Just(None), prop::sample::select(Grade::ALL.to_vec()).prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_constant_gain_never_lowers_the_grade(seed in 0..1_000_u64, bars in 336..3_000_usize, gain in 0.0..1e-3_f64) {
        let before = stream(bars, 1.0, seed);
        let mut after = before.clone();
        after.arm_return.iter_mut().for_each(|net_return| *net_return += gain);
        prop_assert!(standing(&after).grade >= standing(&before).grade);
    }

    #[test]
    fn what_comes_after_the_look_changes_no_figure(seed in 0..1_000_u64, bars in 337..1_500_usize, tail in -0.1..0.1_f64) {
        let before = stream(bars, 1.0, seed);
        let look = standing(&before).look_bars.unwrap();
        let mut after = before.clone();
        after.arm_return[look..].fill(tail);
        after.arm_position[look..].fill(0.5);
        prop_assert_eq!(standing(&after), standing(&before));
    }

    #[test]
    fn replayed_bars_never_qualify(seed in 0..1_000_u64, replayed in 2_400..5_000_usize) {
        let lead = StreamEvidence { replayed_bars: replayed, ..stream(2_400, 15.0, seed) };
        for horizon in [None, Some(registered(0))] {
            let standing = standing(&StreamEvidence { horizon, ..lead.clone() });
            prop_assert_eq!((standing.grade, standing.sequential.bars), (Some(Grade::Screened), 0));
        }
    }

    #[test]
    fn alpha_is_spent_bar_by_bar_and_never_beyond_the_share(seed in 0..1_000_u64, sharpe in -3.0..6.0_f64) {
        let rules = rules(|_| {});
        let mut test = SequentialTest::registered(hourly(), 2_000, 0.0125, &rules).unwrap();
        let mut spent = 0.0;
        for difference in stream(2_400, sharpe, seed).arm_return {
            test.push(difference).unwrap();
            let now = test.standing().alpha_spent;
            prop_assert!(now >= spent && now <= 0.0125 + 1e-12);
            spent = now;
        }
    }

    #[test]
    fn a_qualification_stays_however_the_stream_goes_on(seed in 0..1_000_u64, bars in 1_000..3_000_usize, broken: bool) {
        let horizon = Horizon { broken: broken.then(|| "paused".to_owned()), ..registered(0) };
        let qualified = |bars| {
            let ledger = StreamEvidence { horizon: Some(horizon.clone()), ..stream(3_000, 9.0, seed) };
            let live = &ledger.arm_return[..bars];
            walkforward_promoter::Sequential::of(live, hourly(), ledger.horizon.as_ref(), None, &rules(|_| {}))
        };
        if let Some(at) = qualified(bars).unwrap().qualified_at {
            prop_assert_eq!(qualified(3_000).unwrap().qualified_at, Some(at));
        }
    }

    #[test]
    fn a_promotion_means_that_every_check_holds(
        seed in 0..1_000_u64,
        sharpe in -5.0..15.0_f64,
        bars in 300..1_200_usize,
        drawdown in 0.0..0.4_f64,
        unseen in 200..400_usize,
    ) {
        let mut evidence = evidence(stream(bars, sharpe, seed));
        evidence.candidate.metrics.max_drawdown = Some(drawdown);
        evidence.unseen_bars = unseen;
        let verdict = assess(&evidence);
        let holds = verdict.checks.iter().all(|check| check.judgement == walkforward_core::Judgement::Pass);
        prop_assert_eq!(verdict.outcome == Outcome::Promote, holds);
        prop_assert_eq!(verdict.reason.is_none(), holds);
        if holds {
            prop_assert!(verdict.grading.as_ref().unwrap().grade.is_some());
        }
        prop_assert_eq!(&verdict, &assess(&evidence));
    }

    #[test]
    fn no_grade_rests_on_too_few_decisions(
        seed in 0..1_000_u64,
        sharpe in -2.0..15.0_f64,
        bars in 336..1_500_usize,
        flat_from in 0..1_500_usize,
    ) {
        let mut ledger = stream(bars, sharpe, seed);
        ledger.arm_position.iter_mut().skip(flat_from).for_each(|position| *position = 0.0);
        let standing = standing(&ledger);
        let enough = standing.closed_trades >= Some(10) && standing.differing_stretches >= 20;
        prop_assert_eq!(standing.grade, standing.without_rails.filter(|_| enough));
        let verdict = assess(&evidence(ledger));
        prop_assert_eq!(verdict.grading.unwrap().earned, standing.grade);
        prop_assert!(enough || verdict.outcome != Outcome::Promote);
    }

    #[test]
    fn a_takeover_never_lowers_the_lines_grade(
        seed in 0..1_000_u64,
        sharpe in -2.0..15.0_f64,
        bars in 336..3_000_usize,
        champion_grade in any_grade(),
    ) {
        let verdict = assess(&evidence(StreamEvidence { champion_grade, ..stream(bars, sharpe, seed) }));
        let grade = verdict.grading.unwrap().grade;
        let keeps = grade.is_some() && grade >= champion_grade;
        prop_assert_eq!(verdict.outcome == Outcome::Promote, keeps, "{:?}", verdict.reason);
        if grade.is_some() && !keeps {
            prop_assert_eq!(verdict.reason.as_deref(), Some("below_champions_grade"));
        }
    }

    #[test]
    fn a_crossing_that_was_found_qualifies_whatever_breaks_the_test(
        seed in 0..1_000_u64,
        bars in 240..1_500_usize,
        broken in prop::option::of(".{0,40}"),
        after in 0..2_000_usize,
    ) {
        let horizon = Horizon { broken, crossed_at: Some(hour(7)), ..registered(after) };
        let standing = standing(&StreamEvidence { horizon: Some(horizon), ..stream(bars, -5.0, seed) });
        prop_assert_eq!((standing.grade, standing.next), (Some(Grade::Qualified), None));
        prop_assert_eq!(standing.sequential.crossed_before, Some(hour(7)));
    }

    #[test]
    fn a_refresh_hears_of_its_own_anchor_only_where_it_disagrees(
        seed in 0..1_000_u64,
        same in 0..336_usize,
        sharpe in -8.0..8.0_f64,
        bars in 0..1_000_usize,
    ) {
        let alone = agreeing(same);
        let mut beside = alone.clone();
        beside.stream.as_mut().unwrap().own_anchor = Some(Box::new(stream(bars, sharpe, seed)));
        let (without, with) = (assess(&alone), assess(&beside));
        prop_assert_eq!(&with, &assess(&beside));
        if same >= 202 {
            prop_assert_eq!((with.outcome, with.reason, with.checks), (without.outcome, without.reason, without.checks));
        } else {
            prop_assert_eq!((without.outcome, without.reason.as_deref()), (Outcome::Reject, Some("disagrees_with_serving")));
            prop_assert!(with.outcome != Outcome::Reject);
        }
    }

    #[test]
    fn a_standing_survives_json(seed in 0..1_000_u64, bars in 0..1_000_usize) {
        let standing = standing(&stream(bars, 2.0, seed));
        let json = serde_json::to_string(&standing).unwrap();
        prop_assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), standing);
    }
}
