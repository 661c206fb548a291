//! What a strategy earned on a stretch of bars, in the figures that gates look at.

use walkforward_stats::SharpeMoments;

/// Net return of each bar: what the position made, its drift, and the fee of getting there from the one before.
pub(crate) fn net_returns(positions: &[f64], returns: &[f64], drift: f64, fee: f64) -> Vec<f64> {
    let mut last = 0.0;
    let mut net = |(position, value): (&f64, &f64)| {
        let change = f64::abs(position - last);
        last = *position;
        position * value + position.abs() * drift - fee * change
    };
    positions.iter().zip(returns).map(&mut net).collect()
}

/// Number, Sharpe ratio per bar and shape of `values`; none when they do not vary. In one pass over each moment, without
/// the order statistics of a full summary: a study asks for millions of them.
pub(crate) fn moments(values: &[f64]) -> Option<SharpeMoments> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
    for value in values {
        let off = value - mean;
        let square = off * off;
        second += square;
        third += square * off;
        fourth += square * square;
    }
    if second.is_nan() || second <= 1e-300 || values.len() < 2 {
        return None;
    }
    let variance = second / n;
    Some(SharpeMoments {
        n: values.len(),
        sharpe: mean / (second / (n - 1.0)).sqrt(),
        skew: third / n / variance.powf(1.5),
        kurtosis: fourth / n / (variance * variance),
    })
}

/// Sharpe ratio per bar; 0 of returns that do not vary.
pub(crate) fn sharpe(values: &[f64]) -> f64 {
    moments(values).map_or(0.0, |moments| moments.sharpe)
}

/// Differences of two series of returns.
pub(crate) fn less(challenger: &[f64], champion: &[f64]) -> Vec<f64> {
    challenger.iter().zip(champion).map(|(new, old)| new - old).collect()
}

/// Win rate, drawdown and profit of closed trades, as the preset `thresholds` reads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TradeFigures {
    pub(crate) trades: usize,
    pub(crate) win_rate: f64,
    pub(crate) max_drawdown: f64,
    pub(crate) return_per_trade: f64,
}

impl TradeFigures {
    /// The figures of `positions` whose net returns are `net`. A trade lasts from one position to the next; the one at
    /// the end is closed there.
    pub(crate) fn of(positions: &[f64], net: &[f64], fee: f64) -> Self {
        let mut trades = Trades::default();
        let (mut equity, mut peak, mut max_drawdown) = (1.0, 1.0_f64, 0.0_f64);
        let mut held = 0.0;
        for (position, value) in positions.iter().zip(net) {
            let change = f64::abs(position - held);
            if change != 0.0 {
                if held != 0.0 {
                    trades.compound(-fee);
                    trades.close();
                }
                held = *position;
                trades.gain = if held != 0.0 { -fee } else { 0.0 };
            }
            if held != 0.0 {
                trades.compound(value + fee * change);
            }
            equity *= 1.0 + value;
            peak = peak.max(equity);
            max_drawdown = max_drawdown.max(1.0 - equity / peak);
        }
        if held != 0.0 {
            trades.close();
        }
        let count = trades.count.max(1) as f64;
        Self {
            trades: trades.count,
            win_rate: trades.wins as f64 / count,
            max_drawdown,
            return_per_trade: trades.total / count,
        }
    }

    /// Whether the preset `thresholds` promotes: win rate at least 0.55, drawdown at most 0.2, no loss per trade.
    pub(crate) fn pass_thresholds(&self) -> bool {
        self.trades > 0 && self.win_rate >= 0.55 && self.max_drawdown <= 0.2 && self.return_per_trade >= 0.0
    }
}

#[derive(Default)]
struct Trades {
    count: usize,
    wins: usize,
    total: f64,
    /// Of the open trade.
    gain: f64,
}

impl Trades {
    fn compound(&mut self, value: f64) {
        self.gain = (1.0 + self.gain) * (1.0 + value) - 1.0;
    }

    fn close(&mut self) {
        self.count += 1;
        self.wins += usize::from(self.gain > 0.0);
        self.total += self.gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITIONS: [f64; 6] = [0.0, 1.0, 1.0, -1.0, 0.0, 1.0];
    const RETURNS: [f64; 6] = [0.5, 0.10, -0.05, -0.02, 0.3, -0.01];

    #[test]
    fn trades_are_cut_where_the_position_changes() {
        let net = net_returns(&POSITIONS, &RETURNS, 0.0, 0.0);
        let figures = TradeFigures::of(&POSITIONS, &net, 0.0);
        assert_eq!((figures.trades, figures.win_rate), (3, 2.0 / 3.0));
        let expected = (1.1 * 0.95 - 1.0 + 0.02 - 0.01) / 3.0;
        assert!((figures.return_per_trade - expected).abs() < 1e-15);
        assert!((figures.max_drawdown - 0.05).abs() < 1e-12, "{figures:?}");
    }

    #[test]
    fn a_trade_bears_the_fees_of_its_entry_and_its_exit() {
        let fee = 0.001;
        let net = net_returns(&POSITIONS, &RETURNS, 0.0, fee);
        let expected_net = [0.0, 0.099, -0.05, 0.018, -0.001, -0.011];
        assert!(net.iter().zip(expected_net).all(|(found, expected)| (found - expected).abs() < 1e-15));
        let figures = TradeFigures::of(&POSITIONS, &net, fee);
        let kept = 1.0 - fee;
        // The last one is not left before the stretch ends.
        let expected = [kept * 1.1 * 0.95 * kept - 1.0, kept * 1.02 * kept - 1.0, kept * 0.99 - 1.0];
        assert!((figures.return_per_trade - expected.iter().sum::<f64>() / 3.0).abs() < 1e-15);
    }

    #[test]
    fn no_trades_pass_no_thresholds() {
        let figures = TradeFigures::of(&[0.0; 5], &[0.0; 5], 0.0);
        assert_eq!((figures.trades, figures.pass_thresholds()), (0, false));
        let winning = TradeFigures::of(&[1.0; 5], &[0.01; 5], 0.0);
        assert!(winning.pass_thresholds());
    }

    #[test]
    fn moments_are_those_of_a_full_summary() {
        let values: Vec<f64> = (0..500).map(|i| f64::from(i % 17) / 100.0 - 0.07).collect();
        let series = walkforward_stats::ReturnSeries::new(&values, 8_760.0).unwrap();
        let full = SharpeMoments::of(&walkforward_stats::ReturnSummary::of(&series)).unwrap();
        let found = moments(&values).unwrap();
        for (found, full) in
            [(found.sharpe, full.sharpe), (found.skew, full.skew), (found.kurtosis, full.kurtosis)]
        {
            assert!((found - full).abs() < 1e-9, "{found} {full}");
        }
        assert_eq!((moments(&[0.0; 9]), sharpe(&[0.0; 9])), (None, 0.0));
    }
}
