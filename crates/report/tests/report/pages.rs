//! Pages of reports as they come, and as they should not come.

use walkforward_core::{
    ActionMap, EvaluationReport, EvaluationWarning, Metrics, QualityFigures, QualityReport, RejectedRow,
    SampleFigures, SuppliedBy, Timestamp, TradeRecord,
};
use walkforward_report::{ModelReport, PriceSeries, Role, Subject, html};

use crate::data::{broken, model, sample};
use crate::well_formed::text_of;

/// The page's text, once it is known to be well-formed, complete in itself, and free of what is no number.
fn page(report: &ModelReport) -> (String, String) {
    let page = html(report);
    let text = text_of(&page).unwrap();
    let is_number = |word: &str| !matches!(word, "NaN" | "inf" | "Infinity");
    assert!(page.split(|char: char| !char.is_alphanumeric()).all(is_number));
    for outside in ["src=", "url(", "@import", "href=\"h", "href=\"/", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    (page, text)
}

fn empty() -> ModelReport {
    ModelReport::new("Empty", model(0), "BTC/USD".parse().unwrap(), "1h".parse().unwrap())
}

#[test]
fn every_section_is_there_and_linked() {
    let (page, _) = page(&sample(500, 60, 1));
    let ids = [
        "metrics",
        "samples",
        "equity",
        "trading",
        "actions",
        "trades",
        "gate",
        "data",
        "lineage",
        "training",
        "provenance",
    ];
    let at: Vec<usize> = ids.iter().map(|id| page.find(&format!("<section id=\"{id}\"")).unwrap()).collect();
    assert!(at.is_sorted(), "the sections stand in reading order");
    assert!(ids.iter().all(|id| page.contains(&format!("href=\"#{id}\""))));
    let verdict = page.find("class=\"sentence\"").unwrap();
    assert!(verdict < at[0], "the verdict comes first");
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(html(&sample(500, 60, 1)), html(&sample(500, 60, 1)));
}

#[test]
fn a_report_reads_back_from_json() {
    let report = sample(50, 60, 1);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ModelReport>(&json).unwrap(), report);
}

#[test]
fn every_chart_and_table_has_words_for_those_who_cannot_see_it() {
    let (page, _) = page(&sample(500, 60, 1));
    for part in page.split("class=\"chart\"").skip(1) {
        let tag = part.split('>').next().unwrap();
        assert!(tag.contains("role=\"img\"") && tag.contains("aria-label=\""), "{tag}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<table aria-label=\"").count());
    assert_eq!(page.matches("<th ").count(), page.matches("<th scope=\"").count());
    assert_eq!(page.matches("<h1").count(), 1);
}

#[test]
fn the_figures_of_the_candidate_stand_beside_those_of_the_champion() {
    let mut report = sample(300, 60, 1);
    let figures = [(0, 0.125, 0.08), (1, 0.1, 0.05)];
    for (subject, total_return, max_drawdown) in figures {
        report.subjects[subject].metrics = Metrics {
            total_return: Some(total_return),
            max_drawdown: Some(max_drawdown),
            trades: Some(12_345),
            ..Metrics::default()
        };
    }
    let (page, text) = page(&report);
    for shown in ["+12.50\u{202f}%", "+10.00\u{202f}%", "+2.50\u{202f}pp", "+3.00\u{202f}pp", "12,345"] {
        assert!(text.contains(shown), "{shown}");
    }
    let difference = |text: &str, word: &str| format!("{text}<span class=\"sub {word}\">{word}</span>");
    assert!(page.contains(&difference("+2.50\u{202f}pp", "better")), "more return is better");
    assert!(page.contains(&difference("+3.00\u{202f}pp", "worse")), "more drawdown is worse");
}

#[test]
fn an_empty_report_says_what_is_missing() {
    let (_, text) = page(&empty());
    let said = [
        "no gate has judged it",
        "Nobody was measured",
        "There is no equity curve",
        "There are no bars to show trades on",
        "No decisions were recorded",
        "The bars that the model learned from were not measured",
        "The candidate closed no trade",
        "Nothing was recorded about the bars",
        "No ancestors were recorded",
        "No training was recorded",
    ];
    for sentence in said {
        assert!(text.contains(sentence), "{sentence}");
    }
}

