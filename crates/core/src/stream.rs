//! Arms and their streams: what a procedure that keeps making models has come to, bar by bar.
//!
//! An *arm* is everything that decides which models a line gets: hyperparameters, features, window, costs. Its models are
//! *snapshots*. Each closed bar is scored once for each arm, with the position that the newest snapshot of that time had
//! decided on, and so the arm as a whole earns a *grade* that one snapshot alone could never earn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Dataset, IdError, ModelRef, Timestamp, Window};

/// How far the evidence for an arm has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// More likely better than not; enough for paper money.
    Provisional,
    /// Luck alone rarely does as well; enough for a little money.
    Screened,
    /// A test that was fixed before its first bar says so.
    Qualified,
}

impl Grade {
    /// All grades, the lowest first.
    pub const ALL: [Self; 3] = [Self::Provisional, Self::Screened, Self::Qualified];

    /// The word in files and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Screened => "screened",
            Self::Qualified => "qualified",
        }
    }

    /// How often an arm without any skill gets there at the default levels, and how often a line of four such arms does, as
    /// the end of a sentence about it: measured in simulated markets without drift (`docs/evidence.md`). It stands wherever
    /// a grade is shown.
    pub fn reached_by_luck(self) -> &'static str {
        match self {
            Self::Provisional => {
                "reaches provisional at its first look in 21 to 23 %, within a year in 93 to 95 % of the cases in a market \
                 without drift; a line of four such arms changes its champion five to six times a year"
            }
            Self::Screened => {
                "reaches screened within 30 days in 2 to 4 %, within a year in 16 to 23 % of the cases in a market without \
                 drift; on a line of four such arms a champion's arm does in 60 to 63 % of the years"
            }
            Self::Qualified => {
                "reaches qualified within a year in 4.4 to 4.8 % of the cases at a level of 0.05 and in 1.1 % at 0.0125 in a \
                 market without drift; on a line of four such arms a champion's arm does in 1.5 to 2.5 % of the years"
            }
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Grade {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = Self::ALL.into_iter().find(|grade| grade.as_str() == text);
        found.ok_or_else(|| IdError::new("grade", text, "provisional, screened or qualified"))
    }
}

/// What a promotion changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionClass {
    /// Another arm, or the line's first: the reference changes.
    Takeover,
    /// A newer snapshot of the champion's own arm: the reference stays.
    Refresh,
}

/// What a verdict says about the arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grading {
    /// The candidate's arm.
    pub arm: ArmId,
    /// What a promotion of the candidate changes.
    pub class: PromotionClass,
    /// The arm's grade; none as long as there is no evidence for one.
    pub grade: Option<Grade>,
    /// What the ledger alone says: without the grade that a refresh keeps.
    #[serde(default)]
    pub earned: Option<Grade>,
    /// What the arm is measured against: `flat`, or a model's id.
    pub reference: String,
    /// Where the evidence stands, figure by figure, for whoever shows it.
    pub meter: Value,
}

/// Sixteen hex digits: the beginning of a SHA-256 over what makes an arm.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArmId(String);

impl ArmId {
    const DIGITS: usize = 16;

    /// The id that begins `digest`, a SHA-256.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        Self(digest.iter().take(Self::DIGITS / 2).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ArmId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == Self::DIGITS && text.bytes().all(is_digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(IdError::new("arm", text, "16 lower-case hex digits")),
        }
    }
}

