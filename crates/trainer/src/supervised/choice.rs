//! When a forecast is worth its costs.

use std::ops::Range;

use walkforward_core::CancelToken;
use walkforward_engine::{SessionConfig, TradingSession};

use super::model::HELD;
use super::{SupervisedConfig, SupervisedError};
use crate::TrainerError;
use crate::market::Market;

/// Thresholds that are tried: this many quantiles of the scores on the fitted rows, at equal distances.
const THRESHOLDS: usize = 19;
/// Hysteresis that is tried, in standard deviations of the scores on the fitted rows.
const HYSTERESIS: [f64; 4] = [0.0, 0.5, 1.0, 2.0];

/// Long when `score > threshold`, and as long as `score > threshold - hysteresis`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    pub(super) threshold: f64,
    pub(super) hysteresis: f64,
}

/// What a choice came to on the validation slice, net of costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Validated {
    pub(super) choice: Choice,
    /// Sum of the bars' log returns.
    pub(super) log_return: f64,
    /// Mean log return of a bar over its standard error; 0 when no bar had any return.
    pub(super) t: f64,
}

impl Validated {
    /// Whether the return is more than `min_t` standard errors above 0.
    pub(super) fn has_edge(&self, config: &SupervisedConfig) -> bool {
        self.log_return > 0.0 && self.t >= config.min_t
    }
}

/// The choice of largest net return on the bars of `validation`, whose scores are `scores`; of equal ones the first.
/// `fitted` are the scores on the fitted rows, at least one.
pub(super) fn choose(
    market: &Market,
    session: SessionConfig,
    validation: Range<usize>,
    scores: &[f64],
    fitted: &[f64],
    cancel: &CancelToken,
) -> Result<Validated, SupervisedError> {
    let fresh = TradingSession::new(session).map_err(TrainerError::from)?;
    let deviation = deviation(fitted);
    let mut best: Option<Validated> = None;
    for threshold in quantiles(fitted) {
        for step in HYSTERESIS {
            if cancel.is_cancelled() {
                return Err(TrainerError::Cancelled.into());
            }
            let choice = Choice { threshold, hysteresis: step * deviation };
            let validated = validate(market, fresh, validation.clone(), scores, choice);
            if best.is_none_or(|best| validated.log_return > best.log_return) {
                best = Some(validated);
            }
        }
    }
    let nothing = Choice { threshold: 0.0, hysteresis: 0.0 };
    Ok(best.unwrap_or(Validated { choice: nothing, log_return: 0.0, t: 0.0 }))
}

fn validate(
    market: &Market,
    mut session: TradingSession,
    bars: Range<usize>,
    scores: &[f64],
    choice: Choice,
) -> Validated {
    let (mut sum, mut squares) = (0.0, 0.0);
    let count = bars.len() as f64;
    for (index, score) in bars.zip(scores) {
        let (bar, present) = market.bar(index);
        let log_return = session.on_bar(bar, present).log_return;
        sum += log_return;
        squares += log_return * log_return;
        let is_held = session.position_fraction() > f64::from(HELD);
        let bonus = if is_held { choice.hysteresis } else { 0.0 };
        let target = f64::from(u8::from(score - choice.threshold + bonus > 0.0));
        // An order that the risk checks refuse is no order, as in a backtest.
        let _ = session.decide(target, market.close_time(index));
    }
    let mean = sum / count;
    let error = ((squares / count - mean * mean).max(0.0) / count).sqrt();
    Validated { choice, log_return: sum, t: if error > 0.0 { mean / error } else { 0.0 } }
}

/// [`THRESHOLDS`] numbers between which equal shares of `values` lie.
fn quantiles(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (1..=THRESHOLDS).filter_map(|k| sorted.get(k * sorted.len() / (THRESHOLDS + 1)).copied()).collect()
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_markets::{dataset, zigzag};

    #[test]
    fn thresholds_are_the_inner_twentieths() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        let found = quantiles(&values);
        assert_eq!((found.len(), found[0], found[9], found[18]), (19, 5.0, 50.0, 95.0));
        assert!((deviation(&[1.0, 3.0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_forecast_is_traded_and_noise_costs_money() {
        let data = dataset(zigzag(500, 20, 0.01), 40);
        let market = Market::new(&data, 2, None, 0).unwrap();
        let bars = market.first()..430;
        let rises = |bar: usize| market.bar(bar + 1).0.close() > market.bar(bar + 1).0.open();
        let perfect: Vec<f64> = bars.clone().map(|bar| if rises(bar) { 1.0 } else { -1.0 }).collect();
        let session = SessionConfig::default();
        let cancel = CancelToken::default();
        let found = choose(&market, session, bars.clone(), &perfect, &perfect, &cancel).unwrap();
        assert!(found.has_edge(&SupervisedConfig::default()) && found.log_return > 1.0, "{found:?}");
        let noise: Vec<f64> = bars.clone().map(|bar| (bar as f64 * 78.233).sin()).collect();
        let noisy = Choice { threshold: 0.0, hysteresis: 0.0 };
        let fresh = TradingSession::new(session).unwrap();
        assert!(validate(&market, fresh, bars, &noise, noisy).log_return < 0.0);
    }
}
