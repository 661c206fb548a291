//! Another arm than the champion's, or the line's first: has it earned a grade?

use walkforward_core::{Comparison, GateCheck, Grade, Judgement, StreamEvidence};

use super::gate::{Condition, WAITING};
use super::ledger::closed_trades;
use super::{Decider, EvidenceRules, Meter, Standing, rails};
use crate::checks::check;

const HOUR_MS: f64 = 3_600_000.0;

/// What an arm's stream has to come to, in the order in which a person should hear of it.
pub(super) fn conditions(stream: &StreamEvidence, meter: &Meter, rules: &EvidenceRules) -> Vec<Condition> {
    let standing = &meter.standing;
    let read = standing.look_bars.unwrap_or(standing.counted_bars);
    let waiting = |check, reason| Condition::new(check, reason, WAITING);
    let mut conditions = vec![waiting(first_look(meter), "too_early")];
    if standing.look_bars.is_some() {
        conditions.push(waiting(decisions(meter), "same_decisions"));
        conditions.extend(rails::on_the_stream(standing, closed_trades(&stream.arm_position, read), rules));
        if !standing.same_decisions {
            conditions.push(waiting(graded(meter, rules), "no_grade"));
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
fn graded(meter: &Meter, rules: &EvidenceRules) -> GateCheck {
    let standing = &meter.standing;
    let sequential = &standing.sequential;
    let check = match (standing.grade, sequential.decider) {
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
    GateCheck { sentence: meter.sentence.clone(), ..check }
}

/// Whether enough time has gone by since the last takeover; nothing to ask where there was none.
fn cool_down(stream: &StreamEvidence, rules: &EvidenceRules) -> Option<GateCheck> {
    let hours = stream.now.millis_since(stream.last_takeover_at?) as f64 / HOUR_MS;
    let needed = rules.cool_down_days * 24.0;
    let check = check("hoursSinceTakeover", Some(hours), Comparison::AtLeast, needed);
    let sentence = format!("{}: a line changes its arm at most once in {needed} hours", check.sentence);
    Some(GateCheck { sentence, ..check })
}
