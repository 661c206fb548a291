//! Which grade a ledger comes to.

use walkforward_core::{Grade, Horizon, StreamEvidence};
use walkforward_promoter::{Decider, LedgerSeries, Recent, SequentialTest, Shortfall, Standing};

use crate::ledgers::{hour, hourly, registered, rules, standing, stream};

fn shortfall(standing: &Standing) -> Option<(Grade, Shortfall)> {
    standing.next.as_ref().map(|next| (next.grade, next.shortfall))
}

#[test]
fn nothing_is_read_before_the_first_look() {
    let early = standing(&stream(335, 50.0, 1));
    assert_eq!((early.look_bars, early.grade, early.looks, early.next_look_in_bars), (None, None, 0, 1));
    assert_eq!(shortfall(&early), Some((Grade::Provisional, Shortfall::TooEarly)));
    assert_eq!((early.recent, early.sequential.bars), (None, 0));
    let first = standing(&stream(336, 50.0, 1));
    assert_eq!((first.look_bars, first.looks, first.next_look_in_bars), (Some(336), 1, 24));
    assert!(first.grade.is_some());
}

#[test]
fn figures_do_not_change_between_two_looks() {
    let whole = stream(2_040, 1.0, 3);
    let at_look = standing(&stream(2_016, 1.0, 3));
    for bars in [2_017, 2_039] {
        let mut cut = whole.clone();
        for series in [
            &mut cut.arm_return,
            &mut cut.reference_return,
            &mut cut.arm_position,
            &mut cut.reference_position,
        ] {
            series.truncate(bars);
        }
        cut.bar_close.truncate(bars);
        let between = standing(&cut);
        assert_eq!((&between.recent, &between.sequential), (&at_look.recent, &at_look.sequential));
        assert_eq!((between.grade, between.look_bars), (at_look.grade, Some(2_016)));
    }
    assert_ne!(standing(&whole).recent, at_look.recent);
}

#[test]
fn a_p_on_the_level_gives_the_grade_and_one_above_it_does_not() {
    let ledger = stream(672, 2.0, 5);
    let p = standing(&ledger).recent.unwrap().p;
    assert!(p > 0.02 && p < 0.5, "{p}");
    let grade = |provisional: f64, screened: f64| {
        let rules = rules(|settings| {
            (settings.provisional_p, settings.screened_p) = (provisional, screened);
            settings.min_resamples = 2_000;
        });
        Standing::of(&ledger, &rules).unwrap().grade
    };
    assert_eq!(grade(p, 0.01), Some(Grade::Provisional));
    assert_eq!(grade(p.next_down(), 0.01), None);
    assert_eq!(grade(0.6, p), Some(Grade::Screened));
    assert_eq!(grade(0.6, p.next_down()), Some(Grade::Provisional));
}

#[test]
fn alike_decisions_give_no_grade_whatever_the_noise() {
    let mut alike = stream(400, 100.0, 1);
    alike.reference_position = alike.arm_position.iter().map(|position| position * 0.96).collect();
    let same = standing(&alike);
    assert!(same.same_decisions);
    assert_eq!((same.grade, same.differing_bars), (None, 0));
    assert_eq!(shortfall(&same), Some((Grade::Provisional, Shortfall::SameDecisions)));
    // One bar beyond the tolerance is a different decision.
    alike.reference_position[399] += 0.1;
    assert_eq!(standing(&alike).differing_bars, 0, "bar 399 is after the look");
    alike.reference_position[300] = alike.arm_position[300] + 0.051;
    let differs = standing(&alike);
    assert_eq!((differs.same_decisions, differs.differing_bars, differs.differing_stretches), (false, 1, 1));
}

#[test]
fn separate_stretches_are_counted_up_to_the_look() {
    let counted = standing(&stream(359, 0.0, 1));
    // Six bars flat, six long: 28 times in 336 bars.
    assert_eq!((counted.differing_bars, counted.differing_stretches), (168, 28));
}

