//! All return statistics in one value.

use super::passes::Passes;
use super::{ReturnSeries, TailStats, bars, growth, moments, ratios, volatility};

/// Every statistic of a series of simple returns. `None` is undefined; nothing is NaN or infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnSummary {
    /// Number of returns.
    pub n: usize,
    /// `prod(1 + r) - 1`.
    pub total_return: Option<f64>,
    /// Compound annual growth; -1 after a total loss.
    pub cagr: Option<f64>,
    /// Mean return per period.
    pub mean: Option<f64>,
    /// Annualised sample standard deviation.
    pub volatility: Option<f64>,
    /// Mean / sample standard deviation per period.
    pub sharpe_per_period: Option<f64>,
    /// The same, annualised.
    pub sharpe: Option<f64>,
    /// Annualised root mean square of the losses, over all periods.
    pub downside_deviation: Option<f64>,
    /// Annualised mean / downside deviation.
    pub sortino: Option<f64>,
    /// Largest fall from a running peak, a positive fraction.
    pub max_drawdown: Option<f64>,
    /// Longest run of periods below a running peak.
    pub max_drawdown_duration: usize,
    /// Compound annual growth / largest drawdown.
    pub calmar: Option<f64>,
    /// Value at risk of one period; positive is a loss.
    pub var_95: Option<f64>,
    /// Mean loss of the worst periods; positive is a loss.
    pub cvar_95: Option<f64>,
    /// 95 % quantile / 5 % quantile, absolute.
    pub tail_ratio: Option<f64>,
    /// Positive periods / non-zero periods.
    pub win_rate: Option<f64>,
    /// Gains / losses over periods.
    pub profit_factor: Option<f64>,
    /// Population skew.
    pub skew: Option<f64>,
    /// Raw population kurtosis, 3 for a normal distribution.
    pub kurtosis: Option<f64>,
}

impl ReturnSummary {
    /// All statistics of `series`.
    pub fn of(series: &ReturnSeries<'_>) -> Self {
        let passes = &Passes::of(series);
        let tail = TailStats::of(series);
        Self {
            n: passes.n,
            total_return: growth::total_return(passes),
            cagr: growth::cagr(passes),
            mean: passes.mean,
            volatility: volatility::volatility(passes),
            sharpe_per_period: ratios::sharpe_per_period(passes),
            sharpe: ratios::sharpe(passes),
            downside_deviation: volatility::downside_deviation(passes),
            sortino: ratios::sortino(passes),
            max_drawdown: passes.drawdown.max_drawdown,
            max_drawdown_duration: passes.drawdown.max_drawdown_duration,
            calmar: ratios::calmar(passes),
            var_95: tail.var_95,
            cvar_95: tail.cvar_95,
            tail_ratio: tail.tail_ratio,
            win_rate: bars::win_rate(passes),
            profit_factor: bars::profit_factor(passes),
            skew: moments::skew(passes),
            kurtosis: moments::kurtosis(passes),
        }
    }
}
