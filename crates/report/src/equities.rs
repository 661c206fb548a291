//! Equities that were scored bar by bar, as curves over the same dates.

use walkforward_core::{Timeframe, Timestamp};

use crate::chart::TimeAxis;
use crate::replay::ReplayEquity;
use crate::sections::Curve;

/// Line styles of the equities, in order.
const STYLES: [&str; 5] = ["candidate", "champion", "baseline-2", "baseline-1", "baseline-0"];

/// The bars of `equities`, each `timeframe` long, from the open of the first; none without a bar.
pub(crate) fn axis(equities: &[ReplayEquity], timeframe: Timeframe) -> Option<TimeAxis> {
    let closes = equities.iter().map(|it| &it.bar_close).find(|closes| !closes.is_empty())?;
    let start = closes.first()?.plus_millis(-timeframe.millis());
    TimeAxis::over(std::iter::once(start).chain(closes.iter().copied()))
}

/// Growth of `equities`, 1 before the first bar. More than there are line styles are left out.
pub(crate) fn curves(equities: &[ReplayEquity], timeframe: Timeframe) -> Vec<Curve> {
    let curve = |(equity, class): (&ReplayEquity, &&str)| {
        let start = equity.bar_close.first()?.plus_millis(-timeframe.millis());
        let times: Vec<Timestamp> = std::iter::once(start).chain(equity.bar_close.iter().copied()).collect();
        let mut level = 1.0;
        let grown = equity.net_return.iter().map(|change| {
            level *= 1.0 + change;
            level
        });
        let grown: Vec<f64> = std::iter::once(1.0).chain(grown).collect();
        Curve::new(&equity.name, class, &times, &grown)
    };
    equities.iter().zip(&STYLES).filter_map(curve).collect()
}
