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
    let crossing = "a sequential test of the two (level 0.0125 today) had been crossed by the bar that closed at 2024-03-24T08:00:00.000Z";
    let ledger = |horizon| StreamEvidence { horizon: Some(horizon), ..stream(6_000, -1.0, 1) };
    let broken = Horizon { broken: Some("paused".to_owned()), crossed_at: Some(close), ..registered(0) };
    let expected = format!("{behind}; {crossing}; that the test is broken since (paused) does not undo it");
    told(&ledger(broken), &expected);
    let renewed = Horizon { crossed_at: Some(close), ..registered(5_000) };
    told(&ledger(renewed), &format!("{behind}; {crossing}; what the test of now says does not undo it"));
}

#[test]
fn a_lead_on_too_few_decisions_is_told_with_what_is_missing() {
    let mut held = stream(1_440, 8.0, 1);
    held.arm_position.fill(1.0);
    told(
        &held,
        "the arm beat flat by 45 % over 60 days; luck alone does that 1 time in 222 (p = 0.0045); \
         qualified needs the registered test at 2.5 (level 0.0125), it has 1.04 after 60 of 365 days; by \
         these figures alone the arm would be screened, but 0 closed trades of the arm are too few to judge by, 10 are needed, and \
         1 separate stretch on which the arm and its reference differ is too few to judge by, 20 are needed: \
         at this rate that never changes",
    );
    held.arm_position = (0..1_440).map(|bar| f64::from(u8::from(bar % 96 < 48))).collect();
    told(
        &held,
        "the arm beat flat by 45 % over 60 days; luck alone does that 1 time in 222 (p = 0.0045); \
         qualified needs the registered test at 2.5 (level 0.0125), it has 1.04 after 60 of 365 days; by \
         these figures alone the arm would be screened, but 15 separate stretches on which the arm and its reference differ are too \
         few to judge by, 20 are needed: screened in about 20 more days at this rate",
    );
    let mut behind = stream(720, -3.0, 1);
    behind.arm_position.fill(1.0);
    told(
        &behind,
        "the arm fell behind flat by 23 % over 30 days; luck alone does better nearly always (p = \
         0.97), provisional needs 1 in 5, screened 1 in 100; 0 closed trades of the arm are too few to \
         judge by, 10 are needed, and 1 separate stretch on which the arm and its reference differ is too \
         few to judge by, 20 are needed: not at this rate; provisional would take a lead of 18 % in 84 days",
    );
}

#[test]
fn bars_that_were_known_are_told_with_what_a_search_finds_on_them() {
    let warned = |replayed_bars: usize| {
        let mut evidence = takeover();
        evidence.stream.as_mut().unwrap().replayed_bars = replayed_bars;
        assess(&evidence).warnings.into_iter().find(|warning| warning.contains("replayed"))
    };
    assert_eq!(warned(1_008), None, "no more than half");
    let expected = "1009 of the 2016 bars of the evidence were replayed, so that whoever chose the arm may have known them: \
                    of 20 settings without skill tried on them, 18 in 100 searches find one that is screened by luck (one \
                    look each, settings that have nothing in common)";
    assert_eq!(warned(1_009).as_deref(), Some(expected));
    // The window has left them behind.
    let mut later = takeover();
    later.stream = Some(StreamEvidence { replayed_bars: 2_016, ..stream(3_048, 8.0, 1) });
    assert!(!assess(&later).warnings.iter().any(|warning| warning.contains("replayed")));
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
    let source = "(default levels, simulated markets: docs/evidence.md)";
    let market = "of the cases in a market without drift";
    assert_eq!(
        warned(Grade::Provisional),
        format!(
            "{worth} provisional at its first look in 21 to 23 %, within a year in 93 to 95 % {market}; a line of four such \
             arms changes its champion five to six times a year {source}"
        )
    );
    assert_eq!(
        warned(Grade::Screened),
        format!(
            "{worth} screened within 30 days in 2 to 4 %, within a year in 16 to 23 % {market}; on a line of four such arms a \
             champion's arm does in 60 to 63 % of the years {source}"
        )
    );
    assert!(warned(Grade::Qualified).contains("of the years; here the level is 0.0125 (default levels"));
}

/// The table of whole lines has the rates of lines without skill, for consistent snapshots and for independent ones.
#[test]
fn the_rates_of_a_line_are_those_of_the_page() {
    let page = include_str!("../../../../docs/evidence.md");
    let rows = ["| consistent | 0 |", "| independent | 0 |"]
        .map(|begin| page.lines().find(|line| line.starts_with(begin)).unwrap());
    let rate = |row: &str, column: usize| {
        let cell = row.split('|').nth(column).unwrap();
        cell.split('±').next().unwrap().trim().to_owned()
    };
    let [screened, qualified] = [7, 8]
        .map(|column| format!("in {} to {} % of the years", rate(rows[0], column), rate(rows[1], column)));
    assert!(Grade::Screened.reached_by_luck().ends_with(&screened), "{screened}");
    assert!(Grade::Qualified.reached_by_luck().ends_with(&qualified), "{qualified}");
    let takeovers = rows.map(|row| rate(row, 3).parse::<f64>().unwrap());
    assert!(takeovers.iter().all(|count| (5.0..=6.0).contains(count)), "{takeovers:?}");
}
