//! A newer snapshot of the champion's own arm: safe enough to take over from the one that serves?

use walkforward_core::{ArmId, Comparison, EvaluationReport, Evidence, GateCheck, Judgement};
use walkforward_stats::{PairedTest, paired_bootstrap};

use super::gate::{Condition, REJECTING, WAITING};
use super::ledger::seed_of;
use super::sentences::{beside, odds, one_in, percent};
use super::{EvidenceRules, MarketPace, Recent};
use crate::checks::{check, suspended};

/// The comparison of the candidate with the serving snapshot on the hold-out; nothing to ask where that does not load.
pub(super) fn conditions(
    evidence: &Evidence,
    pace: MarketPace,
    rules: &EvidenceRules,
    arm: &ArmId,
) -> Vec<Condition> {
    let candidate = &evidence.candidate;
    let Some(serving) = evidence.champion.as_ref().filter(|champion| champion.mechanical.loads) else {
        return Vec::new();
    };
    if let Some(problem) = not_comparable(candidate, serving) {
        let check = GateCheck {
            judgement: Judgement::Unknown,
            sentence: problem,
            ..check("sameBars", None, Comparison::AtLeast, 1.0)
        };
        return vec![Condition::new(check, "not_comparable", WAITING)];
    }
    let seed = seed(arm, candidate);
    let mut checks = vec![
        (agreement(candidate, serving, rules), "disagrees_with_serving"),
        (not_worse(candidate, serving, pace, rules, seed), "worse_than_serving"),
    ];
    if evidence.unseen_bars < evidence.min_judged_bars {
        let too_little = format!("{} unseen bars", evidence.unseen_bars);
        checks.iter_mut().for_each(|(check, _)| *check = suspended(check.clone(), &too_little));
    }
    checks.into_iter().map(|(check, reason)| Condition::new(check, reason, REJECTING)).collect()
}

/// Source of the draws: another one for each last bar, whenever somebody asks.
fn seed(arm: &ArmId, candidate: &EvaluationReport) -> u64 {
    let last = candidate.bar_close.last().map_or(0, |close| close.as_millis().unsigned_abs());
    seed_of(arm) ^ last
}

/// Why the two can't be compared bar by bar.
fn not_comparable(candidate: &EvaluationReport, serving: &EvaluationReport) -> Option<String> {
    let bars = candidate.bar_close.len();
    let is_whole = |it: &EvaluationReport| it.net_return.len() == bars && it.position.len() == bars;
    let is_same = candidate.bar_close == serving.bar_close && is_whole(candidate) && is_whole(serving);
    (!is_same || bars < 2).then(|| {
        format!(
            "{} and the serving {} were not judged on the same bars ({bars} and {}): evaluate both on one span",
            candidate.subject,
            serving.subject,
            serving.bar_close.len()
        )
    })
}

/// Share of bars on which both hold the same position.
fn agreement(candidate: &EvaluationReport, serving: &EvaluationReport, rules: &EvidenceRules) -> GateCheck {
    let pairs = candidate.position.iter().zip(&serving.position);
    let same = pairs.filter(|(new, old)| (*new - *old).abs() <= rules.position_tolerance).count();
    let bars = candidate.position.len();
    let share = same as f64 / bars as f64;
    let check = check("agreement", Some(share), Comparison::AtLeast, rules.min_agreement);
    let sentence = format!(
        "{} holds the position of the serving {} on {} of {bars} bars, at least {} is needed",
        candidate.subject,
        serving.subject,
        percent(share),
        percent(rules.min_agreement)
    );
    GateCheck { sentence, ..check }
}

/// Whether luck alone makes a model that is as good fall as far behind, often enough.
fn not_worse(
    candidate: &EvaluationReport,
    serving: &EvaluationReport,
    pace: MarketPace,
    rules: &EvidenceRules,
    seed: u64,
) -> GateCheck {
    let lag: Vec<f64> =
        serving.net_return.iter().zip(&candidate.net_return).map(|(old, new)| old - new).collect();
    let bootstrap = Recent::bootstrap(&lag, pace, rules, seed);
    let check = |p| check("pWorse", p, Comparison::AtLeast, rules.worse_p);
    let Ok(test) = paired_bootstrap(&lag, &vec![0.0; lag.len()], &bootstrap) else {
        return check(None);
    };
    let judgement = if test.p_value > rules.worse_p { Judgement::Pass } else { Judgement::Fail };
    let sentence = comparison(candidate, serving, &test, rules);
    GateCheck { judgement, sentence, ..check(Some(test.p_value)) }
}

/// What the paired test of how far the candidate lags says.
fn comparison(
    candidate: &EvaluationReport,
    serving: &EvaluationReport,
    test: &PairedTest,
    rules: &EvidenceRules,
) -> String {
    let lag = test.mean_difference * test.n as f64;
    let (gap, p) = (percent(lag.abs()), beside(test.p_value, &[rules.worse_p]));
    let (new, old) = (&candidate.subject, &serving.subject);
    if lag <= 0.0 {
        return format!(
            "over {} bars {new} did no worse than the serving {old}: {gap} ahead (p(worse) = {p})",
            test.n
        );
    }
    let (odds, limit) = (odds(test.p_value, rules.resamples()), one_in(rules.worse_p));
    format!(
        "over {} bars {new} fell behind the serving {old} by {gap}; luck alone does that to an equal {odds} \
         (p(worse) = {p}), and it has to be more often than {limit}",
        test.n
    )
}