#[test]
fn figures_that_rest_on_too_few_decisions_are_no_grade() {
    // 28 stretches and 27 closed trades in 14 days; then the arm stays long.
    let long_from = |hour: usize, bars| {
        let mut ledger = stream(bars, 8.0, 1);
        ledger.arm_return = crate::ledgers::earned(&vec![1.0; bars], 8.0, 1);
        ledger.arm_position[hour..].fill(1.0);
        standing(&ledger)
    };
    let never = long_from(0, 504);
    assert_eq!((never.closed_trades, never.differing_stretches), (Some(0), 1));
    assert_eq!((never.without_rails, never.grade), (Some(Grade::Screened), None));
    assert_eq!(shortfall(&never), Some((Grade::Screened, Shortfall::TooFewDecisions)));
    assert_eq!(never.next.unwrap().days, None);
    // 19 stretches in 21 days: the twentieth takes a day more.
    let nearly = long_from(19 * 12 - 6, 504);
    assert_eq!((nearly.closed_trades, nearly.differing_stretches, nearly.grade), (Some(18), 19, None));
    assert_eq!(nearly.next.unwrap().days, Some(21.0 / 19.0));
    let enough = long_from(20 * 12 - 6, 504);
    assert_eq!((enough.closed_trades, enough.differing_stretches), (Some(19), 20));
    assert_eq!((enough.without_rails, enough.grade), (Some(Grade::Screened), Some(Grade::Screened)));
}

#[test]
fn a_crossing_waits_for_enough_decisions_too() {
    let mut ledger = stream(6_000, 12.0, 1);
    ledger.arm_return = crate::ledgers::earned(&vec![1.0; 6_000], 12.0, 1);
    ledger.arm_position.fill(1.0);
    let held = standing(&ledger);
    assert!(held.sequential.qualified_at.is_some());
    assert_eq!((held.without_rails, held.grade), (Some(Grade::Qualified), None));
    assert_eq!(shortfall(&held), Some((Grade::Qualified, Shortfall::TooFewDecisions)));
}

#[test]
fn time_that_is_left_counts_the_decisions_that_are_missing() {
    let mut slow = stream(720, 4.0, 3);
    let alone = standing(&slow).next.unwrap();
    assert_eq!((alone.grade, alone.days), (Grade::Provisional, Some(1.0)));
    slow.arm_position = (0..720).map(|bar| f64::from(u8::from(bar % 72 < 36))).collect();
    let waits = standing(&slow).next.unwrap();
    // Ten stretches in 30 days, twenty are needed.
    assert_eq!((waits.shortfall, waits.days), (Shortfall::LuckIsLikely, Some(30.0)));
    slow.arm_position.fill(1.0);
    let never = standing(&slow).next.unwrap();
    assert_eq!((never.shortfall, never.days), (Shortfall::TooFewDecisions, None));
}

#[test]
fn a_clear_lead_qualifies_and_stays_qualified() {
    let ledger = stream(6_000, 12.0, 1);
    let qualified = standing(&ledger);
    assert_eq!((qualified.grade, qualified.next.clone()), (Some(Grade::Qualified), None));
    let at = qualified.sequential.qualified_at.unwrap();
    assert!(at < 6_000 && at.is_multiple_of(24));
    let mut faded = ledger;
    faded.arm_return[at..].iter_mut().for_each(|net_return| *net_return = -0.001);
    let faded = standing(&faded);
    assert!(faded.recent.as_ref().unwrap().p > 0.9);
    assert_eq!((faded.grade, faded.sequential.qualified_at), (Some(Grade::Qualified), Some(at)));
}

#[test]
fn replayed_bars_and_bars_before_the_registration_never_qualify() {
    let lead = stream(6_000, 12.0, 1);
    let replayed = StreamEvidence { replayed_bars: 5_760, ..lead.clone() };
    let early = StreamEvidence { horizon: Some(registered(5_760)), ..lead };
    for ledger in [replayed, early] {
        let standing = standing(&ledger);
        assert_eq!((standing.replayed_bars, standing.sequential.bars), (5_760, 240));
        assert_eq!(standing.grade, Some(Grade::Screened));
        assert_eq!(shortfall(&standing).unwrap().1, Shortfall::NotCrossed);
    }
}

#[test]
fn a_bar_that_closes_at_the_registration_does_not_count_and_the_next_one_does() {
    let bars = |after| {
        standing(&StreamEvidence { horizon: Some(registered(after)), ..stream(480, 0.0, 1) }).sequential.bars
    };
    assert_eq!([0, 1, 479, 480, 9_000].map(bars), [480, 479, 1, 0, 0]);
}

