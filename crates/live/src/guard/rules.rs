//! The rules, and what they say.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Guard;

/// What a champion is taken back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardRule {
    /// Evidence that its anchor is better.
    Evidence,
    /// A fall deeper than the replay explains.
    Drawdown,
    /// A day's turnover beyond what the replay explains.
    Turnover,
    /// Decisions in a row without an answer.
    Errors,
}

impl GuardRule {
    /// The word in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Drawdown => "drawdown",
            Self::Turnover => "turnover",
            Self::Errors => "errors",
        }
    }
}

impl fmt::Display for GuardRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// That a rule was broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardVerdict {
    /// Which.
    pub rule: GuardRule,
    /// What was measured.
    pub value: f64,
    /// What it may be.
    pub limit: f64,
    /// The same in words.
    pub sentence: String,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuleStanding {
    /// Which.
    pub rule: GuardRule,
    /// What is measured now.
    pub value: f64,
    /// What it may be; none where the replay does not say, then the rule is off.
    pub limit: Option<f64>,
}

impl RuleStanding {
    /// Whether the rule is broken: the evidence and the errors when they reach their limit, the others beyond it.
    pub fn is_broken(&self) -> bool {
        self.limit.is_some_and(|limit| match self.rule {
            GuardRule::Evidence | GuardRule::Errors => self.value >= limit,
            GuardRule::Drawdown | GuardRule::Turnover => self.value > limit,
        })
    }

    pub(super) fn verdict(&self, guard: &Guard) -> Option<GuardVerdict> {
        let limit = self.limit.filter(|_| self.is_broken())?;
        let sentence = sentence(self.rule, self.value, limit, guard);
        Some(GuardVerdict { rule: self.rule, value: self.value, limit, sentence })
    }
}

fn sentence(rule: GuardRule, value: f64, limit: f64, guard: &Guard) -> String {
    let (settings, watched) = (guard.settings(), guard.watched());
    let (champion, replay) = (&watched.champion, &watched.replay);
    let (bars, basis) = (guard.bars(), replay.basis.in_words());
    match rule {
        GuardRule::Evidence => {
            let anchor = watched.anchor.as_ref().map_or("holding no position", |anchor| anchor.as_str());
            format!(
                "{anchor} does better than {champion} and the snapshots before it: E = {value:.2} after {bars} bars, and \
                 {limit} takes a champion back"
            )
        }
        GuardRule::Drawdown => {
            let known = replay.max_drawdown.unwrap_or_default();
            format!(
                "{champion} is {} below the peak since the takeover, {bars} bars ago, and {} are allowed: {} times the {} \
                 of {basis} over {} bars, stretched to this length, or what its anchor fell, {}, and no less than {}",
                percent(value),
                percent(limit),
                settings.drawdown_factor,
                percent(known),
                replay.bars,
                percent(guard.anchor_fall()),
                percent(settings.least_drawdown)
            )
        }
        GuardRule::Turnover => {
            let known = replay.daily_turnover_p99.unwrap_or_default();
            format!(
                "{champion} has turned its equity over {value:.2} times in a day, and {limit:.2} are allowed: {} times the \
                 99th percentile of {basis}, {known:.2}, and no less than {}",
                settings.turnover_factor, settings.least_turnover
            )
        }
        GuardRule::Errors => {
            format!("{champion} gave no answer {value} times in a row, and {limit} take a champion back")
        }
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}
