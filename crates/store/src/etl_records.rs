//! What runs were made from: their records of ETL, read back.

use std::collections::BTreeSet;

use walkforward_core::{RunId, Symbol, Timeframe};
use walkforward_durable::read_bounded;

use crate::{EtlRecord, Store, StoreError};

/// Longest record that is read: its lists are bounded, and a rejected row's reason is a sentence.
const MAX_ETL_BYTES: u64 = 4 << 20;
/// Records that are looked at for the newest of each market: some weeks of hourly runs.
const MAX_ETL_LOOKED_AT: usize = 512;
/// Markets that are told.
const MAX_ETL_MARKETS: usize = 100;

/// The newest window of each market, from each source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EtlOverview {
    /// Newest first.
    pub newest: Vec<EtlRecord>,
    /// Records that were looked at.
    pub looked_at: usize,
    /// How many of them could not be read.
    pub unreadable: usize,
    /// Whether there are older ones that were not looked at.
    pub has_older: bool,
}

impl Store {
    /// The newest record for each source, symbol and timeframe, among the newest records that there are.
    ///
    /// # Errors
    /// The folder can't be read. A record that can't be is counted.
    pub fn etl_overview(&self) -> Result<EtlOverview, StoreError> {
        let runs = self.recorded_runs()?;
        let mut overview = EtlOverview::default();
        let mut known: BTreeSet<(String, Symbol, Timeframe)> = BTreeSet::new();
        for run in runs.iter().rev() {
            if overview.looked_at == MAX_ETL_LOOKED_AT || overview.newest.len() == MAX_ETL_MARKETS {
                overview.has_older = true;
                break;
            }
            overview.looked_at += 1;
            match self.find_etl(run) {
                Ok(Some(record)) => {
                    if known.insert((record.source.clone(), record.symbol.clone(), record.timeframe)) {
                        overview.newest.push(record);
                    }
                }
                // Retention may have taken it in between.
                Ok(None) => {}
                Err(_) => overview.unreadable += 1,
            }
        }
        Ok(overview)
    }

    /// What a run was made from; none where there is no such run, or its record was not kept.
    ///
    /// # Errors
    /// The record can't be read, or is none.
    pub fn find_etl(&self, run: &RunId) -> Result<Option<EtlRecord>, StoreError> {
        let path = self.layout.etl(run);
        let bytes = match read_bounded(&path, MAX_ETL_BYTES) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let record = serde_json::from_slice(&bytes);
        record
            .map(Some)
            .map_err(|error| StoreError::bad_model(&path, format!("it is no record of ETL ({error})")))
    }
}
