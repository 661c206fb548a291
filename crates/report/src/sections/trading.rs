//! What the candidate did on the judged bars: trades on the price, and the position under it.

use crate::bounds::{MAX_COLUMNS, MAX_POINTS, MAX_TRADES};
use crate::chart::{Frame, Point, Scale, Tick, TimeAxis, area, decimate, is_drawn, line, percent, steps};
use crate::markup::{Element, el};
use crate::numbers;
use crate::page::{Named, Section, View};
use crate::sections::equity::with_readout;
use crate::sections::marks::{Kind, Mark, Stretch, marks, thinned};
use crate::sections::{counted, graphic, note};

/// Height of the price chart, pixels.
const PRICE_HEIGHT: f64 = 280.0;
/// Height of one position strip, pixels.
const STRIP_HEIGHT: f64 = 34.0;
/// A price that moves less, in relation to itself, is drawn as flat.
const LEAST_RELATIVE_SPAN: f64 = 0.001;

/// Prices, trades and positions on the same dates.
pub(crate) fn trading(view: &View<'_>) -> Section {
    let mut content = Vec::new();
    if let Some(axis) = &view.axis {
        content.extend(price_chart(view, axis));
        let has_position = |named: &&Named<'_>| matches!(named.class.as_str(), "candidate" | "champion");
        let strips = view.subjects.iter().filter(has_position).filter_map(|named| strip(named, axis));
        content.extend(strips);
    }
    if content.is_empty() {
        content.push(note("There are no bars to show trades on."));
    }
    Section { id: "trading", title: "Trades on the price", content }
}

fn price_chart(view: &View<'_>, axis: &TimeAxis) -> Option<Element> {
    let bars = &view.report.bars;
    let closes: Vec<_> =
        bars.close_times.iter().zip(&bars.closes).filter(|(_, close)| is_drawn(**close)).collect();
    let (all, stretches) = view.candidate().map(|candidate| marks(candidate.subject)).unwrap_or_default();
    let shown = thinned(&all, axis);
    let prices = || closes.iter().map(|(_, close)| **close).chain(shown.iter().map(|mark| mark.price));
    let (low, high) = (prices().fold(f64::MAX, f64::min), prices().fold(f64::MIN, f64::max));
    if closes.is_empty() {
        return None;
    }
    let scale = Scale::prices(low, high, low.abs() * LEAST_RELATIVE_SPAN);
    let alternative = alternative(&closes.iter().map(|(_, close)| **close).collect::<Vec<_>>(), &all);
    let frame = Frame::new(PRICE_HEIGHT, &scale, |tick| scale.number(tick), &view.dates, alternative);
    let at = |time, price: f64| Point { x: axis.place(time), y: frame.y(scale.share(price)) };
    let points: Vec<Point> = closes.iter().map(|(time, close)| at(**time, **close)).collect();
    let mut drawing = vec![line("price", &decimate(&points, MAX_POINTS)).attr("data-name", "Close")];
    drawing.extend([false, true].map(|is_won| trade_lines(&stretches, is_won, at)));
    let mark = |mark: &Mark| {
        let Point { x, y } = at(mark.time, mark.price);
        let (class, shape) = look(mark.kind);
        let place = el("use").attr("href", format!("#{shape}")).attr("x", percent(x));
        place.attr("y", (y * 10.0).round() / 10.0).class(format!("mark {class}"))
    };
    let chart = frame.chart(drawing, shown.iter().map(mark));
    let chart = with_readout(chart, axis, &frame, &scale, "price");
    Some(graphic(None, Some(key(&shown, &stretches)), chart, Some(caption(&all, &shown, &stretches))))
}

fn alternative(closes: &[f64], marks: &[Mark]) -> String {
    let entries = marks.iter().filter(|mark| matches!(mark.kind, Kind::EntryLong | Kind::EntryShort)).count();
    let price = |value: Option<&f64>| value.map_or_else(String::new, |value| numbers::price(*value));
    format!(
        "Price from {} to {} over the judged bars, with {} of the candidate.",
        price(closes.first()),
        price(closes.last()),
        counted(entries as u64, "entry", "entries")
    )
}

/// Lines from entry to exit, of the trades that were won or of those that were not.
fn trade_lines(
    stretches: &[Stretch],
    is_won: bool,
    at: impl Fn(walkforward_core::Timestamp, f64) -> Point,
) -> Element {
    let of_kind = stretches.iter().filter(|stretch| stretch.is_won == is_won).take(MAX_TRADES);
    let data: String = of_kind
        .map(|stretch| {
            let ends = [stretch.entry, stretch.exit].map(|mark| at(mark.time, mark.price));
            crate::chart::segment(ends[0], ends[1])
        })
        .collect();
    el("path").class(if is_won { "line won" } else { "line lost" }).attr("d", data)
}

