//! An arm beside its reference, bar by bar.

use walkforward_core::Timestamp;
use walkforward_store::ScoredBar;

/// The bars that both have been scored on and that are known. Series are `[n_bars]`, the oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ledger {
    pub(super) bar_close: Vec<Timestamp>,
    pub(super) arm_return: Vec<f64>,
    pub(super) reference_return: Vec<f64>,
    pub(super) arm_position: Vec<f64>,
    pub(super) reference_position: Vec<f64>,
    /// Bars up to the last that a replay scored.
    pub(super) replayed_bars: usize,
}

impl Ledger {
    /// The ledger of `arm` against `reference`; none of these holds no position.
    pub(super) fn of(arm: &[ScoredBar], reference: Option<&[ScoredBar]>) -> Self {
        let mut ledger = Self::default();
        let mut others = reference.map(|bars| bars.iter().peekable());
        for bar in arm {
            let other = match &mut others {
                None => Some((0.0, 0.0)),
                Some(others) => {
                    while others.next_if(|other| other.close < bar.close).is_some() {}
                    let same = others.next_if(|other| other.close == bar.close);
                    same.filter(|other| other.is_known).map(|other| (other.net_return, other.position))
                }
            };
            if let Some((net_return, position)) = other.filter(|_| bar.is_known) {
                ledger.push(bar, net_return, position);
            }
        }
        ledger
    }

    fn push(&mut self, bar: &ScoredBar, reference_return: f64, reference_position: f64) {
        self.bar_close.push(bar.close);
        self.arm_return.push(bar.net_return);
        self.arm_position.push(bar.position);
        self.reference_return.push(reference_return);
        self.reference_position.push(reference_position);
        if bar.is_replayed {
            self.replayed_bars = self.bar_close.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(hour: i64, net_return: f64) -> ScoredBar {
        let close = Timestamp::EPOCH.plus_millis(hour * 3_600_000);
        ScoredBar { close, net_return, position: net_return * 10.0, is_known: true, is_replayed: hour < 3 }
    }

    #[test]
    fn only_bars_that_both_know_count() {
        let mut arm: Vec<_> = (0..8).map(|hour| bar(hour, 0.1)).collect();
        arm[4].is_known = false;
        let mut reference: Vec<_> = [1, 2, 4, 5, 6, 9].map(|hour| bar(hour, 0.2)).to_vec();
        reference[3].is_known = false;
        let ledger = Ledger::of(&arm, Some(&reference));
        let hours: Vec<i64> = ledger.bar_close.iter().map(|close| close.as_millis() / 3_600_000).collect();
        assert_eq!((hours.as_slice(), ledger.replayed_bars), ([1, 2, 6].as_slice(), 2));
        assert_eq!(ledger.reference_return, [0.2; 3]);
        assert_eq!(ledger.arm_position, [1.0; 3]);
    }

    #[test]
    fn beside_flat_every_known_bar_counts() {
        let arm: Vec<_> = (0..8).map(|hour| bar(hour, 0.1)).collect();
        let ledger = Ledger::of(&arm, None);
        assert_eq!((ledger.arm_return.len(), ledger.replayed_bars), (8, 3));
        assert_eq!((ledger.reference_return, ledger.reference_position), (vec![0.0; 8], vec![0.0; 8]));
    }
}
