//! The gate: what a verdict is made of, in order.

use serde_json::Value;
use walkforward_core::{
    Evidence, Gate, GateCheck, Grading, Judgement, Outcome, PromotionClass, StreamEvidence, Verdict,
};

use super::{
    EvidenceRules, ExplicitRails, LedgerError, MarketPace, Meter, rails, refresh, takeover, warnings,
};
use crate::holdout::{
    QUARANTINED, bars_check, mechanical_check, mechanical_problem, quarantine, too_few_bars,
};

const PRESET: &str = "evidence";

/// A condition that does not hold keeps the model from trading.
pub(super) const REJECTING: Outcome = Outcome::Reject;
/// A condition that does not hold may hold later.
pub(super) const WAITING: Outcome = Outcome::Inconclusive;

/// Promotes a snapshot whose arm has earned it.
///
/// - A *takeover* (the champion is of another arm, or there is none) needs a grade: the arm's stream has to lead its
///   reference by more than luck explains, over enough trades and enough separate stretches. The grade is at least the
///   champion's, and a day has to have gone by since the last takeover.
/// - A *refresh* (the champion is of the candidate's own arm) needs to be safe: it agrees with the serving snapshot often
///   enough, or its arm leads its own anchor, and it is not measurably worse on the hold-out. It keeps the arm's grade, or
///   raises it where the ledger says more.
/// - Both need a model that works and rails that hold on enough unseen bars.
///
/// A grade is earned by figures that rest on enough closed trades and separate stretches: with fewer the arm has none.
///
/// The first of these reasons that applies is the verdict's: `mechanical`, `rails`, `disagrees_with_serving` (without a
/// ledger against the arm's own anchor), `worse_than_serving` reject; `supplied_metrics`, `no_stream`, `bad_ledger`,
/// `quarantined`, `contaminated`, `insufficient_evidence`, `rails` (too few trades), `not_comparable`, `too_early`,
/// `same_decisions`, `no_grade`, `below_champions_grade`, `cooling_down`, `disagrees_with_serving` (with such a ledger,
/// that shows no lead yet) are inconclusive. Metrics that somebody supplied say nothing about an arm: whoever wires the gates hands them to
/// [`ThresholdsGate`](crate::ThresholdsGate).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvidenceGate {
    /// Its rules.
    pub rules: EvidenceRules,
    /// Bounds that somebody set in so many words.
    pub explicit: ExplicitRails,
}

/// A check, what its failure is called, and what it comes to.
#[derive(Debug)]
pub(super) struct Condition {
    check: GateCheck,
    reason: &'static str,
    failed: Outcome,
    decides: bool,
}

impl Condition {
    pub(super) fn new(check: GateCheck, reason: &'static str, failed: Outcome) -> Self {
        Self { check, reason, failed, decides: true }
    }

    /// What stands beside the conditions and decides nothing.
    fn information(check: GateCheck) -> Self {
        Self { check, reason: "", failed: Outcome::Promote, decides: false }
    }

    /// What it comes to.
    fn outcome(&self) -> Outcome {
        match self.check.judgement {
            _ if !self.decides => Outcome::Promote,
            Judgement::Pass => Outcome::Promote,
            Judgement::Fail => self.failed,
            Judgement::Unknown => WAITING,
        }
    }
}

impl Gate for EvidenceGate {
    fn assess(&self, evidence: &Evidence) -> Verdict {
        let (verdict, meter) = self.judge(evidence);
        let warnings = warnings::of(evidence, &verdict, meter.as_ref(), self);
        Verdict { warnings, ..verdict }
    }
}

impl EvidenceGate {
    /// The verdict without its warnings, and the meter that it rests on.
    fn judge(&self, evidence: &Evidence) -> (Verdict, Option<Meter>) {
        let subject = &evidence.candidate.subject;
        let works = works(evidence);
        if evidence.candidate.judged_span.is_none() {
            let sentence = format!(
                "{subject} can't be judged: metrics that were supplied say nothing about its arm; choose the preset \
                 thresholds for them"
            );
            return (conclude(evidence, works, Some(("supplied_metrics", sentence)), None), None);
        }
        let Some(stream) = &evidence.stream else {
            let sentence = format!(
                "{subject} can't be judged: no stream of its arm is kept; let a schedule or a replay run the line, or \
                 choose the preset thresholds"
            );
            return (conclude(evidence, works, Some(("no_stream", sentence)), None), None);
        };
        match self.conditions(evidence, stream) {
            Ok((conditions, meter)) => {
                let grading = grading(stream, Some(&meter));
                let all = works.into_iter().chain(conditions).collect();
                let graded = Some((grading, meter.sentence.clone()));
                let obstacle = quarantine(evidence).map(|sentence| (QUARANTINED, sentence));
                (conclude(evidence, all, obstacle, graded), Some(meter))
            }
            Err(error) => {
                let sentence = format!("{subject} can't be judged: its arm's ledger can't be read: {error}");
                let grading = grading(stream, None);
                let graded = Some((grading, String::new()));
                (conclude(evidence, works, Some(("bad_ledger", sentence)), graded), None)
            }
        }
    }

