//! Bounds that a promotion has to keep whatever the evidence says.

use serde::{Deserialize, Serialize};
use walkforward_core::{Comparison, EvaluationReport, Evidence, GateCheck, Judgement, Metrics};

use super::gate::{Condition, REJECTING, WAITING};
use super::refresh::not_comparable;
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
    let (candidate, serving) = (&evidence.candidate, refreshed(evidence));
    let bound = drawdown_bound(candidate, &evidence.baselines, serving, rules, explicit);
    let mut checks = checks(candidate, &bound, bars_per_day, rules, explicit);
    if evidence.unseen_bars < evidence.min_judged_bars {
        let too_little = format!("{} unseen bars", evidence.unseen_bars);
        checks = checks.into_iter().map(|check| suspended(check, &too_little)).collect();
    }
    checks.into_iter().map(|check| Condition::new(check, REASON, REJECTING)).collect()
}

/// The rails that the serving snapshot breaks itself on the candidate's bars, a sentence each.
pub(super) fn broken_by_serving(
    evidence: &Evidence,
    bars_per_day: f64,
    rules: &EvidenceRules,
    explicit: &ExplicitRails,
) -> Vec<String> {
    let has_bars = evidence.unseen_bars >= evidence.min_judged_bars;
    let Some(serving) = comparable_champion(evidence).filter(|_| has_bars) else { return Vec::new() };
    let bound = drawdown_bound(serving, &evidence.baselines, None, rules, explicit);
    let broken = checks(serving, &bound, bars_per_day, rules, explicit);
    let broken = broken.into_iter().filter(|check| check.judgement == Judgement::Fail);
    broken.map(|check| check.sentence).collect()
}

/// The champion, where it was run on the candidate's bars.
fn comparable_champion(evidence: &Evidence) -> Option<&EvaluationReport> {
    let loaded = evidence.champion.as_ref().filter(|champion| champion.mechanical.loads);
    loaded.filter(|champion| not_comparable(&evidence.candidate, champion).is_none())
}

/// The serving snapshot that the candidate is to refresh; none of another arm.
fn refreshed(evidence: &Evidence) -> Option<&EvaluationReport> {
    let is_refresh = evidence.stream.as_ref().is_some_and(|stream| stream.is_champions);
    comparable_champion(evidence).filter(|_| is_refresh)
}

fn checks(
    report: &EvaluationReport,
    bound: &DrawdownBound,
    bars_per_day: f64,
    rules: &EvidenceRules,
    explicit: &ExplicitRails,
) -> Vec<GateCheck> {
    let metrics = &report.metrics;
    let mut checks = vec![defined(metrics), bound.check(metrics), turnover(metrics, bars_per_day, rules)];
    checks.extend(of_trades(metrics, rules, explicit));
    checks
}

/// The rails on how much the stream has to say: too little of it never rejects.
pub(super) fn on_the_stream(standing: &Standing, rules: &EvidenceRules) -> Vec<Condition> {
    enough_decisions(standing, rules).map(|check| Condition::new(check, REASON, WAITING)).collect()
}

/// Whether those hold: before they do, no figure is a grade. They do where nobody knows of any trades.
pub(super) fn has_decided_enough(standing: &Standing, rules: &EvidenceRules) -> bool {
    enough_decisions(standing, rules).all(|check| check.judgement == Judgement::Pass)
}

/// Why the stream says too little, a sentence each.
pub(super) fn shortfalls(standing: &Standing, rules: &EvidenceRules) -> Vec<String> {
    let lacking = enough_decisions(standing, rules).filter(|check| check.judgement != Judgement::Pass);
    lacking.map(|check| check.sentence).collect()
}

fn enough_decisions(standing: &Standing, rules: &EvidenceRules) -> impl Iterator<Item = GateCheck> + use<> {
    let stretches = standing.differing_stretches;
    let (min_trades, min_stretches) = (rules.min_trades, rules.min_stretches);
    let checks = standing.closed_trades.map(|trades| {
        [
            enough("armTrades", trades, min_trades, ["closed trade", "closed trades"], "of the arm"),
            enough(
                "differingStretches",
                stretches,
                min_stretches,
                ["separate stretch", "separate stretches"],
                "on which the arm and its reference differ",
            ),
        ]
    });
    checks.into_iter().flatten()
}

/// Whether `found` things are enough; `[one, many]` is what they are called.
fn enough(name: &str, found: usize, needed: usize, [one, many]: [&str; 2], which: &str) -> GateCheck {
    let check = check(name, Some(found as f64), Comparison::AtLeast, needed as f64);
    let (what, are) = if found == 1 { (one, "is") } else { (many, "are") };
    let has_enough = check.judgement == Judgement::Pass;
    let judgement = if has_enough { Judgement::Pass } else { Judgement::Unknown };
    let sentence = match has_enough {
        true => format!("{found} {what} {which} {are} enough to judge by"),
        false => format!("{found} {what} {which} {are} too few to judge by, {needed} are needed"),
    };
    GateCheck { judgement, sentence, ..check }
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

/// The largest drawdown that is allowed, and what it is besides a figure.
struct DrawdownBound {
    most: f64,
    meaning: Option<String>,
}

impl DrawdownBound {
    fn check(&self, metrics: &Metrics) -> GateCheck {
        let check = check("maxDrawdown", metrics.max_drawdown, Comparison::AtMost, self.most);
        match &self.meaning {
            Some(meaning) => GateCheck { sentence: format!("{}, {meaning}", check.sentence), ..check },
            None => check,
        }
    }
}

/// The one that somebody set; else the most lenient of a fixed bound, a share of what holding the asset fell by on the same
/// bars, and on a refresh what the `serving` snapshot fell by: to refuse a newer one that fell less would keep the worse.
fn drawdown_bound(
    report: &EvaluationReport,
    baselines: &[EvaluationReport],
    serving: Option<&EvaluationReport>,
    rules: &EvidenceRules,
    explicit: &ExplicitRails,
) -> DrawdownBound {
    if let Some(most) = explicit.max_drawdown {
        return DrawdownBound { most, meaning: None };
    }
    // Rounded so that a bound of 0.3 reads as one.
    let of_holding = holding_drawdown(report, baselines).map(|fell| DrawdownBound {
        most: (fell * rules.max_drawdown_of_holding * 1e9).round() / 1e9,
        meaning: Some(format!(
            "{} of what holding the asset fell by",
            percent(rules.max_drawdown_of_holding)
        )),
    });
    let fell = |serving: &EvaluationReport| serving.metrics.max_drawdown.filter(|fell| fell.is_finite());
    let of_serving = serving.and_then(|serving| {
        let meaning = format!("what the serving {} fell by on the same bars", serving.subject);
        Some(DrawdownBound { most: fell(serving)?, meaning: Some(meaning) })
    });
    let fixed = DrawdownBound { most: rules.max_drawdown, meaning: None };
    let more_lenient =
        |one: DrawdownBound, other: DrawdownBound| if other.most > one.most { other } else { one };
    [of_holding, of_serving].into_iter().flatten().fold(fixed, more_lenient)
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
        Some(if is_told { check } else { told_by_more_bars(check, trades, rules) })
    };
    rails.into_iter().filter_map(rail).collect()
}

/// A rail on trades of which there are too few, and what would tell.
fn told_by_more_bars(check: GateCheck, trades: u64, rules: &EvidenceRules) -> GateCheck {
    let check = suspended(check, &format!("{trades} trades on the hold-out"));
    let sentence = format!(
        "{}: {} are needed, and a longer hold-out has more (--holdout-bars)",
        check.sentence, rules.min_trades
    );
    GateCheck { sentence, ..check }
}
