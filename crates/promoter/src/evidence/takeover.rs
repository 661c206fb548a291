//! Another arm than the champion's, or the line's first: has it earned a grade?

use walkforward_core::{Comparison, GateCheck, Grade, Judgement, StreamEvidence};

use super::gate::{Condition, WAITING};
use super::{Decider, EvidenceRules, Meter, Standing, rails};
use crate::checks::check;

const HOUR_MS: f64 = 3_600_000.0;

/// The grade that another arm needs to take a line over from a champion whose arm has that one. Capital follows the grade:
/// with a lower one a takeover would take it away from what has earned it.
pub fn grade_for_takeover(champion: Option<Grade>) -> Grade {
    champion.unwrap_or(Grade::Provisional)
}

/// What an arm's stream has to come to, in the order in which a person should hear of it.
pub(super) fn conditions(stream: &StreamEvidence, meter: &Meter, rules: &EvidenceRules) -> Vec<Condition> {
    let standing = &meter.standing;
    let waiting = |check, reason| Condition::new(check, reason, WAITING);
    let mut conditions = vec![waiting(first_look(meter), "too_early")];
    if standing.look_bars.is_some() {
        conditions.push(waiting(decisions(meter), "same_decisions"));
        conditions.extend(rails::on_the_stream(standing, rules));
        if !standing.same_decisions {
            conditions.push(waiting(graded(meter, stream.champion_grade, rules), "no_grade"));
            let champion = stream.champion_grade.map(|champion| champions_grade(meter, champion));
            conditions.extend(champion.map(|check| waiting(check, "below_champions_grade")));
        }
    }
    conditions.extend(cool_down(stream, rules).map(|check| waiting(check, "cooling_down")));
    conditions
}

fn first_look(meter: &Meter) -> GateCheck {
    let Standing { counted_bars, first_look_bars, .. } = meter.standing;
    let check = check("countedBars", Some(counted_bars as f64), Comparison::AtLeast, first_look_bars as f64);
    match check.judgement {
        Judgement::Pass => check,
        _ => GateCheck { judgement: Judgement::Unknown, sentence: meter.sentence.clone(), ..check },
    }
}

fn decisions(meter: &Meter) -> GateCheck {
    let bars = meter.standing.differing_bars;
    let check = check("differingBars", Some(bars as f64), Comparison::AtLeast, 1.0);
    match check.judgement {
        Judgement::Pass => check,
        _ => GateCheck { judgement: Judgement::Unknown, sentence: meter.sentence.clone(), ..check },
    }
}

/// The figure that gives the grade, or that comes nearest to one.
fn graded(meter: &Meter, champion: Option<Grade>, rules: &EvidenceRules) -> GateCheck {
    let standing = &meter.standing;
    let sequential = &standing.sequential;
    let check = match (standing.without_rails, sequential.decider) {
        (Some(Grade::Qualified), _) if sequential.qualified_at.is_none() => {
            let known = usize::from(sequential.is_crossed());
            check("crossings", Some(known as f64), Comparison::AtLeast, 1.0)
        }
        (Some(Grade::Qualified), Decider::RegisteredTest) => {
            check("z", sequential.z, Comparison::AtLeast, sequential.boundary.unwrap_or(f64::INFINITY))
        }
        (Some(Grade::Qualified), Decider::EProcess) => {
            let (reached, needed) = (sequential.max_log_e, sequential.log_e_needed);
            check("logE", Some(reached), Comparison::AtLeast, needed)
        }
        _ => {
            let p = standing.recent.as_ref().map(|recent| recent.p);
            check("p", p, Comparison::AtMost, rules.provisional_p)
        }
    };
    let beyond =
        champion.filter(|champion| standing.without_rails.is_none() && *champion > Grade::Provisional);
    let sentence = match beyond {
        None => meter.sentence.clone(),
        Some(champion) => format!("{}; {}", meter.sentence, needs(champion)),
    };
    GateCheck { sentence, ..check }
}

/// Whether the line keeps its grade.
fn champions_grade(meter: &Meter, champion: Grade) -> GateCheck {
    let rank = |grade: Grade| (grade as usize + 1) as f64;
    let (has, needed) = (meter.standing.grade, grade_for_takeover(Some(champion)));
    let check = check("grade", Some(has.map_or(0.0, rank)), Comparison::AtLeast, rank(needed));
    let name = has.map_or_else(|| "without a grade".to_owned(), |has| has.to_string());
    let sentence = match check.judgement {
        Judgement::Pass => format!("the arm is {name}, and the champion's is {champion}"),
        _ => format!("{}; the arm is {name}, and {}", meter.sentence, needs(champion)),
    };
    GateCheck { sentence, ..check }
}

fn needs(champion: Grade) -> String {
    format!(
        "the champion's arm is {champion}: a takeover needs at least that, because what may be risked follows the grade; \
         a person may let it fall with `orchestrate models approve --overrule`"
    )
}

/// Whether enough time has gone by since the last takeover; nothing to ask where there was none.
fn cool_down(stream: &StreamEvidence, rules: &EvidenceRules) -> Option<GateCheck> {
    let hours = stream.now.millis_since(stream.last_takeover_at?) as f64 / HOUR_MS;
    let needed = rules.cool_down_days * 24.0;
    let check = check("hoursSinceTakeover", Some(hours), Comparison::AtLeast, needed);
    let sentence = format!("{}: a line changes its arm at most once in {needed} hours", check.sentence);
    Some(GateCheck { sentence, ..check })
}