#[test]
fn one_bar_makes_a_page() {
    for bars in [1, 2] {
        let (_, text) = page(&sample(bars, 60, 1));
        assert!(text.contains("Buy and hold"));
    }
}

#[test]
fn without_a_champion_there_is_no_difference_and_the_baseline_is_named() {
    let mut report = sample(300, 60, 1);
    report.subjects.retain(|subject| subject.role != Role::Champion);
    let (_, text) = page(&report);
    assert!(!text.contains("Champion") && !text.contains("Difference"));
    assert!(text.contains("Buy and hold +") || text.contains("Buy and hold −"));
}

#[test]
fn the_figures_of_a_broken_candidate_are_dashes_and_its_problem_is_said_once() {
    let (page, text) = page(&broken(300));
    assert!(page.contains("<span class=\"spoken\">undefined</span>"));
    assert!(text.contains("The model may not trade: its weights hold a number that is not finite"));
    assert_eq!(text.matches("its weights hold a number").count(), 1);
    assert!(text.contains("The candidate made no trade on these bars"));
}

#[test]
fn numbers_that_are_none_are_dashes() {
    let mut report = sample(300, 60, 1);
    let candidate = &mut report.subjects[0];
    candidate.metrics = Metrics {
        total_return: Some(f64::NAN),
        sharpe: Some(f64::INFINITY),
        calmar: Some(f64::NEG_INFINITY),
        ..Metrics::default()
    };
    candidate.equity.iter_mut().skip(100).for_each(|value| *value = f64::INFINITY);
    candidate.position[7] = f64::NAN;
    candidate.trades.push(trade(f64::NAN));
    report.bars.closes[3] = f64::NAN;
    report.training.as_mut().unwrap().metrics.insert("loss".to_owned(), f64::NAN);
    let (_, text) = page(&report);
    assert!(text.contains("201 points lie too far from the start to be drawn"));
}

fn trade(return_on_entry: f64) -> TradeRecord {
    let opened_at: Timestamp = "2024-04-02".parse().unwrap();
    let closed_at = opened_at.plus_millis(3_600_000);
    TradeRecord {
        opened_at,
        closed_at,
        entry_notional: 1_000.0,
        pnl: 1_000.0 * return_on_entry,
        return_on_entry,
    }
}

#[test]
fn html_in_any_text_stays_text() {
    let evil = "<script>alert('&\"')</script>";
    let mut report = sample(100, 60, 1);
    report.title = evil.to_owned();
    report.status = evil.to_owned();
    report.warnings = vec![evil.to_owned()];
    report.subjects.iter_mut().for_each(|subject| {
        subject.name = evil.to_owned();
        subject.problems = vec![evil.to_owned()];
        subject.supplied_by = SuppliedBy::File { path: evil.to_owned(), sha256: evil.to_owned() };
        subject.actions.iter_mut().for_each(|action| action.action = evil.to_owned());
    });
    let verdict = report.verdict.as_mut().unwrap();
    verdict.sentence = evil.to_owned();
    verdict.reason = Some(evil.to_owned());
    verdict.checks.iter_mut().for_each(|check| {
        check.name = evil.to_owned();
        check.sentence = evil.to_owned();
    });
    verdict.warnings = vec![evil.to_owned()];
    report.subjects[0].warnings =
        vec![EvaluationWarning { name: evil.to_owned(), sentence: evil.to_owned() }];
    report.gaps[0].name = evil.to_owned();
    report.lineage.iter_mut().for_each(|ancestor| ancestor.trainer = evil.to_owned());
    report.settings = serde_json::json!({ evil: [evil], "a": { "b": evil } });
    report.provenance.origin = Some(evil.to_owned());
    let training = report.training.as_mut().unwrap();
    training.metrics.insert(evil.to_owned(), 1.0);
    let (page, text) = page(&report);
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(text.matches(evil).count() >= 15, "{}", text.matches(evil).count());
}

