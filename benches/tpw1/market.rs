//! The markets of TPW-1: bars from a counter-based generator, features, and what an environment reads of them.

/// Bars of a market.
pub(crate) const BARS: usize = 8_760;
/// Features of a bar.
pub(crate) const FEATURES: usize = 16;
/// Feature rows in an observation.
pub(crate) const WINDOW: usize = 4;
/// Numbers in an observation: the rows, the position, the unrealised return.
pub(crate) const OBS_DIM: usize = FEATURES * WINDOW + 2;
/// Steps of an episode.
pub(crate) const EPISODE: usize = 512;
/// Positions that actions 0, 1, 2 name.
pub(crate) const POSITIONS: [f64; 3] = [-1.0, 0.0, 1.0];
/// Share of equity that a change of position by 1 costs.
const COST: f64 = 0.001;
/// Reward of a log return of 1.
const REWARD_SCALE: f64 = 100.0;
/// Uniform numbers of a bar.
const DRAWS: u64 = 15;
/// Largest absolute value of a feature.
const CLIP: f64 = 5.0;

/// Which process makes the closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// First-order autoregressive returns, phi in hundredths.
    Autoregressive(u8),
    /// A sine of 24 bars.
    Sine,
    /// Returns without memory, whose next one stands in the place of the last one among the features: what a look-ahead
    /// bug does.
    Leak,
}

impl Kind {
    pub(crate) const BENCH: Self = Self::Autoregressive(15);

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "bench" => Some(Self::BENCH),
            "ar1" => Some(Self::Autoregressive(50)),
            "band" => Some(Self::Autoregressive(25)),
            "walk" => Some(Self::Autoregressive(0)),
            "sine" => Some(Self::Sine),
            "leak" => Some(Self::Leak),
            _ => None,
        }
    }

    pub(crate) fn phi(self) -> f64 {
        match self {
            Self::Autoregressive(hundredths) => f64::from(hundredths) / 100.0,
            Self::Sine | Self::Leak => 0.0,
        }
    }
}

/// Draw `index` of SplitMix64 as a number in [0, 1).
fn uniform(seed: u64, index: u64) -> f64 {
    let mut x = seed.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 11) as f64 * 2.0_f64.powi(-53)
}

/// Columns of the bars.
struct Bars {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

impl Bars {
    fn new(kind: Kind, seed: u64) -> Self {
        let draw = |bar: usize, index: u64| uniform(seed, DRAWS * bar as u64 + index);
        let mut bars = Self { open: vec![], high: vec![], low: vec![], close: vec![], volume: vec![] };
        let (mut x, mut close) = (0.0, 100.0);
        for t in 0..BARS {
            let z = (0..12).map(|index| draw(t, index)).sum::<f64>() - 6.0;
            x = kind.phi() * x + 0.005 * z;
            let before = close;
            close = match kind {
                Kind::Sine => 100.0 * (1.0 + 0.02 * (std::f64::consts::TAU * t as f64 / 24.0).sin()),
                _ if t > 0 => close * (1.0 + x),
                _ => close,
            };
            let open = if t == 0 { close } else { before };
            bars.open.push(open);
            bars.close.push(close);
            bars.high.push(open.max(close) * (1.0 + 0.002 * draw(t, 12)));
            bars.low.push(open.min(close) * (1.0 - 0.002 * draw(t, 13)));
            bars.volume.push(1000.0 * (1.0 + draw(t, 14)));
        }
        bars
    }

