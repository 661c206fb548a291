//! The bars of a session, and what the backtest makes of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use walkforward::failure::{Failure, chain};
use walkforward_core::{Bar, BarSeries, Dataset, Fill, Policy, Timestamp};
use walkforward_engine::{EngineError, NormalisedRows, TradingSession, continue_policy, feature_matrix};
use walkforward_live::BarRecord;

use crate::rehearsal::Rehearsal;

/// Bars of the session, and those before it.
pub(super) struct Market<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) bars: BarSeries,
    /// Whether the source has each bar, `[bars.len()]`.
    present: Vec<bool>,
    /// Index of the first bar that is traded.
    pub(super) first: usize,
}

impl<'a> Market<'a> {
    /// The bars of `dataset`, those from `from` on to be traded.
    pub(super) fn of(dataset: &'a Dataset, from: Timestamp) -> Result<Self, Failure> {
        // A feed begins with a bar that is there.
        let start = (0..dataset.bars.len()).find(|&bar| dataset.can_fill(bar)).unwrap_or(0);
        let bars = dataset.bars.slice(start..dataset.bars.len());
        let present = (start..dataset.bars.len()).map(|bar| dataset.can_fill(bar)).collect();
        let first = bars.index_at_or_after(from);
        match first < bars.len() {
            true => Ok(Self { dataset, bars, present, first }),
            false => Err(Failure::stage(format!("there are no bars from {from} on to trade"))),
        }
    }

    /// Start of the bar before which so many thirds of the session lie.
    pub(super) fn third(&self, thirds: usize) -> Timestamp {
        self.bars.open_times()[self.first + thirds * (self.bars.len() - self.first) / 3]
    }

    /// Those of `range` that the source has.
    pub(super) fn there(&self, range: std::ops::Range<usize>) -> Vec<Bar> {
        range.filter(|&bar| self.present[bar]).map(|bar| self.bars.bar(bar)).collect()
    }

    /// Runs the policies that decided in `records` over the same bars with the backtest's session.
    pub(super) fn parity(&self, rehearsal: &Rehearsal, records: &[BarRecord]) -> Result<Parity, Failure> {
        let mut session = TradingSession::new(rehearsal.config.session).map_err(|error| refused(&error))?;
        let mut models = BTreeMap::new();
        let mut parity = Parity { bars: records.len(), ..Parity::default() };
        let mut fills: Vec<Fill> = Vec::new();
        for (traded, record) in records.iter().enumerate() {
            let Some(stamp) = &record.model else { continue };
            if !models.contains_key(&stamp.sha256) {
                let dir = rehearsal.store.model_dir(&stamp.model_id);
                models.insert(stamp.sha256.clone(), self.load(&dir, &stamp.sha256)?);
            }
            let (policy, rows) = &models[&stamp.sha256];
            let bar = self.first + traded;
            let range = bar..(bar + 1).min(self.bars.len());
            let one = continue_policy(&mut session, policy.as_ref(), &self.bars, &self.present, rows, range);
            let one = one.map_err(|error| refused(&error))?;
            let bits = |equity: f64, cash: f64| (equity.to_bits(), cash.to_bits());
            let is_same = bits(session.equity(), session.cash()) == bits(record.equity, record.cash)
                && session.position() == record.position
                && one.actions == [record.action];
            parity.differing_bars += usize::from(!is_same);
            fills.extend(one.fills);
        }
        let theirs: Vec<Fill> = records.iter().flat_map(BarRecord::all_fills).copied().collect();
        parity.same_fills = fills == theirs;
        parity.fills = theirs.len();
        parity.equity = (records.last().map_or(f64::NAN, |record| record.equity), session.equity());
        Ok(parity)
    }

    fn load(&self, dir: &Path, sha256: &str) -> Result<(Arc<dyn Policy>, NormalisedRows), Failure> {
        let policy = walkforward_policy::load(dir, sha256).map_err(|error| Failure::stage(chain(&error)))?;
        let rows = feature_matrix(&policy.spec().features, &self.bars).map_err(|error| refused(&error))?;
        let rows = rows.normalised(&policy.spec().normaliser).map_err(|error| refused(&error))?;
        Ok((policy, rows))
    }
}

/// The session beside the backtest.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Parity {
    /// Bars that were compared.
    pub(crate) bars: usize,
    /// Fills of the session.
    pub(crate) fills: usize,
    /// Bars whose equity, cash, position or action differs in a bit.
    pub(crate) differing_bars: usize,
    /// Whether all fills are the same.
    pub(crate) same_fills: bool,
    /// Equity at the end: of the session, of the backtest.
    pub(crate) equity: (f64, f64),
}

impl Parity {
    /// Whether they are the same, bit for bit.
    pub(crate) fn is_exact(&self) -> bool {
        self.differing_bars == 0 && self.same_fills && self.bars > 0
    }
}

fn refused(error: &EngineError) -> Failure {
    Failure::from_error(error)
}
