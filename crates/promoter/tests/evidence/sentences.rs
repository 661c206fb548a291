//! Verdicts as a person reads them.

use walkforward_core::{Grade, Horizon, StreamEvidence};
use walkforward_promoter::{EvidenceRules, Meter};

use crate::ledgers::{assess, hour, refresh, registered, stream, takeover};

fn told(stream: &StreamEvidence, expected: &str) {
    assert_eq!(Meter::of(stream, &EvidenceRules::default()).unwrap().sentence, expected);
}

#[test]
fn a_lead_is_told_with_its_luck_its_limits_and_what_would_flip_it() {
    told(
        &stream(720, 3.0, 2),
        "the arm beat flat by 24 % over 30 days; luck alone does that 1 time in 33 (p = 0.03), \
         provisional needs 1 in 5, screened 1 in 100: screened in about 16 more days at this rate",
    );
    told(
        &stream(720, 4.0, 3),
        "the arm beat flat by 11 % over 30 days; luck alone does that 1 time in 5 (p = 0.205), \
         provisional needs 1 in 5, screened 1 in 100: about 1 more day at this rate",
    );
    told(
        &stream(720, -3.0, 1),
        "the arm fell behind flat by 23 % over 30 days; luck alone does better nearly always (p = \
         0.97), provisional needs 1 in 5, screened 1 in 100: not at this rate; provisional would \
         take a lead of 18 % in 84 days",
    );
    told(
        &stream(2_016, 3.0, 3),
        "the arm beat flat by 11 % over 84 days; luck alone does that 1 time in 3 (p = 0.29), \
         provisional needs 1 in 5, screened 1 in 100: not at this rate; provisional would take a \
         lead of 17 % in 84 days",
    );
}

#[test]
fn a_graded_arm_is_told_with_its_sequential_test() {
    told(
        &stream(1_440, 8.0, 1),
        "the arm beat flat by 45 % over 60 days; luck alone does that 1 time in 222 (p = 0.0045); \
         qualified needs the registered test at 2.5 (level 0.0125), it has 1.04 after 60 of 365 \
         days: qualified in about 84 more days at this rate",
    );
    told(
        &StreamEvidence { horizon: None, ..stream(1_440, 8.0, 1) },
        "the arm beat flat by 45 % over 60 days; luck alone does that 1 time in 222 (p = 0.0045); \
         qualified needs an e-value of 80 (level 0.0125), it has 4.8 after 60 days: qualified in \
         about 107 more days at this rate",
    );
    told(
        &StreamEvidence { replayed_bars: 1_440, ..stream(1_440, 8.0, 1) },
        "the arm beat flat by 45 % over 60 days; luck alone does that 1 time in 222 (p = 0.0045); \
         qualified needs the registered test at 2.5 (level 0.0125), it has no value yet after 0 \
         of 365 days: only bars that were scored while they closed count for it",
    );
    told(
        &stream(6_000, 12.0, 1),
        "the arm beat flat by 101 % over 84 days; luck alone does that less than 1 time in 2000 \
         (p = 0.0005); the registered test (level 0.0125) was crossed after 84 days, which luck \
         alone does within its horizon for at most 1 in 80 arms",
    );
    let broken = Horizon { broken: Some("paused".to_owned()), ..registered(0) };
    told(
        &StreamEvidence { horizon: Some(broken), ..stream(6_000, 12.0, 1) },
        "the arm beat flat by 101 % over 84 days; luck alone does that less than 1 time in 2000 \
         (p = 0.0005); the e-process (level 0.0125) was crossed after 87 days, which luck alone \
         ever does for at most 1 in 80 arms",
    );
}

#[test]
fn a_crossing_that_an_earlier_verdict_found_is_told_as_one() {
    let close = hour(2_000);
    let behind =
        "the arm fell behind flat by 25 % over 84 days; luck alone does better 9 times in 10 (p = 0.94)";
    let crossing =
        "a sequential test of the two had been crossed by the bar that closed at 2024-03-24T08:00:00.000Z";
    let ledger = |horizon| StreamEvidence { horizon: Some(horizon), ..stream(6_000, -1.0, 1) };
    let broken = Horizon { broken: Some("paused".to_owned()), crossed_at: Some(close), ..registered(0) };
    let expected = format!("{behind}; {crossing}; that the test is broken since (paused) does not undo it");
    told(&ledger(broken), &expected);
    let renewed = Horizon { crossed_at: Some(close), ..registered(5_000) };
    told(&ledger(renewed), &format!("{behind}; {crossing}; what the test of now says does not undo it"));
}

#[test]
fn waiting_is_told_with_its_end() {
    told(
        &stream(200, 0.0, 1),
        "the arm has 200 counted bars against flat, and the first look is at 336: about 5.7 more \
         days",
    );
    let mut alike = stream(400, 0.0, 1);
    alike.reference_position = alike.arm_position.clone();
    told(
        &alike,
        "the arm and flat decided alike on all 384 counted bars: only different decisions can be \
         compared",
    );
}

#[test]
fn promotions_are_told_with_the_evidence() {
    assert_eq!(
        assess(&takeover()).sentence,
        "candidate may trade: its arm takes the line over as screened: the arm beat flat by 69 % \
         over 84 days; luck alone does that 1 time in 1001 (p = 0.001); qualified needs the \
         registered test at 2.5 (level 0.0125), it has 1.61 after 84 of 365 days: qualified in about 47 more \
         days at this rate"
    );
    assert_eq!(
        assess(&refresh()).sentence,
        "candidate may trade: a safe newer snapshot of the arm that serves as provisional: the \
         arm fell behind flat by 9.8 % over 84 days; luck alone does better 7 times in 10 (p = \
         0.69), provisional needs 1 in 5, screened 1 in 100: not at this rate; provisional would \
         take a lead of 16 % in 84 days"
    );
}

#[test]
fn a_grade_is_shown_with_the_rate_at_which_luck_earns_it() {
    let warned = |grade: Grade| {
        let mut evidence = refresh();
        evidence.stream.as_mut().unwrap().champion_grade = Some(grade);
        assess(&evidence).warnings[0].clone()
    };
    let worth = "an arm without any skill reaches";
    let source = "at the default levels (measured on simulated markets, docs/evidence.md)";
    assert_eq!(
        warned(Grade::Provisional),
        format!(
            "{worth} provisional at its first look in 21 to 23 %, within a year in 93 to 95 % of the cases {source}"
        )
    );
    assert_eq!(
        warned(Grade::Screened),
        format!(
            "{worth} screened within 30 days in 2 to 4 %, within a year in 16 to 23 % of the cases {source}"
        )
    );
    assert!(warned(Grade::Qualified).contains("in 1.1 % at 0.0125; here the level is 0.0125"));
}