/// Class and shape of a mark.
fn look(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::EntryLong => ("entry", "long"),
        Kind::EntryShort => ("entry", "short"),
        Kind::Exit => ("exit", "exit"),
        Kind::Change => ("change", "change"),
    }
}

fn key(shown: &[Mark], stretches: &[Stretch]) -> Element {
    let line = |class: &str, name: &str| {
        let stroke = el("path").class(format!("line {class}")).attr("d", "M0 5H26");
        let svg = el("svg").class("key").attr("width", 26).attr("height", 10).attr("aria-hidden", "true");
        el("li").add(svg.add(stroke)).add(el("span").text(name))
    };
    let mark = |kind: Kind, name: &str| {
        let (class, shape) = look(kind);
        let place = el("use")
            .attr("href", format!("#{shape}"))
            .attr("x", 8)
            .attr("y", 8)
            .class(format!("mark {class}"));
        let svg = el("svg").class("key").attr("width", 16).attr("height", 16).attr("aria-hidden", "true");
        el("li").add(svg.add(place)).add(el("span").text(name))
    };
    let kinds = [
        (Kind::EntryLong, "Entry, long"),
        (Kind::EntryShort, "Entry, short"),
        (Kind::Exit, "Exit"),
        (Kind::Change, "Size changed"),
    ];
    let marks = kinds.iter().filter(|(kind, _)| shown.iter().any(|mark| mark.kind == *kind));
    let won = stretches.iter().any(|stretch| stretch.is_won).then(|| line("won", "Won"));
    let lost = stretches.iter().any(|stretch| !stretch.is_won).then(|| line("lost", "Not won"));
    el("ul")
        .class("legend")
        .add(line("price", "Close"))
        .all(marks.map(|(kind, name)| mark(*kind, name)))
        .all(won)
        .all(lost)
}

fn caption(all: &[Mark], shown: &[Mark], stretches: &[Stretch]) -> String {
    if all.is_empty() {
        return "The candidate made no trade on these bars.".to_owned();
    }
    let mut text =
        format!("{} of the candidate", counted(stretches.len() as u64, "closed trade", "closed trades"));
    if shown.len() < all.len() {
        let (shown, all) = (numbers::whole(shown.len() as u64), numbers::whole(all.len() as u64));
        text.push_str(&format!("; {shown} of {all} entries and exits are marked, the others lie too close"));
    }
    text + "."
}

/// The position over time; none when nothing is known of it.
fn strip(named: &Named<'_>, axis: &TimeAxis) -> Option<Element> {
    let subject = named.subject;
    let positions: Vec<_> =
        subject.position_times.iter().zip(&subject.position).filter(|(_, it)| is_drawn(**it)).collect();
    if positions.is_empty() {
        return None;
    }
    let shares = || positions.iter().map(|(_, share)| **share);
    let (low, high) = (shares().fold(0.0, f64::min), shares().fold(0.0, f64::max));
    let scale = Scale::between(if low < 0.0 { low.min(-1.0) } else { 0.0 }, high.max(1.0));
    let row = |value: f64, label: &str| Tick { place: scale.share(value), label: label.to_owned() };
    let mut rows = vec![row(1.0, "long"), row(0.0, "flat")];
    rows.extend((low < 0.0).then(|| row(-1.0, "short")));
    let held = shares().filter(|share| *share != 0.0).count() as f64 / positions.len() as f64;
    let title = format!("{}’s position: {} of the bars in the market", named.label, numbers::percent(held));
    let height = if low < 0.0 { 2.0 * STRIP_HEIGHT } else { STRIP_HEIGHT };
    let frame = Frame { height, rows, columns: &[], alternative: format!("{title}.") };
    let place = |(time, share): &(&walkforward_core::Timestamp, &f64)| Point {
        x: axis.place(**time),
        y: frame.y(scale.share(**share)),
    };
    let points: Vec<Point> = positions.iter().map(place).collect();
    let exact = steps(0.0, &points);
    let is_crowded = exact.len() > MAX_POINTS;
    let corners = if is_crowded { steps(0.0, &means(&points, MAX_COLUMNS)) } else { exact };
    let caption =
        is_crowded.then(|| "It changes too often to be drawn bar by bar: the height is the mean.".to_owned());
    let drawing = area(&format!("{} strip", named.class), &corners, frame.y(scale.share(0.0)));
    Some(graphic(Some(&title), None, frame.chart([drawing], []), caption))
}

/// The means of `count` stretches of `points`, each at its stretch's end.
fn means(points: &[Point], count: usize) -> Vec<Point> {
    let stretch = |index: usize| &points[index * points.len() / count..(index + 1) * points.len() / count];
    let stretches = (0..count).map(stretch).filter(|points| !points.is_empty());
    let mean = |points: &[Point]| Point {
        x: points[points.len() - 1].x,
        y: points.iter().map(|point| point.y).sum::<f64>() / points.len() as f64,
    };
    stretches.map(mean).collect()
}
