//! What the preset `thresholds` answers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use walkforward_core::{
    EvaluationReport, Evidence, Judgement, MechanicalCheck, Metrics, Outcome, SuppliedBy, Verdict, Window,
};
use walkforward_promoter::{Gate, ThresholdsGate};

fn report(subject: &str, win_rate: Option<f64>, drawdown: Option<f64>, pnl: Option<f64>) -> EvaluationReport {
    let (start, end) = ("2024-01-01".parse().unwrap(), "2024-01-15".parse().unwrap());
    EvaluationReport {
        judged_span: Some(Window::new(start, end).unwrap()),
        metrics: Metrics { win_rate, max_drawdown: drawdown, pnl_per_trade: pnl, ..Metrics::default() },
        ..EvaluationReport::without_figures(subject, SuppliedBy::Backtest)
    }
}

fn evidence(win_rate: Option<f64>, drawdown: Option<f64>, pnl: Option<f64>) -> Evidence {
    Evidence {
        candidate: report("candidate", win_rate, drawdown, pnl),
        champion: None,
        baselines: Vec::new(),
        unseen_bars: 336,
        holdout_bars: 336,
        min_judged_bars: 250,
        stream: None,
    }
}

fn good() -> Evidence {
    evidence(Some(0.62), Some(0.12), Some(0.04))
}

fn supplied(mut evidence: Evidence) -> Evidence {
    evidence.candidate.judged_span = None;
    evidence.candidate.supplied_by = SuppliedBy::Environment;
    evidence
}

fn assess(evidence: &Evidence) -> Verdict {
    ThresholdsGate::default().assess(evidence)
}

fn check(evidence: &Evidence, outcome: Outcome, reason: Option<&str>, words: &[&str]) {
    let verdict = assess(evidence);
    assert_eq!((verdict.outcome, verdict.reason.as_deref()), (outcome, reason), "{verdict:?}");
    assert_eq!(verdict.preset, "thresholds");
    for word in words {
        assert!(verdict.sentence.contains(word), "'{word}' is missing: {}", verdict.sentence);
    }
}

#[test]
fn a_candidate_within_every_bound_is_promoted() {
    check(&good(), Outcome::Promote, None, &["candidate may trade", "every threshold holds"]);
    let sentences = assess(&good()).checks.into_iter().map(|check| check.sentence).collect::<Vec<_>>();
    assert_eq!(
        sentences[..3],
        [
            "winRate 0.62 is at least 0.55",
            "maxDrawdown 0.12 is at most 0.2",
            "pnlPerTrade 0.04 is at least 0",
        ]
    );
    assert!(assess(&good()).checks.iter().all(|check| check.judgement == Judgement::Pass));
}

#[test]
fn thresholds_are_inclusive() {
    check(&evidence(Some(0.55), Some(0.2), Some(0.0)), Outcome::Promote, None, &[]);
}

#[test]
fn one_bound_missed_by_the_smallest_step_rejects() {
    let failed = Some("thresholds_failed");
    let cases = [
        (evidence(Some(0.55_f64.next_down()), Some(0.2), Some(0.0)), "winRate"),
        (evidence(Some(0.55), Some(0.2_f64.next_up()), Some(0.0)), "maxDrawdown"),
        (evidence(Some(0.55), Some(0.2), Some(0.0_f64.next_down())), "pnlPerTrade"),
    ];
    for (evidence, metric) in cases {
        check(&evidence, Outcome::Reject, failed, &[metric, "may not trade"]);
        let verdict = assess(&evidence);
        let failing: Vec<_> = verdict.checks.iter().filter(|c| c.judgement == Judgement::Fail).collect();
        assert_eq!(failing.len(), 1);
        assert_eq!(failing[0].name, metric);
    }
}

#[test]
fn an_undefined_metric_fails_closed() {
    for evidence in [
        evidence(None, Some(0.1), Some(0.1)),
        evidence(Some(0.9), None, Some(0.1)),
        evidence(Some(0.9), Some(0.1), None),
        evidence(None, Some(0.0), None),
        evidence(Some(f64::NAN), Some(0.1), Some(0.1)),
    ] {
        check(&evidence, Outcome::Reject, Some("thresholds_failed"), &["is undefined"]);
        check(&supplied(evidence), Outcome::Reject, Some("thresholds_failed"), &["is undefined"]);
    }
}

#[test]
fn a_short_hold_out_is_insufficient_evidence() {
    let short = Evidence { unseen_bars: 249, holdout_bars: 249, ..good() };
    let words = ["249 bars", "250 are needed"];
    check(&short, Outcome::Inconclusive, Some("insufficient_evidence"), &words);
    let verdict = assess(&short);
    assert!(verdict.checks[..3].iter().all(|check| check.judgement == Judgement::Unknown));
    check(&Evidence { unseen_bars: 250, holdout_bars: 250, ..good() }, Outcome::Promote, None, &[]);
}

