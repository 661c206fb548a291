//! The preset `thresholds`: three metrics against fixed bounds.

use walkforward_core::{
    Comparison, EvaluationReport, Evidence, Gate, GateCheck, Judgement, Outcome, Verdict,
};

use crate::checks::{check, suspended};
use crate::holdout::{
    MECHANICAL, QUARANTINED, bars_check, cautions, mechanical_check, mechanical_problem, quarantine,
    too_few_bars,
};

const PRESET: &str = "thresholds";

/// Promotes a working model whose win rate, drawdown and profit per trade are within bounds, equality included.
///
/// - A model that does not load, or decides the same on every bar, is rejected (`mechanical`).
/// - A backtest over fewer unseen bars than the evidence asks for is inconclusive: `contaminated` when the model or an
///   ancestor has seen a part of the hold-out, else `insufficient_evidence`.
/// - A model of an arm in quarantine is inconclusive (`quarantined`).
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

/// Refuses bounds that no measurement can be held against; bounds that nobody set are none.
pub(crate) fn check_bounds(
    min_win_rate: Option<f64>,
    max_drawdown: Option<f64>,
    min_pnl_per_trade: Option<f64>,
) -> Result<(), ThresholdError> {
    for (name, bound) in [("min_win_rate", min_win_rate), ("max_drawdown", max_drawdown)] {
        if let Some(value) = bound.filter(|value| !(0.0..=1.0).contains(value)) {
            return Err(ThresholdError { name, value, expected: "a fraction between 0 and 1" });
        }
    }
    match min_pnl_per_trade.filter(|value| !value.is_finite()) {
        Some(value) => Err(ThresholdError { name: "min_pnl_per_trade", value, expected: "a finite number" }),
        None => Ok(()),
    }
}

impl ThresholdsGate {
    /// A gate with these bounds: win rate and drawdown as fractions, profit per trade as a fraction of the entry.
    ///
    /// # Errors
    /// When a bound is not finite, or win rate or drawdown is outside 0 to 1.
    pub fn new(min_win_rate: f64, max_drawdown: f64, min_pnl_per_trade: f64) -> Result<Self, ThresholdError> {
        check_bounds(Some(min_win_rate), Some(max_drawdown), Some(min_pnl_per_trade))?;
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
        if let Some(sentence) = quarantine(evidence) {
            return verdict(Outcome::Inconclusive, Some(QUARANTINED), sentence, checks);
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
    let (reason, sentence) = too_few_bars(evidence);
    verdict(Outcome::Inconclusive, Some(reason), sentence, checks)
}

fn verdict(outcome: Outcome, reason: Option<&str>, sentence: String, checks: Vec<GateCheck>) -> Verdict {
    let reason = reason.map(str::to_owned);
    Verdict {
        preset: PRESET.to_owned(),
        outcome,
        reason,
        sentence,
        checks,
        warnings: Vec::new(),
        grading: None,
    }
}

/// What the preset is worth, measured on models without any skill: `docs/gates.md` says how.
const FALSE_PROMOTIONS: &str = "the preset thresholds promotes 9 to 25 % of models without skill in each cycle, and 69 \
     to 92 % of those that are judged on bars they were trained on (docs/gates.md)";

/// What a person has to know who relies on a verdict on `evidence`.
fn warnings(evidence: &Evidence) -> Vec<String> {
    [FALSE_PROMOTIONS.to_owned()].into_iter().chain(cautions(evidence)).collect()
}
