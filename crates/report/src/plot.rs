//! A picture of rates with their errors: one SVG file, complete in itself.

use crate::bounds::{MAX_PANELS, MAX_POINTS, MAX_SERIES, bounded};
use crate::chart::Scale;
use crate::markup::{Element, el};
use crate::numbers;
use crate::wrap::wrap;

/// Width of the picture, pixels.
const WIDTH: f64 = 860.0;
/// Left and right of a plot, pixels.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 24.0;
/// Height of a plot, pixels.
const PLOT: f64 = 270.0;
/// Height of a line of text, pixels.
const LINE: f64 = 18.0;
/// Room between and around what is written, pixels.
const GAP: f64 = 12.0;
/// Mean width of a character in the sizes that are used here, pixels.
const CHAR: f64 = 6.4;
/// Half the width of the stroke across the end of an error bar, pixels.
const CAP: f64 = 4.0;
/// Share of the width that stays free beside the outermost points.
const MARGIN: f64 = 0.04;
/// Points of several series at one place stand beside each other, pixels apart.
const APART: f64 = 5.0;

const STYLE: &str = "\
svg{--paper:#fff;--ink:#1a1f26;--muted:#5a6472;--grid:#e4e8ec;--provisional:#b8560b;--screened:#0a66c2;--qualified:#0b7466;--other:#6d7683}
@media (prefers-color-scheme:dark){svg{--paper:#12161b;--ink:#e7ebf0;--muted:#9ba6b4;--grid:#29313b;--provisional:#f2a154;--screened:#62b0ff;--qualified:#46c3ae;--other:#94a0af}}
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',Arial,sans-serif;fill:var(--muted)}
.title{font-size:17px;font-weight:650;fill:var(--ink)}.name{font-size:14px;font-weight:600;fill:var(--ink)}.key{fill:var(--ink)}
.paper{fill:var(--paper)}.grid{stroke:var(--grid)}.line,.error{fill:none;stroke:var(--tone);stroke-width:2;stroke-linejoin:round}
.error{stroke-width:1.2}.dashed .line{stroke-dasharray:6 4}.mark{fill:var(--tone);stroke:var(--paper);stroke-width:1}
.dashed .mark{fill:var(--paper);stroke:var(--tone);stroke-width:2}
.provisional{--tone:var(--provisional)}.screened{--tone:var(--screened)}.qualified{--tone:var(--qualified)}.other{--tone:var(--other)}";

/// Rates by what they depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct RatePlot {
    /// What it shows.
    pub title: String,
    /// What a reader has to know, a line each.
    pub notes: Vec<String>,
    /// What is drawn from left to right.
    pub x_label: String,
    /// Plots below each other, over the same places.
    pub panels: Vec<RatePanel>,
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct RatePanel {
    /// Whose rates.
    pub title: String,
    /// What is drawn from bottom to top, in per cent.
    pub y_label: String,
    /// The curves.
    pub series: Vec<RateSeries>,
}

/// A curve.
#[derive(Debug, Clone, PartialEq)]
pub struct RateSeries {
    /// Its name in the legend.
    pub name: String,
    /// Its colour and mark.
    pub style: RateStyle,
    /// Whether it is dashed, with hollow marks.
    pub is_dashed: bool,
    /// Its points from left to right.
    pub points: Vec<RatePoint>,
}

/// Colour and mark of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateStyle {
    /// Of the lowest grade: circles.
    Provisional,
    /// Of the grade between: squares.
    Screened,
    /// Of the highest grade: triangles.
    Qualified,
    /// Of anything else: diamonds.
    Other,
}

/// A rate with its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// Its place.
    pub x: f64,
    /// The rate, 0 to 1.
    pub rate: f64,
    /// One standard error of it.
    pub standard_error: f64,
}

