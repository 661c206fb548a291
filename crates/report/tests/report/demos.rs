//! Pages about demonstrations.

use walkforward_report::{DemoReport, demo_html};

use crate::arms::demo;
use crate::well_formed::text_of;

#[test]
fn the_markets_stand_beside_each_other_with_what_each_rule_made_of_them() {
    let page = demo_html(&demo());
    let text = text_of(&page).unwrap();
    for part in [
        "With an edge: Walkforward +",
        "(4 promotions)\nBeside it: Every snapshot at once",
        "(30 promotions), Preset thresholds",
        "Without one: Walkforward",
        "(0 promotions)",
        "30 cycles of BTC/USD, 1h",
        "annualised from 30 days",
        "An arm without any skill reaches provisional at its first look",
        "too_early",
        "Thirty days on invented bars say nothing about a real market.",
        "orchestrate demo --seed 1",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    assert_eq!(page.matches("class=\"chart\"").count(), 2);
    assert_eq!(page.matches("class=\"pair markets\"").count(), 1);
    assert!(!page.contains("NaN") && !page.contains("href=\"h") && !page.contains("src="));
    assert_eq!(page, demo_html(&demo()));
}

#[test]
fn both_charts_have_the_same_scale() {
    let page = demo_html(&demo());
    let lows: Vec<&str> =
        page.split("data-low=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let highs: Vec<&str> =
        page.split("data-high=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!((lows.len(), highs.len()), (2, 2));
    assert!(lows[0] == lows[1] && highs[0] == highs[1], "{lows:?} {highs:?}");
}

#[test]
fn a_proof_that_failed_is_told_first_and_by_more_than_a_colour() {
    let mut report = demo();
    let text = text_of(&demo_html(&report)).unwrap();
    assert!(text.contains("1 of 4 proofs failed"), "{text}");
    assert!(text.contains("✕") && text.contains("Failed") && text.contains("✓") && text.contains("Held"));
    assert!(text.contains("A feature that knows the <next> bar") && text.contains("12:00"), "{text}");
    report.proofs.retain(|proof| proof.held);
    let text = text_of(&demo_html(&report)).unwrap();
    assert!(text.contains("All of 3 proofs held") && !text.contains("failed"), "{text}");
}

#[test]
fn a_demonstration_of_nothing_has_a_page() {
    let mut report = demo();
    report.markets.iter_mut().for_each(|market| market.equities.clear());
    let text = text_of(&demo_html(&report)).unwrap();
    assert!(text.contains("With an edge: no bar was scored."), "{text}");
    report.markets.clear();
    report.proofs.clear();
    report.settings.clear();
    let text = text_of(&demo_html(&report)).unwrap();
    assert!(
        text.contains("No market was replayed.") && text.contains("Nothing was put to the proof."),
        "{text}"
    );
}

#[test]
fn undefined_figures_are_dashes_and_rows_that_do_not_fit_are_cut() {
    let mut report = demo();
    let equity = &mut report.markets[0].equities[0].equity;
    (equity.total_return, equity.sharpe) = (Some(f64::NAN), Some(f64::INFINITY));
    let rows = report.proofs[2].rows.as_mut().unwrap();
    rows.rows = vec![Vec::new(), vec!["cell".to_owned(); 9]];
    let page = demo_html(&report);
    let text = text_of(&page).unwrap();
    assert!(text.contains("With an edge: Walkforward nothing (4 promotions)"), "{text}");
    assert!(!page.contains("NaN") && !text.contains("inf"));
    assert_eq!(text.matches("cell\n").count(), 3, "{text}");
}

#[test]
fn a_demonstration_reads_back_from_json() {
    let report = demo();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<DemoReport>(&json).unwrap(), report);
}
