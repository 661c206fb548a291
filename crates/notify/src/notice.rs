//! What people are told.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use walkforward_core::Timestamp;

/// Most characters of a subject; the rest is cut.
pub const MAX_SUBJECT_CHARS: usize = 120;
/// Most characters of a text; the rest is cut. Every service takes as many, with title and link.
pub const MAX_TEXT_CHARS: usize = 1_500;
/// Characters by which causes are told apart.
const MAX_CAUSE_CHARS: usize = 200;

/// How soon somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// When there is time: it can wait until the morning.
    Warning,
    /// Now: it is told in quiet hours too, and nothing lesser takes its place.
    Critical,
}

impl Severity {
    /// The word in titles and bodies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A venue refused an order, or none could be made of a decision.
    OrderRejected,
    /// A session trades no more, or lets positions shrink only, until somebody looks; or it has failed.
    Halted,
    /// A champion was taken back.
    RolledBack,
    /// Another model is champion.
    Promoted,
    /// A model waits for somebody's approval.
    Held,
    /// A cycle failed.
    CycleFailed,
    /// No cycle has come for more than two intervals.
    CycleOverdue,
    /// A session gets no bars, or misses some.
    DataGap,
    /// A model is about to expire, or has.
    ExpiryNear,
    /// A disk is nearly full.
    DiskLow,
    /// A venue holds something else than the ledger.
    VenueMismatch,
    /// What the day brought.
    DailySummary,
    /// Somebody tries whether notices arrive.
    Test,
    /// How many notices were not sent, because there were too many in an hour.
    NotSent,
}

/// A word that is no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind of notice '{word}': expected all, or some of {}", known())]
pub struct UnknownKind {
    word: String,
}

fn known() -> String {
    NoticeKind::ALL.map(NoticeKind::as_str).join(", ")
}

impl NoticeKind {
    /// Those that a setting can choose.
    pub const ALL: [Self; 13] = [
        Self::OrderRejected,
        Self::Halted,
        Self::RolledBack,
        Self::Promoted,
        Self::Held,
        Self::CycleFailed,
        Self::CycleOverdue,
        Self::DataGap,
        Self::ExpiryNear,
        Self::DiskLow,
        Self::VenueMismatch,
        Self::DailySummary,
        Self::Test,
    ];

    /// The word in settings and bodies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderRejected => "order_rejected",
            Self::Halted => "halted",
            Self::RolledBack => "rolled_back",
            Self::Promoted => "promoted",
            Self::Held => "held",
            Self::CycleFailed => "cycle_failed",
            Self::CycleOverdue => "cycle_overdue",
            Self::DataGap => "data_gap",
            Self::ExpiryNear => "expiry_near",
            Self::DiskLow => "disk_low",
            Self::VenueMismatch => "venue_mismatch",
            Self::DailySummary => "daily_summary",
            Self::Test => "test",
            Self::NotSent => "not_sent",
        }
    }

    /// How soon somebody should look, where the notice itself does not say otherwise.
    pub fn severity(self) -> Severity {
        match self {
            Self::Halted | Self::VenueMismatch | Self::DiskLow => Severity::Critical,
            Self::Promoted | Self::Held | Self::DailySummary | Self::Test => Severity::Info,
            Self::OrderRejected
            | Self::RolledBack
            | Self::CycleFailed
            | Self::CycleOverdue
            | Self::DataGap
            | Self::ExpiryNear
            | Self::NotSent => Severity::Warning,
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NoticeKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownKind { word: text.chars().take(MAX_SUBJECT_CHARS).collect() })
    }
}

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// How soon somebody should look.
    pub severity: Severity,
    /// What it happened to: a line, a schedule, a session.
    pub subject: String,
    /// What happened, in plain words; lines where it is a summary.
    pub text: String,
    /// The page where one can see more.
    pub link: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// The cause: notices of one cause are told once within [`Rules::repeat`](crate::Rules::repeat).
    pub key: String,
    /// For how long the cause is not told again, milliseconds, where it is another time than the rules'.
    pub repeat_ms: Option<i64>,
}

impl Notice {
    /// A notice of `kind` about `subject`; its cause is all of the three. What is too long is cut, what can't be printed
    /// becomes a space.
    pub fn new(kind: NoticeKind, subject: &str, text: &str, at: Timestamp) -> Self {
        let (subject, text) = (clean(subject, MAX_SUBJECT_CHARS), clean_lines(text, MAX_TEXT_CHARS));
        let key = format!("{kind}:{subject}:{text}");
        Self { kind, severity: kind.severity(), subject, text, link: None, at, key, repeat_ms: None }
    }

    /// The same, more or less pressing.
    #[must_use]
    pub fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// The same with a page to look at.
    #[must_use]
    pub fn with_link(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    /// The same of the cause `cause`: it is told once for it and its subject, whatever the text says.
    #[must_use]
    pub fn caused_by(self, cause: &str) -> Self {
        let key = format!("{}:{}:{}", self.kind, self.subject, clean(cause, MAX_CAUSE_CHARS));
        Self { key, ..self }
    }

    /// The same, whose cause is not told again for `time`.
    #[must_use]
    pub fn repeated_after(self, time: Duration) -> Self {
        Self { repeat_ms: Some(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)), ..self }
    }

    /// One line: how pressing, what, about what.
    pub fn title(&self) -> String {
        format!("[{}] {}: {}", self.severity, self.kind.as_str().replace('_', " "), self.subject)
    }

    /// Whether nothing may hold it back.
    pub fn is_critical(&self) -> bool {
        self.severity == Severity::Critical
    }
}

/// `text` in one line of at most `most` characters.
fn clean(text: &str, most: usize) -> String {
    let printable = |it: char| if it.is_control() { ' ' } else { it };
    cut(text.chars().map(printable).collect::<String>().trim(), most)
}

/// As [`clean`], with its ends of lines.
fn clean_lines(text: &str, most: usize) -> String {
    let printable = |it: char| if it.is_control() && it != '\n' { ' ' } else { it };
    cut(text.chars().map(printable).collect::<String>().trim(), most)
}

/// The first `most` characters, the last of them a mark where there are more.
fn cut(text: &str, most: usize) -> String {
    let mut kept: Vec<char> = text.chars().take(most + 1).collect();
    if kept.len() > most {
        kept.truncate(most.saturating_sub(1));
        kept.push('…');
    }
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word_that_means_it() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        let error = "halt".parse::<NoticeKind>().unwrap_err().to_string();
        assert!(error.contains("no kind of notice 'halt'") && error.contains("halted"), "{error}");
    }

    #[test]
    fn a_notice_can_be_printed_and_has_a_bounded_length() {
        let notice = Notice::new(NoticeKind::Test, "a\nb\u{7}", "one\ntwo\u{1b}[31m", Timestamp::EPOCH);
        assert_eq!((notice.subject.as_str(), notice.text.as_str()), ("a b", "one\ntwo [31m"));
        let long = "ä".repeat(10_000);
        let notice = Notice::new(NoticeKind::Test, &long, &long, Timestamp::EPOCH);
        assert_eq!(notice.subject.chars().count(), MAX_SUBJECT_CHARS);
        assert_eq!(notice.text.chars().count(), MAX_TEXT_CHARS);
        assert!(notice.text.ends_with('…'));
    }

    #[test]
    fn a_cause_is_the_whole_notice_unless_somebody_names_it() {
        let notice = |text| Notice::new(NoticeKind::DataGap, "default", text, Timestamp::EPOCH);
        assert_ne!(notice("a").key, notice("b").key);
        assert_eq!(notice("a").caused_by("feed").key, notice("b").caused_by("feed").key);
    }
}