    /// Everything but whether the model works.
    fn conditions(
        &self,
        evidence: &Evidence,
        stream: &StreamEvidence,
    ) -> Result<(Vec<Condition>, Meter), LedgerError> {
        let rules = &self.rules;
        let pace = MarketPace::new(stream.bars_per_day, stream.bars_per_year)?;
        let meter = Meter::of(stream, rules)?;
        let mut conditions = rails::on_the_holdout(evidence, pace.bars_per_day(), rules, &self.explicit);
        conditions.extend(match class(stream) {
            PromotionClass::Takeover => takeover::conditions(stream, &meter, rules),
            PromotionClass::Refresh => refresh::conditions(evidence, stream, &meter, pace, rules),
        });
        conditions.extend(meter.holding.iter().map(|holding| Condition::information(holding.check())));
        Ok((conditions, meter))
    }
}

/// Whether the model works, and has unseen bars to show it on.
fn works(evidence: &Evidence) -> Vec<Condition> {
    let candidate = &evidence.candidate;
    let bars = bars_check(evidence);
    let enough = bars.as_ref().is_none_or(|bars| bars.judgement == Judgement::Pass);
    let problem = mechanical_problem(candidate);
    let check = mechanical_check(candidate, problem.as_deref());
    // Too few bars excuse a model that did not change its mind, not one that does not run.
    let excused = !enough && candidate.mechanical.loads;
    let mechanical = Condition::new(check, "mechanical", if excused { WAITING } else { REJECTING });
    let (reason, _) = too_few_bars(evidence);
    let bars = bars.map(|check| Condition::new(check, reason, WAITING));
    bars.into_iter().chain([mechanical]).collect()
}

/// The verdict on `conditions`: the first that rejects, else what `obstacle` says, else the first that waits.
fn conclude(
    evidence: &Evidence,
    conditions: Vec<Condition>,
    obstacle: Option<(&str, String)>,
    graded: Option<(Grading, String)>,
) -> Verdict {
    let first = |outcome| conditions.iter().find(|condition| condition.outcome() == outcome);
    let told =
        |condition: &Condition| (condition.reason.to_owned(), sentence_of(evidence, condition, &conditions));
    let (outcome, reason, sentence) = if let Some(condition) = first(Outcome::Reject) {
        let (reason, sentence) = told(condition);
        (Outcome::Reject, Some(reason), sentence)
    } else if let Some((reason, sentence)) = obstacle {
        (Outcome::Inconclusive, Some(reason.to_owned()), sentence)
    } else if let Some(condition) = first(Outcome::Inconclusive) {
        let (reason, sentence) = told(condition);
        (Outcome::Inconclusive, Some(reason), sentence)
    } else {
        (Outcome::Promote, None, promotion(evidence, graded.as_ref()))
    };
    Verdict {
        preset: PRESET.to_owned(),
        outcome,
        reason,
        sentence,
        checks: conditions.into_iter().map(|condition| condition.check).collect(),
        warnings: Vec::new(),
        grading: graded.map(|(grading, _)| grading),
    }
}

/// Why `condition` decides, with all that goes by the same reason.
fn sentence_of(evidence: &Evidence, condition: &Condition, all: &[Condition]) -> String {
    let subject = &evidence.candidate.subject;
    if condition.check.name == "unseenBars" {
        return too_few_bars(evidence).1;
    }
    let outcome = condition.outcome();
    let same = all.iter().filter(|other| other.reason == condition.reason && other.outcome() == outcome);
    let told = same.map(|other| other.check.sentence.as_str()).collect::<Vec<_>>().join("; ");
    match outcome {
        Outcome::Reject => format!("{subject} may not trade: {told}"),
        _ => format!("{subject} waits: {told}"),
    }
}

fn promotion(evidence: &Evidence, graded: Option<&(Grading, String)>) -> String {
    let subject = &evidence.candidate.subject;
    let Some((grading, sentence)) = graded else {
        return format!("{subject} may trade");
    };
    let grade = grading.grade.map_or_else(|| "without a grade".to_owned(), |grade| format!("as {grade}"));
    match grading.class {
        PromotionClass::Takeover => {
            format!("{subject} may trade: its arm takes the line over {grade}: {sentence}")
        }
        PromotionClass::Refresh => {
            format!("{subject} may trade: a safe newer snapshot of the arm that serves {grade}: {sentence}")
        }
    }
}

fn class(stream: &StreamEvidence) -> PromotionClass {
    if stream.is_champions { PromotionClass::Refresh } else { PromotionClass::Takeover }
}

/// A refresh keeps the champion's grade, or raises it where the ledger says more.
fn grading(stream: &StreamEvidence, meter: Option<&Meter>) -> Grading {
    let earned = meter.and_then(|meter| meter.standing.grade);
    let kept = stream.champion_grade.filter(|_| stream.is_champions);
    Grading {
        arm: stream.arm.clone(),
        class: class(stream),
        grade: earned.max(kept),
        earned,
        reference: stream.reference.clone(),
        meter: meter.map_or(Value::Null, |meter| serde_json::to_value(meter).unwrap_or(Value::Null)),
    }
}
