//! A newer snapshot of the champion's own arm: safe enough to take over from the one that serves?

use walkforward_core::{ArmId, Comparison, EvaluationReport, Evidence, GateCheck, Judgement, StreamEvidence};
use walkforward_stats::{PairedTest, paired_bootstrap};

use super::gate::{Condition, REJECTING, WAITING};
use super::ledger::seed_of;
use super::sentences::{beside, odds, one_in, percent};
use super::{EvidenceRules, MarketPace, Meter, OwnAnchor, Recent};
use crate::checks::{check, suspended};

/// The comparison of the candidate with the serving snapshot on the hold-out; nothing to ask where that does not load.
pub(super) fn conditions(
    evidence: &Evidence,
    stream: &StreamEvidence,
    meter: &Meter,
    pace: MarketPace,
    rules: &EvidenceRules,
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
    let seed = seed(&stream.arm, candidate);
    let own = meter.own_anchor.as_ref();
    // A ledger that goes on may come to a lead yet.
    let disagrees = if own.is_some() { WAITING } else { REJECTING };
    let conditions = [
        (agreement(candidate, serving, own, rules), "disagrees_with_serving", disagrees),
        (not_worse(candidate, serving, pace, rules, seed), "worse_than_serving", REJECTING),
    ];
    let too_little = (evidence.unseen_bars < evidence.min_judged_bars)
        .then(|| format!("{} unseen bars", evidence.unseen_bars));
    let told = |check| match &too_little {
        Some(too_little) => suspended(check, too_little),
        None => check,
    };
    conditions.map(|(check, reason, failed)| Condition::new(told(check), reason, failed)).into()
}

/// Source of the draws: another one for each last bar, whenever somebody asks.
fn seed(arm: &ArmId, candidate: &EvaluationReport) -> u64 {
    let last = candidate.bar_close.last().map_or(0, |close| close.as_millis().unsigned_abs());
    seed_of(arm) ^ last
}

/// Why the two can't be compared bar by bar.
pub(super) fn not_comparable(candidate: &EvaluationReport, serving: &EvaluationReport) -> Option<String> {
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

/// Share of bars on which both hold the same position. Where the arm leads its own anchor, a snapshot that decides otherwise
/// may serve too: else the champion of an arm that has changed its mind would grow stale for ever.
fn agreement(
    candidate: &EvaluationReport,
    serving: &EvaluationReport,
    own: Option<&OwnAnchor>,
    rules: &EvidenceRules,
) -> GateCheck {
    let pairs = candidate.position.iter().zip(&serving.position);
    let same = pairs.filter(|(new, old)| (*new - *old).abs() <= rules.position_tolerance).count();
    let bars = candidate.position.len();
    let share = same as f64 / bars as f64;
    let check = check("agreement", Some(share), Comparison::AtLeast, rules.min_agreement);
    let told = format!(
        "{} holds the position of the serving {} on {} of {bars} bars, at least {} is needed",
        candidate.subject,
        serving.subject,
        percent(share),
        percent(rules.min_agreement)
    );
    let Some(own) = own.filter(|_| check.judgement != Judgement::Pass) else {
        return GateCheck { sentence: told, ..check };
    };
    let judgement = if own.leads { Judgement::Pass } else { Judgement::Fail };
    let (anchor, evidence) = (&own.reference, &own.sentence);
    let has = if own.leads { "which it has" } else { "which it has not yet" };
    let sentence = format!("{told}, or a lead of its arm over {anchor}, {has}: {evidence}");
    GateCheck { judgement, sentence, ..check }
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