#[test]
fn a_year_of_minutes_makes_a_small_page() {
    let report = sample(525_600, 1, 7);
    assert!(report.subjects[0].trades.len() > 1_000);
    let (page, text) = page(&report);
    assert!(page.len() < 500_000, "{} bytes", page.len());
    let lines = page.split(" d=\"").skip(1).map(|path| path.split('"').next().unwrap());
    let points =
        lines.filter(|path| path.matches('M').count() == 1).map(|path| path.matches('L').count() + 1);
    assert!(
        points.max().unwrap() <= 1_203,
        "a line has at most 1,200 points, an area two more and its corner"
    );
    let rest = report.subjects[0].trades.len() - 1_000;
    assert!(text.contains("The latest 1,000 trades"));
    assert!(text.contains(&format!(
        "{},{:03} more earlier trades are not shown.",
        rest / 1_000,
        rest % 1_000
    )));
}

#[test]
fn long_lists_and_texts_are_cut_and_counted() {
    let mut report = sample(100, 60, 1);
    report.warnings = vec!["w".repeat(10_000); 1_000];
    report.subjects = vec![report.subjects[2].clone(); 50];
    report.lineage = vec![report.lineage[0].clone(); 1_000];
    let rejected = RejectedRow { line: 3, reason: "no number".to_owned() };
    let figures =
        QualityFigures { rejected_rows: vec![rejected; 50], rejected_count: 12_345, ..Default::default() };
    report.quality = Some(QualityReport { file: Some(figures.clone()), window: figures });
    report.settings =
        (0..1_000).map(|n| (format!("key-{n:04}"), n.into())).collect::<serde_json::Map<_, _>>().into();
    let (page, text) = page(&report);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    let counted = [
        "801 more warnings are not shown.",
        "42 more models are not shown.",
        "800 more older ancestors are not shown.",
        "12,335 more rejected rows are not shown.",
        "800 more settings are not shown.",
    ];
    for sentence in counted {
        assert!(text.contains(sentence), "{sentence}");
    }
}

#[test]
fn reward_and_profit_in_and_out_of_sample_stand_side_by_side() {
    let mut report = sample(300, 60, 1);
    let span = report.judged_span.unwrap();
    let figures = |reward: f64, net_pnl_quote: f64| SampleFigures {
        span,
        bars: 200,
        reward,
        net_pnl_quote,
        total_return: Some(net_pnl_quote / 10_000.0),
        sharpe: None,
        trades: 3,
    };
    report.subjects.truncate(1);
    report.subjects[0].in_sample = Some(figures(0.5, 1_234.5));
    report.subjects[0].out_of_sample = Some(figures(0.25, -78.0));
    let (_, text) = page(&report);
    let said = [
        "in sample",
        "out of sample",
        "+0.5000",
        "+25.00",
        "+1,234.50",
        "+0.2500",
        "+12.50",
        "−78.00",
        "−0.39",
        "+5.82",
    ];
    for figure in said {
        assert!(text.contains(figure), "{figure}");
    }
}

#[test]
fn the_shares_of_decisions_have_words_where_the_actions_are_known() {
    let measured = |action_map| EvaluationReport {
        action_share: vec![0.25, 0.75],
        action_map,
        ..EvaluationReport::without_figures(model(0).to_string(), SuppliedBy::Backtest)
    };
    for (map, words) in [(Some(ActionMap::LongFlat), ["Flat", "Long"]), (None, ["Action 0", "Action 1"])] {
        let mut report = empty();
        report.subjects = vec![Subject::of(Role::Candidate, &measured(map))];
        let (_, text) = page(&report);
        for word in words.into_iter().chain(["25.00\u{202f}%", "75.00\u{202f}%"]) {
            assert!(text.contains(word), "{word}");
        }
    }
}

