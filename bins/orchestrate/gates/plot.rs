//! What the worlds came to, as a picture.

use walkforward_report::{RatePanel, RatePlot, RatePoint, RateSeries, RateStyle, rates_svg};
use walkforward_simulation::{ArmOutcome, LineOutcome, Share, Snapshots};

use super::simulate::Report;
use super::tables::{against, kind, worlds};

type OfArm = (&'static str, RateStyle, fn(&ArmOutcome) -> &Share);
type OfLine = (&'static str, RateStyle, fn(&LineOutcome) -> &Share);

/// Shares of the worlds in which one arm reached a grade.
const OF_ARM: [OfArm; 4] = [
    ("provisional", RateStyle::Provisional, |it| &it.provisional.ever),
    ("screened", RateStyle::Screened, |it| &it.screened.ever),
    ("qualified, registered test", RateStyle::Qualified, |it| &it.qualified.ever),
    ("qualified, e-process alone", RateStyle::Other, |it| &it.betting.ever),
];
/// Shares of the lines whose champion's arm reached a grade. A line begins to trade at provisional.
const OF_LINE: [OfLine; 2] = [
    ("screened", RateStyle::Screened, |it| &it.screened),
    ("qualified", RateStyle::Qualified, |it| &it.qualified),
];

/// The picture of `report`.
pub(super) fn svg(report: &Report) -> String {
    let asked = &report.asked;
    let panels = std::iter::once(of_arms(report)).chain(of_lines(report)).collect();
    rates_svg(&RatePlot {
        title: "How often the rules give each grade, by what the arm is truly worth".to_owned(),
        notes: vec![
            format!("{}.", worlds(asked)),
            "For one arm, every grade at 0 and below is luck. Bars are one standard error; curves stand a little apart so that \
             they do not cover each other."
                .to_owned(),
        ],
        x_label: "True gap: annual Sharpe ratio of the arm less its reference's, after costs".to_owned(),
        panels,
    })
}

fn of_arms(report: &Report) -> RatePanel {
    let series = |(name, style, share): &OfArm| RateSeries {
        name: (*name).to_owned(),
        style: *style,
        is_dashed: *style == RateStyle::Other,
        points: points(report.arms.iter().map(|outcome| (outcome.gap, share(outcome)))),
    };
    RatePanel {
        title: format!("One arm with consistent snapshots against {}", against(&report.asked)),
        y_label: format!("worlds with the grade in {} days", report.asked.days),
        series: OF_ARM.iter().map(series).collect(),
    }
}

/// None where no lines were simulated.
fn of_lines(report: &Report) -> Option<RatePanel> {
    let asked = &report.asked;
    let rows = |snapshots| report.lines.iter().filter(move |row| row.snapshots == snapshots);
    let series = |snapshots: Snapshots| {
        OF_LINE.map(|(name, style, share)| RateSeries {
            name: format!("{name}, {} snapshots", kind(snapshots)),
            style,
            is_dashed: snapshots != Snapshots::Consistent,
            points: points(rows(snapshots).map(|row| (row.gap, share(&row.outcome)))),
        })
    };
    (!report.lines.is_empty()).then(|| RatePanel {
        title: format!(
            "The champion of a line of {} arms, one with the gap: {} lines for each gap",
            asked.rules.max_arms, asked.line_worlds
        ),
        y_label: format!("lines with the grade in {} days", asked.days),
        series: [Snapshots::Consistent, asked.independent].into_iter().flat_map(series).collect(),
    })
}

/// Points from left to right.
fn points<'a>(shares: impl Iterator<Item = (f64, &'a Share)>) -> Vec<RatePoint> {
    let point = |(x, share): (f64, &Share)| RatePoint {
        x,
        rate: share.rate(),
        standard_error: share.standard_error(),
    };
    let mut points: Vec<RatePoint> = shares.map(point).collect();
    points.sort_by(|one, other| one.x.total_cmp(&other.x));
    points
}
