//! One condition at a time.

use walkforward_core::{Comparison, GateCheck, Judgement};

/// Decimals of a number in a sentence, unless they would hide a difference.
const DECIMALS: usize = 4;

/// Holds `measured` against `threshold`, equality included. Undefined fails.
pub(crate) fn check(name: &str, measured: Option<f64>, comparison: Comparison, threshold: f64) -> GateCheck {
    let measured = measured.filter(|value| value.is_finite());
    let holds = measured.is_some_and(|value| match comparison {
        Comparison::AtLeast => value >= threshold,
        Comparison::AtMost => value <= threshold,
    });
    GateCheck {
        name: name.to_owned(),
        measured,
        comparison,
        threshold,
        judgement: if holds { Judgement::Pass } else { Judgement::Fail },
        sentence: sentence(name, measured, comparison, threshold, holds),
    }
}

/// The check without a judgement, because `too_little` does not carry one.
pub(crate) fn suspended(check: GateCheck, too_little: &str) -> GateCheck {
    let measured =
        check.measured.map_or_else(|| "undefined".to_owned(), |value| number(value, check.threshold));
    let sentence = format!("{} is {measured}, which {too_little} can't confirm", check.name);
    GateCheck { judgement: Judgement::Unknown, sentence, ..check }
}

fn sentence(
    name: &str,
    measured: Option<f64>,
    comparison: Comparison,
    threshold: f64,
    holds: bool,
) -> String {
    let (wanted, missed) = match comparison {
        Comparison::AtLeast => ("at least", "below"),
        Comparison::AtMost => ("at most", "above"),
    };
    let Some(value) = measured else {
        return format!("{name} is undefined, and has to be {wanted} {threshold}");
    };
    let relation = if holds { wanted } else { missed };
    format!("{name} {} is {relation} {threshold}", number(value, threshold))
}

/// `value` with few decimals, or with all of them where rounding would make it look like `threshold`.
fn number(value: f64, threshold: f64) -> String {
    let scale = 10_f64.powi(DECIMALS as i32);
    let rounded = (value * scale).round() / scale;
    let misleads = rounded == threshold && value != threshold;
    let shown = if misleads || !rounded.is_finite() { value } else { rounded + 0.0 };
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(measured: Option<f64>, comparison: Comparison, expected: Judgement, sentence: &str) {
        let check = check("winRate", measured, comparison, 0.55);
        assert_eq!((check.judgement, check.sentence.as_str()), (expected, sentence));
    }

    #[test]
    fn a_measurement_on_the_threshold_passes() {
        held(Some(0.55), Comparison::AtLeast, Judgement::Pass, "winRate 0.55 is at least 0.55");
        held(Some(0.55), Comparison::AtMost, Judgement::Pass, "winRate 0.55 is at most 0.55");
    }

    #[test]
    fn a_measurement_beyond_the_threshold_fails() {
        held(Some(0.5), Comparison::AtLeast, Judgement::Fail, "winRate 0.5 is below 0.55");
        held(Some(0.6), Comparison::AtMost, Judgement::Fail, "winRate 0.6 is above 0.55");
    }

    #[test]
    fn what_was_not_measured_fails() {
        let sentence = "winRate is undefined, and has to be at least 0.55";
        for measured in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            held(measured, Comparison::AtLeast, Judgement::Fail, sentence);
        }
    }

    #[test]
    fn a_sentence_never_rounds_a_miss_away() {
        held(Some(0.549_999_9), Comparison::AtLeast, Judgement::Fail, "winRate 0.5499999 is below 0.55");
        held(Some(2.0 / 3.0), Comparison::AtLeast, Judgement::Pass, "winRate 0.6667 is at least 0.55");
    }
}
