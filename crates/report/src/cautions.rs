//! What a reader has to know before believing the figures, each said once.

use walkforward_core::{EvaluationWarning, Verdict};

/// Somebody whose figures come with warnings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warned<'a> {
    /// What it is in the comparison, in words (`candidate`).
    pub label: &'a str,
    /// What it is in the records: a model's id.
    pub subject: &'a str,
    /// Its warnings.
    pub warnings: &'a [EvaluationWarning],
}

/// The warnings of `verdict` and of everybody in `measured`, a sentence each. A verdict repeats those of the candidate:
/// they are said once, with their name, and about `candidate` instead of about an id.
pub fn cautions(verdict: Option<&Verdict>, measured: &[Warned<'_>]) -> Vec<String> {
    let of_gate = verdict.map(|verdict| verdict.warnings.as_slice()).unwrap_or_default();
    let is_repeated = |sentence: &&String| {
        let said = |it: &Warned<'_>| it.warnings.iter().any(|own| **sentence == about(it.subject, own));
        !measured.iter().any(said)
    };
    let own = measured.iter().flat_map(|it| {
        it.warnings.iter().map(|warning| format!("{} ({})", about(it.label, warning), warning.name))
    });
    of_gate.iter().filter(is_repeated).cloned().chain(own).collect()
}

fn about(subject: &str, warning: &EvaluationWarning) -> String {
    format!("{subject}: {}", warning.sentence)
}

#[cfg(test)]
mod tests {
    use walkforward_core::Outcome;

    use super::*;

    #[test]
    fn what_the_verdict_repeats_is_said_once() {
        let warning = |name: &str, sentence: &str| EvaluationWarning {
            name: name.to_owned(),
            sentence: sentence.to_owned(),
        };
        let verdict = Verdict {
            preset: "thresholds".to_owned(),
            outcome: Outcome::Reject,
            reason: None,
            sentence: String::new(),
            checks: Vec::new(),
            warnings: vec!["weak rules".to_owned(), "model-1: one trade".to_owned()],
            grading: None,
        };
        let [own, other] = [[warning("one_trade", "one trade")], [warning("costly", "costs")]];
        let measured = [
            Warned { label: "candidate", subject: "model-1", warnings: &own },
            Warned { label: "champion", subject: "model-0", warnings: &other },
        ];
        let expected = ["weak rules", "candidate: one trade (one_trade)", "champion: costs (costly)"];
        assert_eq!(cautions(Some(&verdict), &measured), expected);
        assert_eq!(cautions(None, &[]), Vec::<String>::new());
    }
}
