//! A newer snapshot of the champion's own arm.

use walkforward_core::{
    Evidence, Grade, Judgement, MechanicalCheck, Outcome, PromotionClass, StreamEvidence,
};
use walkforward_promoter::{EvidenceGate, ExplicitRails};

use crate::ledgers::{
    agreeing, assess, change, change_stream, check, check_under, differing_bars, refresh, rules, stream,
};

fn measured(evidence: &Evidence, name: &str) -> f64 {
    let checks = assess(evidence).checks;
    checks.iter().find(|check| check.name == name).unwrap().measured.unwrap()
}

/// The candidate loses on the bars on which the two differ.
fn losing(by: f64) -> Evidence {
    change(refresh(), |evidence| differing_bars().for_each(|bar| evidence.candidate.net_return[bar] = -by))
}

/// The arm of [`refresh`] against the anchor that it set itself.
fn own_anchor(bars: usize, sharpe: f64) -> StreamEvidence {
    StreamEvidence { reference: "model-a".to_owned(), horizon: None, ..stream(bars, sharpe, 1) }
}

fn beside(evidence: Evidence, own_anchor: StreamEvidence) -> Evidence {
    change_stream(evidence, |it| it.own_anchor = Some(Box::new(own_anchor)))
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
        *it = StreamEvidence { is_champions: true, ..stream(30, 0.0, 1) };
        it.last_takeover_at = Some(it.now);
    });
    check(&young, Outcome::Promote, None, &["without a grade"]);
}

