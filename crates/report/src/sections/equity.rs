//! Equity and drawdown of everybody.

use walkforward_core::Timestamp;
use walkforward_stats::{DrawdownStats, ReturnSeries, returns_from_equity};

use crate::bounds::MAX_POINTS;
use crate::chart::{Frame, Point, Scale, Tick, TimeAxis, area, decimate, is_drawn, legend, line};
use crate::markup::Element;
use crate::numbers;
use crate::page::{Named, Section, View};
use crate::sections::{counted, graphic, note};

/// Height of the equity chart, pixels.
const EQUITY_HEIGHT: f64 = 280.0;
/// Height of the drawdown chart, pixels.
const DRAWDOWN_HEIGHT: f64 = 150.0;
/// A curve that moves less is drawn as flat.
const LEAST_SPAN: f64 = 0.002;

/// Somebody's growth: factors of the equity at the start.
pub(crate) struct Curve {
    label: String,
    class: String,
    points: Vec<(Timestamp, f64)>,
    /// Points that are no number, or too far away to be drawn.
    left_out: usize,
}

/// Equity, and under it drawdown on the same dates.
pub(crate) fn equity(view: &View<'_>) -> Section {
    let curves: Vec<Curve> = view.subjects.iter().filter_map(Curve::of).collect();
    charts(view.axis.as_ref(), &view.dates, &curves, longest_spell(view))
}

/// Both charts of `curves`, the one that the page is about first.
pub(crate) fn charts(
    axis: Option<&TimeAxis>,
    dates: &[Tick],
    curves: &[Curve],
    caption: Option<String>,
) -> Section {
    let content = match axis {
        Some(axis) if !curves.is_empty() => {
            vec![
                equity_chart(axis, dates, curves, &growth_scale(curves)),
                drawdown_chart(axis, dates, curves, caption),
            ]
        }
        _ => vec![note("There is no equity curve: nothing was traded bar by bar.")],
    };
    Section { id: "equity", title: "Equity", content }
}

impl Curve {
    fn of(named: &Named<'_>) -> Option<Self> {
        let subject = named.subject;
        Self::new(&named.label, &named.class, &subject.equity_times, &subject.equity)
    }

    /// A curve with the style of `class`; none when it starts with nothing.
    pub(crate) fn new(label: &str, class: &str, times: &[Timestamp], equity: &[f64]) -> Option<Self> {
        let start = equity.first().copied().filter(|start| is_drawn(*start) && *start > 0.0)?;
        let points = times.iter().copied().zip(equity.iter().map(|value| value / start));
        let points: Vec<_> = points.filter(|(_, factor)| is_drawn(*factor)).collect();
        let left_out = equity.len().min(times.len()) - points.len();
        let (label, class) = (label.to_owned(), class.to_owned());
        (!points.is_empty()).then_some(Self { label, class, points, left_out })
    }

    fn change(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, factor)| factor - 1.0)
    }

    /// Depth below the running peak, 0 or less.
    fn drawdown(&self) -> Vec<(Timestamp, f64)> {
        let mut peak = f64::MIN_POSITIVE;
        let below = |(time, factor): &(Timestamp, f64)| {
            peak = peak.max(*factor);
            (*time, (factor / peak - 1.0).max(-1.0))
        };
        self.points.iter().map(below).collect()
    }

    fn deepest(&self) -> f64 {
        self.drawdown().iter().map(|(_, depth)| -depth).fold(0.0, f64::max)
    }
}

/// The scale on which all of `curves` have room.
pub(crate) fn growth_scale<'a>(curves: impl IntoIterator<Item = &'a Curve>) -> Scale {
    let factors = curves.into_iter().flat_map(|curve| curve.points.iter().map(|(_, factor)| *factor));
    let (low, high) = factors.fold((1.0, 1.0), |(low, high), it| (f64::min(low, it), f64::max(high, it)));
    Scale::growth(low, high, LEAST_SPAN)
}

