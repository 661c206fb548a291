//! The synthetic market, one bar after the other.

use walkforward_core::{Bar, BarError, Timestamp};

use super::noise::{Draw, draw, shock};

/// Where the price starts and to which it is pulled back.
const ANCHOR_PRICE: f64 = 30_000.0;
/// Rise or fall of the close per bar that a regime adds to the noise.
const DRIFT: f64 = 0.0025;
/// Standard deviation of the close's change per bar.
const VOLATILITY: f64 = 0.0033;
/// Shortest and longest regime.
const REGIME_BARS: (u64, u64) = (24, 60);
/// How much of a deviation from the anchor goes into the next regimes' drifts.
const PULL: f64 = 0.3;
const MAX_DEVIATION: f64 = 0.5;
/// Widest distance between an open and the close before it, as a fraction of the price.
const OPEN_GAP: f64 = 0.000_3;
const MEAN_VOLUME: f64 = 120.0;
/// Falling regimes are more volatile and busier.
const FALLING_VOLATILITY: f64 = 1.1;
const FALLING_VOLUME: f64 = 1.3;
const MISSING_SHARE: f64 = 0.002;
const OUTAGE_SHARE: f64 = 0.000_4;
/// Shortest and longest outage.
const OUTAGE_BARS: (u64, u64) = (3, 12);

#[derive(Debug, Clone, Copy)]
struct Regime {
    is_rising: bool,
    drift: f64,
    volatility: f64,
    volume: f64,
    bars_left: u64,
}

/// What sets one market apart from another besides its seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Market {
    /// Whether regimes drift and the price is pulled to its anchor.
    pub(super) has_edge: bool,
    /// Factor of the volatility.
    pub(super) volatility_scale: f64,
}

/// The state of the market after some bars. What it gives next depends on the seed and the index alone.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    seed: u64,
    market: Market,
    index: u64,
    price: f64,
    last_close: f64,
    regime: Regime,
}

impl Walk {
    /// The market before bar 0.
    pub(super) fn new(seed: u64, market: Market) -> Self {
        let is_rising = draw(seed, u64::MAX, Draw::RegimeBars) < 0.5;
        let regime = Regime { is_rising, drift: 0.0, volatility: 0.0, volume: 0.0, bars_left: 0 };
        Self { seed, market, index: 0, price: ANCHOR_PRICE, last_close: ANCHOR_PRICE, regime }
    }

    /// Index of the bar that comes next.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// Passes over the next bar.
    pub(super) fn skip(&mut self) {
        if self.regime.bars_left == 0 {
            self.regime = self.next_regime();
        }
        self.regime.bars_left -= 1;
        self.last_close = cents(self.price);
        self.price *= 1.0 + self.regime.drift + self.regime.volatility * shock(self.seed, self.index);
        self.index += 1;
    }

    /// The next bar, as one that starts at `open_time`.
    pub(super) fn next_bar(&mut self, open_time: Timestamp) -> Result<Bar, BarError> {
        let at = self.index;
        self.skip();
        let draw = |purpose| draw(self.seed, at, purpose);
        let open = cents(self.last_close * (1.0 + OPEN_GAP * (2.0 * draw(Draw::OpenGap) - 1.0)));
        let close = cents(self.price);
        let wick = |purpose| self.regime.volatility * draw(purpose) * draw(purpose);
        let high = open.max(close) * (1.0 + wick(Draw::UpperWick));
        let low = open.min(close) * (1.0 - wick(Draw::LowerWick));
        let high = cents(high).max(open.max(close));
        let low = cents(low).min(open.min(close));
        let volume = (self.regime.volume * (0.5 + draw(Draw::Volume)) * 1e4).round() / 1e4;
        Bar::new(open_time, open, high, low, close, volume)
    }

    fn next_regime(&self) -> Regime {
        let draw = |purpose| draw(self.seed, self.index, purpose);
        let (shortest, longest) = REGIME_BARS;
        let is_rising = !self.regime.is_rising;
        let deviation = (ANCHOR_PRICE / self.price - 1.0).clamp(-MAX_DEVIATION, MAX_DEVIATION);
        let drift = match (self.market.has_edge, is_rising) {
            (false, _) => 0.0,
            (true, true) => DRIFT * (1.0 + PULL * deviation),
            (true, false) => -DRIFT * (1.0 - PULL * deviation),
        };
        let (volatility, volume) = if is_rising { (1.0, 1.0) } else { (FALLING_VOLATILITY, FALLING_VOLUME) };
        Regime {
            is_rising,
            drift,
            volatility: VOLATILITY
                * self.market.volatility_scale
                * volatility
                * (0.85 + 0.3 * draw(Draw::RegimeVolatility)),
            volume: MEAN_VOLUME * volume * (0.5 + draw(Draw::RegimeVolume)),
            bars_left: within(shortest, longest, draw(Draw::RegimeBars)),
        }
    }
}

/// Whether the market has no bar `index`: a single missing one, or an outage of several. Bar 0 is always there.
pub(super) fn is_missing(seed: u64, index: u64) -> bool {
    let (shortest, longest) = OUTAGE_BARS;
    let is_in_outage = |back: u64| {
        index.checked_sub(back).is_some_and(|start| {
            draw(seed, start, Draw::Outage) < OUTAGE_SHARE
                && back < within(shortest, longest, draw(seed, start, Draw::OutageBars))
        })
    };
    index > 0 && (draw(seed, index, Draw::Missing) < MISSING_SHARE || (0..longest).any(is_in_outage))
}

/// A whole number from `least` to `most`, both included, by a draw in [0, 1).
fn within(least: u64, most: u64, draw: f64) -> u64 {
    least + (draw * (most - least + 1) as f64) as u64
}

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}
