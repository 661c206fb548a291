//! What every gate asks of a candidate: unseen bars, a model that works, and an arm that is not in quarantine.

use walkforward_core::{Comparison, EvaluationReport, Evidence, GateCheck};

use crate::checks::check;

/// Name of the mechanical check.
pub(crate) const MECHANICAL: &str = "mechanicalProblems";

/// Whether there are enough unseen bars; none for metrics that were supplied.
pub(crate) fn bars_check(evidence: &Evidence) -> Option<GateCheck> {
    evidence.candidate.judged_span?;
    let (unseen, needed) = (evidence.unseen_bars as f64, evidence.min_judged_bars as f64);
    Some(check("unseenBars", Some(unseen), Comparison::AtLeast, needed))
}

/// Why there are too few unseen bars: a short reason and a sentence.
pub(crate) fn too_few_bars(evidence: &Evidence) -> (&'static str, String) {
    let Evidence { candidate, unseen_bars, holdout_bars, min_judged_bars, .. } = evidence;
    let subject = &candidate.subject;
    if unseen_bars < holdout_bars {
        let sentence = format!(
            "{subject} can't be judged: it or an ancestor has seen {} of the {holdout_bars} hold-out bars, which \
             leaves {unseen_bars}, and {min_judged_bars} are needed",
            holdout_bars - unseen_bars
        );
        return ("contaminated", sentence);
    }
    let sentence = format!(
        "{subject} can't be judged: there are {unseen_bars} bars that it has not seen, and {min_judged_bars} are needed"
    );
    ("insufficient_evidence", sentence)
}

/// The mechanical check of a model with that problem.
pub(crate) fn mechanical_check(candidate: &EvaluationReport, problem: Option<&str>) -> GateCheck {
    let mechanical = &candidate.mechanical;
    let unnamed = usize::from(problem.is_some());
    let problems = mechanical.problems.len().max(unnamed);
    let check = check(MECHANICAL, Some(problems as f64), Comparison::AtMost, 0.0);
    let sentence = problem.unwrap_or("it loads, answers its probe, and its decisions vary").to_owned();
    GateCheck { sentence, ..check }
}

/// What keeps the model from working at all, in words.
pub(crate) fn mechanical_problem(candidate: &EvaluationReport) -> Option<String> {
    let mechanical = &candidate.mechanical;
    if !mechanical.problems.is_empty() {
        return Some(format!("it does not work: {}", mechanical.problems.join("; ")));
    }
    match (mechanical.loads, mechanical.varies) {
        (false, _) => Some("it does not load".to_owned()),
        (true, false) => Some("it takes the same action on every bar".to_owned()),
        (true, true) => None,
    }
}

/// Why a verdict waits whose arm is in quarantine.
pub(crate) const QUARANTINED: &str = "quarantined";

/// Why no model of the candidate's arm may trade now, in words; none when its arm is free.
pub(crate) fn quarantine(evidence: &Evidence) -> Option<String> {
    let stream = evidence.stream.as_ref()?;
    let until = stream.quarantined_until.filter(|until| *until > stream.now)?;
    let (subject, arm) = (&evidence.candidate.subject, &stream.arm);
    Some(format!(
        "{subject} waits: its arm {arm} is in quarantine until {until}, because a watch took its champion back; its stream \
         goes on being scored, and a person may let it out (`orchestrate models release {arm} --reason TEXT`)"
    ))
}

/// What a person has to know about the reports: a champion that could not be compared, and the candidate's warnings.
pub(crate) fn cautions(evidence: &Evidence) -> impl Iterator<Item = String> {
    let candidate = evidence.candidate.warnings.iter();
    let candidate = candidate.map(|warning| format!("{}: {}", evidence.candidate.subject, warning.sentence));
    let champion = evidence.champion.as_ref().filter(|champion| !champion.mechanical.loads);
    let champion = champion.map(|champion| {
        let problem = mechanical_problem(champion).unwrap_or_default();
        format!("the champion {} was not compared: {problem}", champion.subject)
    });
    champion.into_iter().chain(candidate)
}
