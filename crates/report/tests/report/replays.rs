//! Pages about replays.

use walkforward_core::{Timestamp, Window};
use walkforward_report::{ReplayChange, ReplayEquity, ReplayReport, replay_html};

use crate::well_formed::text_of;

const HOUR_MS: i64 = 3_600_000;

fn at(hour: i64) -> Timestamp {
    "2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap().plus_millis(hour * HOUR_MS)
}

fn equity(name: &str, bars: i64, change: f64) -> ReplayEquity {
    ReplayEquity {
        name: name.to_owned(),
        explanation: "as <it> is".to_owned(),
        bar_close: (1..=bars).map(at).collect(),
        net_return: vec![change; bars as usize],
        total_return: (bars > 0).then(|| (1.0 + change).powi(bars as i32) - 1.0),
        sharpe: None,
        max_drawdown: Some(0.0),
        exposure: Some(f64::NAN),
    }
}

fn report(bars: i64, changes: i64) -> ReplayReport {
    let change = |hour: i64| ReplayChange {
        at: at(hour),
        kind: "takeover".to_owned(),
        model: Some(format!("model-{hour}")),
        grade: None,
        sentence: "it may <trade>".to_owned(),
    };
    ReplayReport {
        line: "trial".parse().unwrap(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        span: Window::new(at(0), at(500)).unwrap(),
        cycles: 20,
        equities: vec![equity("The line", bars, 0.001), equity("Flat & still", bars, 0.0)],
        changes: (0..changes).map(change).collect(),
        changes_left_out: usize::from(changes > 4_000),
        refusals: vec![("too_early".to_owned(), 7)],
        grading: None,
        settings: vec![("Arm".to_owned(), "0123456789abcdef".to_owned())],
        notes: vec!["Whoever chose this knew the bars.".to_owned()],
    }
}

#[test]
fn a_page_tells_who_traded_what_it_earned_and_what_was_refused() {
    let page = replay_html(&report(400, 3));
    let text = text_of(&page).unwrap();
    for part in [
        "The line +49.15\u{202f}% after costs; beside it: Flat & still 0.00\u{202f}%.",
        "too_early",
        "it may <trade>",
        "model-2",
        "Whoever chose this knew the bars.",
        "0123456789abcdef",
        "Sharpe ratio, annualised from 21 days",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    assert!(!page.contains("NaN") && page.contains("class=\"line candidate\""));
    assert_eq!(page, replay_html(&report(400, 3)));
}

#[test]
fn each_grade_among_the_champions_is_told_with_what_it_is_worth() {
    let mut replay = report(400, 3);
    assert!(!text_of(&replay_html(&replay)).unwrap().contains("without any skill"));
    for (change, grade) in replay.changes.iter_mut().zip(["screened", "provisional", "screened"]) {
        change.grade = Some(grade.to_owned());
    }
    let text = text_of(&replay_html(&replay)).unwrap();
    for grade in ["provisional", "screened"] {
        let worth = format!("An arm without any skill reaches {grade}");
        assert_eq!(text.matches(&worth).count(), 1, "{worth}");
    }
    assert!(!text.contains("reaches qualified"));
}

#[test]
fn a_replay_without_a_bar_and_one_with_thousands_of_changes_have_a_page() {
    let text = text_of(&replay_html(&report(0, 0))).unwrap();
    assert!(text.contains("No model ever traded.") && text.contains("There is no equity curve"), "{text}");
    let mut nothing = report(0, 0);
    nothing.equities.clear();
    nothing.refusals.clear();
    assert!(text_of(&replay_html(&nothing)).unwrap().contains("No bar was scored."));
    let text = text_of(&replay_html(&report(9_000, 5_000))).unwrap();
    assert!(text.contains("4,801 more changes are not shown."), "{text}");
}
