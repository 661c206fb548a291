//! What stands around every chart: lines, labels, the text that replaces it.

use crate::chart::{Scale, Tick, WIDTH};
use crate::markup::{Element, el};

/// Room for the labels under a chart, pixels.
const FOOT: f64 = 22.0;
/// Room above the highest line, pixels: half a label.
const HEAD: f64 = 8.0;
/// So many labels fit under a chart on a phone.
const FIT_ON_A_PHONE: usize = 6;
/// Labels nearer to an edge than this share of the width grow away from it.
const EDGE: f64 = 0.04;

/// A chart without its content.
pub(crate) struct Frame<'a> {
    /// Height of the plot, pixels.
    pub(crate) height: f64,
    /// Labels on the left, each with its share of the height from the bottom.
    pub(crate) rows: Vec<Tick>,
    /// Labels under the plot; empty for none.
    pub(crate) columns: &'a [Tick],
    /// What the chart shows, in a sentence, for those who can't see it.
    pub(crate) alternative: String,
}

impl<'a> Frame<'a> {
    /// A frame with a line for each tick of `scale`.
    pub(crate) fn new(
        height: f64,
        scale: &Scale,
        label: impl Fn(f64) -> String,
        columns: &'a [Tick],
        alternative: String,
    ) -> Self {
        let row = |tick: &f64| Tick { place: scale.share(*tick), label: label(*tick) };
        Self { height, rows: scale.ticks().iter().map(row).collect(), columns, alternative }
    }

    /// Pixels from the top of what lies at `share` of the height.
    pub(crate) fn y(&self, share: f64) -> f64 {
        HEAD + (1.0 - share) * self.height
    }

    /// The chart: `drawing` is stretched, `marks` are not.
    pub(crate) fn chart(
        &self,
        drawing: impl IntoIterator<Item = Element>,
        marks: impl IntoIterator<Item = Element>,
    ) -> Element {
        let foot = if self.columns.is_empty() { HEAD } else { FOOT };
        let full = self.height + HEAD + foot;
        let svg = |class: &str| el("svg").class(class).attr("height", full).attr("aria-hidden", "true");
        let inner = el("svg").attr("width", "100%").attr("height", full).attr("overflow", "visible");
        let inner = inner.attr("viewBox", format!("0 0 {WIDTH} {full}")).attr("preserveAspectRatio", "none");
        let plot = svg("plot").all(self.grid()).add(inner.all(drawing)).all(marks).all(self.column_labels());
        let chart = el("div").class("chart").attr("role", "img").attr("aria-label", &self.alternative);
        chart.add(svg("rows").all(self.row_labels())).add(plot)
    }

    fn grid(&self) -> Vec<Element> {
        let across = self.rows.iter().map(|row| {
            let y = round(self.y(row.place));
            el("line").class("grid").attr("x2", "100%").attr("y1", y).attr("y2", y)
        });
        let down = self.columns.iter().map(|column| {
            let x = percent(column.place);
            let line = el("line").class("grid faint").attr("x1", &x).attr("x2", &x);
            line.attr("y1", HEAD).attr("y2", HEAD + self.height)
        });
        down.chain(across).collect()
    }

    fn row_labels(&self) -> impl Iterator<Item = Element> {
        self.rows.iter().map(|row| {
            let text = el("text").attr("x", "100%").attr("y", round(self.y(row.place) + 3.5));
            text.attr("text-anchor", "end").text(&row.label)
        })
    }

    fn column_labels(&self) -> impl Iterator<Item = Element> {
        let is_crowded = self.columns.len() > FIT_ON_A_PHONE;
        self.columns.iter().enumerate().map(move |(index, column)| {
            let anchor = match column.place {
                place if place < EDGE => "start",
                place if place > 1.0 - EDGE => "end",
                _ => "middle",
            };
            // A phone then has room for every other one.
            let class = if is_crowded && index % 2 == 1 { "second" } else { "column" };
            let text = el("text").attr("x", percent(column.place)).attr("y", self.height + HEAD + FOOT - 5.0);
            text.attr("text-anchor", anchor).class(class).text(&column.label)
        })
    }
}

/// The names of lines: class of the line, name, figure.
pub(crate) fn legend(entries: impl IntoIterator<Item = (String, String, Option<String>)>) -> Element {
    let entry = |(class, name, figure): (String, String, Option<String>)| {
        let stroke = el("path").class(format!("line {class}")).attr("d", "M0 5H26");
        let key = el("svg").class("key").attr("width", 26).attr("height", 10).attr("aria-hidden", "true");
        let figure = figure.map(|figure| el("b").text(figure));
        el("li").add(key.add(stroke)).add(el("span").text(name)).all(figure)
    };
    el("ul").class("legend").all(entries.into_iter().map(entry))
}

/// A share of the width.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", (share * 10_000.0).round() / 100.0)
}

fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}
