//! Pictures of rates.

use walkforward_report::{RatePanel, RatePlot, RatePoint, RateSeries, RateStyle, rates_svg};

use crate::well_formed::text_of;

fn series(name: &str, style: RateStyle, points: &[(f64, f64)]) -> RateSeries {
    let point = |&(x, rate): &(f64, f64)| RatePoint { x, rate, standard_error: 0.02 };
    RateSeries {
        name: name.to_owned(),
        style,
        is_dashed: style == RateStyle::Other,
        points: points.iter().map(point).collect(),
    }
}

fn plot() -> RatePlot {
    let ends = |low: f64| [(0.0, low), (1.0, 0.5), (2.0, 0.9)];
    RatePlot {
        title: "What <the> rules promote".to_owned(),
        notes: vec!["A note that is long enough to need a second line ".repeat(4)],
        x_label: "True annual Sharpe ratio".to_owned(),
        panels: vec![RatePanel {
            title: "One arm".to_owned(),
            y_label: "share of the worlds".to_owned(),
            series: vec![
                series("provisional", RateStyle::Provisional, &ends(0.4)),
                series("screened", RateStyle::Screened, &ends(0.1)),
                series("qualified", RateStyle::Qualified, &ends(0.01)),
                series("e-process", RateStyle::Other, &ends(0.0)),
            ],
        }],
    }
}

/// The picture's text, once it is known to be well-formed and complete in itself.
fn drawn(plot: &RatePlot) -> (String, String) {
    let picture = rates_svg(plot);
    let inner = picture.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let text = text_of(&format!("<!DOCTYPE html>\n{inner}")).unwrap();
    for outside in ["url(", "href", "@import", "<script", "NaN", "inf"] {
        assert!(!picture.contains(outside), "{outside}");
    }
    (picture, text)
}

#[test]
fn each_curve_has_its_points_errors_and_name() {
    let (picture, text) = drawn(&plot());
    assert_eq!(picture.matches("class=\"error\"").count(), 12);
    // A mark for each point, and one for each name.
    assert_eq!(picture.matches("class=\"mark\"").count(), 12 + 4);
    for part in [
        "What <the> rules promote",
        "One arm",
        "share of the worlds",
        "True annual Sharpe ratio",
        "e-process",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    assert!(text.contains("screened: 10.00\u{202f}% ± 2.00\u{202f}% at 0, 50.00"), "{text}");
    assert!(picture.contains("prefers-color-scheme:dark") && picture.contains("role=\"img\""));
    assert_eq!(picture, rates_svg(&plot()));
}

#[test]
fn a_higher_rate_lies_higher_and_a_larger_gap_further_right() {
    let (picture, _) = drawn(&plot());
    let line = picture.split("class=\"screened\"").nth(2).unwrap().split(" d=\"M").nth(1).unwrap();
    let place = |pair: &str| {
        let (x, y) = pair.split_once(' ').unwrap();
        (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap())
    };
    let places: Vec<(f64, f64)> = line.split('"').next().unwrap().split('L').map(place).collect();
    assert_eq!(places.len(), 3);
    assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1), "{places:?}");
}

#[test]
fn one_gap_none_and_numbers_that_are_none_make_a_picture() {
    let mut one = plot();
    one.panels[0].series = vec![series("a", RateStyle::Screened, &[(1.0, 0.5)])];
    assert_eq!(drawn(&one).0.matches("class=\"error\"").count(), 1);
    one.panels[0].series[0].points =
        [f64::NAN, f64::INFINITY, 1e300].map(|x| RatePoint { x, rate: x, standard_error: x }).to_vec();
    assert_eq!(drawn(&one).0.matches("class=\"error\"").count(), 0);
    one.panels.clear();
    drawn(&one);
    let many = RatePlot { panels: vec![plot().panels.remove(0); 50], ..plot() };
    assert_eq!(drawn(&many).0.matches("class=\"name\"").count(), 6);
}