/// The picture of `plot`, a UTF-8 text to be written to one file. The same plot gives the same bytes. Points that are no
/// numbers are left out.
pub fn rates_svg(plot: &RatePlot) -> String {
    let (panels, _) = bounded(&plot.panels, MAX_PANELS);
    let across = across(panels);
    let mut y = GAP + LINE;
    let mut parts = vec![text("title", LEFT, y, &plot.title)];
    for note in plot.notes.iter().flat_map(|note| wrap(note, ((WIDTH - LEFT - RIGHT) / CHAR) as usize)) {
        y += LINE;
        parts.push(text("note", LEFT, y, &note));
    }
    for shown in panels {
        let panel = Panel::new(shown, &across, y + 2.0 * GAP);
        y = panel.foot();
        parts.push(panel.draw(&plot.x_label));
    }
    let height = y + GAP;
    let paper = el("rect").class("paper").attr("width", WIDTH).attr("height", height);
    let picture = el("svg")
        .attr("xmlns", "http://www.w3.org/2000/svg")
        .attr("viewBox", format!("0 0 {WIDTH} {height}"))
        .attr("width", WIDTH)
        .attr("height", height)
        .attr("role", "img");
    let described = picture.add(el("title").text(&plot.title)).add(el("desc").text(described(panels)));
    let drawn = described.add(el("style").constant(STYLE)).add(paper).all(parts);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{drawn}\n")
}

/// The scale of the places of all points.
fn across(panels: &[RatePanel]) -> Scale {
    let series = panels.iter().flat_map(|panel| bounded(&panel.series, MAX_SERIES).0);
    let places = series.flat_map(|series| drawn(series).map(|point| point.x));
    let (low, high) =
        places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    Scale::linear(low, high, 1.0)
}

/// The points of `series` that can be drawn.
fn drawn(series: &RateSeries) -> impl Iterator<Item = &RatePoint> {
    let is_drawn = |point: &&RatePoint| {
        crate::chart::is_drawn(point.x) && point.rate.is_finite() && point.standard_error.is_finite()
    };
    series.points.iter().filter(is_drawn).take(MAX_POINTS)
}

/// What is seen, in words.
fn described(panels: &[RatePanel]) -> String {
    let of_series = |series: &RateSeries| {
        let points: Vec<String> = drawn(series)
            .map(|point| {
                let (rate, error) = (numbers::percent(point.rate), numbers::percent(point.standard_error));
                format!("{rate} ± {error} at {}", numbers::shortest(point.x))
            })
            .collect();
        format!("{}: {}", series.name, points.join(", "))
    };
    let of_panel = |panel: &RatePanel| {
        let series: Vec<String> = bounded(&panel.series, MAX_SERIES).0.iter().map(of_series).collect();
        format!("{}. {}.", panel.title, series.join(". "))
    };
    panels.iter().map(of_panel).collect::<Vec<_>>().join(" ")
}

/// A plot at its place.
struct Panel<'a> {
    panel: &'a RatePanel,
    series: &'a [RateSeries],
    across: &'a Scale,
    /// The rates, in per cent.
    up: Scale,
    top: f64,
    /// Where each name of the legend begins, from the left and in lines.
    legend: Vec<(f64, f64)>,
}

impl<'a> Panel<'a> {
    fn new(panel: &'a RatePanel, across: &'a Scale, top: f64) -> Self {
        let (series, _) = bounded(&panel.series, MAX_SERIES);
        Self { panel, series, across, up: Scale::linear(0.0, 100.0, 1.0), top, legend: legend(series) }
    }

    /// Where the plot begins, below its title and legend.
    fn plot_top(&self) -> f64 {
        let lines = self.legend.last().map_or(0.0, |(_, line)| line + 1.0);
        self.top + LINE + lines * LINE + GAP
    }

    fn foot(&self) -> f64 {
        self.plot_top() + PLOT + 2.0 * LINE + GAP
    }

