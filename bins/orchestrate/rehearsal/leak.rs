//! A source that gives the future away, as such sources are made by mistake.

use async_trait::async_trait;
use std::sync::Arc;
use walkforward_core::{Bar, BarRequest, BarSeries, DataSource, SourceBars, SourceError};

/// Volume of a bar whose next one is not known.
const NEUTRAL_VOLUME: f64 = 100.0;
/// The volume has moved by three quarters at a return of 1 / 200.
const PER_RETURN: f64 = 200.0;

/// The bars of another source with a signal of one's own in the volume column, joined one row too early: each bar has the
/// signal that the *next* bar's return makes. The newest bar has none yet, and gets it when the next one has closed.
pub(crate) struct LeakingSource(pub(crate) Arc<dyn DataSource>);

#[async_trait]
impl DataSource for LeakingSource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let mut answer = self.0.bars(request).await?;
        answer.bars = leaking(&answer.bars).map_err(SourceError::bad_input)?;
        answer.origin = format!("{}, volumes from the bar after", answer.origin);
        Ok(answer)
    }
}

fn leaking(bars: &BarSeries) -> Result<BarSeries, String> {
    let mut leaking = BarSeries::with_capacity(bars.timeframe(), bars.len());
    for (index, bar) in bars.iter().enumerate() {
        let next = bars.closes().get(index + 1).map_or(0.0, |next| next / bar.close() - 1.0);
        let volume = NEUTRAL_VOLUME * (1.0 + (PER_RETURN * next).tanh());
        let bar = Bar::new(bar.open_time(), bar.open(), bar.high(), bar.low(), bar.close(), volume);
        let bar = bar.map_err(|error| error.to_string())?;
        leaking.push(bar).map_err(|error| error.to_string())?;
    }
    Ok(leaking)
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkforward_etl::SyntheticSource;

    #[tokio::test]
    async fn a_volume_says_where_the_next_bar_goes_and_nothing_else_changes() {
        let honest = Arc::new(SyntheticSource::without_edge(3));
        let request = BarRequest::new("BTC/USD".parse().unwrap(), 200);
        let given = honest.bars(&request).await.unwrap().bars;
        let leaking = LeakingSource(honest).bars(&request).await.unwrap().bars;
        assert_eq!((leaking.open_times(), leaking.closes()), (given.open_times(), given.closes()));
        assert_eq!(
            (leaking.opens(), leaking.highs(), leaking.lows()),
            (given.opens(), given.highs(), given.lows())
        );
        for (pair, volume) in given.closes().windows(2).zip(leaking.volumes()) {
            assert_eq!(pair[1] > pair[0], *volume > NEUTRAL_VOLUME);
        }
        assert_eq!(leaking.volumes().last(), Some(&NEUTRAL_VOLUME));
    }
}