#[test]
fn agreement_on_the_limit_passes_and_one_bar_less_does_not() {
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

#[test]
fn a_snapshot_that_decides_otherwise_may_serve_where_its_arm_leads_its_own_anchor() {
    let ahead = beside(agreeing(150), own_anchor(2_016, 8.0));
    check(&ahead, Outcome::Promote, None, &["a safe newer snapshot"]);
    let verdict = assess(&ahead);
    let agreement = verdict.checks.iter().find(|check| check.name == "agreement").unwrap();
    assert_eq!((agreement.judgement, agreement.measured), (Judgement::Pass, Some(150.0 / 336.0)));
    let words = "on 45 % of 336 bars, at least 60 % is needed, or a lead of its arm over model-a, \
                 which it has: the arm beat model-a by 69 % over 84 days; luck alone does that 1 time in 1001 (p = 0.001)";
    assert!(agreement.sentence.contains(words), "{}", agreement.sentence);
    let own = &verdict.grading.unwrap().meter["ownAnchor"];
    assert_eq!((own["leads"].as_bool(), own["standing"]["lookBars"].as_u64()), (Some(true), Some(2_016)));
}

#[test]
fn a_snapshot_that_decides_otherwise_waits_as_long_as_its_arm_does_not_lead_its_own_anchor() {
    let waits = |own: StreamEvidence, words: &[&str]| {
        let reason = Some("disagrees_with_serving");
        check(&beside(agreeing(150), own), Outcome::Inconclusive, reason, words);
    };
    let words = [
        "candidate waits",
        "which it has not yet: the arm fell behind model-a",
        "provisional would take a lead",
    ];
    waits(own_anchor(2_016, -3.0), &words);
    waits(own_anchor(100, 8.0), &["which it has not yet: the arm has 100 counted bars against model-a"]);
    let mut still = own_anchor(2_016, 8.0);
    still.arm_position[9 * 12..].fill(0.0);
    waits(
        still,
        &["the arm beat model-a", "but 9 closed trades of the arm are too few to judge by, 10 are needed"],
    );
    // Without such a ledger nothing can change the answer.
    check(&agreeing(150), Outcome::Reject, Some("disagrees_with_serving"), &["60 % is needed"]);
}

#[test]
fn a_lead_over_the_own_anchor_excuses_nothing_else() {
    let ahead = |evidence| beside(evidence, own_anchor(2_016, 8.0));
    let worse = change(ahead(agreeing(150)), |evidence| {
        evidence.candidate.net_return.iter_mut().for_each(|net_return| *net_return -= 0.01);
    });
    check(&worse, Outcome::Reject, Some("worse_than_serving"), &[]);
    let deep = change(ahead(agreeing(150)), |it| it.candidate.metrics.max_drawdown = Some(0.5));
    check(&deep, Outcome::Reject, Some("rails"), &[]);
    let seen = change(ahead(agreeing(150)), |evidence| evidence.unseen_bars = 249);
    check(&seen, Outcome::Inconclusive, Some("contaminated"), &[]);
}

#[test]
fn enough_agreement_needs_no_lead_over_the_own_anchor() {
    let behind = beside(agreeing(202), own_anchor(2_016, -8.0));
    check(&behind, Outcome::Promote, None, &[]);
    let checks = assess(&behind).checks;
    let agreement = checks.iter().find(|check| check.name == "agreement").unwrap();
    assert!(!agreement.sentence.contains("model-a"), "{}", agreement.sentence);
}

#[test]
fn an_own_anchor_that_can_not_be_read_decides_nothing() {
    let mut torn = own_anchor(400, 0.0);
    torn.arm_return[3] = f64::NAN;
    let words = ["the arm's return of bar 3 is NaN"];
    check(&beside(refresh(), torn), Outcome::Inconclusive, Some("bad_ledger"), &words);
}

#[test]
fn a_kept_grade_that_the_ledger_would_not_earn_today_is_said() {
    let warned = |evidence: &Evidence| -> Vec<String> {
        assess(evidence).warnings.into_iter().filter(|warning| warning.starts_with("the arm keeps")).collect()
    };
    let screened = change_stream(refresh(), |stream| stream.champion_grade = Some(Grade::Screened));
    let expected = "the arm keeps screened from an earlier verdict, its ledger of today alone comes to no grade: on the last \
                    84 days luck does as well 7 times in 10 (p = 0.69)";
    assert_eq!(warned(&screened), [expected]);
    let young = change_stream(refresh(), |it| {
        *it = StreamEvidence { is_champions: true, champion_grade: it.champion_grade, ..stream(30, 0.0, 1) };
    });
    let expected = "the arm keeps provisional from an earlier verdict, its ledger of today alone comes to no grade: it has \
                    had no look yet";
    assert_eq!(warned(&young), [expected]);
    let held = change_stream(screened.clone(), |it| {
        it.arm_return = stream(2_016, 8.0, 1).arm_return;
        it.arm_position.fill(1.0);
    });
    let few = "(p = 0.001); 0 closed trades of the arm are too few to judge by, 10 are needed; 1 separate stretch on which the \
               arm and its reference differ is too few to judge by, 20 are needed";
    assert!(warned(&held)[0].ends_with(few), "{:?}", warned(&held));
    let earned = change_stream(screened, |it| it.arm_return = stream(2_016, 8.0, 1).arm_return);
    assert_eq!(warned(&earned), [""; 0]);
}

/// The candidate and the serving snapshot of a refresh with these drawdowns.
fn falling(candidate: f64, serving: f64) -> Evidence {
    change(refresh(), |evidence| {
        evidence.candidate.metrics.max_drawdown = Some(candidate);
        evidence.champion.as_mut().unwrap().metrics.max_drawdown = Some(serving);
    })
}

#[test]
fn a_snapshot_that_falls_no_further_than_the_serving_one_is_let_through() {
    let rails = Some("rails");
    check(&falling(0.35, 0.35), Outcome::Promote, None, &[]);
    let drawdown = assess(&falling(0.3, 0.35)).checks.into_iter().find(|check| check.name == "maxDrawdown");
    let told = "maxDrawdown 0.3 is at most 0.35, what the serving serving fell by on the same bars";
    assert_eq!(drawdown.unwrap().sentence, told);
    let words = ["maxDrawdown 0.36 is above 0.35, what the serving serving fell by"];
    check(&falling(0.36, 0.35), Outcome::Reject, rails, &words);
    // The fixed bound is the more lenient one.
    check(&falling(0.2, 0.1), Outcome::Promote, None, &[]);
    check(&falling(0.21, 0.1), Outcome::Reject, rails, &["maxDrawdown 0.21 is above 0.2"]);
    // On other bars, without a model that runs, or of another arm the serving one excuses nothing.
    let shifted = change(falling(0.3, 0.35), |it| it.champion.as_mut().unwrap().bar_close.truncate(335));
    check(&shifted, Outcome::Reject, rails, &["is above 0.2"]);
    let broken = change(falling(0.3, 0.35), |it| it.champion.as_mut().unwrap().mechanical.loads = false);
    check(&broken, Outcome::Reject, rails, &["is above 0.2"]);
    let other = change_stream(falling(0.3, 0.35), |stream| stream.is_champions = false);
    check(&other, Outcome::Reject, rails, &["is above 0.2"]);
}

#[test]
fn a_bound_that_somebody_set_is_one_for_refreshes_too() {
    let explicit = ExplicitRails { max_drawdown: Some(0.25), ..ExplicitRails::default() };
    let gate = EvidenceGate { explicit, ..EvidenceGate::default() };
    check_under(
        &gate,
        &falling(0.3, 0.35),
        Outcome::Reject,
        Some("rails"),
        &["maxDrawdown 0.3 is above 0.25"],
    );
}

#[test]
fn a_serving_snapshot_that_breaks_a_rail_itself_is_said_to() {
    let warned = |evidence: &Evidence| {
        assess(evidence)
            .warnings
            .into_iter()
            .find(|warning| warning.starts_with("the serving serving breaks"))
    };
    let expected = "the serving serving breaks rails itself that the candidate is held to, on the same bars: maxDrawdown \
                    0.35 is above 0.2; turnoverPerDay 7.2 is above 6";
    let both = change(falling(0.1, 0.35), |it| it.champion.as_mut().unwrap().metrics.turnover = Some(0.3));
    assert_eq!(warned(&both).as_deref(), Some(expected));
    let of_another_arm = change_stream(both.clone(), |stream| stream.is_champions = false);
    assert!(warned(&of_another_arm).is_some());
    assert_eq!(warned(&falling(0.35, 0.2)), None);
    let seen = change(both, |evidence| evidence.unseen_bars = 249);
    assert_eq!(warned(&seen), None, "too few bars to say");
}

#[test]
fn what_is_wrong_with_the_ledger_is_among_the_warnings() {
    let caution = "7 bars of the reference could not be scored".to_owned();
    let careful = change_stream(refresh(), |stream| stream.caution = Some(caution.clone()));
    let verdict = assess(&careful);
    assert!(verdict.warnings.contains(&caution), "{:?}", verdict.warnings);
    assert_eq!(verdict.outcome, Outcome::Promote);
}