#[test]
fn a_lineage_that_cut_the_hold_out_is_contaminated() {
    let cut = Evidence { unseen_bars: 100, ..good() };
    let words = ["has seen 236 of the 336 hold-out bars", "leaves 100", "250 are needed"];
    check(&cut, Outcome::Inconclusive, Some("contaminated"), &words);
    check(&Evidence { unseen_bars: 300, ..good() }, Outcome::Promote, None, &[]);
}

#[test]
fn supplied_metrics_are_judged_by_the_thresholds_alone() {
    let few = Evidence { unseen_bars: 0, ..good() };
    check(&supplied(few), Outcome::Promote, None, &[]);
    let poor = evidence(Some(0.0), Some(1.0), Some(0.0));
    check(&supplied(poor), Outcome::Reject, Some("thresholds_failed"), &["winRate 0 is below 0.55"]);
}

#[test]
fn a_model_that_does_not_load_is_rejected_whatever_its_metrics() {
    let mut broken = good();
    broken.candidate.mechanical = MechanicalCheck {
        loads: false,
        varies: false,
        problems: vec!["policy.safetensors is truncated".to_owned()],
    };
    let words = ["it does not work", "policy.safetensors is truncated"];
    check(&broken, Outcome::Reject, Some("mechanical"), &words);
    check(&supplied(broken.clone()), Outcome::Reject, Some("mechanical"), &words);
    broken.unseen_bars = 1;
    check(&broken, Outcome::Reject, Some("mechanical"), &words);
    broken.candidate.mechanical.problems.clear();
    check(&broken, Outcome::Reject, Some("mechanical"), &["it does not load"]);
}

#[test]
fn a_model_that_never_changes_its_mind_is_rejected_once_there_are_enough_bars() {
    let mut stubborn = good();
    stubborn.candidate.mechanical.varies = false;
    check(&stubborn, Outcome::Reject, Some("mechanical"), &["the same action on every bar"]);
    stubborn.unseen_bars = 1;
    check(&stubborn, Outcome::Inconclusive, Some("contaminated"), &[]);
}

#[test]
fn a_named_problem_rejects_even_when_no_flag_is_set() {
    let mut odd = good();
    odd.candidate.mechanical.problems.push("it answers slowly".to_owned());
    check(&odd, Outcome::Reject, Some("mechanical"), &["it answers slowly"]);
}

#[test]
fn the_champion_does_not_enter_the_verdict() {
    let better = report("champion", Some(1.0), Some(0.0), Some(1.0));
    let with = Evidence { champion: Some(better), ..good() };
    assert_eq!(assess(&with), assess(&good()));
}

#[test]
fn bounds_that_are_no_bounds_are_refused_by_name() {
    let cases = [
        (f64::NAN, 0.2, 0.0, "min_win_rate is NaN"),
        (1.1, 0.2, 0.0, "min_win_rate is 1.1"),
        (0.5, -0.1, 0.0, "max_drawdown is -0.1"),
        (0.5, f64::INFINITY, 0.0, "max_drawdown is inf"),
        (0.5, 0.2, f64::NAN, "min_pnl_per_trade is NaN"),
        (0.5, 0.2, f64::NEG_INFINITY, "min_pnl_per_trade is -inf"),
    ];
    for (win_rate, drawdown, pnl, expected) in cases {
        let error = ThresholdsGate::new(win_rate, drawdown, pnl).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(ThresholdsGate::new(0.0, 1.0, -5.0).is_ok());
}

proptest! {
    #[test]
    fn a_promotion_means_that_every_bound_holds(
        win_rate in prop::option::of(0.0..=1.0_f64),
        drawdown in prop::option::of(0.0..=1.0_f64),
        pnl in prop::option::of(-0.1..=0.1_f64),
        unseen_bars in 0..400_usize,
        loads: bool,
    ) {
        let mut evidence = Evidence { unseen_bars, ..evidence(win_rate, drawdown, pnl) };
        evidence.candidate.mechanical.loads = loads;
        let holds = loads
            && unseen_bars >= 250
            && win_rate.is_some_and(|rate| rate >= 0.55)
            && drawdown.is_some_and(|drawdown| drawdown <= 0.2)
            && pnl.is_some_and(|pnl| pnl >= 0.0);
        let verdict = assess(&evidence);
        prop_assert_eq!(verdict.outcome == Outcome::Promote, holds);
        prop_assert_eq!(verdict.reason.is_none(), holds);
        prop_assert_eq!(&verdict, &assess(&evidence));
    }
}