/// Equity of `curves`, the one that the page is about first, on `scale`.
pub(crate) fn equity_chart(axis: &TimeAxis, dates: &[Tick], curves: &[Curve], scale: &Scale) -> Element {
    let each =
        curves.iter().map(|curve| format!("{} {}", curve.label, numbers::signed_percent(curve.change())));
    let alternative =
        format!("Change of equity over the judged bars: {}.", each.collect::<Vec<_>>().join(", "));
    let frame = Frame::new(EQUITY_HEIGHT, scale, |tick| scale.growth_label(tick), dates, alternative);
    // The model that the page is about lies on top.
    let lines = curves.iter().rev().map(|curve| {
        let place = |(time, factor): &(Timestamp, f64)| Point {
            x: axis.place(*time),
            y: frame.y(scale.share_of_growth(*factor)),
        };
        let points: Vec<Point> = curve.points.iter().map(place).collect();
        let line = line(&curve.class, &decimate(&points, MAX_POINTS));
        line.attr("data-name", &curve.label)
    });
    let names = curves.iter().map(|curve| {
        (curve.class.clone(), curve.label.clone(), Some(numbers::signed_percent(curve.change())))
    });
    let log = scale.is_log().then(|| "Equal heights are equal factors: the scale is logarithmic.".to_owned());
    let far: usize = curves.iter().map(|curve| curve.left_out).sum();
    let far = (far > 0).then(|| {
        format!("{} too far from the start to be drawn.", counted(far as u64, "point lies", "points lie"))
    });
    let caption: Vec<String> = log.into_iter().chain(far).collect();
    let chart = frame.chart(lines, []);
    let chart = with_readout(chart, axis, &frame, scale, if scale.is_log() { "factor" } else { "change" });
    graphic(None, Some(legend(names)), chart, (!caption.is_empty()).then(|| caption.join(" ")))
}

fn drawdown_chart(axis: &TimeAxis, dates: &[Tick], curves: &[Curve], caption: Option<String>) -> Element {
    let deepest = curves.iter().map(Curve::deepest).fold(0.0, f64::max);
    let scale = Scale::linear(-100.0 * deepest, 0.0, 100.0 * LEAST_SPAN);
    let label = |tick: f64| format!("{}\u{202f}%", scale.number(tick));
    let each = curves.iter().map(|curve| format!("{} {}", curve.label, numbers::percent(curve.deepest())));
    let alternative = format!("Largest drawdown: {}.", each.collect::<Vec<_>>().join(", "));
    let frame = Frame::new(DRAWDOWN_HEIGHT, &scale, label, dates, alternative);
    let mut drawing = Vec::new();
    for curve in curves.iter().rev().filter(|curve| curve.deepest() > 0.0) {
        let place = |(time, depth): &(Timestamp, f64)| Point {
            x: axis.place(*time),
            y: frame.y(scale.share(100.0 * depth)),
        };
        let points: Vec<Point> = curve.drawdown().iter().map(place).collect();
        let points = decimate(&points, MAX_POINTS);
        if curve.class == "candidate" {
            drawing.push(area("candidate", &points, frame.y(scale.share(0.0))));
        }
        drawing.push(line(&curve.class, &points).attr("data-name", &curve.label));
    }
    let names = curves
        .iter()
        .map(|curve| (curve.class.clone(), curve.label.clone(), Some(numbers::percent(curve.deepest()))));
    let chart = with_readout(frame.chart(drawing, []), axis, &frame, &scale, "change");
    let title = Some("Drawdown: how far below the peak so far");
    graphic(title, Some(legend(names)), chart, caption)
}

/// How long the candidate stayed below a peak.
fn longest_spell(view: &View<'_>) -> Option<String> {
    let candidate = view.candidate()?;
    let returns = returns_from_equity(&candidate.subject.equity).ok()?;
    // The length of a spell has no part in the year.
    let stats = DrawdownStats::of(&ReturnSeries::new(&returns, 1.0).ok()?);
    let bars = counted(stats.max_drawdown_duration as u64, "bar", "bars");
    (stats.max_drawdown_duration > 0).then(|| {
        format!(
            "The candidate’s longest spell below a peak lasted {bars} of {}.",
            numbers::whole(returns.len() as u64)
        )
    })
}

/// What the script needs to tell time and values under the pointer.
pub(super) fn with_readout(
    chart: Element,
    axis: &TimeAxis,
    frame: &Frame<'_>,
    scale: &Scale,
    unit: &str,
) -> Element {
    let samples: Vec<String> = axis.samples().iter().map(i64::to_string).collect();
    chart
        .attr("data-unit", unit)
        .attr("data-scale", if scale.is_log() { "log" } else { "linear" })
        .attr("data-low", scale.low())
        .attr("data-high", scale.high())
        .attr("data-top", frame.y(1.0))
        .attr("data-bottom", frame.y(0.0))
        .attr("data-minutes", samples.join(" "))
}
