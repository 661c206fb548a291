//! What holding the asset would have come to: in a market that rises, every long position earns.

use serde::{Deserialize, Serialize};
use walkforward_core::{Comparison, GateCheck, Judgement, StreamEvidence};

use super::sentences::{days, percent};
use super::{MarketPace, Recent};
use crate::checks::check;

/// What the arm came to on the evidence window, beside the asset held at the arm's own mean exposure on the same bars. It
/// decides nothing: a grade says that the arm beats its reference, and in a market that rises holding does too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// Mean position of the arm at the ends of the bars, as a fraction of equity.
    pub mean_exposure: f64,
    /// Sum of the arm's net returns.
    pub arm: f64,
    /// Sum of the asset's returns times the mean exposure, without costs.
    pub held: f64,
    /// The same in words.
    pub sentence: String,
}

impl Holding {
    /// On the window of `recent`, which ends after `look` bars; none where nobody knows what the asset did.
    pub(super) fn of(
        stream: &StreamEvidence,
        recent: &Recent,
        look: usize,
        pace: MarketPace,
    ) -> Option<Self> {
        let window = look - recent.bars..look;
        let asset = stream.asset_return.get(window.clone())?;
        let sum = |series: &[f64]| series.iter().sum::<f64>();
        let mean_exposure = sum(&stream.arm_position[window.clone()]) / recent.bars as f64;
        let (arm, held) = (sum(&stream.arm_return[window]), mean_exposure * sum(asset));
        let sentence = format!(
            "over {} the arm {} after costs; the asset, held at the arm's mean exposure of {} on the same bars, would have {} \
             before costs (this decides nothing)",
            days(pace.days(recent.bars)),
            made(arm),
            percent(mean_exposure),
            made(held)
        );
        Some(Self { mean_exposure, arm, held, sentence })
    }

    /// The same beside the conditions of a verdict: it passes or is left open, and never fails.
    pub(super) fn check(&self) -> GateCheck {
        let check = check("holdingAtExposure", Some(self.arm), Comparison::AtLeast, self.held);
        let judgement = if check.judgement == Judgement::Fail { Judgement::Unknown } else { check.judgement };
        GateCheck { judgement, sentence: self.sentence.clone(), ..check }
    }
}

/// `made 31 %`, `lost 4 %`.
fn made(gain: f64) -> String {
    let verb = if gain < 0.0 { "lost" } else { "made" };
    format!("{verb} {}", percent(gain.abs()))
}
