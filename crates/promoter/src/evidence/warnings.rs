//! What a person has to know who relies on a verdict.

use walkforward_core::{Evidence, Grade, StreamEvidence, Verdict};

use super::sentences::{beside, days, odds, significant};
use super::sequential::deciding_level;
use super::{EvidenceGate, EvidenceRules, ExplicitRails, Meter, rails};
use crate::holdout::cautions;

/// Settings that somebody may have tried on bars that were known.
const SETTINGS_TRIED: i32 = 20;

/// All of them, what the grade is worth first.
pub(super) fn of(
    evidence: &Evidence,
    verdict: &Verdict,
    meter: Option<&Meter>,
    gate: &EvidenceGate,
) -> Vec<String> {
    let EvidenceGate { rules, explicit } = gate;
    let stream = evidence.stream.as_ref();
    let ledger = stream.zip(meter);
    let grade = verdict.grading.as_ref().and_then(|grading| grading.grade);
    let mut warnings: Vec<String> = grade.map(|grade| worth(grade, stream, rules)).into_iter().collect();
    warnings.extend(ledger.and_then(|(stream, meter)| kept(stream, meter, rules)));
    warnings.extend(ledger.and_then(|(stream, meter)| known_beforehand(stream, meter, rules)));
    warnings.extend(stream.and_then(|stream| stream.caution.clone()));
    warnings
        .extend(stream.into_iter().flat_map(|stream| broken_by_serving(evidence, stream, rules, explicit)));
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
    format!("an arm without any skill {reached} (default levels, simulated markets: docs/evidence.md)")
}

/// A refresh that keeps a grade which its ledger would not earn today.
fn kept(stream: &StreamEvidence, meter: &Meter, rules: &EvidenceRules) -> Option<String> {
    let standing = &meter.standing;
    let earned = standing.grade;
    let kept = stream.champion_grade.filter(|kept| stream.is_champions && earned < Some(*kept))?;
    let alone = earned.map_or_else(|| "no grade".to_owned(), |earned| earned.to_string());
    let begin =
        format!("the arm keeps {kept} from an earlier verdict, its ledger of today alone comes to {alone}");
    let Some(recent) = &standing.recent else {
        return Some(format!("{begin}: it has had no look yet"));
    };
    let p = beside(recent.p, &[rules.provisional_p, rules.screened_p]);
    let (span, odds) = (days(recent.days), odds(recent.p, recent.resamples));
    let is_withheld = earned < standing.without_rails;
    let withheld = if is_withheld { rails::shortfalls(standing, rules) } else { Vec::new() };
    let withheld: String = withheld.into_iter().map(|shortfall| format!("; {shortfall}")).collect();
    Some(format!("{begin}: on the last {span} luck does as well {odds} (p = {p}){withheld}"))
}

/// That most of the evidence was known to whoever chose the arm: who searches there finds luck.
fn known_beforehand(stream: &StreamEvidence, meter: &Meter, rules: &EvidenceRules) -> Option<String> {
    let bars = meter.standing.recent.as_ref()?.bars;
    let look = meter.standing.look_bars?;
    let replayed = stream.replayed_bars.min(look).saturating_sub(look - bars);
    let found = 1.0 - (1.0 - rules.screened_p).powi(SETTINGS_TRIED);
    (2 * replayed > bars).then(|| {
        format!(
            "{replayed} of the {bars} bars of the evidence were replayed, so that whoever chose the arm may have known them: of \
             {SETTINGS_TRIED} settings without skill tried on them, {} in 100 searches find one that is screened by luck (one \
             look each, settings that have nothing in common)",
            significant(100.0 * found, 2)
        )
    })
}

/// Rails that the serving snapshot breaks itself: to refuse the candidate by them leaves that one trading.
fn broken_by_serving(
    evidence: &Evidence,
    stream: &StreamEvidence,
    rules: &EvidenceRules,
    explicit: &ExplicitRails,
) -> Option<String> {
    let serving = &evidence.champion.as_ref()?.subject;
    let broken = rails::broken_by_serving(evidence, stream.bars_per_day, rules, explicit);
    (!broken.is_empty()).then(|| {
        format!(
            "the serving {serving} breaks rails itself that the candidate is held to, on the same bars: {}",
            broken.join("; ")
        )
    })
}

/// A refresh of a champion that nobody could run; one that was run and failed is among the cautions.
fn unseen_champion(evidence: &Evidence) -> Option<String> {
    let is_refresh = evidence.stream.as_ref().is_some_and(|stream| stream.is_champions);
    let is_unseen = is_refresh && evidence.champion.is_none();
    is_unseen.then(|| "the serving snapshot was not compared: it no longer loads".to_owned())
}
