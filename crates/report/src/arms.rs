//! A page about arms: how far the evidence for each has come.

use serde::{Deserialize, Serialize};
use walkforward_core::{ArmId, Grade, Grading, LineName, ModelId, Timestamp};

use crate::bounds::{MAX_METERS, MAX_ROWS, bounded};
use crate::dates;
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::meter::MeterReport;
use crate::numbers;
use crate::page::{Section, page};
use crate::sections::{counted, meter, note, worth_notes};

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
    /// That none of them may trade for now; none where they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<ArmQuarantine>,
    /// What its line has spent on sequential tests; none where nobody has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_tests: Option<LineTests>,
    /// The newest of them that was judged; none before the first.
    pub judged: Option<JudgedSnapshot>,
}

/// Levels of the sequential tests that a line has begun within the last year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineTests {
    /// Those of the registered ones, added up.
    pub registered: f64,
    /// Those of the others, added up.
    pub anytime: f64,
}

/// That a watch took an arm's champion back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmQuarantine {
    /// No model of the arm is promoted before this.
    pub until: Timestamp,
    /// What the watch found, in words.
    pub sentence: String,
}

impl ArmQuarantine {
    /// The same in words.
    pub fn in_words(&self) -> String {
        format!("in quarantine until {} UTC ({})", dates::minute(self.until), self.sentence)
    }
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

    /// What the tests of its line and those of all other pairs may take, in a sentence; none where nobody has looked.
    pub fn tests_in_words(&self) -> Option<String> {
        let tests = self.line_tests?;
        let allowed = self.meter()?.error.of_the_line?;
        let percent = |level: f64| format!("{} %", numbers::shortest(100.0 * level));
        let [registered, anytime, allowed] = [tests.registered, tests.anytime, allowed].map(percent);
        Some(format!(
            "Line {}: tests registered within a year spend {registered} of the {allowed} that such may add up to; its other tests \
             begun in that time spend {anytime} of the {allowed} more that those of all pairs of the database may, by e-LOND",
            self.line
        ))
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
            let worths = worth_notes(|grade| shown.iter().any(|arm| arm.grade() == Some(grade)));
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
    let quarantine = arm.quarantine.as_ref().map(|it| el("span").class("sub").text(it.in_words()));
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
        .add(row_header("").add(el("code").add(name)).all(trades).all(quarantine))
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
            let tests = arm.tests_in_words().map(|words| note(words + "."));
            std::iter::once(newest).chain(meter(&judged.grading)).chain(tests).collect()
        }
    };
    let quarantine = arm.quarantine.as_ref().map(|it| note(format!("The arm is {}.", it.in_words())));
    let heading = heading.all(trades);
    el("div").class("arm").attr("id", format!("arm-{}", arm.arm)).add(heading).all(quarantine).all(content)
}
