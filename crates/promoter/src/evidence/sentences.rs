//! Evidence in plain words: what happened, how often luck does that, the limit, what would flip it.

use walkforward_core::Grade;
use walkforward_stats::exceeded_with;

use super::{Decider, EvidenceRules, MarketPace, NextGrade, Recent, Sequential, Shortfall, Standing, rails};

/// Digits of a number in a sentence.
const DIGITS: i32 = 2;
/// Digits where fewer would hide a difference.
const MOST_DIGITS: i32 = 6;
/// Digits of a level, 0.0125 being one.
const LEVEL_DIGITS: i32 = 3;

/// Where `standing` is, against a reference of that name.
pub(super) fn evidence(
    standing: &Standing,
    reference: &str,
    pace: MarketPace,
    rules: &EvidenceRules,
) -> String {
    let (happened, is_compared) = match &standing.recent {
        None => (too_early(standing, reference, pace), false),
        Some(_) if standing.same_decisions => (alike(standing, reference), false),
        Some(recent) => (lead(recent, reference, rules), true),
    };
    let alone = match standing.without_rails {
        Some(Grade::Qualified) => format!("{happened}; {}", crossed(&standing.sequential, pace)),
        _ if !is_compared => return happened,
        Some(Grade::Screened) => format!("{happened}; {}", not_crossed(&standing.sequential, pace)),
        _ => format!("{happened}, {}", limits(rules)),
    };
    format!("{alone}{}{}", too_few(standing, rules), outlook(standing, reference, rules))
}

/// That the arm has decided too little for a grade, and the one that its figures alone would be.
fn too_few(standing: &Standing, rules: &EvidenceRules) -> String {
    let shortfalls = rails::shortfalls(standing, rules).join(", and ");
    match standing.without_rails {
        _ if shortfalls.is_empty() => String::new(),
        None => format!("; {shortfalls}"),
        Some(grade) => format!("; by these figures alone the arm would be {grade}, but {shortfalls}"),
    }
}

fn too_early(standing: &Standing, reference: &str, pace: MarketPace) -> String {
    let (counted, first) = (standing.counted_bars, standing.first_look_bars);
    let left = more_days(pace.days(standing.next_look_in_bars));
    format!(
        "the arm has {counted} counted bars against {reference}, and the first look is at {first}: about {left}"
    )
}

fn alike(standing: &Standing, reference: &str) -> String {
    let bars = standing.look_bars.unwrap_or_default();
    format!(
        "the arm and {reference} decided alike on all {bars} counted bars: only different decisions can be compared"
    )
}

/// What happened on the evidence window, and how often luck does that.
fn lead(recent: &Recent, reference: &str, rules: &EvidenceRules) -> String {
    let (gap, span) = (percent(recent.gap.abs()), days(recent.days));
    let (relation, luck) = match recent.gap {
        gap if gap > 0.0 => ("beat", "luck alone does that"),
        gap if gap < 0.0 => ("fell behind", "luck alone does better"),
        _ => ("stands level with", "luck alone does that"),
    };
    let amount = if recent.gap == 0.0 { String::new() } else { format!(" by {gap}") };
    let odds = odds(recent.p, recent.resamples);
    let p = beside(recent.p, &[rules.provisional_p, rules.screened_p]);
    format!("the arm {relation} {reference}{amount} over {span}; {luck} {odds} (p = {p})")
}

fn limits(rules: &EvidenceRules) -> String {
    let [provisional, screened] = [rules.provisional_p, rules.screened_p].map(one_in);
    format!("provisional needs {provisional}, screened {screened}")
}

/// What would bring the grade above.
fn outlook(standing: &Standing, reference: &str, rules: &EvidenceRules) -> String {
    let Some(next) = &standing.next else {
        return String::new();
    };
    let grade = match standing.without_rails {
        None => String::new(),
        Some(_) => format!("{} in ", next.grade),
    };
    match next.days {
        Some(more) => format!(": {grade}about {} at this rate", more_days(more)),
        None => hopeless(next, standing.recent.as_ref(), reference, rules),
    }
}

/// Why time alone does not bring the grade above, and what would.
fn hopeless(next: &NextGrade, recent: Option<&Recent>, reference: &str, rules: &EvidenceRules) -> String {
    let needed = rules.needed_p(next.grade).and_then(exceeded_with);
    let gap = needed.zip(recent).map(|(z, recent)| {
        let bars_of_a_full_window = recent.bars as f64 * rules.window_days / recent.days;
        z * recent.standard_error * (recent.bars as f64 * bars_of_a_full_window).sqrt()
    });
    match (next.shortfall, gap.filter(|gap| *gap > 0.0)) {
        (Shortfall::LuckIsLikely, Some(gap)) => {
            let window = days(rules.window_days);
            format!(": not at this rate; {} would take a lead of {} in {window}", next.grade, percent(gap))
        }
        (Shortfall::TooFewDecisions, _) => ": at this rate that never changes".to_owned(),
        (Shortfall::TooFewLiveBars, _) => {
            ": only bars that were scored while they closed count for it".to_owned()
        }
        (Shortfall::HorizonIsOver, _) => ": the horizon is over, and the next one begins anew".to_owned(),
        (Shortfall::BoundBroken, _) => {
            ": a bar was below the declared bound, which ends the e-process for good".to_owned()
        }
        _ => format!(": not at this rate; a larger lead over {reference} would change that"),
    }
}

