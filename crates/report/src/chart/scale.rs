//! From a value to a height, and where the lines with round numbers go.

use crate::numbers;

/// Lines across a chart, about.
const TICKS: f64 = 5.0;
/// A curve whose highest point is so many times its lowest is drawn with equal heights for equal factors.
const LOG_FROM_RATIO: f64 = 4.0;
/// Most lines on a scale of factors.
const MAX_LOG_TICKS: usize = 7;
/// What lies further below the highest point than by this factor is drawn at the bottom.
const MAX_LOG_RATIO: f64 = 1e12;
/// Smallest span in relation to the values: closer together they can't be told apart.
const MIN_RELATIVE_SPAN: f64 = 1e-9;

/// Smaller values are nothing, and steps between them have no digits.
const ZERO: f64 = 1e-100;

/// A vertical scale that begins and ends on round numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    ticks: Vec<f64>,
    decimals: usize,
}

impl Scale {
    /// A scale from `low` to `high` and a little more, at least `least_span` high.
    pub(crate) fn linear(low: f64, high: f64, least_span: f64) -> Self {
        let size = low.abs().max(high.abs());
        let least_span = if size < ZERO { 1.0 } else { least_span.max(size * MIN_RELATIVE_SPAN) };
        let middle = low / 2.0 + high / 2.0;
        let reach = (high - low).max(least_span) / 2.0;
        let (low, high) = (low.min(middle - reach), high.max(middle + reach));
        let exponent = ((high - low) / TICKS).log10().floor() as i32;
        let (factor, exponent) = match round_factor((high - low) / TICKS / power(exponent)) {
            Some(factor) => (factor, exponent),
            None => (1.0, exponent + 1),
        };
        let step = Step { factor, exponent };
        // Rounding noise must not add an empty interval.
        let first = (low / step.size() + 1e-9).floor();
        let last = (high / step.size() - 1e-9).ceil();
        let count = (last - first).clamp(1.0, 4.0 * TICKS) as usize;
        let ticks: Vec<f64> = (0..=count).map(|index| step.times(first + index as f64)).collect();
        let decimals = usize::try_from(-exponent).unwrap_or(0);
        Self { low: ticks[0], high: ticks[count], is_log: false, ticks, decimals }
    }

    /// A scale for counts from 0 to at least `most`, with whole numbers at its lines.
    pub(crate) fn counts(most: u64) -> Self {
        let mut scale = Self::linear(0.0, most.max(1) as f64, 1.0);
        scale.ticks.retain(|tick| tick.fract() == 0.0);
        scale
    }

    /// A scale from `low` to `high`, as they are and without lines.
    pub(crate) fn between(low: f64, high: f64) -> Self {
        Self { low, high, is_log: false, ticks: Vec::new(), decimals: 0 }
    }

    /// A scale for factors of growth: logarithmic where they lie far apart, else as [`Scale::linear`] in percent.
    pub(crate) fn growth(low: f64, high: f64, least_span: f64) -> Self {
        if low > 0.0 && high / low >= LOG_FROM_RATIO {
            return Self::log(low, high);
        }
        Self::linear(100.0 * (low - 1.0), 100.0 * (high - 1.0), 100.0 * least_span)
    }

    /// A scale for prices: logarithmic where they lie far apart, else linear.
    pub(crate) fn prices(low: f64, high: f64, least_span: f64) -> Self {
        if low > 0.0 && high / low >= LOG_FROM_RATIO {
            return Self::log(low, high);
        }
        Self::linear(low, high, least_span)
    }

    fn log(low: f64, high: f64) -> Self {
        let low = low.max(high / MAX_LOG_RATIO);
        let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let every = |factors: &'static [f64], nth: i32| {
            let decades = decades.clone().filter(move |decade| decade.rem_euclid(nth) == 0);
            let all: Vec<f64> =
                decades.flat_map(|decade| factors.iter().map(move |factor| factor * power(decade))).collect();
            let first = all.iter().rposition(|tick| *tick <= low * (1.0 + 1e-9)).unwrap_or(0);
            let last = all.iter().position(|tick| *tick >= high * (1.0 - 1e-9)).unwrap_or(all.len() - 1);
            all[first..=last].to_vec()
        };
        let mut ticks = every(&[1.0, 2.0, 5.0], 1);
        for nth in [1, 2, 3, 4, 6, 8] {
            if ticks.len() > MAX_LOG_TICKS {
                ticks = every(&[1.0], nth);
            }
        }
        let (first, last) = (ticks[0], ticks[ticks.len() - 1]);
        Self { low: first.min(low), high: last.max(high), is_log: true, ticks, decimals: 0 }
    }

    /// Whether equal heights stand for equal factors.
    pub(crate) fn is_log(&self) -> bool {
        self.is_log
    }

    /// The lowest value.
    pub(crate) fn low(&self) -> f64 {
        self.low
    }

    /// The highest value.
    pub(crate) fn high(&self) -> f64 {
        self.high
    }

    /// Round values, ascending.
    pub(crate) fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    /// Where `value` lies: 0 at the bottom, 1 at the top, never outside.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Where a factor of growth lies.
    pub(crate) fn share_of_growth(&self, factor: f64) -> f64 {
        self.share(if self.is_log { factor } else { 100.0 * (factor - 1.0) })
    }

    /// A tick as a number with the decimals that the ticks need.
    pub(crate) fn number(&self, tick: f64) -> String {
        if self.is_log {
            return compact(tick);
        }
        numbers::decimals(tick, self.decimals)
    }

    /// A tick of a scale of growth: `+5 %`, or `×2`.
    pub(crate) fn growth_label(&self, tick: f64) -> String {
        if self.is_log {
            return format!("×{}", compact(tick));
        }
        format!("{}\u{202f}%", numbers::signed(tick, self.decimals))
    }
}

