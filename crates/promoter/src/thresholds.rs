//! The preset `thresholds`: three metrics against fixed bounds.

use walkforward_core::{
    Comparison, EvaluationReport, Evidence, Gate, GateCheck, Judgement, Outcome, Verdict,
};

use crate::checks::{check, suspended};

const PRESET: &str = "thresholds";

/// Promotes a working model whose win rate, drawdown and profit per trade are within bounds, equality included.
///
/// - A model that does not load, or decides the same on every bar, is rejected (`mechanical`).
/// - A backtest over fewer unseen bars than the evidence asks for is inconclusive: `contaminated` when the model or an
///   ancestor has seen a part of the hold-out, else `insufficient_evidence`.
/// - An undefined metric fails its check, and a failed check rejects (`thresholds_failed`).
///
/// Metrics that somebody supplied were measured on bars of their own: they are held against the bounds alone. The
/// champion does not enter the verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdsGate {
    min_win_rate: f64,
    max_drawdown: f64,
    min_pnl_per_trade: f64,
}

/// A bound that no measurement can be held against.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}: expected {expected}")]
pub struct ThresholdError {
    name: &'static str,
    value: f64,
    expected: &'static str,
}

impl ThresholdsGate {
    /// A gate with these bounds: win rate and drawdown as fractions, profit per trade as a fraction of the entry.
    ///
    /// # Errors
    /// When a bound is not finite, or win rate or drawdown is outside 0 to 1.
    pub fn new(min_win_rate: f64, max_drawdown: f64, min_pnl_per_trade: f64) -> Result<Self, ThresholdError> {
        for (name, value) in [("min_win_rate", min_win_rate), ("max_drawdown", max_drawdown)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(ThresholdError { name, value, expected: "a fraction between 0 and 1" });
            }
        }
        if !min_pnl_per_trade.is_finite() {
            let (name, value) = ("min_pnl_per_trade", min_pnl_per_trade);
            return Err(ThresholdError { name, value, expected: "a finite number" });
        }
        Ok(Self { min_win_rate, max_drawdown, min_pnl_per_trade })
    }

    /// Least share of winning trades.
    pub fn min_win_rate(&self) -> f64 {
        self.min_win_rate
    }

    /// Largest drawdown, a positive fraction.
    pub fn max_drawdown(&self) -> f64 {
        self.max_drawdown
    }

    /// Least mean profit of a trade, as a fraction of its entry value.
    pub fn min_pnl_per_trade(&self) -> f64 {
        self.min_pnl_per_trade
    }

    fn metric_checks(&self, candidate: &EvaluationReport) -> Vec<GateCheck> {
        let metrics = &candidate.metrics;
        vec![
            check("winRate", metrics.win_rate, Comparison::AtLeast, self.min_win_rate),
            check("maxDrawdown", metrics.max_drawdown, Comparison::AtMost, self.max_drawdown),
            check("pnlPerTrade", metrics.pnl_per_trade, Comparison::AtLeast, self.min_pnl_per_trade),
        ]
    }
}

impl Default for ThresholdsGate {
    /// Win rate of at least 0.55, drawdown of at most 0.2, no loss per trade.
    fn default() -> Self {
        Self { min_win_rate: 0.55, max_drawdown: 0.2, min_pnl_per_trade: 0.0 }
    }
}

impl Gate for ThresholdsGate {
    fn assess(&self, evidence: &Evidence) -> Verdict {
        Verdict { warnings: warnings(evidence), ..self.judge(evidence) }
    }
}

impl ThresholdsGate {
    fn judge(&self, evidence: &Evidence) -> Verdict {
        let candidate = &evidence.candidate;
        let mut checks = self.metric_checks(candidate);
        let bars = bars_check(evidence);
        let problem = mechanical_problem(candidate);
        let enough = bars.as_ref().is_none_or(|bars| bars.judgement == Judgement::Pass);
        if !enough {
            let too_little = format!("{} unseen bars", evidence.unseen_bars);
            checks = checks.into_iter().map(|check| suspended(check, &too_little)).collect();
        }
        checks.extend(bars);
        checks.push(mechanical_check(candidate, problem.as_deref()));

        // Too few bars excuse a model that did not change its mind, not one that does not run.
        let rejecting = problem.filter(|_| enough || !candidate.mechanical.loads);
        if let Some(problem) = rejecting {
            let sentence = format!("{} may not trade: {problem}", candidate.subject);
            return verdict(Outcome::Reject, Some("mechanical"), sentence, checks);
        }
        if !enough {
            return inconclusive(evidence, checks);
        }
        by_metrics(candidate, checks)
    }
}