#[test]
fn a_broken_horizon_leaves_the_e_process_alone() {
    let broken = Horizon { broken: Some("the schedule was paused".to_owned()), ..registered(0) };
    let ledger = StreamEvidence { horizon: Some(broken), ..stream(2_400, 12.0, 1) };
    let standing = standing(&ledger);
    let sequential = &standing.sequential;
    assert_eq!(sequential.decider, Decider::EProcess);
    assert!(sequential.z.unwrap() > 0.0 && sequential.alpha_spent == 0.0125);
    assert!((sequential.log_e_needed - 80.0_f64.ln()).abs() < 1e-12);
    assert_eq!(sequential.qualified_at.is_some(), sequential.max_log_e >= sequential.log_e_needed);
    assert_eq!(standing.grade, Some(Grade::Qualified), "{sequential:?}");

    let unregistered = StreamEvidence { horizon: None, ..ledger };
    let alone = crate::ledgers::standing(&unregistered).sequential;
    assert_eq!((alone.decider, alone.alpha, alone.z), (Decider::EProcess, 0.0125, None));
    assert_eq!(alone.qualified_at, sequential.qualified_at);
}

#[test]
fn without_a_registered_test_the_e_process_decides_at_the_level_that_was_fixed_for_it() {
    let at = |anytime_level| {
        let ledger = StreamEvidence { horizon: None, anytime_level, ..stream(2_400, 12.0, 1) };
        standing(&ledger).sequential
    };
    let [shared, strict] = [None, Some(0.001)].map(at);
    assert_eq!((shared.alpha, strict.alpha, strict.decider), (0.0125, 0.001, Decider::EProcess));
    assert!((strict.log_e_needed - 1_000.0_f64.ln()).abs() < 1e-12);
    assert_eq!(shared.max_log_e, strict.max_log_e);
    assert!(shared.qualified_at.unwrap() < strict.qualified_at.unwrap_or(usize::MAX), "{strict:?}");
    // A registered test brings its own level, and keeps it where it is broken.
    for broken in [None, Some("paused".to_owned())] {
        let horizon = Some(Horizon { broken, ..registered(0) });
        let ledger = StreamEvidence { horizon, anytime_level: Some(0.001), ..stream(2_400, 12.0, 1) };
        assert_eq!(standing(&ledger).sequential.alpha, 0.0125);
    }
}

#[test]
fn a_level_that_is_no_probability_is_refused() {
    for level in [0.0, 1.0, -0.1, f64::NAN] {
        let ledger = StreamEvidence { horizon: None, anytime_level: Some(level), ..stream(400, 0.0, 1) };
        let error = Standing::of(&ledger, &rules(|_| {})).unwrap_err().to_string();
        assert!(error.starts_with("the level of the sequential test is"), "{error}");
    }
}

#[test]
fn a_crossing_that_was_found_stays_when_the_test_is_renewed() {
    let crossed = |horizon| {
        let ledger = StreamEvidence { horizon: Some(horizon), ..stream(2_400, -2.0, 1) };
        standing(&ledger)
    };
    let renewed = crossed(Horizon { crossed_at: Some(hour(1_000)), ..registered(2_000) });
    assert_eq!((renewed.grade, renewed.next.clone()), (Some(Grade::Qualified), None));
    let sequential = &renewed.sequential;
    assert_eq!((sequential.qualified_at, sequential.crossed_before), (None, Some(hour(1_000))));
    assert!(sequential.is_crossed());
    assert_eq!(crossed(registered(2_000)).grade, None);
}

#[test]
fn a_bar_below_the_bound_ends_the_e_process_but_not_what_it_had_reached() {
    let mut ledger = StreamEvidence { horizon: None, ..stream(2_400, 12.0, 1) };
    let at = standing(&ledger).sequential.qualified_at.unwrap();
    ledger.arm_return[100] = -0.2;
    assert!(standing(&ledger).sequential.log_e.is_some(), "a bar on the bound is allowed");
    ledger.arm_return[100] = -0.200_001;
    let ended = standing(&ledger);
    assert_eq!((ended.sequential.bound_broken_at, ended.sequential.log_e), (Some(100), None));
    assert_eq!((ended.sequential.qualified_at, ended.grade), (None, Some(Grade::Screened)));
    assert_eq!(shortfall(&ended), Some((Grade::Qualified, Shortfall::BoundBroken)));

    let mut late = StreamEvidence { horizon: None, ..stream(2_400, 12.0, 1) };
    late.arm_return[at + 1] = -0.3;
    let kept = standing(&late).sequential;
    assert_eq!((kept.log_e, kept.qualified_at), (None, Some(at)));
}

