//! Bring your own gate: a pure function from evidence to a verdict.
//!
//! This one lets a model through when it beats buy-and-hold by five points on the same bars.

mod support;

use std::sync::Arc;

use anyhow::{Result, ensure};
use walkforward_core::{Comparison, Evidence, Gate, GateCheck, Judgement, Outcome, Verdict};
use walkforward_orchestrator::Stages;

/// Beats buy-and-hold by `lead` (0.05 is five points of total return).
struct BeatsHolding {
    lead: f64,
}

impl Gate for BeatsHolding {
    fn assess(&self, evidence: &Evidence) -> Verdict {
        let holding = evidence.baselines.iter().find(|baseline| baseline.subject == "buy_and_hold");
        let returns = (
            evidence.candidate.metrics.total_return,
            holding.and_then(|baseline| baseline.metrics.total_return),
        );
        let lead = match returns {
            (Some(candidate), Some(holding)) => Some(candidate - holding),
            _ => None,
        };
        let passes = lead.is_some_and(|lead| lead >= self.lead);
        let sentence = match lead {
            Some(lead) => format!("it returned {:.1} points more than holding", 100.0 * lead),
            None => "there is nothing to compare with".to_owned(),
        };
        Verdict {
            preset: "beats_holding".to_owned(),
            outcome: if passes { Outcome::Promote } else { Outcome::Reject },
            reason: (!passes).then(|| "holding_is_as_good".to_owned()),
            sentence: sentence.clone(),
            checks: vec![GateCheck {
                name: "leadOverHolding".to_owned(),
                measured: lead,
                comparison: Comparison::AtLeast,
                threshold: self.lead,
                judgement: if passes { Judgement::Pass } else { Judgement::Fail },
                sentence,
            }],
            warnings: Vec::new(),
            grading: None,
        }
    }
}

fn main() -> Result<()> {
    let gate = Arc::new(BeatsHolding { lead: 0.05 });
    let report = support::run(Stages { gate, ..support::stages() }, &support::small_request()?)?;
    ensure!(report.verdict.preset == "beats_holding", "the run did not use the example's gate");
    Ok(())
}
