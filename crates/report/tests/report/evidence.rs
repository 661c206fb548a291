//! Evidence meters: on the pages of models and replays, and on one of their own.

use serde_json::{Value, json};
use walkforward_core::{Grade, Grading, Judgement};
use walkforward_report::{ArmReport, EvidenceReport, Gauge, MeterReport, evidence_html, gauges, html};

use crate::arms::{arms, grading};
use crate::data::sample;
use crate::well_formed::text_of;

fn gauge_of(grading: &Grading, name: &str) -> Gauge {
    let all = gauges(&MeterReport::of(grading).unwrap());
    all.into_iter().find(|gauge| gauge.name == name).unwrap()
}

/// The grading of an arm whose meter has `value` at `path`.
fn changed(path: &str, value: Value) -> Grading {
    let mut grading = grading(1, None, 0.07);
    *grading.meter.pointer_mut(path).unwrap() = value;
    grading
}

#[test]
fn a_models_page_has_its_arms_meter_and_one_without_has_none() {
    let mut report = sample(300, 60, 1);
    assert!(!html(&report).contains("id=\"evidence\""));
    report.verdict.as_mut().unwrap().grading = Some(grading(0xa1b2, Some(Grade::Screened), 0.007));
    let page = html(&report);
    let text = text_of(&page).unwrap();
    assert!(page.contains("<section id=\"evidence\"") && page.contains("href=\"#evidence\""));
    for part in [
        "Screened",
        "000000000000a1b2",
        "An arm without any skill reaches screened within 30 days",
        "The arm beat flat by 4.1 % over 56 days",
        "1,356",
        "in 12 bars",
        "about 12 hours on; 24 bars from look to look",
        "34 stretches",
        "20 are needed; the two differ on 812 of 1,344 bars",
        "p = 0.007",
        "provisional at 0.2, screened at 0.01; a lead of +4.10\u{202f}% over 56 days",
        "Z = 0.41",
        "2.51 qualifies; 1,344 of 8,760 live bars",
        "log E = 0.33",
        "of 1.25\u{202f}%, the level of this test; tests that a line registers within a year add up to at most 5\u{202f}%, \
         those of all other pairs of the database to at most 5\u{202f}% more, by e-LOND",
        "10 are needed for any grade",
        "Over 56 days the arm made 4.1 % after costs; the asset, held at the arm's mean exposure of 85 %",
        "the arm goes on deciding as often as so far",
        "If there is no lead",
        "If the lead is a Sharpe ratio of 2",
        "365 days",
        "Above the best of 3 arms without skill",
        "Of the 3 arms: their ratios are taken to vary as those of arms without skill do over as many bars.",
        "16,231",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
}

#[test]
fn every_grade_that_a_chance_is_told_for_has_the_rate_at_which_luck_gets_there() {
    let mut report = sample(300, 60, 1);
    report.verdict.as_mut().unwrap().grading = Some(grading(1, None, 0.4));
    let text = text_of(&html(&report)).unwrap();
    for grade in Grade::ALL {
        assert!(
            text.contains(&format!("An arm without any skill {} (default levels", grade.reached_by_luck())),
            "{grade}"
        );
    }
    assert!(text.contains("No grade yet"));
}

#[test]
fn a_grade_that_a_refresh_kept_is_told_beside_what_the_ledger_says() {
    let mut report = sample(300, 60, 1);
    let kept = Grading { earned: None, ..grading(1, Some(Grade::Provisional), 0.6) };
    report.verdict.as_mut().unwrap().grading = Some(kept);
    let text = text_of(&html(&report)).unwrap();
    assert!(text.contains("A refresh keeps the grade; the ledger alone says no grade now."), "{text}");
}

#[test]
fn gauges_fill_towards_their_limits() {
    let luck = |p: f64| gauge_of(&grading(1, None, p), "Luck does as well");
    let fills = [1.0, 0.2, 0.01, 0.002, 1e-9].map(|p| luck(p).fill.unwrap());
    assert!((fills[0], fills[3], fills[4]) == (0.0, 1.0, 1.0) && fills.is_sorted(), "{fills:?}");
    assert_eq!(luck(0.2).limits, fills[1..3], "a figure at its limit stands at the limit's mark");
    let z = |z: f64| gauge_of(&changed("/standing/sequential/z", json!(z)), "Registered test");
    assert_eq!([z(-3.0).fill, z(2.51).fill, z(9.0).fill], [Some(0.0), Some(0.8), Some(1.0)]);
    assert_eq!(z(0.0).limits, [0.8]);
    let next = |bars: u64| gauge_of(&changed("/standing/nextLookInBars", json!(bars)), "Next look").fill;
    assert_eq!([next(12), next(0)], [Some(0.5), Some(1.0)]);
    let stretches = |count: u64| {
        gauge_of(&changed("/standing/differingStretches", json!(count)), "Where the two differ").fill
    };
    assert_eq!([stretches(0), stretches(20), stretches(99)], [Some(0.0), Some(0.8), Some(1.0)]);
}

#[test]
fn before_the_first_look_a_meter_counts_towards_it() {
    let mut early = grading(1, None, 0.5);
    for (path, value) in [
        ("/standing/countedBars", json!(84)),
        ("/standing/lookBars", Value::Null),
        ("/standing/looks", json!(0)),
        ("/standing/nextLookInBars", json!(252)),
        ("/standing/recent", Value::Null),
        ("/standing/sequential/z", Value::Null),
        ("/outlooks", json!([])),
    ] {
        *early.meter.pointer_mut(path).unwrap() = value;
    }
    let [bars, next, luck] =
        ["Counted bars", "Next look", "Luck does as well"].map(|name| gauge_of(&early, name));
    assert_eq!((bars.fill, bars.note.as_str()), (Some(0.25), "the first look is at 336"));
    assert_eq!(next.fill, Some(0.25));
    assert_eq!((luck.value.as_str(), luck.fill), ("–", None));
    assert!(luck.note.ends_with("from the first look on"), "{luck:?}");
    assert_eq!(gauge_of(&early, "Registered test").value, "–");
}

#[test]
fn what_happened_to_a_sequential_test_is_told() {
    let broken = changed("/standing/sequential/broken", json!("it was paused"));
    assert!(
        gauge_of(&broken, "Registered test").note.ends_with("it does not decide any more: it was paused")
    );
    let crossed = changed("/standing/sequential/qualifiedAt", json!(4_000));
    assert!(gauge_of(&crossed, "Registered test").note.ends_with("; crossed at bar 4,000"));
    let mut earlier = broken.clone();
    earlier.meter["standing"]["sequential"]["crossedBefore"] = json!("2024-02-01T00:00:00Z");
    let note = gauge_of(&earlier, "Registered test").note;
    assert!(note.ends_with("it was paused; crossed at 1 Feb 2024, 00:00 UTC, which stays"), "{note}");
    let fell = changed("/standing/sequential/boundBrokenAt", json!(5));
    let fell = gauge_of(&fell, "E-process");
    assert!(fell.value == "E = 0" && fell.note.contains("E is 0 for good"), "{fell:?}");
    let unregistered = changed("/standing/sequential/horizonBars", Value::Null);
    let names: Vec<&str> =
        gauges(&MeterReport::of(&unregistered).unwrap()).iter().map(|gauge| gauge.name).collect();
    assert!(!names.contains(&"Registered test") && names.contains(&"E-process"), "{names:?}");
}

#[test]
fn bars_of_a_replay_alone_have_no_figure_about_qualified() {
    let mut report = sample(300, 60, 1);
    let replayed = changed("/liveBars", json!(0));
    for name in ["Registered test", "E-process"] {
        let gauge = gauge_of(&replayed, name);
        assert_eq!((gauge.value.as_str(), gauge.fill), ("–", None), "{name}");
        assert_eq!(gauge.note, "live bars only: those of a replay never count for qualified");
    }
    report.verdict.as_mut().unwrap().grading = Some(replayed);
    let text = text_of(&html(&report)).unwrap();
    assert_eq!(text.matches("\nlive bars only\n").count(), 12, "{text}");
    report.verdict.as_mut().unwrap().grading = Some(changed("/liveBars", json!(1)));
    assert!(!text_of(&html(&report)).unwrap().contains("live bars only"));
}

#[test]
fn a_figure_on_too_few_decisions_is_told_as_no_grade() {
    let mut held = grading(1, None, 0.005);
    held.meter["standing"]["grade"] = Value::Null;
    held.meter["standing"]["closedTrades"] = json!(0);
    let trades = gauge_of(&held, "Closed trades");
    assert_eq!((trades.value.as_str(), trades.fill, trades.limits), ("0", Some(0.0), vec![0.8]));
    let luck = gauge_of(&held, "Luck does as well");
    assert!(luck.note.ends_with("; alone it would be screened, on too few decisions"), "{}", luck.note);
    assert!(!gauge_of(&grading(1, None, 0.005), "Luck does as well").note.contains("too few"));
}

#[test]
fn how_holding_did_is_among_the_conditions_and_is_none() {
    let mut report = sample(300, 60, 1);
    let verdict = report.verdict.as_mut().unwrap();
    let before = verdict.checks.len();
    let mut beside = verdict.checks[0].clone();
    (beside.name, beside.judgement) = ("holdingAtExposure".to_owned(), Judgement::Unknown);
    verdict.checks.push(beside);
    let text = text_of(&html(&report)).unwrap();
    assert!(text.contains("Beside holding the asset") && text.contains("No condition"), "{text}");
    assert!(text.contains(&format!("of {before} conditions")), "{text}");
}

#[test]
fn the_champions_arm_is_told_against_its_own_anchor() {
    let mut report = sample(300, 60, 1);
    let mut own = grading(1, Some(Grade::Screened), 0.007);
    own.meter["ownAnchor"] = json!({ "reference": "model-1", "leads": false, "sentence": "it is <early>" });
    report.verdict.as_mut().unwrap().grading = Some(own);
    let text = text_of(&html(&report)).unwrap();
    let sentence = "Newer snapshots do not lead model-1, by which the arm took over: it is <early>";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn a_meter_that_lacks_everything_has_gauges_without_figures() {
    let empty = Grading { meter: json!({}), ..grading(1, None, 0.5) };
    for gauge in gauges(&MeterReport::of(&empty).unwrap()) {
        assert_eq!((gauge.value.as_str(), gauge.fill), ("–", None), "{}", gauge.name);
    }
    let mut report = sample(300, 60, 1);
    report.verdict.as_mut().unwrap().grading = Some(Grading { meter: Value::Null, ..empty });
    assert!(text_of(&html(&report)).unwrap().contains("The verdict recorded no figures about the arm."));
}

#[test]
fn the_page_about_arms_has_each_with_its_meter() {
    let page = evidence_html(&arms());
    let text = text_of(&page).unwrap();
    for part in [
        "4 arms: 1 provisional.",
        "trades now",
        "no snapshot of it was judged yet",
        "<its> arm has no grade",
        "None of them was judged yet.",
        "The verdict recorded no figures about the arm.",
        "An arm without any skill reaches provisional",
        "Line btc: tests registered within a year spend 2.5 % of the 5 % that such may add up to; its other tests begun in that \
         time spend 0.83 % of the 5 % more that those of all pairs of the database may, by e-LOND.",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    for arm in &arms().arms {
        assert!(page.contains(&format!("href=\"#arm-{}\"", arm.arm)));
        assert!(page.contains(&format!("id=\"arm-{}\"", arm.arm)));
    }
    assert_eq!(page.matches("class=\"gauges\"").count(), 2);
    assert_eq!(page, evidence_html(&arms()));
}

#[test]
fn no_arm_and_hundreds_of_arms_have_a_page() {
    let none = EvidenceReport { arms: Vec::new(), ..arms() };
    let text = text_of(&evidence_html(&none)).unwrap();
    assert!(text.contains("0 arms: none has a grade yet.") && text.contains("No arm is known"), "{text}");
    let first = arms().arms.remove(0);
    let many: Vec<ArmReport> = (0..300).map(|_| first.clone()).collect();
    let text = text_of(&evidence_html(&EvidenceReport { arms: many, ..arms() })).unwrap();
    assert!(text.contains("100 more arms are not shown.") && text.contains("260 more meters are not shown."));
}