#[test]
fn a_horizon_without_a_crossing_is_over() {
    let short = Horizon { bars: 400, ..registered(0) };
    let ledger = StreamEvidence { horizon: Some(short), ..stream(2_016, 8.0, 1) };
    let standing = standing(&ledger);
    assert!(standing.sequential.is_over && standing.sequential.qualified_at.is_none());
    assert_eq!(standing.grade, Some(Grade::Screened));
    assert_eq!(shortfall(&standing), Some((Grade::Qualified, Shortfall::HorizonIsOver)));
}

#[test]
fn time_that_is_left_shrinks_as_the_lead_grows() {
    let days = |sharpe| standing(&stream(720, sharpe, 2)).next.map(|next| (next.grade, next.days));
    let (grade, slow) = days(3.0).unwrap();
    assert_eq!(grade, Grade::Screened);
    assert!(days(4.0).unwrap().1 < slow, "{slow:?}");
    assert_eq!(days(-3.0), Some((Grade::Provisional, None)));
}

#[test]
fn the_sequential_part_alone_is_the_same() {
    let ledger = stream(2_016, 3.0, 4);
    let rules = rules(|_| {});
    let mut test = SequentialTest::registered(hourly(), 8_760, 0.0125, &rules).unwrap();
    ledger.arm_return.iter().for_each(|difference| test.push(*difference).unwrap());
    assert_eq!(test.standing(), standing(&ledger).sequential);
    assert!(test.push(f64::NAN).is_err());
    assert_eq!(test.standing().bars, 2_016);
}

#[test]
fn a_series_of_differences_stands_where_its_stream_does() {
    let ledger = stream(700, 2.0, 9);
    let rules = rules(|_| {});
    let differs: Vec<bool> = ledger.arm_position.iter().map(|position| *position > 0.0).collect();
    let series = LedgerSeries {
        differs: Some(&differs),
        arm_position: Some(&ledger.arm_position),
        horizon: ledger.horizon.as_ref(),
        seed: 0x00c0_ffee_00c0_ffee,
        ..LedgerSeries::of(&ledger.arm_return, hourly())
    };
    assert_eq!(Standing::of_series(&series, &rules).unwrap(), standing(&ledger));
    let alone = LedgerSeries { differs: None, arm_position: None, ..series };
    let alone = Standing::of_series(&alone, &rules).unwrap();
    assert_eq!((alone.closed_trades, alone.grade), (None, alone.without_rails));
    let recent = Recent::of(&ledger.arm_return[..696], hourly(), &rules, series.seed_at(696)).unwrap();
    assert_eq!(Some(recent), standing(&ledger).recent);
}

#[test]
fn a_ledger_that_does_not_hold_together_is_refused() {
    let refused = |change: fn(&mut StreamEvidence), words: &str| {
        let mut ledger = stream(400, 0.0, 1);
        change(&mut ledger);
        let error = Standing::of(&ledger, &rules(|_| {})).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(|it| it.arm_return[7] = f64::NAN, "the arm's return of bar 7 is NaN");
    refused(|it| it.reference_position[7] = f64::INFINITY, "the reference's position of bar 7 is inf");
    refused(|it| it.reference_return.truncate(399), "the reference's return has 399 bars: expected 400");
    refused(|it| it.asset_return = vec![0.0; 399], "the asset's return has 399 bars: expected 400");
    refused(|it| it.asset_return = vec![f64::NAN; 400], "the asset's return of bar 0 is NaN");
    refused(|it| it.bar_close[7] = it.bar_close[6], "bar 7 of the ledger does not close after");
    refused(|it| it.bars_per_day = 0.0, "bars_per_day is 0");
    refused(|it| it.horizon.as_mut().unwrap().bars = 335, "the horizon is 335");
    refused(|it| it.horizon.as_mut().unwrap().alpha = 0.0, "alpha is 0");
    let all_replayed = StreamEvidence { replayed_bars: 500, ..stream(400, 0.0, 1) };
    assert_eq!(standing(&all_replayed).replayed_bars, 400);
    assert_eq!(
        standing(&StreamEvidence {
            bar_close: vec![],
            arm_return: vec![],
            reference_return: vec![],
            arm_position: vec![],
            reference_position: vec![],
            now: hour(0),
            ..all_replayed
        })
        .grade,
        None
    );
}