impl TryFrom<String> for ArmId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ArmId> for String {
    fn from(id: ArmId) -> Self {
        id.0
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an arm's stream has come to against the line's reference, on the bars that both have been scored on since the
/// ledger of the two began. Series are `[n_bars]`, the oldest first; bars that nobody knows are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvidence {
    /// The arm.
    pub arm: ArmId,
    /// What it is measured against: `flat`, or the id of the line's anchor.
    pub reference: String,
    /// Close of each counted bar.
    pub bar_close: Vec<Timestamp>,
    /// Net return of the arm over each bar.
    pub arm_return: Vec<f64>,
    /// Net return of the reference over each bar.
    pub reference_return: Vec<f64>,
    /// Position of the arm at the end of each bar as a fraction of equity.
    pub arm_position: Vec<f64>,
    /// The same of the reference.
    pub reference_position: Vec<f64>,
    /// Return of the asset from close to close over each bar, without costs; empty where nobody knows it. Decides nothing.
    pub asset_return: Vec<f64>,
    /// The first so many bars were scored by a replay.
    pub replayed_bars: usize,
    /// Bars in a day of this market.
    pub bars_per_day: f64,
    /// Bars in a year of this market.
    pub bars_per_year: f64,
    /// The test that was fixed before its first bar; none while there is none.
    pub horizon: Option<Horizon>,
    /// Level of the e-process where no test was registered: the pair's share of what all arms of the account may spend,
    /// fixed before its first bar. None leaves it to the rules.
    pub anytime_level: Option<f64>,
    /// The same arm against the anchor that it set itself, on bars since that took over, where the champion is of this
    /// arm: whether newer snapshots that decide otherwise are better.
    pub own_anchor: Option<Box<StreamEvidence>>,
    /// Whether the champion is a snapshot of this arm.
    pub is_champions: bool,
    /// The champion's grade; none when the line has no champion or its champion was never graded.
    pub champion_grade: Option<Grade>,
    /// Models that were made on this line, the candidate included: how often luck had its chance with one model.
    pub trials: usize,
    /// Arms that the line has had, this one included: how often luck had its chance with a stream. None where nobody has
    /// counted them.
    pub arms: Option<usize>,
    /// Variance of these models' Sharpe ratios per bar on their hold-outs; none where fewer than two are known.
    pub trial_sharpe_variance: Option<f64>,
    /// Bars of the hold-outs that these ratios were measured on; none where nobody knows: then the variance says nothing
    /// about ratios over another number of bars.
    pub trial_bars: Option<usize>,
    /// What is wrong with the ledger, in words: bars that could not be scored. Decides nothing.
    pub caution: Option<String>,
    /// Until when no model of the arm is promoted, because a watch took its champion back; none when it is free.
    pub quarantined_until: Option<Timestamp>,
    /// When the line's champion last came from another arm than before.
    pub last_takeover_at: Option<Timestamp>,
    /// The time of the verdict.
    pub now: Timestamp,
}

/// A sequential test as it was registered before its first bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Horizon {
    /// Bars that close after this count.
    pub after: Timestamp,
    /// Number of bars after which it ends.
    pub bars: usize,
    /// One-sided level: the line-year's share of this arm.
    pub alpha: f64,
    /// Why it can't be trusted any more (paused, changed); then the e-process alone counts.
    pub broken: Option<String>,
    /// Close of the bar at which the arm was found to have crossed it; whatever breaks the test later does not undo that.
    pub crossed_at: Option<Timestamp>,
}

/// A stretch of a stream that is to be scored.
#[derive(Debug, Clone, Copy)]
pub struct StreamRequest<'a> {
    /// Who decides at the close of each bar; none holds no position.
    pub model: Option<&'a ModelRef>,
    /// The bars, with the history that features need.
    pub dataset: &'a Dataset,
    /// The bars to score.
    pub span: Window,
    /// How the stretch before it ended; none begins flat.
    pub session: Option<&'a Value>,
}

/// What a stretch of a stream came to. Series are `[n_bars]`.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamStretch {
    /// Close of each bar.
    pub bar_close: Vec<Timestamp>,
    /// Net return over each bar, of the position that the decisions before it had led to.
    pub net_return: Vec<f64>,
    /// Position at the end of each bar as a fraction of equity, before the decision at its close.
    pub position: Vec<f64>,
    /// How it ended, for the stretch after it: position, cash, and the order that waits for the next bar.
    pub session: Value,
}

/// What became of a [`StreamRequest`].
#[derive(Debug, Clone, PartialEq)]
pub enum Continued {
    /// It was scored.
    Scored(StreamStretch),
    /// The model works and gave no answer at the close of a bar.
    Silent {
        /// The bars before that one; none where it is the first.
        scored: Option<StreamStretch>,
        /// What it failed at, in words.
        problem: String,
    },
    /// The model does not load, or was made for another market, in words; nothing was scored.
    Broken(String),
}
