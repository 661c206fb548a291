//! The page around its sections.

use walkforward_core::Timestamp;

use crate::bounds::{MAX_SUBJECTS, bounded};
use crate::cautions::Warned;
use crate::chart::{Tick, TimeAxis};
use crate::markup::{Element, el};
use crate::model::{ModelReport, Role, Subject};
use crate::sections;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// SHA-256 of [`SCRIPT`], by which the page's policy admits it and nothing else.
const SCRIPT_HASH: &str = "sha256-waDvHVYW55pcRZai4qPM1i+HjpWenftO2TGeO3KR9fQ=";
/// Shapes that mark fills, with their middle at the origin.
const SHAPES: &str = "<defs><path id=\"long\" d=\"M0-6L5.5 4H-5.5Z\"></path><path id=\"short\" d=\"M0 6L5.5-4H-5.5Z\"></path><path id=\"exit\" d=\"M-4-4L4 4M4-4L-4 4\"></path><path id=\"change\" d=\"M-2.5 0A2.5 2.5 0 1 0 2.5 0A2.5 2.5 0 1 0-2.5 0Z\"></path></defs>";

/// A subject with the name and the line style that it has all over the page.
pub(crate) struct Named<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) label: String,
    pub(crate) class: String,
}

impl<'a> Named<'a> {
    /// With its warnings, under the name that it has on the page.
    pub(crate) fn warned(&'a self) -> Warned<'a> {
        Warned { label: &self.label, subject: &self.subject.name, warnings: &self.subject.warnings }
    }
}

/// The report with what several sections need.
pub(crate) struct View<'a> {
    pub(crate) report: &'a ModelReport,
    pub(crate) subjects: Vec<Named<'a>>,
    pub(crate) subjects_left_out: usize,
    /// The judged bars; none when there are none.
    pub(crate) axis: Option<TimeAxis>,
    /// Dates under the charts.
    pub(crate) dates: Vec<Tick>,
}

impl<'a> View<'a> {
    fn new(report: &'a ModelReport) -> Self {
        let (subjects, subjects_left_out) = bounded(&report.subjects, MAX_SUBJECTS);
        let axis = TimeAxis::over(axis_times(report));
        let dates = axis.as_ref().map(TimeAxis::ticks).unwrap_or_default();
        Self { report, subjects: named(subjects), subjects_left_out, axis, dates }
    }

    /// The model that the page is about.
    pub(crate) fn candidate(&self) -> Option<&Named<'a>> {
        self.with_role(Role::Candidate)
    }

    /// The model that it was compared with.
    pub(crate) fn champion(&self) -> Option<&Named<'a>> {
        self.with_role(Role::Champion)
    }

    fn with_role(&self, role: Role) -> Option<&Named<'a>> {
        self.subjects.iter().find(|named| named.subject.role == role)
    }
}

/// The page about `report`, complete in itself: a UTF-8 text to be written to one file. The same report gives the
/// same bytes.
pub fn html(report: &ModelReport) -> String {
    let view = View::new(report);
    let before = [
        sections::metrics(&view),
        sections::samples(&view),
        sections::equity(&view),
        sections::trading(&view),
        sections::actions(&view),
        sections::trades(&view),
        sections::gate(&view),
    ];
    let after = [
        sections::data(&view),
        sections::lineage(&view),
        sections::training(&view),
        sections::provenance(&view),
    ];
    let sections = before.into_iter().chain(sections::evidence(&view)).chain(after).collect();
    let title = format!("{} · {} {}", report.title, report.symbol, report.timeframe);
    page(&title, sections::verdict(&view), sections)
}

/// The page `title` of `sections` under their header.
pub(crate) fn page(title: &str, header: Element, sections: Vec<Section>) -> String {
    let links = sections.iter().map(|section| {
        let link = el("a").attr("href", format!("#{}", section.id)).text(section.title);
        el("li").add(link)
    });
    let navigation = el("nav").attr("aria-label", "Sections").add(el("ul").all(links));
    let shapes = el("svg").class("shapes").attr("width", 0).attr("height", 0).attr("aria-hidden", "true");
    let body = el("body").add(shapes.constant(SHAPES)).add(header);
    let body = body.add(navigation).add(el("main").all(sections.into_iter().map(section)));
    let page = el("html").attr("lang", "en").add(head(title)).add(body.add(el("script").constant(SCRIPT)));
    format!("<!DOCTYPE html>\n{page}\n")
}

/// One part of the page.
pub(crate) struct Section {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) content: Vec<Element>,
}

fn section(section: Section) -> Element {
    let heading = format!("{}-heading", section.id);
    let outer = el("section").attr("id", section.id).attr("aria-labelledby", &heading);
    outer.add(el("h2").attr("id", heading).text(section.title)).all(section.content)
}

fn head(title: &str) -> Element {
    let meta = |name: &str, content: &str| el("meta").attr("name", name).attr("content", content);
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src '{SCRIPT_HASH}'");
    el("head")
        .add(el("meta").attr("charset", "utf-8"))
        .add(el("meta").attr("http-equiv", "Content-Security-Policy").attr("content", policy))
        .add(meta("viewport", "width=device-width, initial-scale=1"))
        .add(meta("color-scheme", "light dark"))
        .add(el("title").text(title))
        .add(el("style").constant(STYLE))
}

fn named(subjects: &[Subject]) -> Vec<Named<'_>> {
    let mut baselines = 0;
    let named = |subject| {
        let Subject { role, name, .. }: &Subject = subject;
        let (label, class) = match role {
            Role::Candidate => ("Candidate".to_owned(), "candidate".to_owned()),
            Role::Champion => ("Champion".to_owned(), "champion".to_owned()),
            Role::Baseline => {
                baselines += 1;
                (in_words(name), format!("baseline-{}", (baselines - 1) % 3))
            }
        };
        Named { subject, label, class }
    };
    subjects.iter().map(named).collect()
}

/// `buy_and_hold` as `Buy and hold`.
pub(crate) fn in_words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The judged bars' times: of the prices, else of the first curve that has any.
fn axis_times(report: &ModelReport) -> Vec<Timestamp> {
    let closes = &report.bars.close_times;
    let curves = report.subjects.iter().map(|subject| &subject.equity_times);
    let longest = std::iter::once(closes).chain(curves).find(|times| !times.is_empty());
    let Some(times) = longest else { return Vec::new() };
    report.judged_span.map(|span| span.start()).into_iter().chain(times.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Base64 of 32 bytes.
    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for index in 0..4 {
                let letter = LETTERS[(word >> (18 - 6 * index) & 63) as usize];
                out.push(if index <= chunk.len() { letter as char } else { '=' });
            }
        }
        out
    }

    #[test]
    fn the_policy_admits_the_script_of_the_page() {
        assert_eq!(format!("sha256-{}", base64(&Sha256::digest(SCRIPT))), SCRIPT_HASH);
    }

    #[test]
    fn names_become_words() {
        assert_eq!([in_words("buy_and_hold"), in_words("flat"), in_words("")], ["Buy and hold", "Flat", ""]);
    }
}
