//! A page about arms: how far the evidence for each has come.

use serde::{Deserialize, Serialize};
use walkforward_core::{ArmId, Grade, Grading, LineName, ModelId, Timestamp};

use crate::bounds::{MAX_METERS, MAX_ROWS, bounded};
use crate::dates;
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::meter::{MeterReport, worth};
use crate::numbers;
use crate::page::{Section, in_words, page};
use crate::sections::{counted, meter, note};

/// What is known about the arms of some lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceReport {
    /// Whose arms: a line, or `all lines`.
    pub about: String,
    /// The arms, line by line, the newest of a line first.
    pub arms: Vec<ArmReport>,
}

/// What is known about an arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmReport {
    /// The arm.
    pub arm: ArmId,
    /// Its line.
    pub line: LineName,
    /// When it was first seen.
    pub registered_at: Timestamp,
    /// Models that it made and that could decide.
    pub snapshots: u64,
    /// Whether the line's champion is one of them.
    pub trades: bool,
    /// The newest of them that was judged; none before the first.
    pub judged: Option<JudgedSnapshot>,
}

/// A snapshot with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedSnapshot {
    /// The model.
    pub model: ModelId,
    /// From when on it could decide.
    pub published_at: Timestamp,
    /// The verdict in words.
    pub sentence: String,
    /// What the verdict says about the arm.
    pub grading: Grading,
}

impl ArmReport {
    /// Its grade.
    pub fn grade(&self) -> Option<Grade> {
        self.judged.as_ref()?.grading.grade
    }

    /// Its meter; none before its first verdict, or where that holds none.
    pub fn meter(&self) -> Option<MeterReport> {
        MeterReport::of(&self.judged.as_ref()?.grading)
    }
}

/// The page about `report`, complete in itself: a UTF-8 text to be written to one file. The same report gives the same
/// bytes.
pub fn evidence_html(report: &EvidenceReport) -> String {
    let sections = vec![overview(report), meters(report)];
    page(&format!("Evidence · {}", report.about), top(report), sections)
}

fn top(report: &EvidenceReport) -> Element {
    let with = |grade: Grade| report.arms.iter().filter(|arm| arm.grade() == Some(grade)).count() as u64;
    let grades = Grade::ALL.iter().rev().filter(|grade| with(**grade) > 0);
    let grades: Vec<String> =
        grades.map(|grade| format!("{} {grade}", numbers::whole(with(*grade)))).collect();
    let grades = if grades.is_empty() { "none has a grade yet".to_owned() } else { grades.join(", ") };
    let arms = counted(report.arms.len() as u64, "arm", "arms");
    el("header")
        .add(el("p").class("eyebrow").text(&report.about))
        .add(el("h1").text("How far the evidence has come"))
        .add(el("p").class("sentence").text(format!("{arms}: {grades}.")))
}

fn overview(report: &EvidenceReport) -> Section {
    let (shown, rest) = bounded(&report.arms, MAX_ROWS);
    let columns = [
        ("Arm", false),
        ("Line", false),
        ("Grade", false),
        ("Against", false),
        ("Counted bars", true),
        ("Next look", true),
        ("In words", false),
    ];
    let content = match shown.is_empty() {
        true => vec![note("No arm is known: schedules and replays make them.")],
        false => {
            let grades =
                Grade::ALL.iter().filter(|grade| shown.iter().any(|arm| arm.grade() == Some(**grade)));
            let worths = grades.map(|grade| note(in_words(&worth(*grade)) + "."));
            let rows = table("Arms", header(&columns), shown.iter().map(row));
            std::iter::once(rows).chain(left_out(rest, "arms are")).chain(worths).collect()
        }
    };
    Section { id: "arms", title: "Arms", content }
}

fn row(arm: &ArmReport) -> Element {
    let meter = arm.meter();
    let standing = meter.as_ref().map(|meter| &meter.standing);
    let name = el("a").attr("href", format!("#arm-{}", arm.arm)).text(arm.arm.as_str());
    let trades = arm.trades.then(|| el("span").class("sub").text("trades now"));
    let reference = arm.judged.as_ref().map_or("–", |judged| judged.grading.reference.as_str());
    let next = standing
        .and_then(|it| it.next_look_in_bars)
        .map(|bars| format!("in {}", counted(bars, "bar", "bars")));
    let sentence = match (&meter, &arm.judged) {
        (Some(meter), _) if !meter.sentence.is_empty() => meter.sentence.as_str(),
        (_, Some(judged)) => judged.sentence.as_str(),
        (_, None) => "no snapshot of it was judged yet",
    };
    el("tr")
        .add(row_header("").add(el("code").add(name)).all(trades))
        .add(el("td").text(arm.line.as_str()))
        .add(el("td").text(arm.grade().map_or("none yet", Grade::as_str)))
        .add(el("td").add(el("code").text(reference)))
        .add(figure(standing.and_then(|it| it.counted_bars).map(numbers::whole)))
        .add(figure(next))
        .add(el("td").class("words").text(sentence))
}

fn meters(report: &EvidenceReport) -> Section {
    let (shown, rest) = bounded(&report.arms, MAX_METERS);
    let content = match shown.is_empty() {
        true => vec![note("There is nothing to measure.")],
        false => shown.iter().map(one).chain(left_out(rest, "meters are")).collect(),
    };
    Section { id: "meters", title: "Meters", content }
}

fn one(arm: &ArmReport) -> Element {
    let heading = el("h3")
        .class("id")
        .add(el("span").text(format!("Line {}", arm.line)))
        .add(el("code").text(arm.arm.as_str()));
    let trades = arm.trades.then(|| el("span").class("pill own").text("trades now"));
    let known = format!(
        "Known since {} UTC; {}",
        dates::minute(arm.registered_at),
        counted(arm.snapshots, "snapshot", "snapshots")
    );
    let content = match &arm.judged {
        None => vec![note(format!("{known}. None of them was judged yet."))],
        Some(judged) => {
            let newest =
                format!("{known}, the newest judged one at {} UTC:", dates::minute(judged.published_at));
            let newest = note(newest + " ").add(el("code").text(judged.model.as_str()));
            std::iter::once(newest).chain(meter(&judged.grading)).collect()
        }
    };
    el("div").class("arm").attr("id", format!("arm-{}", arm.arm)).add(heading.all(trades)).all(content)
}
