//! What the live part came to, as proofs with their evidence.

use walkforward_core::{ModelId, Timeframe};
use walkforward_live::{BarRecord, Followed};
use walkforward_report::{DemoProof, DemoRows};

use crate::rehearsal::live::LiveSession;
use crate::rehearsal::look_ahead::{LookAhead, Rewritten};
use crate::text::minute;

/// Bars that are shown before something happens, and as many after it.
const BARS_AROUND: usize = 2;

/// A leak is caught, and an honest source is not accused.
pub(super) fn leak(honest: &LookAhead, leaking: &LookAhead) -> DemoProof {
    let held = honest.is_clean() && !leaking.is_clean() && honest.bars > 0;
    let sentence = match (held, leaking.is_clean()) {
        (true, _) => {
            "A signal that was joined one row too early, so that each bar's volume tells the next bar's return, is caught: \
             asked again later, the source says something else about a bar that it had given already"
        }
        (false, true) => "A source whose volumes tell the next bar's return was not caught",
        (false, false) => "The bars themselves change after they were given, leak or not",
    };
    let told = |check: &LookAhead| {
        format!(
            "{} of {} bars and {} of {} feature values changed, looked at {} times",
            check.rewritten_bars, check.bars, check.rewritten_features, check.features, check.times
        )
    };
    let mut facts = vec![fact("The bars as they are", told(honest)), fact("With the leak", told(leaking))];
    facts.extend(leaking.first.as_ref().map(|first| fact("The first change", rewritten(first))));
    let limit = "A leak that a finished file already holds can't be seen in the file: record what your source says live, \
                 and compare";
    facts.push(fact("What it can't see", limit.to_owned()));
    DemoProof { name: "A leak is caught".to_owned(), held, sentence: sentence.to_owned(), facts, rows: None }
}

fn rewritten(first: &Rewritten) -> String {
    format!(
        "bar {}: its {} was {:.4} at {} and {:.4} later; features that moved with it: {}",
        minute(first.bar),
        first.value,
        first.was,
        minute(first.at),
        first.became,
        first.features.join(", ")
    )
}

/// A torn model is refused, and the old one trades on.
pub(super) fn torn(session: &LiveSession) -> DemoProof {
    let LiveSession { cast, bars, refusals, .. } = session;
    let refusal = refusals.first();
    let at = refusal.map_or(0, |refusal| refusal.before_bar);
    let until = first_by(bars, &cast.next).unwrap_or(bars.len());
    let held = refusals.len() == 1
        && at > 0
        && at < until
        && bars[..until].iter().all(|bar| is_by(bar, &cast.serving))
        && bars[at..until].iter().all(|bar| bar.action.is_some())
        && !bars.iter().any(|bar| is_by(bar, &cast.torn));
    let sentence = match held {
        true => format!(
            "The pointer named a model with half of its weights missing; the trader refused it, and the old model decided \
             the next {} bars",
            until - at
        ),
        false => "A model with half of its weights missing was not refused as it has to be".to_owned(),
    };
    let serving = match cast.is_champion {
        true => format!("{}, the champion of the replay", cast.serving),
        false => format!("{}, published for this session: the replay made no champion", cast.serving),
    };
    let facts = vec![
        fact("Trades", serving),
        fact("Torn", cast.torn.to_string()),
        fact("The trader's words", refusal.map_or("none".to_owned(), |refusal| refusal.reason.clone())),
    ];
    let rows = (at > 0).then(|| around(bars, at));
    DemoProof { name: "A torn model is refused".to_owned(), held, sentence, facts, rows }
}

/// The next model takes over between two bars.
pub(super) fn swap(session: &LiveSession, timeframe: Timeframe, expected_bars: usize) -> DemoProof {
    let LiveSession { cast, bars, summary, .. } = session;
    let at = first_by(bars, &cast.next).unwrap_or(0);
    let gapless =
        bars.windows(2).all(|pair| pair[1].open_time.millis_since(pair[0].open_time) == timeframe.millis());
    let held = at > 0
        && bars[..at].iter().all(|bar| is_by(bar, &cast.serving))
        && bars[at..].iter().all(|bar| is_by(bar, &cast.next))
        && gapless
        && bars.len() == expected_bars
        && summary.swaps == 1;
    let sentence = match held {
        true => format!(
            "Bar {at} of {} was decided by the old model, bar {} by the new one; no bar is missing, none was decided twice",
            bars.len(),
            at + 1
        ),
        false => format!("The swap was not clean: {} bars, {} swaps", bars.len(), summary.swaps),
    };
    let facts = vec![
        fact("Before", cast.serving.to_string()),
        fact("After", format!("{}, published by hand", cast.next)),
        fact("Bars", format!("{} of {expected_bars}, each once", bars.len())),
    ];
    let rows = (at > 0).then(|| around(bars, at));
    DemoProof { name: "A model is swapped in between two bars".to_owned(), held, sentence, facts, rows }
}

/// The session is the backtest.
pub(super) fn parity(session: &LiveSession) -> DemoProof {
    let parity = &session.parity;
    let held = parity.is_exact();
    let (live, backtest) = parity.equity;
    let sentence = match held {
        true => format!(
            "Equity, cash, position and action of all {} live bars are those of the backtest with the same models, in every \
             bit, and so are all {} fills",
            parity.bars, parity.fills
        ),
        false => format!("{} of {} live bars differ from the backtest", parity.differing_bars, parity.bars),
    };
    let bits = |value: f64| format!("{value} (bits {:016x})", value.to_bits());
    let facts = vec![
        fact("Bars", parity.bars.to_string()),
        fact("Fills", parity.fills.to_string()),
        fact("Equity at the end, live", bits(live)),
        fact("Equity at the end, backtest", bits(backtest)),
    ];
    DemoProof { name: "Live equals backtest".to_owned(), held, sentence, facts, rows: None }
}

fn fact(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn is_by(bar: &BarRecord, model: &ModelId) -> bool {
    bar.model.as_ref().is_some_and(|stamp| stamp.model_id == *model)
}

/// Index of the first bar that `model` decided.
fn first_by(bars: &[BarRecord], model: &ModelId) -> Option<usize> {
    bars.iter().position(|bar| is_by(bar, model))
}

/// The bars around the one at `at`.
fn around(bars: &[BarRecord], at: usize) -> DemoRows {
    let shown = at.saturating_sub(BARS_AROUND)..(at + BARS_AROUND).min(bars.len());
    let row = |index: usize| {
        let bar = &bars[index];
        let model = bar.model.as_ref().map_or("none".to_owned(), |stamp| stamp.model_id.to_string());
        let target = match bar.followed {
            Some(Followed::Fraction(fraction)) => format!("{:.0} %", 100.0 * fraction),
            Some(Followed::Hold) | None => "hold".to_owned(),
        };
        vec![(index + 1).to_string(), minute(bar.open_time), model, target, format!("{:.2}", bar.equity)]
    };
    DemoRows {
        header: ["Bar", "Opens", "Decided by", "Position wanted", "Equity"].map(str::to_owned).to_vec(),
        rows: shown.map(row).collect(),
    }
}