#[test]
fn warnings_of_the_gate_and_of_the_evaluation_stand_under_the_verdict_once() {
    let mut report = sample(300, 60, 1);
    let sentence = "its profit is that of its only trade";
    let warning = EvaluationWarning { name: "one_trade_decides".to_owned(), sentence: sentence.to_owned() };
    report.subjects[0].warnings = vec![warning];
    let verdict = report.verdict.as_mut().unwrap();
    verdict.warnings =
        vec!["the preset is weak".to_owned(), format!("{}: {sentence}", report.subjects[0].name)];
    let (_, text) = page(&report);
    assert!(text.contains("The preset is weak"));
    assert!(text.contains("Candidate: its profit is that of its only trade (one_trade_decides)"));
    assert_eq!(text.matches(sentence).count(), 1);
}

#[test]
fn yearly_figures_of_less_than_a_year_say_what_they_were_made_of() {
    let (_, short) = page(&sample(336, 60, 1));
    assert!(short.contains("Annualised from 14 days") && short.contains("hardly any does"));
    let total_return = short.find("Total return").unwrap();
    assert!(total_return < short.find("Sharpe ratio").unwrap(), "what was measured comes first");
    let (_, long) = page(&sample(8_784, 60, 1));
    assert!(long.contains("Annualised") && !long.contains("nnualised from"));
}

#[test]
fn supplied_figures_are_said_to_be() {
    let mut report = empty();
    let file = SuppliedBy::File { path: "metrics.json".to_owned(), sha256: "0".repeat(64) };
    let evaluation = EvaluationReport {
        metrics: Metrics { win_rate: Some(0.6), ..Metrics::default() },
        ..EvaluationReport::without_figures(model(0).to_string(), file)
    };
    report.subjects = vec![Subject::of(Role::Candidate, &evaluation)];
    let (_, text) = page(&report);
    assert!(text.contains("Figures supplied by the file metrics.json"));
    assert!(text.contains("60.00\u{202f}%"));
}

#[test]
fn a_subject_starts_with_one_and_compounds_its_returns() {
    let mut report = sample(3, 60, 1).subjects.swap_remove(0);
    report.equity.truncate(1);
    assert_eq!(report.equity, [1.0]);
    let times: Vec<Timestamp> = (1..3).map(|hour| Timestamp::EPOCH.plus_millis(hour * 3_600_000)).collect();
    let evaluation = EvaluationReport {
        judged_span: walkforward_core::Window::new(Timestamp::EPOCH, times[1]).ok(),
        bar_close: times.clone(),
        net_return: vec![0.5, -0.5],
        position: vec![1.0, 1.0],
        ..EvaluationReport::without_figures("flat", SuppliedBy::Backtest)
    };
    let subject = Subject::of(Role::Baseline, &evaluation);
    assert_eq!(subject.equity, [1.0, 1.5, 0.75]);
    assert_eq!(subject.equity_times, [Timestamp::EPOCH, times[0], times[1]]);
}

#[test]
fn a_growth_of_many_times_gets_a_logarithmic_scale() {
    let mut report = sample(300, 60, 1);
    report.subjects.truncate(1);
    let candidate = &mut report.subjects[0];
    candidate.equity = (0..candidate.equity.len()).map(|bar| 1.01_f64.powi(bar as i32)).collect();
    let (_, text) = page(&report);
    assert!(text.contains("the scale is logarithmic") && text.contains("×10"));
}

#[test]
fn prices_without_trades_and_trades_without_prices_make_a_page() {
    let mut report = sample(300, 60, 1);
    report.subjects.clear();
    let (_, text) = page(&report);
    assert!(text.contains("The candidate made no trade on these bars"));
    let mut report = sample(300, 60, 1);
    report.bars = PriceSeries::default();
    let (_, text) = page(&report);
    assert!(text.contains("Candidate’s position"));
}

#[test]
fn a_short_position_lies_below_flat() {
    let mut report = sample(300, 60, 1);
    assert!(!page(&report).0.contains(">short<"));
    report.subjects[0].position[100..150].fill(-0.5);
    let (page, _) = page(&report);
    assert!(page.contains(">short<"), "the strip has a row for it");
    assert!(page.contains("height=\"84\""), "and room");
}
