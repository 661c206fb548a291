//! What won and what lost on a market, in plain words.

use walkforward_core::Timestamp;
use walkforward_orchestrator::replay::{ReplayCurve, ReplaySummary};

use crate::rehearsal::DAY_MS;
use crate::replay::figures::{Counts, EquityFigures, changes};
use crate::text::minute;

/// Returns closer than this are the same.
const ALIKE: f64 = 5e-5;

/// Sentences about `summary`, for the market `name`; `wait_days` go by before the first look.
pub(super) fn about(name: &str, summary: &ReplaySummary, wait_days: f64) -> Vec<String> {
    let of = |curve: &str| {
        let curve = summary.curves.iter().find(|it| it.name == curve)?;
        EquityFigures::of(curve, summary.bars_per_year).total_return
    };
    let (Some(line), Some(auto), Some(held)) = (of("line"), of("auto_deploy"), of("buy_and_hold")) else {
        return vec![format!("{name}: no bar was scored.")];
    };
    let first = changes(summary).first().map(|change| change.at);
    let mut sentences = vec![waited(name, summary, first, wait_days)];
    sentences.push(against_every_model(name, line, auto, first.is_some()));
    sentences.extend(first.and_then(|first| since(name, summary, first)));
    sentences.push(against_cash_and_holding(name, line, held));
    sentences
}

fn waited(name: &str, summary: &ReplaySummary, first: Option<Timestamp>, wait_days: f64) -> String {
    let counts = Counts::of(summary);
    match first {
        Some(first) => format!(
            "{name}: the first model was let through on day {} ({}); before {wait_days} days of evidence none can be. \
             Thresholds let {} of {} through.",
            first.millis_since(summary.replay.asked.from).div_euclid(DAY_MS) + 1,
            minute(first),
            counts.thresholds,
            counts.cycles
        ),
        None => {
            let most = counts.refusals.iter().max_by_key(|(_, count)| **count);
            let most = most
                .map_or(String::new(), |(reason, count)| format!(" (most often, {count} times: {reason})"));
            format!(
                "{name}: no model was let through in {} cycles{most}. Thresholds let {} through.",
                counts.cycles, counts.thresholds
            )
        }
    }
}

fn against_every_model(name: &str, line: f64, auto: f64, has_traded: bool) -> String {
    let (ours, theirs) = (percent(line), percent(auto));
    match line - auto {
        gap if gap.abs() < ALIKE => {
            format!("{name}: walkforward and every model at once both came to {ours}.")
        }
        gap if gap < 0.0 && has_traded => format!(
            "{name}: walkforward came to {ours}, less than the {theirs} of every model at once: it let the time pass in \
             which nobody could know yet whether the models are any good, and that is its price."
        ),
        gap if gap < 0.0 => format!(
            "{name}: walkforward stayed out and came to {ours}; every model at once came to {theirs}. Whether that was skill \
             these days can't tell, and what can't be told is not traded: that is its price."
        ),
        _ => format!(
            "{name}: walkforward came to {ours}, every model at once to {theirs}: waiting was worth it here."
        ),
    }
}

/// What came of it from the first promotion on.
fn since(name: &str, summary: &ReplaySummary, first: Timestamp) -> Option<String> {
    let after = |curve: &str| {
        let curve = summary.curves.iter().find(|it| it.name == curve)?;
        Some(percent(growth_after(curve, first)))
    };
    Some(format!(
        "{name}: from its first promotion on walkforward made {}, every model at once {}, holding the asset {}.",
        after("line")?,
        after("auto_deploy")?,
        after("buy_and_hold")?
    ))
}

fn growth_after(curve: &ReplayCurve, first: Timestamp) -> f64 {
    let bars = curve.bar_close.iter().zip(&curve.net_return).filter(|(close, _)| **close > first);
    bars.map(|(_, bar)| 1.0 + bar).product::<f64>() - 1.0
}

fn against_cash_and_holding(name: &str, line: f64, held: f64) -> String {
    let cash = match line {
        line if line.abs() < ALIKE => "neither earned nor lost against cash",
        line if line > 0.0 => "beat cash",
        _ => "lost against cash",
    };
    let holding = match line - held {
        gap if gap.abs() < ALIKE => "came to the same as holding the asset",
        gap if gap > 0.0 => "beat holding the asset",
        _ => "did worse than holding the asset",
    };
    format!("{name}: after costs walkforward {cash}, and {holding} ({}).", percent(held))
}

fn percent(value: f64) -> String {
    format!("{:+.1} %", 100.0 * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lost_is_said_to_have_lost() {
        let lost = against_every_model("x", 0.1, 0.5, true);
        assert!(lost.contains("less than the +50.0 %") && lost.contains("price"), "{lost}");
        let out = against_every_model("x", 0.0, 0.5, false);
        assert!(out.contains("stayed out") && out.contains("price"), "{out}");
        assert!(against_every_model("x", 0.0, -0.2, false).contains("waiting was worth it"));
        assert!(against_every_model("x", 0.0, 0.0, false).contains("both came to +0.0 %"));
        assert!(against_cash_and_holding("x", -0.1, 0.2).contains("lost against cash, and did worse"));
        assert!(against_cash_and_holding("x", 0.1, -0.2).contains("beat cash, and beat holding"));
    }

    #[test]
    fn growth_counts_the_bars_that_close_later() {
        let at = |hour: i64| Timestamp::EPOCH.plus_millis(hour * 3_600_000);
        let curve = ReplayCurve {
            name: "line".to_owned(),
            bar_close: (0..3).map(at).collect(),
            net_return: vec![0.5, 0.1, 0.1],
            position: vec![0.0; 3],
        };
        assert!((growth_after(&curve, at(0)) - 0.21).abs() < 1e-12);
    }
}
