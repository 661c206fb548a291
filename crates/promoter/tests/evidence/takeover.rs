//! Another arm than the champion's, or the line's first.

use walkforward_core::{Gate, Grade, Judgement, MechanicalCheck, Outcome, PromotionClass, SuppliedBy};
use walkforward_promoter::{EvidenceGate, ThresholdsGate};

use crate::ledgers::{
    assess, change, change_stream, check, check_under, evidence, hour, report, rules, stream, takeover,
};

#[test]
fn an_arm_with_a_clear_lead_takes_the_line_over() {
    check(
        &takeover(),
        Outcome::Promote,
        None,
        &["candidate may trade", "takes the line over as screened", "beat flat"],
    );
    let verdict = assess(&takeover());
    let grading = verdict.grading.unwrap();
    assert_eq!((grading.class, grading.grade), (PromotionClass::Takeover, Some(Grade::Screened)));
    assert_eq!((grading.arm.as_str(), grading.reference.as_str()), ("00c0ffee00c0ffee", "flat"));
    assert_eq!(grading.meter["standing"]["lookBars"], 2_016);
    assert!(verdict.checks.iter().all(|check| check.judgement == Judgement::Pass), "{:#?}", verdict.checks);
    let names: Vec<&str> = verdict.checks.iter().map(|check| check.name.as_str()).collect();
    let expected = [
        "unseenBars",
        "mechanicalProblems",
        "undefinedMetrics",
        "maxDrawdown",
        "turnoverPerDay",
        "countedBars",
        "differingBars",
        "armTrades",
        "differingStretches",
        "p",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_qualified_arm_is_told_by_its_test() {
    let verdict = assess(&evidence(stream(6_000, 12.0, 1)));
    let last = verdict.checks.last().unwrap();
    assert_eq!((last.name.as_str(), verdict.outcome), ("z", Outcome::Promote));
    assert!(last.measured.unwrap() >= last.threshold);
    assert!(
        verdict.sentence.contains("the registered test (level 0.0125) was crossed after"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn luck_is_no_grade() {
    let behind = evidence(stream(2_016, -3.0, 1));
    check(&behind, Outcome::Inconclusive, Some("no_grade"), &["candidate waits", "fell behind flat"]);
    assert_eq!(assess(&behind).grading.unwrap().grade, None);
}

#[test]
fn a_short_ledger_is_too_early() {
    let words = ["335 counted bars", "the first look is at 336"];
    check(&evidence(stream(335, 12.0, 1)), Outcome::Inconclusive, Some("too_early"), &words);
}

#[test]
fn a_lead_of_one_position_earns_nothing_and_takes_nothing_over() {
    let held = change_stream(evidence(stream(504, 14.0, 1)), |stream| stream.arm_position.fill(1.0));
    let words = ["0 closed trades of the arm are too few", "1 separate stretch on which"];
    check(&held, Outcome::Inconclusive, Some("rails"), &words);
    let verdict = assess(&held);
    let grading = verdict.grading.unwrap();
    assert_eq!((grading.grade, grading.earned), (None, None));
    let standing = &grading.meter["standing"];
    assert_eq!((&standing["withoutRails"], &standing["closedTrades"]), (&"screened".into(), &0.into()));
    assert!(
        grading.meter["sentence"]
            .as_str()
            .unwrap()
            .contains("; by these figures alone the arm would be screened, but 0 closed")
    );
    let luck = verdict.checks.iter().find(|check| check.name == "p").unwrap();
    assert_eq!(luck.judgement, Judgement::Pass, "the figure itself is low enough");
}

#[test]
fn how_holding_did_stands_beside_the_conditions_and_decides_nothing() {
    let beside = |gain: f64| change_stream(takeover(), |it| it.asset_return = vec![gain; 2_016]);
    for (gain, judgement) in [(0.01, Judgement::Unknown), (-0.01, Judgement::Pass)] {
        check(&beside(gain), Outcome::Promote, None, &[]);
        let verdict = assess(&beside(gain));
        let told = verdict.checks.last().unwrap();
        assert_eq!((told.name.as_str(), told.judgement), ("holdingAtExposure", judgement));
        assert!(told.sentence.ends_with("(this decides nothing)"), "{}", told.sentence);
        assert_eq!(verdict.grading.unwrap().meter["holding"]["held"], told.threshold);
    }
}

#[test]
fn alike_decisions_are_no_comparison() {
    let alike = change_stream(takeover(), |stream| stream.reference_position = stream.arm_position.clone());
    let words = ["decided alike on all 2016 counted bars"];
    check(&alike, Outcome::Inconclusive, Some("same_decisions"), &words);
}

#[test]
fn takeovers_are_a_day_apart() {
    let last = |hours: usize| {
        change_stream(takeover(), |stream| stream.last_takeover_at = Some(hour(2_016 - hours)))
    };
    check(&last(24), Outcome::Promote, None, &[]);
    let words = ["hoursSinceTakeover 23 is below 24"];
    check(&last(23), Outcome::Inconclusive, Some("cooling_down"), &words);
}

#[test]
fn a_grade_is_needed_before_the_cool_down_is_worth_a_word() {
    let both =
        change_stream(evidence(stream(2_016, -3.0, 1)), |stream| stream.last_takeover_at = Some(hour(2_015)));
    check(&both, Outcome::Inconclusive, Some("no_grade"), &[]);
}

#[test]
fn the_champion_of_another_arm_is_not_compared() {
    let other = change(takeover(), |evidence| {
        let mut champion = report("champion");
        champion.net_return.iter_mut().for_each(|net_return| *net_return = 0.01);
        evidence.champion = Some(champion);
    });
    check(&other, Outcome::Promote, None, &[]);
}

#[test]
fn a_takeover_needs_at_least_the_champions_grade() {
    let against = |grade| change_stream(takeover(), |stream| stream.champion_grade = Some(grade));
    for grade in [Grade::Provisional, Grade::Screened] {
        check(&against(grade), Outcome::Promote, None, &[]);
        let last = assess(&against(grade)).checks.pop().unwrap();
        let told = format!("the arm is screened, and the champion's is {grade}");
        assert_eq!((last.name.as_str(), last.measured, last.sentence), ("grade", Some(2.0), told));
    }
    let words = [
        "candidate waits",
        "luck alone does that 1 time in 1001",
        "the arm is screened, and the champion's arm is qualified: a takeover needs at least that",
        "a person may let it fall with `orchestrate models approve --overrule`",
    ];
    check(&against(Grade::Qualified), Outcome::Inconclusive, Some("below_champions_grade"), &words);
    let qualified =
        change_stream(evidence(stream(6_000, 12.0, 1)), |it| it.champion_grade = Some(Grade::Qualified));
    check(&qualified, Outcome::Promote, None, &["as qualified"]);
}

#[test]
fn an_arm_without_a_grade_hears_of_the_champions_too() {
    let against =
        |grade| change_stream(evidence(stream(2_016, -3.0, 1)), |stream| stream.champion_grade = Some(grade));
    let words = ["fell behind flat", "the champion's arm is screened: a takeover needs at least that"];
    check(&against(Grade::Screened), Outcome::Inconclusive, Some("no_grade"), &words);
    assert!(!assess(&against(Grade::Provisional)).sentence.contains("the champion's arm"));
}

#[test]
fn the_own_anchor_of_a_challenger_is_nobodys() {
    let own = change_stream(takeover(), |it| it.own_anchor = Some(Box::new(stream(400, 0.0, 1))));
    assert_eq!(assess(&own), assess(&takeover()));
}

#[test]
fn a_crossing_of_an_earlier_verdict_takes_the_line_over() {
    let close = hour(3_000);
    let crossed = change_stream(evidence(stream(6_000, -1.0, 1)), |stream| {
        let horizon = stream.horizon.as_mut().unwrap();
        (horizon.crossed_at, horizon.broken) = (Some(close), Some("paused".to_owned()));
        stream.champion_grade = Some(Grade::Qualified);
    });
    let words = ["as qualified", "had been crossed by the bar that closed at 2024-05-05T00:00:00.000Z"];
    check(&crossed, Outcome::Promote, None, &words);
    assert!(assess(&crossed).checks.iter().any(|check| check.name == "crossings"));
}

#[test]
fn a_model_that_does_not_work_is_rejected_whatever_its_arm_has_earned() {
    let broken = change(takeover(), |evidence| {
        let problems = vec!["policy.safetensors is truncated".to_owned()];
        evidence.candidate.mechanical = MechanicalCheck { loads: false, varies: false, problems };
        evidence.unseen_bars = 3;
    });
    let words = ["may not trade", "policy.safetensors is truncated"];
    check(&broken, Outcome::Reject, Some("mechanical"), &words);
    check(&change(broken, |evidence| evidence.stream = None), Outcome::Reject, Some("mechanical"), &words);
}

#[test]
fn too_few_unseen_bars_decide_nothing() {
    let seen = |unseen, holdout| {
        change(takeover(), |evidence| (evidence.unseen_bars, evidence.holdout_bars) = (unseen, holdout))
    };
    check(&seen(250, 336), Outcome::Promote, None, &[]);
    check(&seen(249, 336), Outcome::Inconclusive, Some("contaminated"), &["has seen 87 of the 336"]);
    check(&seen(249, 249), Outcome::Inconclusive, Some("insufficient_evidence"), &["250 are needed"]);
    let stubborn = change(seen(249, 336), |evidence| evidence.candidate.mechanical.varies = false);
    check(&stubborn, Outcome::Inconclusive, Some("contaminated"), &[]);
    let rails = assess(&seen(249, 336)).checks.into_iter().filter(|check| check.name == "maxDrawdown");
    assert!(rails.into_iter().all(|check| check.judgement == Judgement::Unknown));
}

#[test]
fn without_a_stream_or_with_supplied_metrics_nothing_is_said_about_an_arm() {
    let none = change(takeover(), |evidence| evidence.stream = None);
    check(
        &none,
        Outcome::Inconclusive,
        Some("no_stream"),
        &["no stream of its arm is kept", "preset thresholds"],
    );
    assert_eq!(assess(&none).grading, None);
    let supplied = change(takeover(), |evidence| {
        evidence.candidate.judged_span = None;
        evidence.candidate.supplied_by = SuppliedBy::Environment;
    });
    check(&supplied, Outcome::Inconclusive, Some("supplied_metrics"), &["choose the preset thresholds"]);
}

#[test]
fn a_ledger_that_can_not_be_read_decides_nothing() {
    let torn = change_stream(takeover(), |stream| stream.arm_return[3] = f64::NAN);
    check(&torn, Outcome::Inconclusive, Some("bad_ledger"), &["the arm's return of bar 3 is NaN"]);
    let grading = assess(&torn).grading.unwrap();
    assert!(grading.grade.is_none() && grading.meter.is_null());
}

#[test]
fn the_first_reason_that_applies_is_told() {
    // Each step mends what the verdict before it named.
    let everything = change(evidence(stream(335, -3.0, 1)), |evidence| {
        evidence.candidate.mechanical.varies = false;
        evidence.candidate.metrics.max_drawdown = Some(0.5);
    });
    let step = |evidence: &_, outcome, reason| check(evidence, outcome, Some(reason), &[]);
    step(&everything, Outcome::Reject, "mechanical");
    let varies = change(everything, |evidence| evidence.candidate.mechanical.varies = true);
    step(&varies, Outcome::Reject, "rails");
    let shallow = change(varies, |evidence| evidence.candidate.metrics.max_drawdown = Some(0.1));
    step(&shallow, Outcome::Inconclusive, "too_early");
    let few = change(shallow, |evidence| {
        evidence.stream = Some(stream(2_016, -3.0, 1));
        let stream = evidence.stream.as_mut().unwrap();
        stream.last_takeover_at = Some(stream.now);
        stream.arm_position[24..].fill(0.0);
    });
    step(&few, Outcome::Inconclusive, "rails");
    let behind = change_stream(few, |it| it.arm_position = stream(2_016, 0.0, 1).arm_position);
    step(&behind, Outcome::Inconclusive, "no_grade");
    let ahead = change_stream(behind, |it| it.arm_return = stream(2_016, 12.0, 1).arm_return);
    step(&ahead, Outcome::Inconclusive, "cooling_down");
    check(&change_stream(ahead, |stream| stream.last_takeover_at = None), Outcome::Promote, None, &[]);
}

#[test]
fn an_arm_in_quarantine_waits_until_it_is_over() {
    let free = change(takeover(), |evidence| {
        let metrics = &mut evidence.candidate.metrics;
        (metrics.win_rate, metrics.pnl_per_trade) = (Some(0.6), Some(0.01));
    });
    let until =
        |hours: usize| change_stream(free.clone(), |stream| stream.quarantined_until = Some(hour(hours)));
    let words =
        ["candidate waits", "in quarantine until 2024-03-25T01:00:00", "models release 00c0ffee00c0ffee"];
    check(&until(2_016), Outcome::Promote, None, &["candidate may trade"]);
    let waits = until(2_017);
    check(&waits, Outcome::Inconclusive, Some("quarantined"), &words);
    let by_thresholds = ThresholdsGate::default().assess(&waits);
    assert_eq!(by_thresholds.reason.as_deref(), Some("quarantined"), "{by_thresholds:?}");
    assert_eq!(ThresholdsGate::default().assess(&free).outcome, Outcome::Promote, "otherwise");
    // What does not work is told first, and the arm's evidence is shown all the same.
    let broken = change(waits.clone(), |evidence| evidence.candidate.mechanical.loads = false);
    check(&broken, Outcome::Reject, Some("mechanical"), &[]);
    let grading = assess(&waits).grading.unwrap();
    assert_eq!((grading.grade, grading.class), (Some(Grade::Screened), PromotionClass::Takeover));
}

#[test]
fn levels_are_the_rules() {
    let strict = EvidenceGate {
        rules: rules(|settings| (settings.provisional_p, settings.screened_p) = (0.000_3, 0.000_3)),
        ..EvidenceGate::default()
    };
    let modest = evidence(stream(2_016, 4.0, 1));
    check(&modest, Outcome::Promote, None, &[]);
    check_under(&strict, &modest, Outcome::Inconclusive, Some("no_grade"), &["provisional needs 1 in 3333"]);
}