    /// Feature rows, `[BARS, FEATURES]`.
    fn features(&self) -> Vec<f32> {
        let logs: Vec<f64> = self.close.iter().map(|close| close.ln()).collect();
        let moved = |t: usize, k: usize| logs[t] - logs[t.saturating_sub(k)];
        let returns: Vec<f64> = (0..BARS).map(|t| moved(t, 1)).collect();
        let squares: Vec<f64> = returns.iter().map(|r| r * r).collect();
        let (volume24, return24, square24) = (mean(&self.volume, 24), mean(&returns, 24), mean(&squares, 24));
        let (close24, close168) = (mean(&self.close, 24), mean(&self.close, 168));
        let mut rows = Vec::with_capacity(BARS * FEATURES);
        for t in 0..BARS {
            let (open, close) = (self.open[t], self.close[t]);
            let periods = [1, 2, 4, 8, 16, 24, 48, 168];
            let angle = std::f64::consts::TAU * t as f64 / 24.0;
            let rest = [
                100.0 * (self.high[t] - self.low[t]) / close,
                100.0 * (close - open) / open,
                self.volume[t] / volume24[t] - 1.0,
                100.0 * (square24[t] - return24[t] * return24[t]).max(0.0).sqrt(),
                10.0 * (close / close24[t] - 1.0),
                10.0 * (close / close168[t] - 1.0),
                angle.sin(),
                angle.cos(),
            ];
            let moves = periods.map(|k| 100.0 * moved(t, k) / (k as f64).sqrt());
            rows.extend(moves.into_iter().chain(rest).map(|x| x.clamp(-CLIP, CLIP) as f32));
        }
        rows
    }
}

/// Mean over the last `min(k, t + 1)` numbers, from running sums as the reference takes it.
fn mean(numbers: &[f64], k: usize) -> Vec<f64> {
    let mut sums = vec![0.0];
    for (t, x) in numbers.iter().enumerate() {
        sums.push(sums[t] + x);
    }
    (0..numbers.len())
        .map(|t| {
            let from = (t + 1).saturating_sub(k);
            (sums[t + 1] - sums[from]) / (t + 1 - from) as f64
        })
        .collect()
}

/// What environments read of a market, computed once.
pub(crate) struct Market {
    close: Vec<f64>,
    /// `close[t + 1] / close[t] - 1`; 0 at the last bar.
    pub(crate) change: Vec<f64>,
    features: Vec<f32>,
    /// Feature rows t-3..=t, `[BARS, WINDOW * FEATURES]`.
    windows: Vec<f32>,
    /// `ln(1 + position * change)` for each position.
    pub(crate) log_growth: Vec<[f64; 3]>,
    /// First and last bar at which an episode may start.
    pub(crate) starts: (usize, usize),
}

impl Market {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let bars = Bars::new(kind, seed);
        let mut features = bars.features();
        let mut change: Vec<f64> = bars.close.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        change.push(0.0);
        if kind == Kind::Leak {
            for (row, change) in features.chunks_exact_mut(FEATURES).zip(&change) {
                row[0] = (100.0 * change).clamp(-CLIP, CLIP) as f32;
            }
        }
        let mut windows = Vec::with_capacity(BARS * WINDOW * FEATURES);
        for t in 0..BARS {
            for back in (0..WINDOW).rev() {
                let row = t.saturating_sub(back) * FEATURES;
                windows.extend_from_slice(&features[row..row + FEATURES]);
            }
        }
        let log_growth = change.iter().map(|change| POSITIONS.map(|p| (p * change).ln_1p())).collect();
        let starts = (WINDOW - 1, BARS - 1 - EPISODE);
        Self { close: bars.close, change, features, windows, log_growth, starts }
    }

    /// The window of bar `t`, `[WINDOW * FEATURES]`.
    pub(crate) fn window(&self, t: usize) -> &[f32] {
        &self.windows[t * WINDOW * FEATURES..(t + 1) * WINDOW * FEATURES]
    }

    /// Stops the program unless the reference market has the reference's checksums.
    pub(crate) fn check(&self) {
        let close = |actual: f64, expected: f64, tolerance: f64, what: &str| {
            assert!((actual / expected - 1.0).abs() <= tolerance, "{what} is {actual}: expected {expected}");
        };
        let wide = || self.features.iter().map(|&x| f64::from(x));
        close(self.close[BARS - 1], 167.901_989_091_187, 1e-9, "the last close");
        close(self.close.iter().sum(), 836_136.988_520_036, 1e-9, "the sum of closes");
        close(wide().sum(), 12_103.348_155_8, 1e-6, "the sum of features");
        close(wide().map(f64::abs).sum(), 62_928.938_444_5, 1e-6, "the sum of absolute features");
    }
}

/// The part of a reward that changing the position by `change` costs, 0, 1 or 2.
pub(crate) fn cost(change: usize) -> f64 {
    (-COST * change as f64).ln_1p()
}

/// Reward of a step.
pub(crate) fn reward(cost: f64, log_growth: f64) -> f64 {
    REWARD_SCALE * (cost + log_growth)
}
