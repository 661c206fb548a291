//! Whether a newer snapshot of the champion's arm may serve.

use super::LineStudy;
use crate::SimulationError;
use crate::ledger::Judge;
use crate::pair::{Against, PairStream, PairWorld, Snapshots};
use crate::random::WorldRng;

/// Bars of the hold-out that both are measured on: 14 days.
const HOLDOUT_BARS: usize = 336;

/// What became of a newer snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// It serves from now on.
    Passed,
    /// It decided otherwise than the serving one on too many bars, and serves because its arm leads its own anchor.
    Ahead,
    /// It decided otherwise than the serving one on too many bars.
    Disagrees,
    /// It earned less than the serving one, more than luck explains.
    Worse,
}

/// Holds a snapshot of ratio `newer` against the serving one of ratio `serving` on a hold-out; `leads` says, where it has to
/// be known, whether their arm leads its own anchor. The hold-outs of two cycles are drawn apart, so that shares are right and runs of refusals are not.
pub(super) fn refresh(
    study: &LineStudy,
    judge: &Judge,
    newer: f64,
    serving: f64,
    leads: impl FnOnce() -> Result<bool, SimulationError>,
    rng: &mut WorldRng,
) -> Result<Refresh, SimulationError> {
    let agreement = match study.snapshots {
        Snapshots::Consistent => study.agreement,
        Snapshots::Independent { .. } => 0.0,
    };
    let against = Against::Anchor { agreement };
    let world = PairWorld { snapshots: Snapshots::Consistent, ..study.pair(against) };
    let mut stream = PairStream::new(world, newer - serving, rng);
    let bars: Vec<_> = (0..HOLDOUT_BARS).map(|_| stream.next(rng)).collect();
    let agreeing = bars.iter().filter(|bar| bar.agrees()).count();
    let agrees = agreeing as f64 >= judge.rules().min_agreement * HOLDOUT_BARS as f64;
    if !agrees && !leads()? {
        return Ok(Refresh::Disagrees);
    }
    let behind: Vec<f64> = bars.iter().map(|bar| -bar.difference()).collect();
    let is_worse = judge.p_is_at_most(&behind, judge.rules().worse_p, rand::Rng::random(rng))?;
    Ok(match (is_worse, agrees) {
        (true, _) => Refresh::Worse,
        (false, true) => Refresh::Passed,
        (false, false) => Refresh::Ahead,
    })
}
