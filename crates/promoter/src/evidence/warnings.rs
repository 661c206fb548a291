//! What a person has to know who relies on a verdict.

use walkforward_core::{Evidence, Grade, StreamEvidence, Verdict};

use super::sentences::{beside, days, odds};
use super::sequential::deciding_level;
use super::{EvidenceRules, Meter};
use crate::holdout::cautions;

/// All of them, what the grade is worth first.
pub(super) fn of(
    evidence: &Evidence,
    verdict: &Verdict,
    meter: Option<&Meter>,
    rules: &EvidenceRules,
) -> Vec<String> {
    let stream = evidence.stream.as_ref();
    let grade = verdict.grading.as_ref().and_then(|grading| grading.grade);
    let mut warnings: Vec<String> = grade.map(|grade| worth(grade, stream, rules)).into_iter().collect();
    warnings.extend(stream.zip(meter).and_then(|(stream, meter)| kept(stream, meter, rules)));
    warnings.extend(stream.and_then(|stream| stream.caution.clone()));
    warnings.extend(unseen_champion(evidence));
    warnings.extend(cautions(evidence));
    warnings
}

/// What a grade is worth, at the default levels.
fn worth(grade: Grade, stream: Option<&StreamEvidence>, rules: &EvidenceRules) -> String {
    let reached = match grade {
        Grade::Provisional | Grade::Screened => grade.reached_by_luck().to_owned(),
        Grade::Qualified => {
            let (horizon, anytime_level) =
                stream.map_or((None, None), |stream| (stream.horizon.as_ref(), stream.anytime_level));
            let level = deciding_level(horizon, anytime_level, rules);
            format!("{}; here the level is {level}", grade.reached_by_luck())
        }
    };
    format!(
        "an arm without any skill {reached} at the default levels (measured on simulated markets, docs/evidence.md)"
    )
}

/// A refresh that keeps a grade which its ledger would not earn today.
fn kept(stream: &StreamEvidence, meter: &Meter, rules: &EvidenceRules) -> Option<String> {
    let earned = meter.standing.grade;
    let kept = stream.champion_grade.filter(|kept| stream.is_champions && earned < Some(*kept))?;
    let alone = earned.map_or_else(|| "no grade".to_owned(), |earned| earned.to_string());
    let begin =
        format!("the arm keeps {kept} from an earlier verdict, its ledger of today alone comes to {alone}");
    let Some(recent) = &meter.standing.recent else {
        return Some(format!("{begin}: it has had no look yet"));
    };
    let p = beside(recent.p, &[rules.provisional_p, rules.screened_p]);
    let (span, odds) = (days(recent.days), odds(recent.p, recent.resamples));
    Some(format!("{begin}: on the last {span} luck does as well {odds} (p = {p})"))
}

/// A refresh of a champion that nobody could run; one that was run and failed is among the cautions.
fn unseen_champion(evidence: &Evidence) -> Option<String> {
    let is_refresh = evidence.stream.as_ref().is_some_and(|stream| stream.is_champions);
    let is_unseen = is_refresh && evidence.champion.is_none();
    is_unseen.then(|| "the serving snapshot was not compared: it no longer loads".to_owned())
}
