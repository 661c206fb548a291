//! A newer snapshot of the champion's own arm.

use walkforward_core::{Evidence, Grade, MechanicalCheck, Outcome, PromotionClass};
use walkforward_promoter::EvidenceGate;

use crate::ledgers::{
    assess, change, change_stream, check, check_under, differing_bars, refresh, rules, stream,
};

fn measured(evidence: &Evidence, name: &str) -> f64 {
    let checks = assess(evidence).checks;
    checks.iter().find(|check| check.name == name).unwrap().measured.unwrap()
}

/// The candidate loses on the bars on which the two differ.
fn losing(by: f64) -> Evidence {
    change(refresh(), |evidence| differing_bars().for_each(|bar| evidence.candidate.net_return[bar] = -by))
}

#[test]
fn a_safe_snapshot_passes_and_keeps_the_grade() {
    check(
        &refresh(),
        Outcome::Promote,
        None,
        &["a safe newer snapshot of the arm that serves as provisional"],
    );
    let grading = assess(&refresh()).grading.unwrap();
    assert_eq!((grading.class, grading.grade), (PromotionClass::Refresh, Some(Grade::Provisional)));
}

#[test]
fn the_grade_rises_with_the_ledger_and_never_falls() {
    let grade = |sharpe, before| {
        let evidence = change_stream(refresh(), |it| {
            it.arm_return = stream(2_016, sharpe, 1).arm_return;
            it.champion_grade = before;
        });
        let verdict = assess(&evidence);
        assert_eq!(verdict.outcome, Outcome::Promote);
        verdict.grading.unwrap().grade
    };
    assert_eq!(grade(8.0, Some(Grade::Provisional)), Some(Grade::Screened));
    assert_eq!(grade(12.0, Some(Grade::Qualified)), Some(Grade::Qualified));
    assert_eq!(grade(-12.0, Some(Grade::Screened)), Some(Grade::Screened));
    assert_eq!(grade(-12.0, None), None);
}

#[test]
fn neither_a_cool_down_nor_a_short_ledger_holds_a_refresh_up() {
    let young = change_stream(refresh(), |it| {
        *it = walkforward_core::StreamEvidence { is_champions: true, ..stream(30, 0.0, 1) };
        it.last_takeover_at = Some(it.now);
    });
    check(&young, Outcome::Promote, None, &["without a grade"]);
}

#[test]
fn agreement_on_the_limit_passes_and_one_bar_less_does_not() {
    let agreeing = |bars: usize| {
        change(refresh(), |evidence| {
            let serving = evidence.champion.as_mut().unwrap();
            serving.position.clone_from(&evidence.candidate.position);
            serving.net_return.clone_from(&evidence.candidate.net_return);
            serving.position[bars..].iter_mut().for_each(|position| *position = 1.0 - *position);
        })
    };
    let gate =
        EvidenceGate { rules: rules(|settings| settings.min_agreement = 0.75), ..EvidenceGate::default() };
    check_under(&gate, &agreeing(252), Outcome::Promote, None, &[]);
    let words = ["on 75 % of 336 bars, at least 75 % is needed"];
    check_under(&gate, &agreeing(251), Outcome::Reject, Some("disagrees_with_serving"), &words);
    check(&agreeing(201), Outcome::Reject, Some("disagrees_with_serving"), &["60 % is needed"]);
    check(&agreeing(202), Outcome::Promote, None, &[]);
}

#[test]
fn positions_within_the_tolerance_agree() {
    let drifted = |by: f64| {
        change(refresh(), |evidence| {
            let serving = evidence.champion.as_mut().unwrap();
            serving.position = evidence.candidate.position.iter().map(|position| position + by).collect();
        })
    };
    assert_eq!(measured(&drifted(0.049), "agreement"), 1.0);
    assert_eq!(measured(&drifted(0.051), "agreement"), 0.0);
}

#[test]
fn a_snapshot_that_is_measurably_worse_is_rejected() {
    let words =
        ["candidate fell behind the serving serving by", "luck alone does that to an equal less than 1 time"];
    check(&losing(0.01), Outcome::Reject, Some("worse_than_serving"), &words);
    check(&losing(0.0), Outcome::Promote, None, &[]);
}

#[test]
fn a_p_of_being_worse_on_the_limit_rejects_and_above_it_passes() {
    // The serving snapshot gains on every other of the differing bars.
    let unsure = change(refresh(), |evidence| {
        let serving = evidence.champion.as_mut().unwrap();
        serving.net_return.clone_from(&evidence.candidate.net_return);
        for (bar, net_return) in serving.net_return.iter_mut().enumerate() {
            *net_return += if (bar / 24) % 2 == 0 { 0.002 } else { -0.0015 };
        }
    });
    let p = measured(&unsure, "pWorse");
    assert!(p > 0.02 && p < 0.5, "{p}");
    let under =
        |worse_p: f64| EvidenceGate { rules: rules(|it| it.worse_p = worse_p), ..EvidenceGate::default() };
    check_under(&under(p), &unsure, Outcome::Reject, Some("worse_than_serving"), &[]);
    check_under(&under(p.next_down()), &unsure, Outcome::Promote, None, &[]);
}

#[test]
fn the_comparison_does_not_depend_on_when_somebody_asks() {
    let later = change_stream(losing(0.000_5), |stream| stream.now = stream.now.plus_millis(1_234));
    assert_eq!(measured(&later, "pWorse"), measured(&losing(0.000_5), "pWorse"));
}

#[test]
fn without_a_serving_snapshot_that_loads_the_refresh_goes_on_with_a_warning() {
    let gone = change(losing(0.01), |evidence| evidence.champion = None);
    check(&gone, Outcome::Promote, None, &[]);
    let warnings = assess(&gone).warnings;
    assert!(warnings.iter().any(|it| it.contains("the serving snapshot was not compared")), "{warnings:?}");
    let broken = change(losing(0.01), |evidence| {
        let mechanical = MechanicalCheck { loads: false, varies: false, problems: vec![] };
        evidence.champion.as_mut().unwrap().mechanical = mechanical;
    });
    check(&broken, Outcome::Promote, None, &[]);
    let warnings = assess(&broken).warnings;
    let expected = "the champion serving was not compared: it does not load";
    assert!(warnings.iter().any(|warning| warning == expected), "{warnings:?}");
}

#[test]
fn snapshots_that_were_judged_on_different_bars_are_not_compared() {
    let shifted = change(refresh(), |evidence| evidence.champion.as_mut().unwrap().bar_close.truncate(335));
    let words = ["were not judged on the same bars (336 and 335)"];
    check(&shifted, Outcome::Inconclusive, Some("not_comparable"), &words);
}

#[test]
fn too_few_unseen_bars_reject_no_refresh() {
    let seen = change(losing(0.01), |evidence| evidence.unseen_bars = 249);
    check(&seen, Outcome::Inconclusive, Some("contaminated"), &[]);
}