    fn x(&self, x: f64) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        LEFT + width * (MARGIN + (1.0 - 2.0 * MARGIN) * self.across.share(x))
    }

    fn y(&self, rate: f64) -> f64 {
        self.plot_top() + PLOT * (1.0 - self.up.share(100.0 * rate))
    }

    fn draw(&self, x_label: &str) -> Element {
        let group = el("g").add(text("name", LEFT, self.top + LINE - 5.0, &self.panel.title));
        let names = self.series.iter().zip(&self.legend).map(|(series, at)| self.key(series, *at));
        let curves = self.series.iter().enumerate().map(|(index, series)| self.curve(index, series));
        group.all(names).all(self.grid()).all(self.labels(x_label)).all(curves)
    }

    fn key(&self, series: &RateSeries, (left, line): (f64, f64)) -> Element {
        let y = self.top + (line + 2.0) * LINE - 4.0;
        let stroke = el("path").class("line").attr("d", format!("M{left} {}h26", y - 4.0));
        let group = el("g").class(class(series)).add(stroke).add(mark(series.style, left + 13.0, y - 4.0));
        group.add(text("key", left + 33.0, y, &series.name))
    }

    fn grid(&self) -> Vec<Element> {
        let (top, foot) = (self.plot_top(), self.plot_top() + PLOT);
        let line = |data: String| el("path").class("grid").attr("d", data);
        let rows = self.up.ticks().iter().map(|tick| round(self.y(tick / 100.0)));
        let rows = rows.map(|y| line(format!("M{LEFT} {y}H{}", WIDTH - RIGHT)));
        let columns = self.across.ticks().iter().map(|tick| round(self.x(*tick)));
        rows.chain(columns.map(|x| line(format!("M{x} {top}V{foot}")))).collect()
    }

    fn labels(&self, x_label: &str) -> Vec<Element> {
        let foot = self.plot_top() + PLOT;
        let rows = self.up.ticks().iter().map(|tick| {
            let label = format!("{}\u{202f}%", self.up.number(*tick));
            text("tick", LEFT - 8.0, round(self.y(tick / 100.0)) + 4.0, &label).attr("text-anchor", "end")
        });
        let columns = self.across.ticks().iter().map(|tick| {
            let label = text("tick", round(self.x(*tick)), foot + LINE, &self.across.number(*tick));
            label.attr("text-anchor", "middle")
        });
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        let below = text("axis", middle, foot + 2.0 * LINE, x_label).attr("text-anchor", "middle");
        let beside = text("axis", 0.0, 0.0, &self.panel.y_label).attr("text-anchor", "middle");
        let turned = format!("translate(14 {}) rotate(-90)", round(self.plot_top() + PLOT / 2.0));
        rows.chain(columns).chain([below, beside.attr("transform", turned)]).collect()
    }

    fn curve(&self, index: usize, series: &RateSeries) -> Element {
        let beside = APART * (index as f64 - (self.series.len() as f64 - 1.0) / 2.0);
        let place = |point: &RatePoint| (round(self.x(point.x) + beside), round(self.y(point.rate)));
        let through: Vec<String> = drawn(series).map(place).map(|(x, y)| format!("{x} {y}")).collect();
        let line = (through.len() > 1)
            .then(|| el("path").class("line").attr("d", format!("M{}", through.join("L"))));
        let error = |point: &RatePoint| {
            let (x, _) = place(point);
            let [low, high] = [-1.0, 1.0].map(|sign| round(self.y(point.rate + sign * point.standard_error)));
            let data = format!("M{x} {low}V{high}M{} {low}h{}M{0} {high}h{1}", x - CAP, 2.0 * CAP);
            el("path").class("error").attr("d", data)
        };
        let marks = drawn(series).map(|point| {
            let (x, y) = place(point);
            mark(series.style, x, y)
        });
        el("g").class(class(series)).all(line).all(drawn(series).map(error)).all(marks)
    }
}

/// Where each name begins: as many beside each other as there is room for.
fn legend(series: &[RateSeries]) -> Vec<(f64, f64)> {
    let (mut left, mut line) = (LEFT, 0.0);
    let mut places = Vec::new();
    for one in series {
        let width = 33.0 + one.name.chars().count() as f64 * CHAR + 20.0;
        if left > LEFT && left + width > WIDTH - RIGHT {
            (left, line) = (LEFT, line + 1.0);
        }
        places.push((left, line));
        left += width;
    }
    places
}

fn class(series: &RateSeries) -> String {
    let style = match series.style {
        RateStyle::Provisional => "provisional",
        RateStyle::Screened => "screened",
        RateStyle::Qualified => "qualified",
        RateStyle::Other => "other",
    };
    if series.is_dashed { format!("{style} dashed") } else { style.to_owned() }
}

/// What tells a point of one curve from one of another without a colour.
fn mark(style: RateStyle, x: f64, y: f64) -> Element {
    let data = match style {
        RateStyle::Provisional => format!("M{} {y}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z", x - 4.5),
        RateStyle::Screened => format!("M{} {}h8v8h-8Z", x - 4.0, y - 4.0),
        RateStyle::Qualified => format!("M{x} {}l5 9h-10Z", y - 5.5),
        RateStyle::Other => format!("M{x} {}l5 5l-5 5l-5-5Z", y - 5.0),
    };
    el("path").class("mark").attr("d", data)
}

fn text(class: &str, x: f64, y: f64, content: &str) -> Element {
    el("text").class(class).attr("x", x).attr("y", y).text(content)
}

fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}