/// Where the deciding test stands that is not crossed, and the level that it needs.
fn not_crossed(sequential: &Sequential, pace: MarketPace) -> String {
    let level = significant(sequential.alpha, LEVEL_DIGITS);
    match (sequential.decider, sequential.z) {
        (Decider::RegisteredTest, z) => {
            let whole = days(pace.days(sequential.horizon_bars.unwrap_or_default()));
            let so_far = whole_days(pace.days(sequential.bars));
            let needed = sequential.boundary.map_or_else(String::new, |boundary| significant(boundary, 3));
            let z = z.map_or_else(|| "no value yet".to_owned(), |z| significant(z, 3));
            format!(
                "qualified needs the registered test at {needed} (level {level}), it has {z} after {so_far} of {whole}"
            )
        }
        (Decider::EProcess, _) => {
            let [e, needed] = [sequential.log_e.map_or(0.0, f64::exp), sequential.log_e_needed.exp()];
            let [e, needed] = [e, needed].map(|e| significant(e, DIGITS));
            let so_far = days(pace.days(sequential.bars));
            format!("qualified needs an e-value of {needed} (level {level}), it has {e} after {so_far}")
        }
    }
}

/// How the deciding test was crossed.
fn crossed(sequential: &Sequential, pace: MarketPace) -> String {
    let Some(bars) = sequential.qualified_at else {
        return crossed_before(sequential);
    };
    let (after, luck) = (days(pace.days(bars)), one_in(sequential.alpha));
    let level = significant(sequential.alpha, LEVEL_DIGITS);
    match sequential.decider {
        Decider::RegisteredTest => format!(
            "the registered test (level {level}) was crossed after {after}, which luck alone does within its \
             horizon for at most {luck} arms"
        ),
        Decider::EProcess => format!(
            "the e-process (level {level}) was crossed after {after}, which luck alone ever does for at most {luck} arms"
        ),
    }
}

/// What an earlier verdict found, where the tests of now do not say so.
fn crossed_before(sequential: &Sequential) -> String {
    let at = sequential
        .crossed_before
        .map_or_else(String::new, |close| format!(" by the bar that closed at {close}"));
    let since = match &sequential.broken {
        Some(broken) => format!("that the test is broken since ({broken})"),
        None => "what the test of now says".to_owned(),
    };
    let level = significant(sequential.alpha, LEVEL_DIGITS);
    format!(
        "a sequential test of the two (level {level} today) had been crossed{at}; {since} does not undo it"
    )
}

/// `p` as odds: `1 time in 14`, `8 times in 10`.
pub(super) fn odds(p: f64, resamples: usize) -> String {
    if p <= 1.0 / (resamples as f64 + 1.0) {
        return format!("less than 1 time in {resamples}");
    }
    if p <= 0.5 {
        return format!("1 time in {}", (1.0 / p).round());
    }
    match (p * 10.0).round() {
        10.0 => "nearly always".to_owned(),
        tenths => format!("{tenths} times in 10"),
    }
}

/// `value` with few digits, or with as many as it takes to be on the same side of each limit.
pub(super) fn beside(value: f64, limits: &[f64]) -> String {
    let tells = |text: &String| {
        let told = text.parse().unwrap_or(f64::NAN);
        limits.iter().all(|limit| (told <= *limit) == (value <= *limit))
    };
    let texts = (DIGITS..=MOST_DIGITS).map(|digits| significant(value, digits));
    texts.into_iter().find(tells).unwrap_or_else(|| value.to_string())
}

/// A level as odds: `1 in 100`.
pub(super) fn one_in(level: f64) -> String {
    format!("1 in {}", significant(1.0 / level, 3))
}

/// A fraction as a percentage.
pub(super) fn percent(fraction: f64) -> String {
    format!("{} %", significant(100.0 * fraction, DIGITS))
}

/// A span of days of the market, rounded up to whole ones from ten on.
fn whole_days(span: f64) -> f64 {
    if span >= 10.0 { span.ceil() } else { (span * 10.0).ceil() / 10.0 }
}

/// The same in words.
pub(super) fn days(span: f64) -> String {
    match whole_days(span) {
        1.0 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// The same of a span that is still to come.
fn more_days(span: f64) -> String {
    match whole_days(span) {
        1.0 => "1 more day".to_owned(),
        days => format!("{days} more days"),
    }
}

/// `value` with so many significant digits, more where it has more before the point.
pub(super) fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = (digits - 1 - magnitude).max(0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_told_as_odds() {
        let told = [1.0 / 2_001.0, 0.01, 0.07, 0.2, 0.5, 0.52, 0.81, 0.94, 0.96, 1.0].map(|p| odds(p, 2_000));
        let expected = [
            "less than 1 time in 2000",
            "1 time in 100",
            "1 time in 14",
            "1 time in 5",
            "1 time in 2",
            "5 times in 10",
            "8 times in 10",
            "9 times in 10",
            "nearly always",
            "nearly always",
        ];
        assert_eq!(told, expected);
        assert_eq!([0.2, 0.01, 0.0125].map(one_in), ["1 in 5", "1 in 100", "1 in 80"]);
    }

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        let told = [0.0, 0.0712, 1.96, 12.34, 1234.5, -0.004_56, 2.0].map(|value| significant(value, 2));
        assert_eq!(told, ["0", "0.071", "2", "12", "1234", "-0.0046", "2"]);
        assert_eq!([0.008, 0.123_4].map(percent), ["0.8 %", "12 %"]);
        let limits = [0.2, 0.01];
        assert_eq!(
            [0.2049, 0.2, 0.199_9, 0.010_04].map(|p| beside(p, &limits)),
            ["0.205", "0.2", "0.2", "0.01004"]
        );
        assert_eq!(beside(0.2_f64.next_up(), &limits), "0.20000000000000004");
        assert_eq!([1.0, 0.95, 6.04, 30.2].map(days), ["1 day", "1 day", "6.1 days", "31 days"]);
    }
}
