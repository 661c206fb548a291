//! Bounds that a promotion has to keep whatever the evidence says.

use serde::{Deserialize, Serialize};
use walkforward_core::{Comparison, EvaluationReport, Evidence, GateCheck, Judgement, Metrics};

use super::gate::{Condition, REJECTING, WAITING};
use super::sentences::percent;
use super::{EvidenceRules, Standing};
use crate::ThresholdError;
use crate::checks::{check, suspended};
use crate::thresholds::check_bounds;

const REASON: &str = "rails";
/// Name of the baseline that holds the asset.
const HOLDING: &str = "buy_and_hold";

/// Bounds that somebody set in so many words; they are rails then. None is no rail, or the rules' own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExplicitRails {
    /// Least share of winning trades (`MIN_WIN_RATE`).
    pub min_win_rate: Option<f64>,
    /// Largest drawdown (`MAX_DRAWDOWN`), in place of the rules' own bound.
    pub max_drawdown: Option<f64>,
    /// Least mean profit of a trade as a fraction of its entry value (`MIN_PNL_PER_TRADE`).
    pub min_pnl_per_trade: Option<f64>,
}

impl ExplicitRails {
    /// The same, when every bound is one.
    ///
    /// # Errors
    /// When a fraction is outside 0 to 1, or a bound is not finite.
    pub fn checked(self) -> Result<Self, ThresholdError> {
        check_bounds(self.min_win_rate, self.max_drawdown, self.min_pnl_per_trade)?;
        Ok(self)
    }
}

/// The rails on the hold-out. Without enough unseen bars none of them can be told.
pub(super) fn on_the_holdout(
    evidence: &Evidence,
    bars_per_day: f64,
    rules: &EvidenceRules,
    explicit: &ExplicitRails,
) -> Vec<Condition> {
    let candidate = &evidence.candidate;
    let mut checks = vec![
        defined(&candidate.metrics),
        drawdown(evidence, rules, explicit),
        turnover(&candidate.metrics, bars_per_day, rules),
    ];
    checks.extend(of_trades(&candidate.metrics, rules, explicit));
    if evidence.unseen_bars < evidence.min_judged_bars {
        let too_little = format!("{} unseen bars", evidence.unseen_bars);
        checks = checks.into_iter().map(|check| suspended(check, &too_little)).collect();
    }
    checks.into_iter().map(|check| Condition::new(check, REASON, REJECTING)).collect()
}

/// The rails on how much the stream has to say: too little of it never rejects.
pub(super) fn on_the_stream(standing: &Standing, trades: usize, rules: &EvidenceRules) -> Vec<Condition> {
    let checks = enough_decisions(standing, trades, rules);
    checks.into_iter().map(|check| Condition::new(check, REASON, WAITING)).collect()
}

/// Why the stream says too little, a sentence each.
pub(super) fn shortfalls(standing: &Standing, trades: usize, rules: &EvidenceRules) -> Vec<String> {
    let checks = enough_decisions(standing, trades, rules).into_iter();
    checks.filter(|check| check.judgement != Judgement::Pass).map(|check| check.sentence).collect()
}

fn enough_decisions(standing: &Standing, trades: usize, rules: &EvidenceRules) -> [GateCheck; 2] {
    let enough = |name, found: usize, needed: usize, what: &str| {
        let check = check(name, Some(found as f64), Comparison::AtLeast, needed as f64);
        let is_enough = check.judgement == Judgement::Pass;
        let judgement = if is_enough { Judgement::Pass } else { Judgement::Unknown };
        let sentence = match is_enough {
            true => format!("{found} {what} are enough to judge by"),
            false => format!("{found} {what} are too few to judge by, {needed} are needed"),
        };
        GateCheck { judgement, sentence, ..check }
    };
    [
        enough("armTrades", trades, rules.min_trades, "closed trades of the arm"),
        enough(
            "differingStretches",
            standing.differing_stretches,
            rules.min_stretches,
            "separate stretches on which the arm and its reference differ",
        ),
    ]
}

fn defined(metrics: &Metrics) -> GateCheck {
    let figures = [
        ("totalReturn", metrics.total_return),
        ("maxDrawdown", metrics.max_drawdown),
        ("turnover", metrics.turnover),
    ];
    let is_number = |value: Option<f64>| value.is_some_and(f64::is_finite);
    let undefined: Vec<&str> =
        figures.iter().filter(|(_, value)| !is_number(*value)).map(|(name, _)| *name).collect();
    let check = check("undefinedMetrics", Some(undefined.len() as f64), Comparison::AtMost, 0.0);
    let sentence = match undefined.is_empty() {
        true => "return, drawdown and turnover are defined".to_owned(),
        false => format!("{} undefined, and nothing undefined may trade", undefined.join(" and ")),
    };
    GateCheck { sentence, ..check }
}

/// Within a fixed bound, or well within what holding the asset fell by on the same bars.
fn drawdown(evidence: &Evidence, rules: &EvidenceRules, explicit: &ExplicitRails) -> GateCheck {
    let measured = evidence.candidate.metrics.max_drawdown;
    if let Some(bound) = explicit.max_drawdown {
        return check("maxDrawdown", measured, Comparison::AtMost, bound);
    }
    let holding = holding_drawdown(&evidence.candidate, &evidence.baselines);
    // Rounded so that a bound of 0.3 reads as one.
    let relative = holding.map(|fell| (fell * rules.max_drawdown_of_holding * 1e9).round() / 1e9);
    match relative.filter(|relative| *relative > rules.max_drawdown) {
        Some(relative) => {
            let check = check("maxDrawdown", measured, Comparison::AtMost, relative);
            let share = percent(rules.max_drawdown_of_holding);
            let sentence = format!("{}, {share} of what holding the asset fell by", check.sentence);
            GateCheck { sentence, ..check }
        }
        None => check("maxDrawdown", measured, Comparison::AtMost, rules.max_drawdown),
    }
}

/// What holding the asset fell by on the candidate's bars.
fn holding_drawdown(candidate: &EvaluationReport, baselines: &[EvaluationReport]) -> Option<f64> {
    let is_holding =
        |it: &&EvaluationReport| it.subject == HOLDING && it.judged_span == candidate.judged_span;
    let holding = baselines.iter().find(is_holding)?;
    holding.metrics.max_drawdown.filter(|fell| fell.is_finite())
}

fn turnover(metrics: &Metrics, bars_per_day: f64, rules: &EvidenceRules) -> GateCheck {
    let per_day = metrics.turnover.map(|per_bar| per_bar * bars_per_day);
    check("turnoverPerDay", per_day, Comparison::AtMost, rules.max_turnover_per_day)
}

/// The explicit rails on trades; of too few trades they can't be told.
fn of_trades(metrics: &Metrics, rules: &EvidenceRules, explicit: &ExplicitRails) -> Vec<GateCheck> {
    let trades = metrics.trades.unwrap_or(0);
    let rails = [
        ("winRate", metrics.win_rate, explicit.min_win_rate),
        ("pnlPerTrade", metrics.pnl_per_trade, explicit.min_pnl_per_trade),
    ];
    let rail = |(name, measured, bound): (&str, Option<f64>, Option<f64>)| {
        let check = check(name, measured, Comparison::AtLeast, bound?);
        let is_told = trades >= rules.min_trades as u64;
        Some(if is_told { check } else { suspended(check, &format!("{trades} trades on the hold-out")) })
    };
    rails.into_iter().filter_map(rail).collect()
}