fn by_metrics(candidate: &EvaluationReport, checks: Vec<GateCheck>) -> Verdict {
    let failing =
        checks.iter().filter(|check| check.judgement == Judgement::Fail && check.name != MECHANICAL);
    let failed = failing.map(|check| check.sentence.as_str()).collect::<Vec<_>>().join("; ");
    if failed.is_empty() {
        let sentence = format!("{} may trade: every threshold holds", candidate.subject);
        return verdict(Outcome::Promote, None, sentence, checks);
    }
    let sentence = format!("{} may not trade: {failed}", candidate.subject);
    verdict(Outcome::Reject, Some("thresholds_failed"), sentence, checks)
}

fn inconclusive(evidence: &Evidence, checks: Vec<GateCheck>) -> Verdict {
    let Evidence { candidate, unseen_bars, holdout_bars, min_judged_bars, .. } = evidence;
    let subject = &candidate.subject;
    if unseen_bars < holdout_bars {
        let sentence = format!(
            "{subject} can't be judged: it or an ancestor has seen {} of the {holdout_bars} hold-out bars, which \
             leaves {unseen_bars}, and {min_judged_bars} are needed",
            holdout_bars - unseen_bars
        );
        return verdict(Outcome::Inconclusive, Some("contaminated"), sentence, checks);
    }
    let sentence = format!(
        "{subject} can't be judged: there are {unseen_bars} bars that it has not seen, and {min_judged_bars} are needed"
    );
    verdict(Outcome::Inconclusive, Some("insufficient_evidence"), sentence, checks)
}

fn verdict(outcome: Outcome, reason: Option<&str>, sentence: String, checks: Vec<GateCheck>) -> Verdict {
    let reason = reason.map(str::to_owned);
    Verdict { preset: PRESET.to_owned(), outcome, reason, sentence, checks, warnings: Vec::new() }
}

/// What the preset is worth, measured on models without any skill: `docs/gates.md` says how.
const FALSE_PROMOTIONS: &str = "the preset thresholds promotes 9 to 25 % of models without skill in each cycle, and 69 \
     to 92 % of those that are judged on bars they were trained on (docs/gates.md)";

/// What a person has to know who relies on a verdict on `evidence`.
fn warnings(evidence: &Evidence) -> Vec<String> {
    let candidate = evidence.candidate.warnings.iter();
    let candidate = candidate.map(|warning| format!("{}: {}", evidence.candidate.subject, warning.sentence));
    let champion = evidence.champion.as_ref().filter(|champion| !champion.mechanical.loads);
    let champion = champion.map(|champion| {
        let problem = mechanical_problem(champion).unwrap_or_default();
        format!("the champion {} was not compared: {problem}", champion.subject)
    });
    [FALSE_PROMOTIONS.to_owned()].into_iter().chain(champion).chain(candidate).collect()
}

/// Whether there are enough unseen bars; none for metrics that were supplied.
fn bars_check(evidence: &Evidence) -> Option<GateCheck> {
    evidence.candidate.judged_span?;
    let (unseen, needed) = (evidence.unseen_bars as f64, evidence.min_judged_bars as f64);
    Some(check("unseenBars", Some(unseen), Comparison::AtLeast, needed))
}

const MECHANICAL: &str = "mechanicalProblems";

fn mechanical_check(candidate: &EvaluationReport, problem: Option<&str>) -> GateCheck {
    let mechanical = &candidate.mechanical;
    let unnamed = usize::from(problem.is_some());
    let problems = mechanical.problems.len().max(unnamed);
    let check = check(MECHANICAL, Some(problems as f64), Comparison::AtMost, 0.0);
    let sentence = problem.unwrap_or("it loads, answers its probe, and its decisions vary").to_owned();
    GateCheck { sentence, ..check }
}

/// What keeps the model from working at all, in words.
fn mechanical_problem(candidate: &EvaluationReport) -> Option<String> {
    let mechanical = &candidate.mechanical;
    if !mechanical.problems.is_empty() {
        return Some(format!("it does not work: {}", mechanical.problems.join("; ")));
    }
    match (mechanical.loads, mechanical.varies) {
        (false, _) => Some("it does not load".to_owned()),
        (true, false) => Some("it takes the same action on every bar".to_owned()),
        (true, true) => None,
    }
}