/// The distance of two ticks: `factor * 10^exponent`.
struct Step {
    factor: f64,
    exponent: i32,
}

impl Step {
    fn size(&self) -> f64 {
        self.times(1.0)
    }

    /// `count` steps. Divides by a power of ten instead of multiplying by its inexact inverse.
    fn times(&self, count: f64) -> f64 {
        let factor = count * self.factor;
        if self.exponent < 0 { factor / power(-self.exponent) } else { factor * power(self.exponent) }
    }
}

/// A tick of a logarithmic scale; a large or small power of ten by its exponent.
fn compact(tick: f64) -> String {
    const PLAIN: std::ops::RangeInclusive<f64> = 1e-4..=2e5;
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let exponent = tick.log10().round();
    let is_power = (tick / power(exponent as i32) - 1.0).abs() < 1e-9;
    if PLAIN.contains(&tick) || !is_power {
        return numbers::shortest(tick);
    }
    let sign = if exponent < 0.0 { "⁻" } else { "" };
    let digits = (exponent.abs() as u32).to_string();
    let digits: String = digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect();
    format!("10{sign}{digits}")
}

fn power(exponent: i32) -> f64 {
    10_f64.powi(exponent)
}

/// The round factor at or above `factor`, which is between 1 and 10; none when that is 10.
fn round_factor(factor: f64) -> Option<f64> {
    [1.0, 2.0, 5.0].into_iter().find(|round| factor <= *round)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(low: f64, high: f64, expected: &[f64]) {
        let scale = Scale::linear(low, high, 0.0);
        assert_eq!(scale.ticks(), expected);
        assert_eq!((scale.share(expected[0]), scale.share(expected[expected.len() - 1])), (0.0, 1.0));
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        ticks(0.0, 10.0, &[0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        ticks(0.12, 0.61, &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
        ticks(-3.0, 17.0, &[-5.0, 0.0, 5.0, 10.0, 15.0, 20.0]);
        ticks(61_200.0, 64_900.0, &[61_000.0, 62_000.0, 63_000.0, 64_000.0, 65_000.0]);
    }

    #[test]
    fn a_constant_has_a_scale_around_it() {
        let scale = Scale::linear(5.0, 5.0, 2.0);
        assert_eq!((scale.low(), scale.high(), scale.share(5.0)), (4.0, 6.0, 0.5));
        for nothing in [0.0, 1e-310, -1e-200] {
            let scale = Scale::linear(nothing, nothing, 0.0);
            assert_eq!((scale.low(), scale.high(), scale.share(nothing)), (-0.6, 0.6, 0.5));
        }
        let dear = Scale::linear(1e12, 1e12, 0.0);
        assert!(dear.high() > dear.low() && dear.ticks().len() > 1);
    }

    #[test]
    fn labels_have_the_decimals_of_the_step() {
        let scale = Scale::linear(0.12, 0.61, 0.0);
        assert_eq!(scale.number(scale.ticks()[2]), "0.3");
        let scale = Scale::growth(0.95, 1.2, 0.0);
        let labels: Vec<String> = scale.ticks().iter().map(|tick| scale.growth_label(*tick)).collect();
        assert_eq!(
            labels,
            ["−5\u{202f}%", "0\u{202f}%", "+5\u{202f}%", "+10\u{202f}%", "+15\u{202f}%", "+20\u{202f}%"]
        );
    }

    #[test]
    fn a_wide_range_of_growth_is_logarithmic() {
        let scale = Scale::growth(0.8, 9.0, 0.0);
        assert!(scale.is_log());
        assert_eq!(scale.ticks(), [0.5, 1.0, 2.0, 5.0, 10.0]);
        let labels: Vec<String> = scale.ticks().iter().map(|tick| scale.growth_label(*tick)).collect();
        assert_eq!(labels, ["×0.5", "×1", "×2", "×5", "×10"]);
        assert!((scale.share_of_growth(5.0_f64.sqrt()) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn far_powers_of_ten_are_written_short() {
        let labels = [1e-12, 0.001, 0.5, 100_000.0, 1e10, 2e10].map(compact);
        assert_eq!(labels, ["10⁻¹²", "0.001", "0.5", "100,000", "10¹⁰", "20,000,000,000"]);
    }

    #[test]
    fn prices_far_apart_are_logarithmic() {
        let scale = Scale::prices(80.0, 1_500.0, 0.0);
        assert_eq!(scale.ticks(), [50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0]);
        assert!(!Scale::prices(80.0, 150.0, 0.0).is_log());
    }

    #[test]
    fn a_total_loss_has_no_logarithm_and_gets_percent() {
        let scale = Scale::growth(0.0, 9.0, 0.0);
        assert!(!scale.is_log());
        assert_eq!((scale.low(), scale.high()), (-200.0, 800.0));
    }

    #[test]
    fn a_scale_over_many_decades_stays_readable() {
        let scale = Scale::growth(1e-12, 1e12, 0.0);
        assert!(scale.ticks().len() <= MAX_LOG_TICKS + 1, "{:?}", scale.ticks());
        assert_eq!((scale.share_of_growth(1e-12), scale.share_of_growth(1e12)), (0.0, 1.0));
    }
}
