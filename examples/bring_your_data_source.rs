//! Bring your own bars: implement `DataSource`, and everything after it stays as it is.

mod support;

use std::sync::Arc;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use walkforward_core::{Bar, BarRequest, BarSeries, DataSource, SourceBars, SourceError, Timestamp};
use walkforward_etl::{EtlConfig, EtlPipeline};
use walkforward_orchestrator::Stages;

/// A market that swings: one sine a week around 100.
struct SwingingMarket {
    now: Timestamp,
}

const BARS_A_SWING: f64 = 168.0;

impl SwingingMarket {
    fn bar(&self, open_time: Timestamp, index: i64) -> Result<Bar, SourceError> {
        let price = |index: i64| 100.0 + 20.0 * (std::f64::consts::TAU * index as f64 / BARS_A_SWING).sin();
        let (open, close) = (price(index), price(index + 1));
        Bar::new(open_time, open, open.max(close) + 0.1, open.min(close) - 0.1, close, 1.0)
            .map_err(|error| SourceError::bad_input(error.to_string()))
    }
}

#[async_trait]
impl DataSource for SwingingMarket {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let hour = "1h".parse().map_err(|_| SourceError::bad_input("no hour"))?;
        let timeframe = request.timeframe.unwrap_or(hour);
        let as_of = request.as_of.unwrap_or(self.now);
        let end = timeframe.floor(as_of);
        let mut bars = BarSeries::with_capacity(timeframe, request.bars);
        for back in (1..=request.bars as i64).rev() {
            let open_time = end.plus_millis(-back * timeframe.millis());
            let bar = self.bar(open_time, open_time.as_millis() / timeframe.millis())?;
            bars.push(bar).map_err(|error| SourceError::bad_input(error.to_string()))?;
        }
        let origin = "a market that swings once a week".to_owned();
        Ok(SourceBars::new(bars, as_of, origin))
    }
}

fn main() -> Result<()> {
    let source = Arc::new(SwingingMarket { now: "2024-01-01T00:00:00Z".parse()? });
    let datasets = Arc::new(EtlPipeline::new(source, EtlConfig::default()));
    let report = support::run(Stages { datasets, ..support::stages() }, &support::small_request()?)?;
    ensure!(report.origin.contains("swings"), "the run did not use the example's bars");
    Ok(())
}
